//! What every store of records and every vault must do, as functions that any backend can run.

pub mod records;
pub mod vault;
