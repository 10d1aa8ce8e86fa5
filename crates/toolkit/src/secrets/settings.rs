//! Settings with types, among them references to secrets: one call for plain and secret ones.

use std::collections::HashMap;
use std::sync::Arc;

use async_trait::async_trait;

use super::{GLOBAL, SecretError, SecretResolver, SecretValue};

/// What a setting is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SettingKind {
    /// Text.
    String,
    /// A whole number.
    Int,
    /// `true`, `1` or `yes`, in any case, and anything else is false.
    Bool,
    /// JSON.
    Json,
    /// The name of a secret, without its scope.
    SecretRef,
}

/// A setting as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    /// What it is.
    pub kind: SettingKind,
    /// Its text; of a reference, the secret's name.
    pub value: String,
}

/// A setting as it is used.
#[derive(Debug, Clone)]
pub enum ConfigValue {
    /// Text.
    String(String),
    /// A whole number.
    Int(i64),
    /// True or false.
    Bool(bool),
    /// JSON.
    Json(serde_json::Value),
    /// A secret's value.
    Secret(SecretValue),
}

/// Why a setting cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SettingError {
    /// Its text is not what it should be. The text is not shown: it may have been a secret once.
    #[error("setting '{key}' of org '{org}' is not {wanted}")]
    WrongType {
        /// The setting.
        key: String,
        /// Of whom.
        org: String,
        /// What it should be.
        wanted: &'static str,
    },
    /// The secret that it refers to cannot be had.
    #[error("setting '{key}' of org '{org}' refers to the secret '{reference}': {fault}")]
    Secret {
        /// The setting.
        key: String,
        /// Of whom.
        org: String,
        /// The secret's name, without scope.
        reference: String,
        /// Why not.
        fault: SecretError,
    },
    /// The settings cannot be read.
    #[error("the settings cannot be read: {0}")]
    Source(String),
}

/// Where settings come from.
#[async_trait]
pub trait SettingSource: Send + Sync {
    /// The setting of one scope (an organisation, or [`GLOBAL`]); `None` when there is none.
    ///
    /// # Errors
    /// A message for people.
    async fn setting(&self, scope: &str, key: &str) -> Result<Option<Setting>, String>;

    /// The settings that refer to a secret of this name (without scope), each as scope and key.
    ///
    /// # Errors
    /// A message for people.
    async fn references(&self, secret: &str) -> Result<Vec<(String, String)>, String>;
}

/// Settings that are given once.
#[derive(Debug, Default)]
pub struct StaticSettings(HashMap<(String, String), Setting>);

impl StaticSettings {
    /// Adds a setting.
    #[must_use]
    pub fn with(mut self, scope: &str, key: &str, kind: SettingKind, value: &str) -> Self {
        let setting = Setting { kind, value: value.to_owned() };
        self.0.insert((scope.to_owned(), key.to_owned()), setting);
        self
    }
}

#[async_trait]
impl SettingSource for StaticSettings {
    async fn setting(&self, scope: &str, key: &str) -> Result<Option<Setting>, String> {
        Ok(self.0.get(&(scope.to_owned(), key.to_owned())).cloned())
    }

    async fn references(&self, secret: &str) -> Result<Vec<(String, String)>, String> {
        let refers = |setting: &Setting| setting.kind == SettingKind::SecretRef && setting.value == secret;
        let mut found: Vec<_> =
            self.0.iter().filter(|(_, setting)| refers(setting)).map(|(at, _)| at.clone()).collect();
        found.sort_unstable();
        Ok(found)
    }
}

/// Settings and secrets by one call.
pub struct ConfigResolver {
    source: Arc<dyn SettingSource>,
    secrets: Arc<SecretResolver>,
}

impl ConfigResolver {
    /// Settings from `source`; what refers to secrets is resolved by `secrets` when it is read.
    #[must_use]
    pub fn new(source: Arc<dyn SettingSource>, secrets: Arc<SecretResolver>) -> Self {
        Self { source, secrets }
    }

    /// The settings of these scopes (of all, when there are none) that refer to a secret.
    pub(super) async fn referring(&self, secret: &str, scopes: &[&str]) -> Result<Vec<String>, SettingError> {
        let all = self.source.references(secret).await.map_err(SettingError::Source)?;
        let wanted = all.into_iter().filter(|(scope, _)| scopes.is_empty() || scopes.contains(&scope.as_str()));
        Ok(wanted.map(|(scope, key)| format!("'{key}' of {scope}")).collect())
    }

    /// A setting of an organisation, or else the one for all; `None` when there is none.
    ///
    /// # Errors
    /// [`SettingError`], which names setting, organisation and reference.
    pub async fn get_config(&self, org: &str, key: &str) -> Result<Option<ConfigValue>, SettingError> {
        let mut found = None;
        for scope in [org, GLOBAL] {
            found = self.source.setting(scope, key).await.map_err(SettingError::Source)?;
            if found.is_some() {
                break;
            }
        }
        let Some(Setting { kind, value }) = found else { return Ok(None) };
        let wrong = |wanted| SettingError::WrongType { key: key.to_owned(), org: org.to_owned(), wanted };
        let value = match kind {
            SettingKind::String => ConfigValue::String(value),
            SettingKind::Int => ConfigValue::Int(value.trim().parse().map_err(|_text| wrong("a whole number"))?),
            SettingKind::Bool => {
                ConfigValue::Bool(["true", "1", "yes"].iter().any(|yes| value.trim().eq_ignore_ascii_case(yes)))
            }
            SettingKind::Json => ConfigValue::Json(serde_json::from_str(&value).map_err(|_text| wrong("valid JSON"))?),
            SettingKind::SecretRef => {
                let secret = self.secrets.get(org, &value).await;
                ConfigValue::Secret(secret.map_err(|fault| SettingError::Secret {
                    key: key.to_owned(),
                    org: org.to_owned(),
                    reference: value.clone(),
                    fault,
                })?)
            }
        };
        Ok(Some(value))
    }
}

impl std::fmt::Debug for ConfigResolver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ConfigResolver")
    }
}
