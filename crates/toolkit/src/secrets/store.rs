//! [`VaultSecrets`]: the secrets of one vault by their own names, without organisations and cache.

use std::collections::BTreeMap;
use std::sync::Arc;

use strongroom_store::clock::Clock;
use strongroom_store::vault::{Body, Change, Listing, NewAttributes, NewVersion, Object, Target, list_all};
use strongroom_store::{Cx, Vault};
use strongroom_wire::attributes::{AttributesChange, Tags};
use strongroom_wire::ids::{Kind, ObjectName, Version};
use strongroom_wire::{Error, ErrorKind, Sensitive};
use tokio::task::JoinSet;

use super::similar::nearest;
use super::{AT_ONCE, SecretValue};
use crate::clock::SystemClock;

/// Why a secret could not be had, kept or changed. The text names the secret, and holds no value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum VaultSecretError {
    /// There is no such secret, or no such version.
    #[error("secret {0} not found")]
    NotFound(String),
    /// The caller's roles do not allow it.
    #[error("access denied to secret {0} (check RBAC)")]
    Forbidden(String),
    /// The vault refused for another reason, or failed.
    #[error("failed to {operation} secret{}: {fault}", answered(.fault))]
    Failed {
        /// `get`, `set`, …
        operation: &'static str,
        /// What the vault said.
        fault: Error,
    },
    /// That cannot be a secret's name.
    #[error("{0}")]
    Invalid(String),
}

impl VaultSecretError {
    fn of(operation: &'static str, name: &str, fault: Error) -> Self {
        match fault.kind {
            ErrorKind::NotFound(_) | ErrorKind::DeletedNotFound(_) => Self::NotFound(name.to_owned()),
            ErrorKind::ForbiddenByRbac => Self::Forbidden(name.to_owned()),
            // A 403 without a reason is one of Azure's access policies.
            ErrorKind::PurgeProtected if operation != "purge" => Self::Forbidden(name.to_owned()),
            _ => Self::Failed { operation, fault },
        }
    }
}

/// What is known of a version of a secret besides its value. Times are unix seconds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretProperties {
    /// Its name.
    pub name: String,
    /// Which version. `None` in lists of names.
    pub version: Option<Version>,
    /// May it be read.
    pub enabled: bool,
    /// When it was made.
    pub created: i64,
    /// Not to be used from here on.
    pub expires: Option<i64>,
    /// What the value is.
    pub content_type: Option<String>,
    /// Its tags; empty when it has none.
    pub tags: Tags,
}

/// A secret with its value.
#[derive(Debug, Clone)]
pub struct Secret {
    /// The value.
    pub value: SecretValue,
    /// The rest.
    pub info: SecretProperties,
}

/// A value to keep. A text becomes one without more.
#[derive(Debug)]
pub struct NewSecret {
    /// The value: at most 25,600 bytes.
    pub value: Sensitive<String>,
    /// What it is: at most 255 characters.
    pub content_type: Option<String>,
    /// Not to be used from here on, unix seconds.
    pub expires: Option<i64>,
    /// At most 15.
    pub tags: Tags,
}

impl From<Sensitive<String>> for NewSecret {
    fn from(value: Sensitive<String>) -> Self {
        Self { value, content_type: None, expires: None, tags: Tags::new() }
    }
}

impl From<&str> for NewSecret {
    fn from(value: &str) -> Self {
        Sensitive::new(value.to_owned()).into()
    }
}

/// Why there is no secret of a name, as far as lists tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Absence {
    /// The names that there are.
    pub available: Vec<String>,
    /// The names that were deleted and can be recovered.
    pub deleted: Vec<String>,
    /// Is the name among those.
    pub was_deleted: bool,
    /// A name that may have been meant.
    pub did_you_mean: Option<String>,
}

/// The secrets of a vault. Clones share it.
///
/// ```
/// use strongroom::secrets::VaultSecrets;
///
/// # tokio::runtime::Runtime::new()?.block_on(async {
/// let secrets = VaultSecrets::new(strongroom::open("memory:").await?);
/// secrets.set("DB-USERNAME", "app").await?;
/// assert_eq!(secrets.get("DB-USERNAME").await?.value.expose(), "app");
///
/// let fault = secrets.get("DbUsername").await.unwrap_err();
/// assert_eq!(fault.to_string(), "secret DbUsername not found");
/// let absence = secrets.diagnose("DbUsername").await?;
/// assert_eq!(absence.did_you_mean.as_deref(), Some("DB-USERNAME"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct VaultSecrets {
    vault: Arc<dyn Vault>,
    clock: Arc<dyn Clock>,
}

impl VaultSecrets {
    /// Of this vault.
    #[must_use]
    pub fn new(vault: Arc<dyn Vault>) -> Self {
        Self { vault, clock: Arc::new(SystemClock) }
    }

    /// With another clock.
    #[must_use]
    pub fn with_clock(self, clock: Arc<dyn Clock>) -> Self {
        Self { clock, ..self }
    }

    /// The latest version.
    ///
    /// # Errors
    /// [`VaultSecretError`].
    pub async fn get(&self, name: &str) -> Result<Secret, VaultSecretError> {
        self.fetch(name, None).await
    }

    /// One version.
    ///
    /// # Errors
    /// [`VaultSecretError`].
    pub async fn get_version(&self, name: &str, version: Version) -> Result<Secret, VaultSecretError> {
        self.fetch(name, Some(version)).await
    }

    /// Several secrets, some at a time, by their names.
    ///
    /// # Errors
    /// The first that is missing or refused.
    pub async fn get_all(&self, names: &[&str]) -> Result<BTreeMap<String, SecretValue>, VaultSecretError> {
        let (mut running, mut found) = (JoinSet::new(), BTreeMap::new());
        let mut waiting = names.iter().map(|name| (*name).to_owned());
        loop {
            while running.len() < AT_ONCE
                && let Some(name) = waiting.next()
            {
                let secrets = self.clone();
                running.spawn(async move {
                    let secret = secrets.get(&name).await?;
                    Ok((name, secret.value))
                });
            }
            match running.join_next().await {
                Some(Ok(answer)) => {
                    let (name, value) = answer?;
                    found.insert(name, value);
                }
                Some(Err(_cancelled)) => {
                    return Err(VaultSecretError::Invalid("the call was interrupted".to_owned()));
                }
                None => return Ok(found),
            }
        }
    }

    /// Keeps a value: a new latest version. The versions before stay.
    ///
    /// # Errors
    /// [`VaultSecretError`].
    pub async fn set(&self, name: &str, secret: impl Into<NewSecret>) -> Result<SecretProperties, VaultSecretError> {
        let NewSecret { value, content_type, expires, tags } = secret.into();
        let attributes = AttributesChange { exp: expires, ..AttributesChange::default() };
        let with = NewAttributes { attributes, tags: Some(tags).filter(|tags| !tags.is_empty()) };
        let new = NewVersion::Secret { value, content_type, with };
        let made = self.vault.put(&self.cx(), &object_name(name)?, new).await;
        Ok(info(made.map_err(|fault| VaultSecretError::of("set", name, fault))?).0)
    }

    /// The secrets, by name, without their values.
    ///
    /// # Errors
    /// [`VaultSecretError`].
    pub async fn list(&self) -> Result<Vec<SecretProperties>, VaultSecretError> {
        self.listed("list", "*", &Listing::Live(Kind::Secret)).await
    }

    /// The secrets that were deleted and can be recovered.
    ///
    /// # Errors
    /// [`VaultSecretError`].
    pub async fn deleted(&self) -> Result<Vec<SecretProperties>, VaultSecretError> {
        self.listed("list deleted", "*", &Listing::Deleted(Kind::Secret)).await
    }

    /// All versions of a secret, oldest first.
    ///
    /// # Errors
    /// [`VaultSecretError`].
    pub async fn versions(&self, name: &str) -> Result<Vec<SecretProperties>, VaultSecretError> {
        let mut all =
            self.listed("list versions of", name, &Listing::Versions(Kind::Secret, object_name(name)?)).await?;
        all.sort_by_key(|one| (one.created, one.version));
        Ok(all)
    }

    /// The version before the latest; `None` when there is only one.
    ///
    /// # Errors
    /// [`VaultSecretError`].
    pub async fn previous_version(&self, name: &str) -> Result<Option<Version>, VaultSecretError> {
        let all = self.versions(name).await?;
        Ok(all.iter().rev().nth(1).and_then(|one| one.version))
    }

    /// Lets a version be read, or no longer.
    ///
    /// # Errors
    /// [`VaultSecretError`].
    pub async fn set_enabled(&self, name: &str, version: Version, enabled: bool) -> Result<(), VaultSecretError> {
        let target = Target { kind: Kind::Secret, name: object_name(name)?, version: Some(version) };
        let attributes = AttributesChange { enabled: Some(enabled), ..AttributesChange::default() };
        let changed = self.vault.update(&self.cx(), &target, Change { attributes, ..Change::default() }).await;
        changed.map(drop).map_err(|fault| VaultSecretError::of("update", name, fault))
    }

    /// Deletes a secret with all its versions; it can be recovered.
    ///
    /// # Errors
    /// [`VaultSecretError`].
    pub async fn delete(&self, name: &str) -> Result<(), VaultSecretError> {
        let deleted = self.vault.delete(&self.cx(), Kind::Secret, &object_name(name)?).await;
        deleted.map(drop).map_err(|fault| VaultSecretError::of("delete", name, fault))
    }

    /// Brings a deleted secret back as it was.
    ///
    /// # Errors
    /// [`VaultSecretError`].
    pub async fn recover(&self, name: &str) -> Result<(), VaultSecretError> {
        let recovered = self.vault.recover(&self.cx(), Kind::Secret, &object_name(name)?).await;
        recovered.map(drop).map_err(|fault| VaultSecretError::of("recover", name, fault))
    }

    /// Destroys a deleted secret for good.
    ///
    /// # Errors
    /// [`VaultSecretError`].
    pub async fn purge(&self, name: &str) -> Result<(), VaultSecretError> {
        let purged = self.vault.purge(&self.cx(), Kind::Secret, &object_name(name)?).await;
        purged.map_err(|fault| VaultSecretError::of("purge", name, fault))
    }

    /// Why is there no secret of this name? By the lists alone: no value is read.
    ///
    /// # Errors
    /// [`VaultSecretError`]: who may not list cannot be told.
    pub async fn diagnose(&self, name: &str) -> Result<Absence, VaultSecretError> {
        let names = |all: Vec<SecretProperties>| all.into_iter().map(|one| one.name).collect::<Vec<_>>();
        let (available, deleted) = (names(self.list().await?), names(self.deleted().await?));
        let was_deleted = deleted.iter().any(|one| one.eq_ignore_ascii_case(name));
        let did_you_mean = nearest(name, &available);
        Ok(Absence { available, deleted, was_deleted, did_you_mean })
    }

    async fn fetch(&self, name: &str, version: Option<Version>) -> Result<Secret, VaultSecretError> {
        let target = Target { kind: Kind::Secret, name: object_name(name)?, version };
        let found = self.vault.get(&self.cx(), &target).await;
        let (info, value) = info(found.map_err(|fault| VaultSecretError::of("get", name, fault))?);
        let value = value.ok_or_else(|| VaultSecretError::Invalid(format!("{name}: the vault gave no value")))?;
        Ok(Secret { value: Arc::new(value), info })
    }

    async fn listed(
        &self,
        operation: &'static str,
        name: &str,
        listing: &Listing,
    ) -> Result<Vec<SecretProperties>, VaultSecretError> {
        let all = list_all(&*self.vault, &self.cx(), listing).await;
        let all = all.map_err(|fault| VaultSecretError::of(operation, name, fault))?;
        Ok(all.into_iter().map(|object| info(object).0).collect())
    }

    fn cx(&self) -> Cx {
        Cx::system(self.clock.now())
    }
}

impl std::fmt::Debug for VaultSecrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("VaultSecrets")
    }
}

/// Status and request id, when there was an answer.
fn answered(fault: &Error) -> String {
    let id = fault.request_id.as_deref();
    id.map(|id| format!(" (status={}, request_id={id})", fault.kind.wire().0)).unwrap_or_default()
}

fn object_name(name: &str) -> Result<ObjectName, VaultSecretError> {
    ObjectName::parse(name).map_err(|fault| VaultSecretError::Invalid(fault.message))
}

fn info(object: Object) -> (SecretProperties, Option<Sensitive<String>>) {
    let (content_type, value) = match object.body {
        Body::Secret { content_type, value } => (content_type, value),
        Body::Key { .. } => (None, None),
    };
    let info = SecretProperties {
        name: object.name.to_string(),
        version: object.version,
        enabled: object.attributes.enabled,
        created: object.attributes.created,
        expires: object.attributes.expires,
        content_type,
        tags: object.tags.unwrap_or_default(),
    };
    (info, value)
}
