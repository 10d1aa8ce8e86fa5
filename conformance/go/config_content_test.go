package conformance

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/data/azappconfig"
)

const (
	flagPrefix    = ".appconfig.featureflag/"
	flagType      = "application/vnd.microsoft.appconfig.ff+json;charset=utf-8"
	referenceType = "application/vnd.microsoft.appconfig.keyvaultref+json;charset=utf-8"
)

// The package has no types of its own for these: programs write the key, the content type and the JSON themselves.

type featureFlag struct {
	ID         string         `json:"id"`
	Enabled    bool           `json:"enabled"`
	Conditions flagConditions `json:"conditions"`
}

type flagConditions struct {
	ClientFilters []flagFilter `json:"client_filters"`
}

type flagFilter struct {
	Name       string         `json:"name"`
	Parameters map[string]any `json:"parameters"`
}

func TestAFeatureFlagComesBack(t *testing.T) {
	proves(t, "A3", "A5", "A6")
	eachDoor(t, func(t *testing.T, s store) {
		id := unique("Beta")
		flag := featureFlag{id, true, flagConditions{[]flagFilter{{"Microsoft.Percentage", map[string]any{"Value": 50.0}}}}}
		text := string(good(json.Marshal(flag))(t))
		options := &azappconfig.SetSettingOptions{ContentType: to.Ptr(flagType)}
		good(s.client.SetSetting(t.Context(), flagPrefix+id, &text, options))(t)
		flags := s.list(t, azappconfig.SettingSelector{KeyFilter: to.Ptr(flagPrefix + id + "*")})[0]
		equal(t, "the number of flags", len(flags), 1)
		for _, one := range []azappconfig.Setting{flags[0], s.get(t, flagPrefix+id, "")} {
			equal(t, "the value", *one.Value, text)
			equal(t, "the content type", *one.ContentType, flagType)
			var shown featureFlag
			if err := json.Unmarshal([]byte(*one.Value), &shown); err != nil {
				t.Fatal(err)
			}
			holds(t, "it is on", shown.ID == id && shown.Enabled)
			equal(t, "for half", shown.Conditions.ClientFilters[0].Parameters["Value"], any(50.0))
		}
	})
}

func TestAKeyVaultReferenceLeadsToItsSecret(t *testing.T) {
	proves(t, "A5", "A6", "S4")
	s, v, name := byKey(t), home(t), unique("reference")
	secret := v.set(t, name, "the secret")
	text := string(good(json.Marshal(map[string]string{"uri": v.url + "/secrets/" + name}))(t))
	options := &azappconfig.SetSettingOptions{ContentType: to.Ptr(referenceType)}
	good(s.client.SetSetting(t.Context(), name, &text, options))(t)
	got := s.get(t, name, "")
	equal(t, "the content type", *got.ContentType, referenceType)
	var reference struct{ URI string }
	if err := json.Unmarshal([]byte(*got.Value), &reference); err != nil {
		t.Fatal(err)
	}
	url, found := strings.CutSuffix(reference.URI, "/secrets/"+name)
	holds(t, "it names the secret", found)
	equal(t, "the secret", *vaultAt(t, url, credential()).get(t, name, "").Value, *secret.Value)
}

func TestValuesOfKnownTypesAreNotLookedInto(t *testing.T) {
	proves(t, "A6")
	s := byKey(t)
	for _, kind := range []string{flagType, referenceType, "application/json"} {
		for _, value := range []string{"", "not json", "{}", `{"id":1}`} {
			key := unique("opaque")
			options := &azappconfig.SetSettingOptions{ContentType: &kind}
			good(s.client.SetSetting(t.Context(), flagPrefix+key, &value, options))(t)
			equal(t, "the value", *s.get(t, flagPrefix+key, "").Value, value)
		}
	}
}
