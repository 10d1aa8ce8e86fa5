//! A vault by its URI, as commands are given it.

use std::sync::Arc;

use strongroom::{OpenOptions, open_with};
use strongroom_store::Vault;

use super::login::{credential, http_client};
use crate::failure::Failure;

/// Opens it; a vault behind HTTPS with the login that the environment gives.
pub(crate) async fn open(uri: &str) -> Result<Arc<dyn Vault>, Failure> {
    let mut options = OpenOptions::default();
    if uri.starts_with("azure:") || uri.starts_with("https:") {
        options.credential = Some(credential()?);
        options.http = Some(http_client()?);
    }
    Ok(open_with(uri, options).await?)
}
