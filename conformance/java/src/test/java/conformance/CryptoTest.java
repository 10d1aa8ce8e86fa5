package conformance;

import com.azure.security.keyvault.keys.cryptography.CryptographyClient;
import com.azure.security.keyvault.keys.cryptography.models.EncryptionAlgorithm;
import com.azure.security.keyvault.keys.cryptography.models.KeyWrapAlgorithm;
import com.azure.security.keyvault.keys.cryptography.models.SignResult;
import com.azure.security.keyvault.keys.cryptography.models.SignatureAlgorithm;
import com.azure.security.keyvault.keys.models.KeyVaultKey;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.PublicKey;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

import static conformance.Clients.flip;
import static conformance.Settings.randomBytes;
import static conformance.Settings.unique;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

/** Every algorithm, by the server on one side and by an independent library on the other. */
final class CryptoTest {
    private static final String MESSAGE = "signed by one, verified by the other";

    /** Each signature algorithm with a kind of key that it fits. */
    static Stream<Arguments> signers() {
        return Stream.concat(
            Independent.RSA_SIGNATURES.stream().map(algorithm -> Arguments.of(algorithm, "RSA-2048")),
            Independent.CURVES.stream().map(curve -> Arguments.of(Independent.signatureOf(curve), curve)));
    }

    static Stream<Arguments> signersOfAllSizes() {
        Stream<Arguments> larger = Stream.of("RSA-3072", "RSA-4096").flatMap(kind ->
            Stream.of("RS256", "PS256", "PS512").map(algorithm -> Arguments.of(algorithm, kind)));
        return Stream.concat(signers(), larger);
    }

    static List<String> encryptions() {
        return Independent.ENCRYPTIONS;
    }

    @ParameterizedTest
    @MethodSource("signersOfAllSizes")
    @Covers({"K13", "K14"})
    void theServersSignatureIsGoodAndNoChangedOneIs(String algorithm, String kind) throws GeneralSecurityException {
        KeyVaultKey key = Shelf.created(kind);
        PublicKey open = Independent.publicKey(key.getKey());
        Remote remote = new Remote(key);
        byte[] digest = Independent.digest(algorithm, MESSAGE);
        byte[] signature = remote.sign(algorithm, digest);
        assertTrue(Independent.verifies(open, algorithm, MESSAGE, signature));
        assertFalse(Independent.verifies(open, algorithm, "another message", signature));
        assertTrue(remote.verify(algorithm, digest, signature));
        assertFalse(remote.verify(algorithm, digest, flip(signature, signature.length - 1)));
        assertFalse(remote.verify(algorithm, flip(digest, 0), signature));
        assertFalse(remote.verify(algorithm, digest, Arrays.copyOf(signature, signature.length - 1)));
    }

    @ParameterizedTest
    @ValueSource(strings = {"P-256", "P-384", "P-521", "P-256K"})
    @Covers("K13")
    void anEcSignatureIsTwoNumbersOfFixedLength(String curve) throws GeneralSecurityException {
        String algorithm = Independent.signatureOf(curve);
        Remote remote = new Remote(Shelf.created(curve));
        byte[] signature = remote.sign(algorithm, Independent.digest(algorithm, MESSAGE));
        assertEquals(2 * Independent.coordinate(curve), signature.length);
    }

    @ParameterizedTest
    @MethodSource("signers")
    @Covers({"K3", "K14"})
    void theServerVerifiesSignaturesMadeElsewhere(String algorithm, String kind) throws GeneralSecurityException {
        Remote remote = new Remote(Shelf.imported(kind));
        byte[] digest = Independent.digest(algorithm, MESSAGE);
        byte[] signature = Independent.sign(LocalKey.shared(kind).secret(), algorithm, MESSAGE);
        assertTrue(remote.verify(algorithm, digest, signature));
        assertFalse(remote.verify(algorithm, digest, flip(signature, 5)));
        assertFalse(remote.verify(algorithm, digest, new byte[signature.length]));
    }

    @ParameterizedTest
    @MethodSource("encryptions")
    @Covers({"K11", "K12"})
    void whatOneEncryptsTheOtherDecrypts(String algorithm) throws GeneralSecurityException {
        LocalKey local = LocalKey.shared("RSA-2048");
        Remote remote = new Remote(Shelf.imported("RSA-2048"));
        for (byte[] plain : List.of(new byte[] {'x'}, new byte[] {0, 'l', 'e', 'a', 'd'}, randomBytes(64))) {
            byte[] there = remote.encrypt(algorithm, plain);
            assertEquals(256, there.length);
            assertArrayEquals(plain, Independent.decrypt(local.secret(), algorithm, there));
            assertArrayEquals(plain, remote.decrypt(algorithm, there));
            byte[] here = Independent.encrypt(local.open(), algorithm, plain);
            assertArrayEquals(plain, remote.decrypt(algorithm, here));
        }
    }

    @ParameterizedTest
    @MethodSource("encryptions")
    @Covers({"K15", "K16"})
    void whatOneWrapsTheOtherUnwraps(String algorithm) throws GeneralSecurityException {
        LocalKey local = LocalKey.shared("RSA-2048");
        Remote remote = new Remote(Shelf.imported("RSA-2048"));
        byte[] secret = randomBytes(32);
        byte[] there = remote.wrap(algorithm, secret);
        assertArrayEquals(secret, Independent.decrypt(local.secret(), algorithm, there));
        assertArrayEquals(secret, remote.unwrap(algorithm, there));
        assertArrayEquals(secret, remote.unwrap(algorithm, Independent.encrypt(local.open(), algorithm, secret)));
    }

    @ParameterizedTest
    @ValueSource(ints = {2048, 3072, 4096})
    @Covers({"K11", "K12", "K15", "K16"})
    void everySizeTakesAsMuchAsItCan(int size) {
        Remote remote = new Remote(Shelf.created("RSA-" + size));
        for (String algorithm : Independent.ENCRYPTIONS) {
            int overhead = switch (algorithm) {
                case "RSA-OAEP" -> 42;
                case "RSA-OAEP-256" -> 66;
                default -> 11;
            };
            byte[] largest = randomBytes(size / 8 - overhead);
            assertArrayEquals(largest, remote.decrypt(algorithm, remote.encrypt(algorithm, largest)));
            assertArrayEquals(largest, remote.unwrap(algorithm, remote.wrap(algorithm, largest)));
            Refusal.BAD_PARAMETER.of(() -> remote.encrypt(algorithm, new byte[largest.length + 1]));
        }
    }

    /** The package's ordinary way: public operations here, private ones there. */
    @Test
    @Covers({"K12", "K13", "K16"})
    void whatThePackageDoesLocallyTheServerUnderstands() throws GeneralSecurityException {
        byte[] plain = "x".getBytes(StandardCharsets.UTF_8);
        CryptographyClient rsa = ordinaryClient(Shelf.created("RSA-2048"));
        byte[] box = rsa.encrypt(EncryptionAlgorithm.RSA_OAEP_256, plain).getCipherText();
        assertArrayEquals(plain, rsa.decrypt(EncryptionAlgorithm.RSA_OAEP_256, box).getPlainText());
        byte[] wrapped = rsa.wrapKey(KeyWrapAlgorithm.RSA_OAEP, plain).getEncryptedKey();
        assertArrayEquals(plain, rsa.unwrapKey(KeyWrapAlgorithm.RSA_OAEP, wrapped).getKey());
        CryptographyClient ec = ordinaryClient(Shelf.created("P-256"));
        byte[] signature = ec.signData(SignatureAlgorithm.ES256, plain).getSignature();
        assertTrue(ec.verifyData(SignatureAlgorithm.ES256, plain, signature).isValid());
        byte[] digest = Independent.digest("PS384", MESSAGE);
        SignResult result = rsa.sign(SignatureAlgorithm.PS384, digest);
        assertTrue(new Remote(Shelf.created("RSA-2048")).verify("PS384", digest, result.getSignature()));
    }

    private static CryptographyClient ordinaryClient(KeyVaultKey key) {
        return Clients.KEYS.getCryptographyClient(key.getName(), key.getProperties().getVersion());
    }

    @Test
    @Covers({"K6", "K13"})
    void aClientOfAKeyWithoutAVersionUsesTheLatest() throws GeneralSecurityException {
        String name = unique("latest");
        Shelf.createEc(name);
        KeyVaultKey latest = Shelf.createEc(name);
        SignResult result = Clients.KEYS.getCryptographyClient(name)
            .sign(SignatureAlgorithm.ES256, Independent.digest("ES256", MESSAGE));
        assertEquals(latest.getId(), result.getKeyId());
        PublicKey open = Independent.publicKey(latest.getKey());
        assertTrue(Independent.verifies(open, "ES256", MESSAGE, result.getSignature()));
    }
}
