package conformance

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
	"github.com/Azure/azure-sdk-for-go/sdk/security/keyvault/azkeys"
	"github.com/Azure/azure-sdk-for-go/sdk/security/keyvault/azsecrets"
)

// vault is one vault with the official clients for it.
type vault struct {
	url     string
	secrets *azsecrets.Client
	keys    *azkeys.Client
}

// credential is the one that programs use, from the environment alone. Only in direct mode does it take the one option
// that the package asks for with an authority that is not Microsoft's.
var credential = sync.OnceValue(func() azcore.TokenCredential {
	options := &azidentity.DefaultAzureCredentialOptions{DisableInstanceDiscovery: direct()}
	made, err := azidentity.NewDefaultAzureCredential(options)
	if err != nil {
		panic(err)
	}
	return made
})

// home is the vault that the environment names.
func home(t *testing.T) vault { return vaultAt(t, settings.vaultURL, credential()) }

// elsewhere is a second vault of the same installation, for restores.
func elsewhere(t *testing.T) vault { return vaultAt(t, otherVault(), credential()) }

var otherVault = sync.OnceValue(func() string { return freshVault("conf-go2") })

var opened sync.Map

// vaultAt gives the clients of a vault; each vault and credential gets them once.
func vaultAt(t *testing.T, url string, credential azcore.TokenCredential) vault {
	t.Helper()
	type door struct {
		url        string
		credential azcore.TokenCredential
	}
	if known, ok := opened.Load(door{url, credential}); ok {
		return known.(vault)
	}
	options := azcore.ClientOptions{PerCallPolicies: []policy.Policy{privateMembers{}}}
	secrets := good(azsecrets.NewClient(url, credential, nil))(t)
	keys := good(azkeys.NewClient(url, credential, &azkeys.ClientOptions{ClientOptions: options}))(t)
	made, _ := opened.LoadOrStore(door{url, credential}, vault{url, secrets, keys})
	return made.(vault)
}

// privateMembers looks at every response that a key client gets: none may carry private key material.
type privateMembers struct{}

func (privateMembers) Do(request *policy.Request) (*http.Response, error) {
	response, err := request.Next()
	if err != nil || response.StatusCode != http.StatusOK {
		return response, err
	}
	text, err := runtime.Payload(response)
	if err != nil {
		return response, err
	}
	var body struct {
		Key map[string]any `json:"key"`
	}
	if err := json.Unmarshal(text, &body); err != nil {
		return response, err
	}
	for _, member := range []string{"d", "p", "q", "dp", "dq", "qi", "k", "key_hsm"} {
		if _, leaked := body.Key[member]; leaked {
			return nil, fmt.Errorf("private member %q in a response", member)
		}
	}
	return response, nil
}

// good gives the value of a call that has to work.
func good[T any](value T, err error) func(t *testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return value
	}
}

// failure gives the error of a call.
func failure[T any](_ T, err error) error { return err }

// eventually repeats a call, as programs must after a delete or a recovery, until it works.
func eventually[T any](t *testing.T, call func() (T, error)) T {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(200 * time.Millisecond) {
		value, err := call()
		if err == nil {
			return value
		}
		if time.Now().After(deadline) {
			t.Fatalf("not done after 30 s: %v", err)
		}
	}
}

// pagesOf reads a listing to its end, page by page.
func pagesOf[P, I any](t *testing.T, pager *runtime.Pager[P], items func(P) []I) [][]I {
	t.Helper()
	var pages [][]I
	for pager.More() {
		page := good(pager.NextPage(t.Context()))(t)
		pages = append(pages, items(page))
	}
	return pages
}

func (v vault) set(t *testing.T, name, value string) azsecrets.Secret {
	t.Helper()
	return v.setWith(t, name, azsecrets.SetSecretParameters{Value: &value})
}

func (v vault) setWith(t *testing.T, name string, parameters azsecrets.SetSecretParameters) azsecrets.Secret {
	t.Helper()
	return good(v.secrets.SetSecret(t.Context(), name, parameters, nil))(t).Secret
}

// get reads a secret; an empty version means the latest.
func (v vault) get(t *testing.T, name, version string) azsecrets.Secret {
	t.Helper()
	return good(v.secrets.GetSecret(t.Context(), name, version, nil))(t).Secret
}

func (v vault) deleteSecret(t *testing.T, name string) azsecrets.DeletedSecret {
	t.Helper()
	deleted := good(v.secrets.DeleteSecret(t.Context(), name, nil))(t)
	eventually(t, func() (any, error) { return v.secrets.GetDeletedSecret(t.Context(), name, nil) })
	return deleted.DeletedSecret
}

func (v vault) createKey(t *testing.T, name string, parameters azkeys.CreateKeyParameters) azkeys.KeyBundle {
	t.Helper()
	return good(v.keys.CreateKey(t.Context(), name, parameters, nil))(t).KeyBundle
}

func (v vault) createEC(t *testing.T, name string) azkeys.KeyBundle {
	t.Helper()
	return v.createKey(t, name, ec(azkeys.CurveNameP256))
}

// getKey reads a key; an empty version means the latest.
func (v vault) getKey(t *testing.T, name, version string) azkeys.KeyBundle {
	t.Helper()
	return good(v.keys.GetKey(t.Context(), name, version, nil))(t).KeyBundle
}

func (v vault) deleteKey(t *testing.T, name string) azkeys.DeletedKey {
	t.Helper()
	deleted := good(v.keys.DeleteKey(t.Context(), name, nil))(t)
	eventually(t, func() (any, error) { return v.keys.GetDeletedKey(t.Context(), name, nil) })
	return deleted.DeletedKey
}

func ec(curve azkeys.CurveName) azkeys.CreateKeyParameters {
	return azkeys.CreateKeyParameters{Kty: to.Ptr(azkeys.KeyTypeEC), Curve: &curve}
}

func rsaOf(size int32) azkeys.CreateKeyParameters {
	return azkeys.CreateKeyParameters{Kty: to.Ptr(azkeys.KeyTypeRSA), KeySize: &size}
}

// pointers makes a list as the packages' parameters want it.
func pointers[T any](values ...T) []*T {
	list := make([]*T, len(values))
	for i := range values {
		list[i] = &values[i]
	}
	return list
}

// tagsOf makes tags as the packages' parameters want them.
func tagsOf(tags map[string]string) map[string]*string {
	made := make(map[string]*string, len(tags))
	for name, value := range tags {
		made[name] = &value
	}
	return made
}

// shelf holds keys that several tests only use, made once per run.
var shelf = struct {
	sync.Mutex
	keys map[string]azkeys.KeyBundle
}{keys: map[string]azkeys.KeyBundle{}}

// onShelf gives the server-made key of a kind of keyKinds.
func onShelf(t *testing.T, kind string) azkeys.KeyBundle {
	t.Helper()
	shelf.Lock()
	defer shelf.Unlock()
	key, ok := shelf.keys[kind]
	if !ok {
		parameters := ec(azkeys.CurveName(kind))
		if size, isRSA := rsaSizes[kind]; isRSA {
			parameters = rsaOf(int32(size))
		}
		made, err := home(t).keys.CreateKey(context.Background(), unique("shelf-"+kind), parameters, nil)
		key = good(made, err)(t).KeyBundle
		shelf.keys[kind] = key
	}
	return key
}
