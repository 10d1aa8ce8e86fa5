package conformance;

import com.azure.security.keyvault.secrets.SecretAsyncClient;
import com.azure.security.keyvault.secrets.models.DeletedSecret;
import com.azure.security.keyvault.secrets.models.KeyVaultSecret;
import com.azure.security.keyvault.secrets.models.SecretProperties;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import reactor.core.publisher.Flux;

import static conformance.Clients.finished;
import static conformance.Refusal.BAD_PARAMETER;
import static conformance.Refusal.DELETED_NAME;
import static conformance.Refusal.SECRET_NOT_FOUND;
import static conformance.Settings.unique;
import static org.junit.jupiter.api.Assertions.assertEquals;

/** The twelve secret operations once more, through SecretAsyncClient. */
final class AsyncSecretsTest {
    private static final SecretAsyncClient CLIENT = Clients.secretsAsync(Settings.VAULT);

    @Test
    @Covers({"S1", "S3", "S4", "S6"})
    void aSecretIsSetReadAndChanged() {
        String name = unique("async");
        KeyVaultSecret made = CLIENT.setSecret(name, "Grüße, 東京, 🔐").block();
        assertEquals("Grüße, 東京, 🔐", CLIENT.getSecret(name).block().getValue());
        SecretProperties changed =
            CLIENT.updateSecretProperties(made.getProperties().setTags(Map.of("a", "b"))).block();
        assertEquals(Map.of("a", "b"), changed.getTags());
        assertEquals(made.getId(), CLIENT.listPropertiesOfSecretVersions(name).blockLast().getId());
    }

    @Test
    @Covers({"S1", "S5"})
    void thirtySecretsSetAtOnceAreTwoPages() {
        SecretAsyncClient client = Clients.secretsAsync(Settings.freshVault("6"));
        List<String> names = IntStream.range(0, 30).mapToObj("page-%02d"::formatted).toList();
        Flux.fromIterable(names).flatMap(name -> client.setSecret(name, "value of " + name)).blockLast();
        List<Integer> pages =
            client.listPropertiesOfSecrets().byPage().map(page -> page.getValue().size()).collectList().block();
        assertEquals(List.of(25, 5), pages);
        assertEquals(names,
            client.listPropertiesOfSecrets().map(SecretProperties::getName).sort().collectList().block());
    }

    @Test
    @Covers({"S2", "S7", "S8", "S10"})
    void aSecretIsDeletedAndRecovered() {
        String name = unique("async-recover");
        KeyVaultSecret made = CLIENT.setSecret(name, "kept").block();
        DeletedSecret deleted = finished(CLIENT.beginDeleteSecret(name).getSyncPoller());
        assertEquals(made.getId(), deleted.getId());
        assertEquals(deleted.getRecoveryId(), CLIENT.getDeletedSecret(name).block().getRecoveryId());
        assertEquals(1, CLIENT.listDeletedSecrets().filter(item -> item.getName().equals(name)).count().block());
        DELETED_NAME.of(() -> CLIENT.setSecret(name, "v").block(), "deleted but recoverable");
        finished(CLIENT.beginRecoverDeletedSecret(name).getSyncPoller());
        assertEquals("kept", CLIENT.getSecret(name).block().getValue());
    }

    @Test
    @Covers({"S2", "S9", "S11", "S12"})
    void aSecretIsBackedUpPurgedAndRestored() {
        String name = unique("async-backup");
        KeyVaultSecret made = CLIENT.setSecret(name, "kept").block();
        byte[] blob = CLIENT.backupSecret(name).block();
        finished(CLIENT.beginDeleteSecret(name).getSyncPoller());
        CLIENT.purgeDeletedSecret(name).block();
        SECRET_NOT_FOUND.of(() -> CLIENT.getDeletedSecret(name).block());
        assertEquals(made.getId(), CLIENT.restoreSecretBackup(blob).block().getId());
        assertEquals("kept", CLIENT.getSecret(name).block().getValue());
    }

    @Test
    @Covers({"S1", "S4"})
    void theErrorsHaveTheSameClasses() {
        SECRET_NOT_FOUND.of(() -> CLIENT.getSecret(unique("none")).block());
        BAD_PARAMETER.of(() -> CLIENT.setSecret("bad_name", "v").block());
        String name = unique("async-disabled");
        CLIENT.setSecret(new KeyVaultSecret(name, "v").setProperties(new SecretProperties().setEnabled(false))).block();
        Refusal.forbidden("SecretDisabled").of(() -> CLIENT.getSecret(name).block());
    }
}
