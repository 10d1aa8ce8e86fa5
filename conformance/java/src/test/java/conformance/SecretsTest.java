package conformance;

import com.azure.security.keyvault.secrets.models.KeyVaultSecret;
import com.azure.security.keyvault.secrets.models.SecretProperties;
import java.nio.charset.StandardCharsets;
import java.time.OffsetDateTime;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;

import static conformance.Clients.NOW;
import static conformance.Clients.SECRETS;
import static conformance.Clients.set;
import static conformance.Settings.unique;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

/** Setting, reading and changing secrets through SecretClient. */
final class SecretsTest {
    private static final String LARGEST = "k".repeat(25_600);
    private static final String LARGEST_UNICODE = "🔐é東".repeat(2_844) + "four";

    @Test
    @Covers({"S1", "S4"})
    void aSecretComesBackAsItWasSet() {
        String name = unique("set");
        Map<String, String> tags = Map.of("environment", "production", "rotation-policy", "90-days");
        OffsetDateTime start = OffsetDateTime.now().minusMinutes(5);
        KeyVaultSecret made = set(name, "YourStrongPassword123!", new SecretProperties()
            .setContentType("application/password").setTags(tags).setEnabled(true)
            .setNotBefore(NOW.minusDays(1)).setExpiresOn(NOW.plusDays(90)));
        assertEquals("YourStrongPassword123!", made.getValue());
        assertEquals(Settings.VAULT + "/secrets/" + name + "/" + made.getProperties().getVersion(), made.getId());
        assertTrue(made.getProperties().getVersion().matches("[0-9a-f]{32}"));

        KeyVaultSecret got = SECRETS.getSecret(name);
        assertEquals(List.of(made.getId(), made.getValue(), name), List.of(got.getId(), got.getValue(), got.getName()));
        SecretProperties properties = got.getProperties();
        assertEquals("application/password", properties.getContentType());
        assertEquals(tags, properties.getTags());
        assertTrue(properties.isEnabled());
        assertNotEquals(true, properties.isManaged());
        assertEquals(NOW.minusDays(1), properties.getNotBefore());
        assertEquals(NOW.plusDays(90), properties.getExpiresOn());
        assertTrue(start.isBefore(properties.getCreatedOn()));
        assertFalse(properties.getUpdatedOn().isBefore(properties.getCreatedOn()));
        assertEquals("Recoverable+Purgeable", properties.getRecoveryLevel());
        assertEquals(90, properties.getRecoverableDays());
    }

    @Test
    @Covers({"S1", "S4", "S6"})
    void everySetIsAVersionThatInheritsNothing() {
        String name = unique("versions");
        KeyVaultSecret first =
            set(name, "1", new SecretProperties().setContentType("text/plain").setTags(Map.of("a", "b")));
        KeyVaultSecret second = set(name, "2");
        assertNull(second.getProperties().getContentType());
        assertTrue(second.getProperties().getTags() == null || second.getProperties().getTags().isEmpty());
        assertEquals("2", SECRETS.getSecret(name).getValue());
        KeyVaultSecret old = SECRETS.getSecret(name, first.getProperties().getVersion());
        assertEquals("1", old.getValue());
        assertEquals(first.getId(), old.getId());
        List<SecretProperties> versions = SECRETS.listPropertiesOfSecretVersions(name).stream().toList();
        assertEquals(Set.of(first.getId(), second.getId()),
            versions.stream().map(SecretProperties::getId).collect(Collectors.toSet()));
        assertTrue(versions.stream().allMatch(version -> version.isEnabled() && version.getName().equals(name)));
    }

    @Test
    @Covers({"S3", "S4"})
    void anUpdateChangesOnlyWhatIsNamed() {
        String name = unique("update");
        SecretProperties made =
            set(name, "v", new SecretProperties().setContentType("text/plain").setTags(Map.of("a", "1", "b", "2")))
                .getProperties();
        OffsetDateTime until = NOW.plusDays(30);
        SecretProperties first =
            SECRETS.updateSecretProperties(SECRETS.getSecret(name).getProperties().setExpiresOn(until));
        assertEquals(Map.of("a", "1", "b", "2"), first.getTags());
        assertEquals("text/plain", first.getContentType());
        assertEquals(until, first.getExpiresOn());
        SecretProperties second = SECRETS.updateSecretProperties(
            SECRETS.getSecret(name).getProperties().setTags(Map.of("c", "3")).setNotBefore(NOW));
        assertEquals(Map.of("c", "3"), second.getTags());
        assertEquals(until, second.getExpiresOn());
        assertEquals(NOW, second.getNotBefore());
        SecretProperties third = SECRETS.updateSecretProperties(
            SECRETS.getSecret(name).getProperties().setTags(Map.of()).setContentType("text/html"));
        assertEquals(Map.of(), third.getTags());
        assertEquals("text/html", third.getContentType());
        assertEquals(made.getCreatedOn(), third.getCreatedOn());
        assertEquals(made.getVersion(), third.getVersion());
        assertFalse(third.getUpdatedOn().isBefore(made.getUpdatedOn()));
        assertEquals("v", SECRETS.getSecret(name).getValue());
    }

    @Test
    @Covers({"S3", "S5"})
    void anUpdateWithoutAVersionMeansTheLatest() {
        String name = unique("update-latest");
        KeyVaultSecret old = set(name, "1");
        KeyVaultSecret latest = set(name, "2");
        SecretProperties listed = SECRETS.listPropertiesOfSecrets().stream()
            .filter(item -> item.getName().equals(name)).findFirst().orElseThrow();
        assertNull(listed.getVersion());
        SecretProperties changed = SECRETS.updateSecretProperties(listed.setTags(Map.of("latest", "yes")));
        assertEquals(latest.getProperties().getVersion(), changed.getVersion());
        Map<String, String> tags = SECRETS.getSecret(name, old.getProperties().getVersion()).getProperties().getTags();
        assertTrue(tags == null || tags.isEmpty());
    }

    @Test
    @Covers({"S3", "S4"})
    void aDisabledOldVersionIsRefusedAndTheLatestStaysReadable() {
        String name = unique("disable");
        SecretProperties old = set(name, "old").getProperties();
        set(name, "new");
        SECRETS.updateSecretProperties(old.setEnabled(false));
        Refusal.forbidden("SecretDisabled").of(() -> SECRETS.getSecret(name, old.getVersion()), "disabled");
        assertEquals("new", SECRETS.getSecret(name).getValue());
        SECRETS.updateSecretProperties(old.setEnabled(true));
        assertEquals("old", SECRETS.getSecret(name, old.getVersion()).getValue());
    }

    @Test
    @Covers({"S1", "S4"})
    void aDisabledLatestVersionDoesNotFallBack() {
        String name = unique("disabled-latest");
        set(name, "old");
        set(name, "new", new SecretProperties().setEnabled(false));
        Refusal.forbidden("SecretDisabled").of(() -> SECRETS.getSecret(name));
    }

    @ParameterizedTest
    @CsvSource({"-2,-1", "1,2"})
    @Covers("S4")
    void aSecretOutsideItsValidityWindowIsStillRead(int from, int until) {
        String name = unique("window");
        set(name, "still here",
            new SecretProperties().setNotBefore(NOW.plusDays(from)).setExpiresOn(NOW.plusDays(until)));
        assertEquals("still here", SECRETS.getSecret(name).getValue());
    }

    static List<String> values() {
        return List.of("", "!@#$%^&*()\"'\\/<>{}[]|`~", "first\nsecond\r\n\tthird\0end",
            "Grüße, 東京, 🔐, e\u0301 \u2028 \ufeff", "{\"value\":\"x\",\"n\":null}", LARGEST, LARGEST_UNICODE);
    }

    @ParameterizedTest(name = "{index}")
    @MethodSource("values")
    @Covers({"S1", "S4"})
    void aValueComesBackByteForByte(String value) {
        String name = unique("value");
        assertEquals(value, set(name, value).getValue());
        assertEquals(value, SECRETS.getSecret(name).getValue());
    }

    @Test
    void theLargestValuesAreExactlyAtTheLimit() {
        assertEquals(25_600, LARGEST.getBytes(StandardCharsets.UTF_8).length);
        assertEquals(25_600, LARGEST_UNICODE.getBytes(StandardCharsets.UTF_8).length);
    }

    @Test
    @Covers("S1")
    void valuesAboveTheLimitAreRefused() {
        Refusal.BAD_PARAMETER.of(() -> set(unique("large"), LARGEST + "k"));
        Refusal.BAD_PARAMETER.of(() -> set(unique("large"), LARGEST_UNICODE + "!"));
    }

    @Test
    @Covers({"S1", "S4", "S6"})
    void namesIgnoreCaseAndKeepTheFirstSpelling() {
        String name = unique("APP-SECRET-key");
        set(name, "1");
        assertEquals(name, SECRETS.getSecret(name.toLowerCase()).getName());
        assertEquals(name, set(name.toUpperCase(), "2").getName());
        assertEquals("2", SECRETS.getSecret(name).getValue());
        assertEquals(2, SECRETS.listPropertiesOfSecretVersions(name.toUpperCase()).stream().count());
    }

    @Test
    @Covers({"S1", "S4"})
    void theSameNameInTwoVaultsIsTwoSecrets() {
        String name = unique("same");
        var other = Clients.secrets(Clients.OTHER_VAULT);
        set(name, "here");
        other.setSecret(name, "there");
        assertEquals("here", SECRETS.getSecret(name).getValue());
        assertEquals("there", other.getSecret(name).getValue());
    }
}
