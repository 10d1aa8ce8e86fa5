//! Any vault, by its URI.

use std::sync::Arc;

use strongroom::{OpenOptions, open_with};
use strongroom_store::Vault;

use super::login::{credential, http_client};

/// Opens the vault; `azure:` and `https:` log in as all commands do.
pub(crate) async fn open(uri: &str) -> Result<Arc<dyn Vault>, String> {
    let mut options = OpenOptions::default();
    if uri.starts_with("azure:") || uri.starts_with("https:") {
        options.credential = Some(credential()?);
        options.http = Some(http_client()?);
    }
    open_with(uri, options).await.map_err(|fault| fault.to_string())
}
