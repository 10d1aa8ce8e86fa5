package conformance;

import com.azure.core.exception.HttpResponseException;
import com.azure.core.http.HttpMethod;
import com.azure.core.http.rest.Response;
import com.azure.core.util.Context;
import com.azure.data.appconfiguration.ConfigurationClient;
import com.azure.data.appconfiguration.models.ConfigurationSetting;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import reactor.core.publisher.Flux;
import reactor.core.scheduler.Schedulers;

import static conformance.Complaint.KEY_LOCKED;
import static conformance.Complaint.NOT_FOUND;
import static conformance.Complaint.NOT_MET;
import static conformance.Complaint.NOT_MODIFIED;
import static conformance.Settings.unique;
import static conformance.Store.at;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

/** Calls that work only if nothing, or something, has changed, and settings that are locked. */
final class ConfigConditionsTest {
    private static final Store STORE = Store.byKey();
    private static final ConfigurationClient CLIENT = STORE.client();

    private static ConfigurationSetting setting(String key, String value, String etag) {
        return new ConfigurationSetting().setKey(key).setValue(value).setETag(etag);
    }

    private static ConfigurationSetting set(Store store, ConfigurationSetting unchanged) {
        return store.client().setConfigurationSettingWithResponse(unchanged, true, Context.NONE).getValue();
    }

    private static ConfigurationSetting delete(Store store, ConfigurationSetting unchanged) {
        return store.client().deleteConfigurationSettingWithResponse(unchanged, true, Context.NONE).getValue();
    }

    @ParameterizedTest
    @MethodSource("conformance.Store#doors")
    @Covers("A6")
    void anAddWorksOnlyOnce(Store store) {
        String key = unique("add");
        store.client().addConfigurationSetting(key, "l", "first");
        NOT_MET.of(() -> store.client().addConfigurationSetting(key, "l", "second"));
        assertEquals("first", store.value(key, "l"));
        store.client().addConfigurationSetting(key, null, "another label");
        store.client().deleteConfigurationSetting(key, "l");
        store.client().addConfigurationSetting(key, "l", "third");
    }

    @Test
    @Covers("A6")
    void oneOfManyAddsWins() {
        String key = unique("race");
        List<Integer> statuses = Flux.range(0, 8).parallel(8).runOn(Schedulers.boundedElastic()).map(n -> {
            try {
                CLIENT.addConfigurationSetting(key, null, "" + n);
                return 200;
            } catch (HttpResponseException error) {
                return error.getResponse().getStatusCode();
            }
        }).sequential().collectList().block();
        assertEquals(List.of(200, 412, 412, 412, 412, 412, 412, 412), statuses.stream().sorted().toList());
    }

    @ParameterizedTest
    @MethodSource("conformance.Store#doors")
    @Covers({"A6", "A7"})
    void aSetAndADeleteMayAskForNoChange(Store store) {
        String key = unique("unchanged");
        String first = store.set(key, "1").getETag();
        String second = set(store, setting(key, "2", first)).getETag();
        NOT_MET.of(() -> set(store, setting(key, "3", first)));
        NOT_MET.of(() -> delete(store, setting(key, null, first)));
        assertEquals("2", store.value(key, null));
        String third = set(store, setting(key, "4", "*")).getETag();
        NOT_MET.of(() -> delete(store, setting(key, null, second)));
        delete(store, setting(key, null, third));
        NOT_MET.of(() -> delete(store, setting(key, null, third)));
        NOT_MET.of(() -> set(store, setting(key, "5", third)));
        NOT_MET.of(() -> set(store, setting(key, "6", "*")));
        NOT_FOUND.of(() -> store.client().getConfigurationSetting(key, null));
    }

    @ParameterizedTest
    @MethodSource("conformance.Store#doors")
    @Covers("A5")
    void aGetMayAskForAChange(Store store) {
        String key = unique("changed");
        ConfigurationSetting made = store.set(key, "1");
        Response<ConfigurationSetting> same =
            store.client().getConfigurationSettingWithResponse(made, null, true, Context.NONE);
        assertEquals(304, same.getStatusCode());
        assertNull(same.getValue());
        store.set(key, "2");
        Response<ConfigurationSetting> other =
            store.client().getConfigurationSettingWithResponse(made, null, true, Context.NONE);
        assertEquals("2", other.getValue().getValue());
        store.client().deleteConfigurationSetting(key, null);
        NOT_FOUND.of(() -> store.client().getConfigurationSettingWithResponse(made, null, true, Context.NONE));
    }

    @Test
    @Covers({"A5", "A6", "A8"})
    void etagsAreReadInEverySpelling() {
        String key = unique("spelling");
        String etag = STORE.set(key, "v").getETag();
        String target = at("/kv/" + key);
        String quoted = '"' + etag + '"';
        for (String spelling : List.of(etag, quoted, "W/" + quoted, quoted + ", \"other\"")) {
            for (HttpMethod method : List.of(HttpMethod.GET, HttpMethod.HEAD)) {
                NOT_MODIFIED.of(STORE.ask(method, target, "If-None-Match", spelling));
                assertEquals(200, STORE.ask(method, target, "If-Match", spelling).status());
            }
        }
        NOT_MET.of(STORE.get(target, "If-Match", "\"other\""));
        NOT_MET.of(STORE.put(target, Map.of("value", "w"), "If-None-Match", quoted));
        assertEquals("v", STORE.value(key, null));
    }

    @ParameterizedTest
    @MethodSource("conformance.Store#doors")
    @Covers({"A6", "A7", "A18", "A19"})
    void aLockedSettingIsLeftAlone(Store store) {
        String key = unique("lock");
        ConfigurationSetting made = store.set(key, "v");
        ConfigurationSetting locked = store.client().setReadOnly(key, null, true);
        assertTrue(locked.isReadOnly() && store.client().getConfigurationSetting(key, null).isReadOnly());
        assertEquals("v", locked.getValue());
        assertNotEquals(made.getETag(), locked.getETag());
        Map<?, ?> problem = KEY_LOCKED.of(() -> store.set(key, "w"));
        assertEquals(key, problem.get("name"));
        assertEquals("Modifing key '" + key + "' is not allowed", problem.get("title"));
        assertEquals("The key is read-only. To allow modification unlock it first.", problem.get("detail"));
        KEY_LOCKED.of(() -> store.client().deleteConfigurationSetting(key, null));
        assertFalse(store.client().setReadOnly(key, null, false).isReadOnly());
        store.set(key, "w");
        store.client().deleteConfigurationSetting(key, null);
    }

    @Test
    @Covers({"A18", "A19"})
    void aLockBelongsToOneLabel() {
        String key = unique("lock");
        STORE.set(key, "bare");
        STORE.set(key, "l", "labelled");
        assertEquals("l", CLIENT.setReadOnly(key, "l", true).getLabel());
        STORE.set(key, "still written");
        KEY_LOCKED.of(() -> STORE.set(key, "l", "w"));
        CLIENT.setReadOnly(key, "l", false);
        STORE.set(key, "l", "written again");
    }

    @Test
    @Covers({"A6", "A7", "A18"})
    void thePreconditionComesBeforeTheLock() {
        String key = unique("order");
        String stale = STORE.set(key, "v").getETag();
        String current = CLIENT.setReadOnly(key, null, true).getETag();
        NOT_MET.of(() -> set(STORE, setting(key, "w", stale)));
        KEY_LOCKED.of(() -> set(STORE, setting(key, "w", current)));
        NOT_MET.of(() -> delete(STORE, setting(key, null, stale)));
        KEY_LOCKED.of(() -> delete(STORE, setting(key, null, current)));
        NOT_MET.of(() -> CLIENT.addConfigurationSetting(key, null, "w"));
    }

    @Test
    @Covers({"A18", "A19"})
    void aLockMayAskForNoChange() {
        String key = unique("lock");
        String stale = STORE.set(key, "1").getETag();
        String current = STORE.set(key, "2").getETag();
        NOT_MET.of(lock(HttpMethod.PUT, key, stale));
        Map<?, ?> locked = lock(HttpMethod.PUT, key, current).read("kv");
        assertEquals(true, locked.get("locked"));
        NOT_MET.of(lock(HttpMethod.DELETE, key, current));
        assertEquals(false, lock(HttpMethod.DELETE, key, locked.get("etag")).read("kv").get("locked"));
    }

    /** The official client puts no condition on a lock. */
    private static Answer lock(HttpMethod method, String key, Object unchanged) {
        return STORE.ask(method, at("/locks/" + key), "If-Match", "\"" + unchanged + "\"");
    }

    @Test
    @Covers({"A18", "A19"})
    void whatIsNotThereCannotBeLocked() {
        String key = unique("lock");
        NOT_FOUND.of(() -> CLIENT.setReadOnly(key, null, true));
        NOT_FOUND.of(() -> CLIENT.setReadOnly(key, null, false));
    }
}
