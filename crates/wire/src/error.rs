//! Error kinds, and the one table that gives each its status and codes.

use serde::{Deserialize, Serialize};

use crate::ids::Kind;

/// Why an operation on a vault was refused or failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// The request is malformed, or asks for something that does not exist in the protocol.
    BadParameter,
    /// The request body is larger than the operation allows.
    TooLarge,
    /// The request did not arrive in time. Clients try again.
    Timeout,
    /// No token, or one that is not accepted.
    Unauthorized,
    /// The caller holds no role that allows the action.
    ForbiddenByRbac,
    /// Purge was asked of a vault with purge protection.
    PurgeProtected,
    /// The version of the secret is disabled.
    SecretDisabled,
    /// The version of the key is disabled.
    KeyDisabled,
    /// The key's `nbf` lies ahead.
    KeyNotYetValid,
    /// The key's `exp` has passed.
    KeyExpired,
    /// `key_ops` lacks the operation.
    KeyOperationForbidden,
    /// No such live object or version.
    NotFound(Kind),
    /// No such soft-deleted object.
    DeletedNotFound(Kind),
    /// No vault of that name.
    VaultNotFound,
    /// The name belongs to a soft-deleted object.
    DeletedButRecoverable,
    /// The name is taken.
    Conflict,
    /// Too many requests; try again later.
    Throttled,
    /// The store or the key provider cannot answer now; try again later.
    Unavailable,
    /// A fault of ours.
    Internal,
}

impl ErrorKind {
    /// HTTP status, `error.code` and `error.innererror.code`.
    #[must_use]
    pub const fn wire(self) -> (u16, &'static str, Option<&'static str>) {
        match self {
            Self::BadParameter => (400, "BadParameter", None),
            Self::TooLarge => (413, "BadParameter", None),
            Self::Timeout => (408, "RequestTimeout", None),
            Self::Unauthorized => (401, "Unauthorized", None),
            Self::ForbiddenByRbac => (403, "Forbidden", Some("ForbiddenByRbac")),
            Self::PurgeProtected => (403, "Forbidden", None),
            Self::SecretDisabled => (403, "Forbidden", Some("SecretDisabled")),
            Self::KeyDisabled => (403, "Forbidden", Some("KeyDisabled")),
            Self::KeyNotYetValid => (403, "Forbidden", Some("KeyNotYetValid")),
            Self::KeyExpired => (403, "Forbidden", Some("KeyExpired")),
            Self::KeyOperationForbidden => (403, "Forbidden", Some("KeyOperationForbidden")),
            Self::NotFound(kind) | Self::DeletedNotFound(kind) => (404, kind.not_found_code(), None),
            Self::VaultNotFound => (404, "VaultNotFound", None),
            Self::DeletedButRecoverable => (409, "Conflict", Some("ObjectIsDeletedButRecoverable")),
            Self::Conflict => (409, "Conflict", None),
            Self::Throttled => (429, "Throttled", None),
            Self::Unavailable => (503, "ServiceUnavailable", None),
            Self::Internal => (500, "InternalError", None),
        }
    }
}

/// A refusal or a failure: the kind, and a message that is safe to show to the caller.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{message}")]
pub struct Error {
    /// What happened, as programs see it.
    pub kind: ErrorKind,
    /// What happened, as people see it. Never holds a secret or an internal detail.
    pub message: String,
    /// The answer's `x-ms-request-id`, when a remote vault refused: its log has more under that id.
    pub request_id: Option<Box<str>>,
}

/// Which request it was makes no difference.
impl PartialEq for Error {
    fn eq(&self, other: &Self) -> bool {
        (self.kind, &self.message) == (other.kind, &other.message)
    }
}

impl Eq for Error {}

impl Error {
    /// An error of this kind.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), request_id: None }
    }

    /// With the id of the request that a remote vault refused.
    #[must_use]
    pub fn with_request_id(self, id: Option<&str>) -> Self {
        Self { request_id: id.map(Into::into), ..self }
    }

    /// `400 BadParameter`.
    pub fn bad_parameter(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::BadParameter, message)
    }

    /// `404`: no live object of that name (and version).
    #[must_use]
    pub fn not_found(kind: Kind, name_and_version: &str) -> Self {
        let (noun, article) = (kind.noun(), "A");
        Self::new(
            ErrorKind::NotFound(kind),
            format!(
                "{article} {noun} with (name/id) {name_and_version} was not found in this key vault. If you recently \
                 deleted this {noun} you may be able to recover it using the correct recovery command. For help \
                 resolving this issue, please see https://go.microsoft.com/fwlink/?linkid=2125182"
            ),
        )
    }

    /// `404`: no soft-deleted object of that name.
    #[must_use]
    pub fn deleted_not_found(kind: Kind, name: &str) -> Self {
        Self::new(ErrorKind::DeletedNotFound(kind), format!("Deleted {} not found: {name}", kind.title()))
    }

    /// `409`: the name belongs to a soft-deleted object.
    #[must_use]
    pub fn deleted_but_recoverable(kind: Kind, name: &str) -> Self {
        let (title, noun) = (kind.title(), kind.noun());
        Self::new(
            ErrorKind::DeletedButRecoverable,
            format!(
                "{title} {name} is currently in a deleted but recoverable state, and its name cannot be reused; in \
                 this state, the {noun} can only be recovered or purged."
            ),
        )
    }

    /// The JSON body.
    #[must_use]
    pub fn body(&self) -> ErrorBody {
        let (_, code, inner) = self.kind.wire();
        ErrorBody {
            error: ErrorDetail {
                code: code.to_owned(),
                message: self.message.clone(),
                innererror: inner.map(|code| InnerError { code: code.to_owned() }),
            },
        }
    }
}

/// The JSON body of every refusal.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ErrorBody {
    /// The one member.
    pub error: ErrorDetail,
}

/// The content of an [`ErrorBody`].
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ErrorDetail {
    /// What programs test.
    pub code: String,
    /// What people read.
    pub message: String,
    /// A finer code.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub innererror: Option<InnerError>,
}

/// The finer code of an error.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct InnerError {
    /// What programs test.
    pub code: String,
}
