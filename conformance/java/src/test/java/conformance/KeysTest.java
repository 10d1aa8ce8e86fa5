package conformance;

import com.azure.security.keyvault.keys.models.CreateEcKeyOptions;
import com.azure.security.keyvault.keys.models.CreateKeyOptions;
import com.azure.security.keyvault.keys.models.CreateRsaKeyOptions;
import com.azure.security.keyvault.keys.models.ImportKeyOptions;
import com.azure.security.keyvault.keys.models.JsonWebKey;
import com.azure.security.keyvault.keys.models.KeyCurveName;
import com.azure.security.keyvault.keys.models.KeyOperation;
import com.azure.security.keyvault.keys.models.KeyProperties;
import com.azure.security.keyvault.keys.models.KeyType;
import com.azure.security.keyvault.keys.models.KeyVaultKey;
import java.security.GeneralSecurityException;
import java.security.interfaces.RSAPublicKey;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

import static conformance.Clients.KEYS;
import static conformance.Clients.NOW;
import static conformance.Settings.unique;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

/** Making, importing, reading and changing keys through KeyClient. */
final class KeysTest {
    @ParameterizedTest
    @ValueSource(ints = {2048, 3072, 4096})
    @Covers({"K1", "K6"})
    void anRsaKeyOfEverySizeIsMade(int size) throws GeneralSecurityException {
        KeyVaultKey made = Shelf.created("RSA-" + size);
        RSAPublicKey open = (RSAPublicKey) Independent.publicKey(made.getKey());
        assertEquals(size, open.getModulus().bitLength());
        assertEquals(65537, open.getPublicExponent().intValueExact());
        assertEquals(KeyType.RSA, made.getKeyType());
        assertEquals(Set.copyOf(LocalKey.RSA_OPERATIONS), Set.copyOf(made.getKeyOperations()));
        KeyProperties properties = made.getProperties();
        assertEquals(Settings.VAULT + "/keys/" + made.getName() + "/" + properties.getVersion(), made.getId());
        assertEquals(made.getId(), made.getKey().getId());
        assertTrue(properties.getVersion().matches("[0-9a-f]{32}"));
        assertTrue(properties.isEnabled());
        assertNotEquals(true, properties.isManaged());
        assertNotEquals(true, properties.isExportable());
        assertEquals("Recoverable+Purgeable", properties.getRecoveryLevel());
        assertEquals(90, properties.getRecoverableDays());
        assertEquals("0", properties.getHsmPlatform());
        assertArrayEquals(made.getKey().getN(), KEYS.getKey(made.getName()).getKey().getN());
        assertEquals(made.getId(), KEYS.getKey(made.getName(), properties.getVersion()).getId());
    }

    @ParameterizedTest
    @ValueSource(strings = {"P-256", "P-384", "P-521", "P-256K"})
    @Covers({"K1", "K6"})
    void anEcKeyOfEveryCurveIsMade(String curve) throws GeneralSecurityException {
        KeyVaultKey made = Shelf.created(curve);
        assertEquals(KeyType.EC, made.getKeyType());
        assertEquals(KeyCurveName.fromString(curve), made.getKey().getCurveName());
        assertEquals(Set.copyOf(LocalKey.EC_OPERATIONS), Set.copyOf(made.getKeyOperations()));
        assertEquals(Independent.publicKey(made.getKey()),
            Independent.publicKey(KEYS.getKey(made.getName()).getKey()));
    }

    @Test
    @Covers("K1")
    void aKeyWithNothingButATypeGetsTheUsualSize() throws GeneralSecurityException {
        KeyVaultKey rsa = KEYS.createKey(unique("plain"), KeyType.RSA);
        assertEquals(2048, ((RSAPublicKey) Independent.publicKey(rsa.getKey())).getModulus().bitLength());
        assertEquals(KeyCurveName.P_256, KEYS.createKey(unique("plain"), KeyType.EC).getKey().getCurveName());
    }

    @Test
    @Covers({"K1", "K6"})
    void aKeyKeepsEverythingItWasMadeWith() {
        String name = unique("full");
        KEYS.createRsaKey(new CreateRsaKeyOptions(name).setKeySize(2048)
            .setKeyOperations(KeyOperation.SIGN, KeyOperation.VERIFY).setEnabled(false)
            .setTags(Map.of("team", "payments")).setNotBefore(NOW.minusDays(1)).setExpiresOn(NOW.plusDays(1)));
        KeyVaultKey got = KEYS.getKey(name);
        assertEquals(Set.copyOf(LocalKey.EC_OPERATIONS), Set.copyOf(got.getKeyOperations()));
        assertFalse(got.getProperties().isEnabled());
        assertEquals(Map.of("team", "payments"), got.getProperties().getTags());
        assertEquals(NOW.minusDays(1), got.getProperties().getNotBefore());
        assertEquals(NOW.plusDays(1), got.getProperties().getExpiresOn());
        assertFalse(got.getProperties().getUpdatedOn().isBefore(got.getProperties().getCreatedOn()));
    }

    @Test
    @Covers({"K1", "K6", "K7"})
    void makingAKeyAgainIsANewVersionThatMayChangeItsType() {
        String name = unique("again");
        KeyVaultKey first = KEYS.createRsaKey(new CreateRsaKeyOptions(name).setTags(Map.of("a", "b")));
        KeyVaultKey second = Shelf.createEc(name);
        assertTrue(second.getProperties().getTags() == null || second.getProperties().getTags().isEmpty());
        assertEquals(second.getId(), KEYS.getKey(name).getId());
        KeyVaultKey old = KEYS.getKey(name, first.getProperties().getVersion());
        assertArrayEquals(first.getKey().getN(), old.getKey().getN());
        List<KeyProperties> versions = KEYS.listPropertiesOfKeyVersions(name).stream().toList();
        assertEquals(Set.of(first.getId(), second.getId()),
            versions.stream().map(KeyProperties::getId).collect(Collectors.toSet()));
        assertTrue(versions.stream().allMatch(version -> version.getName().equals(name)));
    }

    @Test
    @Covers({"K5", "K6"})
    void anUpdateChangesOnlyWhatIsNamed() {
        String name = unique("update");
        KeyVaultKey made = KEYS.createRsaKey(new CreateRsaKeyOptions(name).setTags(Map.of("a", "1")));
        KeyVaultKey first = Shelf.update(made, made.getProperties().setExpiresOn(NOW.plusDays(9)));
        assertEquals(Map.of("a", "1"), first.getProperties().getTags());
        assertEquals(Set.copyOf(LocalKey.RSA_OPERATIONS), Set.copyOf(first.getKeyOperations()));
        KeyVaultKey second =
            KEYS.updateKeyProperties(first.getProperties().setTags(Map.of("b", "2")), KeyOperation.VERIFY);
        assertEquals(List.of(KeyOperation.VERIFY), second.getKeyOperations());
        assertEquals(Map.of("b", "2"), second.getProperties().getTags());
        assertEquals(NOW.plusDays(9), second.getProperties().getExpiresOn());
        assertArrayEquals(made.getKey().getN(), second.getKey().getN());
        KeyVaultKey third = Shelf.update(second, second.getProperties().setEnabled(false));
        assertFalse(third.getProperties().isEnabled());
        assertEquals(made.getId(), third.getId());
        assertEquals(List.of(KeyOperation.VERIFY), KEYS.getKey(name).getKeyOperations());
    }

    @Test
    @Covers({"K5", "K8"})
    void anUpdateWithoutAVersionMeansTheLatest() {
        String name = unique("update-latest");
        KeyVaultKey old = Shelf.createEc(name);
        KeyVaultKey latest = Shelf.createEc(name);
        KeyProperties listed = KEYS.listPropertiesOfKeys().stream()
            .filter(item -> item.getName().equals(name)).findFirst().orElseThrow();
        assertEquals(latest.getId(), KEYS.updateKeyProperties(listed.setTags(Map.of("latest", "yes"))).getId());
        Map<String, String> tags = KEYS.getKey(name, old.getProperties().getVersion()).getProperties().getTags();
        assertTrue(tags == null || tags.isEmpty());
    }

    @ParameterizedTest
    @ValueSource(strings = {"RSA-2048", "RSA-3072", "RSA-4096", "P-256", "P-384", "P-521", "P-256K"})
    @Covers({"K3", "K13", "K14"})
    void anImportedKeySignsAsTheLocalKeyDoes(String kind) throws GeneralSecurityException {
        LocalKey local = LocalKey.shared(kind);
        KeyVaultKey imported = Shelf.imported(kind);
        assertTrue(imported.getId().startsWith(Settings.VAULT + "/keys/mine-" + kind));
        assertTrue(LocalKey.isRsa(kind)
            ? ((RSAPublicKey) local.open()).getModulus()
                .equals(((RSAPublicKey) Independent.publicKey(imported.getKey())).getModulus())
            : Arrays.equals(local.jwk().getX(), imported.getKey().getX()));
        Remote remote = new Remote(imported);
        List<String> algorithms =
            LocalKey.isRsa(kind) ? List.of("RS256", "PS512") : List.of(Independent.signatureOf(kind));
        for (String algorithm : algorithms) {
            byte[] digest = Independent.digest(algorithm, "imported");
            byte[] theirs = remote.sign(algorithm, digest);
            assertTrue(Independent.verifies(local.open(), algorithm, "imported", theirs));
            assertTrue(remote.verify(algorithm, digest, Independent.sign(local.secret(), algorithm, "imported")));
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"RSA-2048", "P-256", "P-384", "P-521", "P-256K"})
    @Covers({"K3", "K13"})
    void aKeyAsThePackageConvertsItIsImported(String kind) throws GeneralSecurityException {
        LocalKey local = LocalKey.shared(kind);
        JsonWebKey jwk = LocalKey.isRsa(kind)
            ? JsonWebKey.fromRsa(local.pair(), LocalKey.RSA_OPERATIONS)
            : JsonWebKey.fromEc(local.pair(), Independent.providerOf(kind), LocalKey.EC_OPERATIONS);
        KeyVaultKey imported = KEYS.importKey(unique("converted"), jwk);
        String algorithm = LocalKey.isRsa(kind) ? "PS256" : Independent.signatureOf(kind);
        byte[] signature = new Remote(imported).sign(algorithm, Independent.digest(algorithm, "converted"));
        assertTrue(Independent.verifies(local.open(), algorithm, "converted", signature));
    }

    @Test
    @Covers({"K3", "K6"})
    void anImportOverAnActiveNameIsANewVersion() {
        String name = unique("import-again");
        KeyVaultKey first = Shelf.createEc(name);
        JsonWebKey jwk = LocalKey.shared("P-256").jwk(List.of(KeyOperation.SIGN));
        ImportKeyOptions options =
            new ImportKeyOptions(name, jwk).setEnabled(false).setExpiresOn(NOW.plusDays(3));
        options.setTags(Map.of("from", "here"));
        KeyVaultKey second = KEYS.importKey(options);
        assertEquals(List.of(KeyOperation.SIGN), second.getKeyOperations());
        assertFalse(second.getProperties().isEnabled());
        assertEquals(NOW.plusDays(3), second.getProperties().getExpiresOn());
        assertEquals(Map.of("from", "here"), second.getProperties().getTags());
        assertEquals(second.getId(), KEYS.getKey(name).getId());
        assertNotEquals(first.getId(), second.getId());
    }

    @Test
    @Covers({"K1", "K6"})
    void namesIgnoreCaseAndKeepTheFirstSpelling() {
        String name = unique("Signing-KEY");
        KeyVaultKey made = Shelf.createEc(name);
        String version = made.getProperties().getVersion().toUpperCase();
        assertEquals(made.getId(), KEYS.getKey(name.toLowerCase(), version).getId());
        KeyVaultKey again = KEYS.createEcKey(new CreateEcKeyOptions(name.toUpperCase()));
        assertEquals(name, again.getName());
        assertEquals(again.getId(), KEYS.getKey(name).getId());
    }

    @Test
    @Covers({"K1", "K13"})
    void noOperationsAtAllIsAKeyThatDoesNothing() {
        KeyVaultKey key = KEYS.createKey(new CreateKeyOptions(unique("idle"), KeyType.EC)
            .setKeyOperations(new KeyOperation[0]));
        assertEquals(List.of(), key.getKeyOperations());
        Refusal.forbidden("KeyOperationForbidden").of(() -> new Remote(key).sign("ES256", new byte[32]));
    }
}
