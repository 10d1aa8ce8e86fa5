package conformance

import (
	"bytes"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/security/keyvault/azsecrets"
)

func TestSecretDeleteAndRecoverBringEveryVersionBack(t *testing.T) {
	proves(t, "S2", "S7", "S8", "S10")
	v, name := home(t), unique("recover")
	first := v.setWith(t, name, azsecrets.SetSecretParameters{
		Value: to.Ptr("1"), Tags: tagsOf(map[string]string{"a": "b"}),
	})
	second := v.setWith(t, name, azsecrets.SetSecretParameters{Value: to.Ptr("2"), ContentType: to.Ptr("text/plain")})
	deleted := v.deleteSecret(t, name)
	equal(t, "the deleted id", *deleted.ID, *second.ID)
	equal(t, "the recovery id", *deleted.RecoveryID, v.url+"/deletedsecrets/"+name)
	equal(t, "the days to the purge", deleted.ScheduledPurgeDate.Sub(*deleted.DeletedDate), 90*24*time.Hour)
	holds(t, "a deleted secret shows no value", deleted.Value == nil)
	secretNotFound.by(t, failure(v.secrets.GetSecret(t.Context(), name, "", nil)), "not found")
	secretNotFound.by(t, failure(v.secrets.GetSecret(t.Context(), name, first.ID.Version(), nil)))
	listed := mapped(secretPages(t, v), func(item *azsecrets.SecretProperties) string { return item.ID.Name() })
	holds(t, "it is no longer listed", !slices.Contains(listed, name))

	shown := good(v.secrets.GetDeletedSecret(t.Context(), name, nil))(t)
	equal(t, "the shown id", *shown.ID, *deleted.ID)
	equal(t, "the shown recovery id", *shown.RecoveryID, *deleted.RecoveryID)
	sameTime(t, "deleted", shown.DeletedDate, *deleted.DeletedDate)
	sameTime(t, "scheduled purge", shown.ScheduledPurgeDate, *deleted.ScheduledPurgeDate)
	found := 0
	for _, item := range slices.Concat(deletedSecretPages(t, v)...) {
		if item.ID.Name() == name {
			found++
			equal(t, "the listed id", string(*item.ID), v.url+"/secrets/"+name)
			equal(t, "the listed recovery id", *item.RecoveryID, *deleted.RecoveryID)
			equal(t, "the listed content type", *item.ContentType, "text/plain")
		}
	}
	equal(t, "the number of times it is listed", found, 1)

	recovered := good(v.secrets.RecoverDeletedSecret(t.Context(), name, nil))(t)
	equal(t, "the recovered id", *recovered.ID, *second.ID)
	latest := eventually(t, func() (azsecrets.GetSecretResponse, error) {
		return v.secrets.GetSecret(t.Context(), name, "", nil)
	})
	equal(t, "the value", *latest.Value, "2")
	old := v.get(t, name, first.ID.Version())
	equal(t, "the first value", *old.Value, "1")
	sameTags(t, old.Tags, map[string]string{"a": "b"})
	sameTime(t, "created", old.Attributes.Created, *first.Attributes.Created)
	secretNotFound.by(t, failure(v.secrets.GetDeletedSecret(t.Context(), name, nil)))
}

func TestASetOverADeletedSecretIsAConflict(t *testing.T) {
	proves(t, "S1", "S2", "S10")
	v, name := home(t), unique("conflict")
	v.set(t, name, "v")
	v.deleteSecret(t, name)
	parameters := azsecrets.SetSecretParameters{Value: to.Ptr("v2")}
	deletedName.by(t, failure(v.secrets.SetSecret(t.Context(), name, parameters, nil)), name, "deleted but recoverable")
	secretNotFound.by(t, failure(v.secrets.DeleteSecret(t.Context(), name, nil)))
	good(v.secrets.RecoverDeletedSecret(t.Context(), name, nil))(t)
	eventually(t, func() (any, error) { return v.secrets.SetSecret(t.Context(), name, parameters, nil) })
}

func TestASecretPurgeIsTheEndAndTheNameIsFreeAgain(t *testing.T) {
	proves(t, "S9")
	v, name := home(t), unique("purge")
	v.set(t, name, "gone")
	v.deleteSecret(t, name)
	good(v.secrets.PurgeDeletedSecret(t.Context(), name, nil))(t)
	secretNotFound.by(t, failure(v.secrets.GetDeletedSecret(t.Context(), name, nil)))
	secretNotFound.by(t, failure(v.secrets.PurgeDeletedSecret(t.Context(), name, nil)))
	secretNotFound.by(t, failure(v.secrets.GetSecret(t.Context(), name, "", nil)))
	v.set(t, name, "again")
	equal(t, "the number of versions", len(slices.Concat(secretVersions(t, v, name)...)), 1)
}

func TestDeletedSecretsPage(t *testing.T) {
	proves(t, "S7", "S9")
	v := vaultAt(t, freshVault("conf-go4"), credential())
	want := inParallel(30, func(n int) string {
		name := fmt.Sprintf("deleted-%02d", n)
		v.set(t, name, "v")
		v.deleteSecret(t, name)
		return name
	})
	pages := deletedSecretPages(t, v)
	holds(t, "25 is the size of a page", slices.Equal(lengths(pages), []int{25, 5}))
	listed := mapped(pages, func(item *azsecrets.DeletedSecretProperties) string { return item.ID.Name() })
	sameMembers(t, "the names", listed, want)
	inParallel(30, func(n int) any { return good(v.secrets.PurgeDeletedSecret(t.Context(), want[n], nil))(t) })
	equal(t, "what is left", len(slices.Concat(deletedSecretPages(t, v)...)), 0)
}

func TestASecretBackupRestoresAllVersionsInAnotherVault(t *testing.T) {
	proves(t, "S11", "S12")
	v, other, name := home(t), elsewhere(t), unique("backup")
	first := v.setWith(t, name, azsecrets.SetSecretParameters{
		Value: to.Ptr("1"), Tags: tagsOf(map[string]string{"a": "b"}),
	})
	second := v.setWith(t, name, azsecrets.SetSecretParameters{
		Value: to.Ptr("2"), ContentType: to.Ptr("text/plain"),
		SecretAttributes: &azsecrets.SecretAttributes{Expires: to.Ptr(day(5))},
	})
	backup := backupOfSecret(t, v, name)
	holds(t, "a backup has some length", len(backup) > 64)
	restored := good(other.secrets.RestoreSecret(t.Context(), asRestore(backup), nil))(t)
	equal(t, "the restored id", string(*restored.ID), other.url+"/secrets/"+name+"/"+second.ID.Version())
	equal(t, "the content type", *restored.ContentType, "text/plain")
	sameTime(t, "expires", restored.Attributes.Expires, day(5))
	old := other.get(t, name, first.ID.Version())
	equal(t, "the first value", *old.Value, "1")
	sameTags(t, old.Tags, map[string]string{"a": "b"})
	sameTime(t, "created", old.Attributes.Created, *first.Attributes.Created)
	sameTime(t, "updated", old.Attributes.Updated, *first.Attributes.Updated)
	equal(t, "the latest value", *other.get(t, name, "").Value, "2")
	conflict.by(t, failure(v.secrets.RestoreSecret(t.Context(), asRestore(backup), nil)))
}

func TestASecretRestoreOverADeletedNameWaitsForThePurge(t *testing.T) {
	proves(t, "S11", "S12")
	v, name := home(t), unique("restore")
	made := v.set(t, name, "kept")
	backup := backupOfSecret(t, v, name)
	v.deleteSecret(t, name)
	deletedName.by(t, failure(v.secrets.RestoreSecret(t.Context(), asRestore(backup), nil)))
	good(v.secrets.PurgeDeletedSecret(t.Context(), name, nil))(t)
	equal(t, "the restored id", *good(v.secrets.RestoreSecret(t.Context(), asRestore(backup), nil))(t).ID, *made.ID)
	equal(t, "the value", *v.get(t, name, "").Value, "kept")
}

func TestAChangedSecretBackupIsRefused(t *testing.T) {
	proves(t, "S12")
	v, name := home(t), unique("tamper")
	v.set(t, name, "secret in the blob")
	backup := backupOfSecret(t, v, name)
	holds(t, "the value is not in the blob", !bytes.Contains(backup, []byte("secret in the blob")))
	for _, changed := range damaged(backup) {
		badParameter.by(t, failure(elsewhere(t).secrets.RestoreSecret(t.Context(), asRestore(changed), nil)))
	}
}

func deletedSecretPages(t *testing.T, v vault) [][]*azsecrets.DeletedSecretProperties {
	t.Helper()
	return pagesOf(t, v.secrets.NewListDeletedSecretPropertiesPager(nil),
		func(page azsecrets.ListDeletedSecretPropertiesResponse) []*azsecrets.DeletedSecretProperties {
			return page.Value
		})
}

func backupOfSecret(t *testing.T, v vault, name string) []byte {
	t.Helper()
	return good(v.secrets.BackupSecret(t.Context(), name, nil))(t).Value
}

func asRestore(backup []byte) azsecrets.RestoreSecretParameters {
	return azsecrets.RestoreSecretParameters{SecretBackup: backup}
}

// damaged gives copies of a backup that are no longer what the server made.
func damaged(backup []byte) [][]byte {
	last := len(backup) - 1
	return [][]byte{flip(backup, 0), flip(backup, last/2), flip(backup, last), backup[:last], backup[:40], []byte("nothing")}
}
