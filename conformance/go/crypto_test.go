package conformance

import (
	"bytes"
	"fmt"
	"slices"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/security/keyvault/azkeys"
)

// signingCase is one algorithm with one kind of key.
type signingCase struct {
	algorithm azkeys.SignatureAlgorithm
	kind      string
}

func (c signingCase) String() string { return fmt.Sprintf("%s with %s", c.algorithm, c.kind) }

// everySigner pairs each algorithm with the kind of key that it is for; RSA keys have 2048 bits.
func everySigner() []signingCase {
	var cases []signingCase
	for _, algorithm := range rsaSignatures {
		cases = append(cases, signingCase{algorithm, "RSA-2048"})
	}
	for _, algorithm := range ecSignatures {
		cases = append(cases, signingCase{algorithm, string(curveOf[algorithm])})
	}
	return cases
}

func TestTheServersSignaturesAreGoodElsewhere(t *testing.T) {
	proves(t, "K13", "K14")
	cases := everySigner()
	for _, kind := range []string{"RSA-3072", "RSA-4096"} {
		for _, algorithm := range rsaSignatures {
			cases = append(cases, signingCase{algorithm, kind})
		}
	}
	each(t, cases, func(t *testing.T, c signingCase) {
		key := onShelf(t, c.kind)
		digest := digestOf(c.algorithm, randomHex(50))
		signature := good(remote(t, key).sign(t.Context(), c.algorithm, digest))(t)
		holds(t, "it is good elsewhere", publicOf(t, key.Key).verifies(c.algorithm, digest, signature))
		verifies := func(digest, signature []byte) bool {
			t.Helper()
			return good(remote(t, key).verify(t.Context(), c.algorithm, digest, signature))(t)
		}
		last := len(signature) - 1
		holds(t, "it is good by the server", verifies(digest, signature))
		holds(t, "a changed signature is not", !verifies(digest, flip(signature, last)))
		holds(t, "a shorter signature is not", !verifies(digest, signature[:last]))
		holds(t, "another digest's is not", !verifies(flip(digest, 0), signature))
	})
}

func TestTheServerVerifiesSignaturesMadeElsewhere(t *testing.T) {
	proves(t, "K14")
	each(t, everySigner(), func(t *testing.T, c signingCase) {
		pair := owned(t, c.kind)
		digest := digestOf(c.algorithm, "made elsewhere")
		signature := pair.local.signs(t, c.algorithm, digest)
		verifies := func(signature []byte) bool {
			t.Helper()
			return good(remote(t, pair.imported).verify(t.Context(), c.algorithm, digest, signature))(t)
		}
		holds(t, "it is good", verifies(signature))
		holds(t, "a changed one is not", !verifies(flip(signature, 5)))
		holds(t, "zeros are not", !verifies(make([]byte, len(signature))))
	})
}

func TestImportedKeysSignAsTheLocalKeyDoes(t *testing.T) {
	proves(t, "K3", "K13", "K14")
	each(t, keyKinds, func(t *testing.T, kind string) {
		pair := owned(t, kind)
		sameTags(t, pair.imported.Tags, map[string]string{"from": "here"})
		shown, mine := pair.imported.Key, pair.local.jwk(t)
		holds(t, "the public half is the local key's", bytes.Equal(shown.N, mine.N) && bytes.Equal(shown.E, mine.E) &&
			bytes.Equal(shown.X, mine.X) && bytes.Equal(shown.Y, mine.Y))
		algorithms := []azkeys.SignatureAlgorithm{"RS256", "PS512"}
		if _, isRSA := rsaSizes[kind]; !isRSA {
			algorithms = []azkeys.SignatureAlgorithm{algorithmOf(kind)}
		}
		for _, algorithm := range algorithms {
			digest := digestOf(algorithm, "imported")
			there := good(remote(t, pair.imported).sign(t.Context(), algorithm, digest))(t)
			holds(t, "the server's signature is the local key's", pair.local.public().verifies(algorithm, digest, there))
			here := pair.local.signs(t, algorithm, digest)
			holds(t, "and the other way round",
				good(remote(t, pair.imported).verify(t.Context(), algorithm, digest, here))(t))
		}
	})
}

func algorithmOf(curve string) azkeys.SignatureAlgorithm {
	at := slices.IndexFunc(ecSignatures, func(algorithm azkeys.SignatureAlgorithm) bool {
		return string(curveOf[algorithm]) == curve
	})
	return ecSignatures[at]
}

func TestEncryptionWorksInBothDirections(t *testing.T) {
	proves(t, "K11", "K12")
	each(t, encryptions, func(t *testing.T, algorithm azkeys.EncryptionAlgorithm) {
		pair := owned(t, "RSA-2048")
		key, local := remote(t, pair.imported), pair.local.(rsaLocal)
		for _, plain := range [][]byte{{'x'}, []byte("\x00lead"), randomBytes(64)} {
			there := good(key.encrypt(t.Context(), algorithm, plain))(t)
			equal(t, "the ciphertext's length", len(there), 256)
			holds(t, "it opens here", bytes.Equal(local.decrypt(t, algorithm, there), plain))
			here := local.public().(rsaPublic).encrypt(t, algorithm, plain)
			holds(t, "one made here opens there", bytes.Equal(good(key.decrypt(t.Context(), algorithm, here))(t), plain))
		}
	})
}

func TestWrappingWorksInBothDirections(t *testing.T) {
	proves(t, "K15", "K16")
	each(t, encryptions, func(t *testing.T, algorithm azkeys.EncryptionAlgorithm) {
		pair, secret := owned(t, "RSA-2048"), randomBytes(32)
		key, local := remote(t, pair.imported), pair.local.(rsaLocal)
		there := good(key.wrap(t.Context(), algorithm, secret))(t)
		holds(t, "it unwraps here", bytes.Equal(local.decrypt(t, algorithm, there), secret))
		holds(t, "it unwraps there", bytes.Equal(good(key.unwrap(t.Context(), algorithm, there))(t), secret))
		here := local.public().(rsaPublic).encrypt(t, algorithm, secret)
		holds(t, "one made here unwraps there", bytes.Equal(good(key.unwrap(t.Context(), algorithm, here))(t), secret))
	})
}

func TestEverySizeEncryptsUpToItsLimit(t *testing.T) {
	proves(t, "K11", "K12", "K15", "K16")
	overheads := map[azkeys.EncryptionAlgorithm]int{"RSA-OAEP": 42, "RSA-OAEP-256": 66, "RSA1_5": 11}
	for kind, size := range rsaSizes {
		named(t, kind, func(t *testing.T) {
			key := remote(t, onShelf(t, kind))
			for algorithm, overhead := range overheads {
				largest := randomBytes(size/8 - overhead)
				box := good(key.encrypt(t.Context(), algorithm, largest))(t)
				holds(t, "it decrypts", bytes.Equal(good(key.decrypt(t.Context(), algorithm, box))(t), largest))
				box = good(key.wrap(t.Context(), algorithm, largest))(t)
				holds(t, "it unwraps", bytes.Equal(good(key.unwrap(t.Context(), algorithm, box))(t), largest))
				badParameter.by(t, failure(key.encrypt(t.Context(), algorithm, append(largest, '!'))))
			}
		})
	}
}

func TestSigningWithoutAVersionUsesTheLatest(t *testing.T) {
	proves(t, "K13")
	v, name := home(t), unique("latest")
	v.createEC(t, name)
	latest := v.createEC(t, name)
	digest := digestOf("ES256", "latest")
	parameters := azkeys.SignParameters{Algorithm: to.Ptr(azkeys.SignatureAlgorithmES256), Value: digest}
	signed := good(v.keys.Sign(t.Context(), name, "", parameters, nil))(t)
	equal(t, "the signing key", *signed.KID, *latest.Key.KID)
	holds(t, "the signature is good", publicOf(t, latest.Key).verifies("ES256", digest, signed.Result))
}
