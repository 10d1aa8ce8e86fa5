//! Vaults in this process: an engine over records and a custodian of keys.

use std::sync::Arc;

use strongroom_crypto::AeadKey;
use strongroom_store::engine::{Timer, due_timers};
use strongroom_store::records::{Batch, Expected, RecordKey, RecordsError};
use strongroom_store::sealing::{SealError, SealKey, Sealed, initialise};
use strongroom_store::{Cx, Engine, Installation, KeyProvider, MemoryRecords, Records, SoftwareProvider, Time, Vault};
use strongroom_wire::attributes::Recovery;
use strongroom_wire::ids::VaultName;
use zeroize::Zeroizing;

use super::{OpenError, now};

/// The key that seals backups, sealed itself like all records.
const BACKUP_KEY: &str = "$sys/backup-key";

/// Timers that are looked up together.
const DUE_AT_ONCE: usize = 100;

/// A place where vaults lie: their records, sealed, and their keys.
pub struct Embedded {
    shared: Arc<Installation<Arc<dyn Records>, Arc<dyn KeyProvider>>>,
}

impl Embedded {
    /// Opens records that `seal` seals, or seals them when they are empty; keys are with `provider`.
    ///
    /// # Errors
    /// [`OpenError::Refused`] when the seal is another, `Unavailable` when the records are.
    pub async fn open(
        records: Arc<dyn Records>,
        seal: &SealKey,
        provider: Arc<dyn KeyProvider>,
    ) -> Result<Self, OpenError> {
        match initialise(&records, seal, now()).await {
            Ok(()) | Err(SealError::AlreadySealed) => {}
            Err(fault) => return Err(seal_fault(&fault)),
        }
        let sealed = Sealed::unseal(records, seal).await.map_err(|fault| seal_fault(&fault))?;
        sealed.resume_rotation().await.map_err(OpenError::unavailable)?;
        let records: Arc<dyn Records> = Arc::new(sealed);
        let backup_key = backup_key(&records).await.map_err(OpenError::unavailable)?;
        let opened = Self { shared: Installation::new(records, provider, backup_key) };
        if let Err(fault) = opened.run_due(now()).await {
            tracing::warn!(%fault, "what is due was not done; it stays due");
        }
        Ok(opened)
    }

    /// Does what is due at `now`: purges deleted objects whose time is over, rotates keys by their
    /// policies, records keys near expiry. A server does this every second; here it is done when the
    /// place is opened, and whenever an application that keeps it open calls this. Several processes
    /// may at once. Returns how much was done.
    ///
    /// # Errors
    /// When the records cannot be read. What cannot be done is logged and stays due.
    pub async fn run_due(&self, now: Time) -> Result<usize, RecordsError> {
        let (cx, mut after, mut done) = (Cx::system(now), None, 0_usize);
        loop {
            let due = due_timers(self.shared.records(), now, DUE_AT_ONCE, after.take()).await?;
            for timer in &due {
                let engine = Engine::new(Arc::clone(&self.shared), timer.vault.clone(), Recovery::DEFAULT);
                let Timer { vault, action, name, .. } = timer;
                match engine.fire(&cx, timer).await {
                    Ok(()) => done = done.saturating_add(1),
                    Err(error) => tracing::warn!(%vault, ?action, %name, %error, "not done on time; it stays due"),
                }
            }
            match due.last() {
                Some(last) if due.len() == DUE_AT_ONCE => after = Some(last.key.clone()),
                _ => return Ok(done),
            }
        }
    }

    /// In memory, keys in software; sealed by nothing, since it ends with the process.
    pub(super) async fn in_memory() -> Result<Self, OpenError> {
        let records: Arc<dyn Records> = Arc::new(MemoryRecords::new());
        let provider: Arc<dyn KeyProvider> = Arc::new(SoftwareProvider::new().map_err(OpenError::unavailable)?);
        let backup_key = backup_key(&records).await.map_err(OpenError::unavailable)?;
        Ok(Self { shared: Installation::new(records, provider, backup_key) })
    }

    /// One of its vaults; it is there as soon as something is put into it.
    #[must_use]
    pub fn vault(&self, name: VaultName) -> Arc<dyn Vault> {
        Arc::new(Engine::new(Arc::clone(&self.shared), name, Recovery::DEFAULT))
    }

    /// Its records.
    #[must_use]
    pub fn records(&self) -> Arc<dyn Records> {
        Arc::clone(self.shared.records())
    }
}

fn seal_fault(fault: &SealError) -> OpenError {
    match fault {
        SealError::WrongKey(_) | SealError::OtherSeal { .. } => OpenError::Refused(fault.to_string()),
        _ => OpenError::unavailable(fault),
    }
}

/// The first that was made counts, whoever made it.
async fn backup_key(records: &Arc<dyn Records>) -> Result<AeadKey, RecordsError> {
    let damaged = |_fault| RecordsError::Corrupt("the key of backups".to_owned());
    let key = RecordKey::new(BACKUP_KEY);
    let stored = match records.read(&key).await? {
        Some(stored) => stored.value,
        None => {
            let fresh = AeadKey::generate().map_err(|fault| RecordsError::Unavailable(fault.to_string()))?;
            let mut batch = Batch::default();
            batch.expect(key.clone(), Expected::Absent);
            batch.put(key.clone(), fresh.expose().to_vec());
            match records.commit(batch).await {
                Ok(_) => return Ok(fresh),
                Err(RecordsError::Conflict) => {
                    let stored = records.read(&key).await?;
                    stored.ok_or_else(|| RecordsError::Corrupt("the key of backups is gone".to_owned()))?.value
                }
                Err(fault) => return Err(fault),
            }
        }
    };
    let bytes: Zeroizing<[u8; 32]> = Zeroizing::new(stored.as_slice().try_into().map_err(damaged)?);
    AeadKey::from_bytes(&bytes).map_err(|fault| RecordsError::Corrupt(fault.to_string()))
}

impl std::fmt::Debug for Embedded {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Embedded")
    }
}
