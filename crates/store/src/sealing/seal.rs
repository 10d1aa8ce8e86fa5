//! The seal: what a passphrase or a key file opens, and how a store is sealed first.

use serde::{Deserialize, Serialize};
use strongroom_crypto::{AeadKey, KdfParams, derive_root_key, sha256};
use strongroom_wire::Sensitive;
use strongroom_wire::base64url::Base64Url;
use tokio::sync::oneshot;

use super::root_key;
use crate::cx::Time;
use crate::records::{Batch, Expected, Records, RecordsError, Scan};

/// Where the wrapped root key lies.
pub(super) const ROOT: &str = "$seal/root";
const VERSION: u32 = 1;

/// What opens a sealed store.
#[derive(Debug)]
#[non_exhaustive]
pub enum SealKey {
    /// A passphrase; stretched by Argon2id with the parameters in the store.
    Passphrase(Sensitive<String>),
    /// The 32 random bytes of a key file.
    File(Sensitive<[u8; 32]>),
}

impl SealKey {
    /// A passphrase.
    #[must_use]
    pub fn passphrase(passphrase: &str) -> Self {
        Self::Passphrase(Sensitive::new(passphrase.to_owned()))
    }

    /// The content of a key file: 32 random bytes.
    #[must_use]
    pub const fn file(key: &[u8; 32]) -> Self {
        Self::File(Sensitive::new(*key))
    }

    const fn kind(&self) -> Kind {
        match self {
            Self::Passphrase(_) => Kind::Passphrase,
            Self::File(_) => Kind::File,
        }
    }
}

/// Why a store could not be sealed, opened or rotated.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SealError {
    /// There is no seal.
    #[error("the store is not initialised: run `strongroom init`")]
    NotInitialised,
    /// There is a seal already.
    #[error("the store is initialised already")]
    AlreadySealed,
    /// There are records without a seal.
    #[error("the store holds records that were not sealed: initialise an empty one")]
    NotEmpty,
    /// Not the right one; the text is the name of the seal.
    #[error("the {0} does not open this store")]
    WrongKey(&'static str),
    /// A key for another kind of seal.
    #[error("this store is sealed with a {sealed_with}, not with a {given}")]
    OtherSeal {
        /// What it is sealed with.
        sealed_with: &'static str,
        /// What was given.
        given: &'static str,
    },
    /// The seal cannot be read.
    #[error("the seal of the store is damaged: {0}")]
    Damaged(String),
    /// A fault of the cryptography underneath.
    #[error("the seal failed: {0}")]
    Crypto(String),
    /// The records could not be read or written.
    #[error(transparent)]
    Records(#[from] RecordsError),
}

/// Seals an empty store: makes the root key and wraps it under `key`.
///
/// # Errors
/// [`SealError::AlreadySealed`], [`SealError::NotEmpty`], and those of the records.
pub async fn initialise<R: Records>(records: &R, key: &SealKey, now: Time) -> Result<(), SealError> {
    if records.read(&root_key()).await?.is_some() {
        return Err(SealError::AlreadySealed);
    }
    if !records.scan(&Scan::prefix("", 1)).await?.is_empty() {
        return Err(SealError::NotEmpty);
    }
    let wrapping = Wrapping::fresh(key).await?;
    let root = RootKey::fresh()?;
    let mut batch = Batch::default();
    batch.expect(root_key(), Expected::Absent);
    batch.put(root_key(), wrapping.wrap(&root, now)?);
    match records.commit(batch).await {
        Ok(_) => Ok(()),
        Err(RecordsError::Conflict) => Err(SealError::AlreadySealed),
        Err(fault) => Err(fault.into()),
    }
}

/// A root key and its name.
pub(super) struct RootKey {
    pub(super) id: RootId,
    pub(super) key: AeadKey,
}

/// The root key of a store, and what it takes to wrap its successor.
pub(super) struct Root {
    pub(super) key: RootKey,
    /// Of its record.
    pub(super) revision: u64,
    pub(super) wrapping: Wrapping,
    /// When the store was sealed first.
    pub(super) created: Time,
}

/// Tells root keys apart: the beginning of a hash of the key, which tells nothing about it.
pub(super) type RootId = [u8; 8];

impl RootKey {
    /// A new one.
    pub(super) fn fresh() -> Result<Self, SealError> {
        let key = AeadKey::generate().map_err(crypto)?;
        let mut named = zeroize::Zeroizing::new(Vec::with_capacity(64));
        named.extend_from_slice(b"strongroom.root.id.v1\0");
        named.extend_from_slice(key.expose());
        let id = sha256(&named).first_chunk().copied();
        Ok(Self { id: id.ok_or_else(|| SealError::Crypto(String::from("a hash is too short")))?, key })
    }
}

impl Root {
    pub(super) async fn open<R: Records>(records: &R, key: &SealKey) -> Result<Self, SealError> {
        let record = records.read(&root_key()).await?.ok_or(SealError::NotInitialised)?;
        // The decoder's message could quote what it read.
        let stored: StoredRoot = serde_json::from_slice(&record.value)
            .map_err(|fault| SealError::Damaged(format!("not readable at column {}", fault.column())))?;
        if stored.version != VERSION {
            return Err(SealError::Damaged(format!("version {} is not known", stored.version)));
        }
        if stored.seal != key.kind() {
            return Err(SealError::OtherSeal { sealed_with: stored.seal.name(), given: key.kind().name() });
        }
        let wrapping = Wrapping::derive(key, stored.kdf).await?;
        let id = RootId::try_from(stored.root_id.0.as_slice())
            .map_err(|_length| SealError::Damaged(String::from("its id has not 8 bytes")))?;
        let wrong = || SealError::WrongKey(stored.seal.name());
        let opened =
            wrapping.key.open(&associated_data(stored.seal, id), &stored.wrapped_root.0).map_err(|_forged| wrong())?;
        let bytes = <&[u8; 32]>::try_from(opened.expose().as_slice()).map_err(|_length| wrong())?;
        Ok(Self {
            key: RootKey { id, key: AeadKey::from_bytes(bytes).map_err(crypto)? },
            revision: record.revision,
            wrapping,
            created: Time::from_millis(stored.created),
        })
    }

    /// Is this still the root key of the store?
    pub(super) async fn check_current<R: Records>(&self, records: &R) -> Result<(), RecordsError> {
        match records.read(&root_key()).await? {
            Some(record) if record.revision == self.revision => Ok(()),
            _ => Err(RecordsError::Sealed(String::from(
                "the root key was changed by another process: start this one again",
            ))),
        }
    }
}

/// The key that wraps the root key, and where it comes from.
pub(super) struct Wrapping {
    kind: Kind,
    kdf: Option<KdfParams>,
    key: AeadKey,
}

impl Wrapping {
    /// With new parameters, for a new seal.
    pub(super) async fn fresh(key: &SealKey) -> Result<Self, SealError> {
        let kdf = match key {
            SealKey::Passphrase(_) => Some(KdfParams::generate().map_err(crypto)?),
            SealKey::File(_) => None,
        };
        Self::derive(key, kdf).await
    }

    async fn derive(key: &SealKey, kdf: Option<KdfParams>) -> Result<Self, SealError> {
        let wrapping = match (key, &kdf) {
            (SealKey::Passphrase(passphrase), Some(params)) => stretch(passphrase.duplicate(), params.clone()).await?,
            (SealKey::Passphrase(_), None) => {
                return Err(SealError::Damaged(String::from("the parameters for the passphrase are missing")));
            }
            (SealKey::File(bytes), _) => AeadKey::from_bytes(bytes.expose()).map_err(crypto)?,
        };
        Ok(Self { kind: key.kind(), kdf, key: wrapping })
    }

    /// The record of a root key.
    pub(super) fn wrap(&self, root: &RootKey, created: Time) -> Result<Vec<u8>, SealError> {
        let wrapped = self.key.seal(&associated_data(self.kind, root.id), root.key.expose()).map_err(crypto)?;
        let stored = StoredRoot {
            version: VERSION,
            seal: self.kind,
            kdf: self.kdf.clone(),
            root_id: Base64Url(root.id.to_vec()),
            wrapped_root: Base64Url(wrapped),
            created: created.millis(),
        };
        serde_json::to_vec(&stored).map_err(crypto)
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredRoot {
    version: u32,
    seal: Kind,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    kdf: Option<KdfParams>,
    root_id: Base64Url,
    wrapped_root: Base64Url,
    /// Unix milliseconds.
    created: i64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Passphrase,
    File,
}

impl Kind {
    const fn name(self) -> &'static str {
        match self {
            Self::Passphrase => "passphrase",
            Self::File => "key file",
        }
    }
}

fn associated_data(kind: Kind, id: RootId) -> Vec<u8> {
    [b"strongroom.root.v1\0", kind.name().as_bytes(), b"\0", id.as_slice()].concat()
}

/// Argon2id takes a good part of a second, which no I/O thread has.
async fn stretch(passphrase: Sensitive<String>, params: KdfParams) -> Result<AeadKey, SealError> {
    let (answer, answered) = oneshot::channel();
    let run = move || drop(answer.send(derive_root_key(passphrase.expose(), &params)));
    std::thread::Builder::new().name(String::from("seal")).spawn(run).map_err(crypto)?;
    answered.await.map_err(crypto)?.map_err(crypto)
}

fn crypto(fault: impl std::fmt::Display) -> SealError {
    SealError::Crypto(fault.to_string())
}
