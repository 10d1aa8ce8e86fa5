//! How a vault's objects lie in the records.
//!
//! | key | value |
//! |---|---|
//! | `{vault}/h/{kind}/{name}` | [`Head`] of a live object |
//! | `{vault}/d/{kind}/{name}` | [`Head`] of a soft-deleted object |
//! | `{vault}/v/{kind}/{name}/{version}` | [`StoredVersion`] |
//! | `{vault}/e/{milliseconds}-{version}` | [`Event`], for those who will deliver it |
//! | `$timers/{seconds}/{vault}/{what}/{kind}/{name}` | empty: something is due then |
//!
//! Names are folded to lower case; the head keeps the case first used. Deleting and recovering
//! move the head and leave the versions where they are. All timers of an installation are in one
//! space, so that one scan finds what is due.

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use strongroom_crypto::KeySpec;
use strongroom_wire::algorithms::KeyOp;
use strongroom_wire::attributes::{Recovery, Tags};
use strongroom_wire::base64url::Base64Url;
use strongroom_wire::ids::{Kind, ObjectName, VaultName, Version};
use strongroom_wire::jwk::PublicJwk;
use strongroom_wire::rotation::RotationPolicy;
use strongroom_wire::sensitive::expose;
use strongroom_wire::{Error, ErrorKind, Sensitive};

use crate::records::{Record, RecordKey};
use crate::vault::{Body, Deletion, Object, ObjectAttributes};

/// The one space that holds the timers of all vaults.
pub(crate) const TIMERS: &str = "$timers/";

/// What is true of a name, whatever the version.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Head {
    /// In the case first used.
    pub(crate) name: ObjectName,
    /// The latest version.
    pub(crate) current: Version,
    /// Set while soft-deleted.
    #[serde(default)]
    pub(crate) deletion: Option<StoredDeletion>,
    /// A key's rotation policy.
    #[serde(default)]
    pub(crate) policy: Option<RotationPolicy>,
    /// What is due when, unix seconds; each has its record under `$timers`.
    #[serde(default)]
    pub(crate) timers: Timers,
    /// Of which version the nearing expiry was told, and when that was due.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) notified: Option<(Version, i64)>,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct StoredDeletion {
    pub(crate) deleted: i64,
    pub(crate) scheduled_purge: i64,
    /// As promised when it was deleted.
    pub(crate) recovery: Recovery,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Timers {
    #[serde(default)]
    pub(crate) purge: Option<i64>,
    #[serde(default)]
    pub(crate) rotate: Option<i64>,
    #[serde(default)]
    pub(crate) notify: Option<i64>,
}

/// What a timer does when it is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimerAction {
    /// Purge a soft-deleted object.
    Purge,
    /// Rotate a key.
    Rotate,
    /// Record that a key is near its expiry.
    Notify,
}

impl TimerAction {
    const ALL: [Self; 3] = [Self::Purge, Self::Rotate, Self::Notify];

    const fn letter(self) -> &'static str {
        match self {
            Self::Purge => "p",
            Self::Rotate => "r",
            Self::Notify => "n",
        }
    }
}

/// Something that is due.
#[derive(Debug, Clone)]
pub struct Timer {
    /// Its record.
    pub key: RecordKey,
    /// In which vault.
    pub vault: VaultName,
    /// What to do.
    pub action: TimerAction,
    /// To what.
    pub kind: Kind,
    /// To which.
    pub name: ObjectName,
}

impl Timer {
    pub(crate) fn from_key(key: &RecordKey) -> Option<Self> {
        let mut parts = key.as_str().strip_prefix(TIMERS)?.split('/').skip(1);
        let vault = VaultName::parse(parts.next()?).ok()?;
        let letter = parts.next()?;
        let action = TimerAction::ALL.into_iter().find(|action| action.letter() == letter)?;
        let letter = parts.next()?;
        let kind = Kind::ALL.iter().copied().find(|kind| kind_letter(*kind) == letter)?;
        let name = ObjectName::parse(parts.next()?).ok()?;
        Some(Self { key: key.clone(), vault, action, kind, name })
    }
}

/// A version of an object.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct StoredVersion {
    pub(crate) enabled: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) nbf: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) exp: Option<i64>,
    pub(crate) created: i64,
    pub(crate) updated: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) tags: Option<Tags>,
    pub(crate) body: StoredBody,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum StoredBody {
    Secret {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        content_type: Option<String>,
        #[serde(serialize_with = "expose")]
        value: Sensitive<String>,
    },
    Key(StoredKey),
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct StoredKey {
    pub(crate) public: PublicJwk,
    pub(crate) key_ops: Vec<KeyOp>,
    #[serde(default)]
    pub(crate) hardware: bool,
    /// A backup refers to the same material, which purging must leave where it is: backups of keys
    /// in hardware hold none.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) shared: bool,
    /// What the provider needs to find or load the key.
    #[serde(serialize_with = "expose")]
    pub(crate) handle: Sensitive<Base64Url>,
}

impl StoredKey {
    pub(crate) fn spec(&self) -> Option<KeySpec> {
        match &self.public {
            PublicJwk::Rsa { n, .. } => {
                u32::try_from(n.0.len()).ok().map(|bytes| KeySpec::Rsa { bits: bytes.saturating_mul(8) })
            }
            PublicJwk::Ec { crv, .. } => Some(KeySpec::Ec(*crv)),
        }
    }
}

/// Something that happened on its own, for those who deliver events. Written in the commit of the
/// change that it tells of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// `Microsoft.KeyVault.KeyNearExpiry` or `Microsoft.KeyVault.KeyNewVersionCreated`.
    pub event_type: String,
    /// Secret or key.
    pub kind: Kind,
    /// Its name.
    pub name: ObjectName,
    /// The version that it is about.
    pub version: Version,
    /// Expiry of that version, unix seconds.
    pub expires: Option<i64>,
    /// When it was recorded, unix seconds.
    pub at: i64,
}

/// Builds the record keys of one vault.
#[derive(Debug, Clone)]
pub(crate) struct Keys {
    vault: VaultName,
}

impl Keys {
    pub(crate) const fn new(vault: VaultName) -> Self {
        Self { vault }
    }

    pub(crate) fn live_prefix(&self, kind: Kind) -> String {
        format!("{}/h/{}/", self.vault, kind_letter(kind))
    }

    pub(crate) fn live(&self, kind: Kind, folded: &str) -> RecordKey {
        RecordKey::new(self.live_prefix(kind) + folded)
    }

    pub(crate) fn deleted_prefix(&self, kind: Kind) -> String {
        format!("{}/d/{}/", self.vault, kind_letter(kind))
    }

    pub(crate) fn deleted(&self, kind: Kind, folded: &str) -> RecordKey {
        RecordKey::new(self.deleted_prefix(kind) + folded)
    }

    pub(crate) fn versions_prefix(&self, kind: Kind, folded: &str) -> String {
        format!("{}/v/{}/{folded}/", self.vault, kind_letter(kind))
    }

    pub(crate) fn version(&self, kind: Kind, folded: &str, version: Version) -> RecordKey {
        RecordKey::new(format!("{}{version}", self.versions_prefix(kind, folded)))
    }

    pub(crate) fn events_prefix(&self) -> String {
        format!("{}/e/", self.vault)
    }

    pub(crate) fn event(&self, millis: i64, version: Version) -> RecordKey {
        RecordKey::new(format!("{}{:014}-{version}", self.events_prefix(), millis.max(0)))
    }

    pub(crate) fn timer(&self, due: i64, action: TimerAction, kind: Kind, folded: &str) -> RecordKey {
        let (vault, action, kind) = (&self.vault, action.letter(), kind_letter(kind));
        RecordKey::new(format!("{TIMERS}{}/{vault}/{action}/{kind}/{folded}", moment(due)))
    }

    /// The records of all timers that are set.
    pub(crate) fn timers(&self, timers: &Timers, kind: Kind, folded: &str) -> Vec<RecordKey> {
        let set = [
            (timers.purge, TimerAction::Purge),
            (timers.rotate, TimerAction::Rotate),
            (timers.notify, TimerAction::Notify),
        ];
        set.into_iter().filter_map(|(due, action)| due.map(|due| self.timer(due, action, kind, folded))).collect()
    }
}

/// A moment as it stands in a timer's key: twelve digits, so that text order is time order.
pub(crate) fn moment(seconds: i64) -> String {
    format!("{:012}", seconds.clamp(0, 999_999_999_999))
}

const fn kind_letter(kind: Kind) -> &'static str {
    match kind {
        Kind::Secret => "s",
        Kind::Key => "k",
    }
}

pub(crate) fn encode<T: Serialize>(value: &T) -> Result<Vec<u8>, Error> {
    serde_json::to_vec(value).map_err(|fault| internal("a record could not be written", &fault))
}

pub(crate) fn decode<T: DeserializeOwned>(key: &RecordKey, record: &Record) -> Result<T, Error> {
    // The decoder's own message could quote a value, so only its position is kept.
    serde_json::from_slice(&record.value).map_err(|fault| {
        tracing::error!(space = key.space(), line = fault.line(), column = fault.column(), "a record cannot be read");
        Error::new(ErrorKind::Internal, "A stored record cannot be read; see the server's log")
    })
}

pub(crate) fn internal(what: &str, fault: &dyn std::fmt::Display) -> Error {
    tracing::error!(%fault, "{what}");
    Error::new(ErrorKind::Internal, "The server met a fault of its own; see its log")
}

/// The object that a head and one of its versions make.
pub(crate) fn object(
    head: &Head,
    version: Version,
    stored: StoredVersion,
    recovery: Recovery,
    with_value: bool,
) -> Object {
    let body = match stored.body {
        StoredBody::Secret { content_type, value } => Body::Secret { content_type, value: with_value.then_some(value) },
        StoredBody::Key(key) => Body::Key { public: Some(key.public), key_ops: key.key_ops, hardware: key.hardware },
    };
    Object {
        name: head.name.clone(),
        version: Some(version),
        attributes: ObjectAttributes {
            enabled: stored.enabled,
            not_before: stored.nbf,
            expires: stored.exp,
            created: stored.created,
            updated: stored.updated,
            recovery: head.deletion.map_or(recovery, |deletion| deletion.recovery),
        },
        tags: stored.tags,
        body,
        deletion: head
            .deletion
            .map(|StoredDeletion { deleted, scheduled_purge, .. }| Deletion { deleted, scheduled_purge }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timers_sort_by_time_and_read_back() {
        let keys = Keys::new(VaultName::parse("dev").unwrap());
        let early = keys.timer(999, TimerAction::Rotate, Kind::Key, "a-b");
        let late = keys.timer(1_000, TimerAction::Purge, Kind::Secret, "a");
        assert!(early < late);
        let timer = Timer::from_key(&early).unwrap();
        assert_eq!((timer.vault.as_str(), timer.action, timer.kind), ("dev", TimerAction::Rotate, Kind::Key));
        assert_eq!(timer.name.as_str(), "a-b");
        assert!(Timer::from_key(&RecordKey::new("dev/h/k/a")).is_none());
    }
}
