package conformance;

import com.azure.core.http.HttpPipelineCallContext;
import com.azure.core.http.HttpPipelineNextPolicy;
import com.azure.core.http.HttpPipelineNextSyncPolicy;
import com.azure.core.http.HttpRequest;
import com.azure.core.http.HttpResponse;
import com.azure.core.http.policy.HttpPipelinePolicy;
import java.util.Queue;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.regex.Pattern;
import reactor.core.publisher.Mono;

/** Looks on at what a client really sends, and sees that no answer shows a private member of a key. */
final class Wire implements HttpPipelinePolicy {
    /** The operations that any client has seen succeed. */
    static final Set<String> SUCCEEDED = ConcurrentHashMap.newKeySet();

    private static final Pattern PRIVATE_MEMBER =
        Pattern.compile("\"key\"\\s*:\\s*\\{[^}]*\"(d|p|q|dp|dq|qi|k|key_hsm)\"\\s*:");

    private final Queue<String> requests = new ConcurrentLinkedQueue<>();

    /** How many requests of this method and path the client has sent, the unauthorized first one included. */
    long count(String method, String path) {
        return requests.stream().filter((method + " " + path)::equals).count();
    }

    @Override
    public Mono<HttpResponse> process(HttpPipelineCallContext context, HttpPipelineNextPolicy next) {
        return next.process().map(HttpResponse::buffer).flatMap(response ->
            response.getBodyAsString().defaultIfEmpty("").map(body -> {
                observe(response, body);
                return response;
            }));
    }

    @Override
    public HttpResponse processSync(HttpPipelineCallContext context, HttpPipelineNextSyncPolicy next) {
        HttpResponse response = next.processSync().buffer();
        observe(response, response.getBodyAsBinaryData().toString());
        return response;
    }

    private void observe(HttpResponse response, String body) {
        HttpRequest request = response.getRequest();
        String path = request.getUrl().getPath();
        String method = request.getHttpMethod().toString();
        requests.add(method + " " + path);
        if (response.getStatusCode() < 300) {
            Operations.of(method, request.getUrl()).ifPresent(SUCCEEDED::add);
        }
        if (PRIVATE_MEMBER.matcher(body).find()) {
            throw new AssertionError("a private member in the answer to " + method + " " + path);
        }
    }
}
