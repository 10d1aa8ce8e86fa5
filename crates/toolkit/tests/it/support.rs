//! A real vault on records that can be counted, and be away.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use async_trait::async_trait;
use strongroom::secrets::{ResolverOptions, SecretResolver};
use strongroom_crypto::AeadKey;
use strongroom_store::clock::{Clock as _, ManualClock};
use strongroom_store::records::{Batch, Record, RecordKey, RecordsError, Scan};
use strongroom_store::vault::{Change, NewVersion, Target};
use strongroom_store::{Cx, Engine, Installation, MemoryRecords, Records, SoftwareProvider, Time, Vault};
use strongroom_wire::attributes::{AttributesChange, Recovery};
use strongroom_wire::ids::{Kind, ObjectName, VaultName};

/// Records that count looks for an object, and can be away.
pub(crate) struct Watched {
    records: MemoryRecords,
    pub(crate) asked: AtomicUsize,
    pub(crate) away: AtomicBool,
}

impl Watched {
    fn answer(&self) -> Result<(), RecordsError> {
        if self.away.load(Ordering::SeqCst) {
            return Err(RecordsError::Unavailable("unplugged".to_owned()));
        }
        Ok(())
    }
}

#[async_trait]
impl Records for Watched {
    async fn read(&self, key: &RecordKey) -> Result<Option<Record>, RecordsError> {
        if key.as_str().contains("/h/") {
            self.asked.fetch_add(1, Ordering::SeqCst);
            // So that questions at the same time are at the same time.
            tokio::task::yield_now().await;
        }
        self.answer()?;
        self.records.read(key).await
    }

    async fn scan(&self, scan: &Scan) -> Result<Vec<(RecordKey, Record)>, RecordsError> {
        self.answer()?;
        self.records.scan(scan).await
    }

    async fn commit(&self, batch: Batch) -> Result<u64, RecordsError> {
        self.answer()?;
        self.records.commit(batch).await
    }
}

pub(crate) struct World {
    pub(crate) records: Arc<Watched>,
    pub(crate) vault: Arc<dyn Vault>,
    pub(crate) clock: Arc<ManualClock>,
}

impl World {
    pub(crate) fn new() -> Self {
        let (asked, away) = (AtomicUsize::new(0), AtomicBool::new(false));
        let records = Arc::new(Watched { records: MemoryRecords::new(), asked, away });
        let provider = SoftwareProvider::new().unwrap();
        let shared = Installation::new(Arc::clone(&records), provider, AeadKey::generate().unwrap());
        let vault = Engine::new(shared, VaultName::parse("tenants").unwrap(), Recovery::DEFAULT);
        Self { records, vault: Arc::new(vault), clock: ManualClock::new(Time::from_seconds(1_800_000_000)) }
    }

    pub(crate) fn resolver(&self, options: ResolverOptions) -> SecretResolver {
        let clock: Arc<ManualClock> = Arc::clone(&self.clock);
        SecretResolver::new(Arc::clone(&self.vault), clock, options)
    }

    pub(crate) async fn set(&self, name: &str, value: &str) {
        let new = NewVersion::Secret { value: value.to_owned().into(), content_type: None, with: Default::default() };
        self.vault.put(&self.cx(), &ObjectName::parse(name).unwrap(), new).await.unwrap();
    }

    pub(crate) async fn delete(&self, name: &str) {
        self.vault.delete(&self.cx(), Kind::Secret, &ObjectName::parse(name).unwrap()).await.unwrap();
    }

    pub(crate) async fn disable(&self, name: &str) {
        let attributes = AttributesChange { enabled: Some(false), ..Default::default() };
        let target = Target::latest(Kind::Secret, ObjectName::parse(name).unwrap());
        self.vault.update(&self.cx(), &target, Change { attributes, ..Default::default() }).await.unwrap();
    }

    /// Questions to the vault since the last time.
    pub(crate) fn asked(&self) -> usize {
        self.records.asked.swap(0, Ordering::SeqCst)
    }

    pub(crate) fn away(&self, away: bool) {
        self.records.away.store(away, Ordering::SeqCst);
    }

    fn cx(&self) -> Cx {
        Cx::system(self.clock.now())
    }
}
