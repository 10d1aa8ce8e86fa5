//! The configuration stores of an installation: by name, made by hand or on demand, with their
//! access keys; deleted, recovered and purged.

mod record;

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use strongroom_crypto::random_bytes;
use strongroom_store::config::{ConfigStore, ConfigTimer, due_timers, purge_timer};
use strongroom_store::records::{Batch, Expected, RecordKey, RecordsError, Scan};
use strongroom_store::{Records, Time};
use strongroom_wire::base64url::Base64Url;
use strongroom_wire::config::StoreName;
use strongroom_wire::{Error, ErrorKind, Sensitive};

use crate::faults::{internal, unavailable};

pub use record::{AccessKey, StoreDeletion, StoreRecord, StoreSettings, Tier};
use record::{DAY, KEYS, new_key};

/// A configuration store as the server runs it, whatever is below.
pub type ServerStore = ConfigStore<Arc<dyn Records>>;

const PREFIX: &str = "$sys/config-store/";

/// Timers taken in one go.
const CHUNK: usize = 100;

/// A store that is open.
pub struct OpenStore {
    /// How it is kept.
    pub record: StoreRecord,
    /// What it holds.
    pub engine: Arc<ServerStore>,
}

/// All configuration stores. Each is opened when it is first asked for.
pub struct ConfigStores {
    records: Arc<dyn Records>,
    open: RwLock<HashMap<StoreName, Arc<OpenStore>>>,
    on_demand: bool,
    /// Keeps changes of records in line, in the store and in memory.
    changing: tokio::sync::Mutex<()>,
}

impl ConfigStores {
    /// `on_demand`: a store is made when somebody who may do so first asks for it.
    #[must_use]
    pub fn new(records: Arc<dyn Records>, on_demand: bool) -> Self {
        Self { records, open: RwLock::default(), on_demand, changing: tokio::sync::Mutex::new(()) }
    }

    /// The store of that name, made when stores are made on demand.
    ///
    /// # Errors
    /// `VaultNotFound`, or that of the records.
    pub async fn get(&self, name: &StoreName, now: Time) -> Result<Arc<OpenStore>, Error> {
        match self.find(name).await? {
            Some(open) => Ok(open),
            None if self.on_demand => {
                tracing::info!(store = %name, "made on demand");
                self.create(name, StoreSettings::default(), now).await
            }
            None => Err(not_found(name)),
        }
    }

    /// The store of that name, if there is one that is not deleted.
    ///
    /// # Errors
    /// Those of the records.
    pub async fn find(&self, name: &StoreName) -> Result<Option<Arc<OpenStore>>, Error> {
        let open = self.open.read().unwrap_or_else(PoisonError::into_inner).get(name).map(Arc::clone);
        let open = match open {
            Some(open) => Some(open),
            None => {
                let in_line = self.changing.lock().await;
                self.open_stored(name, &in_line).await?
            }
        };
        Ok(open.filter(|open| open.record.deletion.is_none()))
    }

    /// Opens a store by its record. Whoever does holds the lock, so that a store that is purged
    /// meanwhile is not kept open.
    async fn open_stored(
        &self,
        name: &StoreName,
        _in_line: &tokio::sync::MutexGuard<'_, ()>,
    ) -> Result<Option<Arc<OpenStore>>, Error> {
        self.read(name).await?.map(|(record, _)| self.keep(record, false)).transpose()
    }

    /// Makes a store, or returns the one that is there.
    ///
    /// # Errors
    /// `DeletedButRecoverable`, `BadParameter` for the settings, and those of the records.
    pub async fn create(&self, name: &StoreName, settings: StoreSettings, now: Time) -> Result<Arc<OpenStore>, Error> {
        settings.check()?;
        let _in_line = self.changing.lock().await;
        if let Some((record, _)) = self.read(name).await? {
            if record.deletion.is_some() {
                let message = format!("The store {name} is deleted: recover it, or purge it first");
                return Err(Error::new(ErrorKind::DeletedButRecoverable, message));
            }
            return self.keep(record, false);
        }
        let cursor_key = random_bytes::<32>().map_err(|_none| internal("there is no randomness"))?;
        let record = StoreRecord {
            name: name.clone(),
            settings,
            created: now.seconds(),
            keys: KEYS.iter().map(|(name, read_only)| new_key(name, *read_only, now)).collect::<Result<_, _>>()?,
            cursor_key: Sensitive::new(Base64Url(cursor_key.to_vec())),
            deletion: None,
        };
        let mut batch = Batch::default();
        batch.expect(key(name), Expected::Absent);
        batch.put(key(name), encode(&record)?);
        match self.records.commit(batch).await {
            Ok(_) => self.keep(record, true),
            // Another node was faster.
            Err(RecordsError::Conflict) => match self.read(name).await? {
                Some((record, _)) => self.keep(record, true),
                None => Err(not_found(name)),
            },
            Err(fault) => Err(unavailable(&fault)),
        }
    }

    /// Changes the settings of a store.
    ///
    /// # Errors
    /// `VaultNotFound`, `BadParameter`, and those of the records.
    pub async fn set(
        &self,
        name: &StoreName,
        change: impl FnOnce(&mut StoreSettings) + Send,
    ) -> Result<Arc<OpenStore>, Error> {
        self.change(name, |record, _| {
            let before = record.settings;
            change(&mut record.settings);
            if before.purge_protection && !record.settings.purge_protection {
                return Err(Error::bad_parameter("Purge protection cannot be turned off again"));
            }
            record.settings.check()
        })
        .await
    }

    /// Makes a new secret (and id) for the access key of that name or id; the old one is refused at once.
    ///
    /// # Errors
    /// `VaultNotFound`, `BadParameter`, and those of the records.
    pub async fn regenerate(&self, name: &StoreName, which: &str, now: Time) -> Result<Arc<OpenStore>, Error> {
        self.change(name, |record, _| {
            let found = record.keys.iter_mut().find(|key| key.id == which || key.name.eq_ignore_ascii_case(which));
            let found = found.ok_or_else(|| {
                let names: Vec<&str> = KEYS.iter().map(|(name, _)| *name).collect();
                Error::bad_parameter(format!("There is no access key {which:?}; there are: {}", names.join(", ")))
            })?;
            *found = new_key(&found.name, found.read_only, now)?;
            Ok(())
        })
        .await
    }

    /// Deletes a store; it can be recovered for as long as its settings say.
    ///
    /// # Errors
    /// `VaultNotFound`, and those of the records.
    pub async fn delete(&self, name: &StoreName, now: Time) -> Result<Arc<OpenStore>, Error> {
        self.change(name, |record, batch| {
            let deleted = now.seconds();
            let retention = i64::from(record.settings.retention_days).saturating_mul(DAY);
            let scheduled_purge = deleted.saturating_add(retention);
            record.deletion = Some(StoreDeletion { deleted, scheduled_purge });
            batch.put(purge_timer(scheduled_purge, &record.name), Vec::new());
            Ok(())
        })
        .await
    }

    /// Brings a deleted store back.
    ///
    /// # Errors
    /// `BadParameter` when it is not deleted, and those of the records.
    pub async fn recover(&self, name: &StoreName) -> Result<Arc<OpenStore>, Error> {
        self.change_any(name, |record, batch| {
            let deletion = record.deletion.take().ok_or_else(|| not_deleted(name))?;
            batch.delete(purge_timer(deletion.scheduled_purge, &record.name));
            Ok(())
        })
        .await
    }

    /// Destroys a deleted store for good.
    ///
    /// # Errors
    /// `BadParameter` when it is not deleted, `PurgeProtected`, and those of the records.
    pub async fn purge(&self, name: &StoreName) -> Result<(), Error> {
        let _in_line = self.changing.lock().await;
        let (record, revision) = self.read(name).await?.ok_or_else(|| not_found(name))?;
        if record.deletion.is_none() {
            return Err(not_deleted(name));
        }
        if record.settings.purge_protection {
            let message = format!("The store {name} has purge protection: it is purged when its retention ends");
            return Err(Error::new(ErrorKind::PurgeProtected, message));
        }
        self.destroy(record, revision).await
    }

    /// All stores, deleted ones too, by name.
    ///
    /// # Errors
    /// Those of the records.
    pub async fn list(&self) -> Result<Vec<StoreRecord>, Error> {
        let found = self.records.scan(&Scan::prefix(PREFIX, usize::MAX)).await;
        let found = found.map_err(|fault| unavailable(&fault))?;
        found.iter().map(|(_, record)| decode(&record.value)).collect()
    }

    /// Does all that is due now. What fails stays due.
    pub async fn tick(&self, now: Time) {
        let mut after = None;
        loop {
            let due = match due_timers(&self.records, now, CHUNK, after.take()).await {
                Ok(due) => due,
                Err(fault) => {
                    tracing::error!(%fault, "the store did not say what is due");
                    return;
                }
            };
            let mut by_store: HashMap<&StoreName, Vec<&ConfigTimer>> = HashMap::new();
            for timer in &due {
                by_store.entry(&timer.store).or_default().push(timer);
            }
            for (store, timers) in by_store {
                if let Err(error) = self.fire(store, &timers, now).await {
                    tracing::error!(%store, %error, "not done on time; it will be tried again");
                }
            }
            match due.last() {
                Some(last) if due.len() == CHUNK => after = Some(last.key.clone()),
                _ => return,
            }
        }
    }

    async fn fire(&self, name: &StoreName, timers: &[&ConfigTimer], now: Time) -> Result<(), Error> {
        let in_line = self.changing.lock().await;
        if timers.iter().any(|timer| timer.is_purge())
            && let Some((record, revision)) = self.read(name).await?
            && record.deletion.is_some_and(|deletion| deletion.scheduled_purge <= now.seconds())
        {
            self.destroy(record, revision).await?;
            tracing::info!(store = %name, "purged on time");
        }
        let engine = match self.open_stored(name, &in_line).await? {
            Some(open) => Arc::clone(&open.engine),
            // Of a store that is gone only timers are left.
            None => Arc::new(ConfigStore::new(Arc::clone(&self.records), name.clone(), Tier::Free.limits(), [0; 32])),
        };
        drop(in_line);
        let done = engine.fire(timers, now).await;
        done.map_err(|problem| Error::new(ErrorKind::Unavailable, problem.to_string()))
    }

    /// The record goes last: what a crash leaves is found by another purge.
    async fn destroy(&self, record: StoreRecord, revision: u64) -> Result<(), Error> {
        let name = record.name.clone();
        let timer = record.deletion.map(|deletion| purge_timer(deletion.scheduled_purge, &name));
        let open = self.keep(record, false)?;
        open.engine.destroy().await.map_err(|problem| Error::new(ErrorKind::Unavailable, problem.to_string()))?;
        let mut batch = Batch::default();
        batch.expect(key(&name), Expected::Revision(revision));
        batch.delete(key(&name));
        timer.into_iter().for_each(|timer| batch.delete(timer));
        self.records.commit(batch).await.map_err(|fault| unavailable(&fault))?;
        self.open.write().unwrap_or_else(PoisonError::into_inner).remove(&name);
        Ok(())
    }

    /// Changes the record of a store that is not deleted.
    async fn change(
        &self,
        name: &StoreName,
        change: impl FnOnce(&mut StoreRecord, &mut Batch) -> Result<(), Error> + Send,
    ) -> Result<Arc<OpenStore>, Error> {
        self.change_any(name, |record, batch| {
            if record.deletion.is_some() {
                return Err(not_found(name));
            }
            change(record, batch)
        })
        .await
    }

    async fn change_any(
        &self,
        name: &StoreName,
        change: impl FnOnce(&mut StoreRecord, &mut Batch) -> Result<(), Error> + Send,
    ) -> Result<Arc<OpenStore>, Error> {
        let _in_line = self.changing.lock().await;
        let (mut record, revision) = self.read(name).await?.ok_or_else(|| not_found(name))?;
        let mut batch = Batch::default();
        change(&mut record, &mut batch)?;
        batch.expect(key(name), Expected::Revision(revision));
        batch.put(key(name), encode(&record)?);
        self.records.commit(batch).await.map_err(|fault| unavailable(&fault))?;
        self.keep(record, true)
    }

    async fn read(&self, name: &StoreName) -> Result<Option<(StoreRecord, u64)>, Error> {
        let found = self.records.read(&key(name)).await.map_err(|fault| unavailable(&fault))?;
        found.map(|record| Ok((decode(&record.value)?, record.revision))).transpose()
    }

    /// Keeps a store open. One that is open already stays as it is, unless `newer`.
    fn keep(&self, record: StoreRecord, newer: bool) -> Result<Arc<OpenStore>, Error> {
        let mut open = self.open.write().unwrap_or_else(PoisonError::into_inner);
        let before = open.get(&record.name).map(Arc::clone);
        if let Some(before) = &before
            && !newer
        {
            return Ok(Arc::clone(before));
        }
        let limits = record.settings.tier.limits();
        let engine = match before {
            Some(before) => Arc::clone(&before.engine),
            None => {
                let cursor_key: [u8; 32] =
                    record.cursor_key.expose().0.as_slice().try_into().map_err(|_length| damaged())?;
                Arc::new(ConfigStore::new(Arc::clone(&self.records), record.name.clone(), limits, cursor_key))
            }
        };
        engine.set_limits(limits);
        let kept = Arc::new(OpenStore { record, engine });
        open.insert(kept.record.name.clone(), Arc::clone(&kept));
        Ok(kept)
    }
}

fn key(name: &StoreName) -> RecordKey {
    RecordKey::new(format!("{PREFIX}{name}"))
}

fn not_found(name: &StoreName) -> Error {
    Error::new(ErrorKind::VaultNotFound, format!("There is no configuration store named {name} on this server"))
}

fn not_deleted(name: &StoreName) -> Error {
    Error::bad_parameter(format!("The store {name} is not deleted"))
}

fn encode(record: &StoreRecord) -> Result<Vec<u8>, Error> {
    serde_json::to_vec(record).map_err(|_unwritable| damaged())
}

fn decode(bytes: &[u8]) -> Result<StoreRecord, Error> {
    serde_json::from_slice(bytes).map_err(|_unreadable| damaged())
}

fn damaged() -> Error {
    Error::new(ErrorKind::Internal, "A configuration store's settings cannot be read; see the server's log")
}
