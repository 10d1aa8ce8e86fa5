package conformance;

import com.azure.data.appconfiguration.ConfigurationClient;
import com.azure.data.appconfiguration.models.ConfigurationSetting;
import com.azure.data.appconfiguration.models.SettingFields;
import com.azure.data.appconfiguration.models.SettingSelector;
import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

import static conformance.Complaint.INVALID_ARGUMENT;
import static conformance.Settings.unique;
import static conformance.Store.NO_LABEL;
import static conformance.Store.at;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;

/** Which settings a list holds, in which order, and with which members. */
final class ConfigFiltersTest {
    private static final Store STORE = Store.own();
    private static final Store TAGGED = Store.own();

    @BeforeAll
    static void fill() {
        STORE.fill(List.of(
            new String[] {"app/one", null, "1"}, new String[] {"app/two", null, "2"},
            new String[] {"app/two", "prod", "3"}, new String[] {"app/two", "prod-eu", "4"},
            new String[] {"app/three", "test", "5"}, new String[] {"other", null, "6"},
            new String[] {"other", "a,b", "7"}, new String[] {"star*", null, "8"},
            new String[] {"star-no", null, "9"}, new String[] {"back\\slash", null, "10"},
            new String[] {"com,ma", null, "11"}, new String[] {"App/one", null, "12"}));
        Map<String, String> nullTag = new HashMap<>();
        nullTag.put("env", null);
        Map.of("1", Map.of("env", "prod", "team", "a"), "2", Map.of("env", "prod", "team", "b"),
            "3", Map.of("env", "test"), "4", nullTag, "5", Map.<String, String>of(), "6", Map.of("a=b", "c,d"),
            "7", Map.of("env", "")).forEach((key, tags) -> TAGGED.client().setConfigurationSetting(
                new ConfigurationSetting().setKey(key).setValue(key).setTags(tags)));
    }

    static Stream<Arguments> filters() {
        String all = "1 2 3 4 5 6 7 8 9 10 11 12";
        return Stream.of(new String[][] {
            {null, null, all}, {"*", "*", all}, {"*one", "*none", all}, {"app/*", null, "1 2 3 4 5"},
            {"app/two", null, "2 3 4"}, {"app/two", "prod", "3"}, {"app/*", "prod*", "3 4"}, {"app/*", NO_LABEL, "1 2"},
            {null, NO_LABEL, "1 2 6 8 9 10 11 12"}, {null, "test", "5"}, {"app/one,other", null, "1 6 7"},
            {"app/one,oth*", NO_LABEL, "1 6"}, {null, NO_LABEL + ",test", "1 2 5 6 8 9 10 11 12"},
            {null, "prod,test,none", "3 5"}, {null, "a\\,b", "7"}, {"star\\*", null, "8"}, {"star*", null, "8 9"},
            {"back\\\\slash", null, "10"}, {"back\\\\*", null, "10"}, {"com\\,ma", null, "11"}, {"APP/*", null, ""},
            {"none", null, ""},
        }).map(Arguments::of);
    }

    private static List<String> words(String text) {
        return Arrays.stream(text.split(" ")).filter(word -> !word.isEmpty()).sorted().toList();
    }

    private static List<String> sorted(List<String> values) {
        return values.stream().sorted().toList();
    }

    @ParameterizedTest(name = "{index}: key {0}")
    @MethodSource("filters")
    @Covers({"A3", "A20"})
    void filtersChooseByKeyAndLabel(String key, String label, String wanted) {
        assertEquals(words(wanted), sorted(STORE.values(key, label)));
        assertEquals(words(wanted), sorted(STORE.revisions(key, label)));
    }

    @ParameterizedTest
    @ValueSource(strings = {"a*b", "ab**", "abc\\x", "a,b,c,d,e,f"})
    @Covers({"A1", "A3", "A16", "A20"})
    void aBadFilterIsRefused(String filter) {
        assertEquals("key", INVALID_ARGUMENT.of(() -> STORE.values(filter, null)).get("name"));
        assertEquals("label", INVALID_ARGUMENT.of(() -> STORE.values(null, filter)).get("name"));
        assertEquals("key", INVALID_ARGUMENT.of(() -> STORE.revisions(filter, null)).get("name"));
        String name = "name=" + URLEncoder.encode(filter, StandardCharsets.UTF_8);
        assertEquals("name", INVALID_ARGUMENT.of(STORE.get(at("/keys", name))).get("name"));
        assertEquals("name", INVALID_ARGUMENT.of(STORE.get(at("/labels", name))).get("name"));
    }

    @Test
    @Covers("A3")
    void aBadFilterIsRefusedWithItsPosition() {
        Map<?, ?> problem = INVALID_ARGUMENT.of(() -> STORE.values("a*b", null));
        assertEquals("Invalid request parameter 'key'", problem.get("title"));
        assertInstanceOf(Number.class, problem.get("pos"));
    }

    static List<Arguments> tags() {
        return List.of(
            Arguments.of(List.of("env=prod"), "1 2"), Arguments.of(List.of("env=prod", "team=b"), "2"),
            Arguments.of(List.of("env=prod", "env=test"), ""), Arguments.of(List.of("env=\0"), "4"),
            Arguments.of(List.of("env="), "7"), Arguments.of(List.of("a\\=b=c\\,d"), "6"),
            Arguments.of(List.of("none=prod"), ""), Arguments.of(List.of("ENV=prod"), ""));
    }

    @ParameterizedTest(name = "{index}")
    @MethodSource("tags")
    @Covers({"A3", "A20"})
    void filtersChooseByTags(List<String> tags, String wanted) {
        SettingSelector selector = new SettingSelector().setTagsFilter(tags);
        ConfigurationClient client = TAGGED.client();
        assertEquals(words(wanted), sorted(Store.values(client.listConfigurationSettings(selector))));
        assertEquals(words(wanted), sorted(Store.values(client.listRevisions(selector))));
    }

    @Test
    @Covers("A3")
    void aBadTagsFilterIsRefusedAndAnOldVersionKnowsNone() {
        for (String bad : List.of("=value", "a=b=c")) {
            SettingSelector selector = new SettingSelector().setTagsFilter(List.of(bad));
            INVALID_ARGUMENT.of(() -> TAGGED.client().listConfigurationSettings(selector).stream().count());
        }
        Answer old = TAGGED.get("/kv?tags=env%3Dprod&api-version=2023-10-01");
        assertEquals(7, old.items("kvset", "key").size());
    }

    @Test
    @Covers("A3")
    void settingsAreListedByKeyAndLabelInOrdinalOrder() {
        Store store = Store.own();
        store.fill(List.of(new String[] {"b", null, "4"}, new String[] {"a", "z", "3"}, new String[] {"a", null, "1"},
            new String[] {"a", "Z", "2"}, new String[] {"B", null, "0"}, new String[] {"ä", null, "5"}));
        assertEquals(List.of("0", "1", "2", "3", "4", "5"), store.values(null, null));
    }

    @Test
    @Covers({"A3", "A5", "A20"})
    void fieldsAreSelected() {
        Store store = Store.byKey();
        String key = unique("fields");
        store.client().setConfigurationSetting(
            new ConfigurationSetting().setKey(key).setLabel("l").setValue("v").setContentType("text/plain"));
        SettingSelector selector =
            new SettingSelector().setKeyFilter(key).setFields(SettingFields.KEY, SettingFields.VALUE);
        for (var listing : List.of(store.client().listConfigurationSettings(selector),
                store.client().listRevisions(selector))) {
            ConfigurationSetting one = listing.iterator().next();
            assertEquals(List.of(key, "v"), List.of(one.getKey(), one.getValue()));
            assertNull(one.getLabel());
            assertNull(one.getContentType());
            assertNull(one.getETag());
            assertNull(one.getLastModified());
        }
        ConfigurationSetting whole =
            store.client().listConfigurationSettings(new SettingSelector().setKeyFilter(key)).iterator().next();
        assertEquals(List.of("l", "text/plain"), List.of(whole.getLabel(), whole.getContentType()));
        assertNotNull(whole.getETag());
        Map<?, ?> shown = store.get(at("/kv/" + key, "label=l", "$select=value,content_type")).read("kv");
        assertEquals(Map.of("value", "v", "content_type", "text/plain"), shown);
    }
}
