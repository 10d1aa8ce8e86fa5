//! Rotation: new root keys and new data keys, while everybody goes on reading and writing.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, PoisonError};

use strongroom_crypto::AeadKey;

use super::keyring::{self, Ring};
use super::seal::{RootKey, SealError, SealKey, Wrapping};
use super::{KEYS_SPACE, PAGE, Sealed, root_key, value};
use crate::records::{Batch, Expected, Record, RecordKey, Records, RecordsError, Scan};

/// What a rotation of data keys did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Rotated {
    /// Spaces that were rotated.
    pub spaces: u64,
    /// Values that were sealed again.
    pub records: u64,
}

impl<R: Records> Sealed<R> {
    /// Makes a new root key and wraps all data keys with it, in one commit. With `new_key`, that
    /// opens the store from now on, and the old passphrase or key file no longer does; without,
    /// the present one stays.
    ///
    /// # Errors
    /// Those of the records. Nothing has changed then.
    pub async fn rotate_root(&self, new_key: Option<&SealKey>) -> Result<(), SealError> {
        let _one_at_a_time = self.rotation.lock().await;
        let new_wrapping = match new_key {
            Some(key) => Some(Wrapping::fresh(key).await?),
            None => None,
        };
        let fresh = RootKey::fresh()?;
        // No data key is made or read from here on; those in memory go on serving.
        let mut root = self.root.write().await;
        let wrapping = new_wrapping.as_ref().unwrap_or(&root.wrapping);
        let mut batch = Batch::default();
        batch.expect(root_key(), Expected::Revision(root.revision));
        batch.put(root_key(), wrapping.wrap(&fresh, root.created)?);
        for (at, record) in self.data_key_records().await? {
            let data_key = keyring::unwrap(&root.key, &at, &record)?;
            batch.expect(at.clone(), Expected::Revision(record.revision));
            batch.put(at.clone(), keyring::wrap(&fresh, &at, &data_key.key)?);
        }
        root.revision = self.records.commit(batch).await?;
        root.key = fresh;
        if let Some(wrapping) = new_wrapping {
            root.wrapping = wrapping;
        }
        // Their revisions are no longer right, though their keys are.
        *self.rings.write().unwrap_or_else(PoisonError::into_inner) = HashMap::new();
        Ok(())
    }

    /// Makes a new data key for a space, or for all, seals every value again under it, and removes
    /// the old key. New writes use the new key from the beginning. When it is broken off,
    /// [`Sealed::resume_rotation`] ends it.
    ///
    /// # Errors
    /// Those of the records, [`RecordsError::Corrupt`] among them when a value cannot be opened:
    /// then the old key stays.
    pub async fn rotate_data_keys(&self, space: Option<&str>) -> Result<Rotated, SealError> {
        let _one_at_a_time = self.rotation.lock().await;
        let mut spaces = self.generations().await?;
        spaces.retain(|found, _| space.is_none_or(|space| space == found));
        let mut rotated = Rotated::default();
        for space in spaces.into_keys() {
            self.begin(&space).await?;
            rotated.records = rotated.records.saturating_add(self.drain(&space).await?);
            rotated.spaces = rotated.spaces.saturating_add(1);
        }
        Ok(rotated)
    }

    /// Ends rotations of data keys that a crash broke off; when there are none, it only looks.
    /// Reading and writing need not wait for it.
    ///
    /// # Errors
    /// As for [`Sealed::rotate_data_keys`].
    pub async fn resume_rotation(&self) -> Result<Rotated, SealError> {
        let _one_at_a_time = self.rotation.lock().await;
        let mut rotated = Rotated::default();
        for (space, generations) in self.generations().await? {
            if generations > 1 {
                rotated.records = rotated.records.saturating_add(self.drain(&space).await?);
                rotated.spaces = rotated.spaces.saturating_add(1);
            }
        }
        Ok(rotated)
    }

    /// Makes the next data key of a space. In the same commit the record of the present one is
    /// written again: its new revision stops everybody who would still seal under it.
    async fn begin(&self, space: &str) -> Result<(), SealError> {
        let root = self.root.read().await;
        loop {
            let Some(ring) = self.load_ring_under(&root, space).await? else { return Ok(()) };
            let current = ring.current();
            let Some(next) = current.generation.checked_add(1) else {
                return Err(SealError::Damaged(String::from("the generations are used up")));
            };
            let key = AeadKey::generate().map_err(|fault| SealError::Crypto(fault.to_string()))?;
            let (old, new) = (keyring::record_key(space, current.generation), keyring::record_key(space, next));
            let mut batch = Batch::default();
            batch.expect(root_key(), Expected::Revision(root.revision));
            batch.expect(old.clone(), Expected::Revision(current.revision));
            batch.expect(new.clone(), Expected::Absent);
            batch.put(old.clone(), keyring::wrap(&root.key, &old, &current.key)?);
            batch.put(new.clone(), keyring::wrap(&root.key, &new, &key)?);
            match self.records.commit(batch).await {
                Ok(_) => {
                    self.load_ring_under(&root, space).await?;
                    return Ok(());
                }
                Err(RecordsError::Conflict) => root.check_current(&self.records).await?,
                Err(fault) => return Err(fault.into()),
            }
        }
    }

    /// Seals all values of a space under its current data key, and removes the older ones when a
    /// whole pass has found nothing under them.
    async fn drain(&self, space: &str) -> Result<u64, SealError> {
        let mut total = 0_u64;
        loop {
            match self.pass(space).await? {
                0 => break,
                sealed => total = total.saturating_add(sealed),
            }
        }
        let root = self.root.read().await;
        while let Some(ring) = self.load_ring_under(&root, space).await? {
            let mut batch = Batch::default();
            for older in ring.older() {
                let at = keyring::record_key(space, older.generation);
                batch.expect(at.clone(), Expected::Revision(older.revision));
                batch.delete(at);
            }
            if batch.write.is_empty() {
                break;
            }
            match self.records.commit(batch).await {
                Ok(_) | Err(RecordsError::Conflict) => {}
                Err(fault) => return Err(fault.into()),
            }
        }
        Ok(total)
    }

    /// Goes through a space once; returns how many values were sealed again.
    async fn pass(&self, space: &str) -> Result<u64, RecordsError> {
        let mut sealed = 0_u64;
        // A key without a slash is a space by itself.
        let alone = RecordKey::new(space);
        if let Some(record) = self.records.read(&alone).await? {
            sealed = sealed.saturating_add(self.seal_again(space, vec![(alone, record)]).await?);
        }
        let mut after = None;
        loop {
            let scan = Scan { prefix: format!("{space}/"), after: after.take(), before: None, limit: PAGE };
            let page = self.records.scan(&scan).await?;
            let Some((last, _)) = page.last() else { return Ok(sealed) };
            after = Some(last.clone());
            sealed = sealed.saturating_add(self.seal_again(space, page).await?);
        }
    }

    /// Seals those of a few values again that are under an older key, in one commit. A value that
    /// was written meanwhile is under the current key by then, so each conflict leaves less to do.
    async fn seal_again(&self, space: &str, mut page: Vec<(RecordKey, Record)>) -> Result<u64, RecordsError> {
        loop {
            let Some(ring) = self.load_ring(space).await? else {
                return Err(RecordsError::Corrupt(format!("the space {space:?} has lost its data keys")));
            };
            let (batch, count) = again(&ring, space, &page)?;
            if count == 0 {
                return Ok(0);
            }
            match self.records.commit(batch).await {
                Ok(_) => return Ok(count),
                Err(RecordsError::Conflict) => {}
                Err(fault) => return Err(fault),
            }
            let mut now = Vec::with_capacity(page.len());
            for (key, _) in page {
                if let Some(record) = self.records.read(&key).await? {
                    now.push((key, record));
                }
            }
            page = now;
        }
    }

    /// All spaces that have data keys, and how many each.
    async fn generations(&self) -> Result<BTreeMap<String, u64>, RecordsError> {
        let mut spaces = BTreeMap::new();
        for (at, _) in self.data_key_records().await? {
            let space = keyring::space_of(&at).ok_or_else(|| value::damaged(&at))?;
            let count: &mut u64 = spaces.entry(space.to_owned()).or_default();
            *count = count.saturating_add(1);
        }
        Ok(spaces)
    }

    async fn data_key_records(&self) -> Result<Vec<(RecordKey, Record)>, RecordsError> {
        self.records.scan(&Scan::prefix(format!("{KEYS_SPACE}/"), usize::MAX)).await
    }
}

/// The batch that seals again what is under an older key, and how many values that are.
fn again(ring: &Arc<Ring>, space: &str, page: &[(RecordKey, Record)]) -> Result<(Batch, u64), RecordsError> {
    let current = ring.current();
    let mut batch = Batch::default();
    let mut count = 0_u64;
    batch.expect(keyring::record_key(space, current.generation), Expected::Revision(current.revision));
    for (key, record) in page {
        let generation = value::generation(key, &record.value)?;
        if generation == current.generation {
            continue;
        }
        let old = ring.generation(generation).ok_or_else(|| value::damaged(key))?;
        let plain = value::open(&old.key, key, &record.value)?;
        batch.expect(key.clone(), Expected::Revision(record.revision));
        batch.put(key.clone(), value::seal(&current.key, key, current.generation, &plain)?);
        count = count.saturating_add(1);
    }
    Ok((batch, count))
}
