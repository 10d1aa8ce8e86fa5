//! Everything with an outside dependency: a module and a feature each. [`open`] gives a vault by its
//! URI, wherever it lies.

#[cfg(feature = "appconfig")]
pub mod appconfig;
#[cfg(feature = "azure")]
pub mod azure;
#[cfg(feature = "azure")]
pub mod credentials;
#[cfg(feature = "file")]
pub mod file;
pub mod open;
#[cfg(feature = "pkcs11")]
pub mod pkcs11;
#[cfg(feature = "redis")]
pub mod redis;
#[cfg(feature = "azure")]
pub mod retry;
#[cfg(feature = "sqlite")]
pub mod sqlite;
#[cfg(feature = "tpm2")]
pub mod tpm2;
#[cfg(any(feature = "file", feature = "pkcs11", feature = "tpm2"))]
mod whole_file;

#[cfg(feature = "redis")]
pub use redis::RedisRecords;
#[cfg(feature = "sqlite")]
pub use sqlite::SqliteRecords;
