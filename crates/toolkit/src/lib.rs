//! What an application links.
//!
//! [`secrets`]: the secrets of a multi-tenant application, from any [`strongroom_store::Vault`], with
//! fallback from a tenant to all, a cache, and local fallback for development.
//! [`keyring`]: JWT signing keys that rotate.

pub mod keyring;
pub mod secrets;

pub use strongroom_backends::open::{OpenError, OpenOptions, open, open_with};
