//! [`KeyStore`]: where a ring's state and private keys lie.

use async_trait::async_trait;
use strongroom_store::Time;
use strongroom_wire::algorithms::SignatureAlgorithm;
use strongroom_wire::jwk::PublicJwk;
use tokio::sync::watch;

use super::error::StoreError;
use super::state::{Kid, RingKey, Snapshot};

/// Where a ring lies. Every write depends on what was read: it is refused with
/// [`StoreError::Changed`] when somebody else wrote since.
#[async_trait]
pub trait KeyStore: Send + Sync + 'static {
    /// As in `KeyStore:Type`.
    fn kind(&self) -> &'static str;

    /// The ring as it is now; empty when there is none yet.
    async fn load(&self) -> Result<Snapshot, StoreError>;

    /// Writes the list of keys, if it is as it was `before`.
    async fn save_keys(&self, before: &Snapshot, keys: &[RingKey]) -> Result<(), StoreError>;

    /// Says which key signs, if nobody said so since `before`. The key is in the list already.
    async fn save_active(&self, before: &Snapshot, kid: &Kid) -> Result<(), StoreError>;

    /// Both: the list with `kid` in it, then that it signs.
    async fn switch(&self, before: &Snapshot, keys: &[RingKey], kid: &Kid) -> Result<(), StoreError> {
        self.save_keys(before, keys).await?;
        // Whoever changed the active kid since `before` wins.
        self.save_active(before, kid).await
    }

    /// Makes a private key; it is not in the ring yet.
    async fn make_key(&self, kid: &Kid, algorithm: SignatureAlgorithm) -> Result<PublicJwk, StoreError>;

    /// Signs a digest; EC signatures are r‖s.
    async fn sign(&self, key: &RingKey, digest: Vec<u8>) -> Result<Vec<u8>, StoreError>;

    /// Destroys a private key; one that is gone already is no error.
    async fn destroy_key(&self, kid: &Kid) -> Result<(), StoreError>;

    /// Private keys made before `before`, of all that lie here: some may be in no list, left by a crash.
    async fn private_keys(&self, before: Time) -> Result<Vec<Kid>, StoreError>;

    /// Are all roles there that signing and rotating take? What is missing is named.
    async fn check_access(&self) -> Result<(), StoreError> {
        Ok(())
    }

    /// Counts changes by other instances, for stores that tell of them.
    fn changes(&self) -> Option<watch::Receiver<u64>> {
        None
    }
}
