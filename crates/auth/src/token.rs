//! Checking bearer tokens (RFC 7519, RFC 8725; contract 1.3).

use serde_json::Value;

use crate::claims::{Caller, same_audience};
use crate::jws::Jws;
use crate::key_set::KeySet;

/// An issuer whose tokens are accepted.
#[derive(Debug, Clone)]
pub struct TrustedIssuer {
    /// The values of `iss` that are its own.
    issuers: Vec<String>,
    /// Audiences to accept beside the expected ones.
    audiences: Vec<String>,
    /// The `tid` that tokens must have.
    tenant: Option<String>,
    /// Must tokens have a `tid`?
    tenant_required: bool,
    object_id_claim: String,
}

impl TrustedIssuer {
    /// Our own, by all its names.
    #[must_use]
    pub fn built_in(issuers: Vec<String>, tenant: &str) -> Self {
        Self {
            issuers,
            audiences: Vec::new(),
            tenant: Some(tenant.to_owned()),
            tenant_required: true,
            object_id_claim: "oid".to_owned(),
        }
    }

    /// Another, as configured. With a tenant, a `tid` must be that one; an absent `tid` counts as
    /// the expected tenant, since other issuers know no tenants.
    #[must_use]
    pub fn outside(issuer: String, audiences: Vec<String>, tenant: Option<String>, object_id_claim: String) -> Self {
        Self { issuers: vec![issuer], audiences, tenant, tenant_required: false, object_id_claim }
    }
}

/// What is expected of a token.
#[derive(Debug, Clone, Copy)]
pub struct Expect<'a> {
    /// Accepted audiences; with or without a slash at the end.
    pub audiences: &'a [String],
    /// The vault's tenant.
    pub tenant: &'a str,
    /// Now, unix seconds.
    pub now: i64,
    /// By how many seconds clocks may differ.
    pub skew: i64,
}

/// What a token says of itself, unchecked: good for choosing the issuer and key, and nothing else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peek {
    /// The key.
    pub kid: Option<String>,
    /// The issuer.
    pub issuer: Option<String>,
}

/// Why a token is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// Not a signed JWT, or without a claim that it must have.
    #[error("malformed")]
    Malformed,
    /// An algorithm that is never accepted.
    #[error("algorithm not accepted")]
    BadAlgorithm,
    /// Signed by a key that the issuer does not publish.
    #[error("unknown key")]
    UnknownKey,
    /// Not signed by the key that it names.
    #[error("bad signature")]
    BadSignature,
    /// Past its `exp`.
    #[error("expired")]
    Expired,
    /// Before its `nbf`.
    #[error("not yet valid")]
    NotYetValid,
    /// For somebody else.
    #[error("wrong audience")]
    WrongAudience {
        /// What is accepted.
        expected: String,
        /// What it is for.
        found: String,
    },
    /// From somebody else, or of another tenant.
    #[error("wrong issuer")]
    WrongIssuer {
        /// Whom we accept.
        expected: String,
        /// Whose it is.
        found: String,
    },
}

impl TokenError {
    /// The text of the 401 (contract 1.1).
    #[must_use]
    pub fn message(&self) -> String {
        match self {
            Self::Malformed => {
                "AKV10001: The token is not a well-formed signed JWT with the claims of an access token.".to_owned()
            }
            Self::BadAlgorithm => "AKV10011: The token's signature algorithm is not accepted.".to_owned(),
            Self::UnknownKey => "AKV10012: The token is signed by a key that its issuer does not publish.".to_owned(),
            Self::BadSignature => "AKV10013: The token's signature is not valid.".to_owned(),
            Self::Expired => "[TokenExpired] Error validating token: 'S2S12086'.".to_owned(),
            Self::NotYetValid => "[TokenNotYetValid] Error validating token: 'S2S12087'.".to_owned(),
            Self::WrongAudience { expected, found } => {
                format!("AKV10022: Invalid audience. Expected {expected}, found: {found}.")
            }
            Self::WrongIssuer { expected, found } => {
                format!("AKV10032: Invalid issuer. Expected one of {expected}, found {found}.")
            }
        }
    }
}

/// Reads what a token says of itself.
///
/// # Errors
/// [`TokenError::Malformed`], [`TokenError::BadAlgorithm`].
pub fn peek(token: &str) -> Result<Peek, TokenError> {
    let jws = Jws::parse(token).ok_or(TokenError::Malformed)?;
    jws.algorithm().ok_or(TokenError::BadAlgorithm)?;
    Ok(Peek { kid: jws.header.kid.clone(), issuer: jws.text("iss").map(str::to_owned) })
}

/// Checks a token: algorithm, issuer, signature, times, audience, tenant, object id.
///
/// # Errors
/// The first thing that is wrong. Nothing of an unsigned token is reported but its issuer.
pub fn check(token: &str, issuer: &TrustedIssuer, keys: &KeySet, expect: &Expect<'_>) -> Result<Caller, TokenError> {
    let jws = Jws::parse(token).ok_or(TokenError::Malformed)?;
    jws.algorithm().ok_or(TokenError::BadAlgorithm)?;
    let found = jws.text("iss").ok_or(TokenError::Malformed)?;
    if !issuer.issuers.iter().any(|known| known == found) {
        return Err(TokenError::WrongIssuer { expected: issuer.issuers.join(", "), found: shown(found) });
    }
    let key = jws.header.kid.as_deref().and_then(|kid| keys.get(kid)).ok_or(TokenError::UnknownKey)?;
    if !jws.verify(key) {
        return Err(TokenError::BadSignature);
    }
    let expires = jws.date("exp").ok_or(TokenError::Malformed)?;
    if expect.now >= expires.saturating_add(expect.skew) {
        return Err(TokenError::Expired);
    }
    if jws.date("nbf").is_some_and(|nbf| expect.now.saturating_add(expect.skew) < nbf) {
        return Err(TokenError::NotYetValid);
    }
    let (audiences, any_service) = check_audience(&jws, issuer, expect)?;
    let tenant = check_tenant(&jws, issuer, expect)?;
    let object_id = jws.text(&issuer.object_id_claim).filter(|id| !id.is_empty()).ok_or(TokenError::Malformed)?;
    let app_id = jws.text("appid").or_else(|| jws.text("azp")).map(str::to_owned);
    let groups = jws.payload.get("groups").and_then(Value::as_array).into_iter().flatten();
    Ok(Caller {
        tenant,
        object_id: object_id.to_owned(),
        app_id,
        groups: groups.filter_map(Value::as_str).map(str::to_owned).collect(),
        issuer: found.to_owned(),
        expires,
        audiences,
        any_service,
        scopes: jws.text("scp").map(|scopes| scopes.split(' ').map(str::to_owned).collect()),
    })
}

/// The audiences of a token that is for us; and whether its issuer's configuration says so.
fn check_audience(
    jws: &Jws<'_>,
    issuer: &TrustedIssuer,
    expect: &Expect<'_>,
) -> Result<(Vec<String>, bool), TokenError> {
    // RFC 7519: a text, or a list of texts.
    let found: Vec<&str> = match jws.payload.get("aud") {
        Some(Value::String(one)) => vec![one],
        Some(Value::Array(many)) => many.iter().filter_map(Value::as_str).collect(),
        _ => return Err(TokenError::Malformed),
    };
    let is_for = |known: &String| found.iter().any(|found| same_audience(found, known));
    let any_service = issuer.audiences.iter().any(is_for);
    if any_service || expect.audiences.iter().any(is_for) {
        return Ok((found.into_iter().map(str::to_owned).collect(), any_service));
    }
    let expected = expect.audiences.first().cloned().unwrap_or_default();
    Err(TokenError::WrongAudience { expected, found: shown(&found.join(", ")) })
}

fn check_tenant(jws: &Jws<'_>, issuer: &TrustedIssuer, expect: &Expect<'_>) -> Result<String, TokenError> {
    let wanted = issuer.tenant.as_deref().unwrap_or(expect.tenant);
    match jws.text("tid") {
        Some(found) if found.eq_ignore_ascii_case(wanted) => Ok(found.to_owned()),
        None if !issuer.tenant_required => Ok(wanted.to_owned()),
        found => Err(TokenError::WrongIssuer {
            expected: format!("https://sts.windows.net/{wanted}/"),
            found: format!("https://sts.windows.net/{}/", shown(found.unwrap_or_default())),
        }),
    }
}

/// What a stranger sent, fit to be shown: plain characters, not many.
fn shown(text: &str) -> String {
    text.chars().filter(|c| c.is_ascii_graphic() && !matches!(c, '"' | '<' | '>') || *c == ' ').take(200).collect()
}
