package conformance;

import com.azure.core.http.HttpMethod;
import com.azure.core.http.MatchConditions;
import com.azure.core.util.Context;
import com.azure.data.appconfiguration.ConfigurationClient;
import com.azure.data.appconfiguration.models.ConfigurationSettingsFilter;
import com.azure.data.appconfiguration.models.ConfigurationSnapshot;
import com.azure.data.appconfiguration.models.ConfigurationSnapshotStatus;
import com.azure.data.appconfiguration.models.SnapshotComposition;
import com.azure.data.appconfiguration.models.SnapshotFields;
import com.azure.data.appconfiguration.models.SnapshotSelector;
import java.time.Duration;
import java.time.OffsetDateTime;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

import static conformance.Complaint.ALREADY_EXISTS;
import static conformance.Complaint.INVALID_ARGUMENT;
import static conformance.Complaint.NOT_FOUND;
import static conformance.Complaint.NOT_MET;
import static conformance.Complaint.NOT_MODIFIED;
import static conformance.Settings.unique;
import static conformance.Store.NO_LABEL;
import static conformance.Store.at;
import static conformance.Store.filter;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

/** Making, listing, archiving and recovering snapshots, and what is in them. */
final class ConfigSnapshotsTest {
    private static final Store STORE = Store.byKey();
    private static final ConfigurationClient CLIENT = STORE.client();

    @ParameterizedTest
    @MethodSource("conformance.Store#doors")
    @Covers({"A3", "A11", "A12", "A13"})
    void aSnapshotKeepsWhatItWasMadeOf(Store store) {
        String name = unique("snapshot");
        store.fill(List.of(new String[] {name + "/1", null, "1"}, new String[] {name + "/2", null, "2"},
            new String[] {name + "/2", "prod", "other"}, new String[] {name, null, "outside"}));
        ConfigurationSnapshot made = store.snapshot(name, Store.of(filter(name + "/*", NO_LABEL))
            .setRetentionPeriod(Duration.ofHours(2)).setTags(Map.of("release", "7")));
        for (ConfigurationSnapshot one : List.of(made, store.client().getSnapshot(name))) {
            assertEquals(name, one.getName());
            assertEquals(made.getETag(), one.getETag());
            assertEquals(ConfigurationSnapshotStatus.READY, one.getStatus());
            assertEquals(SnapshotComposition.KEY, one.getSnapshotComposition());
            assertEquals(2, one.getItemCount());
            assertEquals(Duration.ofHours(2), one.getRetentionPeriod());
            assertEquals(Map.of("release", "7"), one.getTags());
            assertTrue(one.getSizeInBytes() > 0);
            assertNull(one.getExpiresAt());
            assertTrue(one.getCreatedAt().isAfter(Clients.NOW.minusMinutes(5)));
            assertEquals(1, one.getFilters().size());
            assertEquals(name + "/*", one.getFilters().get(0).getKey());
            assertEquals(NO_LABEL, one.getFilters().get(0).getLabel());
        }
        store.set(name + "/1", "changed");
        store.set(name + "/3", "new");
        store.client().deleteConfigurationSetting(name + "/2", null);
        assertEquals(List.of("1", "2"), store.content(name));
    }

    @Test
    @Covers({"A12", "A13"})
    void theOperationIsWhereTheHeaderSays() throws InterruptedException {
        String name = unique("operation");
        Answer started = STORE.put(at("/snapshots/" + name), Map.of("filters", List.of(Map.of("key", name))));
        assertEquals(201, started.status(), started.body());
        String operation = started.header("Operation-Location");
        assertTrue(operation.startsWith(STORE.url() + "/operations?"), operation);
        Object status = "Running";
        while (status.equals("Running")) {
            Answer state = STORE.get(operation.substring(STORE.url().length()));
            assertEquals(200, state.status(), state.body());
            status = state.members().get("status");
            Thread.sleep(50);
        }
        assertEquals("Succeeded", status);
        assertEquals(ConfigurationSnapshotStatus.READY, CLIENT.getSnapshot(name).getStatus());
    }

    @Test
    @Covers("A13")
    void theCompositionTellsWhatIsOneSetting() {
        String key = unique("composition");
        STORE.fill(List.of(new String[] {key, null, "bare"}, new String[] {key, "prod", "prod"},
            new String[] {key, "test", "test"}));
        ConfigurationSettingsFilter[] filters = {filter(key, NO_LABEL), filter(key, "test"), filter(key, "prod")};
        ConfigurationSnapshot byKey =
            STORE.snapshot(key + "-key", Store.of(filters).setSnapshotComposition(SnapshotComposition.KEY));
        assertEquals(1, byKey.getItemCount());
        assertEquals(List.of("prod"), STORE.content(key + "-key"), "the last filter wins");
        ConfigurationSnapshot byLabel =
            STORE.snapshot(key + "-label", Store.of(filters).setSnapshotComposition(SnapshotComposition.KEY_LABEL));
        assertEquals(SnapshotComposition.KEY_LABEL, byLabel.getSnapshotComposition());
        assertEquals(3, byLabel.getItemCount());
        assertEquals(List.of("bare", "prod", "test"), STORE.content(key + "-label"));
    }

    @ParameterizedTest
    @MethodSource("conformance.Store#doors")
    @Covers({"A3", "A11", "A14"})
    void aSnapshotIsArchivedAndRecovered(Store store) {
        String name = unique("archive");
        store.set(name, "kept");
        ConfigurationSnapshot made =
            store.snapshot(name, Store.of(filter(name, NO_LABEL)).setRetentionPeriod(Duration.ofHours(1)));
        ConfigurationSnapshot archived = store.client().archiveSnapshot(name);
        assertEquals(ConfigurationSnapshotStatus.ARCHIVED, archived.getStatus());
        assertNotEquals(made.getETag(), archived.getETag());
        Duration left = Duration.between(OffsetDateTime.now(), archived.getExpiresAt());
        assertTrue(left.toMinutes() >= 58 && left.toMinutes() <= 61, left::toString);
        assertEquals(List.of("kept"), store.content(name));
        ConfigurationSnapshot again = store.client().archiveSnapshot(name);
        assertEquals(archived.getETag(), again.getETag());
        assertEquals(archived.getExpiresAt(), again.getExpiresAt());

        ConfigurationSnapshot recovered = store.client().recoverSnapshot(name);
        assertEquals(ConfigurationSnapshotStatus.READY, recovered.getStatus());
        assertNull(recovered.getExpiresAt());
        assertEquals(recovered.getETag(), store.client().recoverSnapshot(name).getETag());
        assertEquals(ConfigurationSnapshotStatus.READY, store.client().getSnapshot(name).getStatus());
    }

    @Test
    @Covers({"A11", "A14"})
    void aSnapshotCallMayAskForNoChange() {
        String name = unique("condition");
        String etag = STORE.snapshot(name, Store.of(filter(name, NO_LABEL))).getETag();
        NOT_MET.of(() -> CLIENT.archiveSnapshotWithResponse(name, ifMatch("other"), Context.NONE));
        String archived = CLIENT.archiveSnapshotWithResponse(name, ifMatch(etag), Context.NONE).getValue().getETag();
        NOT_MET.of(() -> CLIENT.recoverSnapshotWithResponse(name, ifMatch(etag), Context.NONE));
        NOT_MODIFIED.of(STORE.get(at("/snapshots/" + name), "If-None-Match", "\"" + archived + "\""));
        NOT_MET.of(STORE.get(at("/snapshots/" + name), "If-Match", "\"" + etag + "\""));
        assertEquals(200, STORE.get(at("/snapshots/" + name), "If-Match", "\"" + archived + "\"").status());
    }

    private static MatchConditions ifMatch(String etag) {
        return new MatchConditions().setIfMatch(etag);
    }

    @Test
    @Covers({"A9", "A11"})
    void snapshotsAreListedByNameAndStatus() {
        Store store = Store.own();
        for (String name : List.of("a-1", "a-2", "b-1")) {
            store.snapshot(name, Store.of(filter("none", NO_LABEL)));
        }
        store.client().archiveSnapshot("a-2");
        ConfigurationSnapshotStatus ready = ConfigurationSnapshotStatus.READY;
        ConfigurationSnapshotStatus archived = ConfigurationSnapshotStatus.ARCHIVED;
        assertEquals(List.of("a-1", "a-2", "b-1"), names(store, new SnapshotSelector()));
        assertEquals(List.of("a-1", "b-1"), names(store, new SnapshotSelector().setStatus(ready)));
        assertEquals(List.of("a-2"), names(store, new SnapshotSelector().setStatus(archived)));
        assertEquals(List.of("a-1", "a-2", "b-1"), names(store, new SnapshotSelector().setStatus(ready, archived)));
        assertEquals(List.of(), names(store, new SnapshotSelector().setStatus(ConfigurationSnapshotStatus.FAILED)));
        assertEquals(List.of("a-1", "a-2"), names(store, new SnapshotSelector().setNameFilter("a*")));
        assertEquals(List.of("b-1"), names(store, new SnapshotSelector().setNameFilter("b-1")));
        assertEquals(List.of("a-2"), names(store, new SnapshotSelector().setNameFilter("a*").setStatus(archived)));
        INVALID_ARGUMENT.of(store.get(at("/snapshots", "status=nonsense")));

        // The package reads no snapshot without its filters.
        List<SnapshotFields> fields = List.of(SnapshotFields.NAME, SnapshotFields.STATUS, SnapshotFields.FILTERS);
        SnapshotSelector selector = new SnapshotSelector().setNameFilter("a-1").setFields(fields);
        ConfigurationSnapshot listed = store.client().listSnapshots(selector).iterator().next();
        ConfigurationSnapshot read = store.client().getSnapshotWithResponse("a-1", fields, Context.NONE).getValue();
        for (ConfigurationSnapshot one : List.of(listed, read)) {
            assertEquals("a-1", one.getName());
            assertEquals(ready, one.getStatus());
            assertNull(one.getCreatedAt());
            assertNull(one.getETag());
        }
    }

    private static List<String> names(Store store, SnapshotSelector selector) {
        return store.client().listSnapshots(selector).stream().map(ConfigurationSnapshot::getName).sorted().toList();
    }

    @Test
    @Covers({"A3", "A9"})
    void snapshotsAndTheirContentPage() {
        Store store = Store.own();
        store.fill(Store.numbered(130));
        IntStream.range(0, 105).parallel()
            .forEach(n -> store.snapshot("s-%03d".formatted(n), Store.of(filter("none", NO_LABEL))));
        assertEquals(105, names(store, new SnapshotSelector()).size());
        store.snapshot("all",
            Store.of(filter("key-*", "label-*")).setSnapshotComposition(SnapshotComposition.KEY_LABEL));
        assertEquals(IntStream.range(0, 130).mapToObj(Integer::toString).toList(), store.content("all"));
    }

    @Test
    @Covers("A13")
    void aNameIsTakenForEver() {
        String name = unique("taken");
        ConfigurationSnapshot wanted = Store.of(filter(name, NO_LABEL));
        STORE.snapshot(name, wanted);
        Map<?, ?> problem = ALREADY_EXISTS.ofCreation(() -> STORE.snapshot(name, wanted));
        assertEquals("The resource already exists.", problem.get("title"));
        CLIENT.archiveSnapshot(name);
        ALREADY_EXISTS.ofCreation(() -> STORE.snapshot(name, wanted));
    }

    @Test
    @Covers("A13")
    void aSnapshotHasOneToThreeFilters() {
        String key = unique("filters");
        for (String letter : List.of("a", "b", "c", "d")) {
            STORE.set(key + letter, letter);
        }
        ConfigurationSettingsFilter a = filter(key + "a", NO_LABEL);
        ConfigurationSettingsFilter b = filter(key + "b", NO_LABEL);
        ConfigurationSettingsFilter c = filter(key + "c", NO_LABEL);
        STORE.snapshot(key, Store.of(a, b, c));
        assertEquals(List.of("a", "b", "c"), STORE.content(key));
        refused("filters", Store.of(a, b, c, filter(key + "d", NO_LABEL)));
        refused("filters", Store.of());
        refused("filters[0].key", Store.of(filter("k".repeat(257), NO_LABEL)));
        refused("filters[0].key", Store.of(filter(null, "l")));
        refused("retention_period", Store.of(a).setRetentionPeriod(Duration.ofSeconds(3599)));
        refused("retention_period", Store.of(a).setRetentionPeriod(Duration.ofSeconds(7_776_001)));
        refused("composition_type", Store.of(a).setSnapshotComposition(SnapshotComposition.fromString("nonsense")));
        refused("filters[0].tags", Store.of(filter(key, NO_LABEL).setTags(List.of("=v"))));
    }

    private static void refused(String parameter, ConfigurationSnapshot wanted) {
        String name = unique("refused");
        assertEquals(parameter, INVALID_ARGUMENT.ofCreation(() -> STORE.snapshot(name, wanted)).get("name"));
        NOT_FOUND.of(() -> CLIENT.getSnapshot(name));
    }

    @Test
    @Covers("A13")
    void aSnapshotMayChooseByTags() {
        String name = unique("tagged");
        Map.of("1", Map.of("env", "prod", "team", "a"), "2", Map.of("env", "prod"), "3", Map.of())
            .forEach((value, tags) -> assertEquals(200,
                STORE.put(at("/kv/" + name + value), Map.of("value", value, "tags", tags)).status()));
        List<String> tags = List.of("env=prod", "team=a");
        ConfigurationSnapshot made = STORE.snapshot(name, Store.of(filter(name + "*", NO_LABEL).setTags(tags)));
        assertEquals(tags, made.getFilters().get(0).getTags());
        assertEquals(List.of("1"), STORE.content(name));
    }

    @Test
    @Covers({"A3", "A11", "A14"})
    void aSnapshotThatIsNotThere() {
        String name = unique("none");
        NOT_FOUND.of(() -> CLIENT.getSnapshot(name));
        NOT_FOUND.of(() -> CLIENT.archiveSnapshot(name));
        NOT_FOUND.of(() -> CLIENT.recoverSnapshot(name));
        NOT_FOUND.of(STORE.ask(HttpMethod.HEAD, at("/snapshots/" + name)));
        assertEquals(List.of(), STORE.content(name));
    }
}
