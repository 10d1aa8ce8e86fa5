//! What is known of secrets, by their names in the vault.

use std::hash::{BuildHasher as _, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::{Mutex, MutexGuard};

use super::SecretValue;

/// Locks that keep questions for one name in line.
const STRIPES: usize = 64;

/// What is known of a name.
#[derive(Clone)]
pub(super) struct Known {
    /// `None`: there is no such secret.
    pub(super) value: Option<SecretValue>,
    /// When, unix seconds.
    pub(super) fetched: i64,
}

pub(super) struct Cache {
    known: quick_cache::sync::Cache<String, Known>,
    forgotten: AtomicU64,
    locks: Vec<Mutex<()>>,
    hasher: RandomState,
}

impl Cache {
    pub(super) fn new(capacity: usize) -> Self {
        Self {
            known: quick_cache::sync::Cache::new(capacity),
            forgotten: AtomicU64::new(0),
            locks: (0..STRIPES).map(|_| Mutex::new(())).collect(),
            hasher: RandomState::new(),
        }
    }

    pub(super) fn get(&self, name: &str) -> Option<Known> {
        self.known.get(name)
    }

    /// Counts what was forgotten.
    pub(super) fn epoch(&self) -> u64 {
        self.forgotten.load(Ordering::Acquire)
    }

    /// Keeps what was asked for at `epoch`, unless something was forgotten since: the answer may be of
    /// before.
    pub(super) fn keep(&self, name: &str, known: Known, epoch: u64) {
        if self.epoch() == epoch {
            self.known.insert(name.to_owned(), known);
        }
    }

    pub(super) fn forget(&self, name: &str) {
        self.forgotten.fetch_add(1, Ordering::AcqRel);
        self.known.remove(name);
    }

    pub(super) fn clear(&self) {
        self.forgotten.fetch_add(1, Ordering::AcqRel);
        self.known.clear();
    }

    /// Held by who asks the vault for a name.
    pub(super) async fn in_line(&self, name: &str) -> Option<MutexGuard<'_, ()>> {
        let stripe = usize::try_from(self.hasher.hash_one(name)).unwrap_or(usize::MAX) % STRIPES;
        match self.locks.get(stripe) {
            Some(lock) => Some(lock.lock().await),
            None => None,
        }
    }
}
