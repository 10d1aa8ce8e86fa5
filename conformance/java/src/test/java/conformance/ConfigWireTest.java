package conformance;

import com.azure.core.http.HttpHeaderName;
import com.azure.core.http.HttpMethod;
import com.azure.core.http.HttpRequest;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

import static conformance.Complaint.INVALID_ARGUMENT;
import static conformance.Settings.unique;
import static conformance.Store.at;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

/** What the official client does not let through: the bytes of requests and answers. */
final class ConfigWireTest {
    private static final Store STORE = Store.byKey();

    @Test
    void ourSignatureIsTheReferenceSignature() {
        byte[] body = "{\"key\": \"k\", \"value\": \"v\", \"tags\": {}}".getBytes(StandardCharsets.UTF_8);
        HttpRequest request = new HttpRequest(HttpMethod.PUT, "https://h.example.com/kv/k?api-version=2026-04-01")
            .setHeader(AccessKey.DATE, "Nov, 21 2026 00:35:49.408620 GMT");
        new AccessKey("", "id", "secretsecret".getBytes(StandardCharsets.UTF_8)).sign(request, body);
        assertEquals("dNP6LjgWDU8YoGlcf7C9cnFvGhe031euT6KjYthEIPw=", request.getHeaders().getValue(AccessKey.HASH));
        assertTrue(request.getHeaders().getValue(HttpHeaderName.AUTHORIZATION)
            .endsWith("&Signature=A1WmhaJ70BNLpWO+lC011svE1ab8sWuQbQI7n1R8h4E="));
    }

    @Test
    @Covers("A5")
    void everyMemberIsWrittenInOrderAndNullsToo() {
        String key = unique("nulls");
        STORE.set(key, "v");
        Answer answer = STORE.get("/kv/" + key + "?api-version=2023-11-01");
        Map<?, ?> members = answer.read("kv");
        List<String> order = Pattern.compile("\"([a-z_]+)\"\\s*:").matcher(answer.body()).results()
            .map((MatchResult found) -> found.group(1)).toList();
        assertEquals("etag key label content_type value tags locked last_modified", String.join(" ", order));
        assertTrue(members.get("label") == null && members.get("content_type") == null);
        assertEquals(Map.of(), members.get("tags"));
        assertEquals('"' + members.get("etag").toString() + '"', answer.header("ETag"));
        AccessKey.HTTP_DATE.parse(answer.header("Last-Modified"));
        assertFalse(answer.header("x-ms-request-id").isEmpty());
    }

    @Test
    @Covers("A6")
    void aDescriptionComesBackAndOwnedMembersAreIgnored() {
        String key = unique("described");
        Map<String, ?> body = Map.of("value", "v", "description", "what it is for", "key", "other", "label", "other",
            "etag", "mine", "locked", true, "last_modified", "2001-01-01T00:00:00+00:00");
        Map<?, ?> made = STORE.put(at("/kv/" + key), body).read("kv");
        assertEquals(List.of(key, "v", "what it is for", false),
            List.of(made.get("key"), made.get("value"), made.get("description"), made.get("locked")));
        assertTrue(made.get("label") == null && !made.get("etag").equals("mine"));
        assertEquals("what it is for", STORE.get(at("/kv/" + key)).read("kv").get("description"));
    }

    @ParameterizedTest
    @ValueSource(strings = {"?LABEL=a%20label&Api-Version=2026-04-01", "?label=a+label&api-version=2026-04-01",
        "?api-version=2026-04-01&%24SELECT=value&Label=a%20label", "?api-version=1.0&label=a%20label&unknown=%7e~"})
    @Covers("A5")
    void parameterNamesHaveNoCaseAndNoOrder(String query) {
        String key = unique("case");
        STORE.set(key, "a label", "v");
        assertEquals("v", STORE.get("/kv/" + key + query).read("kv").get("value"));
    }

    @ParameterizedTest
    @ValueSource(strings = {"$select", "$Select", "%24select", "fields"})
    @Covers("A3")
    void theSelectedMembersHaveFourNames(String name) {
        String key = unique("select");
        STORE.set(key, "v");
        Answer answer = STORE.get(at("/kv", "KEY=" + key, name + "=key,value"));
        assertEquals(List.of("v"), answer.items("kvset", "value"));
        assertEquals(List.of(Map.of("key", key, "value", "v")), answer.members().get("items"));
    }

    @ParameterizedTest
    @ValueSource(strings = {"%2Fa%20b?api-version=1.0", "%2fa%20b?api-version=1.0&label=",
        "/a%20b?label=%00&api-version=1.0", "/%61%20b?api-version=1.0"})
    @Covers("A5")
    void aSlashMayBeBareAndTheSignatureIsOverTheLineAsItIsSent(String rest) {
        String key = unique("raw");
        STORE.set(key + "/a b", "v");
        assertEquals("v", STORE.get("/kv/" + key + rest).read("kv").get("value"));
    }

    @Test
    void whatIsNoOperationIsRefused() {
        String key = unique("method");
        STORE.set(key, "v");
        assertEquals(405, STORE.ask(HttpMethod.PUT, at("/kv")).status());
        assertEquals(405, STORE.ask(HttpMethod.PATCH, at("/kv/" + key)).status());
        assertEquals(405, STORE.ask(HttpMethod.POST, at("/kv/" + key)).status());
        assertEquals("api-version", INVALID_ARGUMENT.of(STORE.get("/kv/" + key + "?api-version=banana")).get("name"));
    }
}
