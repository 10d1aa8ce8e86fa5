//! Bodies of the secret operations (REST reference, Secrets).

use serde::{Deserialize, Serialize};

use crate::attributes::{Attributes, AttributesChange, DeletedFields, Tags};
use crate::sensitive::{Sensitive, expose_option};

/// Most bytes in a secret's value, as UTF-8.
pub const MAX_VALUE_BYTES: usize = 25_600;

/// Most characters in a content type.
pub const MAX_CONTENT_TYPE_CHARS: usize = 255;

/// Most characters in a tag's name or value.
pub const MAX_TAG_CHARS: usize = 512;

/// `PUT /secrets/{name}`.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct SecretSet {
    /// The value; required.
    #[serde(serialize_with = "expose_option")]
    pub value: Option<Sensitive<String>>,
    /// What the value is.
    #[serde(rename = "contentType", skip_serializing_if = "Option::is_none")]
    pub content_type: Option<String>,
    /// Attributes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attributes: Option<AttributesChange>,
    /// Tags.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tags: Option<Tags>,
}

/// `PATCH /secrets/{name}/{version}`. Absent members stay as they are.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct SecretUpdate {
    /// What the value is.
    #[serde(rename = "contentType", skip_serializing_if = "Option::is_none")]
    pub content_type: Option<String>,
    /// Attributes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attributes: Option<AttributesChange>,
    /// Tags; replace all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tags: Option<Tags>,
}

/// A secret in an answer: `SecretBundle`, `SecretItem` and their deleted forms in one.
#[derive(Debug, Serialize, Deserialize)]
pub struct SecretBundle {
    /// The value; in answers to set and get only.
    #[serde(serialize_with = "expose_option", skip_serializing_if = "Option::is_none", default)]
    pub value: Option<Sensitive<String>>,
    /// Identifier; without version in lists of secrets.
    pub id: String,
    /// What the value is.
    #[serde(rename = "contentType", skip_serializing_if = "Option::is_none", default)]
    pub content_type: Option<String>,
    /// Attributes.
    pub attributes: Attributes,
    /// Tags.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub tags: Option<Tags>,
    /// Present when soft-deleted.
    #[serde(flatten, skip_serializing_if = "Option::is_none", default)]
    pub deleted: Option<DeletedFields>,
}
