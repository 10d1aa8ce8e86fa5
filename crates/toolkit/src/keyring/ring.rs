//! [`KeyRing`]: signs tokens, validates them, and is told to rotate.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicI64;

use serde_json::Value;
use strongroom_store::clock::Clock;
use strongroom_wire::base64url;

use super::cache::{Counters, KeyCache};
use super::error::{RingError, StoreError, TokenError};
use super::jwks::JwkSet;
use super::options::RingOptions;
use super::state::{KeyState, Kid, Snapshot};
use super::store::KeyStore;
use super::token::{Claims, Parsed, digest, signing_input};

/// Claims that the ring sets itself.
const OWN_CLAIMS: [&str; 6] = ["iss", "aud", "exp", "nbf", "iat", "jti"];

/// A ring of signing keys, shared with all instances that use the same store. Cheap to clone.
#[derive(Clone)]
pub struct KeyRing {
    pub(super) store: Arc<dyn KeyStore>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) options: Arc<RingOptions>,
    pub(super) cache: Arc<KeyCache>,
    /// When keys in no list were last looked for, unix seconds.
    pub(super) swept: Arc<AtomicI64>,
}

/// A signed token.
#[derive(Clone)]
pub struct Signed {
    /// The JWT.
    pub token: String,
    /// The key that signed it.
    pub kid: Kid,
    /// Until when it is valid, unix seconds.
    pub expires: i64,
}

/// A key, as it is shown.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct KeyInfo {
    /// Its id.
    pub kid: Kid,
    /// Its algorithm.
    pub algorithm: strongroom_wire::algorithms::SignatureAlgorithm,
    /// Where in its life it is.
    pub state: KeyState,
    /// Does it sign?
    pub is_active: bool,
    /// When it was made, unix seconds.
    pub created_on: i64,
    /// Since when its state is what it is, unix seconds.
    pub since: i64,
    /// Carried over from another ring: it only verifies.
    pub carried: bool,
}

impl KeyRing {
    /// A ring over a store. Nothing is read yet.
    #[must_use]
    pub fn new(store: Arc<dyn KeyStore>, clock: Arc<dyn Clock>, options: RingOptions) -> Self {
        let cache = KeyCache::new(Arc::clone(&store), Arc::clone(&clock), &options);
        Self { store, clock, options: Arc::new(options), cache, swept: Arc::default() }
    }

    /// How it behaves.
    #[must_use]
    pub fn options(&self) -> &RingOptions {
        &self.options
    }

    /// Its store's kind, as in `KeyStore:Type`.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        self.store.kind()
    }

    /// Signs a token with these claims that is valid for `life` seconds from now. The ring adds `iss`,
    /// `aud`, `iat`, `nbf`, `exp` and `jti`.
    ///
    /// # Errors
    /// `Claims` when those are among the claims, or the life is longer than the ring's tokens may have;
    /// `NoActiveKey`; `Store`.
    pub async fn sign(&self, claims: Claims, life: i64) -> Result<Signed, RingError> {
        if let Some(own) = OWN_CLAIMS.iter().find(|name| claims.contains_key(**name)) {
            return Err(RingError::Claims(format!("the claim {own} is set by the ring")));
        }
        if life < 1 || life > self.options.max_token_life {
            let most = self.options.max_token_life;
            return Err(RingError::Claims(format!("a token lives for 1 to {most} seconds")));
        }
        let view = self.cache.view().await?;
        let claims = self.complete(claims, life)?;
        match self.sign_by(&view.snapshot, &claims).await {
            // Retired by another instance since we last looked.
            Err(RingError::NoActiveKey | RingError::Store(StoreError::NotFound(_))) => {
                let view = self.cache.read_now().await?;
                self.sign_by(&view.snapshot, &claims).await
            }
            signed => signed,
        }
    }

    async fn sign_by(&self, snapshot: &Snapshot, claims: &Claims) -> Result<Signed, RingError> {
        let key = snapshot.active_key().ok_or(RingError::NoActiveKey)?;
        let input = signing_input(&key.kid, key.algorithm, claims);
        let signature = self.store.sign(key, digest(key.algorithm, input.as_bytes())).await?;
        let expires = claims.get("exp").and_then(Value::as_i64).unwrap_or_default();
        let token = format!("{input}.{}", base64url::encode(&signature));
        Ok(Signed { token, kid: key.kid.clone(), expires })
    }

    fn complete(&self, mut claims: Claims, life: i64) -> Result<Claims, RingError> {
        let now = self.clock.now().seconds();
        let id = Kid::random().map_err(|fault| StoreError::Invalid(fault.to_string()))?;
        let own = [
            ("iss", Value::from(self.options.issuer.as_str())),
            ("aud", Value::from(self.options.audience.as_str())),
            ("iat", Value::from(now)),
            ("nbf", Value::from(now)),
            ("exp", Value::from(now.saturating_add(life))),
            ("jti", Value::from(id.as_str())),
        ];
        claims.extend(own.map(|(name, value)| (name.to_owned(), value)));
        Ok(claims)
    }

    /// The claims of a valid token. The store is not asked, unless its kid is unknown here.
    ///
    /// # Errors
    /// [`TokenError`], by what is wrong.
    pub async fn validate(&self, token: &str) -> Result<Claims, TokenError> {
        let parsed = Parsed::parse(token)?;
        let verifier = self.cache.verifier(&parsed.kid).await?;
        parsed.verify(&verifier, &self.options, self.clock.now().seconds())
    }

    /// The keys, oldest first, as they are in the store now.
    ///
    /// # Errors
    /// `Store`.
    pub async fn keys(&self) -> Result<Vec<KeyInfo>, RingError> {
        let view = self.cache.read_now().await?;
        let snapshot = &view.snapshot;
        let info = snapshot.keys.iter().map(|key| KeyInfo {
            kid: key.kid.clone(),
            algorithm: key.algorithm,
            state: snapshot.state_of(key),
            is_active: snapshot.active.as_ref() == Some(&key.kid),
            created_on: key.created,
            since: key.since,
            carried: key.carried,
        });
        Ok(info.collect())
    }

    /// The public keys of all tokens that may be valid, and those that will sign.
    ///
    /// # Errors
    /// `Store`.
    pub async fn jwks(&self) -> Result<JwkSet, RingError> {
        Ok(JwkSet::of(&self.cache.view().await?.snapshot))
    }

    /// What is known here counts no more: the next who asks reads the store.
    pub fn invalidate(&self) {
        self.cache.forget();
    }

    /// What happened so far.
    #[must_use]
    pub fn counters(&self) -> Counters {
        self.cache.counters()
    }

    /// Forgets what is known whenever another instance changes the ring. Ends with the store; a store
    /// that tells nothing ends it at once.
    pub async fn follow(&self) {
        let Some(mut changes) = self.store.changes() else { return };
        while changes.changed().await.is_ok() {
            self.cache.changed().await;
        }
    }
}

impl fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyRing({}, {:?})", self.store.kind(), self.options)
    }
}

impl fmt::Debug for Signed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signed({})", self.kid)
    }
}
