//! A ring in Azure's services, or Strongroom's: private keys are keys of a vault and never leave it, state
//! lies in a configuration store and changes under etags.
//!
//! `Jwt:ActiveKid` is the one source of truth for the key that signs; `Jwt:AllKeys` is the list. What
//! stands under `Jwt:Key:{kid}:` is for people to read, except the public keys that were carried over
//! from another ring. Public keys of the ring's own keys come from the vault: who can only write the
//! configuration store cannot bring in a key of his own by an entry in the list.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use strongroom_backends::appconfig::{Condition, ConfigClient, ConfigError, Setting};
use strongroom_store::clock::Clock;
use strongroom_store::{Time, Vault};
use strongroom_wire::algorithms::SignatureAlgorithm;
use strongroom_wire::jwk::PublicJwk;
use tokio::task::JoinSet;

use super::DEFAULT_PREFIX;
use super::error::StoreError;
use super::state::{KeyState, Kid, RingKey, Snapshot, in_order};
use super::store::KeyStore;
use super::token::Verifier;
use super::vault_keys::VaultKeys;

/// What errors call it.
const PLACE: &str = "the configuration store of the ring";

/// Reads and writes it.
const ROLE: &str = "App Configuration Data Owner";

/// A key-value takes 10,000 bytes, all told.
const LIST_BYTES: usize = 9_600;

/// An etag that no key-value has.
const NO_ETAG: &str = "strongroom-probes-for-a-role";

/// Names in both services.
#[derive(Debug, Clone)]
pub struct AzureNames {
    /// Names of keys in the vault begin with it.
    pub key_prefix: String,
    /// The setting that says which key signs.
    pub active_kid: String,
    /// The setting with the list of keys.
    pub all_keys: String,
}

impl Default for AzureNames {
    fn default() -> Self {
        Self {
            key_prefix: DEFAULT_PREFIX.to_owned(),
            active_kid: "Jwt:ActiveKid".to_owned(),
            all_keys: "Jwt:AllKeys".to_owned(),
        }
    }
}

/// `KeyStore:Type` = Azure.
pub struct AzureKeyStore {
    keys: VaultKeys,
    config: Arc<ConfigClient>,
    names: AzureNames,
    /// A kid's public key never changes, so it is asked for once.
    known: Mutex<HashMap<Kid, PublicJwk>>,
}

/// A key in the list. Short, so that some eighty fit.
#[derive(Serialize, Deserialize)]
struct Entry {
    kid: Kid,
    alg: SignatureAlgorithm,
    created: i64,
    state: KeyState,
    since: i64,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    carried: bool,
}

impl AzureKeyStore {
    /// A ring in these two.
    #[must_use]
    pub fn new(vault: Arc<dyn Vault>, config: Arc<ConfigClient>, clock: Arc<dyn Clock>, names: AzureNames) -> Self {
        let keys = VaultKeys::new(vault, clock, &names.key_prefix);
        Self { keys, config, names, known: Mutex::default() }
    }

    async fn keys_of(&self, entries: Vec<Entry>) -> Result<Vec<RingKey>, StoreError> {
        let mut asked = JoinSet::new();
        for entry in &entries {
            if self.known().contains_key(&entry.kid) {
                continue;
            }
            let (kid, keys, config) = (entry.kid.clone(), self.keys.clone(), Arc::clone(&self.config));
            let carried = entry.carried;
            asked.spawn(async move {
                let public = if carried { carried_public(&config, &kid).await } else { keys.public(&kid).await };
                (kid, public)
            });
        }
        while let Some(answer) = asked.join_next().await {
            let (kid, public) = answer.map_err(|fault| unavailable(&fault))?;
            match public {
                Ok(public) => drop(self.known().insert(kid, public)),
                // Its tokens are lost, but not those of all others.
                Err(StoreError::NotFound(kid)) => tracing::error!(%kid, "a key in the list is not in the vault"),
                Err(fault) => return Err(fault),
            }
        }
        let mut known = self.known();
        known.retain(|kid, _| entries.iter().any(|entry| entry.kid == *kid));
        let keys = entries.into_iter().filter_map(|entry| {
            let public = known.get(&entry.kid)?.clone();
            let Entry { kid, alg: algorithm, created, state, since, carried } = entry;
            Some(RingKey { kid, algorithm, created, state, since, carried, public })
        });
        Ok(in_order(keys.collect()))
    }

    /// Shows whether a key is active. The setting is told again what is true as long as that changes: the
    /// last who writes it has read the truth after it.
    async fn show(&self, kid: &Kid) -> Result<(), StoreError> {
        let mut active = self.active().await?.0;
        loop {
            let is_active = if active.as_ref() == Some(kid) { "true" } else { "false" };
            self.set(&detail(kid, "IsActive"), is_active, Condition::None).await?;
            let now = self.active().await?.0;
            if now == active {
                return Ok(());
            }
            active = now;
        }
    }

    async fn active(&self) -> Result<(Option<Kid>, String), StoreError> {
        let Some((value, etag)) = self.get(&self.names.active_kid).await? else { return Ok((None, String::new())) };
        let kid = Kid::parse(value.trim());
        if kid.is_none() {
            tracing::error!("{} holds no kid", self.names.active_kid);
        }
        Ok((kid, etag))
    }

    async fn get(&self, key: &str) -> Result<Option<(String, String)>, StoreError> {
        let setting = self.config.get(key, None).await.map_err(fault)?;
        Ok(setting.map(|found| (found.value.map(|value| value.expose().clone()).unwrap_or_default(), found.etag)))
    }

    async fn set(&self, key: &str, value: &str, condition: Condition<'_>) -> Result<(), StoreError> {
        let value = Some(value.to_owned().into());
        let setting = Setting { key: key.to_owned(), value, ..Setting::default() };
        self.config.set(&setting, condition).await.map(drop).map_err(fault)
    }

    fn known(&self) -> std::sync::MutexGuard<'_, HashMap<Kid, PublicJwk>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for AzureKeyStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "AzureKeyStore({:?})", self.config)
    }
}

#[async_trait]
impl KeyStore for AzureKeyStore {
    fn kind(&self) -> &'static str {
        "Azure"
    }

    async fn load(&self) -> Result<Snapshot, StoreError> {
        // The active kid first: a key is in the list before it is active, and leaves it afterwards.
        let (active, active_tag) = self.active().await?;
        let (list, keys_tag) = self.get(&self.names.all_keys).await?.unwrap_or_default();
        let entries: Vec<Entry> = match list.as_str() {
            "" => Vec::new(),
            list => serde_json::from_str(list).map_err(|fault| {
                StoreError::Invalid(format!("{} is not a list of keys: {fault}", self.names.all_keys))
            })?,
        };
        Ok(Snapshot { active, keys: self.keys_of(entries).await?, keys_tag, active_tag })
    }

    async fn save_keys(&self, before: &Snapshot, keys: &[RingKey]) -> Result<(), StoreError> {
        let entries = keys.iter().map(|key| Entry {
            kid: key.kid.clone(),
            alg: key.algorithm,
            created: key.created,
            state: key.state,
            since: key.since,
            carried: key.carried,
        });
        let list = serde_json::to_string(&entries.collect::<Vec<_>>()).map_err(|fault| unavailable(&fault))?;
        if list.len() > LIST_BYTES && keys.len() > before.keys.len() {
            return Err(StoreError::Invalid(format!(
                "{} is full with {} keys: retire old ones first",
                self.names.all_keys,
                before.keys.len()
            )));
        }
        for key in keys.iter().filter(|key| key.carried && before.key(&key.kid).is_none()) {
            let public = serde_json::to_string(&key.public).map_err(|fault| unavailable(&fault))?;
            self.set(&detail(&key.kid, "PublicKey"), &public, Condition::None).await?;
        }
        self.set(&self.names.all_keys, &list, condition(&before.keys_tag)).await?;
        // What follows is for people; the change is done.
        for key in keys.iter().filter(|key| before.key(&key.kid).is_none()) {
            let shown = self.set(&detail(&key.kid, "CreatedOn"), &date(key.created), Condition::None).await;
            tell(&key.kid, shown);
        }
        for key in before.keys.iter().filter(|key| keys.iter().all(|kept| kept.kid != key.kid)) {
            for what in ["CreatedOn", "IsActive", "PublicKey"] {
                let gone = self.config.delete(&detail(&key.kid, what), None, Condition::None).await;
                tell(&key.kid, gone.map(drop).map_err(fault));
            }
        }
        Ok(())
    }

    async fn save_active(&self, before: &Snapshot, kid: &Kid) -> Result<(), StoreError> {
        self.set(&self.names.active_kid, kid.as_str(), condition(&before.active_tag)).await?;
        let last = before.active.as_ref().filter(|last| *last != kid);
        for kid in last.into_iter().chain([kid]) {
            tell(kid, self.show(kid).await);
        }
        Ok(())
    }

    async fn make_key(&self, kid: &Kid, algorithm: SignatureAlgorithm) -> Result<PublicJwk, StoreError> {
        self.keys.make(kid, algorithm).await
    }

    async fn sign(&self, key: &RingKey, digest: Vec<u8>) -> Result<Vec<u8>, StoreError> {
        let signature = self.keys.sign(&key.kid, key.algorithm, digest.clone()).await?;
        let verifier = Verifier::new(key).map_err(|fault| StoreError::Invalid(fault.to_string()))?;
        if !verifier.is_signature(&digest, &signature) {
            // Somebody rotated the vault's key: its latest version is not the one that was published.
            return Err(StoreError::Invalid(format!(
                "the vault signs with another key than the published {}",
                key.kid
            )));
        }
        Ok(signature)
    }

    async fn destroy_key(&self, kid: &Kid) -> Result<(), StoreError> {
        self.keys.destroy(kid).await
    }

    async fn private_keys(&self, before: Time) -> Result<Vec<Kid>, StoreError> {
        self.keys.list(before).await
    }

    async fn check_access(&self) -> Result<(), StoreError> {
        self.keys.check_access().await?;
        // A write that cannot happen: who may not write is refused before its condition is looked at.
        match self.set(&self.names.active_kid, "", Condition::Unchanged(NO_ETAG)).await {
            Ok(()) | Err(StoreError::Changed) => Ok(()),
            Err(fault) => Err(fault),
        }
    }
}

async fn carried_public(config: &ConfigClient, kid: &Kid) -> Result<PublicJwk, StoreError> {
    let setting = config.get(&detail(kid, "PublicKey"), None).await.map_err(fault)?;
    let value = setting.and_then(|setting| setting.value).ok_or_else(|| StoreError::NotFound(kid.clone()))?;
    serde_json::from_str(value.expose())
        .map_err(|_unreadable| StoreError::Invalid(format!("{} is no public key", detail(kid, "PublicKey"))))
}

fn detail(kid: &Kid, what: &str) -> String {
    format!("Jwt:Key:{kid}:{what}")
}

fn date(seconds: i64) -> String {
    let time = time::OffsetDateTime::from_unix_timestamp(seconds).ok();
    let text = time.and_then(|time| time.format(&time::format_description::well_known::Rfc3339).ok());
    text.unwrap_or_default()
}

fn condition(tag: &str) -> Condition<'_> {
    if tag.is_empty() { Condition::Absent } else { Condition::Unchanged(tag) }
}

fn tell(kid: &Kid, shown: Result<(), StoreError>) {
    if let Err(fault) = shown {
        tracing::warn!(%kid, "what is shown of the key is out of date: {fault}");
    }
}

fn unavailable(fault: &dyn std::fmt::Display) -> StoreError {
    StoreError::Unavailable { place: PLACE, detail: fault.to_string() }
}

fn fault(error: ConfigError) -> StoreError {
    match error {
        ConfigError::Changed => StoreError::Changed,
        ConfigError::Forbidden => StoreError::Forbidden { place: PLACE, role: ROLE },
        ConfigError::Unauthorized(detail) => StoreError::Unauthorized { place: PLACE, detail },
        ConfigError::Unavailable(detail) => StoreError::Unavailable { place: PLACE, detail },
        ConfigError::Invalid(_) | ConfigError::Locked => StoreError::Invalid(format!("{PLACE}: {error}")),
    }
}
