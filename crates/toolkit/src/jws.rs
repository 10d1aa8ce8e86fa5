//! JSON Web Signatures in their compact form (RFC 7515) and JSON Web Tokens (RFC 7519), signed by a
//! key that stays in its vault: RS, PS and ES algorithms.
//!
//! ```
//! use serde_json::json;
//! use strongroom::jws::{self, JwtChecks};
//! use strongroom::keys::{Curve, KeySpec, VaultKey};
//!
//! # tokio::runtime::Runtime::new()?.block_on(async {
//! let key = VaultKey::new(strongroom::open("memory:").await?, "jwt-signing-key")?;
//! key.create(KeySpec::Ec(Curve::P256)).await?;
//! let now = key.clock().now().seconds();
//! let token = jws::sign_jwt(&key, None, &json!({ "sub": "alice", "aud": "api", "exp": now + 600 })).await?;
//!
//! let (_version, public) = key.public().await?;
//! let checks = JwtChecks { audience: Some("api".to_owned()), ..JwtChecks::default() };
//! let claims = jws::verify_jwt(&token, &public, &checks, key.clock().now())?;
//! assert_eq!(claims["sub"], "alice");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use strongroom_crypto::PublicKey;
use strongroom_store::Time;
use strongroom_wire::algorithms::SignatureAlgorithm;
use strongroom_wire::base64url;

use crate::keys::{KeyError, VaultKey, default_algorithm, digest};

/// Longest token that is looked at, in bytes.
const MAX_LEN: usize = 1 << 20;

/// Why a token was not signed or not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum JwsError {
    /// The key.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// It is no compact JWS, or has a header that asks for more than is done here.
    #[error("not a token that can be read here: {0}")]
    Malformed(&'static str),
    /// The signature is not the key's.
    #[error("the signature is not valid")]
    Signature,
    /// A claim speaks against it.
    #[error("the token is not accepted: {0}")]
    Claim(&'static str),
}

/// The protected header.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// The algorithm.
    pub alg: SignatureAlgorithm,
    /// What is signed: `JWT`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub typ: Option<String>,
    /// Which key: `NAME/VERSION` when this module signs.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub kid: Option<String>,
}

/// A token whose signature is valid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// Its header.
    pub header: Header,
    /// What was signed.
    pub payload: Vec<u8>,
}

/// What [`verify_jwt`] looks at besides the signature. Times are seconds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JwtChecks {
    /// `iss` has to be this.
    pub issuer: Option<String>,
    /// `aud` has to be this, or a list with it.
    pub audience: Option<String>,
    /// By how much clocks may differ.
    pub leeway: i64,
    /// Is a token without `exp` refused.
    pub require_expiry: bool,
}

impl Default for JwtChecks {
    fn default() -> Self {
        Self { issuer: None, audience: None, leeway: 30, require_expiry: true }
    }
}

/// Signs `payload`; the header names the version of the key that signed. Without an algorithm the
/// usual one of the key.
///
/// # Errors
/// [`JwsError::Key`].
pub async fn sign(
    key: &VaultKey,
    algorithm: Option<SignatureAlgorithm>,
    typ: Option<&str>,
    payload: &[u8],
) -> Result<String, JwsError> {
    // The version has to be known before: its name is signed, too.
    let (version, public) = key.public().await?;
    let alg = algorithm.unwrap_or_else(|| default_algorithm(public.spec()));
    let header = Header { alg, typ: typ.map(str::to_owned), kid: Some(key.id(version)) };
    let header = serde_json::to_vec(&header).map_err(|_fault| JwsError::Malformed("the header"))?;
    let input = format!("{}.{}", base64url::encode(&header), base64url::encode(payload));
    let signature = key.at(version).sign(alg, input.as_bytes()).await?;
    Ok(format!("{input}.{}", base64url::encode(&signature.bytes)))
}

/// Signs claims as a JWT.
///
/// # Errors
/// [`JwsError::Malformed`] unless the claims are a JSON object; [`JwsError::Key`].
pub async fn sign_jwt(
    key: &VaultKey,
    algorithm: Option<SignatureAlgorithm>,
    claims: &Value,
) -> Result<String, JwsError> {
    if !claims.is_object() {
        return Err(JwsError::Malformed("claims are a JSON object"));
    }
    sign(key, algorithm, Some("JWT"), claims.to_string().as_bytes()).await
}

/// Signs what travels by another way: `HEADER..SIGNATURE` (RFC 7515 appendix F).
///
/// ```
/// # tokio::runtime::Runtime::new()?.block_on(async {
/// # use strongroom::{jws, keys::{Curve, KeySpec, VaultKey}};
/// # let key = VaultKey::new(strongroom::open("memory:").await?, "hooks")?;
/// # key.create(KeySpec::Ec(Curve::P384)).await?;
/// let detached = jws::sign_detached(&key, None, b"the body of a webhook").await?;
/// let (_version, public) = key.public().await?;
/// jws::verify_detached(&detached, b"the body of a webhook", &public)?;
/// assert!(jws::verify_detached(&detached, b"another", &public).is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// [`JwsError::Key`].
pub async fn sign_detached(
    key: &VaultKey,
    algorithm: Option<SignatureAlgorithm>,
    payload: &[u8],
) -> Result<String, JwsError> {
    let whole = sign(key, algorithm, None, payload).await?;
    let (header, _payload, signature) = parts(&whole)?;
    Ok(format!("{header}..{signature}"))
}

/// Checks a compact JWS with a public key. The header chooses among the algorithms that the key has,
/// and nothing else.
///
/// # Errors
/// [`JwsError::Malformed`] and [`JwsError::Signature`].
pub fn verify(token: &str, key: &PublicKey) -> Result<Verified, JwsError> {
    let (header, payload, _signature) = parts(token)?;
    if payload.is_empty() {
        return Err(JwsError::Malformed("it has no payload"));
    }
    let payload = decode(payload)?;
    let header = check(token, header, key, None)?;
    Ok(Verified { header, payload })
}

/// Checks what [`sign_detached`] gives.
///
/// # Errors
/// As [`verify`].
pub fn verify_detached(token: &str, payload: &[u8], key: &PublicKey) -> Result<Header, JwsError> {
    let (header, between, _signature) = parts(token)?;
    if !between.is_empty() {
        return Err(JwsError::Malformed("its payload is not detached"));
    }
    check(token, header, key, Some(payload))
}

/// Checks a JWT: signature, `exp`, `nbf`, and what `checks` says.
///
/// # Errors
/// [`JwsError`].
pub fn verify_jwt(token: &str, key: &PublicKey, checks: &JwtChecks, now: Time) -> Result<Value, JwsError> {
    let payload = verify(token, key)?.payload;
    let claims: Map<String, Value> =
        serde_json::from_slice(&payload).map_err(|_fault| JwsError::Malformed("its claims are no JSON object"))?;
    let now = now.seconds();
    match claims.get("exp").map(seconds) {
        Some(Some(expires)) if now < expires.saturating_add(checks.leeway) => {}
        Some(Some(_)) => return Err(JwsError::Claim("it has expired")),
        Some(None) => return Err(JwsError::Claim("exp is no time")),
        None if checks.require_expiry => return Err(JwsError::Claim("it does not say when it expires (exp)")),
        None => {}
    }
    match claims.get("nbf").map(seconds) {
        Some(Some(begins)) if now < begins.saturating_sub(checks.leeway) => {
            return Err(JwsError::Claim("it is not valid yet (nbf)"));
        }
        Some(None) => return Err(JwsError::Claim("nbf is no time")),
        _ => {}
    }
    if checks.issuer.is_some() && claims.get("iss").and_then(Value::as_str) != checks.issuer.as_deref() {
        return Err(JwsError::Claim("it is from another issuer (iss)"));
    }
    if let Some(wanted) = &checks.audience {
        let meant = match claims.get("aud") {
            Some(Value::String(one)) => one == wanted,
            Some(Value::Array(several)) => several.iter().any(|one| one.as_str() == Some(wanted)),
            _ => false,
        };
        if !meant {
            return Err(JwsError::Claim("it is for another audience (aud)"));
        }
    }
    Ok(Value::Object(claims))
}

/// The header of a token that nobody has checked yet: to find the key by its `kid`.
///
/// # Errors
/// [`JwsError::Malformed`].
pub fn unverified_header(token: &str) -> Result<Header, JwsError> {
    read_header(parts(token)?.0)
}

fn check(token: &str, header: &str, key: &PublicKey, payload: Option<&[u8]>) -> Result<Header, JwsError> {
    let (input, signature) = token.rsplit_once('.').ok_or(JwsError::Malformed("it has not three parts"))?;
    let signature = decode(signature)?;
    let parsed = read_header(header)?;
    let digest = match payload {
        None => digest(parsed.alg, input.as_bytes()),
        Some(payload) => digest(parsed.alg, format!("{header}.{}", base64url::encode(payload)).as_bytes()),
    };
    // An algorithm of another kind of key is just not this key's signature.
    match key.verify(parsed.alg, &digest, &signature) {
        Ok(true) => Ok(parsed),
        _ => Err(JwsError::Signature),
    }
}

fn read_header(header: &str) -> Result<Header, JwsError> {
    let members: Map<String, Value> =
        serde_json::from_slice(&decode(header)?).map_err(|_fault| JwsError::Malformed("its header is no JSON"))?;
    if members.contains_key("crit") || members.contains_key("b64") {
        return Err(JwsError::Malformed("its header asks for an extension"));
    }
    serde_json::from_value(Value::Object(members))
        .map_err(|_fault| JwsError::Malformed("its header names no algorithm of RSA or an offered curve"))
}

fn parts(token: &str) -> Result<(&str, &str, &str), JwsError> {
    if token.len() > MAX_LEN {
        return Err(JwsError::Malformed("it is longer than 1 MiB"));
    }
    let mut parts = token.split('.');
    match (parts.next(), parts.next(), parts.next(), parts.next()) {
        (Some(header), Some(payload), Some(signature), None) => Ok((header, payload, signature)),
        _ => Err(JwsError::Malformed("it has not three parts")),
    }
}

/// Without padding, as RFC 7515 has it.
fn decode(part: &str) -> Result<Vec<u8>, JwsError> {
    let bytes = if part.contains(['=', '+', '/']) { None } else { base64url::decode(part).ok() };
    bytes.ok_or(JwsError::Malformed("a part is not base64url"))
}

/// A `NumericDate`, rounded down.
fn seconds(value: &Value) -> Option<i64> {
    let whole = |time: f64| format!("{:.0}", time.floor()).parse().ok();
    value.as_i64().or_else(|| value.as_f64().filter(|time| time.is_finite()).and_then(whole))
}
