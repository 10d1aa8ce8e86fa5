package conformance

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/security/keyvault/azkeys"
	"github.com/Azure/azure-sdk-for-go/sdk/security/keyvault/azsecrets"
)

const noSuchVersion = "00000000000000000000000000000000"

var badNames = []string{"bad_name", "bad.name", "bad name", "n\u00e4me", strings.Repeat("a", 128)}

func TestASecretThatIsNotThere(t *testing.T) {
	proves(t, "S2", "S3", "S4", "S6", "S8", "S9", "S10", "S11")
	client, name := home(t).secrets, unique("none")
	enable := azsecrets.UpdateSecretPropertiesParameters{
		SecretAttributes: &azsecrets.SecretAttributes{Enabled: to.Ptr(true)},
	}
	for what, call := range map[string]func(context.Context) error{
		"get":           func(ctx context.Context) error { return failure(client.GetSecret(ctx, name, "", nil)) },
		"get a version": func(ctx context.Context) error { return failure(client.GetSecret(ctx, name, noSuchVersion, nil)) },
		"update": func(ctx context.Context) error {
			return failure(client.UpdateSecretProperties(ctx, name, "", enable, nil))
		},
		"list versions": func(ctx context.Context) error {
			return failure(client.NewListSecretPropertiesVersionsPager(name, nil).NextPage(ctx))
		},
		"delete":      func(ctx context.Context) error { return failure(client.DeleteSecret(ctx, name, nil)) },
		"backup":      func(ctx context.Context) error { return failure(client.BackupSecret(ctx, name, nil)) },
		"get deleted": func(ctx context.Context) error { return failure(client.GetDeletedSecret(ctx, name, nil)) },
		"purge":       func(ctx context.Context) error { return failure(client.PurgeDeletedSecret(ctx, name, nil)) },
		"recover":     func(ctx context.Context) error { return failure(client.RecoverDeletedSecret(ctx, name, nil)) },
	} {
		named(t, what, func(t *testing.T) { secretNotFound.by(t, call(t.Context()), "not found") })
	}
}

func TestTheMessageOfAMissingSecret(t *testing.T) {
	proves(t, "S4")
	v, name := home(t), unique("none")
	text := fmt.Sprintf("A secret with (name/id) %s was not found in this key vault", name)
	secretNotFound.by(t, failure(v.secrets.GetSecret(t.Context(), name, "", nil)), text, "you may be able to recover it")
	v.set(t, name, "v")
	missing := failure(v.secrets.GetSecret(t.Context(), name, noSuchVersion, nil))
	secretNotFound.by(t, missing, name+"/"+noSuchVersion)
}

func TestAKeyThatIsNotThere(t *testing.T) {
	proves(t, "K4", "K5", "K6", "K7", "K9", "K13", "K19", "K20", "K21")
	client, name := home(t).keys, unique("none")
	enable := azkeys.UpdateKeyParameters{KeyAttributes: &azkeys.KeyAttributes{Enabled: to.Ptr(true)}}
	signing := azkeys.SignParameters{Algorithm: to.Ptr(azkeys.SignatureAlgorithmES256), Value: make([]byte, 32)}
	for what, call := range map[string]func(context.Context) error{
		"get":           func(ctx context.Context) error { return failure(client.GetKey(ctx, name, "", nil)) },
		"get a version": func(ctx context.Context) error { return failure(client.GetKey(ctx, name, noSuchVersion, nil)) },
		"update":        func(ctx context.Context) error { return failure(client.UpdateKey(ctx, name, "", enable, nil)) },
		"list versions": func(ctx context.Context) error {
			return failure(client.NewListKeyPropertiesVersionsPager(name, nil).NextPage(ctx))
		},
		"delete":      func(ctx context.Context) error { return failure(client.DeleteKey(ctx, name, nil)) },
		"backup":      func(ctx context.Context) error { return failure(client.BackupKey(ctx, name, nil)) },
		"sign":        func(ctx context.Context) error { return failure(client.Sign(ctx, name, "", signing, nil)) },
		"get deleted": func(ctx context.Context) error { return failure(client.GetDeletedKey(ctx, name, nil)) },
		"purge":       func(ctx context.Context) error { return failure(client.PurgeDeletedKey(ctx, name, nil)) },
		"recover":     func(ctx context.Context) error { return failure(client.RecoverDeletedKey(ctx, name, nil)) },
	} {
		named(t, what, func(t *testing.T) {
			text := fmt.Sprintf("A key with (name/id) %s", name)
			if what == "get deleted" || what == "purge" || what == "recover" {
				text = "not found"
			}
			keyNotFound.by(t, call(t.Context()), text)
		})
	}
	present := onShelf(t, "P-256").Key.KID.Name()
	keyNotFound.by(t, failure(client.GetKey(t.Context(), present, noSuchVersion, nil)), present+"/"+noSuchVersion)
}

func TestBadNamesAreRefused(t *testing.T) {
	proves(t, "S1", "S4", "K1", "K6")
	each(t, badNames, func(t *testing.T, name string) {
		v := home(t)
		parameters := azsecrets.SetSecretParameters{Value: to.Ptr("v")}
		badParameter.by(t, failure(v.secrets.SetSecret(t.Context(), name, parameters, nil)))
		badParameter.by(t, failure(v.secrets.GetSecret(t.Context(), name, "", nil)))
		badParameter.by(t, failure(v.keys.CreateKey(t.Context(), name, ec(azkeys.CurveNameP256), nil)))
		badParameter.by(t, failure(v.keys.GetKey(t.Context(), name, "", nil)))
	})
}

func TestTheLongestNameIsAccepted(t *testing.T) {
	proves(t, "S1", "S4", "K1", "K6")
	name := unique(strings.Repeat("n", 116))
	equal(t, "the name's length", len(name), 127)
	v := home(t)
	v.set(t, name, "v")
	equal(t, "the secret's name", v.get(t, name, "").ID.Name(), name)
	v.createEC(t, name)
	equal(t, "the key's name", v.getKey(t, name, "").Key.KID.Name(), name)
}

// badTags are tags outside the limits: 15 of them, 512 characters in a name or a value.
func badTags() map[string]map[string]string {
	return map[string]map[string]string{
		"sixteen": manyTags(16), "a long name": {strings.Repeat("k", 513): "v"}, "a long value": {"k": strings.Repeat("v", 513)},
	}
}

func manyTags(n int) map[string]string {
	tags := map[string]string{}
	for i := range n {
		tags[fmt.Sprintf("tag-%d", i)] = "v"
	}
	return tags
}

func TestTagsAreBounded(t *testing.T) {
	proves(t, "S1", "S3", "K1", "K5")
	v, name := home(t), unique("tags")
	parameters := azsecrets.SetSecretParameters{Value: to.Ptr("v"), Tags: tagsOf(manyTags(15))}
	sameTags(t, v.setWith(t, name, parameters).Tags, manyTags(15))
	v.createEC(t, name)
	for what, tags := range badTags() {
		named(t, what, func(t *testing.T) {
			setting := azsecrets.SetSecretParameters{Value: to.Ptr("v"), Tags: tagsOf(tags)}
			badParameter.by(t, failure(v.secrets.SetSecret(t.Context(), name, setting, nil)))
			changing := azsecrets.UpdateSecretPropertiesParameters{Tags: tagsOf(tags)}
			badParameter.by(t, failure(v.secrets.UpdateSecretProperties(t.Context(), name, "", changing, nil)))
			creating := ec(azkeys.CurveNameP256)
			creating.Tags = tagsOf(tags)
			badParameter.by(t, failure(v.keys.CreateKey(t.Context(), name, creating, nil)))
			updating := azkeys.UpdateKeyParameters{Tags: tagsOf(tags)}
			badParameter.by(t, failure(v.keys.UpdateKey(t.Context(), name, "", updating, nil)))
		})
	}
}

func TestContentTypeIsBounded(t *testing.T) {
	proves(t, "S1")
	v, name := home(t), unique("type")
	parameters := azsecrets.SetSecretParameters{Value: to.Ptr("v"), ContentType: to.Ptr(strings.Repeat("t", 255))}
	equal(t, "the content type", *v.setWith(t, name, parameters).ContentType, *parameters.ContentType)
	parameters.ContentType = to.Ptr(strings.Repeat("t", 256))
	badParameter.by(t, failure(v.secrets.SetSecret(t.Context(), name, parameters, nil)))
}

func TestASecretWithoutAValueIsRefused(t *testing.T) {
	proves(t, "S1")
	badParameter.by(t, failure(home(t).secrets.SetSecret(t.Context(), unique("none"), azsecrets.SetSecretParameters{}, nil)))
}
