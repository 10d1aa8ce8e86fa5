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
mod hsm;
mod identity;
mod jobs;
mod key_cli;
mod keyring_azure;
#[path = "../../../toolkit/tests/it/keyring_suite.rs"]
mod keyring_suite;
mod migrate;
mod practice;
mod process;
mod production;
mod run;
mod seal;
mod secret_cli;
mod serve;
mod tokens;
mod tokens_load;
mod vaults;
