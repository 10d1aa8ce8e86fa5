//! Refusals of the token endpoint, in Entra's shape (RFC 6749 section 5.2, with `AADSTS` codes).

use std::fmt;

use serde_json::{Value, json};
use time::OffsetDateTime;
use time::macros::format_description;

/// A refused token request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AadError {
    /// The number behind `AADSTS`.
    pub code: u32,
    /// HTTP status.
    pub status: u16,
    /// `error` of RFC 6749.
    pub error: &'static str,
    message: String,
}

impl AadError {
    fn new(code: u32, status: u16, error: &'static str, message: impl Into<String>) -> Self {
        Self { code, status, error, message: message.into() }
    }

    /// Wrong client secret.
    #[must_use]
    pub fn invalid_secret(app_id: &str) -> Self {
        let message = format!(
            "Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, \
             not the client secret ID, for a secret added to app '{app_id}'."
        );
        Self::new(7_000_215, 401, "invalid_client", message)
    }

    /// The right client secret, too late.
    #[must_use]
    pub fn expired_secret(app_id: &str) -> Self {
        let message = format!(
            "The provided client secret keys for app '{app_id}' are expired. Add a new one: strongroom application \
             add-secret."
        );
        Self::new(7_000_222, 401, "invalid_client", message)
    }

    /// An assertion that does not prove anything.
    #[must_use]
    pub fn invalid_assertion(reason: &str) -> Self {
        Self::new(700_027, 401, "invalid_client", format!("The client assertion is not accepted: {reason}."))
    }

    /// A token of an outside issuer that no federated credential of the application is for.
    #[must_use]
    pub fn no_federated_match(code: u32, what: &str, found: &str) -> Self {
        let message =
            format!("No matching federated identity record found for presented assertion {what} '{}'.", shown(found));
        Self::new(code, 401, "invalid_client", message)
    }

    /// No such application.
    #[must_use]
    pub fn unknown_application(app_id: &str, tenant: &str) -> Self {
        let message = format!(
            "Application with identifier '{}' was not found in the directory '{}'. Check the client id, and that you \
             log in to the right tenant.",
            shown(app_id),
            shown(tenant)
        );
        Self::new(700_016, 400, "unauthorized_client", message)
    }

    /// No such tenant.
    #[must_use]
    pub fn unknown_tenant(tenant: &str) -> Self {
        let message =
            format!("Tenant '{}' not found. Check to make sure you have the correct tenant ID.", shown(tenant));
        Self::new(90_002, 400, "invalid_request", message)
    }

    /// A form member is missing.
    #[must_use]
    pub fn missing_parameter(name: &str) -> Self {
        let message = format!("The request body must contain the following parameter: '{name}'.");
        Self::new(900_144, 400, "invalid_request", message)
    }

    /// Not a form.
    #[must_use]
    pub fn malformed_request() -> Self {
        Self::new(
            900_144,
            400,
            "invalid_request",
            "The request body must be a form (application/x-www-form-urlencoded).",
        )
    }

    /// A grant that is not offered.
    #[must_use]
    pub fn unsupported_grant() -> Self {
        let message = "The app requested an unsupported grant type; client_credentials is supported.";
        Self::new(70_003, 400, "unsupported_grant_type", message)
    }

    /// A scope that is not `{resource}/.default`.
    #[must_use]
    pub fn invalid_scope(scope: &str) -> Self {
        let message = format!(
            "The provided value for the input parameter 'scope' is not valid: '{}'. Use the resource followed by \
             /.default.",
            shown(scope)
        );
        Self::new(70_011, 400, "invalid_scope", message)
    }

    /// A resource that tokens are not issued for.
    #[must_use]
    pub fn unknown_resource(resource: &str) -> Self {
        let message = format!("The resource principal named {} was not found in the tenant.", shown(resource));
        Self::new(500_011, 400, "invalid_resource", message)
    }

    /// Too much to do.
    #[must_use]
    pub fn busy() -> Self {
        Self::new(90_033, 503, "temporarily_unavailable", "A transient error has occurred. Please try again.")
    }

    /// The JSON body; `now` in unix seconds.
    #[must_use]
    pub fn body(&self, now: i64, trace_id: &str, correlation_id: &str) -> Value {
        let Self { code, error, .. } = self;
        let layout = format_description!("[year]-[month]-[day] [hour]:[minute]:[second]Z");
        let moment = OffsetDateTime::from_unix_timestamp(now).unwrap_or(OffsetDateTime::UNIX_EPOCH);
        let timestamp = moment.format(&layout).unwrap_or_default();
        json!({
            "error": error,
            "error_description": format!(
                "{self} Trace ID: {trace_id} Correlation ID: {correlation_id} Timestamp: {timestamp}"
            ),
            "error_codes": [code],
            "timestamp": timestamp,
            "trace_id": trace_id,
            "correlation_id": correlation_id,
        })
    }
}

impl fmt::Display for AadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AADSTS{}: {}", self.code, self.message)
    }
}

/// What a stranger sent, fit to be shown.
fn shown(text: &str) -> String {
    text.chars().filter(|c| c.is_ascii_graphic() && !matches!(c, '"' | '<' | '>' | '\'')).take(100).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_body_is_entras() {
        let body = AadError::invalid_secret("app").body(0, "t", "c");
        assert_eq!(body["error"], "invalid_client");
        assert_eq!(body["error_codes"], json!([7_000_215]));
        assert_eq!(body["timestamp"], "1970-01-01 00:00:00Z");
        assert!(body["error_description"].as_str().unwrap().starts_with("AADSTS7000215: Invalid client secret"));
    }
}
