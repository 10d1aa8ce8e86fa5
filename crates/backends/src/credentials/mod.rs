//! How programs log in at vaults: a service principal by secret or certificate, a managed identity,
//! workload identity, the developers' command lines, or the [`DefaultChain`] that tries them all;
//! and one client per vault for a whole process ([`ClientPool`]).

mod certificate;
mod chain;
mod config;
mod environments;
mod pool;
mod principal;
mod sources;

use std::sync::{OnceLock, PoisonError, RwLock};
use std::time::Duration;

pub use chain::{Attempt, DefaultChain, Outcome, Step};
pub use config::CredentialConfig;
pub use environments::Environments;
pub use pool::{ClientPool, Login, vault_for};
pub use sources::Sources;

/// Why there is no credential. The text names what is missing, and holds no secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CredentialError {
    /// A field is missing.
    #[error("{field} is missing: {why}")]
    Missing {
        /// The field, by its name in [`CredentialConfig`].
        field: &'static str,
        /// What needs it.
        why: &'static str,
    },
    /// Fields that exclude one another.
    #[error("{0}")]
    Conflict(&'static str),
    /// No such environment.
    #[error("unknown environment: {0}")]
    UnknownEnvironment(String),
    /// What was given cannot be used.
    #[error("{0}")]
    Unusable(String),
}

impl CredentialError {
    fn unusable(fault: impl std::fmt::Display) -> Self {
        Self::Unusable(fault.to_string())
    }
}

/// Reaching a server takes no longer than this.
const CONNECT: Duration = Duration::from_secs(10);

/// The HTTP client of the whole process: HTTPS alone, no redirects, heeds the proxy variables.
///
/// # Errors
/// [`CredentialError::Unusable`] when the machine's certificates cannot be read.
pub fn http_client() -> Result<reqwest::Client, CredentialError> {
    static SHARED: OnceLock<RwLock<Option<reqwest::Client>>> = OnceLock::new();
    let shared = SHARED.get_or_init(RwLock::default);
    if let Some(client) = shared.read().unwrap_or_else(PoisonError::into_inner).as_ref() {
        return Ok(client.clone());
    }
    let mut shared = shared.write().unwrap_or_else(PoisonError::into_inner);
    // A failure is not remembered: the next caller tries again.
    let client = match shared.take() {
        Some(client) => client,
        None => {
            let client = reqwest::Client::builder().https_only(true).redirect(reqwest::redirect::Policy::none());
            client.connect_timeout(CONNECT).build().map_err(CredentialError::unusable)?
        }
    };
    Ok(shared.insert(client).clone())
}
