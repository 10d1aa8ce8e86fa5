package conformance;

import java.net.URI;
import java.security.SecureRandom;
import java.util.HexFormat;
import java.util.List;
import java.util.stream.Stream;

/** Where the server under test is: read once, from nothing but environment variables. */
final class Settings {
    static final String MODE = variable("CONFORMANCE_MODE");
    static final String VAULT = variable("AZURE_KEYVAULT_URL").replaceAll("/+$", "");
    static final String TENANT = variable("AZURE_TENANT_ID");
    static final String APPLICATION = variable("AZURE_CLIENT_ID");
    static final String SECRET = variable("AZURE_CLIENT_SECRET");

    private static final SecureRandom RANDOM = new SecureRandom();

    private Settings() {
    }

    private static String variable(String name) {
        return System.getenv().getOrDefault(name, "");
    }

    /** The variables without which no test can run, of those that are not set. */
    static List<String> missing() {
        return Stream.of("AZURE_KEYVAULT_URL", "AZURE_TENANT_ID", "AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET")
            .filter(name -> variable(name).isEmpty()).toList();
    }

    /** Whether the server is reached by its own names, not by Azure's. */
    static boolean direct() {
        return MODE.equals("direct");
    }

    /** What a vault's challenge must name: the vaults' parent domain, with its port. */
    static String resource() {
        return "https://" + domain();
    }

    private static String domain() {
        String authority = URI.create(VAULT).getAuthority();
        return authority.substring(authority.indexOf('.') + 1);
    }

    static byte[] randomBytes(int count) {
        byte[] bytes = new byte[count];
        RANDOM.nextBytes(bytes);
        return bytes;
    }

    private static String randomHex(int count) {
        return HexFormat.of().formatHex(randomBytes(count));
    }

    /** A name that no earlier run against the same data folder has used. */
    static String unique(String prefix) {
        return prefix + "-" + randomHex(5);
    }

    /** The URL of a vault that this run alone uses. Vault names have at most 24 characters. */
    static String freshVault(String label) {
        return "https://conf-java-" + label + "-" + randomHex(4) + "." + domain();
    }
}
