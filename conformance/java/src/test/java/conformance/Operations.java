package conformance;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.URL;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Pattern;

/** The contract's operations, by id, each with the requests that are it. */
final class Operations {
    static final Map<String, Pattern> ALL = read(Path.of(System.getenv("CONFORMANCE_OPERATIONS")));

    private Operations() {
    }

    private static Map<String, Pattern> read(Path file) {
        Map<String, Pattern> operations = new LinkedHashMap<>();
        try {
            for (String line : Files.readAllLines(file)) {
                if (!line.isBlank() && !line.startsWith("#")) {
                    String[] columns = line.trim().split("\\s+");
                    operations.put(columns[0], Pattern.compile(columns[2] + " " + columns[3]
                        .replace("{name}", "[0-9A-Za-z-]+").replace("{version}", "([0-9A-Fa-f]{32})?")
                        .replace("{key}", ".+")));
                }
            }
        } catch (IOException error) {
            throw new UncheckedIOException(error);
        }
        return operations;
    }

    /** The id of the operation that a request is, such as {@code GET /secrets/name/}, the latest version. */
    static Optional<String> of(String method, URL url) {
        String request = method + " " + url.getPath();
        // Vaults and configuration stores both have /keys.
        return ALL.entrySet().stream().filter(entry -> entry.getKey().startsWith("A") == Settings.isStore(url))
            .filter(entry -> entry.getValue().matcher(request).matches()).map(Map.Entry::getKey).findFirst();
    }
}
