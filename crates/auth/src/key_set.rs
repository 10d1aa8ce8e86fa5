//! Public keys by their ids (RFC 7517).

use std::collections::HashMap;

use serde_json::Value;
use strongroom_crypto::PublicKey;
use strongroom_wire::jwk::PublicJwk;

/// The text is not a JSON Web Key Set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a JSON Web Key Set")]
pub struct NotAKeySet;

/// Keys to check tokens with.
#[derive(Debug, Default)]
pub struct KeySet(HashMap<String, PublicKey>);

impl KeySet {
    /// From keys with their ids.
    #[must_use]
    pub fn new(keys: impl IntoIterator<Item = (String, PublicKey)>) -> Self {
        Self(keys.into_iter().collect())
    }

    /// From a JWKS document. Keys of other kinds or uses, and keys without an id, are left out.
    ///
    /// # Errors
    /// [`NotAKeySet`].
    pub fn from_jwks(document: &str) -> Result<Self, NotAKeySet> {
        let document: Value = serde_json::from_str(document).map_err(|_unreadable| NotAKeySet)?;
        let keys = document.get("keys").and_then(Value::as_array).ok_or(NotAKeySet)?;
        let usable = keys.iter().filter_map(|key| {
            let used_for = key.get("use").and_then(Value::as_str);
            if used_for.is_some_and(|used_for| used_for != "sig") {
                return None;
            }
            let kid = key.get("kid")?.as_str()?.to_owned();
            let jwk: PublicJwk = serde_json::from_value(key.clone()).ok()?;
            Some((kid, PublicKey::from_jwk(&jwk).ok()?))
        });
        Ok(Self(usable.collect()))
    }

    /// Is there a key of that id?
    #[must_use]
    pub fn contains(&self, kid: &str) -> bool {
        self.0.contains_key(kid)
    }

    pub(crate) fn get(&self, kid: &str) -> Option<&PublicKey> {
        self.0.get(kid)
    }
}
