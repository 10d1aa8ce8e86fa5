//! What an application links.
//!
//! ```
//! use strongroom::keys::{Curve, KeySpec, SignatureAlgorithm::ES256, VaultKey};
//!
//! # tokio::runtime::Runtime::new()?.block_on(async {
//! // Or file:, redis:, pkcs11:, tpm2:, or the URL of a Strongroom or of Azure.
//! let vault = strongroom::open("memory:").await?;
//! let key = VaultKey::new(vault, "signing")?;
//! key.create(KeySpec::Ec(Curve::P256)).await?;
//! let signature = key.sign(ES256, b"a message").await?;
//! assert!(key.verify(b"a message", &signature).await?);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! [`open`] gives a vault by its URI; everything else works on any of them:
//!
//! - [`secrets`]: the secrets of a multi-tenant application, with fallback from a tenant to all, a
//!   cache, and local fallback for development.
//! - [`keys`]: signing, verifying, encrypting and wrapping with keys that stay in their vault, and
//!   which of these calls work offline.
//! - [`keyring`]: JWT signing keys that rotate, shared by any number of instances.
//! - [`jws`], [`documents`]: tokens and detached signatures.
//! - [`ca`], [`tls`], [`ssh_agent`]: certificates, TLS servers and SSH logins.
//! - [`http_signatures`]: requests that prove who sent them.
//! - [`envelope`]: files and streams of any size under a vault's key.
//! - [`migrate`]: secrets and keys from one vault to another, planned, proven and resumable.
//! - [`credentials`]: logging in, one client per vault, trying again.
//! - [`practice`]: what vaults and settings had better not do.
//! - [`vault`]: what all this stands on, for what has no call of its own.

pub mod ca;
pub mod clock;
pub mod credentials;
pub mod documents;
pub mod envelope;
pub mod http_signatures;
pub mod jws;
pub mod keyring;
pub mod keys;
pub mod migrate;
pub mod practice;
pub mod secrets;
pub mod ssh_agent;
pub mod tls;
pub mod vault;

pub use strongroom_backends::open::{OpenError, OpenOptions, open, open_with};
