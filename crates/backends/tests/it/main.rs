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

mod credentials;
mod embedded;
mod faults;
mod file;
mod matrix;
#[cfg(feature = "pkcs11")]
mod pkcs11;
#[cfg(feature = "pkcs11")]
mod pkcs11_bench;
#[cfg(feature = "pkcs11")]
mod pkcs11_faults;
mod redis;
mod redis_server;
mod retry;
#[allow(dead_code, reason = "another crate's tests use the rest")]
#[path = "../../../server/tests/it/support.rs"]
mod server;
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
