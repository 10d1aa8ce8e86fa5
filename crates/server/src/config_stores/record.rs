//! A configuration store as it is kept: settings, access keys, deletion.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::{Deserialize, Serialize};
use strongroom_crypto::random_bytes;
use strongroom_store::Time;
use strongroom_store::config::Limits;
use strongroom_wire::base64url::{self, Base64Url};
use strongroom_wire::config::StoreName;
use strongroom_wire::sensitive::expose;
use strongroom_wire::{Error, Sensitive};

use crate::faults::internal;

pub(super) const DAY: i64 = 86_400;

/// How much a store holds, and for how long it keeps revisions, as in Azure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Tier {
    /// 10 MB, revisions for 7 days.
    Free,
    /// 1 GB, revisions for 30 days.
    Standard,
}

impl Tier {
    pub(super) const fn limits(self) -> Limits {
        match self {
            Self::Free => Limits { history: 7 * DAY, bytes: 10 << 20 },
            Self::Standard => Limits { history: 30 * DAY, bytes: 1 << 30 },
        }
    }
}

/// A key that signs requests.
#[derive(Serialize, Deserialize)]
pub struct AccessKey {
    /// What `Credential` names.
    pub id: String,
    /// `Primary`, `Secondary`, `Primary Read Only` or `Secondary Read Only`.
    pub name: String,
    /// Base64, as in connection strings.
    #[serde(serialize_with = "expose")]
    pub secret: Sensitive<String>,
    /// May it only read?
    pub read_only: bool,
    /// When it was made, unix seconds.
    pub modified: i64,
}

/// When a store was deleted, and when it will be purged: unix seconds.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct StoreDeletion {
    /// Deleted.
    pub deleted: i64,
    /// Purged.
    pub scheduled_purge: i64,
}

/// What an operator decides about a store.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct StoreSettings {
    /// How much, and for how long.
    pub tier: Tier,
    /// Days that a deleted store can be recovered: 1 to 7.
    pub retention_days: u8,
    /// Nobody purges it early; cannot be turned off.
    pub purge_protection: bool,
    /// Are access keys accepted, beside tokens?
    pub local_auth: bool,
}

impl Default for StoreSettings {
    fn default() -> Self {
        Self { tier: Tier::Standard, retention_days: 7, purge_protection: false, local_auth: true }
    }
}

impl StoreSettings {
    /// Checks them.
    ///
    /// # Errors
    /// `BadParameter`.
    pub fn check(&self) -> Result<(), Error> {
        if (1..=7).contains(&self.retention_days) {
            return Ok(());
        }
        Err(Error::bad_parameter("A deleted store is kept for 1 to 7 days"))
    }
}

/// A store as it is kept.
#[derive(Serialize, Deserialize)]
pub struct StoreRecord {
    /// Name.
    pub name: StoreName,
    /// Settings.
    pub settings: StoreSettings,
    /// When it was made, unix seconds.
    pub created: i64,
    /// Access keys.
    pub keys: Vec<AccessKey>,
    #[serde(serialize_with = "expose")]
    pub(super) cursor_key: Sensitive<Base64Url>,
    /// Set while it is deleted.
    #[serde(default)]
    pub deletion: Option<StoreDeletion>,
}

/// The access keys of every store, and whether they only read.
pub(super) const KEYS: [(&str, bool); 4] =
    [("Primary", false), ("Secondary", false), ("Primary Read Only", true), ("Secondary Read Only", true)];

/// A new access key.
pub(super) fn new_key(name: &str, read_only: bool, now: Time) -> Result<AccessKey, Error> {
    let id = random_bytes::<12>().map_err(|_none| internal("there is no randomness"))?;
    let secret = random_bytes::<32>().map_err(|_none| internal("there is no randomness"))?;
    Ok(AccessKey {
        // Only characters that need no escape in the header, and none that separates there.
        id: base64url::encode(id.as_slice()),
        name: name.to_owned(),
        secret: Sensitive::new(BASE64.encode(secret.as_slice())),
        read_only,
        modified: now.seconds(),
    })
}

impl StoreRecord {
    /// The connection string of an access key.
    #[must_use]
    pub fn connection_string(endpoint: &str, key: &AccessKey) -> Sensitive<String> {
        Sensitive::new(format!("Endpoint={endpoint};Id={};Secret={}", key.id, key.secret.expose()))
    }
}
