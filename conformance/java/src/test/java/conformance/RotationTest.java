package conformance;

import com.azure.security.keyvault.keys.models.CreateRsaKeyOptions;
import com.azure.security.keyvault.keys.models.KeyOperation;
import com.azure.security.keyvault.keys.models.KeyProperties;
import com.azure.security.keyvault.keys.models.KeyRotationLifetimeAction;
import com.azure.security.keyvault.keys.models.KeyRotationPolicy;
import com.azure.security.keyvault.keys.models.KeyRotationPolicyAction;
import com.azure.security.keyvault.keys.models.KeyVaultKey;
import java.security.GeneralSecurityException;
import java.security.interfaces.RSAPublicKey;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Named;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

import static conformance.Clients.KEYS;
import static conformance.Clients.all;
import static conformance.Clients.pages;
import static conformance.Clients.sizes;
import static conformance.Refusal.BAD_PARAMETER;
import static conformance.Refusal.KEY_NOT_FOUND;
import static conformance.Settings.unique;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

/** Rotation on demand, and rotation policies. */
final class RotationTest {
    private static KeyRotationLifetimeAction rotate() {
        return new KeyRotationLifetimeAction(KeyRotationPolicyAction.ROTATE);
    }

    private static KeyRotationLifetimeAction notifying() {
        return new KeyRotationLifetimeAction(KeyRotationPolicyAction.NOTIFY);
    }

    private static KeyRotationPolicy policy(String expiresIn, KeyRotationLifetimeAction... actions) {
        return new KeyRotationPolicy().setExpiresIn(expiresIn).setLifetimeActions(List.of(actions));
    }

    private static Set<List<String>> actionsOf(KeyRotationPolicy policy) {
        return policy.getLifetimeActions().stream().map(action -> Arrays.asList(
            action.getAction().name(), action.getTimeAfterCreate(), action.getTimeBeforeExpiry()))
            .collect(Collectors.toSet());
    }

    @Test
    @Covers("K22")
    void aKeyThatNeverHadAPolicyShowsTheDefault() {
        String name = Shelf.created("P-256").getName();
        KeyRotationPolicy policy = KEYS.getKeyRotationPolicy(name);
        assertEquals(Settings.VAULT + "/keys/" + name + "/rotationpolicy", policy.getId());
        assertEquals(Set.of(Arrays.asList("NOTIFY", null, "P30D")), actionsOf(policy));
        assertNull(policy.getExpiresIn());
    }

    @Test
    @Covers({"K22", "K23"})
    void aPolicyComesBackAsItWasPut() {
        String name = unique("policy");
        Shelf.createEc(name);
        KeyRotationPolicy put = KEYS.updateKeyRotationPolicy(name,
            policy("P2Y", rotate().setTimeAfterCreate("P90D"), notifying().setTimeBeforeExpiry("P30D")));
        for (KeyRotationPolicy policy : List.of(put, KEYS.getKeyRotationPolicy(name))) {
            assertEquals(Settings.VAULT + "/keys/" + name + "/rotationpolicy", policy.getId());
            assertEquals("P2Y", policy.getExpiresIn());
            assertFalse(policy.getUpdatedOn().isBefore(policy.getCreatedOn()));
            assertEquals(Set.of(Arrays.asList("ROTATE", "P90D", null), Arrays.asList("NOTIFY", null, "P30D")),
                actionsOf(policy));
        }
        KeyRotationPolicy second =
            KEYS.updateKeyRotationPolicy(name, policy("P1Y2M", rotate().setTimeBeforeExpiry("P1M")));
        assertEquals("P1Y2M", second.getExpiresIn());
        assertEquals(Set.of(Arrays.asList("ROTATE", null, "P1M")), actionsOf(second));
        assertEquals(put.getCreatedOn(), second.getCreatedOn());
    }

    @Test
    @Covers({"K22", "K23"})
    void anEmptyPolicyIsLegal() {
        String name = unique("policy-empty");
        Shelf.createEc(name);
        assertEquals(Set.of(), actionsOf(KEYS.updateKeyRotationPolicy(name, policy(null))));
        assertNull(KEYS.getKeyRotationPolicy(name).getExpiresIn());
    }

    static List<Named<KeyRotationPolicy>> badPolicies() {
        return List.of(
            Named.of("not a duration", policy("P2Y", rotate().setTimeAfterCreate("ninety days"))),
            Named.of("bad expiry", policy("2Y", rotate().setTimeAfterCreate("P90D"))),
            Named.of("expiry under 28 days", policy("P27D", rotate().setTimeAfterCreate("P10D"))),
            Named.of("rotation under 7 days", policy("P90D", rotate().setTimeAfterCreate("P6D"))),
            Named.of("rotation under 7 days before expiry", policy("P90D", rotate().setTimeBeforeExpiry("P6D"))),
            Named.of("before expiry without one", policy(null, rotate().setTimeBeforeExpiry("P30D"))),
            Named.of("two triggers",
                policy("P90D", rotate().setTimeAfterCreate("P30D").setTimeBeforeExpiry("P30D"))),
            Named.of("notify after create", policy("P90D", notifying().setTimeAfterCreate("P30D"))),
            Named.of("two rotations",
                policy("P90D", rotate().setTimeAfterCreate("P30D"), rotate().setTimeAfterCreate("P60D"))));
    }

    @ParameterizedTest
    @MethodSource("badPolicies")
    @Covers({"K22", "K23"})
    void aBadPolicyIsRefusedAndChangesNothing(KeyRotationPolicy policy) {
        String name = unique("policy-bad");
        Shelf.createEc(name);
        BAD_PARAMETER.of(() -> KEYS.updateKeyRotationPolicy(name, policy));
        assertEquals(Set.of(Arrays.asList("NOTIFY", null, "P30D")), actionsOf(KEYS.getKeyRotationPolicy(name)));
    }

    @Test
    @Covers({"K2", "K22", "K23"})
    void aKeyThatIsNotThereIsNotFound() {
        String name = unique("none");
        KEY_NOT_FOUND.of(() -> KEYS.getKeyRotationPolicy(name));
        KEY_NOT_FOUND.of(() -> KEYS.updateKeyRotationPolicy(name, policy("P90D", rotate().setTimeAfterCreate("P30D"))));
        KEY_NOT_FOUND.of(() -> KEYS.rotateKey(name));
    }

    @Test
    @Covers({"K2", "K13", "K14"})
    void aRotationCopiesAllButTheMaterial() throws GeneralSecurityException {
        String name = unique("rotate");
        KeyVaultKey first = KEYS.createRsaKey(new CreateRsaKeyOptions(name).setKeySize(3072)
            .setKeyOperations(KeyOperation.SIGN, KeyOperation.VERIFY).setTags(Map.of("a", "b")));
        KEYS.updateKeyRotationPolicy(name, policy("P90D", rotate().setTimeAfterCreate("P30D")));
        KeyVaultKey second = KEYS.rotateKey(name);
        KeyProperties properties = second.getProperties();
        assertEquals(name, second.getName());
        assertNotEquals(first.getId(), second.getId());
        assertFalse(Arrays.equals(first.getKey().getN(), second.getKey().getN()));
        assertEquals(3072, ((RSAPublicKey) Independent.publicKey(second.getKey())).getModulus().bitLength());
        assertEquals(Map.of("a", "b"), properties.getTags());
        assertEquals(Set.copyOf(LocalKey.EC_OPERATIONS), Set.copyOf(second.getKeyOperations()));
        assertTrue(properties.isEnabled());
        assertEquals(Duration.ofDays(90), Duration.between(properties.getCreatedOn(), properties.getExpiresOn()));
        assertEquals(second.getId(), KEYS.getKey(name).getId());
        byte[] digest = Independent.digest("PS256", "old versions live on");
        byte[] signature = new Remote(first).sign("PS256", digest);
        assertTrue(new Remote(first).verify("PS256", digest, signature));
        assertFalse(new Remote(second).verify("PS256", digest, signature));
    }

    @Test
    @Covers({"K2", "K6", "K7"})
    void thirtyRotationsAreThirtyMoreVersions() {
        String name = unique("rotate-30");
        List<KeyVaultKey> made = new ArrayList<>(List.of(Shelf.createEc(name)));
        for (int n = 0; n < 30; n++) {
            made.add(KEYS.rotateKey(name));
        }
        List<List<KeyProperties>> pages = pages(KEYS.listPropertiesOfKeyVersions(name));
        assertEquals(List.of(25, 6), sizes(pages));
        assertEquals(made.stream().map(KeyVaultKey::getId).collect(Collectors.toSet()),
            all(pages).stream().map(KeyProperties::getId).collect(Collectors.toSet()));
        assertEquals(made.get(30).getId(), KEYS.getKey(name).getId());
        KeyVaultKey early = made.get(3);
        assertArrayEquals(early.getKey().getX(),
            KEYS.getKey(name, early.getProperties().getVersion()).getKey().getX());
    }
}
