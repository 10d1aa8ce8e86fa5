//! The environment files: plain `KEY=value` lines with the names that SDKs already know.

use std::fmt::Write as _;
use std::net::SocketAddr;

use strongroom_server::app::App;
use strongroom_server::config_stores::StoreRecord;
use strongroom_server::endpoints::Endpoint;
use strongroom_server::tls::TrustFiles;
use strongroom_server::tls::trust::TRUSTSTORE_PASSWORD;
use strongroom_wire::ids::VaultName;

use super::first_use::Credentials;
use crate::cli::Shell;

/// For direct use.
pub(super) const DIRECT: &str = "strongroom.env";

/// For the real Azure names, through the proxy.
pub(super) const PROXY: &str = "strongroom-proxy.env";

/// What the variables are made from.
pub(super) struct Variables<'a> {
    pub(super) app: &'a App,
    pub(super) credentials: &'a Credentials,
    pub(super) trust: &'a TrustFiles,
    pub(super) domain: &'a str,
    pub(super) vault: VaultName,
    pub(super) store: &'a StoreRecord,
    pub(super) proxy: SocketAddr,
}

impl Variables<'_> {
    /// For direct use.
    pub(super) fn direct(&self) -> Vec<(String, String)> {
        let endpoint = self.app.endpoints.get(0);
        let mut all = self.common(endpoint);
        all.push(("AZURE_AUTHORITY_HOST".to_owned(), endpoint.map(Endpoint::login_url).unwrap_or_default()));
        all.push(("JAVA_TOOL_OPTIONS".to_owned(), self.java_trust()));
        all
    }

    /// Through the proxy.
    pub(super) fn proxied(&self) -> Vec<(String, String)> {
        let mut all = self.common(self.app.endpoints.get(1));
        let proxy = format!("http://{}", self.proxy);
        all.push(("HTTPS_PROXY".to_owned(), proxy.clone()));
        all.push(("HTTP_PROXY".to_owned(), proxy));
        // Without it the Java SDK does not look at HTTPS_PROXY.
        let java = format!("{} -Djava.net.useSystemProxies=true", self.java_trust());
        all.push(("JAVA_TOOL_OPTIONS".to_owned(), java));
        all
    }

    /// Java reads no PEM bundle from a variable, but options.
    fn java_trust(&self) -> String {
        let store = self.trust.truststore.display().to_string();
        let quote = if store.contains(' ') { "'" } else { "" };
        format!(
            "-Djavax.net.ssl.trustStore={quote}{store}{quote} \
             -Djavax.net.ssl.trustStorePassword={TRUSTSTORE_PASSWORD}"
        )
    }

    fn common(&self, endpoint: Option<&Endpoint>) -> Vec<(String, String)> {
        let ca = self.trust.ca.display().to_string();
        let bundle = self.trust.bundle.display().to_string();
        let vault = endpoint.map(|endpoint| endpoint.vault_url(&self.vault)).unwrap_or_default();
        let store = endpoint.map(|endpoint| endpoint.store_url(&self.store.name)).unwrap_or_default();
        // The first of each kind.
        let connection = |read_only| {
            let key = self.store.keys.iter().find(|key| key.read_only == read_only);
            key.map(|key| StoreRecord::connection_string(&store, key).expose().clone()).unwrap_or_default()
        };
        let all = [
            ("AZURE_TENANT_ID", self.app.directory.tenant().to_owned()),
            ("AZURE_CLIENT_ID", self.credentials.client_id.clone()),
            ("AZURE_CLIENT_SECRET", self.credentials.client_secret.expose().clone()),
            ("AZURE_KEYVAULT_URL", vault),
            ("AZURE_APPCONFIG_CONNECTION_STRING", connection(false)),
            ("AZURE_APPCONFIG_READONLY_CONNECTION_STRING", connection(true)),
            ("AZURE_APPCONFIG_ENDPOINT", store),
            ("AZURE_SUBSCRIPTION_ID", self.app.directory.site().subscription.clone()),
            ("REQUESTS_CA_BUNDLE", bundle.clone()),
            ("SSL_CERT_FILE", bundle.clone()),
            ("NODE_EXTRA_CA_CERTS", ca.clone()),
            ("CURL_CA_BUNDLE", bundle),
            ("STRONGROOM_CA_FILE", ca),
            ("STRONGROOM_OBJECT_ID", self.credentials.object_id.clone()),
            ("STRONGROOM_DOMAIN", self.domain.to_owned()),
        ];
        all.map(|(name, value)| (name.to_owned(), value)).to_vec()
    }
}

/// `KEY=value` lines that a shell or a dotenv reader can read. Values with other than plain
/// characters (a path with a space) stand in single quotes.
pub(super) fn dotenv(variables: &[(String, String)]) -> String {
    variables.iter().fold(String::new(), |mut text, (name, value)| {
        // Writing to a string does not fail.
        let _ = writeln!(text, "{name}={}", quoted(value));
        text
    })
}

/// Reads such lines back.
pub(super) fn parse(text: &str) -> Vec<(String, String)> {
    let pairs = text.lines().filter_map(|line| line.split_once('='));
    pairs.map(|(name, value)| (name.to_owned(), unquoted(value))).collect()
}

/// As a shell wants them.
pub(super) fn for_shell(variables: &[(String, String)], shell: Shell) -> String {
    variables.iter().fold(String::new(), |mut text, (name, value)| {
        let plain = quoted(value);
        let _ = match shell {
            Shell::Bash => writeln!(text, "export {name}={plain}"),
            Shell::Fish => writeln!(text, "set -gx {name} '{}'", value.replace('\\', "\\\\").replace('\'', "\\'")),
            Shell::Powershell => writeln!(text, "$env:{name} = '{}'", value.replace('\'', "''")),
            Shell::Dotenv => writeln!(text, "{name}={plain}"),
        };
        text
    })
}

fn quoted(value: &str) -> String {
    let plain = value.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_./:~@%+,".contains(&byte));
    if plain { value.to_owned() } else { format!("'{}'", value.replace('\'', r"'\''")) }
}

fn unquoted(value: &str) -> String {
    let inner = value.strip_prefix('\'').and_then(|value| value.strip_suffix('\''));
    inner.map_or_else(|| value.to_owned(), |inner| inner.replace(r"'\''", "'"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_survive_quoting() {
        let all: Vec<(String, String)> = ["plain-1.2", "with space", "it's", "a=b", ""]
            .iter()
            .enumerate()
            .map(|(number, value)| (format!("V{number}"), (*value).to_owned()))
            .collect();
        assert_eq!(parse(&dotenv(&all)), all);
        assert!(for_shell(&all, Shell::Bash).contains(r"export V2='it'\''s'"));
        assert!(for_shell(&all, Shell::Powershell).contains("$env:V2 = 'it''s'"));
        assert!(for_shell(&all, Shell::Fish).contains(r"set -gx V2 'it\'s'"));
    }
}
