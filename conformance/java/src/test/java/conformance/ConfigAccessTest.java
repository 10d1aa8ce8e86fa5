package conformance;

import com.azure.core.credential.AccessToken;
import com.azure.core.credential.TokenCredential;
import com.azure.core.credential.TokenRequestContext;
import com.azure.core.http.HttpHeaderName;
import com.azure.core.http.HttpRequest;
import com.azure.data.appconfiguration.ConfigurationClient;
import java.time.OffsetDateTime;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.function.Consumer;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import reactor.core.publisher.Mono;

import static conformance.AccessKey.HTTP_DATE;
import static conformance.Complaint.NOT_ALLOWED;
import static conformance.Complaint.NOT_AUTHORIZED;
import static conformance.Complaint.NOT_FOUND;
import static conformance.Settings.unique;
import static conformance.Store.NO_LABEL;
import static conformance.Store.at;
import static conformance.Store.filter;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

/** Who may do what, and signatures and tokens that are not good. */
final class ConfigAccessTest {
    private static final AccessKey KEY = AccessKey.parse(Settings.CONNECTION);
    private static final Store STORE = Store.byKey();

    @Test
    @Covers({"A1", "A3", "A5", "A6", "A7", "A11", "A13", "A14", "A16", "A18", "A19", "A20"})
    void aReadOnlyKeyReadsAndWritesNothing() {
        Store reader = Store.byKey(Settings.READ_ONLY_CONNECTION);
        ConfigurationClient client = reader.client();
        String key = unique("read-only");
        STORE.set(key, "v");
        STORE.snapshot(key, Store.of(filter(key, NO_LABEL)));
        assertEquals("v", reader.value(key, null));
        assertEquals(List.of("v"), reader.values(key, null));
        assertEquals(List.of("v"), reader.revisions(key, null));
        assertEquals(List.of("v"), reader.content(key));
        assertEquals(key, client.getSnapshot(key).getName());
        assertTrue(client.listLabels().stream().count() > 0);
        assertEquals(List.of(key), reader.get(at("/keys", "name=" + key)).items("keyset", "name"));
        List<Executable> calls = List.of(
            () -> reader.set(key, "w"),
            () -> client.addConfigurationSetting(key + "-2", null, "w"),
            () -> client.deleteConfigurationSetting(key, null),
            () -> client.setReadOnly(key, null, true),
            () -> client.setReadOnly(key, null, false),
            () -> client.archiveSnapshot(key));
        calls.forEach(NOT_ALLOWED::of);
        NOT_ALLOWED.ofCreation(() -> reader.snapshot(unique("refused"), Store.of(filter(key, NO_LABEL))));
        assertEquals("v", STORE.value(key, null));
    }

    static Stream<Arguments> wrongKeys() {
        return Stream.of(
            Arguments.of("Invalid Signature", new AccessKey(KEY.endpoint(), KEY.id(), Settings.randomBytes(32))),
            Arguments.of("Invalid Credential", new AccessKey(KEY.endpoint(), "nobody", KEY.secret())));
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("wrongKeys")
    @Covers({"A5", "A6"})
    void aWrongKeyIsRefused(String reason, AccessKey wrong) {
        Store store = Store.byKey(wrong.connection());
        NOT_AUTHORIZED.of(() -> store.client().getConfigurationSetting("any", null));
        NOT_AUTHORIZED.of(() -> store.set("any", "v"));
        refused(reason, store.get(at("/kv/any")));
    }

    /** A 401 with a challenge for either scheme, which tells the reason. */
    private static void refused(String reason, Answer answer) {
        NOT_AUTHORIZED.of(answer);
        String challenges = answer.header("WWW-Authenticate");
        for (String text : List.of("HMAC-SHA256", "Bearer", reason)) {
            assertTrue(challenges.contains(text), text + " is in " + challenges);
        }
    }

    static List<String> badTokens() {
        String foreign = Clients.CREDENTIAL.getTokenSync(
            new TokenRequestContext().addScopes("https://management.azure.com/.default")).getToken();
        return List.of("garbage", foreign);
    }

    @ParameterizedTest(name = "{index}")
    @MethodSource("badTokens")
    @Covers({"A5", "A6"})
    void aBadTokenIsRefused(String token) {
        TokenCredential fixed = request -> Mono.just(new AccessToken(token, OffsetDateTime.now().plusHours(1)));
        Store store = Store.at(Settings.STORE, fixed);
        NOT_AUTHORIZED.of(() -> store.client().getConfigurationSetting("any", null));
        NOT_AUTHORIZED.of(() -> store.set("any", "v"));
    }

    @Test
    void aRequestWithoutASignatureIsChallenged() {
        Store nobody = STORE.signedBy((request, body) -> { });
        for (String target : List.of(at("/kv/any"), "/kv/any", at("/snapshots"), at("/keys"))) {
            refused("", nobody.get(target));
        }
        refused("", nobody.put(at("/kv/any"), Map.of("value", "v")));
    }

    @Test
    void anAccessKeyOpensOnlyItsOwnStore() {
        Store other = Store.own();
        other.set("key", "v");
        Store burglar = Store.byKey(new AccessKey(other.url(), KEY.id(), KEY.secret()).connection());
        NOT_AUTHORIZED.of(() -> burglar.client().getConfigurationSetting("key", null));
    }

    private static Arguments change(String what, String reason, Consumer<HttpRequest> change) {
        return Arguments.of(what, reason, change);
    }

    static Stream<Arguments> changes() {
        String later = OffsetDateTime.now(ZoneOffset.UTC).plusMinutes(1).format(HTTP_DATE);
        return Stream.of(
            change("the path", "Invalid Signature",
                request -> request.setUrl(request.getUrl().toString().replace("?", "-2?"))),
            change("the query", "Invalid Signature", request -> request.setUrl(request.getUrl() + "&label=l")),
            change("the date", "Invalid Signature", request -> request.setHeader(AccessKey.DATE, later)),
            change("the hash", "Invalid Signature",
                request -> request.setHeader(AccessKey.HASH, "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=")),
            change("the content", "Invalid request content hash", request -> request.setBody("{\"value\":\"w\"}")),
            change("no content hash", "not found", request -> request.getHeaders().remove(AccessKey.HASH)),
            change("no signed headers", "SignedHeaders", request -> authorize(request, "&SignedHeaders=[^&]*")),
            change("no signature", "Signature is required", request -> authorize(request, "&Signature=.*")));
    }

    private static void authorize(HttpRequest request, String without) {
        String authorization = request.getHeaders().getValue(HttpHeaderName.AUTHORIZATION);
        request.setHeader(HttpHeaderName.AUTHORIZATION, authorization.replaceFirst(without, ""));
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("changes")
    @Covers({"A5", "A6"})
    void whatIsChangedAfterTheSignatureIsRefused(String what, String reason, Consumer<HttpRequest> change) {
        String key = unique("tampered");
        Store tampered = STORE.signedBy((request, body) -> {
            KEY.sign(request, body);
            change.accept(request);
        });
        refused(reason, tampered.put(at("/kv/" + key), Map.of("value", "v")));
        NOT_FOUND.of(() -> STORE.client().getConfigurationSetting(key, null));
    }

    static Stream<Arguments> dates() {
        DateTimeFormatter python = DateTimeFormatter.ofPattern("MMM, dd yyyy HH:mm:ss.SSSSSS 'GMT'", Locale.ROOT);
        String old = "The access token has expired";
        OffsetDateTime now = OffsetDateTime.now(ZoneOffset.UTC);
        return Stream.of(
            Arguments.of(now.format(HTTP_DATE), null), Arguments.of(now.format(python), null),
            Arguments.of(now.minusMinutes(14).format(HTTP_DATE), null),
            Arguments.of(now.plusMinutes(14).format(HTTP_DATE), null),
            Arguments.of(now.minusMinutes(16).format(HTTP_DATE), old),
            Arguments.of(now.minusMinutes(16).format(python), old),
            Arguments.of(now.plusMinutes(16).format(HTTP_DATE), old),
            Arguments.of("soon", "Invalid access token date"));
    }

    @ParameterizedTest(name = "{index}: {1}")
    @MethodSource("dates")
    @Covers("A5")
    void aDateMayBeAQuarterOfAnHourOff(String date, String reason) {
        String key = unique("date");
        STORE.set(key, "v");
        Answer answer = STORE.get(at("/kv/" + key), "x-ms-date", date);
        if (reason == null) {
            assertEquals("v", answer.read("kv").get("value"));
        } else {
            refused(reason, answer);
        }
    }
}
