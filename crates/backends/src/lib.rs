//! Everything with an outside dependency: a module and a feature each. [`open`] gives a vault by its
//! URI, wherever it lies.

#[cfg(feature = "appconfig")]
pub mod appconfig;
#[cfg(feature = "azure")]
pub mod azure;
#[cfg(feature = "azure")]
pub mod credentials;
pub mod open;
#[cfg(feature = "azure")]
pub mod retry;
#[cfg(feature = "sqlite")]
pub mod sqlite;

#[cfg(feature = "sqlite")]
pub use sqlite::SqliteRecords;
