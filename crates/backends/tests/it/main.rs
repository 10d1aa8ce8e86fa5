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
mod faults;
mod retry;
mod embedded;
mod file;
mod redis;
mod redis_server;
mod sqlite;
mod sqlite_crash;
mod sqlite_damage;
mod sqlite_device;
mod vault_suite;
