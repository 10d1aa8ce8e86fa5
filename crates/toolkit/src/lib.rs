//! What an application links.
//!
//! [`secrets`]: the secrets of a multi-tenant application, from any [`strongroom_store::Vault`], with
//! fallback from a tenant to all, a cache, and local fallback for development.
//!
//! [`migrate`]: secrets and keys from one vault to another, planned, proven and resumable.

pub mod migrate;
pub mod secrets;

pub use strongroom_backends::open::{OpenError, OpenOptions, open, open_with};
