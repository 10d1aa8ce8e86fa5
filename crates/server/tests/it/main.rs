//! Tests of the server from the outside.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::as_conversions,
    missing_docs,
    reason = "tests"
)]

mod appconfig_access;
mod appconfig_bodies;
mod appconfig_calls;
mod appconfig_concurrency;
mod appconfig_deletion;
mod appconfig_hostile;
mod appconfig_limits;
mod appconfig_signatures;
mod appconfig_time;
mod assertions;
mod azure;
mod bodies;
mod calls;
mod credentials;
mod federation;
mod guards;
mod hostile;
mod identity;
mod limits;
mod outside;
mod requests;
mod roles_over_http;
mod support;
mod time;
mod wire;
