package conformance;

import com.azure.core.http.HttpHeaderName;
import com.azure.core.http.MatchConditions;
import com.azure.core.http.rest.PagedResponse;
import com.azure.data.appconfiguration.models.ConfigurationSetting;
import com.azure.data.appconfiguration.models.SettingLabel;
import com.azure.data.appconfiguration.models.SettingLabelSelector;
import com.azure.data.appconfiguration.models.SettingSelector;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

import static conformance.Complaint.NOT_MET;
import static conformance.Complaint.NOT_MODIFIED;
import static conformance.Store.NO_LABEL;
import static conformance.Store.at;
import static conformance.Store.numbered;
import static conformance.Store.selector;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

/** Lists that are longer than a page, and pages that did not change. */
final class ConfigPagesTest {
    private static List<PagedResponse<ConfigurationSetting>> pages(Store store, SettingSelector selector) {
        return store.client().listConfigurationSettings(selector).streamByPage().toList();
    }

    private static List<Integer> sizes(List<PagedResponse<ConfigurationSetting>> pages) {
        return pages.stream().map(page -> page.getValue().size()).toList();
    }

    private static List<String> etags(Store store) {
        return pages(store, new SettingSelector()).stream()
            .map(page -> page.getHeaders().getValue(HttpHeaderName.ETAG)).toList();
    }

    @Test
    @Covers("A3")
    void settingsComeInPagesOfAHundred() {
        Store store = Store.own();
        store.fill(numbered(205));
        store.set("other", "o");
        List<String> wanted = IntStream.range(0, 205).mapToObj(Integer::toString).toList();
        for (String label : new String[] {null, "label-*"}) {
            assertEquals(List.of(100, 100, 5), sizes(pages(store, selector("key-*", label))));
            assertEquals(wanted, store.values("key-*", label));
        }
        assertEquals(List.of("o"), store.values(null, NO_LABEL));
    }

    @Test
    @Covers("A3")
    void pagesWithoutALabelStayThat() {
        Store store = Store.own();
        store.fill(numbered(120));
        store.fill(numbered(120).stream().map(one -> new String[] {one[0], null, one[2]}).toList());
        List<PagedResponse<ConfigurationSetting>> pages = pages(store, selector(null, NO_LABEL));
        assertEquals(List.of(100, 20), sizes(pages));
        assertTrue(pages.stream().flatMap(page -> page.getValue().stream()).allMatch(one -> one.getLabel() == null));
    }

    @Test
    @Covers("A3")
    void pagesThatDidNotChangeAreNotSentAgain() {
        Store store = Store.own();
        store.fill(numbered(205));
        List<String> etags = etags(store);
        assertEquals(3, etags.stream().distinct().count());
        SettingSelector unchanged = new SettingSelector().setMatchConditions(
            etags.stream().map(etag -> new MatchConditions().setIfNoneMatch(etag)).toList());
        assertEquals(List.of(304, 304, 304), statuses(store, unchanged));
        store.set("key-150", "label-150", "changed");
        assertEquals(List.of(304, 200, 304), statuses(store, unchanged));
        assertEquals("changed", pages(store, unchanged).get(1).getValue().get(50).getValue());
        List<String> later = etags(store);
        assertEquals(List.of(etags.get(0), etags.get(2)), List.of(later.get(0), later.get(2)));
        assertNotEquals(etags.get(1), later.get(1));
    }

    private static List<Integer> statuses(Store store, SettingSelector selector) {
        return pages(store, selector).stream().map(PagedResponse::getStatusCode).toList();
    }

    @Test
    @Covers("A3")
    void thePageOnTheWire() {
        Store store = Store.own();
        store.fill(numbered(101));
        String target = at("/kv", "key=key*");
        Answer first = store.get(target);
        Map<?, ?> page = first.read("kvset");
        assertEquals("\"" + page.get("etag") + "\"", first.header("ETag"));
        assertEquals(page.get("@nextLink"), first.next());
        Answer last = store.get(first.next());
        assertEquals(List.of("key-100"), last.items("kvset", "key"));
        assertFalse(last.members().containsKey("@nextLink"));
        assertEquals("", last.next());
        Answer same = store.get(target, "If-None-Match", first.header("ETag"));
        NOT_MODIFIED.of(same);
        assertEquals(first.next(), same.next());
        assertEquals(first.header("ETag"), same.header("ETag"));
        assertEquals(200, store.get(target, "If-Match", first.header("ETag")).status());
        NOT_MET.of(store.get(target, "If-Match", "\"other\""));
        assertNull(store.get("/kv?api-version=1.0").read("kvset").get("etag"));
    }

    @Test
    @Covers("A1")
    void keysAreListedOnceEach() {
        Store store = Store.own();
        store.fill(numbered(105));
        store.fill(List.of(new String[] {"key-000", null, "again"}, new String[] {"other", null, "v"},
            new String[] {"Ünï/code", null, "v"}));
        List<Object> names = keys(store, "name=key-*");
        assertEquals(numbered(105).stream().map(one -> one[0]).toList(), names);
        assertEquals(List.of("Ünï/code"), keys(store, "name=%C3%9Cn%C3%AF%2Fcode"));
        assertEquals(List.of("other"), keys(store, "name=other,none"));
        assertEquals(107, keys(store).size());
        store.client().deleteConfigurationSetting("other", null);
        assertEquals(List.of(), keys(store, "name=other"));
    }

    private static List<Object> keys(Store store, String... parameters) {
        List<Object> names = new ArrayList<>();
        for (String target = at("/keys", parameters); !target.isEmpty();) {
            Answer page = store.get(target);
            names.addAll(page.items("keyset", "name"));
            target = page.next();
        }
        return names;
    }

    @Test
    @Covers("A16")
    void labelsAreListedOnceEach() {
        Store store = Store.own();
        store.fill(numbered(105));
        store.fill(List.of(new String[] {"another", "label-000", "v"}, new String[] {"bare", null, "v"}));
        List<String> all = store.client().listLabels().stream().map(SettingLabel::getName).toList();
        assertEquals(106, all.size());
        assertNull(all.get(0));
        assertEquals(105, labels(store, "label-*").size());
        assertEquals(List.of("label-007", "label-011"), labels(store, "label-007,label-011"));
        assertEquals(1, labels(store, NO_LABEL).size());
        assertNull(labels(store, NO_LABEL).get(0));
        Answer raw = store.get(at("/labels", "name=%00", "$select=name"));
        assertTrue(raw.body().contains("{\"name\":null}"), raw.body());
        assertEquals(1, raw.items("labelset", "name").size());
    }

    private static List<String> labels(Store store, String name) {
        return store.client().listLabels(new SettingLabelSelector().setNameFilter(name)).stream()
            .map(SettingLabel::getName).toList();
    }
}
