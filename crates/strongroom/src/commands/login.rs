//! How the command line logs in at vaults and configuration stores.

use std::sync::Arc;

use strongroom_backends::credentials::DefaultChain;

/// A client for HTTPS alone. It heeds the proxy variables.
pub(super) fn http_client() -> Result<reqwest::Client, String> {
    strongroom_backends::credentials::http_client().map_err(|fault| fault.to_string())
}

/// The default chain: the variables of the official SDKs, a managed identity, the Azure CLI's login.
#[expect(clippy::unnecessary_wraps, reason = "other credentials can be wrong")]
pub(super) fn credential() -> Result<Arc<dyn azure_core::credentials::TokenCredential>, String> {
    Ok(Arc::new(DefaultChain::new()))
}

/// The variables that the official SDKs read.
#[expect(clippy::disallowed_methods, reason = "as options, secrets could be given on the command line")]
pub(super) fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}
