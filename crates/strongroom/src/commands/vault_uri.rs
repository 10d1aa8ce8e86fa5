//! A vault by its URI, as commands are given it.

use std::sync::Arc;

use strongroom::{OpenOptions, open_with};
use strongroom_store::Vault;

use super::login::{credential, http_client};

/// Opens it; a vault behind HTTPS with the login that the environment gives.
pub(crate) async fn open(uri: &str) -> Result<Arc<dyn Vault>, String> {
    let mut options = OpenOptions::default();
    if uri.starts_with("azure:") || uri.starts_with("https:") {
        options.credential = Some(credential()?);
        options.http = Some(http_client()?);
    }
    open_with(uri, options).await.map_err(|fault| fault.to_string())
}
