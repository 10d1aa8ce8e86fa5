//! A ring of JWT signing keys that rotates under load without a failed validation.
//!
//! A [`KeyRing`] lies in a [`KeyStore`], which all instances of an application share: its state (which keys
//! there are, which one signs) changes by compare-and-set alone, so that instances may rotate at once. A key
//! is published before it signs, goes on verifying after it was replaced, and is retired when its last
//! token has expired. Validation reads what is known in the process and makes no remote call.
//!
//! ```
//! use std::sync::Arc;
//!
//! use strongroom::keyring::{InMemoryKeyStore, KeyRing, RingOptions};
//! # use strongroom_store::{Time, clock::ManualClock};
//! # #[tokio::main]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let clock = ManualClock::new(Time::from_seconds(1_800_000_000));
//! let store = InMemoryKeyStore::new(strongroom::open("memory:").await?, clock.clone());
//! let ring = KeyRing::new(Arc::new(store), clock, RingOptions::new("https://me.test", "downloads"));
//! ring.ensure_initial_key().await?;
//! let claims = serde_json::Map::from_iter([("email".to_owned(), "a@example.com".into())]);
//! let old = ring.sign(claims, 3600).await?;
//! ring.rotate().await?;
//! assert_eq!(ring.validate(&old.token).await?["email"], "a@example.com");
//! ring.retire(&old.kid, false).await?;
//! assert!(ring.validate(&old.token).await.is_err());
//! # Ok(())
//! # }
//! ```

mod azure;
mod cache;
mod error;
mod jwks;
mod memory;
mod open;
mod options;
#[cfg(feature = "redis")]
mod redis;
mod ring;
mod rotate;
mod schedule;
mod settings;
mod state;
mod store;
mod token;
mod vault_keys;

pub use azure::{AzureKeyStore, AzureNames};
pub use cache::Counters;
pub use error::{RingError, StoreError, TokenError};
pub use jwks::{Jwk, JwkSet};
pub use memory::InMemoryKeyStore;
pub use open::Resources;
pub use options::RingOptions;
#[cfg(feature = "redis")]
pub use redis::{RedisKeyStore, RedisSeal};
pub use ring::{KeyInfo, KeyRing, Signed};
pub use settings::{ConfigAccess, SealFile, ServiceSettings, Settings, SettingsError, StoreSettings};
pub use state::{KeyState, Kid, RingKey, Snapshot};
pub use store::KeyStore;
pub use token::Claims;

/// Names of private keys in a vault begin with this.
pub const DEFAULT_PREFIX: &str = "jwt-signing-key-";
