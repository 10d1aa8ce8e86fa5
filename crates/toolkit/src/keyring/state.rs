//! What a ring is made of: key ids, keys and their states, as all instances share them.

use std::fmt;

use serde::{Deserialize, Serialize};
use strongroom_crypto::{CryptoError, KeySpec, random_u128};
use strongroom_wire::algorithms::SignatureAlgorithm;
use strongroom_wire::jwk::PublicJwk;

use super::error::StoreError;

/// A mark of activation that is older is what a crash left, in seconds.
const ACTIVATION_TIME: i64 = 60;

/// The id of a key: 32 lower-case hexadecimal digits.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub struct Kid(String);

impl Kid {
    /// A random one.
    ///
    /// # Errors
    /// When the generator fails.
    pub fn random() -> Result<Self, CryptoError> {
        Ok(Self(format!("{:032x}", random_u128()?)))
    }

    /// Reads one; `None` when it is none.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        (text.len() == 32 && text.bytes().all(hex)).then(|| Self(text.to_owned()))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Kid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Kid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Kid {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| serde::de::Error::custom("a kid has 32 hexadecimal digits"))
    }
}

/// Where in its life a key is. A retired key is not in the ring.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum KeyState {
    /// Published, so that all verifiers know it before it signs.
    Pending,
    /// Signs, or is about to: the active kid says which one does.
    Active,
    /// Signs no more; its tokens are valid until they expire.
    Retiring,
}

/// A key of the ring.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RingKey {
    /// Its id.
    pub kid: Kid,
    /// The one algorithm it is for.
    pub algorithm: SignatureAlgorithm,
    /// When it was made, unix seconds.
    pub created: i64,
    /// Where in its life it is.
    pub state: KeyState,
    /// Since when, unix seconds.
    pub since: i64,
    /// Carried over from another ring: it verifies, and its private half is not here.
    #[serde(default)]
    pub carried: bool,
    /// The public half.
    pub public: PublicJwk,
}

/// What a store answers: the ring, and what its parts are marked with for the next write.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// The kid that signs.
    pub active: Option<Kid>,
    /// All keys, oldest first.
    pub keys: Vec<RingKey>,
    /// The etag or version of the list; empty when there is none.
    pub keys_tag: String,
    /// The etag or version of the active kid; empty when there is none.
    pub active_tag: String,
}

impl Snapshot {
    /// A key of the ring.
    #[must_use]
    pub fn key(&self, kid: &Kid) -> Option<&RingKey> {
        self.keys.iter().find(|key| key.kid == *kid)
    }

    /// The key that signs; `None`, too, when the active kid names a key that cannot.
    #[must_use]
    pub fn active_key(&self) -> Option<&RingKey> {
        self.key(self.active.as_ref()?).filter(|key| !key.carried)
    }

    /// What a key is, by what the active kid says.
    #[must_use]
    pub fn state_of(&self, key: &RingKey) -> KeyState {
        match key.state {
            _ if self.active.as_ref() == Some(&key.kid) => KeyState::Active,
            KeyState::Active => KeyState::Pending,
            other => other,
        }
    }

    /// Is it being made the active key at this moment?
    pub(super) fn is_being_activated(&self, key: &RingKey, now: i64) -> bool {
        let is_active = self.active.as_ref() == Some(&key.kid);
        key.state == KeyState::Active && !is_active && now < key.since.saturating_add(ACTIVATION_TIME)
    }

    /// The keys, those as retiring that are marked as active and are not: left by a crash, or replaced by
    /// somebody who set the active kid by hand.
    pub(super) fn demoted(&self, now: i64) -> Vec<RingKey> {
        let mut keys = self.keys.clone();
        for key in &mut keys {
            let is_active = self.active.as_ref() == Some(&key.kid);
            if key.state == KeyState::Active && !is_active && !self.is_being_activated(key, now) {
                key.state = KeyState::Retiring;
                key.since = now;
            }
        }
        keys
    }

    /// The keys once `key` is among them and marked as the active one, and the active one until now
    /// as retiring.
    pub(super) fn activating(&self, key: &RingKey, now: i64) -> Vec<RingKey> {
        let mut keys = self.demoted(now);
        for other in &mut keys {
            if self.active.as_ref() == Some(&other.kid) && other.kid != key.kid {
                other.state = KeyState::Retiring;
                other.since = now;
            }
        }
        keys.retain(|other| other.kid != key.kid);
        keys.push(RingKey { state: KeyState::Active, since: now, ..key.clone() });
        in_order(keys)
    }

    /// The keys with these besides.
    pub(super) fn with(&self, more: &[RingKey]) -> Vec<RingKey> {
        let mut keys = self.keys.clone();
        keys.retain(|key| more.iter().all(|new| new.kid != key.kid));
        keys.extend_from_slice(more);
        in_order(keys)
    }

    /// The keys without that one.
    pub(super) fn without(&self, kid: &Kid) -> Vec<RingKey> {
        self.keys.iter().filter(|key| key.kid != *kid).cloned().collect()
    }
}

/// Oldest first.
pub(super) fn in_order(mut keys: Vec<RingKey>) -> Vec<RingKey> {
    keys.sort_by(|a, b| (a.created, &a.kid).cmp(&(b.created, &b.kid)));
    keys
}

/// The kind of key that an algorithm needs.
///
/// # Errors
/// `Invalid` for ES256K, which verifiers of JWTs seldom know.
pub(super) fn spec_of(algorithm: SignatureAlgorithm) -> Result<KeySpec, StoreError> {
    match (algorithm, algorithm.curve()) {
        (SignatureAlgorithm::ES256K, _) => {
            Err(StoreError::Invalid("Jwt:Algorithm: ES256K is not for tokens; use ES256".to_owned()))
        }
        (_, Some(curve)) => Ok(KeySpec::Ec(curve)),
        (_, None) => Ok(KeySpec::Rsa { bits: 2048 }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kid_is_32_digits() {
        let kid = Kid::random().unwrap();
        assert_eq!(Kid::parse(kid.as_str()), Some(kid));
        for wrong in ["", "0", &"0".repeat(31), &"0".repeat(33), &"A".repeat(32), &"g".repeat(32)] {
            assert_eq!(Kid::parse(wrong), None, "{wrong}");
        }
    }
}
