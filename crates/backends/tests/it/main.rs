//! Tests of the backends from the outside.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::as_conversions,
    clippy::print_stdout,
    missing_docs,
    reason = "tests"
)]

mod sqlite;
mod sqlite_crash;
mod sqlite_damage;
mod sqlite_device;
#[cfg(feature = "tpm2")]
mod tpm2;
#[cfg(feature = "tpm2")]
mod tpm2_bench;
#[cfg(feature = "tpm2")]
mod tpm2_state;
mod vault_suite;
