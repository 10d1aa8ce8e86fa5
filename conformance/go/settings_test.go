package conformance

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"net/url"
	"os"
	"strings"
)

// settings says where the server under test is; it is read once, from nothing but environment variables.
var settings = struct {
	mode, vaultURL, tenantID, clientID, clientSecret, authority string
	configURL, configConnection, configReadOnly                 string
}{
	mode:         os.Getenv("CONFORMANCE_MODE"),
	vaultURL:     strings.TrimRight(os.Getenv("AZURE_KEYVAULT_URL"), "/"),
	tenantID:     os.Getenv("AZURE_TENANT_ID"),
	clientID:     os.Getenv("AZURE_CLIENT_ID"),
	clientSecret: os.Getenv("AZURE_CLIENT_SECRET"),
	authority:    os.Getenv("AZURE_AUTHORITY_HOST"),

	configURL:        strings.TrimRight(os.Getenv("AZURE_APPCONFIG_ENDPOINT"), "/"),
	configConnection: os.Getenv("AZURE_APPCONFIG_CONNECTION_STRING"),
	configReadOnly:   os.Getenv("AZURE_APPCONFIG_READONLY_CONNECTION_STRING"),
}

// missingSettings names the variables without which no test can run.
func missingSettings() []string {
	var missing []string
	for _, name := range []string{
		"AZURE_KEYVAULT_URL", "AZURE_TENANT_ID", "AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET", "AZURE_APPCONFIG_ENDPOINT",
		"AZURE_APPCONFIG_CONNECTION_STRING", "AZURE_APPCONFIG_READONLY_CONNECTION_STRING",
	} {
		if os.Getenv(name) == "" {
			missing = append(missing, name)
		}
	}
	return missing
}

// direct tells whether the server is reached by its own names, not by Azure's.
func direct() bool { return settings.mode == "direct" }

// randomHex gives 2n hexadecimal digits.
func randomHex(n int) string {
	return hex.EncodeToString(randomBytes(n))
}

func randomBytes(n int) []byte {
	data := make([]byte, n)
	rand.Read(data) // never fails: it ends the program instead
	return data
}

// unique gives a name that no earlier run against the same data folder has used.
func unique(prefix string) string { return prefix + "-" + randomHex(5) }

// freshVault gives the URL of a vault that this run alone uses: only the first label of the host differs.
// Vault names have at most 24 characters.
func freshVault(label string) string { return besides(settings.vaultURL, label) }

// freshStore gives the URL of a configuration store that this run alone uses.
func freshStore(label string) string { return besides(settings.configURL, label) }

// besides gives a URL that differs from another only in the first label of its host, which no run has used.
func besides(address, label string) string {
	at, err := url.Parse(address)
	if err != nil {
		panic(err)
	}
	_, domain, _ := strings.Cut(at.Host, ".")
	return fmt.Sprintf("https://%s-%s.%s", label, randomHex(4), domain)
}

// tokenScope is the scope of a token for the vaults: the vaults' parent domain, with its port.
func tokenScope() string {
	_, domain, _ := strings.Cut(strings.TrimPrefix(settings.vaultURL, "https://"), ".")
	return "https://" + domain + "/.default"
}
