package conformance;

import com.azure.core.http.HttpHeader;
import com.azure.core.http.HttpHeaderName;
import com.azure.core.http.HttpHeaders;
import com.azure.core.http.HttpResponse;
import com.azure.core.util.BinaryData;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertTrue;

/** A response to a raw request, read to its end. */
record Answer(int status, HttpHeaders headers, String body) {
    static Answer of(HttpResponse response) {
        String body = response.getBodyAsString().defaultIfEmpty("").block();
        return new Answer(response.getStatusCode(), response.getHeaders(), body);
    }

    /** All values of a header, or nothing. */
    String header(String name) {
        HttpHeader header = headers.get(HttpHeaderName.fromString(name));
        return header == null ? "" : String.join(", ", header.getValuesList());
    }

    /** The members of the body, which has to be a 200 of a media type of the service. */
    Map<?, ?> read(String media) {
        assertEquals(200, status, body);
        assertTrue(header("Content-Type").startsWith("application/vnd.microsoft.appconfig." + media + "+json"),
            header("Content-Type"));
        return members();
    }

    Map<?, ?> members() {
        return assertInstanceOf(Map.class, BinaryData.fromString(body).toObject(Object.class));
    }

    /** One member of each item of a list. */
    List<Object> items(String media, String member) {
        List<Object> found = new ArrayList<>();
        for (Object item : assertInstanceOf(List.class, read(media).get("items"))) {
            found.add(assertInstanceOf(Map.class, item).get(member));
        }
        return found;
    }

    /** The target of the next page, from the Link header: rel="next" comes first. Empty on the last page. */
    String next() {
        String link = header("Link");
        if (link.isEmpty()) {
            return "";
        }
        assertTrue(link.startsWith("</") && link.contains(">; rel=\"next\""), link);
        return link.substring(1, link.indexOf('>'));
    }
}
