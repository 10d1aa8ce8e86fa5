package conformance

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
	"github.com/Azure/azure-sdk-for-go/sdk/data/azappconfig"
)

// store is one App Configuration store: the official client for it, and what signs requests that it does not offer.
type store struct {
	url    string
	client *azappconfig.Client
	signer signer
}

// byKey is the store that the environment names, opened with its connection string.
func byKey(t *testing.T) store { return storeByKey(t, settings.configConnection) }

// byReadOnlyKey is the same store, opened with the access key that only reads.
func byReadOnlyKey(t *testing.T) store { return storeByKey(t, settings.configReadOnly) }

// byToken is the same store, opened with the token credential.
func byToken(t *testing.T) store { return storeAt(t, settings.configURL, credential()) }

// ownStore is a store with nothing in it. Access keys exist only for the one that the environment names.
func ownStore(t *testing.T) store { return storeAt(t, freshStore("conf-go"), credential()) }

func storeByKey(t *testing.T, connection string) store {
	t.Helper()
	key := parseConnection(t, connection)
	client := good(azappconfig.NewClientFromConnectionString(connection, nil))(t)
	return store{key.endpoint, client, key}
}

func storeAt(t *testing.T, url string, credential azcore.TokenCredential) store {
	t.Helper()
	return store{url, good(azappconfig.NewClient(url, credential, nil))(t), tokenSigner{url, credential}}
}

// eachDoor runs a test's body with either authentication.
func eachDoor(t *testing.T, body func(t *testing.T, s store)) {
	t.Helper()
	named(t, "connection string", func(t *testing.T) { body(t, byKey(t)) })
	named(t, "token", func(t *testing.T) { body(t, byToken(t)) })
}

// accessKey is a connection string, taken apart.
type accessKey struct {
	endpoint, id string
	secret       []byte
}

func parseConnection(t *testing.T, connection string) accessKey {
	t.Helper()
	parts := map[string]string{}
	for segment := range strings.SplitSeq(connection, ";") {
		name, value, _ := strings.Cut(segment, "=")
		parts[name] = value
	}
	equal(t, "the number of segments in the connection string", len(parts), 3)
	secret := good(base64.StdEncoding.DecodeString(parts["Secret"]))(t)
	return accessKey{strings.TrimRight(parts["Endpoint"], "/"), parts["Id"], secret}
}

// connection is the key as a connection string.
func (key accessKey) connection() string {
	secret := base64.StdEncoding.EncodeToString(key.secret)
	return fmt.Sprintf("Endpoint=%s;Id=%s;Secret=%s", key.endpoint, key.id, secret)
}

// set writes a setting; an empty label is the null label.
func (s store) set(t *testing.T, key, label, value string) azappconfig.Setting {
	t.Helper()
	options := &azappconfig.SetSettingOptions{Label: labelled(label)}
	return good(s.client.SetSetting(t.Context(), key, &value, options))(t).Setting
}

// get reads a setting; an empty label is the null label.
func (s store) get(t *testing.T, key, label string) azappconfig.Setting {
	t.Helper()
	options := &azappconfig.GetSettingOptions{Label: labelled(label)}
	return good(s.client.GetSetting(t.Context(), key, options))(t).Setting
}

func (s store) lock(t *testing.T, key string, locked bool) azappconfig.Setting {
	t.Helper()
	return good(s.client.SetReadOnly(t.Context(), key, locked, nil))(t).Setting
}

// fill makes settings side by side: key, label and value are those of the list.
func (s store) fill(t *testing.T, settings ...[3]string) {
	t.Helper()
	inParallel(len(settings), func(n int) any { return s.set(t, settings[n][0], settings[n][1], settings[n][2]) })
}

// labelled gives a label as the package wants it.
func labelled(label string) *string {
	if label == "" {
		return nil
	}
	return &label
}

// list reads the pages of a selection.
func (s store) list(
	t *testing.T, selector azappconfig.SettingSelector, conditions ...azcore.MatchConditions,
) [][]azappconfig.Setting {
	t.Helper()
	options := &azappconfig.ListSettingsOptions{MatchConditions: conditions}
	return pagesOf(t, s.client.NewListSettingsPager(selector, options),
		func(page azappconfig.ListSettingsPageResponse) []azappconfig.Setting { return page.Settings })
}

// revisions reads the revisions of a selection, newest first.
func (s store) revisions(t *testing.T, selector azappconfig.SettingSelector) []azappconfig.Setting {
	t.Helper()
	return slices.Concat(pagesOf(t, s.client.NewListRevisionsPager(selector, nil),
		func(page azappconfig.ListRevisionsPageResponse) []azappconfig.Setting { return page.Settings })...)
}

// problem is the body of a refusal.
type problem struct {
	Type, Title, Name, Detail string
	Status                    int
	Pos                       *int
}

// complaint is what a failed call must carry: the status and the kind of the problem. Without a kind it has no body.
type complaint struct {
	status int
	kind   string
}

var (
	notModified     = complaint{304, ""}
	invalidArgument = complaint{400, "invalid-argument"}
	notAuthorized   = complaint{401, ""}
	notAllowed      = complaint{403, ""}
	settingNotFound = complaint{404, ""}
	keyLocked       = complaint{409, "key-locked"}
	alreadyExists   = complaint{409, "already-exists"}
	notMet          = complaint{412, ""}
)

// by checks the error of the official client.
func (want complaint) by(t *testing.T, err error) problem {
	t.Helper()
	var got *azcore.ResponseError
	if !errors.As(err, &got) {
		t.Fatalf("wanted a ResponseError with %d, got %v", want.status, err)
	}
	body := good(runtime.Payload(got.RawResponse))(t)
	return want.of(t, answer{got.StatusCode, got.RawResponse.Header, body})
}

// of checks a response.
func (want complaint) of(t *testing.T, got answer) problem {
	t.Helper()
	if got.status != want.status {
		t.Fatalf("wanted %d %s, got %d %s", want.status, want.kind, got.status, got.body)
	}
	var shown problem
	if want.kind == "" {
		equal(t, "the body", string(got.body), "")
		return shown
	}
	holds(t, "it is problem+json", strings.HasPrefix(got.header.Get("Content-Type"), "application/problem+json"))
	if err := json.Unmarshal(got.body, &shown); err != nil {
		t.Fatal(err)
	}
	equal(t, "the problem's type", shown.Type, "https://azconfig.io/errors/"+want.kind)
	equal(t, "the problem's status", shown.Status, want.status)
	return shown
}
