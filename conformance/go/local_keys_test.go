package conformance

import (
	"context"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	"math/big"
	"strings"
	"sync"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/security/keyvault/azkeys"
	"github.com/decred/dcrd/dcrec/secp256k1/v4"
	k256 "github.com/decred/dcrd/dcrec/secp256k1/v4/ecdsa"
)

// localKey is a private key of this side, to import and to sign with.
type localKey interface {
	signs(t *testing.T, algorithm azkeys.SignatureAlgorithm, digest []byte) []byte
	public() publicKey
	jwk(t *testing.T) *azkeys.JSONWebKey
}

// generate makes a local key of a kind: `RSA-` and its size, or a curve's name.
func generate(t *testing.T, kind string) localKey {
	t.Helper()
	if size, isRSA := rsaSizes[kind]; isRSA {
		return rsaLocal{good(rsa.GenerateKey(rand.Reader, size))(t)}
	}
	if kind == "P-256K" {
		return k256Local{good(secp256k1.GeneratePrivateKey())(t)}
	}
	return nistLocal{good(ecdsa.GenerateKey(nistCurves[azkeys.CurveName(kind)], rand.Reader))(t)}
}

type rsaLocal struct{ *rsa.PrivateKey }

func (key rsaLocal) public() publicKey { return rsaPublic{&key.PublicKey} }

func (key rsaLocal) signs(t *testing.T, algorithm azkeys.SignatureAlgorithm, digest []byte) []byte {
	t.Helper()
	if strings.HasPrefix(string(algorithm), "RS") {
		return good(rsa.SignPKCS1v15(nil, key.PrivateKey, hashOf(algorithm), digest))(t)
	}
	options := &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash}
	return good(rsa.SignPSS(rand.Reader, key.PrivateKey, hashOf(algorithm), digest, options))(t)
}

func (key rsaLocal) jwk(*testing.T) *azkeys.JSONWebKey {
	parts := key.Precomputed
	return &azkeys.JSONWebKey{
		Kty: to.Ptr(azkeys.KeyTypeRSA), N: key.N.Bytes(), E: big.NewInt(int64(key.E)).Bytes(), D: key.D.Bytes(),
		P: key.Primes[0].Bytes(), Q: key.Primes[1].Bytes(),
		DP: parts.Dp.Bytes(), DQ: parts.Dq.Bytes(), QI: parts.Qinv.Bytes(),
	}
}

type nistLocal struct{ *ecdsa.PrivateKey }

func (key nistLocal) public() publicKey { return nistPublic{&key.PublicKey} }

func (key nistLocal) signs(t *testing.T, _ azkeys.SignatureAlgorithm, digest []byte) []byte {
	t.Helper()
	r, s, err := ecdsa.Sign(rand.Reader, key.PrivateKey, digest)
	if err != nil {
		t.Fatal(err)
	}
	half := (key.Curve.Params().BitSize + 7) / 8
	return append(r.FillBytes(make([]byte, half)), s.FillBytes(make([]byte, half))...)
}

func (key nistLocal) jwk(t *testing.T) *azkeys.JSONWebKey {
	t.Helper()
	point, private := good(key.PublicKey.Bytes())(t), good(key.PrivateKey.Bytes())(t)
	return ecJWK(azkeys.CurveName(key.Curve.Params().Name), point, private)
}

type k256Local struct{ *secp256k1.PrivateKey }

func (key k256Local) public() publicKey { return k256Public{key.PubKey()} }

func (key k256Local) signs(_ *testing.T, _ azkeys.SignatureAlgorithm, digest []byte) []byte {
	signature := k256.Sign(key.PrivateKey, digest)
	r, s := signature.R(), signature.S()
	first, second := r.Bytes(), s.Bytes()
	return append(first[:], second[:]...)
}

func (key k256Local) jwk(*testing.T) *azkeys.JSONWebKey {
	return ecJWK(azkeys.CurveNameP256K, key.PubKey().SerializeUncompressed(), key.Serialize())
}

// ecJWK writes an uncompressed point and its private number as the import operation takes them.
func ecJWK(curve azkeys.CurveName, point, private []byte) *azkeys.JSONWebKey {
	half := (len(point) - 1) / 2
	return &azkeys.JSONWebKey{
		Kty: to.Ptr(azkeys.KeyTypeEC), Crv: &curve, X: point[1 : 1+half], Y: point[1+half:], D: private,
	}
}

// ownedKey is a key of which this side holds the private half and the server an import.
type ownedKey struct {
	local    localKey
	imported azkeys.KeyBundle
}

var ownedKeys = struct {
	sync.Mutex
	made map[string]ownedKey
}{made: map[string]ownedKey{}}

// owned gives the imported key of a kind, made once per run.
func owned(t *testing.T, kind string) ownedKey {
	t.Helper()
	ownedKeys.Lock()
	defer ownedKeys.Unlock()
	pair, ok := ownedKeys.made[kind]
	if !ok {
		pair.local = generate(t, kind)
		parameters := azkeys.ImportKeyParameters{Key: pair.local.jwk(t), Tags: tagsOf(map[string]string{"from": "here"})}
		pair.imported = good(home(t).keys.ImportKey(context.Background(), unique("owned-"+kind), parameters, nil))(t).KeyBundle
		ownedKeys.made[kind] = pair
	}
	return pair
}
