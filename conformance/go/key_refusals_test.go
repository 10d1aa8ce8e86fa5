package conformance

import (
	"bytes"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/security/keyvault/azkeys"
)

// refusedCreate asks for a key that must not be made, and sees that it was not.
func refusedCreate(t *testing.T, parameters azkeys.CreateKeyParameters, texts ...string) {
	t.Helper()
	v, name := home(t), unique("bad")
	badParameter.by(t, failure(v.keys.CreateKey(t.Context(), name, parameters, nil)), texts...)
	keyNotFound.by(t, failure(v.keys.GetKey(t.Context(), name, "", nil)))
}

// refusedImport offers a key that must not be taken, and sees that it was not.
func refusedImport(t *testing.T, parameters azkeys.ImportKeyParameters, texts ...string) {
	t.Helper()
	v, name := home(t), unique("bad")
	badParameter.by(t, failure(v.keys.ImportKey(t.Context(), name, parameters, nil)), texts...)
	keyNotFound.by(t, failure(v.keys.GetKey(t.Context(), name, "", nil)))
}

func ofType(kind azkeys.KeyType) azkeys.CreateKeyParameters {
	return azkeys.CreateKeyParameters{Kty: &kind}
}

func TestBadCreatesMakeNothing(t *testing.T) {
	proves(t, "K1")
	curveOfRSA, unknownOperation := rsaOf(2048), rsaOf(2048)
	curveOfRSA.Curve = to.Ptr(azkeys.CurveNameP256)
	unknownOperation.KeyOps = pointers[azkeys.KeyOperation]("sign", "shred")
	for what, parameters := range map[string]azkeys.CreateKeyParameters{
		"no type":           {},
		"no such type":      ofType("DSA"),
		"rsa 1024":          rsaOf(1024),
		"rsa 2049":          rsaOf(2049),
		"rsa 8192":          rsaOf(8192),
		"no such curve":     ec("P-224"),
		"a curve of rsa":    curveOfRSA,
		"unknown operation": unknownOperation,
	} {
		named(t, what, func(t *testing.T) { refusedCreate(t, parameters) })
	}
}

func TestKeysThatNeedAnHSMAreRefusedWithAdvice(t *testing.T) {
	proves(t, "K1", "K3")
	each(t, []azkeys.KeyType{azkeys.KeyTypeOct, azkeys.KeyTypeOctHSM, azkeys.KeyTypeRSAHSM, azkeys.KeyTypeECHSM},
		func(t *testing.T, kind azkeys.KeyType) { refusedCreate(t, ofType(kind), "HSM") })
	refusedImport(t, azkeys.ImportKeyParameters{Key: generate(t, "P-256").jwk(t), HSM: to.Ptr(true)}, "HSM")
}

func TestEd25519IsRefusedWithAdvice(t *testing.T) {
	proves(t, "K1", "K3")
	parameters := ofType("OKP")
	parameters.Curve = to.Ptr(azkeys.CurveName("Ed25519"))
	refusedCreate(t, parameters, "ES256")
	jwk := generate(t, "P-256").jwk(t)
	jwk.Kty, jwk.Crv, jwk.Y = parameters.Kty, parameters.Curve, nil
	refusedImport(t, azkeys.ImportKeyParameters{Key: jwk}, "ES256")
}

func TestBadImportsMakeNothing(t *testing.T) {
	proves(t, "K3")
	for what, c := range map[string]struct {
		kind   string
		change func(t *testing.T, jwk *azkeys.JSONWebKey)
	}{
		"public only":         {"P-256", func(_ *testing.T, jwk *azkeys.JSONWebKey) { jwk.D = nil }},
		"point off the curve": {"P-256", func(_ *testing.T, jwk *azkeys.JSONWebKey) { jwk.Y = make([]byte, 32) }},
		"another private key": {"P-384", func(_ *testing.T, jwk *azkeys.JSONWebKey) { jwk.D = append(make([]byte, 47), 5) }},
		"another curve":       {"P-256", func(_ *testing.T, jwk *azkeys.JSONWebKey) { jwk.Crv = to.Ptr(azkeys.CurveNameP384) }},
		"no curve":            {"P-256", func(_ *testing.T, jwk *azkeys.JSONWebKey) { jwk.Crv = nil }},
		"rsa public only": {"RSA-2048", func(_ *testing.T, jwk *azkeys.JSONWebKey) {
			*jwk = azkeys.JSONWebKey{Kty: jwk.Kty, N: jwk.N, E: jwk.E}
		}},
		"rsa with another prime": {"RSA-2048", func(t *testing.T, jwk *azkeys.JSONWebKey) {
			jwk.P = generate(t, "RSA-2048").jwk(t).P
		}},
		"rsa with an even modulus": {"RSA-2048", func(_ *testing.T, jwk *azkeys.JSONWebKey) { jwk.N = flip(jwk.N, 255) }},
		"octets": {"P-256", func(_ *testing.T, jwk *azkeys.JSONWebKey) {
			*jwk = azkeys.JSONWebKey{Kty: to.Ptr(azkeys.KeyTypeOct), K: bytes.Repeat([]byte{7}, 32)}
		}},
	} {
		named(t, what, func(t *testing.T) {
			jwk := generate(t, c.kind).jwk(t)
			c.change(t, jwk)
			refusedImport(t, azkeys.ImportKeyParameters{Key: jwk})
		})
	}
}
