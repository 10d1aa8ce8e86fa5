package conformance

import (
	"net/http"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/data/azappconfig"
)

func TestAnAddWorksOnlyOnce(t *testing.T) {
	proves(t, "A6")
	eachDoor(t, func(t *testing.T, s store) {
		key := unique("add")
		options := &azappconfig.AddSettingOptions{Label: to.Ptr("l"), ContentType: to.Ptr("text/plain")}
		made := good(s.client.AddSetting(t.Context(), key, to.Ptr("first"), options))(t)
		equal(t, "the content type", *made.ContentType, "text/plain")
		notMet.by(t, failure(s.client.AddSetting(t.Context(), key, to.Ptr("second"), options)))
		equal(t, "the value", *s.get(t, key, "l").Value, "first")
		good(s.client.AddSetting(t.Context(), key, to.Ptr("another label"), nil))(t)
		good(s.client.DeleteSetting(t.Context(), key, &azappconfig.DeleteSettingOptions{Label: options.Label}))(t)
		good(s.client.AddSetting(t.Context(), key, to.Ptr("third"), options))(t)
	})
}

func TestOneOfManyAddsWins(t *testing.T) {
	proves(t, "A6")
	s, key := byKey(t), unique("race")
	won := 0
	for _, err := range inParallel(8, func(int) error {
		return failure(s.client.AddSetting(t.Context(), key, to.Ptr(randomHex(4)), nil))
	}) {
		if err == nil {
			won++
		} else {
			notMet.by(t, err)
		}
	}
	equal(t, "the number of winners", won, 1)
}

func TestASetAndADeleteMayAskForNoChange(t *testing.T) {
	proves(t, "A6", "A7")
	eachDoor(t, func(t *testing.T, s store) {
		key := unique("unchanged")
		first := s.set(t, key, "", "1")
		set := func(etag *azcore.ETag, value string) (azappconfig.SetSettingResponse, error) {
			return s.client.SetSetting(t.Context(), key, &value, &azappconfig.SetSettingOptions{OnlyIfUnchanged: etag})
		}
		remove := func(etag *azcore.ETag) (azappconfig.DeleteSettingResponse, error) {
			return s.client.DeleteSetting(t.Context(), key, &azappconfig.DeleteSettingOptions{OnlyIfUnchanged: etag})
		}
		second := good(set(first.ETag, "2"))(t)
		notMet.by(t, failure(set(first.ETag, "3")))
		notMet.by(t, failure(remove(first.ETag)))
		equal(t, "the value", *s.get(t, key, "").Value, "2")
		good(set(to.Ptr(azcore.ETagAny), "4"))(t)
		notMet.by(t, failure(remove(second.ETag)))
		good(remove(s.get(t, key, "").ETag))(t)
		notMet.by(t, failure(remove(second.ETag)))
		notMet.by(t, failure(set(second.ETag, "5")))
		notMet.by(t, failure(set(to.Ptr(azcore.ETagAny), "6")))
		settingNotFound.by(t, failure(s.client.GetSetting(t.Context(), key, nil)))
	})
}

func TestAGetMayAskForAChange(t *testing.T) {
	proves(t, "A5")
	eachDoor(t, func(t *testing.T, s store) {
		key := unique("changed")
		made := s.set(t, key, "", "1")
		ifChanged := &azappconfig.GetSettingOptions{OnlyIfChanged: made.ETag}
		notModified.by(t, failure(s.client.GetSetting(t.Context(), key, ifChanged)))
		s.set(t, key, "", "2")
		equal(t, "the value", *good(s.client.GetSetting(t.Context(), key, ifChanged))(t).Value, "2")
		good(s.client.DeleteSetting(t.Context(), key, nil))(t)
		settingNotFound.by(t, failure(s.client.GetSetting(t.Context(), key, ifChanged)))
	})
}

func TestEtagsAreReadInEverySpelling(t *testing.T) {
	proves(t, "A5", "A6")
	s, key := byKey(t), unique("spelling")
	etag := string(*s.set(t, key, "", "v").ETag)
	for _, spelling := range []string{etag, `"` + etag + `"`, `W/"` + etag + `"`, `"` + etag + `", "other"`} {
		named(t, spelling[:2], func(t *testing.T) {
			for _, method := range []string{http.MethodGet, http.MethodHead} {
				got := s.ask(t, method, at("/kv/"+key), header("If-None-Match", spelling))
				equal(t, "the status", got.status, http.StatusNotModified)
				got = s.ask(t, method, at("/kv/"+key), header("If-Match", spelling))
				equal(t, "the status", got.status, http.StatusOK)
			}
		})
	}
	named(t, "a write that is not wanted", func(t *testing.T) {
		body := map[string]any{"value": "w"}
		notMet.of(t, s.put(t, at("/kv/"+key), body, header("If-None-Match", `"`+etag+`"`)))
		notMet.of(t, s.ask(t, http.MethodGet, at("/kv/"+key), header("If-Match", `"other"`)))
	})
}

func TestALockedSettingIsLeftAlone(t *testing.T) {
	proves(t, "A6", "A7", "A18", "A19")
	eachDoor(t, func(t *testing.T, s store) {
		key := unique("lock")
		made := s.set(t, key, "", "v")
		locked := s.lock(t, key, true)
		holds(t, "it is read-only", *locked.IsReadOnly && *s.get(t, key, "").IsReadOnly)
		equal(t, "the value", *locked.Value, "v")
		holds(t, "the lock is a change", *locked.ETag != *made.ETag)
		shown := keyLocked.by(t, failure(s.client.SetSetting(t.Context(), key, to.Ptr("w"), nil)))
		equal(t, "the key in the problem", shown.Name, key)
		equal(t, "the title", shown.Title, "Modifing key '"+key+"' is not allowed")
		equal(t, "the detail", shown.Detail, "The key is read-only. To allow modification unlock it first.")
		keyLocked.by(t, failure(s.client.DeleteSetting(t.Context(), key, nil)))
		holds(t, "it is unlocked", !*s.lock(t, key, false).IsReadOnly)
		s.set(t, key, "", "w")
		good(s.client.DeleteSetting(t.Context(), key, nil))(t)
	})
}

func TestALockBelongsToOneLabel(t *testing.T) {
	proves(t, "A18", "A19")
	s, key := byKey(t), unique("lock")
	s.set(t, key, "", "bare")
	s.set(t, key, "l", "labelled")
	options := &azappconfig.SetReadOnlyOptions{Label: to.Ptr("l")}
	equal(t, "the label", *good(s.client.SetReadOnly(t.Context(), key, true, options))(t).Label, "l")
	s.set(t, key, "", "still written")
	setting := &azappconfig.SetSettingOptions{Label: options.Label}
	keyLocked.by(t, failure(s.client.SetSetting(t.Context(), key, to.Ptr("w"), setting)))
	good(s.client.SetReadOnly(t.Context(), key, false, options))(t)
	s.set(t, key, "l", "written again")
}

func TestThePreconditionComesBeforeTheLock(t *testing.T) {
	proves(t, "A6", "A7", "A18")
	s, key := byKey(t), unique("order")
	stale := s.set(t, key, "", "v").ETag
	current := s.lock(t, key, true).ETag
	set := func(etag *azcore.ETag) error {
		options := &azappconfig.SetSettingOptions{OnlyIfUnchanged: etag}
		return failure(s.client.SetSetting(t.Context(), key, to.Ptr("w"), options))
	}
	remove := func(etag *azcore.ETag) error {
		options := &azappconfig.DeleteSettingOptions{OnlyIfUnchanged: etag}
		return failure(s.client.DeleteSetting(t.Context(), key, options))
	}
	notMet.by(t, set(stale))
	keyLocked.by(t, set(current))
	notMet.by(t, remove(stale))
	keyLocked.by(t, remove(current))
	notMet.by(t, failure(s.client.AddSetting(t.Context(), key, to.Ptr("w"), nil)))
}

func TestALockMayAskForNoChange(t *testing.T) {
	proves(t, "A18", "A19")
	s, key := byKey(t), unique("lock")
	stale := s.set(t, key, "", "1").ETag
	current := s.set(t, key, "", "2").ETag
	lock := func(locked bool, etag *azcore.ETag) (azappconfig.SetReadOnlyResponse, error) {
		return s.client.SetReadOnly(t.Context(), key, locked, &azappconfig.SetReadOnlyOptions{OnlyIfUnchanged: etag})
	}
	notMet.by(t, failure(lock(true, stale)))
	locked := good(lock(true, current))(t)
	notMet.by(t, failure(lock(false, current)))
	good(lock(false, locked.ETag))(t)
}

func TestWhatIsNotThereCannotBeLocked(t *testing.T) {
	proves(t, "A18", "A19")
	s, key := byKey(t), unique("lock")
	settingNotFound.by(t, failure(s.client.SetReadOnly(t.Context(), key, true, nil)))
	settingNotFound.by(t, failure(s.client.SetReadOnly(t.Context(), key, false, nil)))
}

func TestASyncTokenIsGivenAndNeverRefused(t *testing.T) {
	proves(t, "A5", "A6")
	s, key := byKey(t), unique("sync")
	made := good(s.client.SetSetting(t.Context(), key, to.Ptr("v"), nil))(t)
	for _, token := range []azappconfig.SyncToken{made.SyncToken, "jtqGc1I4=MDoyOA==;sn=28", "a=1;sn=1,b=2;sn=2"} {
		other := byToken(t)
		if err := other.client.SetSyncToken(token); err != nil {
			t.Fatal(err)
		}
		equal(t, "the value", *other.get(t, key, "").Value, "v")
	}
	for _, malformed := range []string{"garbage", "=", ";sn=", "a=b;sn=x", ",,,"} {
		got := s.ask(t, http.MethodGet, at("/kv/"+key), header("Sync-Token", malformed))
		equal(t, "the status with "+malformed, got.status, http.StatusOK)
	}
}
