//! Which store, and how to log in there.

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use strongroom_backends::appconfig::ConfigClient;

use super::super::login::{credential, http_client, variable};
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
        let http = http_client()?;
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

/// A label as it is written on the command line: nothing stands for those without one.
pub(super) const fn label_filter(label: &str) -> &str {
    if label.is_empty() { "\0" } else { label }
}
