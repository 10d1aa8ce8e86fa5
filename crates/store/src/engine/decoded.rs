//! Heads and keys that were decoded lately, each good for one revision of its record: the store is
//! asked every time, but opening and decoding what has not changed is saved. Secrets' values are
//! never kept.

use std::sync::Arc;

use serde::de::DeserializeOwned;
use strongroom_wire::Error;
use strongroom_wire::ids::{Kind, Version};

use super::layout::{Head, StoredVersion, decode};
use super::{Engine, records_error};
use crate::provider::KeyProvider;
use crate::records::{Newer, RecordKey, Records};
use crate::vault::Target;

/// Heads, and keys, that are kept.
const KEPT: usize = 10_000;

/// Of all vaults of an installation.
pub(super) struct Decoded {
    heads: Kept<Head>,
    keys: Kept<StoredVersion>,
}

type Kept<T> = quick_cache::sync::Cache<RecordKey, (u64, Arc<T>)>;

impl Decoded {
    pub(super) fn new() -> Self {
        Self { heads: Kept::new(KEPT), keys: Kept::new(KEPT) }
    }
}

impl<R: Records, P: KeyProvider> Engine<R, P> {
    /// The head of a live object, to look at.
    pub(super) async fn look_at_head(&self, target: &Target) -> Result<Arc<Head>, Error> {
        let key = self.keys.live(target.kind, &target.name.folded());
        let found = self.look_at(&self.shared.decoded.heads, key).await?;
        found.ok_or_else(|| Error::not_found(target.kind, target.name.as_str()))
    }

    /// A version of a live key, to use.
    pub(super) async fn look_at_key(&self, target: &Target) -> Result<(Arc<Head>, Version, Arc<StoredVersion>), Error> {
        let head = self.look_at_head(target).await?;
        let version = target.version.unwrap_or(head.current);
        let key = self.keys.version(Kind::Key, &target.name.folded(), version);
        match self.look_at(&self.shared.decoded.keys, key).await? {
            Some(stored) => Ok((head, version, stored)),
            None => Err(Error::not_found(Kind::Key, &format!("{}/{version}", target.name))),
        }
    }

    async fn look_at<T>(&self, kept: &Kept<T>, key: RecordKey) -> Result<Option<Arc<T>>, Error>
    where
        T: DeserializeOwned + Send + Sync + 'static,
    {
        let known = kept.get(&key);
        let revision = known.as_ref().map(|(revision, _)| *revision);
        match self.shared.records.read_newer(&key, revision).await.map_err(records_error)? {
            Newer::Same => Ok(known.map(|(_, decoded)| decoded)),
            Newer::Changed(record) => {
                let decoded: Arc<T> = Arc::new(decode(&key, &record)?);
                kept.insert(key, (record.revision, Arc::clone(&decoded)));
                Ok(Some(decoded))
            }
            Newer::Absent => {
                kept.remove(&key);
                Ok(None)
            }
        }
    }
}
