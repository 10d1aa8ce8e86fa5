//! Checks bearer tokens: of the built-in issuer, and of outside issuers that the configuration
//! trusts. A token that was checked is remembered until it expires.

use std::borrow::Borrow;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use foldhash::quality::RandomState;
use http::HeaderValue;
use quick_cache::UnitWeighter;
use quick_cache::sync::{Cache, DefaultLifecycle};
use strongroom_auth::{Caller, Expect, TokenError, TrustedIssuer, check, peek};
use strongroom_store::Time;
use strongroom_wire::{Error, ErrorKind};
use zeroize::Zeroizing;

use crate::app::App;
use crate::endpoints::Service;
use crate::outside::OutsideIssuers;

/// Tokens remembered.
const REMEMBERED: usize = 10_000;

/// Clocks may differ by so many seconds.
const SKEW: i64 = 300;

/// A token that was found good. Found again by a hash under a key of this process, which costs a
/// tenth of a cryptographic one, and then compared whole: who cannot make a token with the same hash
/// learns nothing from the time that takes.
#[derive(PartialEq, Eq)]
struct Remembered(Zeroizing<String>);

impl Hash for Remembered {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.as_str().hash(state);
    }
}

impl Borrow<str> for Remembered {
    fn borrow(&self) -> &str {
        &self.0
    }
}

/// Checks tokens.
pub struct Authenticator {
    checked: Cache<Remembered, Arc<Caller>, UnitWeighter, RandomState>,
    outside: OutsideIssuers,
}

impl Authenticator {
    /// With these outside issuers trusted.
    #[must_use]
    pub fn new(outside: OutsideIssuers) -> Self {
        let most = u64::try_from(REMEMBERED).unwrap_or(u64::MAX);
        let checked = Cache::with(REMEMBERED, most, UnitWeighter, RandomState::default(), DefaultLifecycle::default());
        Self { checked, outside }
    }

    /// The issuers that are not our own.
    pub(crate) const fn outside(&self) -> &OutsideIssuers {
        &self.outside
    }

    /// Who sent the `Authorization` header, with a token for this service.
    ///
    /// # Errors
    /// `Unauthorized`, with the contract's text.
    pub async fn authenticate(
        &self,
        app: &App,
        service: Service<'_>,
        header: Option<&HeaderValue>,
        now: Time,
    ) -> Result<Arc<Caller>, Error> {
        let token =
            bearer(header).ok_or_else(|| unauthorized("AKV10000: Request is missing a Bearer or PoP token."))?;
        if let Some(caller) = self.checked.get(token) {
            let alive = now.seconds() < caller.expires.saturating_add(SKEW);
            // What was checked for one service is not for another.
            let is_for_it =
                || caller.is_for(app.audiences.shared(service)) || caller.is_for(&app.audiences.all(service));
            if alive && is_for_it() {
                return Ok(caller);
            }
            self.checked.remove(token);
        }
        let caller = self.check(app, service, token, now).await.map_err(|error| unauthorized(&error.message()))?;
        let caller = Arc::new(caller);
        self.checked.insert(Remembered(Zeroizing::new(token.to_owned())), Arc::clone(&caller));
        Ok(caller)
    }

    async fn check(&self, app: &App, service: Service<'_>, token: &str, now: Time) -> Result<Caller, TokenError> {
        let seen = peek(token)?;
        let tenant = app.directory.tenant();
        let audiences = app.audiences.all(service);
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
