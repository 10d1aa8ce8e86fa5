//! One client per vault for a whole process.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use azure_core::credentials::TokenCredential;
use tokio::sync::OnceCell;

use super::{CredentialConfig, CredentialError, DefaultChain, Sources};
use crate::azure::{AzureVault, AzureVaultOptions};

/// How a pool's clients log in.
#[derive(Default)]
pub struct Login {
    /// A client that was made elsewhere: it is the answer for every vault, whatever else is given.
    pub client: Option<Arc<AzureVault>>,
    /// Used for all vaults, whatever else is given.
    pub credential: Option<Arc<dyn TokenCredential>>,
    /// What the configuration says; without it, the default chain.
    pub config: Option<CredentialConfig>,
    /// Variables, and the HTTP client for logging in and for the vaults.
    pub sources: Sources,
}

/// Clients by their vaults' URLs. Whoever asks first has it made; the others wait for it. When that
/// fails, the next one tries again. All share one HTTP client, and so its connections.
#[derive(Default)]
pub struct ClientPool {
    login: Login,
    credential: OnceCell<Arc<dyn TokenCredential>>,
    vaults: Mutex<HashMap<String, Arc<OnceCell<Arc<AzureVault>>>>>,
}

impl fmt::Debug for ClientPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ClientPool({})", self.lock().len())
    }
}

impl ClientPool {
    /// Without clients yet.
    #[must_use]
    pub fn new(login: Login) -> Self {
        Self { login, ..Self::default() }
    }

    /// The process's own, which logs in by the default chain.
    #[must_use]
    pub fn of_process() -> &'static Self {
        static POOL: OnceLock<ClientPool> = OnceLock::new();
        POOL.get_or_init(Self::default)
    }

    /// The client of the vault at `url`.
    ///
    /// # Errors
    /// [`CredentialError`]: the credential cannot be had, or the URL is not an https URL of a host.
    pub async fn vault_for(&self, url: &str) -> Result<Arc<AzureVault>, CredentialError> {
        if let Some(given) = &self.login.client {
            return Ok(Arc::clone(given));
        }
        let url = normal(url)?;
        let cell = Arc::clone(self.lock().entry(url.clone()).or_default());
        let made = cell.get_or_try_init(|| async {
            let credential = Arc::clone(self.credential.get_or_try_init(|| async { self.credential() }).await?);
            let options = AzureVaultOptions { url, credential, http: self.login.sources.http()? };
            AzureVault::new(options).map(Arc::new).map_err(|error| CredentialError::Unusable(error.message))
        });
        made.await.map(Arc::clone)
    }

    /// The client of the vault that the pool's configuration names.
    ///
    /// # Errors
    /// As [`vault_for`](Self::vault_for); `Missing` without a `vault_url`.
    pub async fn vault(&self) -> Result<Arc<AzureVault>, CredentialError> {
        let none = CredentialConfig::default();
        self.vault_for(self.login.config.as_ref().unwrap_or(&none).vault_url()?).await
    }

    fn credential(&self) -> Result<Arc<dyn TokenCredential>, CredentialError> {
        match (&self.login.credential, &self.login.config) {
            (Some(given), _) => Ok(Arc::clone(given)),
            (None, Some(config)) => config.credential(&self.login.sources),
            (None, None) => Ok(Arc::new(DefaultChain::with(self.login.sources.clone()))),
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, Arc<OnceCell<Arc<AzureVault>>>>> {
        self.vaults.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The process's client of the vault at `url`, which logs in by the default chain.
///
/// # Errors
/// As [`ClientPool::vault_for`].
pub async fn vault_for(url: &str) -> Result<Arc<AzureVault>, CredentialError> {
    ClientPool::of_process().vault_for(url).await
}

/// One spelling for each vault: the host in lower case, no default port, no slash at the end.
fn normal(url: &str) -> Result<String, CredentialError> {
    let parsed = reqwest::Url::parse(url.trim()).ok().filter(|url| url.scheme() == "https" && url.host_str().is_some());
    let parsed = parsed.ok_or_else(|| CredentialError::Unusable("a vault's URL is https://HOST[:PORT]".to_owned()))?;
    Ok(parsed.as_str().trim_end_matches('/').to_owned())
}
