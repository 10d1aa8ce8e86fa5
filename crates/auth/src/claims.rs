//! The claims of access tokens, and the caller that a checked token makes.

use serde::{Deserialize, Serialize};

/// The claims that we put into a token (contract 1.3).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccessClaims {
    /// Audience: the resource.
    pub aud: String,
    /// Issuer.
    pub iss: String,
    /// Issued at, unix seconds.
    pub iat: i64,
    /// Not before.
    pub nbf: i64,
    /// Expires.
    pub exp: i64,
    /// Tenant.
    pub tid: String,
    /// Object id of the principal.
    pub oid: String,
    /// Subject; the object id for applications.
    pub sub: String,
    /// Client id, by its v1 name.
    pub appid: Option<String>,
    /// Client id, by its v2 name.
    pub azp: Option<String>,
    /// `app` for applications.
    pub idtyp: Option<String>,
    /// `2.0`.
    pub ver: String,
    /// Identifies the token.
    pub uti: String,
}

/// Who sent a token that was checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// Tenant.
    pub tenant: String,
    /// Object id: what roles are assigned to.
    pub object_id: String,
    /// Client id.
    pub app_id: Option<String>,
    /// Object ids of groups.
    pub groups: Vec<String>,
    /// Issuer.
    pub issuer: String,
    /// When the token expires, unix seconds.
    pub expires: i64,
}

impl Caller {
    /// As refusals name a caller.
    #[must_use]
    pub fn describe(&self) -> String {
        let app = self.app_id.as_deref().unwrap_or_default();
        format!("appid={app};oid={};iss={}", self.object_id, self.issuer)
    }
}
