package conformance;

import com.azure.core.credential.TokenCredential;
import com.azure.core.http.rest.PagedIterable;
import com.azure.core.http.rest.PagedResponse;
import com.azure.core.util.polling.LongRunningOperationStatus;
import com.azure.core.util.polling.PollResponse;
import com.azure.core.util.polling.SyncPoller;
import com.azure.identity.DefaultAzureCredentialBuilder;
import com.azure.security.keyvault.keys.KeyAsyncClient;
import com.azure.security.keyvault.keys.KeyClient;
import com.azure.security.keyvault.keys.KeyClientBuilder;
import com.azure.security.keyvault.keys.models.DeletedKey;
import com.azure.security.keyvault.keys.models.KeyVaultKey;
import com.azure.security.keyvault.secrets.SecretAsyncClient;
import com.azure.security.keyvault.secrets.SecretClient;
import com.azure.security.keyvault.secrets.SecretClientBuilder;
import com.azure.security.keyvault.secrets.models.DeletedSecret;
import com.azure.security.keyvault.secrets.models.KeyVaultSecret;
import com.azure.security.keyvault.secrets.models.SecretProperties;
import java.time.Duration;
import java.time.OffsetDateTime;
import java.time.ZoneOffset;
import java.time.temporal.ChronoUnit;
import java.util.List;

import static org.junit.jupiter.api.Assertions.assertEquals;

/** The official clients, made as users make them, and what the tests do with them again and again. */
final class Clients {
    /** The credential of most programs, which here finds its three variables in the environment. */
    static final TokenCredential CREDENTIAL = defaultCredential();

    static final SecretClient SECRETS = secrets(Settings.VAULT);
    static final KeyClient KEYS = keys(Settings.VAULT);

    /** A second vault of the same installation, for restores. */
    static final String OTHER_VAULT = Settings.freshVault("2");

    /** This second, for dates that are compared with what comes back. */
    static final OffsetDateTime NOW = OffsetDateTime.now(ZoneOffset.UTC).truncatedTo(ChronoUnit.SECONDS);

    private static final Duration POLL = Duration.ofMillis(20);
    private static final Duration PATIENCE = Duration.ofSeconds(30);

    private Clients() {
    }

    private static TokenCredential defaultCredential() {
        DefaultAzureCredentialBuilder builder = new DefaultAzureCredentialBuilder();
        return (Settings.direct() ? builder.disableInstanceDiscovery() : builder).build();
    }

    static SecretClient secrets(String vault) {
        return secretBuilder(vault, CREDENTIAL).buildClient();
    }

    static SecretClient secrets(TokenCredential credential) {
        return secretBuilder(Settings.VAULT, credential).buildClient();
    }

    static SecretAsyncClient secretsAsync(String vault) {
        return secretBuilder(vault, CREDENTIAL).buildAsyncClient();
    }

    private static SecretClientBuilder secretBuilder(String vault, TokenCredential credential) {
        return new SecretClientBuilder().vaultUrl(vault).credential(credential).addPolicy(new Wire());
    }

    static KeyClient keys(String vault) {
        return keyBuilder(vault, CREDENTIAL).buildClient();
    }

    static KeyClient keys(TokenCredential credential) {
        return keyBuilder(Settings.VAULT, credential).buildClient();
    }

    static KeyAsyncClient keysAsync(String vault) {
        return keyBuilder(vault, CREDENTIAL).buildAsyncClient();
    }

    private static KeyClientBuilder keyBuilder(String vault, TokenCredential credential) {
        return new KeyClientBuilder().vaultUrl(vault).credential(credential).addPolicy(new Wire());
    }

    /** Sets a secret of which only the value matters. */
    static KeyVaultSecret set(String name, String value) {
        return SECRETS.setSecret(name, value);
    }

    static KeyVaultSecret set(String name, String value, SecretProperties properties) {
        return SECRETS.setSecret(new KeyVaultSecret(name, value).setProperties(properties));
    }

    static DeletedSecret delete(SecretClient client, String name) {
        return finished(client.beginDeleteSecret(name));
    }

    static KeyVaultSecret recover(SecretClient client, String name) {
        return finished(client.beginRecoverDeletedSecret(name));
    }

    static DeletedKey delete(KeyClient client, String name) {
        return finished(client.beginDeleteKey(name));
    }

    static KeyVaultKey recover(KeyClient client, String name) {
        return finished(client.beginRecoverDeletedKey(name));
    }

    /** Polls until the operation has succeeded; what it gives. */
    static <T> T finished(SyncPoller<T, Void> poller) {
        PollResponse<T> last = poller.setPollInterval(POLL).waitForCompletion(PATIENCE);
        assertEquals(LongRunningOperationStatus.SUCCESSFULLY_COMPLETED, last.getStatus());
        return last.getValue();
    }

    /** A listing page by page. */
    static <T> List<List<T>> pages(PagedIterable<T> listing) {
        return listing.streamByPage().map(PagedResponse::getValue).toList();
    }

    static <T> List<Integer> sizes(List<List<T>> pages) {
        return pages.stream().map(List::size).toList();
    }

    static <T> List<T> all(List<List<T>> pages) {
        return pages.stream().flatMap(List::stream).toList();
    }

    /** The same bytes with one bit changed. */
    static byte[] flip(byte[] data, int at) {
        byte[] changed = data.clone();
        changed[at] ^= 1;
        return changed;
    }
}
