//! Secrets as people manage them: made, changed, listed and deleted by scope and key. A value goes in
//! and is not shown again: what is listed has none.

use std::sync::Arc;

use strongroom_store::vault::{Listing, NewAttributes, NewVersion, Object, list_all};
use strongroom_wire::attributes::Tags;
use strongroom_wire::ids::Kind;
use strongroom_wire::secrets::MAX_VALUE_BYTES;
use strongroom_wire::{ErrorKind, Sensitive};

use super::error::LIST;
use super::{ConfigResolver, GLOBAL, SecretError, SecretName, SecretResolver, SettingError};

/// Most characters in a key.
pub const MAX_KEY_CHARS: usize = 100;

/// The action that writes a value.
const WRITE: &str = "secrets/setSecret";

/// The action that deletes.
const DELETE: &str = "secrets/delete";

/// The tags that keep what a vault's name cannot: upper case and underscores.
const SCOPE_TAG: &str = "org";
const KEY_TAG: &str = "key";

/// A secret as it is listed: everything but the value. Times are unix seconds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretInfo {
    /// The organisation, or [`GLOBAL`].
    pub scope: String,
    /// The key, as it was given.
    pub key: String,
    /// The name in the vault.
    pub name: String,
    /// May it be used.
    pub enabled: bool,
    /// When the latest version was made.
    pub created: i64,
    /// When it was last changed.
    pub updated: i64,
}

/// Why a secret was not changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ManageError {
    /// The key or the value is not one.
    #[error("{0}")]
    Invalid(&'static str),
    /// There is one already.
    #[error("Secret '{key}' of {scope} is there already: update it")]
    Exists {
        /// Of whom.
        scope: String,
        /// Which.
        key: String,
    },
    /// It was deleted and can be recovered, so its name is taken.
    #[error("Secret '{key}' of {scope} was deleted: recover or purge {name} in the vault first")]
    Deleted {
        /// Of whom.
        scope: String,
        /// Which.
        key: String,
        /// The name in the vault.
        name: String,
    },
    /// Settings refer to it.
    #[error("Secret '{key}' of {scope} is used by {}: change these settings first", .settings.join(", "))]
    InUse {
        /// Of whom.
        scope: String,
        /// Which.
        key: String,
        /// The settings, by name and scope.
        settings: Vec<String>,
    },
    /// The vault says no, or nothing.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// The settings cannot be read, so nobody knows whether they refer to it.
    #[error(transparent)]
    Settings(Box<SettingError>),
}

impl ManageError {
    /// The HTTP status that an API would answer with.
    #[must_use]
    pub const fn status(&self) -> u16 {
        match self {
            Self::Invalid(_) | Self::Secret(SecretError::Invalid { .. }) => 400,
            Self::Secret(SecretError::Forbidden { .. }) => 403,
            Self::Secret(SecretError::NotFound { .. } | SecretError::NoVault { .. }) => 404,
            Self::Exists { .. } | Self::Deleted { .. } | Self::InUse { .. } => 409,
            // Our own credential is not the caller's fault.
            Self::Secret(_) | Self::Settings(_) => 503,
        }
    }
}

/// Manages the secrets that a resolver resolves, in the same vault or vaults. What it changes, the
/// resolver knows at once.
#[derive(Debug)]
pub struct SecretManager {
    resolver: Arc<SecretResolver>,
    settings: Option<Arc<ConfigResolver>>,
}

impl SecretManager {
    /// For the vaults of this resolver.
    #[must_use]
    pub const fn new(resolver: Arc<SecretResolver>) -> Self {
        Self { resolver, settings: None }
    }

    /// Refuses to delete what these settings refer to.
    #[must_use]
    pub fn with_settings(self, settings: Arc<ConfigResolver>) -> Self {
        Self { settings: Some(settings), ..self }
    }

    /// Makes a secret. Two callers at once may both succeed; the later value is the newer version.
    ///
    /// # Errors
    /// `Exists` when there is one, `Deleted` when there was, `Invalid`, `Secret`.
    pub async fn create(&self, scope: &str, key: &str, value: Sensitive<String>) -> Result<SecretInfo, ManageError> {
        let name = checked(scope, key, Some(&value))?;
        if self.versions(scope, &name).await?.is_some() {
            return Err(ManageError::Exists { scope: scope.to_owned(), key: key.to_owned() });
        }
        self.put(scope, key, &name, value).await
    }

    /// Gives a secret that is there a new value.
    ///
    /// # Errors
    /// `Secret(NotFound)` when there is none, `Invalid`, `Secret`.
    pub async fn update(&self, scope: &str, key: &str, value: Sensitive<String>) -> Result<SecretInfo, ManageError> {
        let name = checked(scope, key, Some(&value))?;
        self.versions(scope, &name).await?.ok_or_else(|| absent(scope, key, &name))?;
        self.put(scope, key, &name, value).await
    }

    /// Makes a secret, or gives it a new value.
    ///
    /// # Errors
    /// `Deleted` when its name belongs to a deleted one, `Invalid`, `Secret`.
    pub async fn set(&self, scope: &str, key: &str, value: Sensitive<String>) -> Result<SecretInfo, ManageError> {
        let name = checked(scope, key, Some(&value))?;
        self.put(scope, key, &name, value).await
    }

    /// What is known of one secret of this scope alone, without its value; the value is not read.
    ///
    /// # Errors
    /// `Secret(NotFound)` when there is none.
    pub async fn get(&self, scope: &str, key: &str) -> Result<SecretInfo, ManageError> {
        let name = checked(scope, key, None)?;
        let latest = self.versions(scope, &name).await?.ok_or_else(|| absent(scope, key, &name))?;
        Ok(info(&latest, scope.to_owned(), key.to_owned()))
    }

    /// Deletes a secret; the vault keeps it for as long as it keeps deleted ones.
    ///
    /// # Errors
    /// `InUse` when settings refer to it and nothing would take its place, `Secret`.
    pub async fn delete(&self, scope: &str, key: &str) -> Result<(), ManageError> {
        let name = checked(scope, key, None)?;
        self.versions(scope, &name).await?.ok_or_else(|| absent(scope, key, &name))?;
        if let Some(settings) = &self.settings {
            let own = [scope, GLOBAL];
            let scopes = if scope == GLOBAL { &[][..] } else { &own[..] };
            let settings =
                settings.referring(key, scopes).await.map_err(|fault| ManageError::Settings(Box::new(fault)))?;
            let replaced = scope != GLOBAL && self.versions(GLOBAL, &SecretName::global(key)).await?.is_some();
            if !settings.is_empty() && !replaced {
                return Err(ManageError::InUse { scope: scope.to_owned(), key: key.to_owned(), settings });
            }
        }
        let vault = self.resolver.vaults.of(scope)?;
        let gone = vault.delete(&self.resolver.cx(), Kind::Secret, &name.object()?).await;
        self.resolver.cache.forget(name.as_str());
        match gone {
            Ok(_) => Ok(()),
            Err(fault) if SecretError::is_absence(&fault) => Err(absent(scope, key, &name)),
            Err(fault) => Err(SecretError::from_action(&name, DELETE, &fault).into()),
        }
    }

    /// What an organisation sees: its own secrets and those for all, by scope and key. With [`GLOBAL`],
    /// those for all alone.
    ///
    /// # Errors
    /// `Secret`.
    pub async fn list(&self, org: &str) -> Result<Vec<SecretInfo>, ManageError> {
        let mut all = Vec::new();
        for vault in self.resolver.vaults.seen_by(org)? {
            let found = list_all(&*vault, &self.resolver.cx(), &Listing::Live(Kind::Secret)).await;
            let found = found.map_err(|fault| SecretError::from_action(&SecretName::of_org(org, "*"), LIST, &fault))?;
            all.extend(found.iter().filter_map(|object| {
                let (scope, key) = whose(object)?;
                (scope == org || scope == GLOBAL).then(|| info(object, scope, key))
            }));
        }
        // The organisation's own first.
        all.sort_by(|a, b| (a.scope == GLOBAL, &a.key).cmp(&(b.scope == GLOBAL, &b.key)));
        Ok(all)
    }

    async fn put(
        &self,
        scope: &str,
        key: &str,
        name: &SecretName,
        value: Sensitive<String>,
    ) -> Result<SecretInfo, ManageError> {
        let tags = Tags::from([(SCOPE_TAG.to_owned(), scope.to_owned()), (KEY_TAG.to_owned(), key.to_owned())]);
        let with = NewAttributes { tags: Some(tags), ..NewAttributes::default() };
        let new = NewVersion::Secret { value, content_type: None, with };
        let put = self.resolver.vaults.of(scope)?.put(&self.resolver.cx(), &name.object()?, new).await;
        self.resolver.cache.forget(name.as_str());
        match put {
            Ok(object) => Ok(info(&object, scope.to_owned(), key.to_owned())),
            Err(fault) if fault.kind == ErrorKind::DeletedButRecoverable => {
                let name = name.as_str().to_owned();
                Err(ManageError::Deleted { scope: scope.to_owned(), key: key.to_owned(), name })
            }
            Err(fault) => Err(SecretError::from_action(name, WRITE, &fault).into()),
        }
    }

    /// The latest version of a secret, without reading its value; `None` when there is none.
    async fn versions(&self, scope: &str, name: &SecretName) -> Result<Option<Object>, SecretError> {
        let (vault, object) = (self.resolver.vaults.of(scope)?, name.object()?);
        let listing = Listing::Versions(Kind::Secret, object);
        match list_all(&*vault, &self.resolver.cx(), &listing).await {
            Ok(all) => Ok(all.into_iter().max_by_key(|item| (item.attributes.created, item.version))),
            Err(fault) if SecretError::is_absence(&fault) => Ok(None),
            Err(fault) => Err(SecretError::from_action(name, LIST, &fault)),
        }
    }
}

/// The name in the vault of what may be a secret.
fn checked(scope: &str, key: &str, value: Option<&Sensitive<String>>) -> Result<SecretName, ManageError> {
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    if key.is_empty() || key.len() > MAX_KEY_CHARS || !key.bytes().all(legal) {
        return Err(ManageError::Invalid("a key has 1 to 100 characters: letters, digits, _ and - (^[a-zA-Z0-9_-]+$)"));
    }
    if scope.is_empty() {
        return Err(ManageError::Invalid("name the organisation, or GLOBAL for all"));
    }
    match value {
        Some(value) if value.expose().is_empty() => Err(ManageError::Invalid("a value has at least 1 character")),
        Some(value) if value.expose().len() > MAX_VALUE_BYTES => {
            Err(ManageError::Invalid("a value has at most 25,600 bytes"))
        }
        _ => Ok(name_of(scope, key)),
    }
}

fn name_of(scope: &str, key: &str) -> SecretName {
    if scope == GLOBAL { SecretName::global(key) } else { SecretName::of_org(scope, key) }
}

/// Scope and key of an object: by its tags, when its name is really theirs, else by its name.
fn whose(object: &Object) -> Option<(String, String)> {
    let name = object.name.as_str();
    let tag = |name| object.tags.as_ref().and_then(|tags| tags.get(name)).map(String::as_str);
    if let (Some(scope), Some(key)) = (tag(SCOPE_TAG), tag(KEY_TAG))
        && name_of(scope, key).as_str().eq_ignore_ascii_case(name)
    {
        return Some((scope.to_owned(), key.to_owned()));
    }
    SecretName::split(name).map(|(scope, key)| (scope.to_owned(), key.to_owned()))
}

fn info(object: &Object, scope: String, key: String) -> SecretInfo {
    SecretInfo {
        scope,
        key,
        name: object.name.as_str().to_owned(),
        enabled: object.attributes.enabled,
        created: object.attributes.created,
        updated: object.attributes.updated,
    }
}

fn absent(scope: &str, key: &str, name: &SecretName) -> ManageError {
    SecretError::not_found(scope, key, std::slice::from_ref(name)).into()
}
