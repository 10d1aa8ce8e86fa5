package conformance;

import com.azure.security.keyvault.keys.models.CreateEcKeyOptions;
import com.azure.security.keyvault.keys.models.CreateKeyOptions;
import com.azure.security.keyvault.keys.models.CreateOctKeyOptions;
import com.azure.security.keyvault.keys.models.CreateRsaKeyOptions;
import com.azure.security.keyvault.keys.models.ImportKeyOptions;
import com.azure.security.keyvault.keys.models.JsonWebKey;
import com.azure.security.keyvault.keys.models.KeyCurveName;
import com.azure.security.keyvault.keys.models.KeyOperation;
import com.azure.security.keyvault.keys.models.KeyProperties;
import com.azure.security.keyvault.keys.models.KeyType;
import com.azure.security.keyvault.keys.models.KeyVaultKey;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Named;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

import static conformance.Clients.KEYS;
import static conformance.Clients.delete;
import static conformance.Clients.recover;
import static conformance.Refusal.BAD_PARAMETER;
import static conformance.Refusal.KEY_NOT_FOUND;
import static conformance.Settings.unique;
import static org.junit.jupiter.api.Assertions.assertEquals;

/** The errors that users of keys catch, by class, status and code. */
final class KeyRefusalsTest {
    private static final String NO_VERSION = "0".repeat(32);
    private static final KeyType OKP = KeyType.fromString("OKP");
    private static final KeyCurveName ED25519 = KeyCurveName.fromString("Ed25519");
    private static final KeyOperation SHRED = KeyOperation.fromString("shred");

    @Test
    @Covers({"K4", "K5", "K6", "K7", "K9", "K19", "K20", "K21"})
    void aKeyThatIsNotThereIsNotFound() {
        String name = unique("none");
        String gone = unique("gone");
        KeyProperties stale = Shelf.createEc(gone).getProperties();
        delete(KEYS, gone);
        KEYS.purgeDeletedKey(gone);
        List<Executable> calls = List.of(
            () -> KEYS.getKey(name),
            () -> KEYS.getKey(name, NO_VERSION),
            () -> KEYS.updateKeyProperties(stale),
            () -> KEYS.listPropertiesOfKeyVersions(name).stream().count(),
            () -> delete(KEYS, name),
            () -> KEYS.backupKey(name),
            () -> KEYS.getDeletedKey(name),
            () -> KEYS.purgeDeletedKey(name),
            () -> recover(KEYS, name));
        calls.forEach(call -> KEY_NOT_FOUND.of(call, "not found"));
    }

    @Test
    @Covers({"K6", "K13"})
    void theMessageNamesTheMissingKey() {
        String name = unique("none");
        KEY_NOT_FOUND.of(() -> KEYS.getKey(name), "A key with (name/id) " + name + " was not found in this key vault");
        String present = Shelf.created("P-256").getName();
        KEY_NOT_FOUND.of(() -> KEYS.getKey(present, NO_VERSION), present + "/" + NO_VERSION);
    }

    @ParameterizedTest
    @MethodSource("conformance.SecretRefusalsTest#badNames")
    @Covers({"K1", "K6"})
    void aBadNameIsRefused(String name) {
        BAD_PARAMETER.of(() -> Shelf.createEc(name));
        BAD_PARAMETER.of(() -> KEYS.getKey(name));
    }

    @Test
    @Covers({"K1", "K5"})
    void tagsAreBounded() {
        Map<String, String> sixteen =
            IntStream.range(0, 16).boxed().collect(Collectors.toMap(n -> "tag-" + n, n -> "v"));
        BAD_PARAMETER.of(() -> KEYS.createEcKey(new CreateEcKeyOptions(unique("tags")).setTags(sixteen)));
        KeyVaultKey key = Shelf.createEc(unique("tags"));
        BAD_PARAMETER.of(() -> Shelf.update(key, key.getProperties().setTags(sixteen)));
    }

    @Test
    @Covers("K5")
    void anUnknownOperationIsRefused() {
        KeyProperties properties = Shelf.createEc(unique("shred")).getProperties();
        BAD_PARAMETER.of(() -> KEYS.updateKeyProperties(properties, SHRED));
        assertEquals(2, KEYS.getKey(properties.getName()).getKeyOperations().size());
    }

    /** Sees that the key is refused for a reason that holds the text, and that there is none afterwards. */
    private static void refused(String text, Consumer<String> make) {
        String name = unique("bad");
        BAD_PARAMETER.of(() -> make.accept(name), text);
        KEY_NOT_FOUND.of(() -> KEYS.getKey(name));
    }

    static List<Named<Consumer<String>>> badCreates() {
        return List.of(
            Named.of("no such type", name -> KEYS.createKey(name, KeyType.fromString("DSA"))),
            Named.of("RSA 1024", name -> KEYS.createRsaKey(new CreateRsaKeyOptions(name).setKeySize(1024))),
            Named.of("RSA 2049", name -> KEYS.createRsaKey(new CreateRsaKeyOptions(name).setKeySize(2049))),
            Named.of("RSA 8192", name -> KEYS.createRsaKey(new CreateRsaKeyOptions(name).setKeySize(8192))),
            Named.of("no such curve", name -> KEYS.createEcKey(
                new CreateEcKeyOptions(name).setCurveName(KeyCurveName.fromString("P-224")))),
            Named.of("unknown operation", name -> KEYS.createKey(
                new CreateKeyOptions(name, KeyType.RSA).setKeyOperations(KeyOperation.SIGN, SHRED))));
    }

    @ParameterizedTest
    @MethodSource("badCreates")
    @Covers("K1")
    void aBadCreateMakesNothing(Consumer<String> create) {
        refused("", create);
    }

    @Test
    @Covers({"K1", "K3"})
    void keysThatNeedAnHsmAreRefusedWithAdvice() {
        refused("HSM", name -> KEYS.createOctKey(new CreateOctKeyOptions(name).setKeySize(256)));
        refused("HSM", name -> KEYS.createOctKey(new CreateOctKeyOptions(name).setHardwareProtected(true)));
        refused("HSM", name -> KEYS.createRsaKey(new CreateRsaKeyOptions(name).setHardwareProtected(true)));
        refused("HSM", name -> KEYS.createEcKey(new CreateEcKeyOptions(name).setHardwareProtected(true)));
        refused("HSM", name -> KEYS.importKey(
            new ImportKeyOptions(name, LocalKey.shared("P-256").jwk()).setHardwareProtected(true)));
    }

    @Test
    @Covers({"K1", "K3"})
    void ed25519IsRefusedWithAdvice() {
        refused("ES256", name -> KEYS.createKey(name, OKP));
        refused("ES256", name -> KEYS.importKey(name,
            LocalKey.shared("P-256").jwk().setKeyType(OKP).setCurveName(ED25519).setY(null)));
    }

    static List<Named<JsonWebKey>> badImports() {
        LocalKey ec = LocalKey.shared("P-256");
        LocalKey rsa = LocalKey.shared("RSA-2048");
        byte[] five = new byte[32];
        five[31] = 5;
        return List.of(
            Named.of("public only", ec.jwk().setD(null)),
            Named.of("point off the curve", ec.jwk().setY(new byte[32])),
            Named.of("another private key", ec.jwk().setD(five)),
            Named.of("another curve", ec.jwk().setCurveName(KeyCurveName.P_384)),
            Named.of("no curve", ec.jwk().setCurveName(null)),
            Named.of("RSA public only", rsa.jwk().setD(null).setP(null).setQ(null).setDp(null).setDq(null).setQi(null)),
            Named.of("RSA with another prime", rsa.jwk().setP(LocalKey.generate("RSA-2048").jwk().getP())),
            Named.of("RSA with an even modulus", rsa.jwk().setN(Clients.flip(rsa.jwk().getN(), 255))),
            Named.of("RSA 1024", LocalKey.generate("RSA-1024").jwk()),
            Named.of("octets", new JsonWebKey().setKeyType(KeyType.OCT).setK(new byte[32])));
    }

    @ParameterizedTest
    @MethodSource("badImports")
    @Covers("K3")
    void aBadImportMakesNothing(JsonWebKey jwk) {
        refused("", name -> KEYS.importKey(name, jwk));
    }
}
