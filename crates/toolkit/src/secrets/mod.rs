//! Secrets by tenant: `{org}--{name}`, then `GLOBAL--{name}`, from a vault, kept for an hour; and
//! when the vault is away, from the environment or a `.env` file.
//!
//! ```
//! # use std::sync::Arc;
//! # use strongroom_store::{Cx, Engine, Installation, MemoryRecords, SoftwareProvider, Time, Vault, clock::ManualClock};
//! # use strongroom_store::vault::NewVersion;
//! use strongroom::secrets::{ResolverOptions, SecretResolver};
//!
//! # tokio::runtime::Runtime::new()?.block_on(async {
//! # let key = strongroom_crypto::AeadKey::generate()?;
//! # let shared = Installation::new(MemoryRecords::new(), SoftwareProvider::new()?, key);
//! # let vault = Engine::new(shared, strongroom_wire::ids::VaultName::parse("dev")?, strongroom_wire::attributes::Recovery::DEFAULT);
//! # let vault: Arc<dyn Vault> = Arc::new(vault);
//! # let clock = ManualClock::new(Time::from_seconds(1_800_000_000));
//! # let value = NewVersion::Secret { value: "hush".to_owned().into(), content_type: None, with: Default::default() };
//! # vault.put(&Cx::system(Time::from_seconds(1_800_000_000)), &strongroom_wire::ids::ObjectName::parse("GLOBAL--smtp-password")?, value).await?;
//! let resolver = SecretResolver::new(vault, clock, ResolverOptions::default());
//! let password = resolver.get("org-abc123", "smtp-password").await?;
//! assert_eq!(password.expose(), "hush");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod cache;
mod error;
mod health;
mod local;
mod manage;
mod names;
mod password;
mod settings;
mod similar;
mod store;
mod vaults;

use std::sync::Arc;

use strongroom_store::clock::Clock;
use strongroom_store::vault::{Body, Listing, Target, list_all};
use strongroom_store::{Cx, Vault};
use strongroom_wire::Sensitive;
use strongroom_wire::ids::{Kind, ObjectName};
use tokio::task::JoinSet;

use cache::{Cache, Known};
use vaults::Vaults;

pub use error::SecretError;
pub use health::{Health, HealthStatus};
pub use local::LocalSecrets;
pub use manage::{MAX_KEY_CHARS, ManageError, SecretInfo, SecretManager};
pub use names::{GLOBAL, SecretName};
pub use password::generate_password;
pub use settings::{ConfigResolver, ConfigValue, Setting, SettingError, SettingKind, SettingSource, StaticSettings};
pub use store::{Absence, NewSecret, Secret, SecretProperties, VaultSecretError, VaultSecrets};
pub use vaults::OrgVaults;

/// A secret's value, shared and wiped when the last holder lets it go.
pub type SecretValue = Arc<Sensitive<String>>;

/// Secrets asked for at once by [`SecretResolver::get_all`].
const AT_ONCE: usize = 16;

/// How a resolver works. Times are seconds.
#[derive(Debug, Clone, Copy)]
pub struct ResolverOptions {
    /// A value is good for so long: an hour. Microsoft advises eight or more where nothing rotates.
    pub ttl: i64,
    /// That there is no such secret is believed for so long.
    pub negative_ttl: i64,
    /// Secrets remembered.
    pub capacity: usize,
    /// When the vault does not answer, an old value is good for so much longer; `None`: it is not.
    pub stale_if_error: Option<i64>,
}

impl Default for ResolverOptions {
    fn default() -> Self {
        Self { ttl: 3_600, negative_ttl: 30, capacity: 10_000, stale_if_error: None }
    }
}

/// Resolves secrets. One for a whole process: it has the cache.
pub struct SecretResolver {
    vaults: Vaults,
    clock: Arc<dyn Clock>,
    options: ResolverOptions,
    cache: Cache,
    local: Option<LocalSecrets>,
}

impl SecretResolver {
    /// Over this vault, without local fallback.
    #[must_use]
    pub fn new(vault: Arc<dyn Vault>, clock: Arc<dyn Clock>, options: ResolverOptions) -> Self {
        Self::over(Vaults::Shared(vault), clock, options)
    }

    /// Over a vault for each organisation; everything else is as over one for all.
    #[must_use]
    pub fn per_org(vaults: OrgVaults, clock: Arc<dyn Clock>, options: ResolverOptions) -> Self {
        Self::over(Vaults::PerOrg(vaults), clock, options)
    }

    fn over(vaults: Vaults, clock: Arc<dyn Clock>, options: ResolverOptions) -> Self {
        Self { vaults, clock, options, cache: Cache::new(options.capacity), local: None }
    }

    /// With local fallback, for development: used when the vault is away or has no such secret.
    #[must_use]
    pub fn with_local(self, local: LocalSecrets) -> Self {
        Self { local: Some(local), ..self }
    }

    /// A secret of an organisation, or else the one for all. Only when there is no such secret is
    /// the next place looked at: a refusal is a refusal.
    ///
    /// # Errors
    /// [`SecretError`], which names secret, scope and remedy, and never a value.
    pub async fn get(&self, org: &str, key: &str) -> Result<SecretValue, SecretError> {
        let names = [SecretName::of_org(org, key), SecretName::global(key)];
        match self.find_in_vault(org, &names).await {
            Ok(Some(value)) => Ok(value),
            Ok(None) => match &self.local {
                Some(local) => self.find_locally(local, org, key),
                None => Err(SecretError::not_found(org, key, &names)),
            },
            Err(fault) => match &self.local {
                Some(local) if fault.is_outage() => {
                    tracing::warn!("Key Vault unavailable: {fault}, using local fallback");
                    self.find_locally(local, org, key)
                }
                _ => Err(fault),
            },
        }
    }

    /// Several secrets, some at a time; answers in the order of the questions.
    pub async fn get_all(self: &Arc<Self>, wanted: &[(String, String)]) -> Vec<Result<SecretValue, SecretError>> {
        let mut answers: Vec<_> = wanted.iter().map(|_| Err(SecretError::Interrupted)).collect();
        let (mut running, mut waiting) = (JoinSet::new(), wanted.iter().cloned().enumerate());
        loop {
            while running.len() < AT_ONCE
                && let Some((place, (org, key))) = waiting.next()
            {
                let resolver = Arc::clone(self);
                running.spawn(async move { (place, resolver.get(&org, &key).await) });
            }
            match running.join_next().await {
                Some(Ok((place, answer))) => {
                    if let Some(slot) = answers.get_mut(place) {
                        *slot = answer;
                    }
                }
                Some(Err(_cancelled)) => {}
                None => return answers,
            }
        }
    }

    /// The value that a secret had before its latest: for what has not learned of a rotation yet.
    /// `None` when there is only one. Not remembered.
    ///
    /// # Errors
    /// As [`Self::get`].
    pub async fn previous(&self, org: &str, key: &str) -> Result<Option<SecretValue>, SecretError> {
        let names = [SecretName::of_org(org, key), SecretName::global(key)];
        for (name, scope) in names.iter().zip([org, GLOBAL]) {
            let (object, vault) = (name.object()?, self.vaults.of(scope)?);
            let listing = Listing::Versions(Kind::Secret, object.clone());
            let mut versions: Vec<_> = match list_all(&*vault, &self.cx(), &listing).await {
                Ok(all) => all.into_iter().map(|item| (item.attributes.created, item.version)).collect(),
                Err(fault) if SecretError::is_absence(&fault) => Vec::new(),
                Err(fault) => return Err(SecretError::from_vault(name, &fault)),
            };
            if versions.is_empty() {
                continue;
            }
            versions.sort_unstable();
            let before = versions.len().checked_sub(2).and_then(|at| versions.get(at));
            let Some((_, version)) = before else { return Ok(None) };
            let target = Target { kind: Kind::Secret, name: object, version: *version };
            return self.fetch(name, scope, &target).await;
        }
        Err(SecretError::not_found(org, key, &names))
    }

    /// Forgets a secret of an organisation, and the one for all: the next question goes to the vault.
    pub fn invalidate(&self, org: &str, key: &str) {
        self.cache.forget(SecretName::of_org(org, key).as_str());
        self.cache.forget(SecretName::global(key).as_str());
    }

    /// Forgets everything.
    pub fn clear(&self) {
        self.cache.clear();
    }

    /// Is the vault there, and may we list? One request, nothing is read, nothing remembered. With a
    /// vault for each organisation it is the one of what is for all.
    pub async fn health(&self) -> Health {
        self.health_of(GLOBAL).await
    }

    /// The same of the vault that holds an organisation's secrets.
    pub async fn health_of(&self, org: &str) -> Health {
        match self.vaults.of(org) {
            Ok(vault) => health::check(&*vault, &self.cx()).await,
            Err(fault) => Health { status: HealthStatus::Unhealthy, message: fault.to_string() },
        }
    }

    fn find_locally(&self, local: &LocalSecrets, org: &str, key: &str) -> Result<SecretValue, SecretError> {
        local.find(org, key).ok_or_else(|| SecretError::nowhere(key))
    }

    async fn find_in_vault(&self, org: &str, names: &[SecretName; 2]) -> Result<Option<SecretValue>, SecretError> {
        for (name, scope) in names.iter().zip([org, GLOBAL]) {
            if let Some(value) = self.look_up(name, scope).await? {
                return Ok(Some(value));
            }
        }
        Ok(None)
    }

    /// One name: remembered, or from the vault; questions at the same time ask it once.
    async fn look_up(&self, name: &SecretName, scope: &str) -> Result<Option<SecretValue>, SecretError> {
        if let Some(known) = self.fresh(name) {
            return Ok(known.value);
        }
        let _one_asks = self.cache.in_line(name.as_str()).await;
        if let Some(known) = self.fresh(name) {
            return Ok(known.value);
        }
        let target = Target::latest(Kind::Secret, name.object()?);
        let asked = self.cache.epoch();
        match self.fetch(name, scope, &target).await {
            Ok(value) => {
                let known = Known { value: value.clone(), fetched: self.clock.now().seconds() };
                self.cache.keep(name.as_str(), known, asked);
                Ok(value)
            }
            Err(fault) => match self.stale(name) {
                Some(value) if fault.is_outage() => {
                    tracing::warn!(secret = name.as_str(), "the vault does not answer, using an older value: {fault}");
                    Ok(Some(value))
                }
                _ => Err(fault),
            },
        }
    }

    async fn fetch(&self, name: &SecretName, scope: &str, target: &Target) -> Result<Option<SecretValue>, SecretError> {
        match self.vaults.of(scope)?.get(&self.cx(), target).await {
            Ok(object) => match object.body {
                Body::Secret { value: Some(value), .. } => Ok(Some(Arc::new(value))),
                _ => Err(SecretError::unexpected(name)),
            },
            Err(fault) if SecretError::is_absence(&fault) => Ok(None),
            Err(fault) => Err(SecretError::from_vault(name, &fault)),
        }
    }

    fn fresh(&self, name: &SecretName) -> Option<Known> {
        let known = self.cache.get(name.as_str())?;
        let ttl = if known.value.is_some() { self.options.ttl } else { self.options.negative_ttl };
        (self.clock.now().seconds() < known.fetched.saturating_add(ttl)).then_some(known)
    }

    fn stale(&self, name: &SecretName) -> Option<SecretValue> {
        let known = self.cache.get(name.as_str())?;
        let until = known.fetched.saturating_add(self.options.ttl).saturating_add(self.options.stale_if_error?);
        known.value.filter(|_| self.clock.now().seconds() < until)
    }

    fn cx(&self) -> Cx {
        Cx::system(self.clock.now())
    }
}

impl std::fmt::Debug for SecretResolver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SecretResolver({:?})", self.options)
    }
}

/// A name that the vault takes.
fn object(name: &str) -> Result<ObjectName, SecretError> {
    ObjectName::parse(name).map_err(|_too_long| SecretError::Invalid {
        secret: name.chars().take(64).collect(),
        detail: "organisation and key together are too long for a vault, which takes 127 characters".to_owned(),
    })
}
