//! The vaults of an installation: by name, made by hand or on demand.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use serde::{Deserialize, Serialize};
use strongroom_store::engine::{Engine, Installation};
use strongroom_store::records::{Batch, Expected, RecordKey, RecordsError, Scan};
use strongroom_store::{KeyProvider, Records, Time};
use strongroom_wire::attributes::Recovery;
use strongroom_wire::ids::VaultName;
use strongroom_wire::{Error, ErrorKind};

use crate::faults::unavailable;

/// The engine as the server runs it, whatever is below.
pub type ServerEngine = Engine<Arc<dyn Records>, Arc<dyn KeyProvider>>;

/// What the engines share, as the server runs it.
pub type ServerInstallation = Installation<Arc<dyn Records>, Arc<dyn KeyProvider>>;

const PREFIX: &str = "$sys/vault/";

/// A vault's settings.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct VaultRecord {
    /// Name.
    pub name: VaultName,
    /// Retention and purge protection.
    pub recovery: Recovery,
    /// When it was made, unix seconds.
    pub created: i64,
}

/// All vaults. Each is opened when it is first asked for.
pub struct Vaults {
    installation: Arc<ServerInstallation>,
    open: RwLock<HashMap<VaultName, Arc<ServerEngine>>>,
    on_demand: bool,
    /// Keeps changes of settings in line, in the store and in memory.
    changing: tokio::sync::Mutex<()>,
}

impl Vaults {
    /// `on_demand`: a vault is made when it is first asked for.
    #[must_use]
    pub fn new(installation: Arc<ServerInstallation>, on_demand: bool) -> Self {
        Self { installation, open: RwLock::default(), on_demand, changing: tokio::sync::Mutex::new(()) }
    }

    /// The store below.
    #[must_use]
    pub fn records(&self) -> &Arc<dyn Records> {
        self.installation.records()
    }

    /// Does the store answer?
    ///
    /// # Errors
    /// `Unavailable` when it does not.
    pub async fn check_store(&self) -> Result<(), Error> {
        let found = self.records().scan(&Scan::prefix(PREFIX, 1)).await;
        found.map(drop).map_err(|fault| unavailable(&fault))
    }

    /// The vault of that name.
    ///
    /// # Errors
    /// `VaultNotFound`, or that of the store.
    pub async fn get(&self, name: &VaultName, now: Time) -> Result<Arc<ServerEngine>, Error> {
        if let Some(engine) = self.open.read().unwrap_or_else(PoisonError::into_inner).get(name) {
            return Ok(Arc::clone(engine));
        }
        match self.read(name).await? {
            Some(record) => Ok(self.open(record)),
            None if self.on_demand => {
                tracing::info!(vault = %name, "made on demand");
                self.create(name, Recovery::DEFAULT, now).await
            }
            None => Err(not_found(name)),
        }
    }

    /// Makes a vault, or returns the one that is there.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn create(&self, name: &VaultName, recovery: Recovery, now: Time) -> Result<Arc<ServerEngine>, Error> {
        let record = VaultRecord { name: name.clone(), recovery, created: now.seconds() };
        let mut batch = Batch::default();
        batch.expect(key(name), Expected::Absent);
        batch.put(key(name), encode(&record)?);
        match self.records().commit(batch).await {
            Ok(_) => Ok(self.open(record)),
            Err(RecordsError::Conflict) => match self.read(name).await? {
                Some(record) => Ok(self.open(record)),
                None => Err(not_found(name)),
            },
            Err(fault) => Err(unavailable(&fault)),
        }
    }

    /// A vault's settings.
    ///
    /// # Errors
    /// `VaultNotFound`, or that of the store.
    pub async fn find(&self, name: &VaultName) -> Result<VaultRecord, Error> {
        self.read(name).await?.ok_or_else(|| not_found(name))
    }

    /// Changes a vault's retention and purge protection. Protection, once on, stays on.
    ///
    /// # Errors
    /// `VaultNotFound`; `BadParameter` when protection would end; that of the store.
    pub async fn set_recovery(&self, name: &VaultName, recovery: Recovery) -> Result<VaultRecord, Error> {
        let _in_line = self.changing.lock().await;
        loop {
            let found = self.records().read(&key(name)).await.map_err(|fault| unavailable(&fault))?;
            let Some(found) = found else { return Err(not_found(name)) };
            let before: VaultRecord = decode(&found.value)?;
            if before.recovery.purge_protection && !recovery.purge_protection {
                return Err(Error::bad_parameter("Purge protection cannot be turned off again"));
            }
            let record = VaultRecord { recovery, ..before };
            let mut batch = Batch::default();
            batch.expect(key(name), Expected::Revision(found.revision));
            batch.put(key(name), encode(&record)?);
            match self.records().commit(batch).await {
                Ok(_) => {
                    self.open(record.clone()).set_recovery(recovery);
                    return Ok(record);
                }
                Err(RecordsError::Conflict) => {}
                Err(fault) => return Err(unavailable(&fault)),
            }
        }
    }

    /// All vaults, by name.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn list(&self) -> Result<Vec<VaultRecord>, Error> {
        let found = self.records().scan(&Scan::prefix(PREFIX, usize::MAX)).await;
        let found = found.map_err(|fault| unavailable(&fault))?;
        found.iter().map(|(_, record)| decode(&record.value)).collect()
    }

    async fn read(&self, name: &VaultName) -> Result<Option<VaultRecord>, Error> {
        let found = self.records().read(&key(name)).await.map_err(|fault| unavailable(&fault))?;
        found.map(|record| decode(&record.value)).transpose()
    }

    fn open(&self, record: VaultRecord) -> Arc<ServerEngine> {
        let mut open = self.open.write().unwrap_or_else(PoisonError::into_inner);
        // One that is open keeps its settings: `record` may have been read before they were changed.
        let engine = open
            .entry(record.name.clone())
            .or_insert_with(|| Arc::new(Engine::new(Arc::clone(&self.installation), record.name, record.recovery)));
        Arc::clone(engine)
    }
}

fn key(name: &VaultName) -> RecordKey {
    RecordKey::new(format!("{PREFIX}{name}"))
}

fn not_found(name: &VaultName) -> Error {
    Error::new(ErrorKind::VaultNotFound, format!("There is no vault named {name} on this server"))
}

fn encode(record: &VaultRecord) -> Result<Vec<u8>, Error> {
    serde_json::to_vec(record).map_err(|_unwritable| damaged())
}

fn decode(bytes: &[u8]) -> Result<VaultRecord, Error> {
    serde_json::from_slice(bytes).map_err(|_unreadable| damaged())
}

fn damaged() -> Error {
    Error::new(ErrorKind::Internal, "A vault's settings cannot be read; see the server's log")
}
