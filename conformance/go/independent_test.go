package conformance

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	_ "crypto/sha512"
	"fmt"
	"hash"
	"math/big"
	"strings"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/security/keyvault/azkeys"
	"github.com/decred/dcrd/dcrec/secp256k1/v4"
	k256 "github.com/decred/dcrd/dcrec/secp256k1/v4/ecdsa"
)

// The same algorithms by independent libraries: the server never checks its own work.

// publicKey checks signatures as the wire carries them.
type publicKey interface {
	verifies(algorithm azkeys.SignatureAlgorithm, digest, signature []byte) bool
}

var (
	rsaSizes = map[string]int{"RSA-2048": 2048, "RSA-3072": 3072, "RSA-4096": 4096}
	keyKinds = []string{"RSA-2048", "RSA-3072", "RSA-4096", "P-256", "P-384", "P-521", "P-256K"}

	rsaSignatures = []azkeys.SignatureAlgorithm{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"}
	ecSignatures  = []azkeys.SignatureAlgorithm{"ES256", "ES384", "ES512", "ES256K"}
	encryptions   = []azkeys.EncryptionAlgorithm{"RSA-OAEP", "RSA-OAEP-256", "RSA1_5"}

	curveOf = map[azkeys.SignatureAlgorithm]azkeys.CurveName{
		"ES256": "P-256", "ES384": "P-384", "ES512": "P-521", "ES256K": "P-256K",
	}
	nistCurves = map[azkeys.CurveName]elliptic.Curve{
		"P-256": elliptic.P256(), "P-384": elliptic.P384(), "P-521": elliptic.P521(),
	}
	coordinate = map[azkeys.CurveName]int{"P-256": 32, "P-384": 48, "P-521": 66, "P-256K": 32}
)

// hashOf is the hash of a signature algorithm.
func hashOf(algorithm azkeys.SignatureAlgorithm) crypto.Hash {
	switch {
	case strings.HasSuffix(string(algorithm), "384"):
		return crypto.SHA384
	case strings.HasSuffix(string(algorithm), "512"):
		return crypto.SHA512
	default:
		return crypto.SHA256
	}
}

// digestOf is what a signature algorithm signs for a message.
func digestOf(algorithm azkeys.SignatureAlgorithm, message string) []byte {
	state := hashOf(algorithm).New()
	state.Write([]byte(message))
	return state.Sum(nil)
}

// publicOf reads the public half that the server shows, after checking how it is written.
func publicOf(t *testing.T, jwk *azkeys.JSONWebKey) publicKey {
	t.Helper()
	if *jwk.Kty == azkeys.KeyTypeRSA {
		holds(t, "n and e have no leading zero", jwk.N[0] != 0 && jwk.E[0] != 0)
		e := new(big.Int).SetBytes(jwk.E)
		return rsaPublic{&rsa.PublicKey{N: new(big.Int).SetBytes(jwk.N), E: int(e.Int64())}}
	}
	equal(t, "the key type", *jwk.Kty, azkeys.KeyTypeEC)
	length := coordinate[*jwk.Crv]
	holds(t, "coordinates are padded to the curve's length", len(jwk.X) == length && len(jwk.Y) == length)
	point := append(append([]byte{4}, jwk.X...), jwk.Y...)
	if *jwk.Crv == azkeys.CurveNameP256K {
		return k256Public{good(secp256k1.ParsePubKey(point))(t)}
	}
	return nistPublic{good(ecdsa.ParseUncompressedPublicKey(nistCurves[*jwk.Crv], point))(t)}
}

type rsaPublic struct{ *rsa.PublicKey }

func (key rsaPublic) verifies(algorithm azkeys.SignatureAlgorithm, digest, signature []byte) bool {
	if strings.HasPrefix(string(algorithm), "RS") {
		return rsa.VerifyPKCS1v15(key.PublicKey, hashOf(algorithm), digest, signature) == nil
	}
	options := &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash}
	return rsa.VerifyPSS(key.PublicKey, hashOf(algorithm), digest, signature, options) == nil
}

type nistPublic struct{ *ecdsa.PublicKey }

func (key nistPublic) verifies(algorithm azkeys.SignatureAlgorithm, digest, signature []byte) bool {
	half := coordinate[curveOf[algorithm]]
	if len(signature) != 2*half {
		return false
	}
	r, s := new(big.Int).SetBytes(signature[:half]), new(big.Int).SetBytes(signature[half:])
	return ecdsa.Verify(key.PublicKey, digest, r, s)
}

type k256Public struct{ *secp256k1.PublicKey }

func (key k256Public) verifies(_ azkeys.SignatureAlgorithm, digest, signature []byte) bool {
	var r, s secp256k1.ModNScalar
	if len(signature) != 64 || r.SetByteSlice(signature[:32]) || s.SetByteSlice(signature[32:]) {
		return false
	}
	return k256.NewSignature(&r, &s).Verify(digest, key.PublicKey)
}

// encrypt makes a ciphertext for an RSA key as the wire carries it.
func (key rsaPublic) encrypt(t *testing.T, algorithm azkeys.EncryptionAlgorithm, plain []byte) []byte {
	t.Helper()
	if algorithm == azkeys.EncryptionAlgorithmRSA15 {
		return good(rsa.EncryptPKCS1v15(rand.Reader, key.PublicKey, plain))(t)
	}
	return good(rsa.EncryptOAEP(oaepHash(algorithm), rand.Reader, key.PublicKey, plain, nil))(t)
}

// decrypt opens a ciphertext with a local RSA key.
func (key rsaLocal) decrypt(t *testing.T, algorithm azkeys.EncryptionAlgorithm, box []byte) []byte {
	t.Helper()
	if algorithm == azkeys.EncryptionAlgorithmRSA15 {
		return good(rsa.DecryptPKCS1v15(nil, key.PrivateKey, box))(t)
	}
	return good(rsa.DecryptOAEP(oaepHash(algorithm), nil, key.PrivateKey, box, nil))(t)
}

func oaepHash(algorithm azkeys.EncryptionAlgorithm) hash.Hash {
	if algorithm == azkeys.EncryptionAlgorithmRSAOAEP {
		return sha1.New()
	}
	return sha256.New()
}

// describe tells the kind of a public key, as keyKinds does.
func describe(key publicKey) string {
	switch key := key.(type) {
	case rsaPublic:
		return fmt.Sprintf("RSA-%d", key.N.BitLen())
	case nistPublic:
		return key.Curve.Params().Name
	default:
		return "P-256K"
	}
}

// flip gives the same bytes with one bit changed.
func flip(data []byte, at int) []byte {
	changed := bytes.Clone(data)
	changed[at] ^= 1
	return changed
}
