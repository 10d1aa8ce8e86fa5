//! The toolkit as applications use it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::disallowed_methods,
    missing_docs,
    reason = "tests"
)]

mod practice;
mod documents;
mod envelope;
mod jws;
mod keys;
mod programs;
mod secrets;
mod support;
mod vault_secrets;
