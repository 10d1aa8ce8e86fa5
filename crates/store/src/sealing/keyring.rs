//! The data keys of a space: read, unwrapped, made.

use std::collections::BTreeMap;
use std::sync::Arc;

use strongroom_crypto::AeadKey;

use super::seal::{Root, RootKey};
use super::value::VERSION;
use super::{KEYS_SPACE, Sealed, root_key};
use crate::records::{Batch, Expected, Record, RecordKey, Records, RecordsError, Scan};

/// So many generations of one space, at most, are read: there are two while one is being rotated.
const GENERATIONS: usize = 1000;
const ROOT_ID: usize = 8;

/// The data keys of a space, as of one moment.
pub(super) struct Ring {
    /// The one to seal under.
    current: DataKey,
    /// All others, by generation.
    older: BTreeMap<u32, DataKey>,
}

/// A data key, and the revision of its record.
pub(super) struct DataKey {
    pub(super) generation: u32,
    pub(super) key: AeadKey,
    pub(super) revision: u64,
}

impl Ring {
    pub(super) const fn current(&self) -> &DataKey {
        &self.current
    }

    pub(super) fn older(&self) -> impl Iterator<Item = &DataKey> {
        self.older.values()
    }

    pub(super) fn generation(&self, generation: u32) -> Option<&DataKey> {
        if self.current.generation == generation { Some(&self.current) } else { self.older.get(&generation) }
    }

    pub(super) const fn same_current(&self, other: &Self) -> bool {
        self.current.generation == other.current.generation && self.current.revision == other.current.revision
    }
}

/// Where a data key lies.
pub(super) fn record_key(space: &str, generation: u32) -> RecordKey {
    RecordKey::new(format!("{KEYS_SPACE}/{space}/{generation:08x}"))
}

/// The space that a data key's record is for.
pub(super) fn space_of(key: &RecordKey) -> Option<&str> {
    parse_key(key).map(|(space, _)| space)
}

fn parse_key(key: &RecordKey) -> Option<(&str, u32)> {
    let (space, generation) = key.as_str().strip_prefix(KEYS_SPACE)?.strip_prefix('/')?.split_once('/')?;
    let parsed = u32::from_str_radix(generation, 16).ok()?;
    (format!("{parsed:08x}") == generation).then_some((space, parsed))
}

/// Wraps a data key for its record.
pub(super) fn wrap(root: &RootKey, at: &RecordKey, data_key: &AeadKey) -> Result<Vec<u8>, RecordsError> {
    let wrapped = root
        .key
        .seal(&associated_data(at), data_key.expose())
        .map_err(|fault| RecordsError::Unavailable(format!("a data key cannot be wrapped: {fault}")))?;
    Ok([&[VERSION], root.id.as_slice(), &wrapped].concat())
}

/// Unwraps the data key of a record.
pub(super) fn unwrap(root: &RootKey, at: &RecordKey, record: &Record) -> Result<DataKey, RecordsError> {
    let damaged = || {
        let space = space_of(at).unwrap_or_default();
        RecordsError::Corrupt(format!("a data key of the space {space:?} is not what was written"))
    };
    let (_, generation) = parse_key(at).ok_or_else(damaged)?;
    let (version, rest) = record.value.split_first().ok_or_else(damaged)?;
    let (root_id, wrapped) = rest.split_first_chunk::<ROOT_ID>().ok_or_else(damaged)?;
    if *version != VERSION || *root_id != root.id {
        return Err(damaged());
    }
    let opened = root.key.open(&associated_data(at), wrapped).map_err(|_forged| damaged())?;
    let bytes = <&[u8; 32]>::try_from(opened.expose().as_slice()).map_err(|_length| damaged())?;
    let key = AeadKey::from_bytes(bytes).map_err(|_unusable| damaged())?;
    Ok(DataKey { generation, key, revision: record.revision })
}

fn associated_data(at: &RecordKey) -> Vec<u8> {
    [b"strongroom.datakey.v1\0", at.as_str().as_bytes()].concat()
}

impl<R: Records> Sealed<R> {
    /// The data keys of a space as they are now, or `None` when it has none yet.
    pub(super) async fn load_ring(&self, space: &str) -> Result<Option<Arc<Ring>>, RecordsError> {
        let root = self.root.read().await;
        self.load_ring_under(&root, space).await
    }

    /// As [`Self::load_ring`], and makes the first data key when there is none.
    pub(super) async fn load_or_make_ring(&self, space: &str) -> Result<Arc<Ring>, RecordsError> {
        let root = self.root.read().await;
        loop {
            if let Some(ring) = self.load_ring_under(&root, space).await? {
                return Ok(ring);
            }
            if self.holds_records(space).await? {
                // Made by somebody else just now, or lost; then a new one would hide the loss.
                return self
                    .load_ring_under(&root, space)
                    .await?
                    .ok_or_else(|| RecordsError::Corrupt(format!("the space {space:?} has lost its data keys")));
            }
            let first = record_key(space, 1);
            let key = AeadKey::generate()
                .map_err(|fault| RecordsError::Unavailable(format!("a data key cannot be made: {fault}")))?;
            let mut batch = Batch::default();
            batch.expect(first.clone(), Expected::Absent);
            batch.expect(root_key(), Expected::Revision(root.revision));
            batch.put(first.clone(), wrap(&root.key, &first, &key)?);
            match self.records.commit(batch).await {
                Ok(_) => {}
                // Somebody else was faster, unless the root key is no longer ours.
                Err(RecordsError::Conflict) => root.check_current(&self.records).await?,
                Err(fault) => return Err(fault),
            }
        }
    }

    async fn holds_records(&self, space: &str) -> Result<bool, RecordsError> {
        let under = Scan::prefix(format!("{space}/"), 1);
        Ok(!self.records.scan(&under).await?.is_empty() || self.records.read(&RecordKey::new(space)).await?.is_some())
    }

    /// Reads the data keys of a space. The caller holds the root key, so that it is theirs.
    pub(super) async fn load_ring_under(&self, root: &Root, space: &str) -> Result<Option<Arc<Ring>>, RecordsError> {
        let found = self.records.scan(&Scan::prefix(format!("{KEYS_SPACE}/{space}/"), GENERATIONS)).await?;
        let mut older = BTreeMap::new();
        for (at, record) in &found {
            let key = unwrap(&root.key, at, record)?;
            older.insert(key.generation, key);
        }
        // The highest generation is the one to seal under.
        let ring = older.pop_last().map(|(_, current)| Arc::new(Ring { current, older }));
        self.remember_ring(space, ring.as_ref());
        Ok(ring)
    }
}
