//! Records that were read lately, as they lie in the file: sealed. Only one process has the file,
//! so what the writer has changed is all that can be out of date.

use std::hash::{BuildHasher as _, RandomState};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use quick_cache::Weighter;
use quick_cache::sync::Cache as Memory;
use strongroom_store::records::{Batch, Record, RecordKey};

/// Locks that keep a read that is under way from putting back what a commit has changed.
const STRIPES: usize = 64;

/// What an entry takes beside key and value, about.
const AROUND: usize = 160;

/// What a record takes in all, about.
const TYPICAL: u64 = 512;

/// An entry weighs what it takes.
#[derive(Clone)]
struct Bytes;

impl Weighter<RecordKey, Arc<Record>> for Bytes {
    fn weight(&self, key: &RecordKey, record: &Arc<Record>) -> u64 {
        let bytes = key.as_str().len().saturating_add(record.value.len()).saturating_add(AROUND);
        u64::try_from(bytes).unwrap_or(u64::MAX)
    }
}

/// The cache of one store.
pub(super) struct Cache {
    records: Memory<RecordKey, Arc<Record>, Bytes>,
    /// How often something was changed, by hash of the key.
    changes: Vec<Mutex<u64>>,
    hasher: RandomState,
}

/// The changes of a key's stripe when a read began.
pub(super) struct Reading(u64);

impl Cache {
    /// Of at most so many bytes.
    pub(super) fn new(bytes: u64) -> Self {
        let records = usize::try_from(bytes / TYPICAL).unwrap_or(usize::MAX);
        Self {
            records: Memory::with_weighter(records, bytes, Bytes),
            changes: (0..STRIPES).map(|_| Mutex::new(0)).collect(),
            hasher: RandomState::new(),
        }
    }

    pub(super) fn get(&self, key: &RecordKey) -> Option<Arc<Record>> {
        self.records.get(key)
    }

    /// Before a record is read from the file.
    pub(super) fn begin(&self, key: &RecordKey) -> Reading {
        Reading(self.stripe(key).map_or(0, |changes| *changes))
    }

    /// Keeps what was read, unless something was changed meanwhile.
    pub(super) fn keep(&self, key: RecordKey, record: &Record, Reading(seen): Reading) {
        let Some(changes) = self.stripe(&key) else { return };
        if *changes == seen {
            self.records.insert(key, Arc::new(record.clone()));
        }
    }

    /// Forgets what a batch has changed: after it is durable, before its caller is told.
    pub(super) fn forget(&self, batch: &Batch) {
        for (key, _) in &batch.write {
            if let Some(mut changes) = self.stripe(key) {
                *changes = changes.wrapping_add(1);
                self.records.remove(key);
            }
        }
    }

    fn stripe(&self, key: &RecordKey) -> Option<MutexGuard<'_, u64>> {
        let hash = usize::try_from(self.hasher.hash_one(key)).unwrap_or(usize::MAX) % STRIPES;
        self.changes.get(hash).map(|stripe| stripe.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(revision: u64) -> Record {
        Record { value: vec![7; 100].into(), revision }
    }

    #[test]
    fn a_read_that_a_commit_overtook_is_not_kept() {
        let cache = Cache::new(1 << 20);
        let key = RecordKey::new("dev/a");
        let slow = cache.begin(&key);
        let mut batch = Batch::default();
        batch.put(key.clone(), vec![1]);
        cache.forget(&batch);
        cache.keep(key.clone(), &record(1), slow);
        assert_eq!(cache.get(&key), None);
        let reading = cache.begin(&key);
        cache.keep(key.clone(), &record(2), reading);
        assert_eq!(cache.get(&key).as_deref(), Some(&record(2)));
        cache.forget(&batch);
        assert_eq!(cache.get(&key), None);
    }

    #[test]
    fn it_stays_within_its_bounds() {
        let cache = Cache::new(100_000);
        for number in 0..10_000 {
            let key = RecordKey::new(format!("dev/{number}"));
            let reading = cache.begin(&key);
            cache.keep(key, &record(number), reading);
        }
        assert!(cache.records.weight() <= 100_000);
        assert!(cache.records.len() > 100);
    }
}
