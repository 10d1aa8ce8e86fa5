//! How a ring changes. A change reads the ring and writes it under the condition that nobody else did;
//! who loses waits a random while and looks again.
//!
//! The order of writes: the private key, the list with the new key in it and marked, the active kid. After
//! each of them the ring is whole: a key in no list is found and destroyed later, a key that was listed
//! and not made active is pending. A key that is marked is not retired by others, so that the active kid
//! never names a key that is not in the list.

use std::time::Duration;

use super::error::{RingError, StoreError};
use super::options::RingOptions;
use super::ring::KeyRing;
use super::state::{KeyState, Kid, RingKey, Snapshot};

/// No wait between attempts is longer.
const LONGEST_WAIT: Duration = Duration::from_secs(5);

impl KeyRing {
    /// Sees to it that there is a key to sign with: of any number of instances that call it at once, one
    /// makes it.
    ///
    /// # Errors
    /// `Store`, which names a missing role; `Busy`.
    pub async fn ensure_initial_key(&self) -> Result<Kid, RingError> {
        let (mut tries, mut made) = (Tries::new(&self.options), None);
        let outcome = loop {
            match self.try_initial(&mut made).await {
                Err(RingError::Store(StoreError::Changed)) => {
                    if let Err(busy) = tries.wait().await {
                        break Err(busy);
                    }
                }
                other => break other,
            }
        };
        if let Some(key) = made
            && outcome.as_ref().ok() != Some(&key.kid)
        {
            self.withdraw(&key.kid).await;
        }
        let kid = outcome?;
        self.cache.changed().await;
        Ok(kid)
    }

    async fn try_initial(&self, made: &mut Option<RingKey>) -> Result<Kid, RingError> {
        let before = self.store.load().await?;
        if let Some(active) = before.active_key() {
            return Ok(active.kid.clone());
        }
        // The first in the list is the one for all, whoever made it.
        let first = before.keys.iter().find(|key| !key.carried && key.state != KeyState::Retiring);
        if let Some(first) = first {
            self.store.save_active(&before, &first.kid).await?;
            return Ok(first.kid.clone());
        }
        if made.is_none() {
            *made = Some(self.make().await?);
        }
        let Some(key) = made else { return Err(RingError::NoActiveKey) };
        self.store.switch(&before, &before.activating(key, self.now()), &key.kid).await?;
        Ok(key.kid.clone())
    }

    /// Makes a new key and signs with it from now on. The one before goes on verifying.
    ///
    /// # Errors
    /// `Busy` when others were quicker at every attempt; `Store`.
    pub async fn rotate(&self) -> Result<Kid, RingError> {
        let key = self.make().await?;
        let kid = key.kid.clone();
        self.activate_key(key, Turn::New).await?;
        Ok(kid)
    }

    /// Publishes a new key, which does not sign yet.
    ///
    /// # Errors
    /// As [`KeyRing::rotate`].
    pub async fn publish(&self) -> Result<Kid, RingError> {
        let key = self.make().await?;
        let kid = key.kid.clone();
        let mut tries = Tries::new(&self.options);
        let outcome = loop {
            let attempt = async {
                let before = self.store.load().await?;
                self.store.save_keys(&before, &before.with(std::slice::from_ref(&key))).await
            };
            match attempt.await {
                Ok(()) => break Ok(kid),
                Err(StoreError::Changed) => {
                    if let Err(busy) = tries.wait().await {
                        break Err(busy);
                    }
                }
                Err(fault) => break Err(fault.into()),
            }
        };
        if outcome.is_err() {
            self.withdraw(&key.kid).await;
        }
        self.cache.changed().await;
        outcome
    }

    /// Signs with a key of the ring from now on.
    ///
    /// # Errors
    /// `UnknownKey`, also for a key that was carried over; as [`KeyRing::rotate`].
    pub async fn activate(&self, kid: &Kid) -> Result<(), RingError> {
        let snapshot = self.store.load().await?;
        let key = snapshot.key(kid).filter(|key| !key.carried).ok_or_else(|| RingError::UnknownKey(kid.clone()))?;
        self.activate_key(key.clone(), Turn::Now).await
    }

    pub(super) async fn activate_key(&self, key: RingKey, turn: Turn) -> Result<(), RingError> {
        let is_new = matches!(turn, Turn::New);
        let mut tries = Tries::new(&self.options);
        let outcome = loop {
            match self.try_activate(&key, &turn).await {
                Ok(()) => break Ok(()),
                Err(RingError::Store(StoreError::Changed)) => {
                    if let Err(busy) = tries.wait().await {
                        break Err(busy);
                    }
                }
                Err(fault) => break Err(fault),
            }
        };
        // An answer may have been lost on its way: then the key is active, and is not withdrawn.
        let outcome = match outcome {
            Err(fault) if is_new => match self.withdraw(&key.kid).await {
                Withdrawn::IsActive => Ok(()),
                _ => Err(fault),
            },
            outcome => outcome,
        };
        self.cache.changed().await;
        outcome
    }

    async fn try_activate(&self, key: &RingKey, turn: &Turn) -> Result<(), RingError> {
        let before = self.store.load().await?;
        if before.active.as_ref() == Some(&key.kid) {
            return Ok(());
        }
        match turn {
            // Another instance took the next turn already.
            Turn::After(last) if before.active.as_ref() != Some(last) => return Ok(()),
            Turn::After(_) | Turn::Now if before.key(&key.kid).is_none() => {
                return Err(RingError::UnknownKey(key.kid.clone()));
            }
            _ => {}
        }
        Ok(self.store.switch(&before, &before.activating(key, self.now()), &key.kid).await?)
    }

    /// Takes a key out of the ring: its tokens are refused here at once, and by other instances as soon as
    /// they read the ring. The private half is destroyed. `force` retires the active key, too, after a
    /// new one has taken its place.
    ///
    /// # Errors
    /// `ActiveKey` without force, `UnknownKey`; as [`KeyRing::rotate`].
    pub async fn retire(&self, kid: &Kid, force: bool) -> Result<(), RingError> {
        let mut tries = Tries::new(&self.options);
        loop {
            match self.try_remove(kid).await {
                Err(RingError::Store(StoreError::Changed)) => tries.wait().await?,
                Err(RingError::ActiveKey(_)) if force => drop(self.rotate().await?),
                Ok(()) => break,
                Err(fault) => return Err(fault),
            }
        }
        self.cache.changed().await;
        self.destroy(kid).await;
        Ok(())
    }

    async fn try_remove(&self, kid: &Kid) -> Result<(), RingError> {
        let before = self.store.load().await?;
        let key = before.key(kid).ok_or_else(|| RingError::UnknownKey(kid.clone()))?;
        if before.active.as_ref() == Some(kid) {
            return Err(RingError::ActiveKey(kid.clone()));
        }
        if before.is_being_activated(key, self.now()) {
            return Err(StoreError::Changed.into());
        }
        self.remove(&before, key).await
    }

    async fn remove(&self, before: &Snapshot, key: &RingKey) -> Result<(), RingError> {
        if key.state == KeyState::Active
            && let Some(active) = &before.active
        {
            // Written as it is, so that whoever marked this key, and is on the way to make it the active
            // one, fails. Who marks it from now on changes the list, and we fail.
            self.store.save_active(before, active).await?;
        }
        self.store.save_keys(before, &before.without(&key.kid)).await?;
        Ok(())
    }

    /// Takes in public keys of another ring: their tokens are valid here, too, for as long as those of a
    /// key that was active until now.
    ///
    /// # Errors
    /// As [`KeyRing::rotate`].
    pub async fn carry(&self, keys: &[RingKey]) -> Result<usize, RingError> {
        let mut tries = Tries::new(&self.options);
        loop {
            let before = self.store.load().await?;
            let is_own = |key: &&RingKey| before.key(&key.kid).is_none_or(|known| known.carried);
            let new: Vec<RingKey> = keys.iter().filter(is_own).cloned().collect();
            if new.is_empty() {
                return Ok(0);
            }
            match self.store.save_keys(&before, &before.with(&new)).await {
                Ok(()) => {
                    self.cache.changed().await;
                    return Ok(new.len());
                }
                Err(StoreError::Changed) => tries.wait().await?,
                Err(fault) => return Err(fault.into()),
            }
        }
    }

    pub(super) async fn make(&self) -> Result<RingKey, RingError> {
        let kid = Kid::random().map_err(|fault| StoreError::Invalid(fault.to_string()))?;
        let (algorithm, created) = (self.options.algorithm, self.now());
        let public = self.store.make_key(&kid, algorithm).await?;
        Ok(RingKey { kid, algorithm, created, state: KeyState::Pending, since: created, carried: false, public })
    }

    /// Takes back a key that could not be made active.
    pub(super) async fn withdraw(&self, kid: &Kid) -> Withdrawn {
        let mut tries = Tries::new(&self.options);
        tries.left = tries.left.saturating_mul(4);
        loop {
            let attempt = async {
                let before = self.store.load().await?;
                match before.key(kid) {
                    Some(_) if before.active.as_ref() == Some(kid) => Err(RingError::ActiveKey(kid.clone())),
                    Some(key) => self.remove(&before, key).await,
                    None => Ok(()),
                }
            };
            match attempt.await {
                Ok(()) => break,
                Err(RingError::ActiveKey(_)) => return Withdrawn::IsActive,
                Err(RingError::Store(StoreError::Changed)) if tries.wait().await.is_ok() => {}
                Err(fault) => {
                    tracing::warn!(%kid, "a key that is not needed stays in the ring, pending: {fault}");
                    return Withdrawn::No;
                }
            }
        }
        self.destroy(kid).await;
        Withdrawn::Yes
    }

    pub(super) async fn destroy(&self, kid: &Kid) {
        if let Err(fault) = self.store.destroy_key(kid).await {
            tracing::warn!(%kid, "a private key that is in no list was not destroyed yet: {fault}");
        }
    }

    pub(super) fn now(&self) -> i64 {
        self.clock.now().seconds()
    }
}

/// When a key becomes the active one.
pub(super) enum Turn {
    /// It was made for it.
    New,
    /// It is in the list.
    Now,
    /// It is in the list, and follows this one or none.
    After(Kid),
}

pub(super) enum Withdrawn {
    Yes,
    No,
    IsActive,
}

/// Attempts at a change: exponential backoff with full jitter, and an end.
struct Tries {
    left: u32,
    most: Duration,
}

impl Tries {
    fn new(options: &RingOptions) -> Self {
        Self { left: options.attempts.saturating_sub(1), most: options.backoff }
    }

    /// # Errors
    /// `Busy` when all attempts were made.
    async fn wait(&mut self) -> Result<(), RingError> {
        self.left = self.left.checked_sub(1).ok_or(RingError::Busy)?;
        let wait = full_jitter(self.most);
        tracing::debug!(?wait, most = ?self.most, left = self.left, "another instance changed the ring; trying again");
        tokio::time::sleep(wait).await;
        self.most = self.most.saturating_mul(2).min(LONGEST_WAIT);
        Ok(())
    }
}

/// Anything from nothing to `most`, evenly.
fn full_jitter(most: Duration) -> Duration {
    let random = strongroom_crypto::random_bytes::<4>().map_or(u32::MAX / 2, u32::from_be_bytes);
    most.mul_f64(f64::from(random) / f64::from(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn attempts_are_bounded_and_waits_grow() {
        let options = RingOptions { attempts: 8, ..RingOptions::new("i", "a") };
        let mut tries = Tries::new(&options);
        let mut most = Vec::new();
        let outcome = loop {
            most.push(tries.most.as_millis());
            if let Err(fault) = tries.wait().await {
                break fault;
            }
        };
        assert_eq!(most, [50, 100, 200, 400, 800, 1600, 3200, 5000]);
        assert_eq!(outcome.to_string(), "Another instance is currently rotating keys");
        assert!((0..1000).all(|_| full_jitter(options.backoff) <= options.backoff));
        let waits: std::collections::BTreeSet<_> = (0..100).map(|_| full_jitter(options.backoff)).collect();
        assert!(waits.len() > 90, "jitter is random");
    }
}
