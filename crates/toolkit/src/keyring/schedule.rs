//! What is due by the clock.

use std::sync::atomic::Ordering;

use strongroom_store::Time;

use super::error::{RingError, StoreError};
use super::ring::KeyRing;
use super::rotate::Turn;
use super::state::{KeyState, Kid, RingKey, Snapshot};

/// A private key that has been in no list for so long, in seconds, is in none for ever.
const STRAY_AGE: i64 = 3600;

/// What there is to do.
#[derive(PartialEq, Eq)]
enum Due {
    First,
    Publish,
    Activate { next: Kid, after: Kid },
    Demote,
    Retire(Kid),
}

impl KeyRing {
    /// Does what is due: makes the pending key active, publishes the next one, retires old ones, destroys
    /// keys that a crash left. Every instance calls it now and then; one of them does each thing. As long
    /// as nothing is due, nothing but the cache is read.
    ///
    /// # Errors
    /// `Store`. That another instance was quicker is no error.
    pub async fn tick(&self) -> Result<(), RingError> {
        for due in self.due(&self.cache.view().await?.snapshot) {
            // Still, as the store says now?
            if !self.due(&self.cache.read_now().await?.snapshot).contains(&due) {
                continue;
            }
            let done = match due {
                Due::First => self.ensure_initial_key().await.map(drop),
                Due::Publish => self.publish_next().await,
                Due::Activate { next, after } => self.activate_after(&next, after).await,
                Due::Demote => {
                    let before = self.store.load().await?;
                    Ok(self.store.save_keys(&before, &before.demoted(self.now())).await?)
                }
                Due::Retire(kid) => self.retire(&kid, false).await,
            };
            match done {
                Err(RingError::Busy | RingError::UnknownKey(_) | RingError::ActiveKey(_)) => {}
                Err(RingError::Store(StoreError::Changed)) => {}
                other => other?,
            }
        }
        let last = self.swept.load(Ordering::Relaxed);
        if self.now() >= last.saturating_add(STRAY_AGE) {
            self.swept.store(self.now(), Ordering::Relaxed);
            self.destroy_strays().await?;
        }
        Ok(())
    }

    fn due(&self, snapshot: &Snapshot) -> Vec<Due> {
        let now = self.now();
        let Some(active) = snapshot.active_key() else { return vec![Due::First] };
        let is_next = |key: &&RingKey| {
            let idle = snapshot.state_of(key) == KeyState::Pending && !snapshot.is_being_activated(key, now);
            idle && !key.carried
        };
        let mut due = Vec::new();
        if let Some(every) = self.options.rotate_every {
            let (age, lead) = (now.saturating_sub(active.since), self.options.publish_lead);
            match snapshot.keys.iter().find(is_next) {
                Some(next) if age >= every && now >= next.since.saturating_add(lead) => {
                    due.push(Due::Activate { next: next.kid.clone(), after: active.kid.clone() });
                }
                None if age >= every.saturating_sub(lead) => due.push(Due::Publish),
                _ => {}
            }
        }
        let over = |key: &&RingKey| {
            let retiring = snapshot.state_of(key) == KeyState::Retiring;
            retiring && now >= key.since.saturating_add(self.options.overlap())
        };
        if snapshot.demoted(now) != snapshot.keys {
            due.push(Due::Demote);
        }
        due.extend(snapshot.keys.iter().filter(over).map(|key| Due::Retire(key.kid.clone())));
        due
    }

    async fn activate_after(&self, next: &Kid, after: Kid) -> Result<(), RingError> {
        let snapshot = self.store.load().await?;
        let key = snapshot.key(next).ok_or_else(|| RingError::UnknownKey(next.clone()))?;
        self.activate_key(key.clone(), Turn::After(after)).await
    }

    /// As [`KeyRing::publish`], once: when another instance was quicker its key is the next.
    async fn publish_next(&self) -> Result<(), RingError> {
        let before = self.store.load().await?;
        if before.keys.iter().any(|key| before.state_of(key) == KeyState::Pending) {
            return Ok(());
        }
        let key = self.make().await?;
        match self.store.save_keys(&before, &before.with(std::slice::from_ref(&key))).await {
            Ok(()) => {
                self.cache.changed().await;
                Ok(())
            }
            Err(fault) => {
                self.withdraw(&key.kid).await;
                Err(fault.into())
            }
        }
    }

    async fn destroy_strays(&self) -> Result<(), RingError> {
        let before = Time::from_seconds(self.now().saturating_sub(STRAY_AGE));
        let private = self.store.private_keys(before).await?;
        // The list is read after them: what is in it now is no stray.
        let snapshot = self.store.load().await?;
        for kid in private.iter().filter(|kid| snapshot.key(kid).is_none()) {
            tracing::warn!(%kid, "a private key that is in no list is destroyed");
            self.destroy(kid).await;
        }
        Ok(())
    }
}
