//! A service principal that is named when it is refused.

use std::sync::Arc;

use azure_core::credentials::{AccessToken, TokenCredential, TokenRequestOptions};
use azure_core::error::ErrorKind;

/// A credential, and whose it is.
#[derive(Debug)]
pub(super) struct Principal {
    tenant: String,
    client: String,
    credential: Arc<dyn TokenCredential>,
}

impl Principal {
    pub(super) fn new((tenant, client): (&str, &str), credential: Arc<dyn TokenCredential>) -> Arc<Self> {
        Arc::new(Self { tenant: tenant.to_owned(), client: client.to_owned(), credential })
    }
}

#[async_trait::async_trait]
impl TokenCredential for Principal {
    async fn get_token(
        &self,
        scopes: &[&str],
        options: Option<TokenRequestOptions<'_>>,
    ) -> azure_core::Result<AccessToken> {
        self.credential.get_token(scopes, options).await.map_err(|fault| {
            let Self { tenant, client, .. } = self;
            let message = format!("client {client} of tenant {tenant}: {fault}");
            azure_core::Error::with_error(ErrorKind::Credential, fault, message)
        })
    }
}
