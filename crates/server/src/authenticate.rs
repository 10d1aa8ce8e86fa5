//! Checks bearer tokens: of the built-in issuer, and of outside issuers that the configuration
//! trusts. A token that was checked is remembered until it expires.

use std::sync::Arc;

use http::HeaderValue;
use strongroom_auth::{Caller, Expect, TokenError, TrustedIssuer, check, peek};
use strongroom_crypto::sha256;
use strongroom_store::Time;
use strongroom_wire::{Error, ErrorKind};

use crate::app::App;
use crate::outside::OutsideIssuers;

/// Tokens remembered.
const REMEMBERED: u64 = 20_000;

/// Clocks may differ by so many seconds.
const SKEW: i64 = 300;

/// Checks tokens.
pub struct Authenticator {
    checked: moka::sync::Cache<[u8; 32], Arc<Caller>>,
    outside: OutsideIssuers,
}

impl Authenticator {
    /// With these outside issuers trusted.
    #[must_use]
    pub fn new(outside: OutsideIssuers) -> Self {
        Self { checked: moka::sync::Cache::new(REMEMBERED), outside }
    }

    /// Who sent the `Authorization` header.
    ///
    /// # Errors
    /// `Unauthorized`, with the contract's text.
    pub async fn authenticate(&self, app: &App, header: Option<&HeaderValue>, now: Time) -> Result<Arc<Caller>, Error> {
        let token =
            bearer(header).ok_or_else(|| unauthorized("AKV10000: Request is missing a Bearer or PoP token."))?;
        let id = sha256(token.as_bytes());
        if let Some(caller) = self.checked.get(&id) {
            if now.seconds() < caller.expires.saturating_add(SKEW) {
                return Ok(caller);
            }
            self.checked.invalidate(&id);
        }
        let caller = self.check(app, token, now).await.map_err(|error| unauthorized(&error.message()))?;
        let caller = Arc::new(caller);
        self.checked.insert(id, Arc::clone(&caller));
        Ok(caller)
    }

    async fn check(&self, app: &App, token: &str, now: Time) -> Result<Caller, TokenError> {
        let seen = peek(token)?;
        let tenant = app.directory.tenant();
        let audiences = app.endpoints.resources();
        let expect = Expect { audiences: &audiences, tenant, now: now.seconds(), skew: SKEW };
        let issuer = seen.issuer.clone().unwrap_or_default();
        if let Some((trusted, keys)) = self.outside.find(&issuer, seen.kid.as_deref(), now).await {
            return check(token, &trusted, &keys, &expect);
        }
        let own: Vec<String> = app.endpoints.0.iter().map(|endpoint| endpoint.issuer(tenant)).collect();
        let trusted = TrustedIssuer::built_in(own, tenant);
        check(token, &trusted, &app.directory.ring().key_set(now.seconds()), &expect)
    }
}

fn bearer(header: Option<&HeaderValue>) -> Option<&str> {
    let (scheme, token) = header?.to_str().ok()?.split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}

fn unauthorized(message: &str) -> Error {
    Error::new(ErrorKind::Unauthorized, message)
}
