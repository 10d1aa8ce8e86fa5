//! Everything with an outside dependency: a module and a feature each. [`open`] gives a vault by its
//! URI, wherever it lies.

#[cfg(feature = "appconfig")]
pub mod appconfig;
#[cfg(feature = "azure")]
pub mod azure;
pub mod open;
#[cfg(feature = "sqlite")]
pub mod sqlite;
#[cfg(feature = "tpm2")]
pub mod tpm2;

#[cfg(feature = "sqlite")]
pub use sqlite::SqliteRecords;
