package conformance;

import com.azure.core.http.HttpMethod;
import com.azure.core.http.rest.Response;
import com.azure.core.util.Context;
import com.azure.data.appconfiguration.ConfigurationClient;
import com.azure.data.appconfiguration.models.ConfigurationSetting;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

import static conformance.Complaint.INVALID_ARGUMENT;
import static conformance.Complaint.NOT_FOUND;
import static conformance.Settings.unique;
import static conformance.Store.at;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

/** Setting, reading and deleting through ConfigurationClient. */
final class ConfigSettingsTest {
    private static final Store STORE = Store.byKey();
    private static final ConfigurationClient CLIENT = STORE.client();

    @ParameterizedTest
    @MethodSource("conformance.Store#doors")
    @Covers({"A5", "A6"})
    void aSettingComesBackAsItWasSet(Store store) {
        String key = unique("set");
        Map<String, String> tags = Map.of("team", "ünïcode", "empty", "");
        ConfigurationSetting made = store.client().setConfigurationSetting(new ConfigurationSetting().setKey(key)
            .setLabel("production").setValue("blue").setContentType("text/plain").setTags(tags));
        for (ConfigurationSetting one : List.of(made, store.client().getConfigurationSetting(key, "production"))) {
            assertEquals(List.of(key, "production", "blue", "text/plain"),
                List.of(one.getKey(), one.getLabel(), one.getValue(), one.getContentType()));
            assertEquals(tags, one.getTags());
            assertFalse(one.isReadOnly());
            assertEquals(made.getETag(), one.getETag());
            assertEquals(made.getLastModified(), one.getLastModified());
            assertTrue(one.getLastModified().isAfter(Clients.NOW.minusMinutes(5)));
        }
    }

    @Test
    @Covers({"A5", "A6"})
    void aSettingMayHaveNoValue() {
        String key = unique("no-value");
        STORE.set(key, null);
        ConfigurationSetting got = CLIENT.getConfigurationSetting(key, null);
        assertNull(got.getValue());
        assertNull(got.getLabel());
        assertNull(got.getContentType());
        STORE.set(key, "");
        assertEquals("", STORE.value(key, null));
    }

    @Test
    @Covers({"A5", "A6", "A7"})
    void aLabelMakesAnotherSettingAndCaseMatters() {
        String key = unique("labels");
        assertNotEquals(STORE.set(key, "bare").getETag(), STORE.set(key, "test", "labelled").getETag());
        assertEquals("bare", STORE.value(key, null));
        assertEquals("bare", STORE.value(key, ""));
        assertEquals("bare", STORE.value(key, Store.NO_LABEL));
        assertEquals("labelled", STORE.value(key, "test"));
        NOT_FOUND.of(() -> CLIENT.getConfigurationSetting(key, "Test"));
        NOT_FOUND.of(() -> CLIENT.getConfigurationSetting(key.toUpperCase(), null));
        CLIENT.deleteConfigurationSetting(key, null);
        NOT_FOUND.of(() -> CLIENT.getConfigurationSetting(key, null));
        assertEquals("labelled", STORE.value(key, "test"));
    }

    @ParameterizedTest
    @ValueSource(strings = {"app/settings/color", "with a space", "Größe:höhe", "日本語/キー", "emoji-🗝", "a+b&c=d?e#f",
        "quote\"d", "semi;colon,comma", "star*", "back\\slash", ".hidden", "[bracket]", "~tilde!@$^(){}|<>'`"})
    @Covers({"A5", "A6", "A7"})
    void keysAndLabelsOfAnyScriptComeBack(String plain) {
        for (Store store : Store.doors()) {
            String key = unique("any") + plain;
            store.set(key, plain, "v");
            ConfigurationSetting got = store.client().getConfigurationSetting(key, plain);
            assertEquals(List.of(key, plain, "v"), List.of(got.getKey(), got.getLabel(), got.getValue()));
            assertEquals(key, store.client().deleteConfigurationSetting(key, plain).getKey());
        }
    }

    static List<String> values() {
        return List.of("", " ", "Grüße, 東京, 🗝, e\u0301 \ufeff", "line\r\nbreak\ttab", "{\"json\":[\"\\u0000\",1]}",
            "50% \\ *", "x".repeat(8000));
    }

    @ParameterizedTest(name = "{index}")
    @MethodSource("values")
    @Covers({"A5", "A6"})
    void aValueComesBackAsItWas(String value) {
        String key = unique("value");
        assertEquals(value, STORE.set(key, value).getValue());
        assertEquals(value, STORE.value(key, null));
    }

    @Test
    @Covers({"A5", "A6", "A7"})
    void aKeyWithAPercentSignIsRefused() {
        String key = unique("percent") + "-50%";
        INVALID_ARGUMENT.of(() -> STORE.set(key, "v"));
        INVALID_ARGUMENT.of(() -> CLIENT.getConfigurationSetting(key, null));
        INVALID_ARGUMENT.of(() -> CLIENT.deleteConfigurationSetting(key, null));
    }

    @Test
    @Covers("A6")
    void keysLabelsTypesAndTagsAreBounded() {
        String longest = unique("k".repeat(245));
        assertEquals(256, longest.length());
        STORE.set(longest, "l".repeat(256), "v");
        assertEquals("v", STORE.value(longest, "l".repeat(256)));
        refused("key", setting(longest + "k"));
        refused("key", setting("a\u0001b"));
        refused("label", setting("k").setLabel("l".repeat(257)));
        refused("label", setting("k").setLabel("a\u0001b"));
        refused("content_type", setting("k").setContentType("a\u0001b"));
        INVALID_ARGUMENT.of(() -> set(setting("k").setTags(Map.of("t".repeat(257), "v"))));
        INVALID_ARGUMENT.of(() -> set(setting("k").setTags(Map.of("t", "v".repeat(257)))));
    }

    private static ConfigurationSetting setting(String key) {
        return new ConfigurationSetting().setKey(key).setValue("v");
    }

    private static ConfigurationSetting set(ConfigurationSetting setting) {
        return CLIENT.setConfigurationSetting(setting);
    }

    private static void refused(String parameter, ConfigurationSetting setting) {
        Map<?, ?> problem = INVALID_ARGUMENT.of(() -> set(setting));
        assertEquals(parameter, problem.get("name"));
        assertEquals("Invalid request parameter '" + parameter + "'", problem.get("title"));
    }

    @ParameterizedTest
    @MethodSource("conformance.Store#doors")
    @Covers("A7")
    void aDeleteGivesWhatItDeleted(Store store) {
        String key = unique("delete");
        ConfigurationSetting made = store.set(key, "gone");
        ConfigurationSetting deleted = store.client().deleteConfigurationSetting(key, null);
        assertEquals(List.of(key, "gone"), List.of(deleted.getKey(), deleted.getValue()));
        NOT_FOUND.of(() -> store.client().getConfigurationSetting(key, null));
        Response<ConfigurationSetting> again =
            store.client().deleteConfigurationSettingWithResponse(setting(key), false, Context.NONE);
        assertEquals(204, again.getStatusCode());
        assertEquals(204, store.ask(HttpMethod.DELETE, at("/kv/" + key)).status());
        assertNotEquals(made.getETag(), store.set(key, "gone").getETag());
    }

    @Test
    @Covers({"A6", "A20"})
    void anIdenticalSetChangesNothing() throws InterruptedException {
        String key = unique("same");
        ConfigurationSetting wanted =
            setting(key).setContentType("text/plain").setTags(new HashMap<>(Map.of("a", "1", "b", "2")));
        ConfigurationSetting first = set(wanted);
        Thread.sleep(1100);
        ConfigurationSetting second = set(wanted);
        assertEquals(first.getETag(), second.getETag());
        assertEquals(first.getLastModified(), second.getLastModified());
        assertEquals(List.of("v"), STORE.revisions(key, null));
        String third = set(wanted.setValue("w")).getETag();
        String fourth = set(wanted.setContentType("text/html")).getETag();
        String fifth = set(wanted.setTags(Map.of("a", "1"))).getETag();
        assertEquals(4, List.of(first.getETag(), third, fourth, fifth).stream().distinct().count());
        assertEquals(List.of("w", "w", "w", "v"), STORE.revisions(key, null));
    }

    @Test
    @Covers({"A5", "A6"})
    void anotherStoreHasOtherSettings() {
        String key = unique("store");
        STORE.set(key, "here");
        Store other = Store.own();
        NOT_FOUND.of(() -> other.client().getConfigurationSetting(key, null));
        other.set(key, "there");
        assertEquals("here", STORE.value(key, null));
    }

    @Test
    @Covers({"A5", "A6"})
    void aSyncTokenIsNeverRefused() {
        String key = unique("sync");
        STORE.set(key, "v");
        ConfigurationClient other = Store.byKey(Settings.CONNECTION).client();
        for (String token : List.of("jtqGc1I4=MDoyOA==;sn=28", "a=1;sn=1,b=2;sn=2")) {
            other.updateSyncToken(token);
            assertEquals("v", other.getConfigurationSetting(key, null).getValue());
        }
        for (String malformed : List.of("garbage", "=", ";sn=", "a=b;sn=x", ",,,")) {
            Answer answer = STORE.get(at("/kv/" + key), "Sync-Token", malformed);
            assertEquals(200, answer.status(), malformed);
            assertTrue(answer.header("Sync-Token").contains(";sn="));
        }
    }
}
