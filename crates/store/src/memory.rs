//! [`MemoryRecords`]: records that are gone with the process. For tests and throw-away vaults.

use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::ops::Bound;
use std::sync::{PoisonError, RwLock};

use async_trait::async_trait;

use crate::records::{Batch, Expected, Record, RecordKey, Records, RecordsError, Scan, Write};

/// Records in memory, ordered, behind a lock that is never held for long.
#[derive(Default)]
pub struct MemoryRecords {
    state: RwLock<State>,
}

#[derive(Default)]
struct State {
    /// The last revision that was given out.
    revision: u64,
    records: BTreeMap<RecordKey, Record>,
}

impl MemoryRecords {
    /// An empty store.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn with<T>(&self, look: impl FnOnce(&State) -> T) -> T {
        // Nothing panics while the lock is held, so a poisoned lock is sound too.
        look(&self.state.read().unwrap_or_else(PoisonError::into_inner))
    }
}

impl fmt::Debug for MemoryRecords {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.with(|state| write!(f, "MemoryRecords({} records, revision {})", state.records.len(), state.revision))
    }
}

#[async_trait]
impl Records for MemoryRecords {
    async fn read(&self, key: &RecordKey) -> Result<Option<Record>, RecordsError> {
        Ok(self.with(|state| state.records.get(key).cloned()))
    }

    async fn scan(&self, scan: &Scan) -> Result<Vec<(RecordKey, Record)>, RecordsError> {
        let prefix = RecordKey::new(scan.prefix.as_str());
        let from = match &scan.after {
            Some(after) if *after >= prefix => Bound::Excluded(after.clone()),
            Some(_) | None => Bound::Included(prefix),
        };
        Ok(self.with(|state| {
            state
                .records
                .range((from, Bound::Unbounded))
                .take_while(|(key, _)| key.as_str().starts_with(&scan.prefix))
                .take_while(|(key, _)| scan.before.as_ref().is_none_or(|before| *key < before))
                .take(scan.limit)
                .map(|(key, record)| (key.clone(), record.clone()))
                .collect()
        }))
    }

    async fn commit(&self, batch: Batch) -> Result<u64, RecordsError> {
        let mut seen = HashSet::new();
        if !batch.write.iter().all(|(key, _)| seen.insert(key)) {
            return Err(RecordsError::Unavailable(String::from("a batch writes the same record twice")));
        }
        drop(seen);
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        for (key, expected) in &batch.expect {
            let revision = state.records.get(key).map(|record| record.revision);
            let holds = match expected {
                Expected::Absent => revision.is_none(),
                Expected::Revision(expected) => revision == Some(*expected),
            };
            if !holds {
                return Err(RecordsError::Conflict);
            }
        }
        let Some(revision) = state.revision.checked_add(1) else {
            return Err(RecordsError::Unavailable(String::from("the revisions are used up")));
        };
        state.revision = revision;
        for (key, write) in batch.write {
            match write {
                Write::Put(value) => drop(state.records.insert(key, Record { value, revision })),
                Write::Delete => drop(state.records.remove(&key)),
            }
        }
        Ok(revision)
    }
}
