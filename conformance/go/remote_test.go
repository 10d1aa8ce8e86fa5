package conformance

import (
	"context"
	"fmt"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/security/keyvault/azkeys"
)

// remoteKey is one version of a key, for the cryptography that the server does: the package does none locally.
type remoteKey struct {
	keys *azkeys.Client
	kid  *azkeys.ID
}

// remote gives the key of the vault that the environment names.
func remote(t *testing.T, key azkeys.KeyBundle) remoteKey {
	t.Helper()
	return home(t).remote(key)
}

func (v vault) remote(key azkeys.KeyBundle) remoteKey { return remoteKey{v.keys, key.Key.KID} }

func (key remoteKey) sign(ctx context.Context, algorithm azkeys.SignatureAlgorithm, digest []byte) ([]byte, error) {
	parameters := azkeys.SignParameters{Algorithm: &algorithm, Value: digest}
	response, err := key.keys.Sign(ctx, key.kid.Name(), key.kid.Version(), parameters, nil)
	return key.result(response.KeyOperationResult, err)
}

func (key remoteKey) verify(
	ctx context.Context, algorithm azkeys.SignatureAlgorithm, digest, signature []byte,
) (bool, error) {
	parameters := azkeys.VerifyParameters{Algorithm: &algorithm, Digest: digest, Signature: signature}
	response, err := key.keys.Verify(ctx, key.kid.Name(), key.kid.Version(), parameters, nil)
	if err != nil {
		return false, err
	}
	return *response.Value, nil
}

func (key remoteKey) encrypt(ctx context.Context, algorithm azkeys.EncryptionAlgorithm, plain []byte) ([]byte, error) {
	response, err := key.keys.Encrypt(ctx, key.kid.Name(), key.kid.Version(), with(algorithm, plain), nil)
	return key.result(response.KeyOperationResult, err)
}

func (key remoteKey) decrypt(ctx context.Context, algorithm azkeys.EncryptionAlgorithm, box []byte) ([]byte, error) {
	response, err := key.keys.Decrypt(ctx, key.kid.Name(), key.kid.Version(), with(algorithm, box), nil)
	return key.result(response.KeyOperationResult, err)
}

func (key remoteKey) wrap(ctx context.Context, algorithm azkeys.EncryptionAlgorithm, secret []byte) ([]byte, error) {
	response, err := key.keys.WrapKey(ctx, key.kid.Name(), key.kid.Version(), with(algorithm, secret), nil)
	return key.result(response.KeyOperationResult, err)
}

func (key remoteKey) unwrap(ctx context.Context, algorithm azkeys.EncryptionAlgorithm, box []byte) ([]byte, error) {
	response, err := key.keys.UnwrapKey(ctx, key.kid.Name(), key.kid.Version(), with(algorithm, box), nil)
	return key.result(response.KeyOperationResult, err)
}

func with(algorithm azkeys.EncryptionAlgorithm, value []byte) azkeys.KeyOperationParameters {
	return azkeys.KeyOperationParameters{Algorithm: &algorithm, Value: value}
}

// result gives the bytes of an operation after checking which key did it.
func (key remoteKey) result(got azkeys.KeyOperationResult, err error) ([]byte, error) {
	if err == nil && *got.KID != *key.kid {
		err = fmt.Errorf("done by %s and not by %s", *got.KID, *key.kid)
	}
	return got.Result, err
}

// keyCalls are the operations of key_ops, each as one call on an RSA key.
var keyCalls = map[azkeys.KeyOperation]func(context.Context, remoteKey) error{
	"encrypt": func(ctx context.Context, key remoteKey) error {
		return failure(key.encrypt(ctx, "RSA-OAEP", []byte("x")))
	},
	"decrypt": func(ctx context.Context, key remoteKey) error {
		return failure(key.decrypt(ctx, "RSA-OAEP", make([]byte, 256)))
	},
	"sign": func(ctx context.Context, key remoteKey) error {
		return failure(key.sign(ctx, "RS256", make([]byte, 32)))
	},
	"verify": func(ctx context.Context, key remoteKey) error {
		return failure(key.verify(ctx, "RS256", make([]byte, 32), make([]byte, 256)))
	},
	"wrapKey": func(ctx context.Context, key remoteKey) error {
		return failure(key.wrap(ctx, "RSA-OAEP", []byte("x")))
	},
	"unwrapKey": func(ctx context.Context, key remoteKey) error {
		return failure(key.unwrap(ctx, "RSA-OAEP", make([]byte, 256)))
	},
}
