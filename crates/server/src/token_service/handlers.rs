//! What each route does.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse as _, Response};
use http::header::{CACHE_CONTROL, ETAG, HeaderMap, HeaderValue, IF_NONE_MATCH, WWW_AUTHENTICATE};
use http::{HeaderName, StatusCode};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use strongroom::keyring::{Kid, RingError, TokenError};
use strongroom_crypto::sha256;
use strongroom_wire::base64url;

use super::TokenService;
use super::access::{Refusal, Right};

type Service = State<Arc<TokenService>>;

/// A body that may be no JSON.
type Body<T> = Result<Json<T>, JsonRejection>;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Link {
    email: String,
    file_path: String,
    #[serde(default = "an_hour")]
    ttl_minutes: i64,
}

const fn an_hour() -> i64 {
    60
}

/// `POST /api/link/secure`: a link to download one file.
pub(super) async fn link(State(service): Service, headers: HeaderMap, body: Body<Link>) -> Response {
    if let Err(refusal) = service.access.admit(&service.ring, &headers, Right::Issue).await {
        return refused(&refusal);
    }
    let Ok(Json(Link { email, file_path, ttl_minutes })) = body else {
        return problem(StatusCode::BAD_REQUEST, "invalid_request", "email, filePath and ttlMinutes are expected");
    };
    let is_text = |text: &str, most: usize| (1..=most).contains(&text.len()) && !text.chars().any(char::is_control);
    if !is_text(&email, 320) || !email.contains('@') || !is_text(&file_path, 1024) {
        return problem(StatusCode::BAD_REQUEST, "invalid_request", "email or filePath is not one");
    }
    let mut claims = Map::new();
    claims.insert("email".to_owned(), email.into());
    claims.insert("file".to_owned(), file_path.into());
    let life = ttl_minutes.saturating_mul(60);
    match service.ring.sign(claims, life).await {
        Ok(signed) => {
            let url = format!("{}/api/download?token={}", service.base_url, signed.token);
            no_store(Json(json!({ "token": signed.token, "downloadUrl": url, "expiresIn": life })).into_response())
        }
        Err(fault) => ring_problem(&fault),
    }
}

#[derive(Deserialize)]
pub(super) struct Download {
    token: Option<String>,
}

/// `GET /api/download?token=`: what the token says, if it is valid.
pub(super) async fn download(State(service): Service, Query(query): Query<Download>) -> Response {
    match query.token {
        Some(token) => checked(&service, &token).await,
        None => problem(StatusCode::BAD_REQUEST, "invalid_request", "a token is expected"),
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Issue {
    claims: Map<String, Value>,
    #[serde(default = "an_hour")]
    ttl_minutes: i64,
}

/// `POST /api/tokens`: a token with these claims. Only administrators give roles.
pub(super) async fn issue(State(service): Service, headers: HeaderMap, body: Body<Issue>) -> Response {
    let right = match service.access.admit(&service.ring, &headers, Right::Issue).await {
        Ok(right) => right,
        Err(refusal) => return refused(&refusal),
    };
    let Ok(Json(Issue { claims, ttl_minutes })) = body else {
        return problem(StatusCode::BAD_REQUEST, "invalid_request", "claims and ttlMinutes are expected");
    };
    if claims.contains_key("roles") && right < Right::Administer {
        return refused(&Refusal::Forbidden(service.access.admin_role.clone()));
    }
    let life = ttl_minutes.saturating_mul(60);
    match service.ring.sign(claims, life).await {
        Ok(signed) => {
            let answer = json!({ "token": signed.token, "kid": signed.kid, "expiresIn": life });
            no_store(Json(answer).into_response())
        }
        Err(fault) => ring_problem(&fault),
    }
}

#[derive(Deserialize)]
pub(super) struct Validate {
    token: String,
}

/// `POST /api/tokens/validate`.
pub(super) async fn validate(State(service): Service, body: Body<Validate>) -> Response {
    match body {
        Ok(Json(Validate { token })) => checked(&service, &token).await,
        Err(_) => problem(StatusCode::BAD_REQUEST, "invalid_request", "a token is expected"),
    }
}

async fn checked(service: &TokenService, token: &str) -> Response {
    let fault = match service.ring.validate(token).await {
        Ok(claims) => return no_store(Json(json!({ "valid": true, "claims": claims })).into_response()),
        Err(fault) => fault,
    };
    let (status, code) = match &fault {
        TokenError::Malformed => (StatusCode::BAD_REQUEST, "malformed_token"),
        TokenError::Expired => (StatusCode::UNAUTHORIZED, "token_expired"),
        TokenError::Signature => (StatusCode::UNAUTHORIZED, "invalid_signature"),
        TokenError::UnknownKey => (StatusCode::UNAUTHORIZED, "unknown_key"),
        TokenError::Unavailable(_) => {
            tracing::warn!("a token could not be validated: {fault}");
            let text = "the keys cannot be had; try again later";
            return problem(StatusCode::SERVICE_UNAVAILABLE, "unavailable", text);
        }
        _ => (StatusCode::UNAUTHORIZED, "invalid_token"),
    };
    problem(status, code, &fault.to_string())
}

/// `POST /api/admin/rotate-key`.
pub(super) async fn rotate(State(service): Service, headers: HeaderMap) -> Response {
    if let Err(refusal) = service.access.admit(&service.ring, &headers, Right::Administer).await {
        return refused(&refusal);
    }
    match service.ring.rotate().await {
        Ok(kid) => {
            tracing::info!(%kid, "rotated by an administrator");
            Json(json!({ "kid": kid })).into_response()
        }
        Err(fault) => ring_problem(&fault),
    }
}

#[derive(Deserialize)]
pub(super) struct Retire {
    #[serde(default)]
    force: bool,
}

/// `POST /api/admin/retire/{kid}`, with `?force=true` for the active key.
pub(super) async fn retire(
    State(service): Service,
    Path(kid): Path<String>,
    Query(Retire { force }): Query<Retire>,
    headers: HeaderMap,
) -> Response {
    if let Err(refusal) = service.access.admit(&service.ring, &headers, Right::Administer).await {
        return refused(&refusal);
    }
    let Some(kid) = Kid::parse(&kid) else {
        return problem(StatusCode::NOT_FOUND, "unknown_key", "the ring has no such key");
    };
    match service.ring.retire(&kid, force).await {
        Ok(()) => {
            tracing::info!(%kid, force, "retired by an administrator");
            Json(json!({ "kid": kid, "retired": true })).into_response()
        }
        Err(fault) => ring_problem(&fault),
    }
}

/// `GET /api/admin/keys`.
pub(super) async fn keys(State(service): Service, headers: HeaderMap) -> Response {
    if let Err(refusal) = service.access.admit(&service.ring, &headers, Right::Administer).await {
        return refused(&refusal);
    }
    let counters = service.ring.counters();
    match service.ring.keys().await {
        Ok(keys) => no_store(
            Json(json!({
                "store": service.ring.kind(),
                "keys": keys,
                "cache": {
                    "hits": counters.hits,
                    "misses": counters.misses,
                    "fetches": counters.fetches,
                    "failures": counters.failures,
                },
            }))
            .into_response(),
        ),
        Err(fault) => ring_problem(&fault),
    }
}

/// `GET /.well-known/jwks.json`: good for as long as verifiers here would believe it.
pub(super) async fn jwks(State(service): Service, headers: HeaderMap) -> Response {
    let keys = match service.ring.jwks().await {
        Ok(keys) => keys,
        Err(fault) => return ring_problem(&fault),
    };
    let Ok(body) = serde_json::to_vec(&keys) else {
        return problem(StatusCode::INTERNAL_SERVER_ERROR, "internal", "the keys could not be written");
    };
    let etag = format!("\"{}\"", base64url::encode(&sha256(&body)));
    let known = headers.get(IF_NONE_MATCH).and_then(|value| value.to_str().ok());
    let is_known = known.is_some_and(|known| known.split(',').any(|one| one.trim() == etag || one.trim() == "*"));
    let mut response = if is_known {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        ([(http::header::CONTENT_TYPE, "application/jwk-set+json")], body).into_response()
    };
    set(&mut response, ETAG, &etag);
    set(&mut response, CACHE_CONTROL, &format!("public, max-age={}", service.ring.options().cache_ttl));
    response
}

/// `GET /health`: can it sign and validate?
pub(super) async fn health(State(service): Service) -> Response {
    match service.ring.jwks().await {
        Ok(keys) if !keys.keys.is_empty() => Json(json!({ "status": "healthy" })).into_response(),
        _ => (StatusCode::SERVICE_UNAVAILABLE, Json(json!({ "status": "unhealthy" }))).into_response(),
    }
}

fn ring_problem(fault: &RingError) -> Response {
    let (status, code) = match fault {
        RingError::Busy => (StatusCode::CONFLICT, "busy"),
        RingError::ActiveKey(_) => (StatusCode::CONFLICT, "active_key"),
        RingError::UnknownKey(_) => (StatusCode::NOT_FOUND, "unknown_key"),
        RingError::Claims(_) => (StatusCode::BAD_REQUEST, "invalid_request"),
        _ => {
            // What lies behind is the operator's to know.
            tracing::error!("{fault}");
            let text = "the key store does not do as it should; the log says more";
            return problem(StatusCode::SERVICE_UNAVAILABLE, "unavailable", text);
        }
    };
    problem(status, code, &fault.to_string())
}

fn refused(refusal: &Refusal) -> Response {
    match refusal {
        Refusal::Unauthorized => {
            let text = "a bearer token is needed; without Admin:Token:File or Issue:Token:File nobody has one";
            let mut response = problem(StatusCode::UNAUTHORIZED, "unauthorized", text);
            set(&mut response, WWW_AUTHENTICATE, "Bearer");
            response
        }
        Refusal::Forbidden(role) => {
            problem(StatusCode::FORBIDDEN, "forbidden", &format!("the token does not have the role {role}"))
        }
        Refusal::Unavailable => {
            problem(StatusCode::SERVICE_UNAVAILABLE, "unavailable", "the keys cannot be had; try again later")
        }
    }
}

fn problem(status: StatusCode, code: &str, message: &str) -> Response {
    no_store((status, Json(json!({ "valid": false, "error": code, "message": message }))).into_response())
}

fn no_store(mut response: Response) -> Response {
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

fn set(response: &mut Response, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
}
