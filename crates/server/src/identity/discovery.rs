//! What tells clients and verifiers where things are.

use http::StatusCode;
use serde_json::{Value, json};
use strongroom_auth::AadError;

use crate::app::App;
use crate::endpoints::Endpoint;

/// Stands for "whichever tenant" in the path of a discovery document.
const ANY_TENANT: [&str; 2] = ["common", "organizations"];

/// `GET /{tenant}/v2.0/.well-known/openid-configuration`.
pub(super) fn configuration(app: &App, endpoint: &Endpoint, tenant: &str, request_id: &str) -> (StatusCode, Value) {
    let own = app.directory.tenant();
    if !tenant.eq_ignore_ascii_case(own) && !ANY_TENANT.contains(&tenant) {
        return super::token::refusal(app, &AadError::unknown_tenant(tenant), request_id);
    }
    let base = format!("{}/{own}", endpoint.login_url());
    let document = json!({
        "issuer": endpoint.issuer(own),
        "authorization_endpoint": format!("{base}/oauth2/v2.0/authorize"),
        "token_endpoint": format!("{base}/oauth2/v2.0/token"),
        "jwks_uri": format!("{base}/discovery/v2.0/keys"),
        "token_endpoint_auth_methods_supported": ["client_secret_post", "private_key_jwt"],
        "grant_types_supported": ["client_credentials"],
        "response_modes_supported": ["query"],
        "response_types_supported": ["token"],
        "subject_types_supported": ["pairwise"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "scopes_supported": ["openid"],
        "claims_supported": ["aud", "iss", "iat", "nbf", "exp", "tid", "oid", "sub", "appid", "azp", "idtyp", "ver"],
        "tenant_region_scope": null,
        "cloud_instance_name": endpoint.login_host,
    });
    (StatusCode::OK, document)
}

/// `GET /{tenant}/discovery/v2.0/keys`: RFC 7517.
pub(super) fn keys(app: &App) -> (StatusCode, Value) {
    (StatusCode::OK, app.directory.ring().jwks(app.clock.now().seconds()))
}

/// `GET /common/discovery/instance`: MSAL asks which hosts speak for one another.
pub(super) fn instance(app: &App, endpoint: &Endpoint) -> (StatusCode, Value) {
    let host = endpoint.login_url().trim_start_matches("https://").to_owned();
    let mut aliases = vec![host.clone()];
    aliases.extend(endpoint.login_aliases.iter().cloned());
    let document = json!({
        "tenant_discovery_endpoint":
            format!("{}/{}/v2.0/.well-known/openid-configuration", endpoint.login_url(), app.directory.tenant()),
        "api-version": "1.1",
        "metadata": [{"preferred_network": host, "preferred_cache": host, "aliases": aliases}],
    });
    (StatusCode::OK, document)
}
