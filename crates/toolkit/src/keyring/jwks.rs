//! The ring's public keys as others read them (RFC 7517).

use serde::{Deserialize, Serialize};
use strongroom_wire::algorithms::SignatureAlgorithm;
use strongroom_wire::jwk::PublicJwk;

use super::state::{KeyState, Kid, RingKey, Snapshot};

/// A JWK set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JwkSet {
    /// The keys.
    pub keys: Vec<Jwk>,
}

/// A public key with its id and algorithm.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Jwk {
    /// Its id.
    pub kid: Kid,
    /// What it is for: `sig`.
    #[serde(rename = "use")]
    pub usage: String,
    /// Its algorithm.
    pub alg: SignatureAlgorithm,
    /// The key.
    #[serde(flatten)]
    pub public: PublicJwk,
}

impl JwkSet {
    pub(super) fn of(snapshot: &Snapshot) -> Self {
        let keys = snapshot.keys.iter().map(|key| Jwk {
            kid: key.kid.clone(),
            usage: "sig".to_owned(),
            alg: key.algorithm,
            public: key.public.clone(),
        });
        Self { keys: keys.collect() }
    }

    /// The keys as another ring carries them: they verify from `now` on.
    #[must_use]
    pub fn to_carry(&self, now: i64) -> Vec<RingKey> {
        let carried = self.keys.iter().map(|key| RingKey {
            kid: key.kid.clone(),
            algorithm: key.alg,
            created: now,
            state: KeyState::Retiring,
            since: now,
            carried: true,
            public: key.public.clone(),
        });
        carried.collect()
    }
}
