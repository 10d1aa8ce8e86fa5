//! A client of configuration stores, Strongroom's or Azure's: by connection string or token, with
//! etags on every write that wants them (contract 2.8).

mod access;
mod exchange;

use std::collections::BTreeMap;
use std::fmt;

use reqwest::{Method, StatusCode};
use serde::{Deserialize, Serialize};
use strongroom_wire::Sensitive;
use strongroom_wire::sensitive::expose_option;

use crate::retry::Retry;
use access::Access;
use exchange::{Exchange, encoded};

/// A key-value.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Setting {
    /// Its key.
    pub key: String,
    /// Its label, or none.
    #[serde(default)]
    pub label: Option<String>,
    /// Its value.
    #[serde(default, serialize_with = "expose_option")]
    pub value: Option<Sensitive<String>>,
    /// What the value is.
    #[serde(default)]
    pub content_type: Option<String>,
    /// Tags.
    #[serde(default)]
    pub tags: BTreeMap<String, Option<String>>,
    /// As the store gave it; empty for a new one.
    #[serde(default)]
    pub etag: String,
    /// Is it read-only?
    #[serde(default)]
    pub locked: bool,
    /// When it was last changed, RFC 3339; empty for a new one.
    #[serde(default)]
    pub last_modified: String,
}

/// On what a write depends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Condition<'a> {
    /// On nothing.
    None,
    /// There is no such key-value yet.
    Absent,
    /// It has this etag.
    Unchanged(&'a str),
}

/// Why a store did not do as asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// What was given cannot be used; the text says why.
    #[error("{0}")]
    Invalid(String),
    /// The credential is not accepted.
    #[error("the store does not accept the credential{0}")]
    Unauthorized(String),
    /// The credential may not do it.
    #[error(
        "the credential may not do this: a read-only access key cannot write, and a token needs the role App \
         Configuration Data Owner, or Data Reader to read"
    )]
    Forbidden,
    /// The condition does not hold: somebody else changed it.
    #[error("the key-value was changed by somebody else in the meantime")]
    Changed,
    /// It is read-only.
    #[error("the key-value is read-only: unlock it first")]
    Locked,
    /// The store or the way to it fails; trying again later may help.
    #[error("the store did not answer as it should: {0}")]
    Unavailable(String),
}

/// A client of one store. Cheap to share; connections are pooled.
pub struct ConfigClient {
    exchange: Exchange,
}

impl fmt::Debug for ConfigClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ConfigClient({})", self.exchange.endpoint())
    }
}

impl ConfigClient {
    /// With an access key: `Endpoint=https://…;Id=…;Secret=…`.
    ///
    /// # Errors
    /// `Invalid`, which names the part that is missing or wrong, and never the secret.
    pub fn from_connection_string(text: &str, http: reqwest::Client) -> Result<Self, ConfigError> {
        let (endpoint, access) = access::from_connection_string(text)?;
        Ok(Self { exchange: Exchange::new(&endpoint, access, http)? })
    }

    /// With another way to try again.
    #[must_use]
    pub fn with_retry(mut self, retry: Retry) -> Self {
        *self.exchange.retry_mut() = retry;
        self
    }

    /// With tokens of this credential, for a store's endpoint.
    ///
    /// # Errors
    /// `Invalid` when the endpoint is none.
    pub fn with_credential(
        endpoint: &str,
        credential: std::sync::Arc<dyn azure_core::credentials::TokenCredential>,
        http: reqwest::Client,
    ) -> Result<Self, ConfigError> {
        let access = Access::token(endpoint, credential);
        Ok(Self { exchange: Exchange::new(endpoint, access, http)? })
    }

    /// The store's endpoint, without a slash at the end.
    #[must_use]
    pub fn endpoint(&self) -> &str {
        self.exchange.endpoint()
    }

    /// A key-value, or `None` when there is none.
    ///
    /// # Errors
    /// [`ConfigError`].
    pub async fn get(&self, key: &str, label: Option<&str>) -> Result<Option<Setting>, ConfigError> {
        let answer = self.exchange.send(Method::GET, &path("kv", key, label), None, Condition::None).await?;
        match answer.status {
            StatusCode::NOT_FOUND => Ok(None),
            _ => answer.json().map(Some),
        }
    }

    /// Sets a key-value; its etag, lock and date are the store's.
    ///
    /// # Errors
    /// [`ConfigError`]; `Changed` when the condition does not hold.
    pub async fn set(&self, setting: &Setting, condition: Condition<'_>) -> Result<Setting, ConfigError> {
        #[derive(Serialize)]
        struct Body<'a> {
            #[serde(serialize_with = "expose_option")]
            value: &'a Option<Sensitive<String>>,
            content_type: &'a Option<String>,
            tags: &'a BTreeMap<String, Option<String>>,
        }
        let body = Body { value: &setting.value, content_type: &setting.content_type, tags: &setting.tags };
        let body = serde_json::to_vec(&body).map_err(|fault| ConfigError::Invalid(fault.to_string()))?;
        let path = path("kv", &setting.key, setting.label.as_deref());
        self.exchange.send(Method::PUT, &path, Some(body), condition).await?.json()
    }

    /// Deletes a key-value; what it was, or `None` when there was none.
    ///
    /// # Errors
    /// [`ConfigError`]; `Changed` when the condition does not hold.
    pub async fn delete(
        &self,
        key: &str,
        label: Option<&str>,
        condition: Condition<'_>,
    ) -> Result<Option<Setting>, ConfigError> {
        let answer = self.exchange.send(Method::DELETE, &path("kv", key, label), None, condition).await?;
        match answer.status {
            StatusCode::NO_CONTENT => Ok(None),
            _ => answer.json().map(Some),
        }
    }

    /// Makes a key-value read-only, or writable again.
    ///
    /// # Errors
    /// [`ConfigError`]; `Invalid` when there is none.
    pub async fn set_lock(&self, key: &str, label: Option<&str>, locked: bool) -> Result<Setting, ConfigError> {
        let method = if locked { Method::PUT } else { Method::DELETE };
        let answer = self.exchange.send(method, &path("locks", key, label), None, Condition::None).await?;
        match answer.status {
            StatusCode::NOT_FOUND => Err(ConfigError::Invalid("there is no such key-value".to_owned())),
            _ => answer.json(),
        }
    }

    /// All key-values that the filters let through (`a*`, `a,b`, NUL for no label), page after page.
    ///
    /// # Errors
    /// [`ConfigError`].
    pub async fn list(&self, key: &str, label: &str) -> Result<Vec<Setting>, ConfigError> {
        #[derive(Deserialize)]
        struct Page {
            items: Vec<Setting>,
            #[serde(rename = "@nextLink")]
            next: Option<String>,
        }
        let mut all = Vec::new();
        let mut path = format!("/kv?key={}&label={}&api-version={API_VERSION}", encoded(key), encoded(label));
        loop {
            let page: Page = self.exchange.send(Method::GET, &path, None, Condition::None).await?.json()?;
            all.extend(page.items);
            match page.next {
                Some(next) if next.starts_with('/') => path = next,
                Some(_) => return Err(ConfigError::Unavailable("a link that leads elsewhere".to_owned())),
                None => return Ok(all),
            }
        }
    }
}

/// What all stores understand.
const API_VERSION: &str = "2023-11-01";

fn path(collection: &str, key: &str, label: Option<&str>) -> String {
    let label = label.filter(|label| !label.is_empty()).map(|label| format!("label={}&", encoded(label)));
    format!("/{collection}/{}?{}api-version={API_VERSION}", encoded(key), label.unwrap_or_default())
}
