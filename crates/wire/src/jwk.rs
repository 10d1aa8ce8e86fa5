//! JSON Web Keys as the protocol carries them (RFC 7517, RFC 7518 section 6).

use serde::{Deserialize, Serialize};

use crate::algorithms::Curve;
use crate::base64url::Base64Url;
use crate::sensitive::{Sensitive, expose_option};

/// The public half of an asymmetric key. Integers are big-endian.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kty")]
pub enum PublicJwk {
    /// RSA: modulus and exponent without leading zero bytes.
    #[serde(rename = "RSA")]
    Rsa {
        /// Modulus.
        n: Base64Url,
        /// Public exponent.
        e: Base64Url,
    },
    /// EC: affine coordinates, padded to the curve's length.
    #[serde(rename = "EC")]
    Ec {
        /// Curve.
        crv: Curve,
        /// X coordinate.
        x: Base64Url,
        /// Y coordinate.
        y: Base64Url,
    },
}

/// Private bytes that arrive as base64url: wiped on drop, never printed.
pub type SensitiveBytes = Sensitive<Base64Url>;

/// Key material to import: whatever members the client sent, not yet checked against each other.
#[derive(Debug, Serialize, Deserialize, Default)]
#[serde(default)]
pub struct ImportJwk {
    /// Key type, as sent.
    pub kty: String,
    /// Permitted operations, as sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_ops: Option<Vec<String>>,
    /// RSA modulus.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub n: Option<Base64Url>,
    /// RSA public exponent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub e: Option<Base64Url>,
    /// RSA private exponent, or EC private scalar.
    #[serde(serialize_with = "expose_option", skip_serializing_if = "Option::is_none")]
    pub d: Option<SensitiveBytes>,
    /// RSA d mod (p−1).
    #[serde(serialize_with = "expose_option", skip_serializing_if = "Option::is_none")]
    pub dp: Option<SensitiveBytes>,
    /// RSA d mod (q−1).
    #[serde(serialize_with = "expose_option", skip_serializing_if = "Option::is_none")]
    pub dq: Option<SensitiveBytes>,
    /// RSA q⁻¹ mod p.
    #[serde(serialize_with = "expose_option", skip_serializing_if = "Option::is_none")]
    pub qi: Option<SensitiveBytes>,
    /// RSA first prime.
    #[serde(serialize_with = "expose_option", skip_serializing_if = "Option::is_none")]
    pub p: Option<SensitiveBytes>,
    /// RSA second prime.
    #[serde(serialize_with = "expose_option", skip_serializing_if = "Option::is_none")]
    pub q: Option<SensitiveBytes>,
    /// Symmetric key.
    #[serde(serialize_with = "expose_option", skip_serializing_if = "Option::is_none")]
    pub k: Option<SensitiveBytes>,
    /// EC curve, as sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub crv: Option<String>,
    /// EC x coordinate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub x: Option<Base64Url>,
    /// EC y coordinate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub y: Option<Base64Url>,
    /// BYOK transfer blob.
    #[serde(serialize_with = "expose_option", skip_serializing_if = "Option::is_none")]
    pub key_hsm: Option<SensitiveBytes>,
}
