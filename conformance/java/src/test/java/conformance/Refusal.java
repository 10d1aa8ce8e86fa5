package conformance;

import com.azure.core.exception.ClientAuthenticationException;
import com.azure.core.exception.HttpResponseException;
import com.azure.core.exception.ResourceModifiedException;
import com.azure.core.exception.ResourceNotFoundException;
import java.util.Locale;
import java.util.Map;
import org.junit.jupiter.api.function.Executable;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

/** What a failed call must throw: the class that programs catch, the status, and the codes that they test. */
record Refusal(Class<? extends HttpResponseException> kind, int status, String code, String inner) {
    static final Refusal BAD_PARAMETER = new Refusal(HttpResponseException.class, 400, "BadParameter", null);
    static final Refusal UNAUTHORIZED = new Refusal(ClientAuthenticationException.class, 401, "Unauthorized", null);
    static final Refusal SECRET_NOT_FOUND = new Refusal(ResourceNotFoundException.class, 404, "SecretNotFound", null);
    static final Refusal KEY_NOT_FOUND = new Refusal(ResourceNotFoundException.class, 404, "KeyNotFound", null);
    static final Refusal CONFLICT = new Refusal(ResourceModifiedException.class, 409, "Conflict", null);
    static final Refusal DELETED_NAME =
        new Refusal(ResourceModifiedException.class, 409, "Conflict", "ObjectIsDeletedButRecoverable");

    static Refusal forbidden(String inner) {
        return new Refusal(HttpResponseException.class, 403, "Forbidden", inner);
    }

    /** Makes the call, which must be refused so, and gives the message; each text occurs in it, whatever its case. */
    String of(Executable call, String... texts) {
        HttpResponseException refused = assertThrows(kind, call);
        Map<?, ?> error = assertInstanceOf(Map.class, assertInstanceOf(Map.class, refused.getValue()).get("error"));
        assertEquals(status, refused.getResponse().getStatusCode(), refused.getMessage());
        assertEquals(code, error.get("code"), refused.getMessage());
        if (inner != null) {
            assertEquals(inner, assertInstanceOf(Map.class, error.get("innererror")).get("code"));
        }
        String message = assertInstanceOf(String.class, error.get("message"));
        for (String text : texts) {
            assertTrue(message.toLowerCase(Locale.ROOT).contains(text.toLowerCase(Locale.ROOT)), message);
        }
        return message;
    }
}
