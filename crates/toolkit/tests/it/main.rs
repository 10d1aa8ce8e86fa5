//! The toolkit as applications use it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    missing_docs,
    reason = "tests"
)]

mod keyring_memory;
mod keyring_redis;
mod keyring_suite;
mod secrets;
mod support;
