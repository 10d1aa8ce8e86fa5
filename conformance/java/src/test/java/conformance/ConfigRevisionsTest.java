package conformance;

import com.azure.data.appconfiguration.ConfigurationClient;
import com.azure.data.appconfiguration.models.ConfigurationSetting;
import com.azure.data.appconfiguration.models.SettingLabel;
import com.azure.data.appconfiguration.models.SettingLabelSelector;
import com.azure.data.appconfiguration.models.SettingSelector;
import java.time.Instant;
import java.time.OffsetDateTime;
import java.time.ZoneOffset;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

import static conformance.AccessKey.HTTP_DATE;
import static conformance.Clients.pages;
import static conformance.Clients.sizes;
import static conformance.Complaint.NOT_FOUND;
import static conformance.Settings.unique;
import static conformance.Store.NO_LABEL;
import static conformance.Store.at;
import static conformance.Store.selector;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

/** Every change is kept, and the past is read as it was. */
final class ConfigRevisionsTest {
    private static final Store STORE = Store.byKey();
    private static final ConfigurationClient CLIENT = STORE.client();

    @ParameterizedTest
    @MethodSource("conformance.Store#doors")
    @Covers({"A18", "A19", "A20"})
    void everyChangeIsARevisionNewestFirst(Store store) {
        String key = unique("revisions");
        store.set(key, "1");
        store.set(key, "2");
        store.set(key, "2");
        store.client().setReadOnly(key, null, true);
        ConfigurationSetting current = store.client().setReadOnly(key, null, false);
        List<ConfigurationSetting> listed = store.client().listRevisions(selector(key, null)).stream().toList();
        assertEquals(List.of("2", "2", "2", "1"), listed.stream().map(ConfigurationSetting::getValue).toList());
        assertEquals(List.of(false, true, false, false),
            listed.stream().map(ConfigurationSetting::isReadOnly).toList());
        assertEquals(current.getETag(), listed.get(0).getETag());
        assertEquals(4, listed.stream().map(ConfigurationSetting::getETag).distinct().count());
    }

    @Test
    @Covers({"A7", "A20"})
    void revisionsOutliveTheSetting() {
        String key = unique("revisions");
        STORE.set(key, "1");
        STORE.set(key, "2");
        CLIENT.deleteConfigurationSetting(key, null);
        assertEquals(List.of("2", "1"), STORE.revisions(key, null));
        STORE.set(key, "3");
        assertEquals(List.of("3", "2", "1"), STORE.revisions(key, null));
    }

    @Test
    @Covers("A20")
    void revisionsAreChosenByLabel() {
        String key = unique("revisions");
        for (String value : List.of("0", "1")) {
            STORE.set(key, null, value);
            STORE.set(key, "a", "a" + value);
            STORE.set(key, "b", "b" + value);
        }
        assertEquals(List.of("1", "0", "a1", "a0", "b1", "b0"), STORE.revisions(key, null));
        assertEquals(List.of("1", "0"), STORE.revisions(key, NO_LABEL));
        assertEquals(List.of("a1", "a0"), STORE.revisions(key, "a"));
        assertEquals(List.of("a1", "a0", "b1", "b0"), STORE.revisions(key, "a,b"));
    }

    @Test
    @Covers("A20")
    void revisionsPage() {
        Store store = Store.own();
        IntStream.range(0, 130).forEach(n -> store.set("key", "" + n));
        assertEquals(List.of(100, 30), sizes(pages(store.client().listRevisions(selector("key", null)))));
        assertEquals(IntStream.range(0, 130).mapToObj(n -> "" + (129 - n)).toList(), store.revisions("key", null));
    }

    /** Lets whole seconds pass, for dates have no finer ones; a time between what was and what comes. */
    private static OffsetDateTime pause() throws InterruptedException {
        Thread.sleep(1100);
        OffsetDateTime between = OffsetDateTime.now(ZoneOffset.UTC);
        Thread.sleep(1100);
        return between;
    }

    @Test
    @Covers({"A1", "A3", "A5", "A16", "A20"})
    void thePastIsReadAsItWas() throws InterruptedException {
        Store store = Store.own();
        ConfigurationClient client = store.client();
        OffsetDateTime before = pause();
        store.set("key", "1");
        store.set("gone", "old", "1");
        OffsetDateTime then = pause();
        store.set("key", "2");
        store.set("new", "late", "2");
        client.deleteConfigurationSetting("gone", "old");

        assertEquals("1", client.getConfigurationSetting("key", null, then).getValue());
        assertEquals("1", client.getConfigurationSetting("gone", "old", then).getValue());
        NOT_FOUND.of(() -> client.getConfigurationSetting("new", "late", then));
        NOT_FOUND.of(() -> client.getConfigurationSetting("key", null, before));
        assertEquals("2", client.getConfigurationSetting("key", null, then.plusHours(1)).getValue());

        SettingSelector past = new SettingSelector().setAcceptDatetime(then);
        List<String> wanted = List.of("gone", "key");
        for (var listing : List.of(client.listConfigurationSettings(past), client.listRevisions(past))) {
            assertEquals(wanted, listing.stream().map(ConfigurationSetting::getKey).toList());
        }
        assertEquals(List.of("1", "1"), Store.values(client.listConfigurationSettings(past)));
        assertEquals(List.of("old"), client.listLabels(new SettingLabelSelector().setAcceptDatetime(then)).stream()
            .map(SettingLabel::getName).filter(name -> name != null).toList());
        Answer keys = store.get(at("/keys"), "Accept-Datetime", then.format(HTTP_DATE));
        assertEquals(List.of("gone", "key"), keys.items("keyset", "name"));
        assertFalse(keys.header("Memento-Datetime").isEmpty());
        assertTrue(keys.header("Link").contains("rel=\"original\""), keys.header("Link"));
    }

    @Test
    @Covers("A5")
    void datesAreReadInSeveralFormats() throws InterruptedException {
        String key = unique("dates");
        STORE.set(key, "1");
        OffsetDateTime then = pause().withNano(0);
        STORE.set(key, "2");
        Instant instant = then.toInstant();
        String python = instant.toString().replace('T', ' ').replace("Z", "");
        for (String date : List.of(then.format(HTTP_DATE), instant.toString(), python, python + ".123456+00:00")) {
            assertEquals("1", STORE.get(at("/kv/" + key), "Accept-Datetime", date).read("kv").get("value"), date);
        }
    }
}
