//! The engine: a [`Vault`] made of [`Records`] and a [`KeyProvider`]. It knows versions,
//! attributes, soft delete, rotation and backup; it does no I/O of its own and reads no clock.

mod backup;
mod decoded;
mod layout;
mod lifecycle;
mod perform;
mod read;
mod rotation;
mod write;

use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;

use arc_swap::ArcSwap;
use async_trait::async_trait;
use strongroom_crypto::AeadKey;
use strongroom_wire::attributes::Recovery;
use strongroom_wire::ids::{Kind, ObjectName, VaultName, Version};
use strongroom_wire::rotation::RotationPolicy;
use strongroom_wire::{Error, ErrorKind};
use tokio::sync::{Mutex, MutexGuard};

use crate::cx::Cx;
use crate::provider::{KeyProvider, LoadedKey, Operation, ProviderError};
use crate::records::{Expected, Record, RecordKey, Records, RecordsError};
use crate::vault::{Change, Cursor, Listing, NewVersion, Object, ObjectPage, Offers, Performed, Target, Vault};

pub use layout::{Event, Timer, TimerAction};
pub use rotation::due_timers;
pub(crate) use write::next_version;

use decoded::Decoded;
use layout::{Head, Keys, StoredVersion, decode, encode, internal};

/// Loaded keys that are kept for reuse, over all vaults of an installation.
const KEPT_KEYS: usize = 10_000;

/// A commit that keeps losing against other nodes is given up after so many tries.
const TRIES: usize = 32;

/// Locks that keep writers of one name in line.
const STRIPES: usize = 256;

/// What the engines of one installation share.
pub struct Installation<R, P> {
    records: R,
    provider: P,
    backup_key: AeadKey,
    earlier_backup_key: Option<AeadKey>,
    loaded: quick_cache::sync::Cache<(VaultName, String, Version), Arc<dyn LoadedKey>>,
    decoded: Decoded,
}

impl<R: Records, P: KeyProvider> Installation<R, P> {
    /// `backup_key` seals backup blobs: installations that hold the same one can restore each
    /// other's.
    pub fn new(records: R, provider: P, backup_key: AeadKey) -> Arc<Self> {
        Self::with_earlier_backup_key(records, provider, backup_key, None)
    }

    /// The same; backups that `earlier` sealed are opened, too.
    pub fn with_earlier_backup_key(
        records: R,
        provider: P,
        backup_key: AeadKey,
        earlier: Option<AeadKey>,
    ) -> Arc<Self> {
        let loaded = quick_cache::sync::Cache::new(KEPT_KEYS);
        Arc::new(Self { records, provider, backup_key, earlier_backup_key: earlier, loaded, decoded: Decoded::new() })
    }

    /// The store.
    pub const fn records(&self) -> &R {
        &self.records
    }
}

/// One vault.
pub struct Engine<R, P> {
    shared: Arc<Installation<R, P>>,
    vault: VaultName,
    keys: Keys,
    recovery: ArcSwap<Recovery>,
    locks: Vec<Mutex<()>>,
    hasher: RandomState,
}

impl<R: Records, P: KeyProvider> Engine<R, P> {
    /// The vault of that name, new or as it was left.
    pub fn new(shared: Arc<Installation<R, P>>, vault: VaultName, recovery: Recovery) -> Self {
        Self {
            shared,
            keys: Keys::new(vault.clone()),
            vault,
            recovery: ArcSwap::from_pointee(recovery),
            locks: (0..STRIPES).map(|_| Mutex::new(())).collect(),
            hasher: RandomState::new(),
        }
    }

    /// What is promised for objects deleted from now on.
    pub fn recovery(&self) -> Recovery {
        **self.recovery.load()
    }

    /// Changes what is promised for objects deleted from now on.
    pub fn set_recovery(&self, recovery: Recovery) {
        self.recovery.store(Arc::new(recovery));
    }

    async fn read_record(&self, key: &RecordKey) -> Result<Option<Record>, Error> {
        self.shared.records.read(key).await.map_err(records_error)
    }

    async fn head(&self, key: &RecordKey) -> Result<Option<(Head, u64)>, Error> {
        match self.read_record(key).await? {
            Some(record) => Ok(Some((decode(key, &record)?, record.revision))),
            None => Ok(None),
        }
    }

    async fn live_head(&self, kind: Kind, name: &ObjectName) -> Result<(Head, u64), Error> {
        let key = self.keys.live(kind, &name.folded());
        self.head(&key).await?.ok_or_else(|| Error::not_found(kind, name.as_str()))
    }

    async fn deleted_head(&self, kind: Kind, name: &ObjectName) -> Result<(Head, u64), Error> {
        let key = self.keys.deleted(kind, &name.folded());
        self.head(&key).await?.ok_or_else(|| Error::deleted_not_found(kind, name.as_str()))
    }

    async fn stored(
        &self,
        kind: Kind,
        name: &ObjectName,
        version: Version,
    ) -> Result<Option<(StoredVersion, u64)>, Error> {
        let key = self.keys.version(kind, &name.folded(), version);
        match self.read_record(&key).await? {
            Some(record) => Ok(Some((decode(&key, &record)?, record.revision))),
            None => Ok(None),
        }
    }

    /// Head, version number and version of a live target.
    async fn find(&self, target: &Target) -> Result<(Arc<Head>, Version, StoredVersion), Error> {
        let head = self.look_at_head(target).await?;
        let version = target.version.unwrap_or(head.current);
        match self.stored(target.kind, &target.name, version).await? {
            Some((stored, _)) => Ok((head, version, stored)),
            None => Err(Error::not_found(target.kind, &format!("{}/{version}", target.name))),
        }
    }

    /// Keeps writers of one name in line, so that they do not lose to each other in the commit.
    async fn lock(&self, kind: Kind, name: &ObjectName) -> Option<MutexGuard<'_, ()>> {
        let hash = self.hasher.hash_one((kind, name.folded()));
        let stripe = usize::try_from(hash % 256).unwrap_or_default();
        match self.locks.get(stripe) {
            Some(lock) => Some(lock.lock().await),
            None => None,
        }
    }
}

fn records_error(fault: RecordsError) -> Error {
    tracing::error!(%fault, "the store did not answer");
    let message = match fault {
        RecordsError::Conflict => "The object is being changed by others; try again",
        RecordsError::Full => "The server's store is full; nothing was written",
        RecordsError::Corrupt(_) | RecordsError::Sealed(_) => {
            return Error::new(ErrorKind::Internal, "A stored record cannot be read; see the server's log");
        }
        _ => "The server's store is not available; try again",
    };
    Error::new(ErrorKind::Unavailable, message)
}

fn provider_error(fault: ProviderError) -> Error {
    match fault {
        ProviderError::Unsupported(message) | ProviderError::Invalid(message) => Error::bad_parameter(message),
        ProviderError::Busy => Error::new(ErrorKind::Throttled, fault.to_string()),
        ProviderError::Unavailable(_) => {
            tracing::error!(%fault, "the key provider did not answer");
            Error::new(ErrorKind::Unavailable, fault.to_string())
        }
        ProviderError::Internal(_) => internal("the key provider failed", &fault),
    }
}

/// An expectation about a record that was looked up before.
fn as_found<T>(found: Option<&(T, u64)>) -> Expected {
    found.map_or(Expected::Absent, |(_, revision)| Expected::Revision(*revision))
}

#[async_trait]
impl<R: Records, P: KeyProvider> Vault for Engine<R, P> {
    fn offers(&self) -> Offers {
        let keys = self.shared.provider.offers();
        Offers { keys, hardware_keys: self.shared.provider.is_hardware(), rotation: true, backup: true }
    }

    async fn get(&self, _cx: &Cx, target: &Target) -> Result<Object, Error> {
        self.read_live(target).await
    }

    async fn get_deleted(&self, _cx: &Cx, kind: Kind, name: &ObjectName) -> Result<Object, Error> {
        self.read_deleted(kind, name).await
    }

    async fn list(
        &self,
        _cx: &Cx,
        listing: &Listing,
        limit: usize,
        after: Option<&Cursor>,
    ) -> Result<ObjectPage, Error> {
        self.read_page(listing, limit, after).await
    }

    async fn put(&self, cx: &Cx, name: &ObjectName, new: NewVersion) -> Result<Object, Error> {
        self.write_new(cx, name, new).await
    }

    async fn update(&self, cx: &Cx, target: &Target, change: Change) -> Result<Object, Error> {
        self.write_change(cx, target, change).await
    }

    async fn delete(&self, cx: &Cx, kind: Kind, name: &ObjectName) -> Result<Object, Error> {
        self.soft_delete(cx, kind, name).await
    }

    async fn recover(&self, _cx: &Cx, kind: Kind, name: &ObjectName) -> Result<Object, Error> {
        self.undelete(kind, name).await
    }

    async fn purge(&self, _cx: &Cx, kind: Kind, name: &ObjectName) -> Result<(), Error> {
        self.purge_on_request(kind, name).await
    }

    async fn perform(&self, cx: &Cx, key: &Target, operation: Operation) -> Result<Performed, Error> {
        self.use_key(cx, key, operation).await
    }

    async fn rotation_policy(&self, _cx: &Cx, name: &ObjectName) -> Result<RotationPolicy, Error> {
        let (head, _) = self.live_head(Kind::Key, name).await?;
        Ok(head.policy.unwrap_or_else(RotationPolicy::unset))
    }

    async fn set_rotation_policy(
        &self,
        cx: &Cx,
        name: &ObjectName,
        policy: RotationPolicy,
    ) -> Result<RotationPolicy, Error> {
        self.write_policy(cx, name, policy).await
    }

    async fn backup(&self, _cx: &Cx, kind: Kind, name: &ObjectName) -> Result<Vec<u8>, Error> {
        self.write_backup(kind, name).await
    }

    async fn restore(&self, _cx: &Cx, kind: Kind, blob: &[u8]) -> Result<Object, Error> {
        self.read_backup(kind, blob).await
    }
}
