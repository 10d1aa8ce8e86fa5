package conformance

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/security/keyvault/azsecrets"
)

func TestSetThenGetReturnsWhatWasSet(t *testing.T) {
	proves(t, "S1", "S4")
	v, name := home(t), unique("set")
	tags := map[string]string{"environment": "production", "rotation-policy": "90-days"}
	made := v.setWith(t, name, azsecrets.SetSecretParameters{
		Value:       to.Ptr("YourStrongPassword123!"),
		ContentType: to.Ptr("application/password"),
		Tags:        tagsOf(tags),
		SecretAttributes: &azsecrets.SecretAttributes{
			Enabled: to.Ptr(true), NotBefore: to.Ptr(day(-1)), Expires: to.Ptr(day(90)),
		},
	})
	equal(t, "the value that set returns", *made.Value, "YourStrongPassword123!")
	equal(t, "the id", string(*made.ID), fmt.Sprintf("%s/secrets/%s/%s", v.url, name, made.ID.Version()))
	equal(t, "the version's length", len(made.ID.Version()), 32)
	got := v.get(t, name, "")
	equal(t, "the id", *got.ID, *made.ID)
	equal(t, "the name", got.ID.Name(), name)
	equal(t, "the value", *got.Value, *made.Value)
	equal(t, "the content type", *got.ContentType, "application/password")
	sameTags(t, got.Tags, tags)
	attributes := got.Attributes
	holds(t, "it is enabled and not managed", *attributes.Enabled && got.Managed == nil)
	sameTime(t, "not before", attributes.NotBefore, day(-1))
	sameTime(t, "expires", attributes.Expires, day(90))
	holds(t, "created is now", attributes.Created.After(startOfRun.Add(-5*time.Minute)))
	holds(t, "updated is not before created", !attributes.Updated.Before(*attributes.Created))
	equal(t, "the recovery level", *attributes.RecoveryLevel, "Recoverable+Purgeable")
	equal(t, "the recoverable days", *attributes.RecoverableDays, 90)
}

func TestEverySetIsAVersionThatInheritsNothing(t *testing.T) {
	proves(t, "S1", "S4", "S6")
	v, name := home(t), unique("versions")
	first := v.setWith(t, name, azsecrets.SetSecretParameters{
		Value: to.Ptr("1"), ContentType: to.Ptr("text/plain"), Tags: tagsOf(map[string]string{"a": "b"}),
	})
	second := v.set(t, name, "2")
	holds(t, "neither content type nor tags are inherited", second.ContentType == nil && len(second.Tags) == 0)
	equal(t, "the latest value", *v.get(t, name, "").Value, "2")
	old := v.get(t, name, first.ID.Version())
	equal(t, "the first value", *old.Value, "1")
	equal(t, "the first id", *old.ID, *first.ID)
	listed := mapped(secretVersions(t, v, name), func(item *azsecrets.SecretProperties) azsecrets.ID { return *item.ID })
	sameMembers(t, "the versions", listed, []azsecrets.ID{*first.ID, *second.ID})
}

func TestSecretUpdateChangesOnlyWhatIsNamed(t *testing.T) {
	proves(t, "S3")
	v, name := home(t), unique("update")
	made := v.setWith(t, name, azsecrets.SetSecretParameters{
		Value: to.Ptr("v"), ContentType: to.Ptr("text/plain"), Tags: tagsOf(map[string]string{"a": "1", "b": "2"}),
	})
	change := func(parameters azsecrets.UpdateSecretPropertiesParameters) azsecrets.Secret {
		t.Helper()
		return good(v.secrets.UpdateSecretProperties(t.Context(), name, made.ID.Version(), parameters, nil))(t).Secret
	}
	first := change(azsecrets.UpdateSecretPropertiesParameters{
		SecretAttributes: &azsecrets.SecretAttributes{Expires: to.Ptr(day(30))},
	})
	sameTags(t, first.Tags, map[string]string{"a": "1", "b": "2"})
	equal(t, "the content type", *first.ContentType, "text/plain")
	sameTime(t, "expires", first.Attributes.Expires, day(30))
	holds(t, "an update shows no value", first.Value == nil)
	second := change(azsecrets.UpdateSecretPropertiesParameters{
		Tags:             tagsOf(map[string]string{"c": "3"}),
		SecretAttributes: &azsecrets.SecretAttributes{NotBefore: to.Ptr(day(0))},
	})
	sameTags(t, second.Tags, map[string]string{"c": "3"})
	sameTime(t, "expires", second.Attributes.Expires, day(30))
	sameTime(t, "not before", second.Attributes.NotBefore, day(0))
	third := change(azsecrets.UpdateSecretPropertiesParameters{
		Tags: map[string]*string{}, ContentType: to.Ptr("text/html"),
	})
	sameTags(t, third.Tags, nil)
	equal(t, "the content type", *third.ContentType, "text/html")
	rising(t, made.Attributes.Updated, first.Attributes.Updated, second.Attributes.Updated, third.Attributes.Updated)
	sameTime(t, "created", third.Attributes.Created, *made.Attributes.Created)
	equal(t, "the value", *v.get(t, name, "").Value, "v")
}

func TestSecretUpdateWithoutAVersionMeansTheLatest(t *testing.T) {
	proves(t, "S3")
	v, name := home(t), unique("update-latest")
	old, latest := v.set(t, name, "1"), v.set(t, name, "2")
	parameters := azsecrets.UpdateSecretPropertiesParameters{Tags: tagsOf(map[string]string{"latest": "yes"})}
	changed := good(v.secrets.UpdateSecretProperties(t.Context(), name, "", parameters, nil))(t)
	equal(t, "the changed version", *changed.ID, *latest.ID)
	sameTags(t, v.get(t, name, old.ID.Version()).Tags, nil)
}

func TestADisabledOldVersionIsRefusedWhileTheLatestStaysReadable(t *testing.T) {
	proves(t, "S3", "S4")
	v, name := home(t), unique("disable")
	old := v.set(t, name, "old").ID.Version()
	v.set(t, name, "new")
	enable := func(enabled bool) {
		t.Helper()
		attributes := &azsecrets.SecretAttributes{Enabled: &enabled}
		parameters := azsecrets.UpdateSecretPropertiesParameters{SecretAttributes: attributes}
		good(v.secrets.UpdateSecretProperties(t.Context(), name, old, parameters, nil))(t)
	}
	enable(false)
	forbidden("SecretDisabled").by(t, failure(v.secrets.GetSecret(t.Context(), name, old, nil)), "disabled")
	equal(t, "the latest value", *v.get(t, name, "").Value, "new")
	enable(true)
	equal(t, "the old value", *v.get(t, name, old).Value, "old")
}

func TestADisabledLatestVersionDoesNotFallBack(t *testing.T) {
	proves(t, "S4")
	v, name := home(t), unique("disabled-latest")
	v.set(t, name, "old")
	attributes := &azsecrets.SecretAttributes{Enabled: to.Ptr(false)}
	v.setWith(t, name, azsecrets.SetSecretParameters{Value: to.Ptr("new"), SecretAttributes: attributes})
	forbidden("SecretDisabled").by(t, failure(v.secrets.GetSecret(t.Context(), name, "", nil)))
}

func TestSecretsAreReadableOutsideTheirWindow(t *testing.T) {
	proves(t, "S4")
	each(t, [][2]int{{-2, -1}, {1, 2}}, func(t *testing.T, days [2]int) {
		v, name := home(t), unique("window")
		attributes := &azsecrets.SecretAttributes{NotBefore: to.Ptr(day(days[0])), Expires: to.Ptr(day(days[1]))}
		v.setWith(t, name, azsecrets.SetSecretParameters{Value: to.Ptr("still here"), SecretAttributes: attributes})
		equal(t, "the value", *v.get(t, name, "").Value, "still here")
	})
}

// The largest values that a secret takes have 25,600 bytes of UTF-8.
var exactValues = map[string]string{
	"empty":           "",
	"punctuation":     "!@#$%^&*()\"'\\/<>{}[]|`~",
	"lines":           "first\nsecond\r\n\tthird\x00end",
	"unicode":         "Grüße, 東京, 🔐, e\u0301 \u2028 \ufeff",
	"json":            `{"value":"x","n":null}`,
	"largest":         strings.Repeat("k", 25_600),
	"largest unicode": strings.Repeat("🔐é東", 2_844) + "four",
}

func TestValuesComeBackByteForByte(t *testing.T) {
	proves(t, "S1", "S4")
	equal(t, "the length of the largest", len(exactValues["largest unicode"]), 25_600)
	for what, value := range exactValues {
		named(t, what, func(t *testing.T) {
			v, name := home(t), unique("value")
			v.set(t, name, value)
			holds(t, "the value is the same", *v.get(t, name, "").Value == value)
		})
	}
}

func TestValuesAboveTheLimitAreRefused(t *testing.T) {
	proves(t, "S1")
	for _, value := range []string{strings.Repeat("k", 25_601), exactValues["largest unicode"] + "!"} {
		parameters := azsecrets.SetSecretParameters{Value: &value}
		badParameter.by(t, failure(home(t).secrets.SetSecret(t.Context(), unique("large"), parameters, nil)))
	}
}

func TestSixtySecretsAreThreePages(t *testing.T) {
	proves(t, "S5")
	v := vaultAt(t, freshVault("conf-go3"), credential())
	want := inParallel(60, func(n int) string {
		name := fmt.Sprintf("page-%02d", n)
		v.setWith(t, name, azsecrets.SetSecretParameters{
			Value: to.Ptr("v"), Tags: tagsOf(map[string]string{"name": name}),
		})
		return name
	})
	pages := secretPages(t, v)
	holds(t, "25 is the size of a page", slices.Equal(lengths(pages), []int{25, 25, 10}))
	sameMembers(t, "the names", mapped(pages, func(item *azsecrets.SecretProperties) string {
		equal(t, "the listed id is a base id", string(*item.ID), v.url+"/secrets/"+item.ID.Name())
		sameTags(t, item.Tags, map[string]string{"name": item.ID.Name()})
		return item.ID.Name()
	}), want)
}

func TestSecretVersionsPage(t *testing.T) {
	proves(t, "S6")
	v, name := home(t), unique("version-pages")
	made := inParallel(28, func(n int) string { return string(*v.set(t, name, fmt.Sprint(n)).ID) })
	pages := secretVersions(t, v, name)
	holds(t, "25 is the size of a page", slices.Equal(lengths(pages), []int{25, 3}))
	listed := mapped(pages, func(item *azsecrets.SecretProperties) string { return string(*item.ID) })
	sameMembers(t, "the versions", listed, made)
}

func TestTheListShowsTheLatestVersionAndDisabledSecrets(t *testing.T) {
	proves(t, "S5")
	v, name := home(t), unique("listed")
	v.setWith(t, name, azsecrets.SetSecretParameters{Value: to.Ptr("1"), Tags: tagsOf(map[string]string{"v": "1"})})
	v.setWith(t, name, azsecrets.SetSecretParameters{
		Value: to.Ptr("2"), Tags: tagsOf(map[string]string{"v": "2"}), ContentType: to.Ptr("text/plain"),
		SecretAttributes: &azsecrets.SecretAttributes{Enabled: to.Ptr(false)},
	})
	for _, item := range slices.Concat(secretPages(t, v)...) {
		if item.ID.Name() == name {
			equal(t, "the id", string(*item.ID), v.url+"/secrets/"+name)
			sameTags(t, item.Tags, map[string]string{"v": "2"})
			holds(t, "it is disabled", !*item.Attributes.Enabled)
			equal(t, "the content type", *item.ContentType, "text/plain")
			return
		}
	}
	t.Fatal("the secret is not listed")
}

func TestSecretNamesIgnoreCaseAndKeepTheFirstSpelling(t *testing.T) {
	proves(t, "S1", "S4")
	v, name := home(t), unique("FLASK-Secret-KEY")
	v.set(t, name, "1")
	equal(t, "the name", v.get(t, strings.ToLower(name), "").ID.Name(), name)
	equal(t, "the name", v.set(t, strings.ToUpper(name), "2").ID.Name(), name)
	equal(t, "the value", *v.get(t, name, "").Value, "2")
	equal(t, "the number of versions", len(slices.Concat(secretVersions(t, v, strings.ToUpper(name))...)), 2)
}

func TestTheSameNameInTwoVaultsIsTwoSecrets(t *testing.T) {
	proves(t, "S1")
	name := unique("same")
	home(t).set(t, name, "here")
	elsewhere(t).set(t, name, "there")
	equal(t, "the value", *home(t).get(t, name, "").Value, "here")
	equal(t, "the value", *elsewhere(t).get(t, name, "").Value, "there")
}

func secretPages(t *testing.T, v vault) [][]*azsecrets.SecretProperties {
	t.Helper()
	return pagesOf(t, v.secrets.NewListSecretPropertiesPager(nil),
		func(page azsecrets.ListSecretPropertiesResponse) []*azsecrets.SecretProperties { return page.Value })
}

func secretVersions(t *testing.T, v vault, name string) [][]*azsecrets.SecretProperties {
	t.Helper()
	return pagesOf(t, v.secrets.NewListSecretPropertiesVersionsPager(name, nil),
		func(page azsecrets.ListSecretPropertiesVersionsResponse) []*azsecrets.SecretProperties {
			return page.Value
		})
}

// inParallel calls a function for 0 to n-1 at once and gives what the calls return.
func inParallel[R any](n int, call func(int) R) []R {
	results := make([]R, n)
	var group sync.WaitGroup
	for i := range n {
		group.Go(func() { results[i] = call(i) })
	}
	group.Wait()
	return results
}
