//! How the command line logs in at vaults and configuration stores.

use std::sync::Arc;

/// A client for HTTPS alone. It heeds the proxy variables.
pub(super) fn http_client() -> Result<reqwest::Client, String> {
    let client = reqwest::Client::builder().https_only(true).redirect(reqwest::redirect::Policy::none());
    client.build().map_err(|fault| fault.to_string())
}

/// What the variables of the official SDKs say, or the Azure CLI's login.
pub(super) fn credential() -> Result<Arc<dyn azure_core::credentials::TokenCredential>, String> {
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
pub(super) fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}
