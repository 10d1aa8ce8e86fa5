//! Everything with an outside dependency: a module and a feature each.

#[cfg(feature = "appconfig")]
pub mod appconfig;
#[cfg(feature = "azure")]
pub mod azure;
#[cfg(feature = "sqlite")]
pub mod sqlite;

#[cfg(feature = "sqlite")]
pub use sqlite::SqliteRecords;
