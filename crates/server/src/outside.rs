//! Outside issuers that the configuration trusts: Entra itself, a Keycloak, another Strongroom; and
//! those whose tokens stand for an application.
//! Their keys come from their discovery documents (OpenID Connect Discovery), are kept for an
//! hour, and fetched again when a token names a key that is not among them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::Deserialize;
use strongroom_auth::{KeySet, TrustedIssuer};
use strongroom_store::Time;

/// Keys are kept for so many seconds.
const KEEP: i64 = 3_600;

/// Keys that could not be fetched anew are believed for so many seconds.
const BELIEVE: i64 = 86_400;

/// An unknown key makes us ask again, at most once in so many seconds.
const ASK_AGAIN: i64 = 30;

/// Most bytes in a discovery document or key set.
const DOCUMENT_LIMIT: usize = 256 * 1024;

/// An issuer, as configured.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OutsideIssuerConfig {
    /// The `iss` of its tokens. `{issuer}/.well-known/openid-configuration` tells where its keys are.
    pub issuer: String,
    /// Audiences to accept beside our own resources, at every service.
    #[serde(default)]
    pub audiences: Vec<String>,
    /// The `tid` that its tokens must have; without it, tokens without `tid` are accepted.
    #[serde(default)]
    pub tenant: Option<String>,
    /// The claim that holds the object id to which roles are assigned.
    #[serde(default = "object_id_claim")]
    pub object_id_claim: String,
}

fn object_id_claim() -> String {
    "oid".to_owned()
}

#[derive(Clone)]
struct Known {
    keys: Option<Arc<KeySet>>,
    fetched: i64,
    asked: i64,
}

/// The keys that an issuer publishes.
struct Published {
    discovery: String,
    known: Mutex<Known>,
    /// Held while fetching: one request, however many tokens wait for it.
    fetching: tokio::sync::Mutex<()>,
}

impl Published {
    fn by(issuer: &str) -> Self {
        let discovery = format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'));
        let known = Mutex::new(Known { keys: None, fetched: i64::MIN, asked: i64::MIN });
        Self { discovery, known, fetching: tokio::sync::Mutex::default() }
    }

    /// What is known, without keys that are too old to be believed.
    fn known(&self, now: i64) -> Known {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if now.saturating_sub(known.fetched) > BELIEVE { Known { keys: None, ..known } } else { known }
    }

    fn remember(&self, fetched: Option<KeySet>, now: i64) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.asked = now;
        if let Some(keys) = fetched {
            known.keys = Some(Arc::new(keys));
            known.fetched = now;
        }
    }
}

/// All outside issuers, by the `iss` of their tokens.
pub struct OutsideIssuers {
    issuers: HashMap<String, (Arc<TrustedIssuer>, Published)>,
    /// Those whose tokens stand for applications. There are as many as operators named.
    federated: Mutex<HashMap<String, Arc<Published>>>,
    http: reqwest::Client,
}

impl OutsideIssuers {
    /// From the configuration. `http` is used to fetch their documents.
    #[must_use]
    pub fn new(configured: Vec<OutsideIssuerConfig>, http: reqwest::Client) -> Self {
        let issuers = configured.into_iter().map(|config| {
            let published = Published::by(&config.issuer);
            let trusted = Arc::new(TrustedIssuer::outside(
                config.issuer.clone(),
                config.audiences,
                config.tenant,
                config.object_id_claim,
            ));
            (config.issuer, (trusted, published))
        });
        Self { issuers: issuers.collect(), federated: Mutex::default(), http }
    }

    /// The issuer of that name and its keys; `None` when it is not trusted. Without reachable keys
    /// the set is empty, and so accepts no token.
    pub async fn find(&self, issuer: &str, kid: Option<&str>, now: Time) -> Option<(Arc<TrustedIssuer>, Arc<KeySet>)> {
        let (trusted, published) = self.issuers.get(issuer)?;
        Some((Arc::clone(trusted), self.current(issuer, published, kid, now).await))
    }

    /// The keys of an issuer that an application's federated credential names; empty when they
    /// cannot be had. To be asked only for issuers that an operator named.
    pub async fn keys_of(&self, issuer: &str, kid: Option<&str>, now: Time) -> Arc<KeySet> {
        let published = {
            let mut federated = self.federated.lock().unwrap_or_else(PoisonError::into_inner);
            let known = federated.entry(issuer.to_owned());
            Arc::clone(known.or_insert_with(|| Arc::new(Published::by(issuer))))
        };
        self.current(issuer, &published, kid, now).await
    }

    async fn current(&self, issuer: &str, published: &Published, kid: Option<&str>, now: Time) -> Arc<KeySet> {
        let now = now.seconds();
        let known = published.known(now);
        let has_key = known.keys.as_ref().is_some_and(|keys| kid.is_none_or(|kid| keys.contains(kid)));
        if !has_key || now.saturating_sub(known.fetched) > KEEP {
            // Only who needs a key that is not there waits for one that is fetching already.
            let turn = if has_key { published.fetching.try_lock().ok() } else { Some(published.fetching.lock().await) };
            if turn.is_some() && now.saturating_sub(published.known(now).asked) >= ASK_AGAIN {
                let fetched = self.fetch(&published.discovery).await;
                if let Err(fault) = &fetched {
                    tracing::warn!(issuer, %fault, "the keys of a trusted issuer could not be fetched");
                }
                published.remember(fetched.ok(), now);
            }
        }
        published.known(now).keys.unwrap_or_default()
    }

    async fn fetch(&self, discovery: &str) -> Result<KeySet, String> {
        #[derive(Deserialize)]
        struct Document {
            jwks_uri: String,
        }
        let document: Document =
            serde_json::from_slice(&self.get(discovery).await?).map_err(|_unreadable| "not a discovery document")?;
        let keys = self.get(&document.jwks_uri).await?;
        let keys = String::from_utf8(keys).map_err(|_unreadable| "not a key set")?;
        KeySet::from_jwks(&keys).map_err(|fault| fault.to_string())
    }

    async fn get(&self, url: &str) -> Result<Vec<u8>, String> {
        if !url.starts_with("https://") {
            return Err(format!("{url} is not an https URL"));
        }
        let request = self.http.get(url).timeout(Duration::from_secs(10)).send();
        let mut response =
            request.await.and_then(reqwest::Response::error_for_status).map_err(|fault| fault.to_string())?;
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|fault| fault.to_string())? {
            if body.len().saturating_add(chunk.len()) > DOCUMENT_LIMIT {
                return Err(format!("{url} is larger than {DOCUMENT_LIMIT} bytes"));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }
}
