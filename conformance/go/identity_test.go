package conformance

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
)

// clientSecret makes the credential that names its tenant, application and secret itself.
func clientSecret(t *testing.T, tenant, application, secret string) azcore.TokenCredential {
	t.Helper()
	options := &azidentity.ClientSecretCredentialOptions{DisableInstanceDiscovery: direct()}
	return good(azidentity.NewClientSecretCredential(tenant, application, secret, options))(t)
}

func TestOrdinaryCredentialsReadASecret(t *testing.T) {
	proves(t, "S1", "S4")
	options := &azidentity.EnvironmentCredentialOptions{DisableInstanceDiscovery: direct()}
	for what, made := range map[string]azcore.TokenCredential{
		"DefaultAzureCredential": credential(),
		"EnvironmentCredential":  good(azidentity.NewEnvironmentCredential(options))(t),
		"ClientSecretCredential": clientSecret(t, settings.tenantID, settings.clientID, settings.clientSecret),
	} {
		named(t, what, func(t *testing.T) {
			v, name := vaultAt(t, settings.vaultURL, made), unique("credential")
			v.set(t, name, what)
			equal(t, "the value", *v.get(t, name, "").Value, what)
		})
	}
}

// refusesToken checks that neither a token nor a secret is to be had, for the reason with this code.
func refusesToken(t *testing.T, refused azcore.TokenCredential, code string) {
	t.Helper()
	_, err := refused.GetToken(t.Context(), policy.TokenRequestOptions{Scopes: []string{tokenScope()}})
	_, through := vaultAt(t, settings.vaultURL, refused).secrets.GetSecret(t.Context(), "any", "", nil)
	for _, err := range []error{err, through} {
		var failed *azidentity.AuthenticationFailedError
		holds(t, "it is an AuthenticationFailedError", errors.As(err, &failed))
		holds(t, code+" is in "+err.Error(), strings.Contains(err.Error(), code))
		holds(t, "the secret is not in the message", !strings.Contains(err.Error(), settings.clientSecret))
	}
}

func TestAWrongClientSecretIsRefused(t *testing.T) {
	proves(t)
	refusesToken(t, clientSecret(t, settings.tenantID, settings.clientID, "not-the-secret"), "AADSTS7000215")
}

func TestAnUnknownApplicationIsRefused(t *testing.T) {
	proves(t)
	unknown := "00000000-0000-0000-0000-000000000007"
	refusesToken(t, clientSecret(t, settings.tenantID, unknown, "secret"), "AADSTS700016")
}

func TestAnUnknownTenantIsRefused(t *testing.T) {
	proves(t)
	unknown := clientSecret(t, "00000000-0000-0000-0000-000000000007", settings.clientID, settings.clientSecret)
	_, err := unknown.GetToken(t.Context(), policy.TokenRequestOptions{Scopes: []string{tokenScope()}})
	holds(t, "AADSTS90002 is in the error", err != nil && strings.Contains(err.Error(), "AADSTS90002"))
}

// fixedToken is a credential that always gives the same token, whatever it is worth.
type fixedToken string

func (token fixedToken) GetToken(context.Context, policy.TokenRequestOptions) (azcore.AccessToken, error) {
	return azcore.AccessToken{Token: string(token), ExpiresOn: time.Now().Add(time.Hour)}, nil
}

func TestBadTokensAreUnauthorized(t *testing.T) {
	proves(t)
	options := policy.TokenRequestOptions{Scopes: []string{tokenScope()}}
	token := good(credential().GetToken(t.Context(), options))(t).Token
	parts := strings.Split(token, ".")
	options.Scopes = []string{"https://management.azure.com/.default"}
	for what, bad := range map[string]string{
		"not a token":        "garbage",
		"no signature":       parts[0] + "." + parts[1] + ".",
		"alg none":           "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0." + parts[1] + ".",
		"another signature":  parts[0] + "." + parts[1] + "." + strings.Repeat("A", len(parts[2])),
		"the wrong audience": good(credential().GetToken(t.Context(), options))(t).Token,
	} {
		named(t, what, func(t *testing.T) {
			v := vaultAt(t, settings.vaultURL, fixedToken(bad))
			message := unauthorized.by(t, failure(v.secrets.GetSecret(t.Context(), "any", "", nil)))
			holds(t, "the token is not in the message", !strings.Contains(message, bad))
			unauthorized.by(t, failure(v.keys.GetKey(t.Context(), "any", "", nil)))
		})
	}
}

func TestARequestWithoutATokenIsChallenged(t *testing.T) {
	proves(t)
	response := good(http.Get(settings.vaultURL + "/secrets?api-version=7.4"))(t)
	defer response.Body.Close()
	equal(t, "the status", response.StatusCode, http.StatusUnauthorized)
	challenge := response.Header.Get("WWW-Authenticate")
	holds(t, "it is a challenge: "+challenge, strings.HasPrefix(challenge, `Bearer authorization="https://`))
	holds(t, "it names the tenant", strings.Contains(challenge, settings.tenantID))
	resource := strings.TrimSuffix(tokenScope(), "/.default")
	holds(t, "it names the resource", strings.Contains(challenge, `resource="`+resource+`"`))
}

// countingCredential counts how often it is asked.
type countingCredential struct {
	inner azcore.TokenCredential
	count atomic.Int32
}

func (c *countingCredential) GetToken(ctx context.Context, options policy.TokenRequestOptions) (azcore.AccessToken, error) {
	c.count.Add(1)
	return c.inner.GetToken(ctx, options)
}

func TestAThousandGetsNeedOneToken(t *testing.T) {
	proves(t, "S4")
	counting := &countingCredential{inner: credential()}
	v, name := vaultAt(t, settings.vaultURL, counting), unique("thousand")
	v.set(t, name, "v")
	for range 20 {
		inParallel(50, func(int) any { return v.get(t, name, "") })
	}
	equal(t, "the number of tokens", counting.count.Load(), 1)
}
