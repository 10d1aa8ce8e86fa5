package conformance;

import com.azure.core.util.polling.AsyncPollResponse;
import com.azure.data.appconfiguration.ConfigurationAsyncClient;
import com.azure.data.appconfiguration.models.ConfigurationSetting;
import com.azure.data.appconfiguration.models.ConfigurationSnapshot;
import com.azure.data.appconfiguration.models.ConfigurationSnapshotStatus;
import com.azure.data.appconfiguration.models.SettingLabel;
import com.azure.data.appconfiguration.models.SettingSelector;
import com.azure.data.appconfiguration.models.SnapshotSelector;
import java.time.Duration;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import reactor.core.publisher.Flux;

import static conformance.Complaint.KEY_LOCKED;
import static conformance.Complaint.NOT_FOUND;
import static conformance.Complaint.NOT_MET;
import static conformance.Settings.unique;
import static conformance.Store.NO_LABEL;
import static conformance.Store.filter;
import static conformance.Store.selector;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

/** The operations once more, through ConfigurationAsyncClient. */
final class AsyncConfigTest {
    private static final ConfigurationAsyncClient BY_KEY =
        Store.builder().connectionString(Settings.CONNECTION).buildAsyncClient();
    private static final ConfigurationAsyncClient BY_TOKEN = byToken(Settings.STORE);

    private static ConfigurationAsyncClient byToken(String url) {
        return Store.builder().endpoint(url).credential(Clients.CREDENTIAL).buildAsyncClient();
    }

    @Test
    @Covers({"A3", "A5", "A6", "A7", "A20"})
    void aSettingIsSetReadListedAndDeleted() {
        for (ConfigurationAsyncClient client : List.of(BY_KEY, BY_TOKEN)) {
            String key = unique("async") + "/東京 🗝";
            ConfigurationSetting made = client.setConfigurationSetting(key, "l", "1").block();
            assertEquals("1", client.getConfigurationSetting(key, "l").block().getValue());
            assertEquals(304, client.getConfigurationSettingWithResponse(made, null, true).block().getStatusCode());
            client.setConfigurationSetting(key, "l", "2").block();
            NOT_MET.of(() -> client.setConfigurationSettingWithResponse(made, true).block());
            NOT_MET.of(() -> client.addConfigurationSetting(key, "l", "3").block());
            SettingSelector selector = selector(key, "l");
            assertEquals("2", client.listConfigurationSettings(selector).blockLast().getValue());
            assertEquals(List.of("2", "1"),
                client.listRevisions(selector).map(ConfigurationSetting::getValue).collectList().block());
            assertEquals("2", client.deleteConfigurationSetting(key, "l").block().getValue());
            NOT_FOUND.of(() -> client.getConfigurationSetting(key, "l").block());
        }
    }

    @Test
    @Covers({"A18", "A19"})
    void aSettingIsLockedAndUnlocked() {
        String key = unique("async-lock");
        BY_KEY.setConfigurationSetting(key, null, "v").block();
        assertTrue(BY_KEY.setReadOnly(key, null, true).block().isReadOnly());
        KEY_LOCKED.of(() -> BY_KEY.setConfigurationSetting(key, null, "w").block());
        KEY_LOCKED.of(() -> BY_KEY.deleteConfigurationSetting(key, null).block());
        assertFalse(BY_KEY.setReadOnly(key, null, false).block().isReadOnly());
    }

    @Test
    @Covers({"A3", "A6", "A16"})
    void settingsSetAtOnceAreTwoPages() {
        ConfigurationAsyncClient client = byToken(Settings.freshStore());
        List<String> keys = IntStream.range(0, 130).mapToObj("key-%03d"::formatted).toList();
        Flux.fromIterable(keys).flatMap(key -> client.setConfigurationSetting(key, "label of " + key, key)).blockLast();
        assertEquals(List.of(100, 30), client.listConfigurationSettings(new SettingSelector()).byPage()
            .map(page -> page.getValue().size()).collectList().block());
        assertEquals(keys, client.listConfigurationSettings(new SettingSelector()).map(ConfigurationSetting::getValue)
            .collectList().block());
        assertEquals(keys.stream().map("label of "::concat).toList(),
            client.listLabels().map(SettingLabel::getName).collectList().block());
    }

    @Test
    @Covers({"A3", "A9", "A11", "A12", "A13", "A14"})
    void aSnapshotIsMadeArchivedAndRecovered() {
        String name = unique("async-snapshot");
        BY_KEY.setConfigurationSetting(name, null, "kept").block();
        ConfigurationSnapshot made = BY_KEY.beginCreateSnapshot(name, Store.of(filter(name, NO_LABEL)))
            .setPollInterval(Duration.ofMillis(20)).last().flatMap(AsyncPollResponse::getFinalResult).block();
        assertEquals(ConfigurationSnapshotStatus.READY, made.getStatus());
        assertEquals(made.getETag(), BY_KEY.getSnapshot(name).block().getETag());
        assertEquals(ConfigurationSnapshotStatus.ARCHIVED, BY_KEY.archiveSnapshot(name).block().getStatus());
        assertEquals(ConfigurationSnapshotStatus.READY, BY_KEY.recoverSnapshot(name).block().getStatus());
        assertEquals("kept", BY_KEY.listConfigurationSettingsForSnapshot(name).blockLast().getValue());
        assertEquals(1, BY_KEY.listSnapshots(new SnapshotSelector().setNameFilter(name)).count().block());
    }
}
