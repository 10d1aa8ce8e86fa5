//! The keys that sign our tokens: RSA-2048, RS256. A key is published before it signs, and after it
//! has signed its last token until that has expired, so that a verifier that asks now and then
//! always knows the key of a token it sees.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use strongroom_crypto::{CryptoError, KeySpec, PrivateKey, random_u128, sha256};
use strongroom_wire::Sensitive;
use strongroom_wire::algorithms::SignatureAlgorithm;
use strongroom_wire::base64url::{self, Base64Url};
use strongroom_wire::sensitive::expose;

use crate::claims::AccessClaims;
use crate::key_set::KeySet;

/// Why a key could not be made, or a token not be signed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SigningFault {
    /// No key may sign now.
    #[error("there is no signing key that is active now")]
    NoActiveKey,
    /// Cryptography failed.
    #[error(transparent)]
    Crypto(#[from] CryptoError),
    /// The claims could not be written.
    #[error("the claims could not be written as JSON")]
    Claims,
}

/// When keys come and go, in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RotationSchedule {
    /// How long a key signs.
    pub lifetime: i64,
    /// How long before that it is published.
    pub publish_ahead: i64,
    /// How long after that it is still published.
    pub keep_after: i64,
}

impl Default for RotationSchedule {
    fn default() -> Self {
        Self { lifetime: 30 * 86_400, publish_ahead: 86_400, keep_after: 86_400 }
    }
}

/// The times of a key, unix seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyTimes {
    /// Signs from here,
    pub active_from: i64,
    /// until here, or until another takes over;
    pub active_until: i64,
    /// and is published until here.
    pub published_until: i64,
}

/// What has to be done now.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RotationPlan {
    /// Make a key with these times.
    pub generate: Option<KeyTimes>,
    /// Drop the keys with these ids.
    pub drop: Vec<String>,
}

impl RotationPlan {
    /// Is there nothing to do?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.generate.is_none() && self.drop.is_empty()
    }
}

/// A key that signs tokens.
#[derive(Debug)]
pub struct SigningKey {
    kid: String,
    times: KeyTimes,
    key: PrivateKey,
}

/// A signing key as it is stored. The store seals it.
#[derive(Debug, Serialize, Deserialize)]
pub struct StoredSigningKey {
    /// Key id.
    pub kid: String,
    /// Times.
    pub times: KeyTimes,
    #[serde(serialize_with = "expose")]
    pkcs8: Sensitive<Base64Url>,
}

impl SigningKey {
    /// Makes a key. Takes tens of milliseconds.
    ///
    /// # Errors
    /// Those of key generation.
    pub fn generate(times: &KeyTimes) -> Result<Self, SigningFault> {
        let kid = base64url::encode(&random_u128()?.to_be_bytes());
        Ok(Self { kid, times: *times, key: PrivateKey::generate(KeySpec::Rsa { bits: 2048 })? })
    }

    /// Key id.
    #[must_use]
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// Reads a stored key.
    ///
    /// # Errors
    /// When its material cannot be read.
    pub fn from_stored(stored: StoredSigningKey) -> Result<Self, SigningFault> {
        let key = PrivateKey::from_pkcs8(&stored.pkcs8.expose().0)?;
        Ok(Self { kid: stored.kid, times: stored.times, key })
    }

    /// To be stored.
    ///
    /// # Errors
    /// When its material cannot be written.
    pub fn to_stored(&self) -> Result<StoredSigningKey, SigningFault> {
        let pkcs8 = self.key.to_pkcs8()?;
        let pkcs8 = Sensitive::new(Base64Url(pkcs8.expose().clone()));
        Ok(StoredSigningKey { kid: self.kid.clone(), times: self.times, pkcs8 })
    }

    fn is_published(&self, now: i64) -> bool {
        now < self.times.published_until
    }
}

/// All signing keys of an installation.
#[derive(Debug, Default)]
pub struct SigningKeyRing(Vec<SigningKey>);

impl SigningKeyRing {
    /// From keys in any order.
    #[must_use]
    pub fn new(mut keys: Vec<SigningKey>) -> Self {
        keys.sort_by(|a, b| (a.times.active_from, &a.kid).cmp(&(b.times.active_from, &b.kid)));
        Self(keys)
    }

    /// The keys, oldest first.
    #[must_use]
    pub fn into_keys(self) -> Vec<SigningKey> {
        self.0
    }

    /// What has to be done now. Following the plan and asking again gives an empty one.
    #[must_use]
    pub fn plan(&self, now: i64, schedule: &RotationSchedule) -> RotationPlan {
        let times = |active_from: i64| {
            let active_until = active_from.saturating_add(schedule.lifetime);
            let published_until = active_until.saturating_add(schedule.keep_after);
            KeyTimes { active_from, active_until, published_until }
        };
        let generate = match self.active(now).map(|key| key.times.active_until) {
            // None yet, or the server was off, or its clock was moved.
            None => Some(times(now)),
            Some(end) => {
                let follows = |key: &SigningKey| key.times.active_from <= end && end < key.times.active_until;
                // Time for the next one to be seen.
                let due = now >= end.saturating_sub(schedule.publish_ahead);
                (due && !self.0.iter().any(follows)).then(|| times(end))
            }
        };
        let drop = self.0.iter().filter(|key| !key.is_published(now)).map(|key| key.kid.clone()).collect();
        RotationPlan { generate, drop }
    }

    /// The key that signs now.
    #[must_use]
    pub fn active(&self, now: i64) -> Option<&SigningKey> {
        let started = self.0.iter().filter(|key| key.times.active_from <= now && now < key.times.active_until);
        started.last()
    }

    /// The public keys, for the JWKS endpoint.
    #[must_use]
    pub fn jwks(&self, now: i64) -> Value {
        let published = self.0.iter().filter(|key| key.is_published(now)).map(|key| {
            let mut shown = serde_json::to_value(key.key.public().to_jwk()).unwrap_or_default();
            if let Some(members) = shown.as_object_mut() {
                members.insert("kid".to_owned(), json!(key.kid));
                members.insert("use".to_owned(), json!("sig"));
                members.insert("alg".to_owned(), json!("RS256"));
            }
            shown
        });
        json!({ "keys": published.collect::<Vec<_>>() })
    }

    /// The public keys, to check tokens with.
    #[must_use]
    pub fn key_set(&self, now: i64) -> KeySet {
        let published = self.0.iter().filter(|key| key.is_published(now));
        KeySet::new(published.map(|key| (key.kid.clone(), key.key.public().clone())))
    }

    /// Signs a token (RS256).
    ///
    /// # Errors
    /// [`SigningFault`].
    pub fn mint(&self, now: i64, claims: &AccessClaims) -> Result<Sensitive<String>, SigningFault> {
        let signer = self.active(now).ok_or(SigningFault::NoActiveKey)?;
        let header = json!({ "typ": "JWT", "alg": "RS256", "kid": signer.kid });
        let payload = serde_json::to_vec(claims).map_err(|_unwritable| SigningFault::Claims)?;
        let signed = format!("{}.{}", base64url::encode(header.to_string().as_bytes()), base64url::encode(&payload));
        let signature = signer.key.sign(SignatureAlgorithm::RS256, &sha256(signed.as_bytes()))?;
        Ok(Sensitive::new(format!("{signed}.{}", base64url::encode(&signature))))
    }
}
