//! Opens what is on disk: the store, its seal, the directory, the vaults.

use std::path::Path;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use strongroom_backends::open::{OpenOptions, VaultUri};
use strongroom_backends::pkcs11;
use strongroom_backends::sqlite::SqliteRecords;
use strongroom_crypto::AeadKey;
use strongroom_server::app::{App, LARGE_BODIES};
use strongroom_server::authenticate::Authenticator;
use strongroom_server::clock::Clock;
use strongroom_server::config_stores::ConfigStores;
use strongroom_server::directory::{Directory, Site, first_or_stored};
use strongroom_server::endpoints::{Audiences, Endpoints};
use strongroom_server::identity::ProvenSecrets;
use strongroom_server::outside::{OutsideIssuerConfig, OutsideIssuers};
use strongroom_server::vaults::Vaults;
use strongroom_store::pool::Pool;
use strongroom_store::records::RecordKey;
use strongroom_store::sealing::{SealError, SealKey, Sealed, initialise};
use strongroom_store::{Installation, KeyProvider, Records, SoftwareProvider};
use strongroom_wire::Sensitive;
use strongroom_wire::base64url::Base64Url;
use strongroom_wire::sensitive::expose;
use tokio::sync::Semaphore;

/// A store of at most so many bytes is read whole when it is opened, so that damage shows at once.
const CHECKED_WHOLE: u64 = 64 * 1024 * 1024;

/// Threads for password hashing, and how many may wait for them.
const HASHING: (usize, usize) = (2, 64);

/// An opened store.
pub(crate) struct Store {
    /// The file below, to be closed last.
    pub(crate) sqlite: Arc<SqliteRecords>,
    /// The sealing layer over it.
    pub(crate) sealed: Arc<Sealed<Arc<dyn Records>>>,
}

impl Store {
    /// Opens the sealed store in `folder`, with so much memory for records that were read lately.
    pub(crate) async fn open(folder: &Path, seal: &SealKey, cache_bytes: u64) -> Result<Self, String> {
        Self::require(folder)?;
        let sqlite = SqliteRecords::open_cached(folder, cache_bytes).map_err(|fault| fault.to_string())?;
        Self::unseal(sqlite, folder, seal).await
    }

    /// Says what to do when there is no store in `folder`.
    pub(crate) fn require(folder: &Path) -> Result<(), String> {
        if folder.join("strongroom.db").exists() {
            return Ok(());
        }
        Err(format!(
            "there is no store in {}: run `strongroom dev`, or `strongroom init` with a configuration",
            folder.display()
        ))
    }

    /// Opens the store in `folder`; makes and seals it when there is none.
    pub(crate) async fn open_or_create(folder: &Path, seal: &SealKey, clock: &dyn Clock) -> Result<Self, String> {
        let sqlite = SqliteRecords::open(folder).map_err(|fault| fault.to_string())?;
        match initialise(&sqlite, seal, clock.now()).await {
            Ok(()) | Err(SealError::AlreadySealed) => Self::unseal(sqlite, folder, seal).await,
            Err(fault) => Err(fault.to_string()),
        }
    }

    async fn unseal(sqlite: SqliteRecords, folder: &Path, seal: &SealKey) -> Result<Self, String> {
        let sqlite = Arc::new(sqlite);
        let records: Arc<dyn Records> = sqlite.clone();
        let sealed = Sealed::unseal(records, seal).await.map_err(|fault| fault.to_string())?;
        sealed.resume_rotation().await.map_err(|fault| fault.to_string())?;
        let size = std::fs::metadata(folder.join("strongroom.db")).map_or(0, |file| file.len());
        if size <= CHECKED_WHOLE {
            sealed.verify().await.map_err(|fault| {
                format!("{fault}. Nothing was changed; restore the folder {} from a backup", folder.display())
            })?;
        }
        Ok(Self { sqlite, sealed: Arc::new(sealed) })
    }

    /// The records, as the engines see them.
    pub(crate) fn records(&self) -> Arc<dyn Records> {
        self.sealed.clone()
    }
}

/// What an installation is opened with.
pub(crate) struct Settings {
    pub(crate) endpoints: Endpoints,
    pub(crate) region: String,
    pub(crate) clock: Arc<dyn Clock>,
    /// For a new installation; later the stored one counts.
    pub(crate) site: Site,
    pub(crate) vaults_on_demand: bool,
    pub(crate) outside_issuers: Vec<OutsideIssuerConfig>,
    /// Shared with other installations, when configured; otherwise one is made and kept.
    pub(crate) backup_key: Option<Sensitive<[u8; 32]>>,
    /// The `pkcs11:` URI of the token that keeps keys in hardware; without it there are none.
    pub(crate) hsm: Option<Sensitive<String>>,
}

/// The key that seals backup blobs lies here.
const BACKUP_KEY: &str = "$sys/backup-key";

/// Which HSM an installation's keys in hardware are in: no other can use them.
#[derive(Serialize, Deserialize)]
struct HardwareKeysIn {
    token: String,
}

/// The key that seals backup blobs, as it lies (sealed) in the store.
#[derive(Serialize, Deserialize)]
struct StoredBackupKey {
    #[serde(serialize_with = "expose")]
    key: Sensitive<Base64Url>,
}

/// Puts an app together.
pub(crate) async fn open_app(store: &Store, settings: Settings) -> Result<Arc<App>, String> {
    let records = store.records();
    let now = settings.clock.now();
    let provider = SoftwareProvider::new().map_err(|fault| format!("threads could not be started: {fault}"))?;
    let provider: Arc<dyn KeyProvider> = Arc::new(provider);
    let hardware = hardware(&records, settings.hsm.as_ref()).await?;
    // A key that is configured later does not make the backups of before unreadable.
    let own = stored_backup_key(&records).await?;
    let (backup_key, earlier) = match &settings.backup_key {
        Some(key) => (AeadKey::from_bytes(key.expose()).map_err(|fault| fault.to_string())?, Some(own)),
        None => (own, None),
    };
    let stores = ConfigStores::new(Arc::clone(&records), settings.vaults_on_demand);
    let installation = Installation::with(Arc::clone(&records), provider, backup_key, earlier, hardware);
    let directory = Directory::open(records, settings.site, now).await.map_err(|error| error.message)?;
    let http = reqwest::Client::builder()
        .https_only(true)
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .map_err(|fault| fault.to_string())?;
    let (threads, waiting) = HASHING;
    let slow = Pool::start("slow", threads, waiting).map_err(|fault| fault.to_string())?;
    Ok(Arc::new(App {
        audiences: Audiences::new(&settings.endpoints),
        endpoints: settings.endpoints,
        region: settings.region,
        clock: settings.clock,
        directory,
        vaults: Vaults::new(installation, settings.vaults_on_demand),
        stores,
        authenticator: Authenticator::new(OutsideIssuers::new(settings.outside_issuers, http)),
        large_bodies: Semaphore::new(LARGE_BODIES),
        proven: ProvenSecrets::new().map_err(|fault| fault.to_string())?,
        slow,
    }))
}

/// The HSM, as configured; refused when the keys in hardware that there are lie elsewhere.
async fn hardware(
    records: &Arc<dyn Records>,
    uri: Option<&Sensitive<String>>,
) -> Result<Option<Arc<dyn KeyProvider>>, String> {
    const PLACE: &str = "$sys/hardware-keys-in";
    let elsewhere = |kept: HardwareKeysIn| {
        format!(
            "this installation keeps keys in the token with the serial number {:?}: set hsm.uri back, or make a new \
             installation for another token",
            kept.token
        )
    };
    let Some(uri) = uri else {
        let kept = records.read(&RecordKey::new(PLACE)).await.map_err(|fault| fault.to_string())?;
        let kept = kept.map(|kept| serde_json::from_slice(&kept.value)).transpose();
        let kept = kept.map_err(|_fault| "the record of the HSM is damaged".to_owned())?;
        return kept.map_or(Ok(None), |kept| Err(elsewhere(kept)));
    };
    let wrong = |fault| format!("hsm.uri: {fault}");
    let uri = VaultUri::parse(uri.expose()).map_err(wrong)?;
    if uri.scheme() != "pkcs11" || uri.get("x-records").is_some() || uri.get("vault").is_some() {
        return Err("hsm.uri: takes the pkcs11: URI of a token, without x-records and vault".to_owned());
    }
    let provider = pkcs11::provider(&uri, &OpenOptions::default()).await.map_err(wrong)?;
    let token = provider.token_serial().to_owned();
    let kept = first_or_stored(records, PLACE, HardwareKeysIn { token: token.clone() }).await;
    let kept = kept.map_err(|error| error.message)?;
    if kept.token == token { Ok(Some(Arc::new(provider))) } else { Err(elsewhere(kept)) }
}

async fn stored_backup_key(records: &Arc<dyn Records>) -> Result<AeadKey, String> {
    let fresh = AeadKey::generate().map_err(|fault| fault.to_string())?;
    let fresh = StoredBackupKey { key: Sensitive::new(Base64Url(fresh.expose().to_vec())) };
    let stored = first_or_stored(records, BACKUP_KEY, fresh).await.map_err(|error| error.message)?;
    let bytes: Result<[u8; 32], _> = stored.key.expose().0.as_slice().try_into();
    let bytes = zeroize::Zeroizing::new(bytes.map_err(|_wrong_length| "the stored backup key is damaged")?);
    AeadKey::from_bytes(&bytes).map_err(|fault| fault.to_string())
}
