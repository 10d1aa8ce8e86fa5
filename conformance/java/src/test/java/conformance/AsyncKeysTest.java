package conformance;

import com.azure.security.keyvault.keys.KeyAsyncClient;
import com.azure.security.keyvault.keys.cryptography.CryptographyAsyncClient;
import com.azure.security.keyvault.keys.cryptography.CryptographyClientBuilder;
import com.azure.security.keyvault.keys.cryptography.models.EncryptionAlgorithm;
import com.azure.security.keyvault.keys.cryptography.models.KeyWrapAlgorithm;
import com.azure.security.keyvault.keys.cryptography.models.SignatureAlgorithm;
import com.azure.security.keyvault.keys.models.CreateEcKeyOptions;
import com.azure.security.keyvault.keys.models.DeletedKey;
import com.azure.security.keyvault.keys.models.KeyOperation;
import com.azure.security.keyvault.keys.models.KeyProperties;
import com.azure.security.keyvault.keys.models.KeyRotationLifetimeAction;
import com.azure.security.keyvault.keys.models.KeyRotationPolicy;
import com.azure.security.keyvault.keys.models.KeyRotationPolicyAction;
import com.azure.security.keyvault.keys.models.KeyType;
import com.azure.security.keyvault.keys.models.KeyVaultKey;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import reactor.core.publisher.Flux;

import static conformance.Clients.finished;
import static conformance.Refusal.BAD_PARAMETER;
import static conformance.Refusal.DELETED_NAME;
import static conformance.Refusal.KEY_NOT_FOUND;
import static conformance.Settings.unique;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

/** The twenty-two key operations once more, through KeyAsyncClient and CryptographyAsyncClient. */
final class AsyncKeysTest {
    private static final KeyAsyncClient CLIENT = Clients.keysAsync(Settings.VAULT);

    @Test
    @Covers({"K1", "K5", "K6", "K7"})
    void aKeyIsMadeReadAndChanged() {
        String name = unique("async");
        KeyVaultKey made = CLIENT.createKey(name, KeyType.EC).block();
        assertArrayEquals(made.getKey().getX(), CLIENT.getKey(name).block().getKey().getX());
        KeyVaultKey changed = CLIENT.updateKeyProperties(made.getProperties(), KeyOperation.VERIFY).block();
        assertEquals(List.of(KeyOperation.VERIFY), changed.getKeyOperations());
        assertEquals(made.getId(), CLIENT.listPropertiesOfKeyVersions(name).blockLast().getId());
    }

    @Test
    @Covers({"K1", "K8"})
    void thirtyKeysMadeAtOnceAreTwoPages() {
        KeyAsyncClient client = Clients.keysAsync(Settings.freshVault("7"));
        List<String> names = IntStream.range(0, 30).mapToObj("key-%02d"::formatted).toList();
        Flux.fromIterable(names).flatMap(name -> client.createEcKey(new CreateEcKeyOptions(name))).blockLast();
        List<Integer> pages =
            client.listPropertiesOfKeys().byPage().map(page -> page.getValue().size()).collectList().block();
        assertEquals(List.of(25, 5), pages);
        assertEquals(names, client.listPropertiesOfKeys().map(KeyProperties::getName).sort().collectList().block());
    }

    @Test
    @Covers({"K4", "K18", "K19", "K21"})
    void aKeyIsDeletedAndRecovered() {
        String name = unique("async-recover");
        KeyVaultKey made = CLIENT.createKey(name, KeyType.EC).block();
        DeletedKey deleted = finished(CLIENT.beginDeleteKey(name).getSyncPoller());
        assertEquals(made.getId(), deleted.getId());
        assertEquals(deleted.getRecoveryId(), CLIENT.getDeletedKey(name).block().getRecoveryId());
        assertEquals(1, CLIENT.listDeletedKeys().filter(item -> item.getName().equals(name)).count().block());
        DELETED_NAME.of(() -> CLIENT.createKey(name, KeyType.EC).block(), "deleted but recoverable");
        assertEquals(made.getId(), finished(CLIENT.beginRecoverDeletedKey(name).getSyncPoller()).getId());
        assertEquals(made.getId(), CLIENT.getKey(name).block().getId());
    }

    @Test
    @Covers({"K4", "K9", "K10", "K20"})
    void aKeyIsBackedUpPurgedAndRestored() {
        String name = unique("async-backup");
        KeyVaultKey made = CLIENT.createKey(name, KeyType.EC).block();
        byte[] blob = CLIENT.backupKey(name).block();
        finished(CLIENT.beginDeleteKey(name).getSyncPoller());
        CLIENT.purgeDeletedKey(name).block();
        KEY_NOT_FOUND.of(() -> CLIENT.getDeletedKey(name).block());
        assertEquals(made.getId(), CLIENT.restoreKeyBackup(blob).block().getId());
    }

    @Test
    @Covers({"K2", "K22", "K23"})
    void aKeyIsRotatedByItsPolicy() {
        String name = unique("async-rotate");
        KeyVaultKey first = CLIENT.createKey(name, KeyType.EC).block();
        KeyRotationLifetimeAction action =
            new KeyRotationLifetimeAction(KeyRotationPolicyAction.ROTATE).setTimeAfterCreate("P30D");
        CLIENT.updateKeyRotationPolicy(name,
            new KeyRotationPolicy().setExpiresIn("P90D").setLifetimeActions(List.of(action))).block();
        assertEquals("P90D", CLIENT.getKeyRotationPolicy(name).block().getExpiresIn());
        KeyVaultKey second = CLIENT.rotateKey(name).block();
        assertNotEquals(first.getId(), second.getId());
        assertEquals(second.getProperties().getCreatedOn().plusDays(90), second.getProperties().getExpiresOn());
    }

    @Test
    @Covers({"K3", "K11", "K12", "K13", "K14", "K15", "K16"})
    void anImportedKeyDoesAllThatAKeyDoes() throws GeneralSecurityException {
        LocalKey local = LocalKey.shared("RSA-2048");
        KeyVaultKey key = CLIENT.importKey(unique("async-import"), local.jwk()).block();
        Wire wire = new Wire();
        CryptographyAsyncClient remote = new CryptographyClientBuilder().keyIdentifier(key.getId())
            .credential(Clients.CREDENTIAL).disableKeyCaching().addPolicy(wire).buildAsyncClient();
        byte[] plain = "x".getBytes(StandardCharsets.UTF_8);
        byte[] digest = Independent.digest("PS256", "async");

        byte[] signature = remote.sign(SignatureAlgorithm.PS256, digest).block().getSignature();
        assertTrue(Independent.verifies(local.open(), "PS256", "async", signature));
        byte[] mine = Independent.sign(local.secret(), "PS256", "async");
        assertTrue(remote.verify(SignatureAlgorithm.PS256, digest, mine).block().isValid());
        byte[] box = remote.encrypt(EncryptionAlgorithm.RSA_OAEP_256, plain).block().getCipherText();
        assertArrayEquals(plain, Independent.decrypt(local.secret(), "RSA-OAEP-256", box));
        assertArrayEquals(plain, remote.decrypt(EncryptionAlgorithm.RSA_OAEP_256, box).block().getPlainText());
        byte[] wrapped = remote.wrapKey(KeyWrapAlgorithm.RSA_OAEP_256, plain).block().getEncryptedKey();
        assertArrayEquals(plain, Independent.decrypt(local.secret(), "RSA-OAEP-256", wrapped));
        assertArrayEquals(plain, remote.unwrapKey(KeyWrapAlgorithm.RSA_OAEP_256, wrapped).block().getKey());

        String path = URI.create(key.getId()).getPath();
        for (String operation : List.of("sign", "verify", "encrypt", "decrypt", "wrapkey", "unwrapkey")) {
            assertTrue(wire.count("POST", path + "/" + operation) > 0, operation + " went to the server");
        }
    }

    @Test
    @Covers({"K1", "K6"})
    void theErrorsHaveTheSameClasses() {
        KEY_NOT_FOUND.of(() -> CLIENT.getKey(unique("none")).block());
        BAD_PARAMETER.of(() -> CLIENT.createKey("bad_name", KeyType.EC).block());
    }
}
