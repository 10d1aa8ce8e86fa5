//! JSON Web Tokens (RFC 7519) in compact form (RFC 7515): made, taken apart, and checked against one key
//! of which the algorithm is fixed. `none` and HMAC do not exist here.

use serde::Deserialize;
use serde_json::{Map, Value};
use strongroom_crypto::{CryptoError, PublicKey, sha256, sha384, sha512};
use strongroom_wire::algorithms::SignatureAlgorithm;
use strongroom_wire::base64url;
use strongroom_wire::jwk::PublicJwk;

use super::error::TokenError;
use super::options::RingOptions;
use super::state::{Kid, RingKey};

/// Longest token that is looked at, in bytes.
const MAX_LEN: usize = 16 * 1024;

/// The claims of a token.
pub type Claims = Map<String, Value>;

/// The header members that matter.
#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    /// Extensions that must be understood; we understand none.
    crit: Option<Value>,
}

/// A token, taken apart, not yet checked.
pub(super) struct Parsed<'a> {
    pub(super) kid: Kid,
    algorithm: String,
    claims: Claims,
    signed: &'a str,
    signature: Vec<u8>,
}

impl<'a> Parsed<'a> {
    pub(super) fn parse(token: &'a str) -> Result<Self, TokenError> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
        // The decoder would take more spellings than the one that RFC 7515 knows.
        if token.len() > MAX_LEN || !token.bytes().all(plain) {
            return Err(TokenError::Malformed);
        }
        let (signed, signature) = token.rsplit_once('.').ok_or(TokenError::Malformed)?;
        let (header, payload) = signed.split_once('.').ok_or(TokenError::Malformed)?;
        let decoded = |part: &str| base64url::decode(part).map_err(|_invalid| TokenError::Malformed);
        let header: Header = serde_json::from_slice(&decoded(header)?).map_err(|_invalid| TokenError::Malformed)?;
        let claims: Claims = serde_json::from_slice(&decoded(payload)?).map_err(|_invalid| TokenError::Malformed)?;
        if header.crit.is_some() {
            return Err(TokenError::Malformed);
        }
        let kid = header.kid.as_deref().and_then(Kid::parse).ok_or(TokenError::UnknownKey)?;
        Ok(Self { kid, algorithm: header.alg, claims, signed, signature: decoded(signature)? })
    }

    /// The claims, once the signature is this key's and they are what the options ask for.
    pub(super) fn verify(self, key: &Verifier, options: &RingOptions, now: i64) -> Result<Claims, TokenError> {
        if self.algorithm != key.algorithm.as_str() {
            return Err(TokenError::Algorithm);
        }
        let digest = digest(key.algorithm, self.signed.as_bytes());
        match key.public.verify(key.algorithm, &digest, &self.signature) {
            Ok(true) => {}
            Ok(false) | Err(_) => return Err(TokenError::Signature),
        }
        check_claims(&self.claims, options, now)?;
        Ok(self.claims)
    }
}

/// A public key, ready for use.
pub(super) struct Verifier {
    pub(super) algorithm: SignatureAlgorithm,
    public: PublicKey,
    jwk: PublicJwk,
}

impl Verifier {
    /// # Errors
    /// When the key is none, or is not for its algorithm.
    pub(super) fn new(key: &RingKey) -> Result<Self, CryptoError> {
        let public = PublicKey::from_jwk(&key.public)?;
        // Says so now if key and algorithm do not go together.
        public.verify(key.algorithm, &vec![0; key.algorithm.digest_len()], &[])?;
        Ok(Self { algorithm: key.algorithm, public, jwk: key.public.clone() })
    }

    pub(super) fn is_for(&self, key: &RingKey) -> bool {
        self.algorithm == key.algorithm && self.jwk == key.public
    }

    pub(super) fn is_signature(&self, digest: &[u8], signature: &[u8]) -> bool {
        self.public.verify(self.algorithm, digest, signature).unwrap_or(false)
    }
}

/// Header and claims as they are signed.
pub(super) fn signing_input(kid: &Kid, algorithm: SignatureAlgorithm, claims: &Claims) -> String {
    let header = serde_json::json!({ "alg": algorithm, "kid": kid, "typ": "JWT" });
    let encoded = |value: String| base64url::encode(value.as_bytes());
    format!("{}.{}", encoded(header.to_string()), encoded(Value::Object(claims.clone()).to_string()))
}

/// The digest that an algorithm signs.
pub(super) fn digest(algorithm: SignatureAlgorithm, signed: &[u8]) -> Vec<u8> {
    match algorithm.digest_len() {
        32 => sha256(signed).to_vec(),
        48 => sha384(signed).to_vec(),
        _ => sha512(signed).to_vec(),
    }
}

fn check_claims(claims: &Claims, options: &RingOptions, now: i64) -> Result<(), TokenError> {
    let expires = date(claims, "exp")?.ok_or(TokenError::Expired)?;
    if now >= expires.saturating_add(options.skew) {
        return Err(TokenError::Expired);
    }
    if date(claims, "nbf")?.is_some_and(|begins| now.saturating_add(options.skew) < begins) {
        return Err(TokenError::NotYetValid);
    }
    if claims.get("iss").and_then(Value::as_str) != Some(options.issuer.as_str()) {
        return Err(TokenError::Issuer);
    }
    let is_for_us = match claims.get("aud") {
        Some(Value::String(one)) => *one == options.audience,
        Some(Value::Array(several)) => several.iter().any(|one| one.as_str() == Some(options.audience.as_str())),
        _ => false,
    };
    if is_for_us { Ok(()) } else { Err(TokenError::Audience) }
}

/// A numeric date; a fraction is rounded down.
fn date(claims: &Claims, claim: &str) -> Result<Option<i64>, TokenError> {
    let Some(value) = claims.get(claim) else { return Ok(None) };
    let seconds = value.as_i64().or_else(|| {
        let seconds = value.as_f64().filter(|seconds| seconds.abs() < 1e15)?;
        #[expect(clippy::as_conversions, reason = "within the range of exact integers")]
        Some(seconds.floor() as i64)
    });
    seconds.map(Some).ok_or(TokenError::Malformed)
}
