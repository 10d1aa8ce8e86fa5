//! What the parts of a running server share.

use std::sync::Arc;

use strongroom_store::pool::Pool;
use tokio::sync::Semaphore;

use crate::authenticate::Authenticator;
use crate::clock::Clock;
use crate::config_stores::ConfigStores;
use crate::directory::Directory;
use crate::endpoints::{Audiences, Endpoint, Endpoints};
use crate::identity::ProvenSecrets;
use crate::vaults::Vaults;

/// Large bodies that are taken at once.
pub const LARGE_BODIES: usize = 2;

/// A server, without its sockets.
pub struct App {
    /// The names it is reached by.
    pub endpoints: Endpoints,
    /// The audiences of tokens.
    pub audiences: Audiences,
    /// The region that it says it is in.
    pub region: String,
    /// Where time comes from.
    pub clock: Arc<dyn Clock>,
    /// Tenant, applications, role assignments, signing keys.
    pub directory: Directory,
    /// The vaults.
    pub vaults: Vaults,
    /// The configuration stores.
    pub stores: ConfigStores,
    /// Checks tokens.
    pub authenticator: Authenticator,
    /// Places for requests with large bodies.
    pub large_bodies: Semaphore,
    /// Client secrets that were found to be right.
    pub proven: ProvenSecrets,
    /// Threads for what is slow on purpose: password hashing.
    pub slow: Pool,
}

impl App {
    /// The `WWW-Authenticate` value (contract 1.2): one scheme, `, ` between the two parameters,
    /// no other space or `=` in it.
    #[must_use]
    pub fn challenge(&self, endpoint: &Endpoint) -> String {
        format!(
            "Bearer authorization=\"{}/{}\", resource=\"{}\"",
            endpoint.login_url(),
            self.directory.tenant(),
            endpoint.resource()
        )
    }
}
