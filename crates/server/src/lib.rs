//! The server as a library: the data planes of vaults and configuration stores, the token endpoints, the jobs, TLS,
//! the development proxy, and the token service. The binary gives it sockets, a clock and a store.

mod activity;
pub mod admin;
pub mod app;
pub mod appconfig;
pub mod authenticate;
pub mod config_stores;
pub mod data_plane;
pub mod directory;
pub mod endpoints;
mod faults;
pub mod health;
pub mod identity;
pub mod jobs;
pub mod listener;
pub mod managed_identity;
pub mod outside;
pub mod proxy;
pub mod routes;
pub mod tls;
pub mod token_service;
pub mod vaults;

pub use strongroom_store::clock;

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};

use axum::body::Body;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, HOST, HeaderValue};
use http::{Request, Response, StatusCode};

use app::App;
use endpoints::Site;

/// Answers a request that has arrived over TLS, by the host that it names.
pub async fn dispatch(app: &Arc<App>, peer: SocketAddr, request: Request<Body>) -> Response<Body> {
    let is_head = request.method() == http::Method::HEAD;
    let response = answer(app, peer, request).await;
    if is_head { without_content(response) } else { response }
}

/// The answer to HEAD has the head of the answer and nothing else (RFC 9110 section 9.3.2).
fn without_content(response: Response<Body>) -> Response<Body> {
    let (mut head, body) = response.into_parts();
    // A 204 or 304 has no content for GET either, and so no length (section 8.6).
    let without = matches!(head.status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
    if !without && let Some(length) = http_body::Body::size_hint(&body).exact() {
        head.headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
    }
    Response::from_parts(head, Body::empty())
}

async fn answer(app: &Arc<App>, peer: SocketAddr, request: Request<Body>) -> Response<Body> {
    let site = authority(&request).and_then(|authority| app.endpoints.site(authority));
    match site {
        Some(Site::Vault(vault, index)) => match app.endpoints.get(index) {
            Some(endpoint) => data_plane::answer(app, endpoint, vault, peer, request).await,
            None => unknown_host(),
        },
        Some(Site::Config(store, index)) => appconfig::answer(app, index, store, request).await,
        Some(Site::Login(index)) => match app.endpoints.get(index) {
            Some(endpoint) => identity::answer(app, endpoint, request).await,
            None => unknown_host(),
        },
        None => unknown_host(),
    }
}

fn authority(request: &Request<Body>) -> Option<&str> {
    let named = request.uri().authority().map(http::uri::Authority::as_str);
    named.or_else(|| request.headers().get(HOST).and_then(|host| host.to_str().ok()))
}

fn unknown_host() -> Response<Body> {
    let body = r#"{"error":{"code":"NotFound","message":"No vault or login endpoint has this host name"}}"#;
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = StatusCode::NOT_FOUND;
    let json = HeaderValue::from_static("application/json; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, json);
    response
}

/// A new id: a random GUID.
#[must_use]
pub fn new_id() -> String {
    guid(strongroom_crypto::random_u128().unwrap_or_default())
}

/// A new id for a request. It only has to differ from all others, so it costs no randomness: a
/// counter that begins anywhere, multiplied so that neighbours do not look alike.
fn request_id() -> String {
    static FIRST: LazyLock<u128> = LazyLock::new(|| strongroom_crypto::random_u128().unwrap_or_default());
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let count = u128::from(COUNT.fetch_add(1, Ordering::Relaxed));
    guid(FIRST.wrapping_add(count.wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835)))
}

fn guid(bits: u128) -> String {
    uuid::Builder::from_random_bytes(bits.to_be_bytes()).into_uuid().to_string()
}

/// Waits until told to stop, or until nobody is left to say so.
pub(crate) async fn told_to_stop(stop: &mut tokio::sync::watch::Receiver<bool>) {
    drop(stop.wait_for(|stop| *stop).await);
}
