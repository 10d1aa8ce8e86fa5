package conformance

import (
	"fmt"
	"slices"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/security/keyvault/azkeys"
)

// action makes a lifetime action; an empty trigger is left out.
func action(kind azkeys.KeyRotationPolicyAction, afterCreate, beforeExpiry string) *azkeys.LifetimeAction {
	made := &azkeys.LifetimeAction{
		Action: &azkeys.LifetimeActionType{Type: &kind}, Trigger: &azkeys.LifetimeActionTrigger{},
	}
	if afterCreate != "" {
		made.Trigger.TimeAfterCreate = &afterCreate
	}
	if beforeExpiry != "" {
		made.Trigger.TimeBeforeExpiry = &beforeExpiry
	}
	return made
}

// policyOf makes a policy; an empty expiry is left out.
func policyOf(expiry string, actions ...*azkeys.LifetimeAction) azkeys.KeyRotationPolicy {
	policy := azkeys.KeyRotationPolicy{LifetimeActions: append([]*azkeys.LifetimeAction{}, actions...)}
	if expiry != "" {
		policy.Attributes = &azkeys.KeyRotationPolicyAttributes{ExpiryTime: &expiry}
	}
	return policy
}

// hasActions compares a policy's actions, written as `Kind afterCreate/beforeExpiry`.
func hasActions(t *testing.T, policy azkeys.KeyRotationPolicy, want ...string) {
	t.Helper()
	var got []string
	text := func(part *string) string {
		if part == nil {
			return ""
		}
		return *part
	}
	for _, action := range policy.LifetimeActions {
		trigger := action.Trigger
		got = append(got, fmt.Sprintf("%s %s/%s", *action.Action.Type, text(trigger.TimeAfterCreate), text(trigger.TimeBeforeExpiry)))
	}
	sameMembers(t, "the actions", got, want)
}

func putPolicy(t *testing.T, v vault, name string, policy azkeys.KeyRotationPolicy) azkeys.KeyRotationPolicy {
	t.Helper()
	return good(v.keys.UpdateKeyRotationPolicy(t.Context(), name, policy, nil))(t).KeyRotationPolicy
}

func getPolicy(t *testing.T, v vault, name string) azkeys.KeyRotationPolicy {
	t.Helper()
	return good(v.keys.GetKeyRotationPolicy(t.Context(), name, nil))(t).KeyRotationPolicy
}

func rotate(t *testing.T, v vault, name string) azkeys.KeyBundle {
	t.Helper()
	return good(v.keys.RotateKey(t.Context(), name, nil))(t).KeyBundle
}

func TestAKeyThatNeverHadAPolicyShowsTheDefault(t *testing.T) {
	proves(t, "K22")
	v, name := home(t), unique("policy-default")
	v.createEC(t, name)
	policy := getPolicy(t, v, name)
	equal(t, "the id", *policy.ID, v.url+"/keys/"+name+"/rotationpolicy")
	hasActions(t, policy, "Notify /P30D")
	holds(t, "nothing expires", policy.Attributes == nil || policy.Attributes.ExpiryTime == nil)
}

func TestAPolicyComesBackAsItWasPut(t *testing.T) {
	proves(t, "K22", "K23")
	v, name := home(t), unique("policy")
	v.createEC(t, name)
	put := putPolicy(t, v, name, policyOf("P2Y", action("Rotate", "P90D", ""), action("Notify", "", "P30D")))
	for _, policy := range []azkeys.KeyRotationPolicy{put, getPolicy(t, v, name)} {
		equal(t, "the id", *policy.ID, v.url+"/keys/"+name+"/rotationpolicy")
		equal(t, "the expiry", *policy.Attributes.ExpiryTime, "P2Y")
		holds(t, "updated is not before created", !policy.Attributes.Updated.Before(*policy.Attributes.Created))
		hasActions(t, policy, "Notify /P30D", "Rotate P90D/")
	}
	second := putPolicy(t, v, name, policyOf("P1Y2M", action("Rotate", "", "P1M")))
	hasActions(t, second, "Rotate /P1M")
	equal(t, "the expiry", *second.Attributes.ExpiryTime, "P1Y2M")
	sameTime(t, "created", second.Attributes.Created, *put.Attributes.Created)
}

func TestLowerCaseActionsAreAccepted(t *testing.T) {
	proves(t, "K23")
	v, name := home(t), unique("policy-lower")
	v.createEC(t, name)
	hasActions(t, putPolicy(t, v, name, policyOf("P2Y", action("rotate", "P90D", ""))), "Rotate P90D/")
}

func TestAnEmptyPolicyIsLegal(t *testing.T) {
	proves(t, "K22", "K23")
	v, name := home(t), unique("policy-empty")
	v.createEC(t, name)
	hasActions(t, putPolicy(t, v, name, policyOf("")))
	hasActions(t, getPolicy(t, v, name))
}

func TestBadPoliciesAreRefusedAndChangeNothing(t *testing.T) {
	proves(t, "K23")
	policies := map[string]azkeys.KeyRotationPolicy{
		"not a duration":                      policyOf("P2Y", action("Rotate", "ninety days", "")),
		"bad expiry":                          policyOf("2Y", action("Rotate", "P90D", "")),
		"expiry under 28 days":                policyOf("P27D", action("Rotate", "P10D", "")),
		"rotation under 7 days":               policyOf("P90D", action("Rotate", "P6D", "")),
		"rotation under 7 days before expiry": policyOf("P90D", action("Rotate", "", "P6D")),
		"before expiry without expiry":        policyOf("", action("Rotate", "", "P30D")),
		"two triggers":                        policyOf("P90D", action("Rotate", "P30D", "P30D")),
		"no trigger":                          policyOf("P90D", action("Rotate", "", "")),
		"notify after create":                 policyOf("P90D", action("Notify", "P30D", "")),
		"two rotations":                       policyOf("P90D", action("Rotate", "P30D", ""), action("Rotate", "P60D", "")),
		"unknown action":                      policyOf("P90D", action("Shred", "P30D", "")),
	}
	for what, policy := range policies {
		named(t, what, func(t *testing.T) {
			v, name := home(t), unique("policy-bad")
			v.createEC(t, name)
			badParameter.by(t, failure(v.keys.UpdateKeyRotationPolicy(t.Context(), name, policy, nil)))
			hasActions(t, getPolicy(t, v, name), "Notify /P30D")
		})
	}
}

func TestRotateCopiesAllButTheMaterial(t *testing.T) {
	proves(t, "K2", "K13", "K14")
	v, name := home(t), unique("rotate")
	parameters := rsaOf(3072)
	parameters.KeyOps = pointers[azkeys.KeyOperation]("sign", "verify")
	parameters.Tags = tagsOf(map[string]string{"a": "b"})
	first := v.createKey(t, name, parameters)
	putPolicy(t, v, name, policyOf("P90D", action("Rotate", "P30D", "")))
	second := rotate(t, v, name)
	equal(t, "the name", second.Key.KID.Name(), name)
	holds(t, "it is another version", *second.Key.KID != *first.Key.KID)
	equal(t, "the kind of key", describe(publicOf(t, second.Key)), "RSA-3072")
	sameTags(t, second.Tags, map[string]string{"a": "b"})
	sameMembers(t, "the operations", values(second.Key.KeyOps), []azkeys.KeyOperation{"sign", "verify"})
	sameTime(t, "expires", second.Attributes.Expires, second.Attributes.Created.AddDate(0, 0, 90))
	equal(t, "the latest", *v.getKey(t, name, "").Key.KID, *second.Key.KID)
	digest := digestOf("PS256", "old versions live on")
	signature := good(v.remote(first).sign(t.Context(), "PS256", digest))(t)
	holds(t, "it is good by the first", good(v.remote(first).verify(t.Context(), "PS256", digest, signature))(t))
	holds(t, "it is not by the second", !good(v.remote(second).verify(t.Context(), "PS256", digest, signature))(t))
}

func TestRotateCountsYearsOnTheCalendar(t *testing.T) {
	proves(t, "K2")
	v, name := home(t), unique("rotate-years")
	v.createKey(t, name, ec(azkeys.CurveNameP384))
	putPolicy(t, v, name, policyOf("P2Y"))
	rotated := rotate(t, v, name)
	equal(t, "the curve", *rotated.Key.Crv, azkeys.CurveNameP384)
	days := rotated.Attributes.Expires.Sub(*rotated.Attributes.Created).Hours() / 24
	holds(t, "two years are 730 or 731 days", days == 730 || days == 731)
}

func TestThirtyRotationsAreThirtyOneVersions(t *testing.T) {
	proves(t, "K2", "K6", "K7")
	v, name := home(t), unique("rotate-30")
	made := []azkeys.KeyBundle{v.createEC(t, name)}
	points := map[string]bool{string(made[0].Key.X): true}
	for range 30 {
		key := rotate(t, v, name)
		made, points[string(key.Key.X)] = append(made, key), true
	}
	equal(t, "the number of different keys", len(points), 31)
	pages := keyVersions(t, v, name)
	holds(t, "25 is the size of a page", slices.Equal(lengths(pages), []int{25, 6}))
	equal(t, "the latest", *v.getKey(t, name, "").Key.KID, *made[30].Key.KID)
	equal(t, "an old one", string(v.getKey(t, name, made[3].Key.KID.Version()).Key.X), string(made[3].Key.X))
}

func TestRotationOfAnUnknownKeyIsNotFound(t *testing.T) {
	proves(t, "K2", "K22", "K23")
	v, name := home(t), unique("none")
	keyNotFound.by(t, failure(v.keys.GetKeyRotationPolicy(t.Context(), name, nil)))
	keyNotFound.by(t, failure(v.keys.UpdateKeyRotationPolicy(t.Context(), name, policyOf(""), nil)))
	keyNotFound.by(t, failure(v.keys.RotateKey(t.Context(), name, nil)))
}

func TestRotateWithoutAPolicyHasNoExpiry(t *testing.T) {
	proves(t, "K2")
	v, name := home(t), unique("rotate-plain")
	v.createEC(t, name)
	holds(t, "nothing expires", rotate(t, v, name).Attributes.Expires == nil)
}
