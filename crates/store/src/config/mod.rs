//! A configuration store: key-values with labels, their revisions, locks and snapshots, on
//! [`Records`] (contract 2.8). It does no I/O of its own and reads no clock.

mod cursor;
mod expire;
mod layout;
mod read;
mod snapshots;
mod write;

use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use arc_swap::ArcSwap;
use strongroom_crypto::random_u128;
use strongroom_wire::base64url;
use strongroom_wire::config::{KeyValueId, Problem, StoreName};
use tokio::sync::{Mutex, MutexGuard, OnceCell, RwLock};

use crate::records::{Batch, RecordKey, Records, RecordsError, Scan};

pub use expire::{ConfigTimer, due_timers, purge_timer};
pub use read::{ItemQuery, Page};

use layout::Layout;

/// A commit that keeps losing against other nodes is given up after so many tries.
const TRIES: usize = 64;

/// Locks that keep writers of one key-value in line.
const STRIPES: usize = 256;

/// Records read at once while a store is walked through.
const CHUNK: usize = 256;

/// What a store may hold, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Revisions are kept for so many seconds after the next one.
    pub history: i64,
    /// Bytes in revisions and snapshots together.
    pub bytes: u64,
}

/// What became of a batch.
#[must_use]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Commit {
    Done,
    /// Somebody else was faster; nothing was written.
    Conflict,
}

/// One configuration store.
pub struct ConfigStore<R> {
    records: R,
    layout: Layout,
    limits: ArcSwap<Limits>,
    cursor_key: [u8; 32],
    /// False once the store is destroyed. Held while something is written, so that nothing is
    /// written into the next store of that name.
    open: RwLock<bool>,
    /// The last revision of the records that is known here: what `Sync-Token` tells.
    seen: AtomicU64,
    /// Bytes in use; counted when it is first asked for.
    used: OnceCell<AtomicI64>,
    locks: Vec<Mutex<()>>,
    hasher: RandomState,
}

impl<R: Records> ConfigStore<R> {
    /// The store of that name, new or as it was left. `cursor_key` proves that a cursor is ours.
    pub fn new(records: R, name: StoreName, limits: Limits, cursor_key: [u8; 32]) -> Self {
        Self {
            records,
            layout: Layout::new(name),
            limits: ArcSwap::from_pointee(limits),
            cursor_key,
            open: RwLock::new(true),
            seen: AtomicU64::new(0),
            used: OnceCell::new(),
            locks: (0..STRIPES).map(|_| Mutex::new(())).collect(),
            hasher: RandomState::new(),
        }
    }

    /// Changes what it may hold.
    pub fn set_limits(&self, limits: Limits) {
        self.limits.store(Arc::new(limits));
    }

    /// A number that grows with every write. A read after an answer that told it sees that write.
    pub fn sequence(&self) -> u64 {
        self.seen.load(Ordering::Acquire)
    }

    /// Removes everything, in portions that are each durable. From then on nothing is written.
    ///
    /// # Errors
    /// Those of the store; what is left can be destroyed by another call.
    pub async fn destroy(&self) -> Result<(), Problem> {
        *self.open.write().await = false;
        loop {
            let found = self.records.scan(&Scan::prefix(self.layout.prefix(""), CHUNK)).await.map_err(unavailable)?;
            if found.is_empty() {
                return Ok(());
            }
            let mut batch = Batch::default();
            found.into_iter().for_each(|(key, _)| batch.delete(key));
            self.records.commit(batch).await.map_err(unavailable)?;
        }
    }

    /// Commits, unless the store is destroyed.
    async fn commit(&self, batch: Batch) -> Result<Commit, Problem> {
        let open = self.open.read().await;
        if !*open {
            return Err(Problem::NotFound);
        }
        match self.records.commit(batch).await {
            Ok(revision) => {
                self.seen.fetch_max(revision, Ordering::AcqRel);
                Ok(Commit::Done)
            }
            Err(RecordsError::Conflict) => Ok(Commit::Conflict),
            Err(fault) => Err(unavailable(fault)),
        }
    }

    /// Keeps writers of one key-value in line, so that they do not lose to each other in the commit.
    async fn lock(&self, id: &KeyValueId) -> Option<MutexGuard<'_, ()>> {
        let stripe = usize::try_from(self.hasher.hash_one(id) % 256).unwrap_or_default();
        match self.locks.get(stripe) {
            Some(lock) => Some(lock.lock().await),
            None => None,
        }
    }

    /// Refuses what the store has no room for.
    async fn require_room(&self, bytes: usize) -> Result<(), Problem> {
        let limit = self.limits.load().bytes;
        let used = self.used().await?.load(Ordering::Relaxed);
        let after = u64::try_from(used).unwrap_or_default().saturating_add(u64::try_from(bytes).unwrap_or(u64::MAX));
        if after <= limit {
            return Ok(());
        }
        Err(Problem::Quota(format!(
            "The store holds {used} of {limit} bytes, revisions and snapshots included: wait until old revisions \
             expire, let snapshots go, or give it a larger tier."
        )))
    }

    async fn account(&self, bytes: i64) {
        if let Ok(used) = self.used().await {
            used.fetch_add(bytes, Ordering::Relaxed);
        }
    }

    async fn used(&self) -> Result<&AtomicI64, Problem> {
        self.used
            .get_or_try_init(|| async {
                let mut sum = 0_i64;
                for part in [layout::REVISIONS, layout::CONTENTS] {
                    let mut after = None;
                    loop {
                        let scan = Scan { after, ..Scan::prefix(self.layout.prefix(part), CHUNK) };
                        let found = self.records.scan(&scan).await.map_err(unavailable)?;
                        sum = found.iter().fold(sum, |sum, (_, record)| sum.saturating_add(length(&record.value)));
                        after = match found.last() {
                            Some((last, _)) if found.len() == CHUNK => Some(last.clone()),
                            _ => break,
                        };
                    }
                }
                Ok(AtomicI64::new(sum))
            })
            .await
    }
}

/// What a write says that always lost against others.
fn contended() -> Problem {
    unavailable(RecordsError::Conflict)
}

fn length(bytes: &[u8]) -> i64 {
    i64::try_from(bytes.len()).unwrap_or(i64::MAX)
}

/// A new etag: 16 random bytes, base64url.
fn new_etag() -> Result<String, Problem> {
    let random = random_u128().map_err(|fault| internal("no randomness", &fault))?;
    Ok(base64url::encode(&random.to_be_bytes()))
}

fn unavailable(fault: RecordsError) -> Problem {
    tracing::error!(%fault, "the store did not answer");
    Problem::Unavailable(match fault {
        RecordsError::Conflict => "The key-value is being changed by others; try again.",
        RecordsError::Full => "The server's store is full; nothing was written.",
        RecordsError::Corrupt(_) | RecordsError::Sealed(_) => return Problem::Internal,
        _ => "The server's store is not available; try again.",
    })
}

fn internal(what: &str, fault: &dyn std::fmt::Display) -> Problem {
    tracing::error!(%fault, "{what}");
    Problem::Internal
}

fn damaged(key: &RecordKey) -> Problem {
    tracing::error!(record = ?key, "a record of a configuration store cannot be read");
    Problem::Internal
}
