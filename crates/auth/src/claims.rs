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
    /// What the token is for, without slashes at the end.
    pub audiences: Vec<String>,
    /// Is it for an audience that the configuration accepts of this issuer, whatever the service?
    pub any_service: bool,
    /// What was delegated (`scp`); `None` when nothing was said of it.
    pub scopes: Option<Vec<String>>,
}

impl Caller {
    /// Was the token issued for any of these audiences, or for all services?
    #[must_use]
    pub fn is_for(&self, audiences: &[String]) -> bool {
        let accepted = |known: &String| self.audiences.iter().any(|audience| same_audience(audience, known));
        self.any_service || audiences.iter().any(accepted)
    }

    /// As refusals name a caller.
    #[must_use]
    pub fn describe(&self) -> String {
        let app = self.app_id.as_deref().unwrap_or_default();
        format!("appid={app};oid={};iss={}", self.object_id, self.issuer)
    }
}

/// Audiences compare without case, and without a slash at the end (contract 2.8.3).
pub(crate) fn same_audience(one: &str, other: &str) -> bool {
    let plain = |text: &str| text.strip_suffix('/').unwrap_or(text).len();
    let (one, other) = (one.get(..plain(one)), other.get(..plain(other)));
    one.zip(other).is_some_and(|(one, other)| one.eq_ignore_ascii_case(other))
}
