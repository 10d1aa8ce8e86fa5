package conformance

import (
	"encoding/hex"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/data/azappconfig"
)

func TestAReadOnlyKeyReadsAndWritesNothing(t *testing.T) {
	proves(t, "A1", "A3", "A5", "A6", "A7", "A11", "A13", "A14", "A16", "A18", "A19", "A20")
	s, reader, key := byKey(t), byReadOnlyKey(t), unique("read-only")
	s.set(t, key, "", "v")
	s.snapshot(t, key, nil, filter(key, nullLabel))
	equal(t, "the value", *reader.get(t, key, "").Value, "v")
	selector := azappconfig.SettingSelector{KeyFilter: &key}
	equal(t, "the number of settings", len(reader.list(t, selector)[0]), 1)
	equal(t, "the number of revisions", len(reader.revisions(t, selector)), 1)
	equal(t, "the number of settings in the snapshot", len(reader.content(t, key)), 1)
	equal(t, "the snapshot", *good(reader.client.GetSnapshot(t.Context(), key, nil))(t).Name, key)
	equal(t, "the number of keys", len(reader.names(t, "/keys", "name="+key)), 1)
	reader.names(t, "/labels")
	for what, call := range map[string]func() error{
		"set":    func() error { return failure(reader.client.SetSetting(t.Context(), key, to.Ptr("w"), nil)) },
		"add":    func() error { return failure(reader.client.AddSetting(t.Context(), key+"-2", to.Ptr("w"), nil)) },
		"delete": func() error { return failure(reader.client.DeleteSetting(t.Context(), key, nil)) },
		"lock":   func() error { return failure(reader.client.SetReadOnly(t.Context(), key, true, nil)) },
		"unlock": func() error { return failure(reader.client.SetReadOnly(t.Context(), key, false, nil)) },
		"create a snapshot": func() error {
			filters := []azappconfig.SettingFilter{filter(key, nullLabel)}
			return failure(reader.client.BeginCreateSnapshot(t.Context(), unique("refused"), filters, nil))
		},
		"archive a snapshot": func() error { return failure(reader.client.ArchiveSnapshot(t.Context(), key, nil)) },
	} {
		notAllowed.by(t, call())
		t.Log(what, "is refused")
	}
	equal(t, "the value", *s.get(t, key, "").Value, "v")
}

func TestAWrongSecretIsRefused(t *testing.T) {
	proves(t, "A5", "A6")
	wrong, unknown := byKey(t).signer.(accessKey), byKey(t).signer.(accessKey)
	wrong.secret, unknown.id = randomBytes(32), "nobody"
	for reason, key := range map[string]accessKey{"Invalid Signature": wrong, "Invalid Credential": unknown} {
		named(t, reason, func(t *testing.T) {
			s := storeByKey(t, key.connection())
			notAuthorized.by(t, failure(s.client.GetSetting(t.Context(), "any", nil)))
			notAuthorized.by(t, failure(s.client.SetSetting(t.Context(), "any", to.Ptr("v"), nil)))
			refusedFor(t, reason, s.ask(t, http.MethodGet, at("/kv/any")))
		})
	}
}

// refusedFor checks that a response is a 401 that tells the reason.
func refusedFor(t *testing.T, reason string, got answer) {
	t.Helper()
	notAuthorized.of(t, got)
	challenges := strings.Join(got.header.Values("WWW-Authenticate"), ", ")
	for _, text := range []string{"HMAC-SHA256", "Bearer", reason} {
		holds(t, text+" is in "+challenges, strings.Contains(challenges, text))
	}
}

func TestABadTokenIsRefused(t *testing.T) {
	proves(t, "A5", "A6")
	options := tokenSigner{"https://management.azure.com", credential()}
	request := good(http.NewRequest(http.MethodGet, "https://management.azure.com", nil))(t)
	options.sign(t, request, nil)
	for what, token := range map[string]string{
		"garbage": "garbage", "the wrong audience": strings.TrimPrefix(request.Header.Get("Authorization"), "Bearer "),
	} {
		named(t, what, func(t *testing.T) {
			s := storeAt(t, settings.configURL, fixedToken(token))
			notAuthorized.by(t, failure(s.client.GetSetting(t.Context(), "any", nil)))
			notAuthorized.by(t, failure(s.client.SetSetting(t.Context(), "any", to.Ptr("v"), nil)))
		})
	}
}

func TestARequestWithoutASignatureIsChallenged(t *testing.T) {
	proves(t)
	s := byKey(t)
	s.signer = nobody{}
	for _, target := range []string{at("/kv/any"), "/kv/any", at("/snapshots"), at("/keys")} {
		refusedFor(t, "", s.ask(t, http.MethodGet, target))
	}
	refusedFor(t, "", s.put(t, at("/kv/any"), map[string]any{"value": "v"}))
}

func TestAnAccessKeyOpensOnlyItsOwnStore(t *testing.T) {
	proves(t)
	key := byKey(t).signer.(accessKey)
	other := ownStore(t)
	other.set(t, "key", "", "v")
	key.endpoint = other.url
	notAuthorized.by(t, failure(storeByKey(t, key.connection()).client.GetSetting(t.Context(), "key", nil)))
}

// tampered signs a request and then changes it.
type tampered struct {
	key    accessKey
	change change
}

func (signer tampered) sign(t *testing.T, request *http.Request, body []byte) {
	t.Helper()
	signer.key.sign(t, request, body)
	signer.change(request)
}

func TestWhatIsChangedAfterTheSignatureIsRefused(t *testing.T) {
	proves(t, "A5", "A6")
	s := byKey(t)
	key := s.signer.(accessKey)
	later := time.Now().Add(time.Minute).UTC().Format(http.TimeFormat)
	for what, c := range map[string]struct {
		reason string
		change change
	}{
		"the path":  {"Invalid Signature", func(r *http.Request) { r.URL.Path += "-2" }},
		"the query": {"Invalid Signature", func(r *http.Request) { r.URL.RawQuery += "&label=l" }},
		"the date":  {"Invalid Signature", header("x-ms-date", later)},
		"the hash":  {"Invalid Signature", header("x-ms-content-sha256", "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=")},
		"the content": {"Invalid request content hash", func(r *http.Request) {
			r.Body, r.GetBody, r.ContentLength = http.NoBody, nil, 0
		}},
		"no content hash": {"not found", func(r *http.Request) { r.Header.Del("x-ms-content-sha256") }},
		"no signed headers": {"SignedHeaders", func(r *http.Request) {
			authorization := r.Header.Get("Authorization")
			from, to := strings.Index(authorization, "SignedHeaders"), strings.Index(authorization, "Signature=")
			r.Header.Set("Authorization", authorization[:from]+authorization[to:])
		}},
		"no signature": {"Signature is required", func(r *http.Request) {
			before, _, _ := strings.Cut(r.Header.Get("Authorization"), "&Signature=")
			r.Header.Set("Authorization", before)
		}},
	} {
		named(t, what, func(t *testing.T) {
			name := unique("tampered")
			s := store{s.url, s.client, tampered{key, c.change}}
			refusedFor(t, c.reason, s.put(t, at("/kv/"+name), map[string]any{"value": "v"}))
			settingNotFound.by(t, failure(s.client.GetSetting(t.Context(), name, nil)))
		})
	}
}

func TestADateMayBeAQuarterOfAnHourOff(t *testing.T) {
	proves(t, "A5")
	s, key := byKey(t), unique("date")
	s.set(t, key, "", "v")
	const python = "Jan, 02 2006 15:04:05.000000 GMT"
	for what, c := range map[string]struct {
		off    time.Duration
		format string
		reason string
	}{
		"now":                {0, http.TimeFormat, ""},
		"now, as Python":     {0, python, ""},
		"a little old":       {-14 * time.Minute, http.TimeFormat, ""},
		"a little new":       {14 * time.Minute, http.TimeFormat, ""},
		"too old":            {-16 * time.Minute, http.TimeFormat, "The access token has expired"},
		"too old, as Python": {-16 * time.Minute, python, "The access token has expired"},
		"too new":            {16 * time.Minute, http.TimeFormat, "The access token has expired"},
		"no date":            {0, "soon", "Invalid access token date"},
	} {
		named(t, what, func(t *testing.T) {
			date := header("x-ms-date", time.Now().Add(c.off).UTC().Format(c.format))
			got := s.ask(t, http.MethodGet, at("/kv/"+key), date)
			if c.reason == "" {
				equal(t, "the value", *read[rawSetting](t, got, "kv").Value, "v")
			} else {
				refusedFor(t, c.reason, got)
			}
		})
	}
}

func TestTheSignatureIsOverTheLineAsItIsSent(t *testing.T) {
	proves(t, "A3", "A5")
	s, key := byKey(t), unique("raw")
	s.set(t, key+"/a b", "", "v")
	for _, target := range []string{
		"/kv/" + key + "%2Fa%20b?api-version=1.0",
		"/kv/" + key + "%2fa%20b?api-version=1.0&label=",
		"/kv/" + key + "/a%20b?label=%00&api-version=1.0",
		"/kv/%" + hex.EncodeToString([]byte{key[0]}) + key[1:] + "%2Fa%20b?api-version=1.0&unknown=%7e~",
	} {
		named(t, target, func(t *testing.T) {
			equal(t, "the value", *read[rawSetting](t, s.ask(t, http.MethodGet, target), "kv").Value, "v")
		})
	}
}
