package conformance

import (
	"bytes"
	"slices"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/security/keyvault/azkeys"
)

func TestDigestsOfAnotherLengthAreRefused(t *testing.T) {
	proves(t, "K13", "K14")
	each(t, everySigner(), func(t *testing.T, c signingCase) {
		key, length := remote(t, onShelf(t, c.kind)), hashOf(c.algorithm).Size()
		for _, wrong := range []int{0, length - 1, length + 1, 100} {
			badParameter.by(t, failure(key.sign(t.Context(), c.algorithm, make([]byte, wrong))))
		}
		badParameter.by(t, failure(key.verify(t.Context(), c.algorithm, make([]byte, length-1), make([]byte, 64))))
	})
}

func TestAnAlgorithmOfAnotherCurveIsRefused(t *testing.T) {
	proves(t, "K13")
	each(t, []signingCase{
		{"ES256", "P-384"}, {"ES384", "P-256"}, {"ES256K", "P-256"}, {"ES256", "P-256K"}, {"RS256", "P-256"},
	}, func(t *testing.T, c signingCase) {
		digest := digestOf(c.algorithm, "misfit")
		badParameter.by(t, failure(remote(t, onShelf(t, c.kind)).sign(t.Context(), c.algorithm, digest)))
	})
}

func TestAnAlgorithmOfAnotherKeyTypeIsRefused(t *testing.T) {
	proves(t, "K11", "K13", "K15")
	rsaKey, ecKey := remote(t, onShelf(t, "RSA-2048")), remote(t, onShelf(t, "P-256"))
	badParameter.by(t, failure(rsaKey.sign(t.Context(), "ES256", make([]byte, 32))))
	badParameter.by(t, failure(rsaKey.sign(t.Context(), "RS1024", make([]byte, 32))))
	badParameter.by(t, failure(rsaKey.wrap(t.Context(), "A128KW", make([]byte, 16))))
	forbidden("KeyOperationForbidden").by(t, failure(ecKey.encrypt(t.Context(), "RSA-OAEP", []byte("x"))))
}

func TestDamagedCiphertextsGetOneUniformRefusal(t *testing.T) {
	proves(t, "K12", "K16")
	each(t, encryptions, func(t *testing.T, algorithm azkeys.EncryptionAlgorithm) {
		key := remote(t, onShelf(t, "RSA-2048"))
		box := good(key.encrypt(t.Context(), algorithm, []byte("attack at dawn")))(t)
		messages := map[string]bool{}
		for _, damaged := range [][]byte{flip(box, 255), flip(box, 10), append([]byte{0}, randomBytes(255)...)} {
			messages[badParameter.by(t, failure(key.decrypt(t.Context(), algorithm, damaged)))] = true
			badParameter.by(t, failure(key.unwrap(t.Context(), algorithm, damaged)))
		}
		equal(t, "the number of different messages", len(messages), 1)
	})
}

func TestOutsideTheWindowOnlyReadingOperationsWork(t *testing.T) {
	proves(t, "K5", "K11", "K12", "K13", "K14", "K15", "K16")
	for inner, days := range map[string][2]int{"KeyNotYetValid": {1, 2}, "KeyExpired": {-2, -1}} {
		named(t, inner, func(t *testing.T) {
			v, name, local := home(t), unique("window"), generate(t, "RSA-2048").(rsaLocal)
			attributes := &azkeys.KeyAttributes{NotBefore: to.Ptr(day(days[0])), Expires: to.Ptr(day(days[1]))}
			parameters := azkeys.ImportKeyParameters{Key: local.jwk(t), KeyAttributes: attributes}
			key := v.remote(good(v.keys.ImportKey(t.Context(), name, parameters, nil))(t).KeyBundle)
			for _, operation := range []azkeys.KeyOperation{"sign", "encrypt", "wrapKey"} {
				forbidden(inner).by(t, keyCalls[operation](t.Context(), key))
			}
			plain, digest := []byte("old box"), digestOf("RS256", "window")
			box := local.public().(rsaPublic).encrypt(t, "RSA-OAEP", plain)
			holds(t, "it decrypts", bytes.Equal(good(key.decrypt(t.Context(), "RSA-OAEP", box))(t), plain))
			holds(t, "it unwraps", bytes.Equal(good(key.unwrap(t.Context(), "RSA-OAEP", box))(t), plain))
			signature := local.signs(t, "RS256", digest)
			holds(t, "it verifies", good(key.verify(t.Context(), "RS256", digest, signature))(t))

			attributes = &azkeys.KeyAttributes{NotBefore: to.Ptr(day(-1)), Expires: to.Ptr(day(1))}
			good(v.keys.UpdateKey(t.Context(), name, "", azkeys.UpdateKeyParameters{KeyAttributes: attributes}, nil))(t)
			signed := good(key.sign(t.Context(), "RS256", digest))(t)
			holds(t, "inside the window it signs, as the local key does", bytes.Equal(signed, signature))
		})
	}
}

func TestADisabledKeyDoesNothingUntilItIsEnabledAgain(t *testing.T) {
	proves(t, "K5", "K6", "K11", "K12", "K13", "K14", "K15", "K16")
	v, name := home(t), unique("disabled")
	made := v.createKey(t, name, rsaOf(2048))
	enable := func(enabled bool) {
		t.Helper()
		parameters := azkeys.UpdateKeyParameters{KeyAttributes: &azkeys.KeyAttributes{Enabled: &enabled}}
		good(v.keys.UpdateKey(t.Context(), name, made.Key.KID.Version(), parameters, nil))(t)
	}
	enable(false)
	for _, call := range keyCalls {
		forbidden("KeyDisabled").by(t, call(t.Context(), v.remote(made)), "disabled")
	}
	holds(t, "it can still be read", !*v.getKey(t, name, "").Attributes.Enabled)
	enable(true)
	good(v.remote(made).sign(t.Context(), "RS256", make([]byte, 32)))(t)
}

func TestAnOperationOutsideKeyOpsIsForbidden(t *testing.T) {
	proves(t, "K11", "K12", "K13", "K14", "K15", "K16")
	local := generate(t, "RSA-2048")
	each(t, rsaOperations, func(t *testing.T, operation azkeys.KeyOperation) {
		v, jwk := home(t), local.jwk(t)
		jwk.KeyOps = pointers(slices.DeleteFunc(slices.Clone(rsaOperations), func(other azkeys.KeyOperation) bool {
			return other == operation
		})...)
		parameters := azkeys.ImportKeyParameters{Key: jwk}
		key := good(v.keys.ImportKey(t.Context(), unique("ops"), parameters, nil))(t).KeyBundle
		refused := keyCalls[operation](t.Context(), v.remote(key))
		forbidden("KeyOperationForbidden").by(t, refused, "operation "+string(operation)+" is not permitted")
	})
}

func TestNoOperationsAtAllIsAKeyThatDoesNothing(t *testing.T) {
	proves(t, "K1", "K5", "K13")
	v, parameters := home(t), ec(azkeys.CurveNameP256)
	parameters.KeyOps = []*azkeys.KeyOperation{}
	key := v.createKey(t, unique("idle"), parameters)
	equal(t, "the number of operations", len(key.Key.KeyOps), 0)
	forbidden("KeyOperationForbidden").by(t, failure(v.remote(key).sign(t.Context(), "ES256", make([]byte, 32))))
	change := azkeys.UpdateKeyParameters{KeyOps: pointers[azkeys.KeyOperation]("shred")}
	badParameter.by(t, failure(v.keys.UpdateKey(t.Context(), key.Key.KID.Name(), "", change, nil)))
}
