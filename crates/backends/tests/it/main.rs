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

mod embedded;
mod file;
mod matrix;
mod redis;
mod redis_server;
#[allow(dead_code, reason = "another crate's tests use the rest")]
#[path = "../../../server/tests/it/support.rs"]
mod server;
mod sqlite;
mod sqlite_crash;
mod sqlite_damage;
mod sqlite_device;
mod vault_suite;
