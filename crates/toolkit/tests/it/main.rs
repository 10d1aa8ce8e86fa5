//! The toolkit as applications use it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::as_conversions,
    clippy::disallowed_methods,
    clippy::print_stdout,
    missing_docs,
    reason = "tests"
)]

mod ca;
mod documents;
mod envelope;
mod hostile;
mod http_signatures;
mod jws;
mod keyring_memory;
mod keyring_redis;
mod keyring_suite;
mod keys;
mod migrate;
mod practice;
mod programs;
mod secrets;
mod secrets_manage;
mod secrets_network;
mod ssh_agent;
mod support;
mod tls;
mod vault_secrets;
