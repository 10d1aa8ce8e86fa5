package conformance

import (
	"bytes"
	"slices"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/security/keyvault/azkeys"
)

func TestKeyDeleteAndRecoverBringEveryVersionBack(t *testing.T) {
	proves(t, "K4", "K18", "K19", "K21")
	v, name := home(t), unique("recover")
	parameters := ec(azkeys.CurveNameP256)
	parameters.Tags = tagsOf(map[string]string{"a": "b"})
	first := v.createKey(t, name, parameters)
	second := v.createEC(t, name)
	deleted := v.deleteKey(t, name)
	equal(t, "the deleted id", *deleted.Key.KID, *second.Key.KID)
	holds(t, "the key is the same", bytes.Equal(deleted.Key.X, second.Key.X))
	equal(t, "the recovery id", *deleted.RecoveryID, v.url+"/deletedkeys/"+name)
	equal(t, "the days to the purge", deleted.ScheduledPurgeDate.Sub(*deleted.DeletedDate), 90*24*time.Hour)
	keyNotFound.by(t, failure(v.keys.GetKey(t.Context(), name, "", nil)), "not found")
	keyNotFound.by(t, failure(v.remote(first).sign(t.Context(), "ES256", make([]byte, 32))))
	deletedName.by(t, failure(v.keys.CreateKey(t.Context(), name, parameters, nil)), "deleted but recoverable")

	shown := good(v.keys.GetDeletedKey(t.Context(), name, nil))(t)
	equal(t, "the shown id", *shown.Key.KID, *deleted.Key.KID)
	sameTime(t, "deleted", shown.DeletedDate, *deleted.DeletedDate)
	listed := slices.DeleteFunc(slices.Concat(deletedKeyPages(t, v)...), func(item *azkeys.DeletedKeyProperties) bool {
		return item.KID.Name() != name
	})
	equal(t, "the number of times it is listed", len(listed), 1)
	equal(t, "the listed id", string(*listed[0].KID), v.url+"/keys/"+name)

	recovered := good(v.keys.RecoverDeletedKey(t.Context(), name, nil))(t)
	equal(t, "the recovered id", *recovered.Key.KID, *second.Key.KID)
	old := eventually(t, func() (azkeys.GetKeyResponse, error) {
		return v.keys.GetKey(t.Context(), name, first.Key.KID.Version(), nil)
	})
	sameTags(t, old.Tags, map[string]string{"a": "b"})
	sameTime(t, "created", old.Attributes.Created, *first.Attributes.Created)
	digest := digestOf("ES256", "recovered")
	signature := good(v.remote(first).sign(t.Context(), "ES256", digest))(t)
	holds(t, "it signs again", publicOf(t, first.Key).verifies("ES256", digest, signature))
	keyNotFound.by(t, failure(v.keys.GetDeletedKey(t.Context(), name, nil)))
}

func TestAnImportOverADeletedKeyIsAConflict(t *testing.T) {
	proves(t, "K3", "K4")
	v, name := home(t), unique("conflict")
	v.createEC(t, name)
	v.deleteKey(t, name)
	parameters := azkeys.ImportKeyParameters{Key: generate(t, "P-256").jwk(t)}
	deletedName.by(t, failure(v.keys.ImportKey(t.Context(), name, parameters, nil)))
	keyNotFound.by(t, failure(v.keys.DeleteKey(t.Context(), name, nil)))
}

func TestAKeyPurgeIsTheEndAndTheNameIsFreeAgain(t *testing.T) {
	proves(t, "K20")
	v, name := home(t), unique("purge")
	made := v.createEC(t, name)
	v.deleteKey(t, name)
	good(v.keys.PurgeDeletedKey(t.Context(), name, nil))(t)
	keyNotFound.by(t, failure(v.keys.GetDeletedKey(t.Context(), name, nil)))
	keyNotFound.by(t, failure(v.keys.PurgeDeletedKey(t.Context(), name, nil)))
	keyNotFound.by(t, failure(v.keys.GetKey(t.Context(), name, "", nil)))
	holds(t, "the new key is another", *v.createEC(t, name).Key.KID != *made.Key.KID)
	equal(t, "the number of versions", len(slices.Concat(keyVersions(t, v, name)...)), 1)
}

func TestAKeyBackupRestoresAllVersionsInAnotherVault(t *testing.T) {
	proves(t, "K9", "K10", "K13", "K14")
	v, other, name := home(t), elsewhere(t), unique("backup")
	parameters := ec(azkeys.CurveNameP256)
	parameters.Tags = tagsOf(map[string]string{"a": "b"})
	first := v.createKey(t, name, parameters)
	parameters = rsaOf(2048)
	parameters.KeyOps = pointers[azkeys.KeyOperation]("sign", "verify")
	second := v.createKey(t, name, parameters)
	digest := digestOf("ES256", "signed before")
	signature := good(v.remote(first).sign(t.Context(), "ES256", digest))(t)
	backup := backupOfKey(t, v, name)

	restored := good(restoreKey(t, other, backup))(t)
	equal(t, "the restored id", string(*restored.Key.KID), other.url+"/keys/"+name+"/"+second.Key.KID.Version())
	holds(t, "the key is the same", bytes.Equal(restored.Key.N, second.Key.N))
	sameMembers(t, "the operations", values(restored.Key.KeyOps), []azkeys.KeyOperation{"sign", "verify"})
	versions := mapped(keyVersions(t, other, name), func(item *azkeys.KeyProperties) string { return item.KID.Version() })
	sameMembers(t, "the versions", versions, []string{first.Key.KID.Version(), second.Key.KID.Version()})
	moved := other.getKey(t, name, first.Key.KID.Version())
	sameTags(t, moved.Tags, map[string]string{"a": "b"})
	sameTime(t, "created", moved.Attributes.Created, *first.Attributes.Created)
	sameTime(t, "updated", moved.Attributes.Updated, *first.Attributes.Updated)
	holds(t, "it verifies what was signed before",
		good(other.remote(moved).verify(t.Context(), "ES256", digest, signature))(t))
	there := good(other.remote(moved).sign(t.Context(), "ES256", digest))(t)
	holds(t, "it signs as before", publicOf(t, first.Key).verifies("ES256", digest, there))
	conflict.by(t, failure(restoreKey(t, other, backup)))
}

func TestAKeyRestoreOverADeletedNameWaitsForThePurge(t *testing.T) {
	proves(t, "K10")
	v, name := home(t), unique("restore")
	made := v.createEC(t, name)
	backup := backupOfKey(t, v, name)
	v.deleteKey(t, name)
	deletedName.by(t, failure(restoreKey(t, v, backup)))
	good(v.keys.PurgeDeletedKey(t.Context(), name, nil))(t)
	equal(t, "the restored id", *good(restoreKey(t, v, backup))(t).Key.KID, *made.Key.KID)
}

func TestAChangedKeyBackupIsRefused(t *testing.T) {
	proves(t, "K10")
	v, name := home(t), unique("tamper")
	v.createEC(t, name)
	for _, changed := range damaged(backupOfKey(t, v, name)) {
		badParameter.by(t, failure(restoreKey(t, elsewhere(t), changed)))
	}
	v.set(t, name, "a secret's blob restores no key")
	badParameter.by(t, failure(restoreKey(t, elsewhere(t), backupOfSecret(t, v, name))))
}

func backupOfKey(t *testing.T, v vault, name string) []byte {
	t.Helper()
	return good(v.keys.BackupKey(t.Context(), name, nil))(t).Value
}

func restoreKey(t *testing.T, v vault, backup []byte) (azkeys.RestoreKeyResponse, error) {
	return v.keys.RestoreKey(t.Context(), azkeys.RestoreKeyParameters{KeyBackup: backup}, nil)
}
