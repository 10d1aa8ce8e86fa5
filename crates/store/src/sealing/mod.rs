//! [`Sealed`]: records over records, every value encrypted and authenticated.
//!
//! Each space has data keys, numbered by generation and made at its first write; the root key wraps
//! them; a seal (a passphrase, a key file) gives the key that wraps the root key.
//!
//! | inner key | value |
//! |---|---|
//! | `$seal/root` | JSON: which seal, its parameters, the wrapped root key |
//! | `$keys/{space}/{generation, 8 hex digits}` | version 1, id of the root key (8), wrapped data key |
//! | any other | version 1, generation (4, big-endian), nonce, ciphertext, tag |
//!
//! The associated data of a value are its key and its generation, so that no value can stand under
//! another key. What sealing does not hide: keys, sizes, and when what changed. What it cannot see:
//! that the whole store, or one record, was put back as it was earlier.
//!
//! **A commit expects the data key that it seals under to be unchanged.** Starting a rotation
//! changes the record of the old data key, so from then on nothing can be written under it, in
//! this process or another; the commit that was overtaken seals again under the new one. One pass
//! over the space then finds everything that is left, and the old key can go.
//!
//! Revisions are those of the inner records. Re-sealing a value changes its revision, so that a
//! caller's expectation may fail although the value is the same: a `Conflict` like any other.

mod keyring;
mod rotate;
mod seal;
mod value;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use async_trait::async_trait;

use crate::records::{Batch, Expected, Newer, Record, RecordKey, Records, RecordsError, Scan, Write};
use keyring::Ring;
pub use rotate::Rotated;
use seal::{ROOT, Root};
pub use seal::{SealError, SealKey, initialise};

/// How often a commit is sealed again, when the keys change under it.
const ATTEMPTS: usize = 16;
/// How many records are looked at in one step of going through all.
const PAGE: usize = 64;
const SEAL_SPACE: &str = "$seal";
const KEYS_SPACE: &str = "$keys";

/// Records whose values are sealed. Keys are in memory while it lives and are wiped with it.
pub struct Sealed<R> {
    records: R,
    /// Held for reading while a data key is made or unwrapped, for writing while the root changes.
    root: tokio::sync::RwLock<Root>,
    /// The data keys of the spaces that were used, by space. May be behind; never needed newer
    /// than it is, since a commit under an old key conflicts and an unknown key is looked up.
    rings: RwLock<HashMap<String, Arc<Ring>>>,
    /// One rotation at a time.
    rotation: tokio::sync::Mutex<()>,
}

impl<R: Records> Sealed<R> {
    /// Opens a store that [`initialise`] sealed.
    ///
    /// # Errors
    /// [`SealError::NotInitialised`], [`SealError::WrongKey`], [`SealError::OtherSeal`],
    /// [`SealError::Damaged`], and those of the records.
    pub async fn unseal(records: R, key: &SealKey) -> Result<Self, SealError> {
        let root = Root::open(&records, key).await?;
        Ok(Self {
            records,
            root: tokio::sync::RwLock::new(root),
            rings: RwLock::new(HashMap::new()),
            rotation: tokio::sync::Mutex::new(()),
        })
    }

    /// The records underneath: ciphertext.
    pub const fn inner(&self) -> &R {
        &self.records
    }

    /// Reads and opens every record, and every data key; returns how many records there are.
    ///
    /// # Errors
    /// The first damage that is found.
    pub async fn verify(&self) -> Result<u64, RecordsError> {
        let mut count = 0_u64;
        let mut after = None;
        loop {
            let page = Scan { prefix: String::new(), after: after.take(), before: None, limit: PAGE };
            let page = self.records.scan(&page).await?;
            let Some((last, _)) = page.last() else { break };
            after = Some(last.clone());
            let mut seen = BTreeSet::new();
            for (key, record) in &page {
                if key.space() == KEYS_SPACE {
                    let space = keyring::space_of(key).ok_or_else(|| value::damaged(key))?;
                    if seen.insert(space) {
                        self.load_ring(space).await?;
                    }
                } else if !is_reserved(key) {
                    // It may have been sealed again, or be gone, since the page was read.
                    if self.open(key, record).await?.is_none() {
                        self.read(key).await?;
                    }
                    count = count.saturating_add(1);
                }
            }
        }
        Ok(count)
    }

    /// Opens a value; `None` when its data key is not there (any more).
    async fn open(&self, key: &RecordKey, record: &Record) -> Result<Option<Record>, RecordsError> {
        let generation = value::generation(key, &record.value)?;
        let ring = match self.cached_ring(key.space()) {
            Some(ring) if ring.generation(generation).is_some() => ring,
            Some(_) | None => match self.load_ring(key.space()).await? {
                Some(ring) => ring,
                None => return Ok(None),
            },
        };
        let Some(data_key) = ring.generation(generation) else { return Ok(None) };
        let value = value::open(&data_key.key, key, &record.value)?;
        Ok(Some(Record { value, revision: record.revision }))
    }

    /// Opens all that was read, or `None` when a data key is not there (any more).
    async fn open_all(&self, found: &[(RecordKey, Record)]) -> Result<Option<Vec<(RecordKey, Record)>>, RecordsError> {
        let mut opened = Vec::with_capacity(found.len());
        for (key, record) in found {
            let Some(record) = self.open(key, record).await? else { return Ok(None) };
            opened.push((key.clone(), record));
        }
        Ok(Some(opened))
    }

    /// Seals a batch under the current data keys of its spaces, and makes it expect them.
    fn seal(rings: &BTreeMap<String, Arc<Ring>>, batch: &Batch) -> Result<Batch, RecordsError> {
        let mut sealed = Batch { expect: batch.expect.clone(), write: Vec::with_capacity(batch.write.len()) };
        for (space, ring) in rings {
            let current = ring.current();
            sealed.expect(keyring::record_key(space, current.generation), Expected::Revision(current.revision));
        }
        for (key, write) in &batch.write {
            match write {
                Write::Delete => sealed.delete(key.clone()),
                Write::Put(plain) => {
                    let Some(ring) = rings.get(key.space()) else { return Err(value::damaged(key)) };
                    let current = ring.current();
                    sealed.put(key.clone(), value::seal(&current.key, key, current.generation, plain)?);
                }
            }
        }
        Ok(sealed)
    }

    fn cached_ring(&self, space: &str) -> Option<Arc<Ring>> {
        self.rings.read().unwrap_or_else(PoisonError::into_inner).get(space).map(Arc::clone)
    }

    fn remember_ring(&self, space: &str, ring: Option<&Arc<Ring>>) {
        let mut rings = self.rings.write().unwrap_or_else(PoisonError::into_inner);
        match ring {
            Some(ring) => drop(rings.insert(space.to_owned(), Arc::clone(ring))),
            None => drop(rings.remove(space)),
        }
    }
}

#[async_trait]
impl<R: Records> Records for Sealed<R> {
    async fn read(&self, key: &RecordKey) -> Result<Option<Record>, RecordsError> {
        Ok(match self.read_newer(key, None).await? {
            Newer::Changed(record) => Some(record),
            Newer::Same | Newer::Absent => None,
        })
    }

    async fn read_newer(&self, key: &RecordKey, known: Option<u64>) -> Result<Newer, RecordsError> {
        refuse_reserved(key)?;
        let mut unopened = None;
        loop {
            let record = match self.records.read_newer(key, known).await? {
                Newer::Changed(record) => record,
                same_or_absent => return Ok(same_or_absent),
            };
            if let Some(opened) = self.open(key, &record).await? {
                return Ok(Newer::Changed(opened));
            }
            // A rotation may have sealed it again, and removed its old key, since it was read.
            if unopened.replace(record.revision) == Some(record.revision) {
                return Err(value::damaged(key));
            }
        }
    }

    async fn scan(&self, scan: &Scan) -> Result<Vec<(RecordKey, Record)>, RecordsError> {
        let prefix = RecordKey::new(scan.prefix.as_str());
        if scan.prefix.contains('/') {
            refuse_reserved(&prefix)?;
        }
        let touches_reserved = [SEAL_SPACE, KEYS_SPACE].iter().any(|space| space.starts_with(&scan.prefix));
        let mut reserved = if touches_reserved { PAGE } else { 0 };
        for _ in 0..ATTEMPTS {
            let limit = scan.limit.saturating_add(reserved);
            let mut found = self.records.scan(&Scan { limit, ..scan.clone() }).await?;
            let full = found.len() == limit;
            found.retain(|(key, _)| !is_reserved(key));
            if full && found.len() < scan.limit {
                // Our own records took the places of the caller's. Again, with more room, so that
                // the result is still of one moment.
                reserved = reserved.saturating_mul(8);
                continue;
            }
            found.truncate(scan.limit);
            if let Some(opened) = self.open_all(&found).await? {
                return Ok(opened);
            }
        }
        Err(RecordsError::Corrupt(format!("records of the space {:?} have no data key", prefix.space())))
    }

    async fn commit(&self, batch: Batch) -> Result<u64, RecordsError> {
        for key in batch.expect.iter().map(|(key, _)| key).chain(batch.write.iter().map(|(key, _)| key)) {
            refuse_reserved(key)?;
        }
        let puts = batch.write.iter().filter(|(_, write)| matches!(write, Write::Put(_)));
        let spaces: BTreeSet<&str> = puts.map(|(key, _)| key.space()).collect();
        let mut rings = BTreeMap::new();
        for space in spaces {
            let ring = match self.cached_ring(space) {
                Some(ring) => ring,
                None => self.load_or_make_ring(space).await?,
            };
            rings.insert(space.to_owned(), ring);
        }
        for _ in 0..ATTEMPTS {
            match self.records.commit(Self::seal(&rings, &batch)?).await {
                Err(RecordsError::Conflict) => {}
                other => return other,
            }
            // Was it the caller's expectation, or ours that the data keys are as we know them?
            let mut changed = false;
            for (space, ring) in &mut rings {
                let now = self.load_or_make_ring(space).await?;
                changed |= !now.same_current(ring);
                *ring = now;
            }
            if !changed {
                return Err(RecordsError::Conflict);
            }
        }
        Err(RecordsError::Conflict)
    }
}

impl<R> fmt::Debug for Sealed<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sealed(..)")
    }
}

fn is_reserved(key: &RecordKey) -> bool {
    matches!(key.space(), SEAL_SPACE | KEYS_SPACE)
}

fn refuse_reserved(key: &RecordKey) -> Result<(), RecordsError> {
    if is_reserved(key) {
        return Err(RecordsError::Unavailable(format!("the space {} belongs to the seal", key.space())));
    }
    Ok(())
}

fn root_key() -> RecordKey {
    RecordKey::new(ROOT)
}
