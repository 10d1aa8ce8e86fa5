package conformance;

import com.azure.core.http.HttpHeaderName;
import com.azure.core.http.HttpRequest;
import java.net.URL;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.MessageDigest;
import java.time.ZoneOffset;
import java.time.ZonedDateTime;
import java.time.format.DateTimeFormatter;
import java.util.Arrays;
import java.util.Base64;
import java.util.Locale;
import java.util.Map;
import java.util.stream.Collectors;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;

/** An access key of a store, and the contract's signature with it, by code that is not the package's. */
record AccessKey(String endpoint, String id, byte[] secret) {
    static final HttpHeaderName DATE = HttpHeaderName.fromString("x-ms-date");
    static final HttpHeaderName HASH = HttpHeaderName.fromString("x-ms-content-sha256");

    /** Dates as HTTP writes them. */
    static final DateTimeFormatter HTTP_DATE =
        DateTimeFormatter.ofPattern("EEE, dd MMM yyyy HH:mm:ss 'GMT'", Locale.ROOT);

    static AccessKey parse(String connection) {
        Map<String, String> parts = Arrays.stream(connection.split(";")).map(part -> part.split("=", 2))
            .collect(Collectors.toMap(part -> part[0], part -> part[1]));
        return new AccessKey(parts.get("Endpoint").replaceAll("/+$", ""), parts.get("Id"),
            Base64.getDecoder().decode(parts.get("Secret")));
    }

    String connection() {
        return "Endpoint=" + endpoint + ";Id=" + id + ";Secret=" + Base64.getEncoder().encodeToString(secret);
    }

    /** Signs the request line as it is sent; a date that is there already stays. */
    void sign(HttpRequest request, byte[] body) {
        if (request.getHeaders().getValue(DATE) == null) {
            request.setHeader(DATE, ZonedDateTime.now(ZoneOffset.UTC).format(HTTP_DATE));
        }
        request.setHeader(HASH, hash(body));
        URL url = request.getUrl();
        String text = request.getHttpMethod() + "\n" + url.getFile() + "\n" + request.getHeaders().getValue(DATE) + ";"
            + url.getAuthority() + ";" + request.getHeaders().getValue(HASH);
        request.setHeader(HttpHeaderName.AUTHORIZATION, "HMAC-SHA256 Credential=" + id
            + "&SignedHeaders=x-ms-date;host;x-ms-content-sha256&Signature=" + mac(text));
    }

    private static String hash(byte[] body) {
        try {
            return Base64.getEncoder().encodeToString(MessageDigest.getInstance("SHA-256").digest(body));
        } catch (GeneralSecurityException error) {
            throw new IllegalStateException(error);
        }
    }

    private String mac(String text) {
        try {
            Mac mac = Mac.getInstance("HmacSHA256");
            mac.init(new SecretKeySpec(secret, "HmacSHA256"));
            return Base64.getEncoder().encodeToString(mac.doFinal(text.getBytes(StandardCharsets.UTF_8)));
        } catch (GeneralSecurityException error) {
            throw new IllegalStateException(error);
        }
    }
}
