package conformance;

import com.azure.security.keyvault.secrets.SecretClient;
import com.azure.security.keyvault.secrets.models.DeletedSecret;
import com.azure.security.keyvault.secrets.models.KeyVaultSecret;
import com.azure.security.keyvault.secrets.models.SecretProperties;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

import static conformance.Clients.NOW;
import static conformance.Clients.SECRETS;
import static conformance.Clients.all;
import static conformance.Clients.delete;
import static conformance.Clients.flip;
import static conformance.Clients.pages;
import static conformance.Clients.recover;
import static conformance.Clients.set;
import static conformance.Clients.sizes;
import static conformance.Refusal.BAD_PARAMETER;
import static conformance.Refusal.CONFLICT;
import static conformance.Refusal.DELETED_NAME;
import static conformance.Refusal.SECRET_NOT_FOUND;
import static conformance.Settings.freshVault;
import static conformance.Settings.unique;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

/** Secrets in lists, deleted, recovered, purged, backed up and restored. */
final class SecretsLifecycleTest {
    @Test
    @Covers("S5")
    void sixtySecretsAreThreePages() {
        String vault = freshVault("3");
        SecretClient client = Clients.secrets(vault);
        Set<String> names = fill(client, 60);
        List<List<SecretProperties>> pages = pages(client.listPropertiesOfSecrets());
        assertEquals(List.of(25, 25, 10), sizes(pages));
        List<SecretProperties> listed = all(pages);
        assertEquals(names, listed.stream().map(SecretProperties::getName).collect(Collectors.toSet()));
        for (SecretProperties item : listed) {
            assertEquals(vault + "/secrets/" + item.getName(), item.getId(), "lists hold base ids");
            assertNull(item.getVersion());
            assertEquals(Map.of("name", item.getName()), item.getTags());
        }
        assertEquals(60, client.listPropertiesOfSecrets().stream().count());
    }

    private static Set<String> fill(SecretClient client, int count) {
        Set<String> names =
            IntStream.range(0, count).mapToObj("page-%02d"::formatted).collect(Collectors.toCollection(TreeSet::new));
        names.forEach(name -> client.setSecret(new KeyVaultSecret(name, "v")
            .setProperties(new SecretProperties().setTags(Map.of("name", name)))));
        return names;
    }

    @Test
    @Covers("S6")
    void thirtyVersionsAreTwoPages() {
        String name = unique("version-pages");
        Set<String> made =
            IntStream.range(0, 30).mapToObj(n -> set(name, "v" + n).getId()).collect(Collectors.toSet());
        List<List<SecretProperties>> pages = pages(SECRETS.listPropertiesOfSecretVersions(name));
        assertEquals(List.of(25, 5), sizes(pages));
        assertEquals(made, all(pages).stream().map(SecretProperties::getId).collect(Collectors.toSet()));
    }

    @Test
    @Covers("S5")
    void theListShowsTheLatestVersionAndDisabledSecrets() {
        String name = unique("listed");
        set(name, "1", new SecretProperties().setTags(Map.of("v", "1")));
        set(name, "2", new SecretProperties().setTags(Map.of("v", "2")).setEnabled(false).setContentType("text/plain"));
        SecretProperties item = SECRETS.listPropertiesOfSecrets().stream()
            .filter(one -> one.getName().equals(name)).findFirst().orElseThrow();
        assertEquals(Map.of("v", "2"), item.getTags());
        assertFalse(item.isEnabled());
        assertEquals("text/plain", item.getContentType());
    }

    @Test
    @Covers({"S2", "S7", "S8", "S10"})
    void deleteAndRecoverBringEveryVersionBack() {
        String name = unique("recover");
        KeyVaultSecret first = set(name, "1", new SecretProperties().setTags(Map.of("a", "b")));
        KeyVaultSecret second = set(name, "2", new SecretProperties().setContentType("text/plain"));
        DeletedSecret deleted = delete(SECRETS, name);
        assertEquals(name, deleted.getName());
        assertEquals(second.getId(), deleted.getId());
        assertEquals(Settings.VAULT + "/deletedsecrets/" + name, deleted.getRecoveryId());
        assertEquals(Duration.ofDays(90), Duration.between(deleted.getDeletedOn(), deleted.getScheduledPurgeDate()));
        SECRET_NOT_FOUND.of(() -> SECRETS.getSecret(name), "not found");
        SECRET_NOT_FOUND.of(() -> SECRETS.getSecret(name, first.getProperties().getVersion()));
        assertTrue(SECRETS.listPropertiesOfSecrets().stream().noneMatch(item -> item.getName().equals(name)));

        DeletedSecret shown = SECRETS.getDeletedSecret(name);
        assertEquals(deleted.getId(), shown.getId());
        assertEquals(deleted.getRecoveryId(), shown.getRecoveryId());
        assertEquals(deleted.getDeletedOn(), shown.getDeletedOn());
        List<DeletedSecret> listed =
            SECRETS.listDeletedSecrets().stream().filter(item -> item.getName().equals(name)).toList();
        assertEquals(1, listed.size());
        assertEquals(Settings.VAULT + "/secrets/" + name, listed.get(0).getId());
        assertEquals(deleted.getRecoveryId(), listed.get(0).getRecoveryId());

        assertEquals(second.getId(), recover(SECRETS, name).getId());
        assertEquals("2", SECRETS.getSecret(name).getValue());
        KeyVaultSecret old = SECRETS.getSecret(name, first.getProperties().getVersion());
        assertEquals("1", old.getValue());
        assertEquals(Map.of("a", "b"), old.getProperties().getTags());
        assertEquals(first.getProperties().getCreatedOn(), old.getProperties().getCreatedOn());
        SECRET_NOT_FOUND.of(() -> SECRETS.getDeletedSecret(name));
    }

    @Test
    @Covers({"S1", "S2", "S10"})
    void aDeletedNameIsTakenUntilItIsRecovered() {
        String name = unique("conflict");
        set(name, "v");
        delete(SECRETS, name);
        assertTrue(DELETED_NAME.of(() -> set(name, "v"), "deleted but recoverable").contains(name));
        SECRET_NOT_FOUND.of(() -> SECRETS.beginDeleteSecret(name).poll());
        recover(SECRETS, name);
        assertEquals("v2", set(name, "v2").getValue());
    }

    @Test
    @Covers({"S9", "S1"})
    void aPurgeIsTheEndAndTheNameIsFreeAgain() {
        String name = unique("purge");
        set(name, "gone");
        delete(SECRETS, name);
        SECRETS.purgeDeletedSecret(name);
        SECRET_NOT_FOUND.of(() -> SECRETS.getDeletedSecret(name));
        SECRET_NOT_FOUND.of(() -> SECRETS.purgeDeletedSecret(name));
        SECRET_NOT_FOUND.of(() -> SECRETS.getSecret(name));
        set(name, "again");
        assertEquals(1, SECRETS.listPropertiesOfSecretVersions(name).stream().count());
    }

    @Test
    @Covers({"S7", "S9"})
    void thirtyDeletedSecretsAreTwoPagesUntilTheyArePurged() {
        SecretClient client = Clients.secrets(freshVault("4"));
        Set<String> names = fill(client, 30);
        // The poller of one deletion is watched elsewhere; here the first request is enough.
        names.forEach(client::beginDeleteSecret);
        List<List<DeletedSecret>> pages = pages(client.listDeletedSecrets());
        assertEquals(List.of(25, 5), sizes(pages));
        assertEquals(names, all(pages).stream().map(DeletedSecret::getName).collect(Collectors.toSet()));
        names.forEach(client::purgeDeletedSecret);
        assertEquals(0, client.listDeletedSecrets().stream().count());
    }

    @Test
    @Covers({"S11", "S12"})
    void aBackupRestoresAllVersionsInAnotherVault() {
        SecretClient other = Clients.secrets(Clients.OTHER_VAULT);
        String name = unique("backup");
        SecretProperties first = set(name, "1", new SecretProperties().setTags(Map.of("a", "b"))).getProperties();
        SecretProperties second =
            set(name, "2", new SecretProperties().setContentType("text/plain").setExpiresOn(NOW.plusDays(5)))
                .getProperties();
        byte[] blob = SECRETS.backupSecret(name);
        assertTrue(blob.length > 64);
        KeyVaultSecret restored = other.restoreSecretBackup(blob);
        assertEquals(Clients.OTHER_VAULT + "/secrets/" + name + "/" + second.getVersion(), restored.getId());
        assertEquals("text/plain", restored.getProperties().getContentType());
        assertEquals(NOW.plusDays(5), restored.getProperties().getExpiresOn());
        KeyVaultSecret old = other.getSecret(name, first.getVersion());
        assertEquals("1", old.getValue());
        assertEquals(Map.of("a", "b"), old.getProperties().getTags());
        assertEquals(first.getCreatedOn(), old.getProperties().getCreatedOn());
        assertEquals(first.getUpdatedOn(), old.getProperties().getUpdatedOn());
        assertEquals("2", other.getSecret(name).getValue());
        CONFLICT.of(() -> SECRETS.restoreSecretBackup(blob));
    }

    @Test
    @Covers({"S11", "S12"})
    void aRestoreOverADeletedNameWaitsForThePurge() {
        String name = unique("restore");
        KeyVaultSecret made = set(name, "kept");
        byte[] blob = SECRETS.backupSecret(name);
        delete(SECRETS, name);
        DELETED_NAME.of(() -> SECRETS.restoreSecretBackup(blob));
        SECRETS.purgeDeletedSecret(name);
        assertEquals(made.getId(), SECRETS.restoreSecretBackup(blob).getId());
        assertEquals("kept", SECRETS.getSecret(name).getValue());
    }

    @Test
    @Covers({"S11", "S12"})
    void aChangedBackupIsRefused() {
        String name = unique("tamper");
        set(name, "secret in the blob");
        byte[] blob = SECRETS.backupSecret(name);
        assertFalse(new String(blob, StandardCharsets.ISO_8859_1).contains("secret in the blob"));
        SecretClient other = Clients.secrets(Clients.OTHER_VAULT);
        List<byte[]> changed = List.of(flip(blob, 0), flip(blob, blob.length / 2), flip(blob, blob.length - 1),
            Arrays.copyOf(blob, blob.length - 1), Arrays.copyOf(blob, 40), "nothing".getBytes(StandardCharsets.UTF_8));
        changed.forEach(bad -> BAD_PARAMETER.of(() -> other.restoreSecretBackup(bad)));
    }
}
