package conformance;

import com.azure.core.http.HttpMethod;
import com.azure.data.appconfiguration.models.ConfigurationSnapshot;
import java.time.OffsetDateTime;
import java.time.ZoneOffset;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

import static conformance.AccessKey.HTTP_DATE;
import static conformance.Settings.unique;
import static conformance.Store.NO_LABEL;
import static conformance.Store.at;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

/** HEAD operations are not in the official client: they are sent raw, signed by our own code. */
final class ConfigHeadTest {
    /** HEAD answers as GET does, without a body. */
    private static Answer head(Store store, int status, String target, String... headers) {
        Answer whole = store.get(target, headers);
        Answer head = store.ask(HttpMethod.HEAD, target, headers);
        assertEquals(List.of(status, status), List.of(whole.status(), head.status()), whole.body());
        assertEquals("", head.body());
        for (String name : List.of("ETag", "Link", "Content-Type", "Last-Modified")) {
            assertEquals(whole.header(name), head.header(name), name);
        }
        assertFalse(head.header("Sync-Token").isEmpty());
        return head;
    }

    @ParameterizedTest
    @MethodSource("conformance.Store#doors")
    @Covers("A8")
    void aSettingIsChecked(Store store) {
        String key = unique("check");
        String target = at("/kv/" + key);
        assertEquals(404, store.ask(HttpMethod.HEAD, target).status());
        String etag = '"' + store.set(key, "v").getETag() + '"';
        assertEquals(etag, head(store, 200, target).header("ETag"));
        head(store, 304, target, "If-None-Match", etag);
        head(store, 412, target, "If-Match", "\"other\"");
        head(store, 404, at("/kv/" + key, "label=none"));
    }

    @ParameterizedTest
    @MethodSource("conformance.Store#doors")
    @Covers("A4")
    void aListOfSettingsIsChecked(Store store) {
        String key = unique("check");
        store.set(key, "v");
        String target = at("/kv", "key=" + key + "*");
        String etag = head(store, 200, target).header("ETag");
        assertFalse(etag.isEmpty());
        head(store, 304, target, "If-None-Match", etag);
        store.set(key, "changed");
        assertNotEquals(etag, head(store, 200, target).header("ETag"));
    }

    @ParameterizedTest
    @MethodSource("conformance.Store#doors")
    @Covers({"A2", "A17", "A21"})
    void keysLabelsAndRevisionsAreChecked(Store store) {
        String key = unique("check");
        store.set(key, "label of " + key, "v");
        head(store, 200, at("/keys", "name=" + key));
        head(store, 200, at("/labels", "name=label%20of%20" + key));
        head(store, 200, at("/revisions", "key=" + key));
    }

    @ParameterizedTest
    @MethodSource("conformance.Store#doors")
    @Covers({"A10", "A15"})
    void snapshotsAreChecked(Store store) {
        String name = unique("check");
        assertEquals(404, store.ask(HttpMethod.HEAD, at("/snapshots/" + name)).status());
        ConfigurationSnapshot made = store.snapshot(name, Store.of(Store.filter(name, NO_LABEL)));
        assertEquals('"' + made.getETag() + '"', head(store, 200, at("/snapshots/" + name)).header("ETag"));
        head(store, 200, at("/snapshots", "name=" + name));
    }

    @Test
    @Covers({"A2", "A4", "A17", "A21"})
    void checkedListsPageByTheirLinksAlone() {
        Store store = Store.own();
        store.fill(Store.numbered(205));
        for (String path : List.of("/kv", "/keys", "/labels", "/revisions")) {
            int pages = 0;
            for (String target = at(path); !target.isEmpty() && pages < 5; pages++) {
                Answer answer = store.ask(HttpMethod.HEAD, target);
                assertEquals(200, answer.status());
                target = answer.next();
            }
            assertEquals(3, pages, path);
        }
    }

    @Test
    @Covers("A8")
    void aPastIsCheckedWithItsMemento() throws InterruptedException {
        Store store = Store.byKey();
        String key = unique("memento");
        store.set(key, "v");
        Thread.sleep(1100);
        String now = OffsetDateTime.now(ZoneOffset.UTC).format(HTTP_DATE);
        for (HttpMethod method : List.of(HttpMethod.GET, HttpMethod.HEAD)) {
            Answer answer = store.ask(method, at("/kv/" + key), "Accept-Datetime", now);
            assertEquals(200, answer.status());
            HTTP_DATE.parse(answer.header("Memento-Datetime"));
            assertTrue(answer.header("Link").contains("rel=\"original\""), answer.header("Link"));
        }
    }
}
