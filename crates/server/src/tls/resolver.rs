//! Picks a certificate by the name that a client asks for, and mints it when there is none yet.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use super::dev_ca::{DevCa, DevCaError};
use super::names::{self, DevNames};

/// Leaves kept. A client can ask for any vault's name, so there is an end to it.
const MAX_LEAVES: usize = 1024;

/// The key of the default leaf among the others: no host name is empty.
const DEFAULT: &str = "";

/// Certificates for development: one leaf for all local names (and for clients that send no name),
/// one for each Azure name as it is asked for. Any other name is refused.
pub struct MintingResolver {
    ca: Arc<DevCa>,
    names: DevNames,
    clock: Arc<dyn Fn() -> i64 + Send + Sync>,
    leaves: Mutex<HashMap<String, Minted>>,
}

struct Minted {
    key: Arc<CertifiedKey>,
    from: i64,
    /// Two thirds of its validity; after this it is minted anew.
    until: i64,
}

impl MintingResolver {
    /// A resolver whose `clock` gives unix seconds. The default leaf is minted at once.
    ///
    /// # Errors
    /// When `ca` does not cover `names`, has expired or cannot sign.
    pub fn new(ca: Arc<DevCa>, names: DevNames, clock: Arc<dyn Fn() -> i64 + Send + Sync>) -> Result<Self, DevCaError> {
        ca.check(&names)?;
        let resolver = Self { ca, names, clock, leaves: Mutex::default() };
        resolver.leaf(DEFAULT)?;
        Ok(resolver)
    }

    /// The certificate for `name`, `None` being a client that sent no name.
    ///
    /// # Errors
    /// When the CA has expired or cannot sign. A name that is not served is `Ok(None)`.
    pub fn certificate(&self, name: Option<&str>) -> Result<Option<Arc<CertifiedKey>>, DevCaError> {
        let Some(name) = name.map(names::canonical) else { return self.leaf(DEFAULT).map(Some) };
        if self.names.is_local(&name) {
            self.leaf(DEFAULT).map(Some)
        } else if names::is_azure(&name) {
            self.leaf(&name).map(Some)
        } else {
            Ok(None)
        }
    }

    fn leaf(&self, name: &str) -> Result<Arc<CertifiedKey>, DevCaError> {
        let now = (self.clock)();
        let kept = self.leaves.lock().unwrap_or_else(PoisonError::into_inner).get(name).and_then(|leaf| {
            // Before its start too: the clock may have been wrong when it was minted.
            (leaf.from..leaf.until).contains(&now).then(|| Arc::clone(&leaf.key))
        });
        if let Some(key) = kept {
            return Ok(key);
        }
        // Outside the lock; two handshakes at once may both mint, and the later leaf stays.
        let names = if name == DEFAULT { self.names.leaf_names() } else { vec![name.to_owned()] };
        let leaf = self.ca.mint_leaf(&names, now)?;
        let until = leaf.not_before.saturating_add(leaf.not_after.saturating_sub(leaf.not_before) / 3 * 2);
        let key = Arc::new(leaf.key);
        let minted = Minted { key: Arc::clone(&key), from: leaf.not_before, until };
        let mut leaves = self.leaves.lock().unwrap_or_else(PoisonError::into_inner);
        if leaves.len() >= MAX_LEAVES && !leaves.contains_key(name) {
            let oldest = leaves.iter().filter(|(name, _)| *name != DEFAULT).min_by_key(|(_, leaf)| leaf.from);
            if let Some(oldest) = oldest.map(|(name, _)| name.clone()) {
                leaves.remove(&oldest);
            }
        }
        leaves.insert(name.to_owned(), minted);
        Ok(key)
    }

    #[cfg(test)]
    pub(super) fn kept(&self) -> usize {
        self.leaves.lock().unwrap_or_else(PoisonError::into_inner).len()
    }
}

impl ResolvesServerCert for MintingResolver {
    fn resolve(&self, client_hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.certificate(client_hello.server_name()).unwrap_or_else(|fault| {
            tracing::error!(%fault, "no certificate for a TLS handshake");
            None
        })
    }
}

impl fmt::Debug for MintingResolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MintingResolver").field("ca", &self.ca).field("names", &self.names).finish_non_exhaustive()
    }
}
