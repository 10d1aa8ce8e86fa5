//! The token endpoints, as Entra speaks them: discovery documents, keys, and tokens for
//! applications that prove who they are (RFC 6749 section 4.4, RFC 7523, OpenID Connect Discovery).

mod discovery;
mod proven;
mod token;

use std::sync::Arc;

use axum::body::Body;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderName, HeaderValue, PRAGMA};
use http::{Method, Request, Response, StatusCode};
use serde_json::Value;

use crate::app::App;
use crate::endpoints::Endpoint;

pub use proven::ProvenSecrets;
pub(crate) use token::managed as managed_token;

/// Answers a request to the login host.
pub async fn answer(app: &Arc<App>, endpoint: &Endpoint, request: Request<Body>) -> Response<Body> {
    let request_id = crate::request_id();
    let path = request.uri().path().to_owned();
    let segments: Vec<&str> = path.split('/').filter(|segment| !segment.is_empty()).collect();
    let (status, body) = match (request.method(), segments.as_slice()) {
        (&Method::GET, [tenant, "v2.0", ".well-known", "openid-configuration"]) => {
            discovery::configuration(app, endpoint, tenant, &request_id)
        }
        (&Method::GET, ["common", "discovery", "instance"]) => discovery::instance(app, endpoint),
        (&Method::GET, [_tenant, "discovery", "v2.0", "keys"]) => discovery::keys(app),
        (&Method::POST, [tenant, "oauth2", "v2.0", "token"]) => {
            token::issue(app, endpoint, tenant, request, &request_id).await
        }
        _ => (StatusCode::NOT_FOUND, serde_json::json!({"error": "not_found"})),
    };
    response(status, &body, &request_id)
}

fn response(status: StatusCode, body: &Value, request_id: &str) -> Response<Body> {
    let mut response = Response::new(Body::from(body.to_string()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json; charset=utf-8"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store, no-cache"));
    headers.insert(PRAGMA, HeaderValue::from_static("no-cache"));
    headers.insert(
        HeaderName::from_static("strict-transport-security"),
        HeaderValue::from_static("max-age=31536000; includeSubDomains"),
    );
    headers.insert(HeaderName::from_static("x-content-type-options"), HeaderValue::from_static("nosniff"));
    if let Ok(value) = HeaderValue::from_str(request_id) {
        headers.insert(HeaderName::from_static("x-ms-request-id"), value);
    }
    response
}
