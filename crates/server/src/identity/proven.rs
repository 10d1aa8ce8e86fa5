//! Checking client secrets. The hash is slow on purpose, so a secret that was right is remembered
//! (as an HMAC under a key of this process), and each application may have only a few that are
//! being hashed: guessing at one does not keep others, or itself, from logging in.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use strongroom_auth::{AadError, Application, ClientSecret, check_client_secret};
use strongroom_crypto::{CryptoError, hmac_sha256, random_bytes};
use strongroom_store::pool::Pool;
use strongroom_wire::Sensitive;

/// Secrets remembered.
const REMEMBERED: usize = 10_000;

/// Secrets of one application that may be hashed at once.
const AT_ONCE: usize = 8;

/// Secrets that were found to be right.
pub struct ProvenSecrets {
    key: Sensitive<[u8; 32]>,
    /// The hash that a secret was found to fit, by the secret's HMAC.
    proven: quick_cache::sync::Cache<[u8; 32], Arc<str>>,
    being_hashed: Mutex<HashMap<String, usize>>,
}

impl ProvenSecrets {
    /// None yet.
    ///
    /// # Errors
    /// When there is no randomness.
    pub fn new() -> Result<Self, CryptoError> {
        Ok(Self {
            key: Sensitive::new(random_bytes()?),
            proven: quick_cache::sync::Cache::new(REMEMBERED),
            being_hashed: Mutex::default(),
        })
    }

    /// Checks a secret.
    ///
    /// # Errors
    /// As [`check_client_secret`]; AADSTS90033 when too many are being checked.
    pub async fn check(
        &self,
        slow: &Pool,
        application: &Arc<Application>,
        secret: &Sensitive<String>,
        now: i64,
    ) -> Result<(), AadError> {
        let id = hmac_sha256(
            self.key.expose(),
            &[application.app_id.as_bytes(), b"\0", secret.expose().as_bytes()].concat(),
        );
        let fits = |kept: &ClientSecret, hash: &str| kept.hash == *hash && kept.is_good(now);
        if let Some(hash) = self.proven.get(&id)
            && application.secrets.iter().any(|kept| fits(kept, &hash))
        {
            return Ok(());
        }
        let _place = Place::take(&self.being_hashed, &application.app_id).ok_or_else(AadError::busy)?;
        let (checked, secret) = (Arc::clone(application), secret.duplicate());
        let outcome =
            slow.run(move || check_client_secret(&checked, secret.expose(), now).map(|kept| kept.hash.clone()));
        let outcome = outcome.await;
        let hash = outcome.unwrap_or_else(|_busy| Err(AadError::busy()))?;
        self.proven.insert(id, hash.into());
        Ok(())
    }
}

/// One of the places of an application.
struct Place<'a> {
    taken: &'a Mutex<HashMap<String, usize>>,
    app_id: String,
}

impl<'a> Place<'a> {
    fn take(taken: &'a Mutex<HashMap<String, usize>>, app_id: &str) -> Option<Self> {
        let mut places = taken.lock().unwrap_or_else(PoisonError::into_inner);
        let count = places.entry(app_id.to_owned()).or_default();
        if *count >= AT_ONCE {
            return None;
        }
        *count = count.saturating_add(1);
        Some(Self { taken, app_id: app_id.to_owned() })
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut places = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = places.get_mut(&self.app_id) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                places.remove(&self.app_id);
            }
        }
    }
}
