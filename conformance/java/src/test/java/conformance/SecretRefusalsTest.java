package conformance;

import com.azure.security.keyvault.secrets.models.KeyVaultSecret;
import com.azure.security.keyvault.secrets.models.SecretProperties;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

import static conformance.Clients.SECRETS;
import static conformance.Clients.delete;
import static conformance.Clients.recover;
import static conformance.Clients.set;
import static conformance.Refusal.BAD_PARAMETER;
import static conformance.Refusal.SECRET_NOT_FOUND;
import static conformance.Settings.unique;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;

/** The errors that users of secrets catch, by class, status and code. */
final class SecretRefusalsTest {
    private static final String NO_VERSION = "0".repeat(32);

    static List<String> badNames() {
        return List.of("bad_name", "bad.name", "bad name", "näme", "a".repeat(128));
    }

    @Test
    @Covers({"S2", "S3", "S4", "S6", "S8", "S9", "S10", "S11"})
    void aSecretThatIsNotThereIsNotFound() {
        String name = unique("none");
        String gone = unique("gone");
        set(gone, "v");
        SecretProperties stale = SECRETS.getSecret(gone).getProperties();
        delete(SECRETS, gone);
        SECRETS.purgeDeletedSecret(gone);
        List<Executable> calls = List.of(
            () -> SECRETS.getSecret(name),
            () -> SECRETS.getSecret(name, NO_VERSION),
            () -> SECRETS.updateSecretProperties(stale),
            () -> SECRETS.listPropertiesOfSecretVersions(name).stream().count(),
            () -> delete(SECRETS, name),
            () -> SECRETS.backupSecret(name),
            () -> SECRETS.getDeletedSecret(name),
            () -> SECRETS.purgeDeletedSecret(name),
            () -> recover(SECRETS, name));
        calls.forEach(call -> SECRET_NOT_FOUND.of(call, "not found"));
    }

    @Test
    @Covers("S4")
    void theMessageNamesTheMissingSecretAndHelps() {
        String name = unique("none");
        SECRET_NOT_FOUND.of(() -> SECRETS.getSecret(name),
            "A secret with (name/id) " + name + " was not found in this key vault", "you may be able to recover it");
        set(name, "v");
        SECRET_NOT_FOUND.of(() -> SECRETS.getSecret(name, NO_VERSION), name + "/" + NO_VERSION);
    }

    @ParameterizedTest
    @MethodSource("badNames")
    @Covers({"S1", "S4"})
    void aBadNameIsRefused(String name) {
        BAD_PARAMETER.of(() -> set(name, "v"));
        BAD_PARAMETER.of(() -> SECRETS.getSecret(name));
    }

    @Test
    @Covers({"S1", "S4"})
    void theLongestNameAndOneThatBeginsWithADigitAreGood() {
        String longest = unique("n".repeat(100));
        for (String name : List.of(longest + "x".repeat(127 - longest.length()), "7" + unique(""))) {
            set(name, "v");
            assertEquals(name, SECRETS.getSecret(name).getName());
        }
    }

    @Test
    @Covers({"S1", "S3", "S6"})
    void tagsAreBounded() {
        String name = unique("tags");
        Map<String, String> fifteen =
            IntStream.range(0, 15).boxed().collect(Collectors.toMap(n -> "tag-" + n, n -> "v"));
        SecretProperties made = set(name, "v", new SecretProperties().setTags(fifteen)).getProperties();
        assertEquals(fifteen, made.getTags());
        Map<String, String> sixteen = new HashMap<>(fifteen);
        sixteen.put("one", "more");
        for (Map<String, String> tags : List.of(sixteen, Map.of("k".repeat(513), "v"), Map.of("k", "v".repeat(513)))) {
            BAD_PARAMETER.of(() -> set(name, "v", new SecretProperties().setTags(tags)));
            BAD_PARAMETER.of(() -> SECRETS.updateSecretProperties(made.setTags(tags)));
        }
        assertEquals(1, SECRETS.listPropertiesOfSecretVersions(name).stream().count());
    }

    @Test
    @Covers("S1")
    void theContentTypeIsBounded() {
        String longest = "t".repeat(255);
        KeyVaultSecret made = set(unique("type"), "v", new SecretProperties().setContentType(longest));
        assertEquals(longest, made.getProperties().getContentType());
        BAD_PARAMETER.of(() -> set(unique("type"), "v", new SecretProperties().setContentType(longest + "t")));
    }

    @Test
    @Covers("S1")
    void aRefusalNeverRepeatsTheValue() {
        String message = BAD_PARAMETER.of(() -> set("bad_name", "CANARY-7d1f"));
        assertFalse(message.contains("CANARY"), message);
    }
}
