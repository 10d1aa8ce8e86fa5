package conformance;

import com.azure.core.credential.TokenCredential;
import com.azure.core.credential.TokenRequestContext;
import com.azure.core.http.HttpHeaderName;
import com.azure.core.http.HttpMethod;
import com.azure.core.http.HttpPipeline;
import com.azure.core.http.HttpPipelineBuilder;
import com.azure.core.http.HttpRequest;
import com.azure.core.http.HttpResponse;
import com.azure.core.http.rest.PagedIterable;
import com.azure.core.util.BinaryData;
import com.azure.core.util.Context;
import com.azure.core.util.polling.LongRunningOperationStatus;
import com.azure.core.util.polling.PollOperationDetails;
import com.azure.core.util.polling.SyncPoller;
import com.azure.data.appconfiguration.ConfigurationClient;
import com.azure.data.appconfiguration.ConfigurationClientBuilder;
import com.azure.data.appconfiguration.models.ConfigurationSetting;
import com.azure.data.appconfiguration.models.ConfigurationSettingsFilter;
import com.azure.data.appconfiguration.models.ConfigurationSnapshot;
import com.azure.data.appconfiguration.models.SettingSelector;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.function.BiConsumer;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import reactor.core.publisher.Flux;
import reactor.core.scheduler.Schedulers;

import static org.junit.jupiter.api.Assertions.assertEquals;

/** One App Configuration store: the official client for it, and signed raw requests for what that does not offer. */
record Store(String url, ConfigurationClient client, BiConsumer<HttpRequest, byte[]> signer, String door) {
    /** The filter for settings that have no label. */
    static final String NO_LABEL = ConfigurationSetting.NO_LABEL;

    private static final HttpPipeline RAW = new HttpPipelineBuilder().policies(new Wire()).build();

    private static final Store BY_KEY = byKey(Settings.CONNECTION);
    private static final Store BY_TOKEN = at(Settings.STORE, Clients.CREDENTIAL);

    /** The store that the environment names, with either authentication. */
    static List<Store> doors() {
        return List.of(BY_KEY, BY_TOKEN);
    }

    static Store byKey() {
        return BY_KEY;
    }

    static Store byToken() {
        return BY_TOKEN;
    }

    /** A store with nothing in it. Access keys exist only for the one that the environment names. */
    static Store own() {
        return at(Settings.freshStore(), Clients.CREDENTIAL);
    }

    static Store byKey(String connection) {
        AccessKey key = AccessKey.parse(connection);
        return new Store(key.endpoint(), builder().connectionString(connection).buildClient(), key::sign, "access key");
    }

    static Store at(String url, TokenCredential credential) {
        TokenRequestContext scope = new TokenRequestContext().addScopes(url + "/.default");
        return new Store(url, builder().endpoint(url).credential(credential).buildClient(),
            (request, body) -> request.setHeader(HttpHeaderName.AUTHORIZATION,
                "Bearer " + credential.getTokenSync(scope).getToken()), "token");
    }

    static ConfigurationClientBuilder builder() {
        return new ConfigurationClientBuilder().addPolicy(new Wire());
    }

    /** The same store with raw requests that are signed otherwise. */
    Store signedBy(BiConsumer<HttpRequest, byte[]> other) {
        return new Store(url, client, other, door);
    }

    @Override
    public String toString() {
        return door;
    }

    /** A setting without a label. */
    ConfigurationSetting set(String key, String value) {
        return set(key, null, value);
    }

    ConfigurationSetting set(String key, String label, String value) {
        return client.setConfigurationSetting(key, label, value);
    }

    String value(String key, String label) {
        return client.getConfigurationSetting(key, label).getValue();
    }

    /** Makes settings side by side, each a key, a label and a value. */
    void fill(List<String[]> settings) {
        Flux.fromIterable(settings).parallel(16).runOn(Schedulers.boundedElastic())
            .map(one -> set(one[0], one[1], one[2])).sequential().blockLast();
    }

    /** Settings to fill a store with, each with a label of its own. */
    static List<String[]> numbered(int count) {
        return IntStream.range(0, count)
            .mapToObj(n -> new String[] {"key-%03d".formatted(n), "label-%03d".formatted(n), "" + n}).toList();
    }

    static SettingSelector selector(String key, String label) {
        return new SettingSelector().setKeyFilter(key).setLabelFilter(label);
    }

    static List<String> values(PagedIterable<ConfigurationSetting> settings) {
        return settings.stream().map(ConfigurationSetting::getValue).toList();
    }

    List<String> values(String key, String label) {
        return values(client.listConfigurationSettings(selector(key, label)));
    }

    List<String> revisions(String key, String label) {
        return values(client.listRevisions(selector(key, label)));
    }

    List<String> content(String snapshot) {
        return values(client.listConfigurationSettingsForSnapshot(snapshot));
    }

    static ConfigurationSnapshot of(ConfigurationSettingsFilter... filters) {
        return new ConfigurationSnapshot(List.of(filters));
    }

    static ConfigurationSettingsFilter filter(String key, String label) {
        return new ConfigurationSettingsFilter(key).setLabel(label);
    }

    /** Makes a snapshot and waits until it is ready. */
    ConfigurationSnapshot snapshot(String name, ConfigurationSnapshot wanted) {
        SyncPoller<PollOperationDetails, ConfigurationSnapshot> poller =
            client.beginCreateSnapshot(name, wanted, Context.NONE).setPollInterval(Duration.ofMillis(20));
        assertEquals(LongRunningOperationStatus.SUCCESSFULLY_COMPLETED,
            poller.waitForCompletion(Duration.ofSeconds(30)).getStatus());
        return poller.getFinalResult();
    }

    /** A raw request without a body; the target is the path and query as they are to be on the request line. */
    Answer ask(HttpMethod method, String target, String... headers) {
        return send(new HttpRequest(method, url + target), new byte[0], headers);
    }

    Answer get(String target, String... headers) {
        return ask(HttpMethod.GET, target, headers);
    }

    /** A raw PUT with a JSON body. */
    Answer put(String target, Map<String, ?> body, String... headers) {
        BinaryData text = BinaryData.fromObject(body);
        HttpRequest request = new HttpRequest(HttpMethod.PUT, url + target).setBody(text)
            .setHeader(HttpHeaderName.CONTENT_TYPE, "application/json");
        return send(request, text.toBytes(), headers);
    }

    private Answer send(HttpRequest request, byte[] body, String... headers) {
        for (int at = 0; at < headers.length; at += 2) {
            request.setHeader(HttpHeaderName.fromString(headers[at]), headers[at + 1]);
        }
        signer.accept(request, body);
        try (HttpResponse response = RAW.sendSync(request, Context.NONE)) {
            return Answer.of(response);
        }
    }

    /** A target with the newest API version; each parameter is {@code name=value} as it is to be on the line. */
    static String at(String path, String... parameters) {
        return Stream.concat(Stream.of(parameters), Stream.of("api-version=2026-04-01"))
            .collect(Collectors.joining("&", path + "?", ""));
    }
}
