package conformance;

import java.net.URI;
import java.net.URL;
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
    static final String STORE = variable("AZURE_APPCONFIG_ENDPOINT").replaceAll("/+$", "");
    static final String CONNECTION = variable("AZURE_APPCONFIG_CONNECTION_STRING");
    static final String READ_ONLY_CONNECTION = variable("AZURE_APPCONFIG_READONLY_CONNECTION_STRING");

    private static final SecureRandom RANDOM = new SecureRandom();

    private Settings() {
    }

    private static String variable(String name) {
        return System.getenv().getOrDefault(name, "");
    }

    /** The variables without which no test can run, of those that are not set. */
    static List<String> missing() {
        return Stream.of("AZURE_KEYVAULT_URL", "AZURE_TENANT_ID", "AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET",
                "AZURE_APPCONFIG_ENDPOINT", "AZURE_APPCONFIG_CONNECTION_STRING",
                "AZURE_APPCONFIG_READONLY_CONNECTION_STRING")
            .filter(name -> variable(name).isEmpty()).toList();
    }

    /** Whether the server is reached by its own names, not by Azure's. */
    static boolean direct() {
        return MODE.equals("direct");
    }

    /** What a vault's challenge must name: the vaults' parent domain, with its port. */
    static String resource() {
        return "https://" + domain(VAULT);
    }

    /** Whether a URL is that of a configuration store, and not of a vault. */
    static boolean isStore(URL url) {
        return domain(url.toString()).equals(domain(STORE));
    }

    private static String domain(String url) {
        String authority = URI.create(url).getAuthority();
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
        return "https://conf-java-" + label + "-" + randomHex(4) + "." + domain(VAULT);
    }

    /** The URL of a configuration store that this run alone uses. */
    static String freshStore() {
        return "https://conf-java-" + randomHex(4) + "." + domain(STORE);
    }
}
