package conformance;

import com.azure.data.appconfiguration.models.ConfigurationSetting;
import com.azure.data.appconfiguration.models.FeatureFlagConfigurationSetting;
import com.azure.data.appconfiguration.models.FeatureFlagFilter;
import com.azure.data.appconfiguration.models.SecretReferenceConfigurationSetting;
import com.azure.security.keyvault.secrets.models.KeyVaultSecretIdentifier;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

import static conformance.Settings.unique;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertTrue;

/** Feature flags and references to secrets, through the package's own types. */
final class ConfigContentTest {
    private static final String FLAG = "application/vnd.microsoft.appconfig.ff+json;charset=utf-8";
    private static final String REFERENCE = "application/vnd.microsoft.appconfig.keyvaultref+json;charset=utf-8";

    private static FeatureFlagConfigurationSetting flag(ConfigurationSetting setting) {
        return assertInstanceOf(FeatureFlagConfigurationSetting.class, setting);
    }

    @ParameterizedTest
    @MethodSource("conformance.Store#doors")
    @Covers({"A3", "A5", "A6"})
    void aFeatureFlagComesBack(Store store) {
        String id = unique("Beta");
        String key = FeatureFlagConfigurationSetting.KEY_PREFIX + id;
        ConfigurationSetting made = store.client().setConfigurationSetting(new FeatureFlagConfigurationSetting(id, true)
            .setDisplayName("Beta").setDescription("for some")
            .addClientFilter(new FeatureFlagFilter("Microsoft.Percentage").addParameter("Value", 50)));
        ConfigurationSetting read = store.client().getConfigurationSetting(key, null);
        ConfigurationSetting listed =
            store.client().listConfigurationSettings(Store.selector(key + "*", null)).iterator().next();
        for (ConfigurationSetting setting : List.of(made, read, listed)) {
            FeatureFlagConfigurationSetting one = flag(setting);
            assertTrue(one.isEnabled());
            assertEquals(List.of(id, key, FLAG, "Beta", "for some"), List.of(one.getFeatureId(), one.getKey(),
                one.getContentType(), one.getDisplayName(), one.getDescription()));
            FeatureFlagFilter filter = one.getClientFilters().get(0);
            assertEquals("Microsoft.Percentage", filter.getName());
            assertEquals(50, ((Number) filter.getParameters().get("Value")).intValue());
        }
        FeatureFlagConfigurationSetting off = flag(read).setEnabled(false);
        assertFalse(flag(store.client().setConfigurationSetting(off)).isEnabled());
        assertFalse(flag(store.client().getConfigurationSetting(key, null)).isEnabled());
    }

    @Test
    @Covers({"A5", "A6", "S4"})
    void aKeyVaultReferenceLeadsToItsSecret() {
        Store store = Store.byKey();
        String name = unique("reference");
        Clients.set(name, "the secret");
        store.client().setConfigurationSetting(
            new SecretReferenceConfigurationSetting(name, Settings.VAULT + "/secrets/" + name));
        SecretReferenceConfigurationSetting got = assertInstanceOf(SecretReferenceConfigurationSetting.class,
            store.client().getConfigurationSetting(name, null));
        assertEquals(REFERENCE, got.getContentType());
        assertEquals(Settings.VAULT + "/secrets/" + name, got.getSecretId());
        String secret = new KeyVaultSecretIdentifier(got.getSecretId()).getName();
        assertEquals("the secret", Clients.SECRETS.getSecret(secret).getValue());
    }

    @Test
    @Covers("A6")
    void valuesOfKnownTypesAreNotLookedInto() {
        Store store = Store.byKey();
        for (String type : List.of(FLAG, REFERENCE, "application/json")) {
            for (String value : List.of("", "not json", "{}", "{\"id\":1}")) {
                String key = unique("opaque");
                assertEquals(200, store.put(Store.at("/kv/" + key),
                    Map.of("value", value, "content_type", type)).status());
                assertEquals(value, store.get(Store.at("/kv/" + key)).read("kv").get("value"));
            }
        }
    }
}
