package conformance;

import com.azure.core.credential.AccessToken;
import com.azure.core.credential.TokenCredential;
import com.azure.core.credential.TokenRequestContext;
import com.azure.core.http.HttpClient;
import com.azure.core.http.HttpHeaderName;
import com.azure.core.http.HttpMethod;
import com.azure.core.http.HttpRequest;
import com.azure.core.http.HttpResponse;
import com.azure.core.util.Context;
import com.azure.identity.ClientSecretCredential;
import com.azure.identity.ClientSecretCredentialBuilder;
import com.azure.identity.EnvironmentCredentialBuilder;
import com.azure.security.keyvault.secrets.SecretClient;
import com.azure.security.keyvault.secrets.models.KeyVaultSecret;
import java.time.OffsetDateTime;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Named;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import reactor.core.publisher.Flux;
import reactor.core.publisher.Mono;
import reactor.core.scheduler.Schedulers;

import static conformance.Clients.CREDENTIAL;
import static conformance.Refusal.UNAUTHORIZED;
import static conformance.Settings.unique;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

/** The credentials of azure-identity, and what happens with tokens that are not good. */
final class IdentityTest {
    private static final String UNKNOWN = "00000000-0000-0000-0000-000000000007";

    private static ClientSecretCredential clientSecret(String tenant, String application, String secret) {
        ClientSecretCredentialBuilder builder =
            new ClientSecretCredentialBuilder().tenantId(tenant).clientId(application).clientSecret(secret);
        return (Settings.direct() ? builder.disableInstanceDiscovery() : builder).build();
    }

    private static AccessToken token(TokenCredential credential, String resource) {
        return credential.getTokenSync(new TokenRequestContext().addScopes(resource + "/.default"));
    }

    static List<Named<TokenCredential>> credentials() {
        return List.of(
            Named.of("DefaultAzureCredential", CREDENTIAL),
            Named.of("EnvironmentCredential", new EnvironmentCredentialBuilder().build()),
            Named.of("ClientSecretCredential",
                clientSecret(Settings.TENANT, Settings.APPLICATION, Settings.SECRET)));
    }

    @ParameterizedTest
    @MethodSource("credentials")
    @Covers({"S1", "S4"})
    void anOrdinaryCredentialReadsASecret(TokenCredential credential) {
        String name = unique("credential");
        SecretClient client = Clients.secrets(credential);
        client.setSecret(name, "by credential");
        assertEquals("by credential", client.getSecret(name).getValue());
    }

    /** Neither a token nor a secret is to be had, for the reason with this code. */
    private static void refusesToken(TokenCredential credential, String code) {
        RuntimeException alone = assertThrows(RuntimeException.class, () -> token(credential, Settings.resource()));
        RuntimeException through =
            assertThrows(RuntimeException.class, () -> Clients.secrets(credential).getSecret("any"));
        for (RuntimeException refused : List.of(alone, through)) {
            assertTrue(refused.getMessage().contains(code), refused::toString);
            assertFalse(refused.getMessage().contains(Settings.SECRET), "the secret is not in the message");
        }
    }

    @Test
    void aWrongClientSecretIsRefused() {
        refusesToken(clientSecret(Settings.TENANT, Settings.APPLICATION, "not-the-secret"), "AADSTS7000215");
    }

    @Test
    void anUnknownApplicationIsRefused() {
        refusesToken(clientSecret(Settings.TENANT, UNKNOWN, "secret"), "AADSTS700016");
    }

    @Test
    void anUnknownTenantIsRefused() {
        ClientSecretCredential stranger = clientSecret(UNKNOWN, Settings.APPLICATION, Settings.SECRET);
        RuntimeException refused = assertThrows(RuntimeException.class, () -> token(stranger, Settings.resource()));
        assertTrue(refused.getMessage().contains("AADSTS90002"), refused::toString);
    }

    static List<Named<String>> badTokens() {
        String good = token(CREDENTIAL, Settings.resource()).getToken();
        String[] parts = good.split("\\.");
        return List.of(
            Named.of("not a token", "garbage"),
            Named.of("no signature", parts[0] + "." + parts[1] + "."),
            Named.of("alg none", "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0." + parts[1] + "."),
            Named.of("another signature", parts[0] + "." + parts[1] + "." + "A".repeat(parts[2].length())),
            Named.of("the wrong audience", token(CREDENTIAL, "https://management.azure.com").getToken()));
    }

    @ParameterizedTest
    @MethodSource("badTokens")
    void aBadTokenIsUnauthorized(String token) {
        TokenCredential fixed = request -> Mono.just(new AccessToken(token, OffsetDateTime.now().plusHours(1)));
        String message = UNAUTHORIZED.of(() -> Clients.secrets(fixed).getSecret("any"));
        assertFalse(message.contains(token), "the token is not in the message");
        UNAUTHORIZED.of(() -> Clients.keys(fixed).getKey("any"));
    }

    @Test
    void aRequestWithoutATokenIsChallenged() {
        HttpRequest request = new HttpRequest(HttpMethod.GET, Settings.VAULT + "/secrets?api-version=7.4");
        try (HttpResponse response = HttpClient.createDefault().sendSync(request, Context.NONE)) {
            assertEquals(401, response.getStatusCode());
            String challenge = response.getHeaderValue(HttpHeaderName.WWW_AUTHENTICATE);
            assertTrue(challenge.startsWith("Bearer authorization=\"https://"), challenge);
            assertTrue(challenge.contains(Settings.TENANT), challenge);
            assertTrue(challenge.contains("resource=\"" + Settings.resource() + "\""), challenge);
        }
    }

    @Test
    @Covers("S4")
    void aThousandGetsNeedOneToken() {
        AtomicInteger asked = new AtomicInteger();
        TokenCredential counting = request -> {
            asked.incrementAndGet();
            return CREDENTIAL.getToken(request);
        };
        SecretClient client = Clients.secrets(counting);
        String name = unique("thousand");
        client.setSecret(name, "v");
        List<String> values = Flux.range(0, 1000).parallel(16).runOn(Schedulers.boundedElastic())
            .map(n -> client.getSecret(name)).map(KeyVaultSecret::getValue).sequential().collectList().block();
        assertEquals(1000, values.stream().filter("v"::equals).count());
        assertEquals(1, asked.get());
    }
}
