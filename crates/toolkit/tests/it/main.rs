//! The toolkit as applications use it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs,
    reason = "tests"
)]

mod secrets;
mod secrets_manage;
mod secrets_network;
mod support;
