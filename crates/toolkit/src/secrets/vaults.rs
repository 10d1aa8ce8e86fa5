//! Which vault holds an organisation's secrets: one for all, or one each.

use std::collections::HashMap;
use std::sync::Arc;

use strongroom_store::Vault;

use super::{GLOBAL, SecretError};

/// Finds the vault of an organisation.
type Find = dyn Fn(&str) -> Option<Arc<dyn Vault>> + Send + Sync;

/// A vault for each organisation, where one for all does not keep them apart well enough, and one for
/// what is for all. Secrets have the same names as in one shared vault, so they can be moved.
#[derive(Clone)]
pub struct OrgVaults {
    global: Arc<dyn Vault>,
    find: Arc<Find>,
}

impl OrgVaults {
    /// By a map. An organisation that is not in it is refused: the value for all in place of its own
    /// would be a silent mistake.
    #[must_use]
    pub fn new(global: Arc<dyn Vault>, vaults: HashMap<String, Arc<dyn Vault>>) -> Self {
        Self::by(global, move |org| vaults.get(org).cloned())
    }

    /// By a function, which answers from memory: it is called on the way to every vault.
    #[must_use]
    pub fn by(global: Arc<dyn Vault>, find: impl Fn(&str) -> Option<Arc<dyn Vault>> + Send + Sync + 'static) -> Self {
        Self { global, find: Arc::new(find) }
    }
}

impl std::fmt::Debug for OrgVaults {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("OrgVaults")
    }
}

/// Either way.
pub(super) enum Vaults {
    Shared(Arc<dyn Vault>),
    PerOrg(OrgVaults),
}

impl Vaults {
    /// The vault of one scope: an organisation, or [`GLOBAL`].
    pub(super) fn of(&self, scope: &str) -> Result<Arc<dyn Vault>, SecretError> {
        match self {
            Self::Shared(vault) => Ok(Arc::clone(vault)),
            Self::PerOrg(vaults) if scope == GLOBAL => Ok(Arc::clone(&vaults.global)),
            Self::PerOrg(vaults) => {
                (vaults.find)(scope).ok_or_else(|| SecretError::NoVault { org: scope.chars().take(64).collect() })
            }
        }
    }

    /// Each vault in which something for this organisation can be, once.
    pub(super) fn seen_by(&self, org: &str) -> Result<Vec<Arc<dyn Vault>>, SecretError> {
        match self {
            Self::Shared(vault) => Ok(vec![Arc::clone(vault)]),
            Self::PerOrg(vaults) => {
                let (own, global) = (self.of(org)?, Arc::clone(&vaults.global));
                Ok(if Arc::ptr_eq(&own, &global) { vec![own] } else { vec![own, global] })
            }
        }
    }
}
