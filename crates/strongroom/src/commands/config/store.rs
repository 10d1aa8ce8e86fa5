//! Which store, and how to log in there.

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use strongroom_backends::appconfig::ConfigClient;

use crate::files;

/// Which configuration store. With neither option, the environment says: the connection string in
/// AZURE_APPCONFIG_CONNECTION_STRING, or the endpoint in AZURE_APPCONFIG_ENDPOINT.
#[derive(Args)]
pub(crate) struct StoreArgs {
    /// A file (mode 0600) whose first line is a connection string.
    #[arg(long, value_name = "FILE")]
    connection_string_file: Option<PathBuf>,
    /// The store's endpoint; tokens come by AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET,
    /// or from the Azure CLI.
    #[arg(long, value_name = "URL", conflicts_with = "connection_string_file")]
    endpoint: Option<String>,
}

impl StoreArgs {
    /// A client of the store.
    pub(super) fn client(&self) -> Result<Arc<ConfigClient>, String> {
        let http = reqwest::Client::builder()
            .https_only(true)
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(|fault| fault.to_string())?;
        let client = if let Some(file) = &self.connection_string_file {
            ConfigClient::from_connection_string(files::read_passphrase(file)?.expose(), http)
        } else if let Some(endpoint) = &self.endpoint {
            ConfigClient::with_credential(endpoint, credential()?, http)
        } else if let Some(text) = variable("AZURE_APPCONFIG_CONNECTION_STRING") {
            ConfigClient::from_connection_string(&zeroize::Zeroizing::new(text), http)
        } else if let Some(endpoint) = variable("AZURE_APPCONFIG_ENDPOINT") {
            ConfigClient::with_credential(&endpoint, credential()?, http)
        } else {
            return Err("which store? Set AZURE_APPCONFIG_CONNECTION_STRING or AZURE_APPCONFIG_ENDPOINT \
                        (`strongroom env` prints both for the development server), or give --endpoint or \
                        --connection-string-file"
                .to_owned());
        };
        client.map(Arc::new).map_err(|fault| fault.to_string())
    }
}

fn credential() -> Result<Arc<dyn azure_core::credentials::TokenCredential>, String> {
    let wrong = |fault: azure_core::Error| fault.to_string();
    let (tenant, client) = (variable("AZURE_TENANT_ID"), variable("AZURE_CLIENT_ID"));
    match (tenant, client, variable("AZURE_CLIENT_SECRET")) {
        (Some(tenant), Some(client), Some(secret)) => {
            let credential = azure_identity::ClientSecretCredential::new(&tenant, client, secret.into(), None);
            Ok(credential.map_err(wrong)?)
        }
        _ => Ok(azure_identity::AzureCliCredential::new(None).map_err(wrong)?),
    }
}

/// The variables that the official SDKs read.
#[expect(clippy::disallowed_methods, reason = "as options, secrets could be given on the command line")]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// A label as it is written on the command line: nothing stands for those without one.
pub(super) const fn label_filter(label: &str) -> &str {
    if label.is_empty() { "\0" } else { label }
}
