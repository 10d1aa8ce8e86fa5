//! Bodies of the key operations (REST reference, Keys).

use serde::{Deserialize, Serialize};

use crate::attributes::{Attributes, AttributesChange, DeletedFields, Tags};
use crate::base64url::Base64Url;
use crate::jwk::{ImportJwk, PublicJwk};
use crate::sensitive::{Sensitive, expose_option};

/// Most characters in a tag's name or value.
pub const MAX_TAG_CHARS: usize = 256;

/// `POST /keys/{name}/create`.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct KeyCreate {
    /// Key type; required.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kty: Option<String>,
    /// RSA modulus size in bits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_size: Option<u32>,
    /// RSA public exponent; Managed HSM only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub public_exponent: Option<u32>,
    /// EC curve.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub crv: Option<String>,
    /// Permitted operations.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_ops: Option<Vec<String>>,
    /// Attributes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attributes: Option<AttributesChange>,
    /// Tags.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tags: Option<Tags>,
    /// Conditions of release.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub release_policy: Option<serde_json::Value>,
}

/// `PUT /keys/{name}`.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct KeyImport {
    /// The key; required.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<ImportJwk>,
    /// Must it live in an HSM (on the wire with a capital H).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[serde(rename = "Hsm", alias = "hsm")]
    pub hsm: Option<bool>,
    /// Attributes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attributes: Option<AttributesChange>,
    /// Tags.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tags: Option<Tags>,
    /// Conditions of release.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub release_policy: Option<serde_json::Value>,
}

/// `PATCH /keys/{name}/{version}`. Absent members stay as they are.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct KeyUpdate {
    /// Permitted operations; replace all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_ops: Option<Vec<String>>,
    /// Attributes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attributes: Option<AttributesChange>,
    /// Tags; replace all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tags: Option<Tags>,
    /// Conditions of release.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub release_policy: Option<serde_json::Value>,
}

/// Bodies of encrypt, decrypt, sign, verify, wrapkey and unwrapkey. For `verify`, `value` is the
/// signature and `digest` the digest.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct KeyOperationParameters {
    /// Algorithm; required.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alg: Option<String>,
    /// Input; required.
    #[serde(serialize_with = "expose_option", skip_serializing_if = "Option::is_none")]
    pub value: Option<Sensitive<Base64Url>>,
    /// The digest to verify against.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub digest: Option<Base64Url>,
}

/// Answer to encrypt, decrypt, sign, wrapkey and unwrapkey.
#[derive(Debug, Serialize, Deserialize)]
pub struct KeyOperationResult {
    /// The versioned id of the key used.
    pub kid: String,
    /// Output.
    #[serde(serialize_with = "crate::sensitive::expose")]
    pub value: Sensitive<Base64Url>,
}

/// Answer to verify.
#[derive(Debug, Serialize, Deserialize)]
pub struct KeyVerifyResult {
    /// Is the signature genuine.
    pub value: bool,
}

/// Answer to backup; body of restore.
#[derive(Debug, Serialize, Deserialize)]
pub struct BackupBlob {
    /// The opaque blob, base64url.
    pub value: Option<Base64Url>,
}

/// The key member of a [`KeyBundle`]: the public half with its id and permitted operations.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct KeyMember {
    /// Versioned id.
    pub kid: String,
    /// `RSA`, `RSA-HSM`, `EC` or `EC-HSM`.
    pub kty: String,
    /// Permitted operations.
    #[serde(default)]
    pub key_ops: Vec<String>,
    /// RSA modulus.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub n: Option<Base64Url>,
    /// RSA public exponent.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub e: Option<Base64Url>,
    /// EC curve.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub crv: Option<String>,
    /// EC x coordinate.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub x: Option<Base64Url>,
    /// EC y coordinate.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub y: Option<Base64Url>,
}

impl KeyMember {
    /// The member for a public key. `hsm` adds the `-HSM` suffix to the type.
    #[must_use]
    pub fn new(kid: String, public: &PublicJwk, hsm: bool, key_ops: Vec<String>) -> Self {
        let typed = |base: &str| if hsm { format!("{base}-HSM") } else { base.to_owned() };
        let empty = Self { kid, kty: String::new(), key_ops, n: None, e: None, crv: None, x: None, y: None };
        match public.clone() {
            PublicJwk::Rsa { n, e } => Self { kty: typed("RSA"), n: Some(n), e: Some(e), ..empty },
            PublicJwk::Ec { crv, x, y } => {
                Self { kty: typed("EC"), crv: Some(crv.to_string()), x: Some(x), y: Some(y), ..empty }
            }
        }
    }
}

/// A key in an answer: `KeyBundle` and `DeletedKeyBundle` in one.
#[derive(Debug, Serialize, Deserialize)]
pub struct KeyBundle {
    /// The public key.
    pub key: KeyMember,
    /// Attributes.
    pub attributes: Attributes,
    /// Tags.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub tags: Option<Tags>,
    /// Present when soft-deleted.
    #[serde(flatten, skip_serializing_if = "Option::is_none", default)]
    pub deleted: Option<DeletedFields>,
}

/// A key in a list: `KeyItem` and `DeletedKeyItem` in one.
#[derive(Debug, Serialize, Deserialize)]
pub struct KeyItem {
    /// Identifier; without version in lists of keys.
    pub kid: String,
    /// Attributes.
    pub attributes: Attributes,
    /// Tags.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub tags: Option<Tags>,
    /// Present when soft-deleted.
    #[serde(flatten, skip_serializing_if = "Option::is_none", default)]
    pub deleted: Option<DeletedFields>,
}
