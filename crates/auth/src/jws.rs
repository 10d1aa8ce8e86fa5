//! Compact JWS (RFC 7515): taken apart and checked against one key. Only asymmetric algorithms
//! exist here, so neither `none` nor an HMAC over a public key can be asked for.

use serde::Deserialize;
use serde_json::Value;
use strongroom_crypto::{PublicKey, sha256, sha384, sha512};
use strongroom_wire::algorithms::SignatureAlgorithm;
use strongroom_wire::base64url;

/// Longest token that is looked at, in bytes.
const MAX_LEN: usize = 16 * 1024;

/// The header members that matter.
#[derive(Debug, Deserialize)]
pub(crate) struct Header {
    pub(crate) alg: String,
    #[serde(default)]
    pub(crate) kid: Option<String>,
    #[serde(default)]
    pub(crate) x5t: Option<String>,
    #[serde(default, rename = "x5t#S256")]
    pub(crate) x5t_s256: Option<String>,
    /// Extensions that must be understood; we understand none.
    #[serde(default)]
    crit: Option<Value>,
}

/// A token, taken apart, not yet checked.
pub(crate) struct Jws<'a> {
    pub(crate) header: Header,
    pub(crate) payload: Value,
    signed: &'a str,
    signature: Vec<u8>,
}

impl<'a> Jws<'a> {
    /// Takes a token apart; `None` when it is not a compact JWS with a JSON object in it.
    pub(crate) fn parse(token: &'a str) -> Option<Self> {
        if token.len() > MAX_LEN {
            return None;
        }
        let (signed, signature) = token.rsplit_once('.')?;
        let (header, payload) = signed.split_once('.')?;
        let header: Header = serde_json::from_slice(&base64url::decode(header).ok()?).ok()?;
        let payload: Value = serde_json::from_slice(&base64url::decode(payload).ok()?).ok()?;
        if !payload.is_object() || header.crit.is_some() {
            return None;
        }
        Some(Self { header, payload, signed, signature: base64url::decode(signature).ok()? })
    }

    /// The algorithm, when it is one that we accept.
    pub(crate) fn algorithm(&self) -> Option<SignatureAlgorithm> {
        SignatureAlgorithm::parse(&self.header.alg).ok()
    }

    /// Is the signature this key's? False, too, when the algorithm is not for the key.
    pub(crate) fn verify(&self, key: &PublicKey) -> bool {
        let Some(algorithm) = self.algorithm() else { return false };
        let signed = self.signed.as_bytes();
        let digest = match algorithm.digest_len() {
            32 => sha256(signed).to_vec(),
            48 => sha384(signed).to_vec(),
            _ => sha512(signed).to_vec(),
        };
        key.verify(algorithm, &digest, &self.signature).unwrap_or(false)
    }

    /// A text claim.
    pub(crate) fn text(&self, claim: &str) -> Option<&str> {
        self.payload.get(claim)?.as_str()
    }

    /// A numeric date (RFC 7519): an integer, or, as some clients send it, a fraction.
    pub(crate) fn date(&self, claim: &str) -> Option<i64> {
        let value = self.payload.get(claim)?;
        value.as_i64().or_else(|| {
            let seconds = value.as_f64().filter(|seconds| seconds.abs() < 1e15)?;
            // Within the range of exact integers, so nothing but the fraction is lost.
            #[allow(clippy::as_conversions)]
            Some(seconds.floor() as i64)
        })
    }
}
