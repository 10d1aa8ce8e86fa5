package conformance;

import com.azure.core.exception.HttpResponseException;
import java.util.Map;
import org.junit.jupiter.api.function.Executable;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

/** What a store's refusal must be: the status, and the kind of the problem. Without a kind it has no body. */
record Complaint(int status, String kind) {
    static final Complaint NOT_MODIFIED = new Complaint(304, null);
    static final Complaint INVALID_ARGUMENT = new Complaint(400, "invalid-argument");
    static final Complaint NOT_AUTHORIZED = new Complaint(401, null);
    static final Complaint NOT_ALLOWED = new Complaint(403, null);
    static final Complaint NOT_FOUND = new Complaint(404, null);
    static final Complaint KEY_LOCKED = new Complaint(409, "key-locked");
    static final Complaint ALREADY_EXISTS = new Complaint(409, "already-exists");
    static final Complaint NOT_MET = new Complaint(412, null);

    /** Makes the call of the official client, which must throw the class that programs catch; the problem. */
    Map<?, ?> of(Executable call) {
        return of(Answer.of(assertThrows(HttpResponseException.class, call).getResponse()));
    }

    /** The same for a snapshot that is to be made: there the package wraps the class that programs catch. */
    Map<?, ?> ofCreation(Executable call) {
        return of(() -> {
            throw assertThrows(RuntimeException.class, call).getCause();
        });
    }

    /** The problem of a response that must be refused so. */
    Map<?, ?> of(Answer answer) {
        assertEquals(status, answer.status(), answer.body());
        if (kind == null) {
            assertEquals("", answer.body());
            return Map.of();
        }
        assertTrue(answer.header("Content-Type").startsWith("application/problem+json"), answer.header("Content-Type"));
        Map<?, ?> problem = answer.members();
        assertEquals("https://azconfig.io/errors/" + kind, problem.get("type"));
        assertEquals(status, ((Number) problem.get("status")).intValue());
        return problem;
    }
}
