package conformance;

import com.azure.security.keyvault.keys.KeyClient;
import com.azure.security.keyvault.keys.models.CreateEcKeyOptions;
import com.azure.security.keyvault.keys.models.CreateRsaKeyOptions;
import com.azure.security.keyvault.keys.models.DeletedKey;
import com.azure.security.keyvault.keys.models.KeyOperation;
import com.azure.security.keyvault.keys.models.KeyProperties;
import com.azure.security.keyvault.keys.models.KeyVaultKey;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

import static conformance.Clients.KEYS;
import static conformance.Clients.all;
import static conformance.Clients.delete;
import static conformance.Clients.flip;
import static conformance.Clients.pages;
import static conformance.Clients.recover;
import static conformance.Clients.sizes;
import static conformance.Refusal.BAD_PARAMETER;
import static conformance.Refusal.CONFLICT;
import static conformance.Refusal.DELETED_NAME;
import static conformance.Refusal.KEY_NOT_FOUND;
import static conformance.Settings.unique;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

/** Keys in lists, deleted, recovered, purged, backed up and restored. */
final class KeysLifecycleTest {
    @Test
    @Covers({"K8", "K18", "K20"})
    void thirtyKeysAreTwoPagesBeforeAndAfterTheirDeletion() {
        String vault = Settings.freshVault("5");
        KeyClient client = Clients.keys(vault);
        Set<String> names =
            IntStream.range(0, 30).mapToObj("key-%02d"::formatted).collect(Collectors.toCollection(TreeSet::new));
        names.forEach(name -> client.createEcKey(new CreateEcKeyOptions(name).setTags(Map.of("name", name))));
        List<List<KeyProperties>> pages = pages(client.listPropertiesOfKeys());
        assertEquals(List.of(25, 5), sizes(pages));
        for (KeyProperties item : all(pages)) {
            assertEquals(vault + "/keys/" + item.getName(), item.getId(), "lists hold base ids");
            assertNull(item.getVersion());
            assertEquals(Map.of("name", item.getName()), item.getTags());
        }
        assertEquals(names, all(pages).stream().map(KeyProperties::getName).collect(Collectors.toSet()));

        // The poller of one deletion is watched elsewhere; here the first request is enough.
        names.forEach(client::beginDeleteKey);
        List<List<DeletedKey>> deleted = pages(client.listDeletedKeys());
        assertEquals(List.of(25, 5), sizes(deleted));
        assertEquals(names, all(deleted).stream().map(DeletedKey::getName).collect(Collectors.toSet()));
        assertEquals(0, client.listPropertiesOfKeys().stream().count());
        names.forEach(client::purgeDeletedKey);
        assertEquals(0, client.listDeletedKeys().stream().count());
    }

    @Test
    @Covers("K7")
    void thirtyVersionsAreTwoPages() {
        String name = unique("version-pages");
        Set<String> made =
            IntStream.range(0, 30).mapToObj(n -> Shelf.createEc(name).getId()).collect(Collectors.toSet());
        List<List<KeyProperties>> pages = pages(KEYS.listPropertiesOfKeyVersions(name));
        assertEquals(List.of(25, 5), sizes(pages));
        assertEquals(made, all(pages).stream().map(KeyProperties::getId).collect(Collectors.toSet()));
    }

    @Test
    @Covers({"K4", "K18", "K19", "K21", "K13"})
    void deleteAndRecoverBringEveryVersionBack() throws GeneralSecurityException {
        String name = unique("recover");
        KeyVaultKey first = KEYS.createEcKey(new CreateEcKeyOptions(name).setTags(Map.of("a", "b")));
        KeyVaultKey second = Shelf.createEc(name);
        DeletedKey deleted = delete(KEYS, name);
        assertEquals(second.getId(), deleted.getId());
        assertArrayEquals(second.getKey().getX(), deleted.getKey().getX());
        assertEquals(Settings.VAULT + "/deletedkeys/" + name, deleted.getRecoveryId());
        assertEquals(Duration.ofDays(90), Duration.between(deleted.getDeletedOn(), deleted.getScheduledPurgeDate()));
        KEY_NOT_FOUND.of(() -> KEYS.getKey(name), "not found");
        KEY_NOT_FOUND.of(() -> new Remote(first).sign("ES256", new byte[32]));
        assertTrue(DELETED_NAME.of(() -> Shelf.createEc(name), "deleted but recoverable").contains(name));

        DeletedKey shown = KEYS.getDeletedKey(name);
        assertEquals(deleted.getId(), shown.getId());
        assertEquals(deleted.getDeletedOn(), shown.getDeletedOn());
        List<DeletedKey> listed = KEYS.listDeletedKeys().stream().filter(item -> item.getName().equals(name)).toList();
        assertEquals(1, listed.size());
        assertEquals(deleted.getRecoveryId(), listed.get(0).getRecoveryId());

        assertEquals(second.getId(), recover(KEYS, name).getId());
        KeyVaultKey old = KEYS.getKey(name, first.getProperties().getVersion());
        assertEquals(Map.of("a", "b"), old.getProperties().getTags());
        assertEquals(first.getProperties().getCreatedOn(), old.getProperties().getCreatedOn());
        byte[] signature = new Remote(first).sign("ES256", Independent.digest("ES256", "recovered"));
        assertTrue(Independent.verifies(Independent.publicKey(first.getKey()), "ES256", "recovered", signature));
        KEY_NOT_FOUND.of(() -> KEYS.getDeletedKey(name));
    }

    @Test
    @Covers({"K3", "K4"})
    void anImportOverADeletedKeyIsAConflict() {
        String name = unique("conflict");
        Shelf.createEc(name);
        delete(KEYS, name);
        DELETED_NAME.of(() -> KEYS.importKey(name, LocalKey.shared("P-256").jwk()));
        KEY_NOT_FOUND.of(() -> KEYS.beginDeleteKey(name).poll());
    }

    @Test
    @Covers({"K20", "K1"})
    void aPurgeIsTheEndAndTheNameIsFreeAgain() {
        String name = unique("purge");
        KeyVaultKey made = Shelf.createEc(name);
        delete(KEYS, name);
        KEYS.purgeDeletedKey(name);
        KEY_NOT_FOUND.of(() -> KEYS.getDeletedKey(name));
        KEY_NOT_FOUND.of(() -> KEYS.purgeDeletedKey(name));
        KEY_NOT_FOUND.of(() -> KEYS.getKey(name));
        assertNotEquals(made.getId(), Shelf.createEc(name).getId());
        assertEquals(1, KEYS.listPropertiesOfKeyVersions(name).stream().count());
    }

    @Test
    @Covers({"K9", "K10", "K13", "K14"})
    void aBackupRestoresAllVersionsInAnotherVault() throws GeneralSecurityException {
        KeyClient other = Clients.keys(Clients.OTHER_VAULT);
        String name = unique("backup");
        KeyVaultKey first = KEYS.createEcKey(new CreateEcKeyOptions(name).setTags(Map.of("a", "b")));
        KeyVaultKey second = KEYS.createRsaKey(
            new CreateRsaKeyOptions(name).setKeyOperations(KeyOperation.SIGN, KeyOperation.VERIFY));
        byte[] digest = Independent.digest("ES256", "before");
        byte[] before = new Remote(first).sign("ES256", digest);
        byte[] blob = KEYS.backupKey(name);
        KeyVaultKey restored = other.restoreKeyBackup(blob);
        assertEquals(second.getId().replace(Settings.VAULT, Clients.OTHER_VAULT), restored.getId());
        assertArrayEquals(second.getKey().getN(), restored.getKey().getN());
        assertEquals(Set.copyOf(LocalKey.EC_OPERATIONS), Set.copyOf(restored.getKeyOperations()));
        assertEquals(2, other.listPropertiesOfKeyVersions(name).stream().count());
        KeyVaultKey moved = other.getKey(name, first.getProperties().getVersion());
        assertEquals(Map.of("a", "b"), moved.getProperties().getTags());
        assertEquals(first.getProperties().getCreatedOn(), moved.getProperties().getCreatedOn());
        assertEquals(first.getProperties().getUpdatedOn(), moved.getProperties().getUpdatedOn());
        Remote remote = new Remote(moved);
        assertTrue(remote.verify("ES256", digest, before));
        assertTrue(Independent.verifies(Independent.publicKey(first.getKey()), "ES256", "before",
            remote.sign("ES256", digest)));
        CONFLICT.of(() -> other.restoreKeyBackup(blob));
    }

    @Test
    @Covers({"K9", "K10"})
    void aRestoreOverADeletedNameWaitsForThePurge() {
        String name = unique("restore");
        KeyVaultKey made = Shelf.createEc(name);
        byte[] blob = KEYS.backupKey(name);
        delete(KEYS, name);
        DELETED_NAME.of(() -> KEYS.restoreKeyBackup(blob));
        KEYS.purgeDeletedKey(name);
        assertEquals(made.getId(), KEYS.restoreKeyBackup(blob).getId());
    }

    @Test
    @Covers({"K9", "K10"})
    void aChangedBackupIsRefusedAndSoIsThatOfASecret() {
        String name = unique("tamper");
        Shelf.createEc(name);
        byte[] blob = KEYS.backupKey(name);
        Clients.set(name, "a secret's blob restores no key");
        List<byte[]> bad = List.of(flip(blob, 0), flip(blob, blob.length / 2), flip(blob, blob.length - 1),
            Arrays.copyOf(blob, blob.length - 1), "nothing".getBytes(StandardCharsets.UTF_8),
            Clients.SECRETS.backupSecret(name));
        KeyClient other = Clients.keys(Clients.OTHER_VAULT);
        bad.forEach(changed -> BAD_PARAMETER.of(() -> other.restoreKeyBackup(changed)));
    }
}
