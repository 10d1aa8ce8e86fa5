package conformance;

import com.azure.security.keyvault.keys.models.ImportKeyOptions;
import com.azure.security.keyvault.keys.models.KeyOperation;
import com.azure.security.keyvault.keys.models.KeyVaultKey;
import java.security.GeneralSecurityException;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Consumer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

import static conformance.Clients.KEYS;
import static conformance.Clients.NOW;
import static conformance.Clients.flip;
import static conformance.Refusal.BAD_PARAMETER;
import static conformance.Refusal.forbidden;
import static conformance.Settings.randomBytes;
import static conformance.Settings.unique;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

/** What the server refuses to do with a key. */
final class CryptoRulesTest {
    private static final Map<KeyOperation, Consumer<Remote>> CALLS = Map.of(
        KeyOperation.ENCRYPT, key -> key.encrypt("RSA-OAEP", new byte[1]),
        KeyOperation.DECRYPT, key -> key.decrypt("RSA-OAEP", new byte[256]),
        KeyOperation.SIGN, key -> key.sign("RS256", new byte[32]),
        KeyOperation.VERIFY, key -> key.verify("RS256", new byte[32], new byte[256]),
        KeyOperation.WRAP_KEY, key -> key.wrap("RSA-OAEP", new byte[1]),
        KeyOperation.UNWRAP_KEY, key -> key.unwrap("RSA-OAEP", new byte[256]));

    @ParameterizedTest
    @MethodSource("conformance.CryptoTest#signers")
    @Covers({"K13", "K14"})
    void aDigestOfAnotherLengthIsRefused(String algorithm, String kind) throws GeneralSecurityException {
        Remote remote = new Remote(Shelf.created(kind));
        int length = Independent.digest(algorithm, "").length;
        for (int wrong : List.of(0, length - 1, length + 1, 100)) {
            BAD_PARAMETER.of(() -> remote.sign(algorithm, new byte[wrong]));
        }
        BAD_PARAMETER.of(() -> remote.verify(algorithm, new byte[length - 1], new byte[64]));
    }

    @ParameterizedTest
    @CsvSource({"P-384,ES256", "P-256,ES384", "P-256,ES256K", "P-256K,ES256", "P-256,RS256", "RSA-2048,ES256",
        "RSA-2048,RS1024"})
    @Covers("K13")
    void anAlgorithmOfAnotherKeyIsRefused(String kind, String algorithm) {
        int length = algorithm.equals("ES384") ? 48 : 32;
        BAD_PARAMETER.of(() -> new Remote(Shelf.created(kind)).sign(algorithm, new byte[length]));
    }

    @Test
    @Covers({"K11", "K15"})
    void anEncryptionThatTheKeyCannotDoIsRefused() {
        BAD_PARAMETER.of(() -> new Remote(Shelf.created("RSA-2048")).wrap("A128KW", new byte[16]));
        forbidden("KeyOperationForbidden")
            .of(() -> new Remote(Shelf.created("P-256")).encrypt("RSA-OAEP", new byte[1]));
    }

    @ParameterizedTest
    @ValueSource(strings = {"RSA-OAEP", "RSA-OAEP-256", "RSA1_5"})
    @Covers({"K12", "K16"})
    void damagedCiphertextsGetOneUniformRefusal(String algorithm) {
        Remote remote = new Remote(Shelf.created("RSA-2048"));
        byte[] box = remote.encrypt(algorithm, randomBytes(14));
        byte[] random = randomBytes(256);
        random[0] = 0;
        Set<String> messages = new HashSet<>();
        for (byte[] damaged : List.of(flip(box, 255), flip(box, 10), random)) {
            messages.add(BAD_PARAMETER.of(() -> remote.decrypt(algorithm, damaged)));
            BAD_PARAMETER.of(() -> remote.unwrap(algorithm, damaged));
        }
        assertEquals(1, messages.size(), "the message says nothing about the plaintext");
    }

    @ParameterizedTest
    @CsvSource({"1,2,KeyNotYetValid", "-2,-1,KeyExpired"})
    @Covers({"K3", "K5", "K11", "K12", "K13", "K14", "K15", "K16"})
    void outsideItsWindowAKeyOnlyReads(int from, int until, String inner) throws GeneralSecurityException {
        LocalKey local = LocalKey.shared("RSA-2048");
        KeyVaultKey key = KEYS.importKey(new ImportKeyOptions(unique("window"), local.jwk())
            .setNotBefore(NOW.plusDays(from)).setExpiresOn(NOW.plusDays(until)));
        Remote remote = new Remote(key);
        for (KeyOperation operation : List.of(KeyOperation.SIGN, KeyOperation.ENCRYPT, KeyOperation.WRAP_KEY)) {
            forbidden(inner).of(() -> CALLS.get(operation).accept(remote));
        }
        byte[] plain = randomBytes(7);
        byte[] box = Independent.encrypt(local.open(), "RSA-OAEP", plain);
        assertArrayEquals(plain, remote.decrypt("RSA-OAEP", box));
        assertArrayEquals(plain, remote.unwrap("RSA-OAEP", box));
        byte[] digest = Independent.digest("RS256", "window");
        byte[] signature = Independent.sign(local.secret(), "RS256", "window");
        assertTrue(remote.verify("RS256", digest, signature));

        Shelf.update(key, key.getProperties().setNotBefore(NOW.minusDays(1)).setExpiresOn(NOW.plusDays(1)));
        assertArrayEquals(signature, remote.sign("RS256", digest), "inside it, it signs as the local key does");
    }

    @Test
    @Covers({"K3", "K5", "K6", "K11", "K12", "K13", "K14", "K15", "K16"})
    void aDisabledKeyDoesNothingUntilItIsEnabledAgain() {
        KeyVaultKey key = KEYS.importKey(unique("disabled"), LocalKey.shared("RSA-2048").jwk());
        Shelf.update(key, key.getProperties().setEnabled(false));
        CALLS.values().forEach(call -> forbidden("KeyDisabled").of(() -> call.accept(new Remote(key)), "disabled"));
        assertFalse(KEYS.getKey(key.getName()).getProperties().isEnabled());
        Shelf.update(key, key.getProperties().setEnabled(true));
        assertEquals(256, new Remote(key).sign("RS256", new byte[32]).length);
    }

    static Set<KeyOperation> operations() {
        return CALLS.keySet();
    }

    @ParameterizedTest
    @MethodSource("operations")
    @Covers({"K3", "K11", "K12", "K13", "K14", "K15", "K16"})
    void anOperationThatTheKeyDoesNotListIsForbidden(KeyOperation operation) {
        List<KeyOperation> others = LocalKey.RSA_OPERATIONS.stream().filter(other -> !other.equals(operation)).toList();
        KeyVaultKey key = KEYS.importKey(unique("ops"), LocalKey.shared("RSA-2048").jwk(others));
        forbidden("KeyOperationForbidden").of(() -> CALLS.get(operation).accept(new Remote(key)),
            "operation " + operation + " is not permitted");
    }
}
