package conformance

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/data/azappconfig"
)

func TestASnapshotKeepsWhatItWasMadeOf(t *testing.T) {
	proves(t, "A3", "A11", "A12", "A13")
	eachDoor(t, func(t *testing.T, s store) {
		name := unique("snapshot")
		key := func(n int) string { return fmt.Sprintf("%s/%d", name, n) }
		s.fill(t, [][3]string{{key(1), "", "1"}, {key(2), "", "2"}, {key(2), "prod", "other"}, {name, "", "outside"}}...)
		options := &azappconfig.BeginCreateSnapshotOptions{
			RetentionPeriod: to.Ptr(int64(7200)), Tags: tagsOf(map[string]string{"release": "7"}),
		}
		made := s.snapshot(t, name, options, filter(name+"/*", nullLabel))
		shown := good(s.client.GetSnapshot(t.Context(), name, nil))(t)
		equal(t, "the name", *shown.Name, name)
		equal(t, "the etag", *shown.ETag, *made.ETag)
		equal(t, "the status", *shown.Status, azappconfig.SnapshotStatusReady)
		equal(t, "the composition", *shown.CompositionType, azappconfig.CompositionTypeKey)
		equal(t, "the number of settings", *shown.ItemsCount, 2)
		equal(t, "the retention", *shown.RetentionPeriod, 7200)
		sameTags(t, shown.Tags, map[string]string{"release": "7"})
		holds(t, "it has a size", *shown.Size > 0)
		holds(t, "it does not expire", shown.Expires == nil)
		holds(t, "it was made now", shown.Created.After(startOfRun.Add(-5*time.Minute)))
		equal(t, "the number of filters", len(shown.Filters), 1)
		equal(t, "its key", *shown.Filters[0].KeyFilter, name+"/*")
		equal(t, "its label", *shown.Filters[0].LabelFilter, nullLabel)

		s.set(t, key(1), "", "changed")
		s.set(t, key(3), "", "new")
		good(s.client.DeleteSetting(t.Context(), key(2), nil))(t)
		equal(t, "the values", strings.Join(inOrder(s.content(t, name)), " "), "1 2")
		equal(t, "the first key", *s.content(t, name)[0].Key, key(1))
	})
}

func TestASnapshotIsMadeWithAPoller(t *testing.T) {
	proves(t, "A12", "A13")
	s, name := byKey(t), unique("poller")
	started := s.put(t, at("/snapshots/"+name), map[string]any{"filters": []any{map[string]any{"key": name}}})
	equal(t, "the status", started.status, http.StatusCreated)
	operation := started.header.Get("Operation-Location")
	holds(t, operation+" is absolute", strings.HasPrefix(operation, s.url+"/operations?"))
	for {
		state := s.ask(t, http.MethodGet, strings.TrimPrefix(operation, s.url))
		equal(t, "the status", state.status, http.StatusOK)
		shown := decoded[struct{ ID, Status string }](t, state)
		if shown.Status == "Succeeded" {
			break
		}
		equal(t, "the operation", shown.Status, "Running")
		time.Sleep(200 * time.Millisecond)
	}
	filters := []azappconfig.SettingFilter{filter(name, nullLabel)}
	poller := good(s.client.BeginCreateSnapshot(t.Context(), unique("poller"), filters, nil))(t)
	token := good(poller.ResumeToken())(t)
	resuming := &azappconfig.BeginCreateSnapshotOptions{ResumeToken: token}
	resumed := good(s.client.BeginCreateSnapshot(t.Context(), "", nil, resuming))(t)
	done := good(resumed.PollUntilDone(t.Context(), everySecond))(t)
	equal(t, "the status", *done.Status, azappconfig.SnapshotStatusReady)
}

func TestTheCompositionTellsWhatIsOneSetting(t *testing.T) {
	proves(t, "A13")
	s, key := byKey(t), unique("composition")
	s.fill(t, [][3]string{{key, "", "bare"}, {key, "prod", "prod"}, {key, "test", "test"}}...)
	filters := []azappconfig.SettingFilter{filter(key, nullLabel), filter(key, "test"), filter(key, "prod")}
	one, all := unique("one"), unique("all")
	byName := s.snapshot(t, one, composed(azappconfig.CompositionTypeKey), filters...)
	equal(t, "the number of settings", *byName.ItemsCount, 1)
	equal(t, "the last filter wins", strings.Join(inOrder(s.content(t, one)), " "), "prod")
	byLabel := s.snapshot(t, all, composed(azappconfig.CompositionTypeKeyLabel), filters...)
	equal(t, "the composition", *byLabel.CompositionType, azappconfig.CompositionTypeKeyLabel)
	equal(t, "the number of settings", *byLabel.ItemsCount, 3)
	equal(t, "the values", strings.Join(inOrder(s.content(t, all)), " "), "bare prod test")
}

func TestASnapshotIsArchivedAndRecovered(t *testing.T) {
	proves(t, "A3", "A11", "A14")
	eachDoor(t, func(t *testing.T, s store) {
		name := unique("archive")
		s.set(t, name, "", "kept")
		options := &azappconfig.BeginCreateSnapshotOptions{RetentionPeriod: to.Ptr(int64(3600))}
		made := s.snapshot(t, name, options, filter(name, nullLabel))
		archived := good(s.client.ArchiveSnapshot(t.Context(), name, nil))(t)
		equal(t, "the status", *archived.Status, azappconfig.SnapshotStatusArchived)
		holds(t, "it is a change", *archived.ETag != *made.ETag)
		left := time.Until(*archived.Expires)
		holds(t, "it expires in an hour", left > 58*time.Minute && left <= 61*time.Minute)
		equal(t, "the content of an archived one", strings.Join(inOrder(s.content(t, name)), " "), "kept")
		again := good(s.client.ArchiveSnapshot(t.Context(), name, nil))(t)
		equal(t, "the etag of a second archive", *again.ETag, *archived.ETag)
		sameTime(t, "expires", again.Expires, *archived.Expires)

		recovered := good(s.client.RecoverSnapshot(t.Context(), name, nil))(t)
		equal(t, "the status", *recovered.Status, azappconfig.SnapshotStatusReady)
		holds(t, "it no longer expires", recovered.Expires == nil)
		equal(t, "the etag", *good(s.client.RecoverSnapshot(t.Context(), name, nil))(t).ETag, *recovered.ETag)
		shown := good(s.client.GetSnapshot(t.Context(), name, nil))(t)
		equal(t, "the status", *shown.Status, azappconfig.SnapshotStatusReady)
	})
}

func TestASnapshotCallMayAskForNoChange(t *testing.T) {
	proves(t, "A11", "A14")
	s, name := byKey(t), unique("condition")
	made := s.snapshot(t, name, nil, filter(name, nullLabel))
	other := to.Ptr(azcore.ETag("other"))
	archive := func(etag *azcore.ETag) (azappconfig.ArchiveSnapshotResponse, error) {
		return s.client.ArchiveSnapshot(t.Context(), name, &azappconfig.ArchiveSnapshotOptions{IfMatch: etag})
	}
	get := func(options azappconfig.GetSnapshotOptions) (azappconfig.GetSnapshotResponse, error) {
		return s.client.GetSnapshot(t.Context(), name, &options)
	}
	notMet.by(t, failure(archive(other)))
	archived := good(archive(made.ETag))(t)
	recovering := &azappconfig.RecoverSnapshotOptions{IfMatch: made.ETag}
	notMet.by(t, failure(s.client.RecoverSnapshot(t.Context(), name, recovering)))
	notModified.by(t, failure(get(azappconfig.GetSnapshotOptions{IfNoneMatch: archived.ETag})))
	notMet.by(t, failure(get(azappconfig.GetSnapshotOptions{IfMatch: other})))
	good(get(azappconfig.GetSnapshotOptions{IfMatch: archived.ETag}))(t)
}

func TestSnapshotsAreListedByNameAndStatus(t *testing.T) {
	proves(t, "A9")
	s := ownStore(t)
	for _, name := range []string{"a-1", "a-2", "b-1"} {
		s.snapshot(t, name, nil, filter("none", nullLabel))
	}
	good(s.client.ArchiveSnapshot(t.Context(), "a-2", nil))(t)
	ready, archived := azappconfig.SnapshotStatusReady, azappconfig.SnapshotStatusArchived
	for what, c := range map[string]struct {
		name   *string
		status []azappconfig.SnapshotStatus
		want   string
	}{
		"all":          {nil, nil, "a-1 a-2 b-1"},
		"ready":        {nil, []azappconfig.SnapshotStatus{ready}, "a-1 b-1"},
		"archived":     {nil, []azappconfig.SnapshotStatus{archived}, "a-2"},
		"either":       {nil, []azappconfig.SnapshotStatus{ready, archived}, "a-1 a-2 b-1"},
		"failed":       {nil, []azappconfig.SnapshotStatus{azappconfig.SnapshotStatusFailed}, ""},
		"by prefix":    {to.Ptr("a*"), nil, "a-1 a-2"},
		"by name":      {to.Ptr("b-1"), nil, "b-1"},
		"both at once": {to.Ptr("a*"), []azappconfig.SnapshotStatus{archived}, "a-2"},
	} {
		named(t, what, func(t *testing.T) {
			var names []string
			for _, one := range s.snapshots(t, &azappconfig.ListSnapshotsOptions{Name: c.name, Status: c.status}) {
				names = append(names, *one.Name)
			}
			sameMembers(t, "the snapshots", names, strings.Fields(c.want))
		})
	}
	named(t, "some fields", func(t *testing.T) {
		fields := []azappconfig.SnapshotFields{azappconfig.SnapshotFieldsName, azappconfig.SnapshotFieldsStatus}
		for _, one := range s.snapshots(t, &azappconfig.ListSnapshotsOptions{Select: fields}) {
			holds(t, "name and status are there", one.Name != nil && one.Status != nil)
			holds(t, "etag and date are not", one.ETag == nil && one.Created == nil)
			holds(t, "nothing else is", one.ItemsCount == nil && len(one.Filters) == 0)
		}
		shown := good(s.client.GetSnapshot(t.Context(), "a-1", &azappconfig.GetSnapshotOptions{Select: fields}))(t)
		holds(t, "one has them too", *shown.Name == "a-1" && *shown.Status == ready && shown.Created == nil)
	})
	named(t, "an unknown status", func(t *testing.T) {
		invalidArgument.of(t, s.ask(t, http.MethodGet, at("/snapshots", "status=nonsense")))
	})
}

func TestSnapshotsAndTheirContentPage(t *testing.T) {
	proves(t, "A3", "A9")
	s := ownStore(t)
	s.fill(t, numbered(130)...)
	inParallel(105, func(n int) any { return s.snapshot(t, fmt.Sprintf("s-%03d", n), nil, filter("none", nullLabel)) })
	equal(t, "the number of snapshots", len(s.snapshots(t, nil)), 105)
	s.snapshot(t, "all", composed(azappconfig.CompositionTypeKeyLabel), filter("key-*", "label-*"))
	pages := pagesOf(t, s.client.NewListSettingsForSnapshotPager("all", nil), contentOf)
	holds(t, "the pages hold a hundred", slices.Equal(lengths(pages), []int{100, 30}))
	for n, value := range mapped(pages, valueOf) {
		equal(t, "the value", value, fmt.Sprint(n))
	}
}

func TestANameIsTakenForEver(t *testing.T) {
	proves(t, "A13")
	s, name := byKey(t), unique("taken")
	s.snapshot(t, name, nil, filter(name, nullLabel))
	again := func() error {
		filters := []azappconfig.SettingFilter{filter("other", nullLabel)}
		return failure(s.client.BeginCreateSnapshot(t.Context(), name, filters, nil))
	}
	equal(t, "the title", alreadyExists.by(t, again()).Title, "The resource already exists.")
	good(s.client.ArchiveSnapshot(t.Context(), name, nil))(t)
	alreadyExists.by(t, again())
}

func TestASnapshotHasOneToThreeFilters(t *testing.T) {
	proves(t, "A13")
	s, key := byKey(t), unique("filters")
	var filters []azappconfig.SettingFilter
	for n, letter := range []string{"a", "b", "c", "d"} {
		s.set(t, key+letter, "", fmt.Sprint(n))
		filters = append(filters, filter(key+letter, nullLabel))
	}
	s.snapshot(t, key, nil, filters[:3]...)
	equal(t, "the values", strings.Join(inOrder(s.content(t, key)), ""), "012")
	type body = map[string]any
	one, long := []any{body{"key": "k"}}, body{"key": strings.Repeat("k", 257)}
	for what, c := range map[string]struct {
		name string
		body body
	}{
		"none":               {"filters", body{}},
		"an empty list":      {"filters", body{"filters": []any{}}},
		"no key":             {"filters[0].key", body{"filters": []any{body{"label": "l"}}}},
		"a long key":         {"filters[1].key", body{"filters": []any{one[0], long}}},
		"a short retention":  {"retention_period", body{"filters": one, "retention_period": 3599}},
		"a long retention":   {"retention_period", body{"filters": one, "retention_period": 7776001}},
		"a bad composition":  {"composition_type", body{"filters": one, "composition_type": "nonsense"}},
		"a filter's bad tag": {"filters[0].tags", body{"filters": []any{body{"key": "k", "tags": []string{"=v"}}}}},
	} {
		named(t, what, func(t *testing.T) {
			refused := unique("refused")
			shown := invalidArgument.of(t, s.put(t, at("/snapshots/"+refused), c.body))
			equal(t, "the parameter", shown.Name, c.name)
			settingNotFound.by(t, failure(s.client.GetSnapshot(t.Context(), refused, nil)))
		})
	}
	named(t, "four", func(t *testing.T) {
		invalidArgument.by(t, failure(s.client.BeginCreateSnapshot(t.Context(), unique("four"), filters, nil)))
	})
}

func TestASnapshotMayChooseByTags(t *testing.T) {
	proves(t, "A13")
	s, name := byKey(t), unique("tagged")
	for value, tags := range map[string]map[string]any{"1": {"env": "prod", "team": "a"}, "2": {"env": "prod"}, "3": {}} {
		read[rawSetting](t, s.put(t, at("/kv/"+name+value), map[string]any{"value": value, "tags": tags}), "kv")
	}
	body := map[string]any{"filters": []any{map[string]any{"key": name + "*", "tags": []string{"env=prod", "team=a"}}}}
	equal(t, "the status", s.put(t, at("/snapshots/"+name), body).status, http.StatusCreated)
	eventually(t, func() (any, error) {
		if listed := inOrder(s.content(t, name)); strings.Join(listed, "") != "1" {
			return nil, fmt.Errorf("the content is %v", listed)
		}
		return nil, nil
	})
}

func TestASnapshotThatIsNotThere(t *testing.T) {
	proves(t, "A3", "A11", "A14")
	s, name := byKey(t), unique("none")
	settingNotFound.by(t, failure(s.client.GetSnapshot(t.Context(), name, nil)))
	settingNotFound.by(t, failure(s.client.ArchiveSnapshot(t.Context(), name, nil)))
	settingNotFound.by(t, failure(s.client.RecoverSnapshot(t.Context(), name, nil)))
	equal(t, "the number of settings in it", len(s.content(t, name)), 0)
}

// everySecond polls as often as the package allows.
var everySecond = &runtime.PollUntilDoneOptions{Frequency: time.Second}

// composed tells what is one setting in a snapshot.
func composed(kind azappconfig.CompositionType) *azappconfig.BeginCreateSnapshotOptions {
	return &azappconfig.BeginCreateSnapshotOptions{CompositionType: &kind}
}

// filter chooses what belongs to a snapshot.
func filter(key, label string) azappconfig.SettingFilter {
	return azappconfig.SettingFilter{KeyFilter: &key, LabelFilter: &label}
}

// snapshot makes a snapshot and waits until it is ready.
func (s store) snapshot(
	t *testing.T, name string, options *azappconfig.BeginCreateSnapshotOptions, filters ...azappconfig.SettingFilter,
) azappconfig.Snapshot {
	t.Helper()
	poller := good(s.client.BeginCreateSnapshot(t.Context(), name, filters, options))(t)
	made := good(poller.PollUntilDone(t.Context(), everySecond))(t)
	equal(t, "the status", *made.Status, azappconfig.SnapshotStatusReady)
	return made.Snapshot
}

func (s store) snapshots(t *testing.T, options *azappconfig.ListSnapshotsOptions) []azappconfig.Snapshot {
	t.Helper()
	return slices.Concat(pagesOf(t, s.client.NewListSnapshotsPager(options),
		func(page azappconfig.ListSnapshotsResponse) []azappconfig.Snapshot { return page.Snapshots })...)
}

// content lists what a snapshot holds.
func (s store) content(t *testing.T, name string) []azappconfig.Setting {
	t.Helper()
	return slices.Concat(pagesOf(t, s.client.NewListSettingsForSnapshotPager(name, nil), contentOf)...)
}

func contentOf(page azappconfig.ListSettingsForSnapshotResponse) []azappconfig.Setting {
	return page.Settings
}
