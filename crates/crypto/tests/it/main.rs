//! The crate as its users see it, with OpenSSL as the second opinion.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "helpers of tests are tests; clippy.toml exempts only the test functions themselves"
)]

mod ec_import;
mod encryption;
mod openssl;
mod pkcs8;
mod rsa_import;
mod signatures;
mod support;
