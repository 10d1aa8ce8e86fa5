package conformance;

import com.azure.security.keyvault.keys.cryptography.CryptographyClient;
import com.azure.security.keyvault.keys.cryptography.CryptographyClientBuilder;
import com.azure.security.keyvault.keys.cryptography.models.EncryptionAlgorithm;
import com.azure.security.keyvault.keys.cryptography.models.KeyWrapAlgorithm;
import com.azure.security.keyvault.keys.cryptography.models.SignResult;
import com.azure.security.keyvault.keys.cryptography.models.SignatureAlgorithm;
import com.azure.security.keyvault.keys.models.KeyVaultKey;
import java.net.URI;
import java.util.function.Supplier;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

/** A key whose operations all happen at the server: the package's own switch says so, and each call is seen. */
final class Remote {
    private final String id;
    private final Wire wire = new Wire();
    private final CryptographyClient client;

    Remote(KeyVaultKey key) {
        id = key.getId();
        client = new CryptographyClientBuilder().keyIdentifier(id).credential(Clients.CREDENTIAL)
            .disableKeyCaching().addPolicy(wire).buildClient();
    }

    byte[] encrypt(String algorithm, byte[] plain) {
        var result = sent("encrypt", () -> client.encrypt(EncryptionAlgorithm.fromString(algorithm), plain));
        assertEquals(id, result.getKeyId());
        return result.getCipherText();
    }

    byte[] decrypt(String algorithm, byte[] box) {
        return sent("decrypt", () -> client.decrypt(EncryptionAlgorithm.fromString(algorithm), box)).getPlainText();
    }

    byte[] sign(String algorithm, byte[] digest) {
        SignResult result = sent("sign", () -> client.sign(SignatureAlgorithm.fromString(algorithm), digest));
        assertEquals(id, result.getKeyId());
        assertEquals(algorithm, result.getAlgorithm().toString());
        return result.getSignature();
    }

    boolean verify(String algorithm, byte[] digest, byte[] signature) {
        return sent("verify", () -> client.verify(SignatureAlgorithm.fromString(algorithm), digest, signature))
            .isValid();
    }

    byte[] wrap(String algorithm, byte[] secret) {
        var result = sent("wrapkey", () -> client.wrapKey(KeyWrapAlgorithm.fromString(algorithm), secret));
        assertEquals(id, result.getKeyId());
        return result.getEncryptedKey();
    }

    byte[] unwrap(String algorithm, byte[] box) {
        return sent("unwrapkey", () -> client.unwrapKey(KeyWrapAlgorithm.fromString(algorithm), box)).getKey();
    }

    private <T> T sent(String operation, Supplier<T> call) {
        String path = URI.create(id).getPath() + "/" + operation;
        long before = wire.count("POST", path);
        T result = call.get();
        assertTrue(wire.count("POST", path) > before, operation + " went to the server");
        return result;
    }
}
