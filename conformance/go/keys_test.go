package conformance

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/security/keyvault/azkeys"
)

var (
	rsaOperations = []azkeys.KeyOperation{"encrypt", "decrypt", "sign", "verify", "wrapKey", "unwrapKey"}
	ecOperations  = []azkeys.KeyOperation{"sign", "verify"}
)

func TestKeysOfEveryKindAreMade(t *testing.T) {
	proves(t, "K1", "K6")
	each(t, keyKinds, func(t *testing.T, kind string) {
		v, made := home(t), onShelf(t, kind)
		equal(t, "the kind of key", describe(publicOf(t, made.Key)), kind)
		operations := ecOperations
		if *made.Key.Kty == azkeys.KeyTypeRSA {
			operations = rsaOperations
			holds(t, "the exponent is 65537", bytes.Equal(made.Key.E, []byte{1, 0, 1}))
		}
		sameMembers(t, "the operations", values(made.Key.KeyOps), operations)
		name, version := made.Key.KID.Name(), made.Key.KID.Version()
		equal(t, "the id", string(*made.Key.KID), fmt.Sprintf("%s/keys/%s/%s", v.url, name, version))
		equal(t, "the version's length", len(version), 32)
		attributes := made.Attributes
		holds(t, "it is enabled, not exportable, not managed",
			*attributes.Enabled && !*attributes.Exportable && made.Managed == nil)
		equal(t, "the recovery level", *attributes.RecoveryLevel, "Recoverable+Purgeable")
		equal(t, "the recoverable days", *attributes.RecoverableDays, 90)
		equal(t, "the platform", *attributes.HSMPlatform, "0")
		for _, version := range []string{"", version} {
			got := v.getKey(t, name, version)
			equal(t, "the id", *got.Key.KID, *made.Key.KID)
			holds(t, "the key is the same", bytes.Equal(got.Key.N, made.Key.N) && bytes.Equal(got.Key.X, made.Key.X))
		}
	})
}

func TestKeysOfNoNamedSizeOrCurveAreTheSmallest(t *testing.T) {
	proves(t, "K1")
	v := home(t)
	made := v.createKey(t, unique("ec"), azkeys.CreateKeyParameters{Kty: to.Ptr(azkeys.KeyTypeEC)})
	equal(t, "the curve", *made.Key.Crv, azkeys.CurveNameP256)
	made = v.createKey(t, unique("rsa"), azkeys.CreateKeyParameters{Kty: to.Ptr(azkeys.KeyTypeRSA)})
	equal(t, "the kind of key", describe(publicOf(t, made.Key)), "RSA-2048")
}

func TestAKeyIsMadeWithEverythingThatIsAsked(t *testing.T) {
	proves(t, "K1", "K6")
	v, name := home(t), unique("full")
	parameters := ec(azkeys.CurveNameP384)
	parameters.KeyOps = pointers[azkeys.KeyOperation]("sign")
	parameters.Tags = tagsOf(map[string]string{"team": "payments"})
	parameters.KeyAttributes = &azkeys.KeyAttributes{
		Enabled: to.Ptr(false), NotBefore: to.Ptr(day(-1)), Expires: to.Ptr(day(1)),
	}
	v.createKey(t, name, parameters)
	got := v.getKey(t, name, "")
	sameMembers(t, "the operations", values(got.Key.KeyOps), []azkeys.KeyOperation{"sign"})
	sameTags(t, got.Tags, map[string]string{"team": "payments"})
	holds(t, "it is disabled", !*got.Attributes.Enabled)
	sameTime(t, "not before", got.Attributes.NotBefore, day(-1))
	sameTime(t, "expires", got.Attributes.Expires, day(1))
}

func TestCreateAgainIsANewVersionThatMayChangeType(t *testing.T) {
	proves(t, "K1", "K6", "K7")
	v, name := home(t), unique("again")
	parameters := rsaOf(2048)
	parameters.Tags = tagsOf(map[string]string{"a": "b"})
	first := v.createKey(t, name, parameters)
	second := v.createEC(t, name)
	sameTags(t, second.Tags, nil)
	equal(t, "the latest", *v.getKey(t, name, "").Key.KID, *second.Key.KID)
	holds(t, "the first is still there", bytes.Equal(v.getKey(t, name, first.Key.KID.Version()).Key.N, first.Key.N))
	listed := mapped(keyVersions(t, v, name), func(item *azkeys.KeyProperties) azkeys.ID { return *item.KID })
	sameMembers(t, "the versions", listed, []azkeys.ID{*first.Key.KID, *second.Key.KID})
}

func TestKeyUpdateChangesOnlyWhatIsNamed(t *testing.T) {
	proves(t, "K5")
	v, name := home(t), unique("update")
	parameters := rsaOf(2048)
	parameters.Tags = tagsOf(map[string]string{"a": "1"})
	made := v.createKey(t, name, parameters)
	change := func(parameters azkeys.UpdateKeyParameters) azkeys.KeyBundle {
		t.Helper()
		return good(v.keys.UpdateKey(t.Context(), name, made.Key.KID.Version(), parameters, nil))(t).KeyBundle
	}
	first := change(azkeys.UpdateKeyParameters{KeyAttributes: &azkeys.KeyAttributes{Expires: to.Ptr(day(9))}})
	sameTags(t, first.Tags, map[string]string{"a": "1"})
	sameMembers(t, "the operations", values(first.Key.KeyOps), rsaOperations)
	second := change(azkeys.UpdateKeyParameters{
		KeyOps: pointers[azkeys.KeyOperation]("verify"), Tags: map[string]*string{},
	})
	sameMembers(t, "the operations", values(second.Key.KeyOps), []azkeys.KeyOperation{"verify"})
	sameTags(t, second.Tags, nil)
	sameTime(t, "expires", second.Attributes.Expires, day(9))
	holds(t, "the key is the same", bytes.Equal(second.Key.N, made.Key.N))
	third := change(azkeys.UpdateKeyParameters{KeyAttributes: &azkeys.KeyAttributes{Enabled: to.Ptr(false)}})
	holds(t, "it is disabled", !*third.Attributes.Enabled)
	equal(t, "the id", *third.Key.KID, *made.Key.KID)
	rising(t, made.Attributes.Updated, first.Attributes.Updated, second.Attributes.Updated, third.Attributes.Updated)
}

func TestKeyUpdateWithoutAVersionMeansTheLatest(t *testing.T) {
	proves(t, "K5")
	v, name := home(t), unique("update-latest")
	old, latest := v.createEC(t, name), v.createEC(t, name)
	parameters := azkeys.UpdateKeyParameters{Tags: tagsOf(map[string]string{"latest": "yes"})}
	equal(t, "the changed version", *good(v.keys.UpdateKey(t.Context(), name, "", parameters, nil))(t).Key.KID, *latest.Key.KID)
	sameTags(t, v.getKey(t, name, old.Key.KID.Version()).Tags, nil)
}

func TestImportOverAnActiveNameIsANewVersion(t *testing.T) {
	proves(t, "K3", "K6")
	v, name := home(t), unique("import-again")
	first := v.createEC(t, name)
	jwk := generate(t, "P-256").jwk(t)
	jwk.KeyOps = pointers[azkeys.KeyOperation]("sign")
	parameters := azkeys.ImportKeyParameters{
		Key: jwk, KeyAttributes: &azkeys.KeyAttributes{Enabled: to.Ptr(false), Expires: to.Ptr(day(3))},
	}
	second := good(v.keys.ImportKey(t.Context(), name, parameters, nil))(t)
	sameMembers(t, "the operations", values(second.Key.KeyOps), []azkeys.KeyOperation{"sign"})
	holds(t, "it is disabled", !*second.Attributes.Enabled)
	sameTime(t, "expires", second.Attributes.Expires, day(3))
	equal(t, "the latest", *v.getKey(t, name, "").Key.KID, *second.Key.KID)
	holds(t, "it is another version", *second.Key.KID != *first.Key.KID)
}

func TestKeysAndTheirVersionsPage(t *testing.T) {
	proves(t, "K7", "K8", "K18", "K20")
	v := vaultAt(t, freshVault("conf-go5"), credential())
	names := inParallel(30, func(n int) string {
		parameters, name := ec(azkeys.CurveNameP256), fmt.Sprintf("key-%02d", n)
		parameters.Tags = tagsOf(map[string]string{"name": name})
		v.createKey(t, name, parameters)
		return name
	})
	pages := keyPages(t, v)
	holds(t, "25 is the size of a page", slices.Equal(lengths(pages), []int{25, 5}))
	sameMembers(t, "the names", mapped(pages, func(item *azkeys.KeyProperties) string {
		equal(t, "the listed id is a base id", string(*item.KID), v.url+"/keys/"+item.KID.Name())
		sameTags(t, item.Tags, map[string]string{"name": item.KID.Name()})
		return item.KID.Name()
	}), names)

	made := inParallel(26, func(int) azkeys.ID { return *v.createEC(t, "versions").Key.KID })
	versions := keyVersions(t, v, "versions")
	holds(t, "25 is the size of a page", slices.Equal(lengths(versions), []int{25, 1}))
	listed := mapped(versions, func(item *azkeys.KeyProperties) azkeys.ID { return *item.KID })
	sameMembers(t, "the versions", listed, made)

	inParallel(30, func(n int) any { return v.deleteKey(t, names[n]) })
	deleted := deletedKeyPages(t, v)
	holds(t, "25 is the size of a page", slices.Equal(lengths(deleted), []int{25, 5}))
	gone := mapped(deleted, func(item *azkeys.DeletedKeyProperties) string { return item.KID.Name() })
	sameMembers(t, "the deleted names", gone, names)
	left := mapped(keyPages(t, v), func(item *azkeys.KeyProperties) string { return item.KID.Name() })
	sameMembers(t, "the names", left, []string{"versions"})
	inParallel(30, func(n int) any { return good(v.keys.PurgeDeletedKey(t.Context(), names[n], nil))(t) })
	equal(t, "what is left", len(slices.Concat(deletedKeyPages(t, v)...)), 0)
}

func TestKeyNamesIgnoreCaseAndKeepTheFirstSpelling(t *testing.T) {
	proves(t, "K1", "K6")
	v, name := home(t), unique("Signing-KEY")
	made := v.createEC(t, name)
	got := v.getKey(t, strings.ToLower(name), strings.ToUpper(made.Key.KID.Version()))
	equal(t, "the id", *got.Key.KID, *made.Key.KID)
	again := v.createEC(t, strings.ToUpper(name))
	equal(t, "the name", again.Key.KID.Name(), name)
	equal(t, "the latest", *v.getKey(t, name, "").Key.KID, *again.Key.KID)
}

func keyPages(t *testing.T, v vault) [][]*azkeys.KeyProperties {
	t.Helper()
	return pagesOf(t, v.keys.NewListKeyPropertiesPager(nil),
		func(page azkeys.ListKeyPropertiesResponse) []*azkeys.KeyProperties { return page.Value })
}

func keyVersions(t *testing.T, v vault, name string) [][]*azkeys.KeyProperties {
	t.Helper()
	return pagesOf(t, v.keys.NewListKeyPropertiesVersionsPager(name, nil),
		func(page azkeys.ListKeyPropertiesVersionsResponse) []*azkeys.KeyProperties { return page.Value })
}

func deletedKeyPages(t *testing.T, v vault) [][]*azkeys.DeletedKeyProperties {
	t.Helper()
	return pagesOf(t, v.keys.NewListDeletedKeyPropertiesPager(nil),
		func(page azkeys.ListDeletedKeyPropertiesResponse) []*azkeys.DeletedKeyProperties { return page.Value })
}
