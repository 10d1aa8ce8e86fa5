//! Refusals of the App Configuration protocol: their status, and their `problem+json` body
//! (RFC 9457, contract 2.8.12). Some have an empty body.

use serde_json::{Value, json};

/// Why a request was refused or failed. Texts are safe to show to the caller.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// A parameter is not valid.
    #[error("Invalid request parameter '{name}': {detail}")]
    Invalid {
        /// The parameter, as it stands on the wire.
        name: String,
        /// What is wrong with it.
        detail: String,
        /// Where in a filter, in characters from 0.
        position: Option<usize>,
    },
    /// The api-version is not one that is served.
    #[error("{0}")]
    ApiVersion(&'static str),
    /// No credential, or one that is not accepted: scheme of the challenge and its text, if any.
    #[error("{description}")]
    Unauthorized {
        /// `error_description` of the challenge; empty when there was no credential.
        description: String,
        /// Did a Bearer token fail, and not a signature?
        bearer: bool,
    },
    /// The caller may not do it.
    #[error("forbidden")]
    Forbidden,
    /// There is no such thing, or no such path.
    #[error("not found")]
    NotFound,
    /// The path is known, with these other methods.
    #[error("method not allowed, but {0}")]
    MethodNotAllowed(String),
    /// `If-Match` or `If-None-Match` does not hold.
    #[error("precondition failed")]
    PreconditionFailed,
    /// The key-value is locked.
    #[error("the key-value is locked")]
    Locked(String),
    /// The name is taken.
    #[error("the name is taken")]
    AlreadyExists,
    /// Not in this state.
    #[error("not in this state")]
    InvalidState,
    /// The body is larger than the operation takes, in bytes.
    #[error("the body is larger than {0} bytes")]
    TooLarge(usize),
    /// The body is in a format that the operation does not take.
    #[error("unsupported media type")]
    UnsupportedMediaType,
    /// The body did not arrive in time.
    #[error("the body took too long to arrive")]
    Timeout,
    /// A quota of the store is used up.
    #[error("{0}")]
    Quota(String),
    /// The store below does not answer now.
    #[error("unavailable")]
    Unavailable(&'static str),
    /// A fault of ours.
    #[error("internal fault")]
    Internal,
}

impl Problem {
    /// An invalid parameter.
    pub fn invalid(name: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::Invalid { name: name.into(), detail: detail.into(), position: None }
    }

    /// HTTP status.
    #[must_use]
    pub const fn status(&self) -> u16 {
        match self {
            Self::Invalid { .. } | Self::ApiVersion(_) => 400,
            Self::Unauthorized { .. } => 401,
            Self::Forbidden => 403,
            Self::NotFound => 404,
            Self::MethodNotAllowed(_) => 405,
            Self::Timeout => 408,
            Self::Locked(_) | Self::AlreadyExists | Self::InvalidState => 409,
            Self::PreconditionFailed => 412,
            Self::TooLarge(_) => 413,
            Self::UnsupportedMediaType => 415,
            Self::Quota(_) => 429,
            Self::Internal => 500,
            Self::Unavailable(_) => 503,
        }
    }

    /// The body; `None` is an empty one.
    #[must_use]
    pub fn body(&self) -> Option<Value> {
        let (kind, title, name, detail) = match self {
            Self::Invalid { name, detail, .. } => {
                let title = format!("Invalid request parameter '{name}'");
                ("invalid-argument", title, Some(name.as_str()), detail.clone())
            }
            Self::ApiVersion(title) => ("invalid-argument", (*title).to_owned(), Some("api-version"), String::new()),
            Self::Locked(key) => (
                "key-locked",
                // As the service spells it.
                format!("Modifing key '{key}' is not allowed"),
                Some(key.as_str()),
                "The key is read-only. To allow modification unlock it first.".to_owned(),
            ),
            Self::AlreadyExists => ("already-exists", "The resource already exists.".to_owned(), None, String::new()),
            Self::InvalidState => (
                "invalid-state",
                "Target resource state invalid.".to_owned(),
                None,
                "The target resource is not in a valid state to perform the requested operation.".to_owned(),
            ),
            Self::TooLarge(limit) => (
                "invalid-argument",
                "The request body is too large".to_owned(),
                None,
                format!("At most {limit} bytes are taken."),
            ),
            Self::Quota(detail) => (
                "too-many-requests",
                "Resource utilization has surpassed the assigned quota".to_owned(),
                None,
                detail.clone(),
            ),
            Self::Unavailable(detail) => {
                ("server-error", "The service is not available".to_owned(), None, (*detail).to_owned())
            }
            Self::Internal => (
                "server-error",
                "The server met a fault of its own".to_owned(),
                None,
                "See the server's log.".to_owned(),
            ),
            Self::Unauthorized { .. }
            | Self::Forbidden
            | Self::NotFound
            | Self::MethodNotAllowed(_)
            | Self::PreconditionFailed
            | Self::UnsupportedMediaType
            | Self::Timeout => return None,
        };
        let mut body = json!({ "type": format!("https://azconfig.io/errors/{kind}"), "title": title });
        if let Some(members) = body.as_object_mut() {
            if let Some(name) = name {
                members.insert("name".to_owned(), json!(name));
            }
            if matches!(self, Self::Quota(_)) {
                members.insert("policy".to_owned(), json!("Storage"));
            }
            members.insert("detail".to_owned(), json!(detail));
            if let Self::Invalid { position: Some(position), .. } = self {
                members.insert("pos".to_owned(), json!(position));
            }
            members.insert("status".to_owned(), json!(self.status()));
        }
        Some(body)
    }
}
