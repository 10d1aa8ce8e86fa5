//! A ring by its settings.

use std::sync::Arc;

use azure_core::credentials::TokenCredential;
use strongroom_backends::appconfig::ConfigClient;
use strongroom_backends::azure::{AzureVault, AzureVaultOptions};
use strongroom_backends::open::OpenError;
use strongroom_store::clock::Clock;

use super::azure::AzureKeyStore;
use super::error::StoreError;
use super::memory::InMemoryKeyStore;
#[cfg(feature = "redis")]
use super::redis::{RedisKeyStore, RedisSeal};
use super::ring::KeyRing;
use super::settings::{ConfigAccess, Settings, StoreSettings};
use super::store::KeyStore;

/// What settings do not hold.
pub struct Resources {
    /// Where time comes from.
    pub clock: Arc<dyn Clock>,
    /// The HTTP client for the Azure store.
    pub http: reqwest::Client,
    /// Gives tokens for the vault, and for the configuration store without a connection string.
    pub credential: Option<Arc<dyn TokenCredential>>,
    /// What the file that the settings name holds.
    #[cfg(feature = "redis")]
    pub seal: Option<RedisSeal>,
}

impl KeyRing {
    /// The ring that settings name.
    ///
    /// # Errors
    /// `Invalid`, which names the field; `Unauthorized`, `Unavailable`.
    pub async fn open(settings: &Settings, resources: Resources) -> Result<Self, StoreError> {
        let clock = Arc::clone(&resources.clock);
        let store: Arc<dyn KeyStore> = match &settings.store {
            StoreSettings::InMemory => {
                let vault = strongroom_backends::open::open("memory:").await;
                let vault = vault.map_err(|fault: OpenError| StoreError::Invalid(fault.to_string()))?;
                Arc::new(InMemoryKeyStore::new(vault, Arc::clone(&clock)))
            }
            #[cfg(feature = "redis")]
            StoreSettings::Redis { address, .. } => {
                let seal = resources.seal.ok_or_else(|| invalid("KeyStore:Redis:PassphraseFile: was not read"))?;
                Arc::new(RedisKeyStore::connect(address, seal).await?)
            }
            #[cfg(not(feature = "redis"))]
            StoreSettings::Redis { .. } => return Err(invalid("KeyStore:Type: this build has no Redis")),
            StoreSettings::Azure { vault, names, config } => {
                let missing = || invalid("KeyStore:Type Azure: needs a credential");
                let (http, credential) = (resources.http, resources.credential);
                let config = match config {
                    ConfigAccess::ConnectionString(text) => {
                        ConfigClient::from_connection_string(text.expose(), http.clone())
                    }
                    ConfigAccess::Endpoint(endpoint) => {
                        let credential = credential.clone().ok_or_else(missing)?;
                        ConfigClient::with_credential(endpoint, credential, http.clone())
                    }
                };
                let config =
                    config.map_err(|fault| invalid(&format!("ConnectionStrings:AppConfiguration: {fault}")))?;
                let credential = credential.ok_or_else(missing)?;
                let vault = AzureVault::new(AzureVaultOptions { url: vault.clone(), credential, http });
                let vault = vault.map_err(|fault| invalid(&format!("Azure:KeyVault:Url: {}", fault.message)))?;
                Arc::new(AzureKeyStore::new(Arc::new(vault), Arc::new(config), Arc::clone(&clock), names.clone()))
            }
        };
        Ok(Self::new(store, clock, settings.ring.clone()))
    }

    /// Are all roles there that signing and rotating take?
    ///
    /// # Errors
    /// `Forbidden`, which names the missing one.
    pub async fn check_access(&self) -> Result<(), StoreError> {
        self.store.check_access().await
    }
}

fn invalid(text: &str) -> StoreError {
    StoreError::Invalid(text.to_owned())
}
