//! The binary, as its users run it: real processes, real sockets, real signals.

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

mod administration;
mod canary;
mod client;
mod completion;
mod config;
mod crash;
mod dev;
mod examples;
mod failures;
mod hostile;
mod identity;
mod jobs;
mod key_cli;
mod practice;
mod hsm;
mod migrate;
mod keyring_azure;
#[path = "../../../toolkit/tests/it/keyring_suite.rs"]
mod keyring_suite;
mod process;
mod production;
mod run;
mod seal;
mod secret_cli;
mod serve;
mod vaults;
mod tokens;
mod tokens_load;
