//! A real vault on records that can be counted, and be away.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use async_trait::async_trait;
use strongroom::secrets::{GLOBAL, OrgVaults, ResolverOptions, SecretName, SecretResolver};
use strongroom_crypto::{AeadKey, sha256};
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

/// The vault of an organisation.
type VaultOf = dyn Fn(&str) -> Arc<dyn Vault> + Send + Sync;

pub(crate) struct World {
    pub(crate) records: Arc<Watched>,
    pub(crate) vaults: OrgVaults,
    pub(crate) vault: Arc<dyn Vault>,
    per_org: bool,
    of: Arc<VaultOf>,
    pub(crate) clock: Arc<ManualClock>,
}

impl World {
    /// With one vault for all.
    pub(crate) fn new() -> Self {
        Self::with(false)
    }

    /// With a vault for each organisation.
    pub(crate) fn per_org() -> Self {
        Self::with(true)
    }

    fn with(per_org: bool) -> Self {
        let (asked, away) = (AtomicUsize::new(0), AtomicBool::new(false));
        let records = Arc::new(Watched { records: MemoryRecords::new(), asked, away });
        let provider = SoftwareProvider::new().unwrap();
        let shared = Installation::new(Arc::clone(&records), provider, AeadKey::generate().unwrap());
        let engine = move |name: &str| -> Arc<dyn Vault> {
            Arc::new(Engine::new(Arc::clone(&shared), VaultName::parse(name).unwrap(), Recovery::DEFAULT))
        };
        let vault = engine("tenants");
        // Any organisation has one; vaults on the same records with the same name are one vault.
        let of: Arc<VaultOf> =
            Arc::new(move |org: &str| engine(&format!("v{}", &hex::encode(sha256(org.as_bytes()))[..16])));
        let find = Arc::clone(&of);
        let vaults = OrgVaults::by(Arc::clone(&vault), move |org| (org != "unmapped").then(|| find(org)));
        let clock = ManualClock::new(Time::from_seconds(1_800_000_000));
        Self { records, vaults, vault, per_org, of, clock }
    }

    pub(crate) fn resolver(&self, options: ResolverOptions) -> SecretResolver {
        let clock: Arc<ManualClock> = Arc::clone(&self.clock);
        match self.per_org {
            true => SecretResolver::per_org(self.vaults.clone(), clock, options),
            false => SecretResolver::new(Arc::clone(&self.vault), clock, options),
        }
    }

    /// Where a secret of this name belongs.
    fn vault_of(&self, name: &str) -> Arc<dyn Vault> {
        match SecretName::split(name) {
            Some((org, _)) if self.per_org && org != GLOBAL => (self.of)(org),
            _ => Arc::clone(&self.vault),
        }
    }

    pub(crate) async fn set(&self, name: &str, value: &str) {
        let new = NewVersion::Secret { value: value.to_owned().into(), content_type: None, with: Default::default() };
        self.vault_of(name).put(&self.cx(), &ObjectName::parse(name).unwrap(), new).await.unwrap();
    }

    pub(crate) async fn delete(&self, name: &str) {
        self.vault_of(name).delete(&self.cx(), Kind::Secret, &ObjectName::parse(name).unwrap()).await.unwrap();
    }

    pub(crate) async fn disable(&self, name: &str) {
        let attributes = AttributesChange { enabled: Some(false), ..Default::default() };
        let target = Target::latest(Kind::Secret, ObjectName::parse(name).unwrap());
        self.vault_of(name).update(&self.cx(), &target, Change { attributes, ..Default::default() }).await.unwrap();
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
