//! A ring in this process: private keys in a vault, state in memory. Gone with the process, and no other
//! instance validates its tokens.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use strongroom_store::clock::Clock;
use strongroom_store::{Time, Vault};
use strongroom_wire::algorithms::SignatureAlgorithm;
use strongroom_wire::jwk::PublicJwk;

use super::DEFAULT_PREFIX;
use super::error::StoreError;
use super::state::{Kid, RingKey, Snapshot};
use super::store::KeyStore;
use super::vault_keys::VaultKeys;

/// `KeyStore:Type` = InMemory.
pub struct InMemoryKeyStore {
    keys: VaultKeys,
    state: Mutex<(Snapshot, u64)>,
}

impl InMemoryKeyStore {
    /// An empty ring, its private keys in `vault`.
    #[must_use]
    pub fn new(vault: Arc<dyn Vault>, clock: Arc<dyn Clock>) -> Self {
        Self { keys: VaultKeys::new(vault, clock, DEFAULT_PREFIX), state: Mutex::default() }
    }

    fn change(&self, change: impl FnOnce(&mut Snapshot, String) -> Result<(), StoreError>) -> Result<(), StoreError> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let (snapshot, version) = &mut *state;
        let next = version.saturating_add(1);
        change(snapshot, next.to_string())?;
        *version = next;
        Ok(())
    }
}

impl std::fmt::Debug for InMemoryKeyStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("InMemoryKeyStore")
    }
}

#[async_trait]
impl KeyStore for InMemoryKeyStore {
    fn kind(&self) -> &'static str {
        "InMemory"
    }

    async fn load(&self) -> Result<Snapshot, StoreError> {
        Ok(self.state.lock().unwrap_or_else(PoisonError::into_inner).0.clone())
    }

    async fn save_keys(&self, before: &Snapshot, keys: &[RingKey]) -> Result<(), StoreError> {
        self.change(|state, tag| {
            if state.keys_tag != before.keys_tag {
                return Err(StoreError::Changed);
            }
            state.keys = keys.to_vec();
            state.keys_tag = tag;
            Ok(())
        })
    }

    async fn save_active(&self, before: &Snapshot, kid: &Kid) -> Result<(), StoreError> {
        self.change(|state, tag| {
            if state.active_tag != before.active_tag {
                return Err(StoreError::Changed);
            }
            state.active = Some(kid.clone());
            state.active_tag = tag;
            Ok(())
        })
    }

    async fn switch(&self, before: &Snapshot, keys: &[RingKey], kid: &Kid) -> Result<(), StoreError> {
        self.change(|state, tag| {
            if state.keys_tag != before.keys_tag || state.active_tag != before.active_tag {
                return Err(StoreError::Changed);
            }
            *state =
                Snapshot { active: Some(kid.clone()), keys: keys.to_vec(), keys_tag: tag.clone(), active_tag: tag };
            Ok(())
        })
    }

    async fn make_key(&self, kid: &Kid, algorithm: SignatureAlgorithm) -> Result<PublicJwk, StoreError> {
        self.keys.make(kid, algorithm).await
    }

    async fn sign(&self, key: &RingKey, digest: Vec<u8>) -> Result<Vec<u8>, StoreError> {
        self.keys.sign(&key.kid, key.algorithm, digest).await
    }

    async fn destroy_key(&self, kid: &Kid) -> Result<(), StoreError> {
        self.keys.destroy(kid).await
    }

    async fn private_keys(&self, before: Time) -> Result<Vec<Kid>, StoreError> {
        self.keys.list(before).await
    }
}
