//! The protocols as data. Key Vault: ids, JSON bodies, attributes, JWK, algorithms, and error kinds
//! with their one table to status and code. App Configuration: `config`. No I/O, no clock, no cryptography.

pub mod algorithms;
pub mod api_version;
pub mod attributes;
pub mod base64url;
pub mod config;
pub mod error;
pub mod ids;
pub mod json;
pub mod jwk;
pub mod keys;
pub mod page;
pub mod rotation;
pub mod secrets;
pub mod sensitive;

pub use error::{Error, ErrorKind};
pub use sensitive::Sensitive;
