package conformance

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
)

// Raw requests to a configuration store, for what the official client does not offer, and a signer of our own.

// newest is the API version of raw requests that need no other.
const newest = "2026-04-01"

// signer authorizes a raw request.
type signer interface {
	sign(t *testing.T, request *http.Request, body []byte)
}

// answer is a response, read to its end.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// change is something done to a request before it is signed.
type change func(request *http.Request)

// header sets a header of a request.
func header(name, value string) change {
	return func(request *http.Request) { request.Header.Set(name, value) }
}

// ask sends a request without a body. The target is the path and query as they are to be on the request line.
func (s store) ask(t *testing.T, method, target string, changes ...change) answer {
	t.Helper()
	return s.send(t, method, target, nil, changes...)
}

// put sends a PUT with a JSON body.
func (s store) put(t *testing.T, target string, body any, changes ...change) answer {
	t.Helper()
	text := good(json.Marshal(body))(t)
	return s.send(t, http.MethodPut, target, text, append(changes, header("Content-Type", "application/json"))...)
}

func (s store) send(t *testing.T, method, target string, body []byte, changes ...change) answer {
	t.Helper()
	request := good(http.NewRequestWithContext(t.Context(), method, s.url+target, bytes.NewReader(body)))(t)
	equal(t, "the target on the request line", request.URL.RequestURI(), target)
	for _, change := range changes {
		change(request)
	}
	s.signer.sign(t, request, body)
	return answered(t, request)
}

func answered(t *testing.T, request *http.Request) answer {
	t.Helper()
	response := good(http.DefaultClient.Do(request))(t)
	defer response.Body.Close()
	return answer{response.StatusCode, response.Header, good(io.ReadAll(response.Body))(t)}
}

// at gives a target with the newest API version; each parameter is `name=value` as it is to be on the line.
func at(path string, parameters ...string) string {
	return atVersion(newest, path, parameters...)
}

func atVersion(version, path string, parameters ...string) string {
	return path + "?" + strings.Join(append(parameters, "api-version="+version), "&")
}

// read gives the body of a response that has to be a 200 of a media type of the service.
func read[T any](t *testing.T, got answer, media string) T {
	t.Helper()
	if got.status != http.StatusOK {
		t.Fatalf("wanted 200, got %d %s", got.status, got.body)
	}
	shown := got.header.Get("Content-Type")
	holds(t, shown+" is "+media, strings.HasPrefix(shown, "application/vnd.microsoft.appconfig."+media+"+json"))
	return decoded[T](t, got)
}

// decoded gives the JSON body of a response.
func decoded[T any](t *testing.T, got answer) T {
	t.Helper()
	var value T
	if err := json.Unmarshal(got.body, &value); err != nil {
		t.Fatal(err)
	}
	return value
}

// rawSetting is a setting as it is on the wire.
type rawSetting struct {
	Key, Label, Value, Etag *string
	Tags                    map[string]*string
	Description             *string
}

// rawPage is a page of any list on the wire.
type rawPage[I any] struct {
	Etag     string
	Items    []I
	NextLink string `json:"@nextLink"`
}

// rawName is an item of the lists of keys and labels.
type rawName struct{ Name *string }

// sign is the HMAC scheme of the contract: over the request line as it is sent.
func (key accessKey) sign(t *testing.T, request *http.Request, body []byte) {
	t.Helper()
	if request.Header.Get("x-ms-date") == "" {
		request.Header.Set("x-ms-date", time.Now().UTC().Format(http.TimeFormat))
	}
	digest := sha256.Sum256(body)
	request.Header.Set("x-ms-content-sha256", base64.StdEncoding.EncodeToString(digest[:]))
	names, values := []string{"x-ms-date", "host", "x-ms-content-sha256"}, []string{}
	for _, name := range names {
		if name == "host" {
			values = append(values, request.URL.Host)
		} else {
			values = append(values, request.Header.Get(name))
		}
	}
	mac := hmac.New(sha256.New, key.secret)
	fmt.Fprintf(mac, "%s\n%s\n%s", request.Method, request.URL.RequestURI(), strings.Join(values, ";"))
	request.Header.Set("Authorization", fmt.Sprintf("HMAC-SHA256 Credential=%s&SignedHeaders=%s&Signature=%s",
		key.id, strings.Join(names, ";"), base64.StdEncoding.EncodeToString(mac.Sum(nil))))
}

// tokenSigner puts a token of the credential on a request.
type tokenSigner struct {
	url        string
	credential azcore.TokenCredential
}

func (signer tokenSigner) sign(t *testing.T, request *http.Request, _ []byte) {
	t.Helper()
	options := policy.TokenRequestOptions{Scopes: []string{signer.url + "/.default"}}
	token := good(signer.credential.GetToken(t.Context(), options))(t)
	request.Header.Set("Authorization", "Bearer "+token.Token)
}

// nobody signs nothing.
type nobody struct{}

func (nobody) sign(*testing.T, *http.Request, []byte) {}

func TestOurSignatureIsTheReferenceSignature(t *testing.T) {
	proves(t)
	body := []byte(`{"key": "k", "value": "v", "tags": {}}`)
	request := good(http.NewRequest(http.MethodPut, "https://h.example.com/kv/k?api-version=2026-04-01", nil))(t)
	request.Header.Set("x-ms-date", "Nov, 21 2026 00:35:49.408620 GMT")
	accessKey{id: "id", secret: []byte("secretsecret")}.sign(t, request, body)
	equal(t, "the body's hash", request.Header.Get("x-ms-content-sha256"), "dNP6LjgWDU8YoGlcf7C9cnFvGhe031euT6KjYthEIPw=")
	_, signature, _ := strings.Cut(request.Header.Get("Authorization"), "&Signature=")
	equal(t, "the signature", signature, "A1WmhaJ70BNLpWO+lC011svE1ab8sWuQbQI7n1R8h4E=")
}

func TestEverySettingMemberIsWrittenInOrderAndNullsToo(t *testing.T) {
	proves(t, "A5")
	s, key := byKey(t), unique("nulls")
	s.set(t, key, "", "v")
	got := s.ask(t, http.MethodGet, at("/kv/"+key))
	read[rawSetting](t, got, "kv")
	decoder, members := json.NewDecoder(bytes.NewReader(got.body)), []string{}
	good(decoder.Token())(t)
	nulls := map[string]bool{}
	for decoder.More() {
		name := good(decoder.Token())(t).(string)
		var value any
		if err := decoder.Decode(&value); err != nil {
			t.Fatal(err)
		}
		members, nulls[name] = append(members, name), value == nil
	}
	wanted := "etag key label content_type value tags locked last_modified"
	equal(t, "the members", strings.Join(members[:8], " "), wanted)
	holds(t, "label and content type are null", nulls["label"] && nulls["content_type"])
	etag := *read[rawSetting](t, got, "kv").Etag
	equal(t, "the ETag header", got.header.Get("ETag"), `"`+etag+`"`)
	good(time.Parse(http.TimeFormat, got.header.Get("Last-Modified")))(t)
	holds(t, "there is a Sync-Token", strings.Contains(got.header.Get("Sync-Token"), ";sn="))
}

func TestADescriptionComesBack(t *testing.T) {
	proves(t, "A6")
	s, key := byKey(t), unique("described")
	body := map[string]any{"value": "v", "description": "what it is for"}
	equal(t, "the answer", *read[rawSetting](t, s.put(t, at("/kv/"+key), body), "kv").Description, "what it is for")
	shown := read[rawSetting](t, s.ask(t, http.MethodGet, at("/kv/"+key)), "kv")
	equal(t, "the description", *shown.Description, "what it is for")
}

func TestParameterNamesHaveNoCaseAndNoOrder(t *testing.T) {
	proves(t, "A3", "A5")
	s, key := byKey(t), unique("case")
	s.set(t, key, "a label", "v")
	for _, target := range []string{
		"/kv/" + key + "?LABEL=a%20label&Api-Version=" + newest,
		"/kv/" + key + "?label=a+label&api-version=" + newest,
		"/kv/" + key + "?api-version=" + newest + "&%24SELECT=value&Label=a%20label",
	} {
		named(t, target, func(t *testing.T) {
			equal(t, "the value", *read[rawSetting](t, s.ask(t, http.MethodGet, target), "kv").Value, "v")
		})
	}
	for _, name := range []string{"$select", "$Select", "%24select", "fields"} {
		named(t, name, func(t *testing.T) {
			target := at("/kv", "KEY="+key, name+"=key,value")
			page := read[rawPage[rawSetting]](t, s.ask(t, http.MethodGet, target), "kvset")
			equal(t, "the number of settings", len(page.Items), 1)
			holds(t, "there is a value and no etag", *page.Items[0].Value == "v" && page.Items[0].Etag == nil)
		})
	}
}

func TestASlashInAKeyMayBeBare(t *testing.T) {
	proves(t, "A5")
	s, key := byKey(t), unique("bare")+"/deeper"
	s.set(t, key, "", "v")
	equal(t, "the value", *read[rawSetting](t, s.ask(t, http.MethodGet, at("/kv/"+key)), "kv").Value, "v")
}

func TestWhatIsNoOperationIsRefused(t *testing.T) {
	proves(t)
	s, key := byKey(t), unique("method")
	s.set(t, key, "", "v")
	for _, line := range [][2]string{{"PUT", "/kv"}, {"PATCH", "/kv/" + key}, {"POST", "/kv/" + key}} {
		named(t, line[0]+" "+line[1], func(t *testing.T) {
			equal(t, "the status", s.ask(t, line[0], at(line[1])).status, http.StatusMethodNotAllowed)
		})
	}
	named(t, "an unknown version", func(t *testing.T) {
		shown := invalidArgument.of(t, s.ask(t, http.MethodGet, atVersion("banana", "/kv/"+key)))
		equal(t, "the parameter", shown.Name, "api-version")
	})
}
