//! The token service: links and tokens signed by a ring of keys, which it rotates.
//!
//! Validation and the JWK set are open to all. Issuing and administration demand a bearer token: a fixed
//! one, of which a file holds the hash, or one of the ring's own with the role in its `roles`. When
//! neither is configured nobody is let in.

mod access;
mod handlers;
mod listen;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::{get, post};
use strongroom::keyring::KeyRing;
use tokio::sync::watch;

pub use access::{Access, TokenHash};
pub use listen::serve;

/// Largest body of a request.
const BODY_LIMIT: usize = 64 * 1024;

/// What is due is looked for this often; as long as nothing is, the cache answers.
const TICK: Duration = Duration::from_secs(15);

/// The service's parts.
#[derive(Debug)]
pub struct TokenService {
    /// The keys.
    pub ring: KeyRing,
    /// Who may do what.
    pub access: Access,
    /// What download links begin with, without a slash at the end.
    pub base_url: String,
}

/// Its routes.
pub fn router(service: Arc<TokenService>) -> Router {
    Router::new()
        .route("/api/link/secure", post(handlers::link))
        .route("/api/download", get(handlers::download))
        .route("/api/tokens", post(handlers::issue))
        .route("/api/tokens/validate", post(handlers::validate))
        .route("/api/admin/rotate-key", post(handlers::rotate))
        .route("/api/admin/retire/{kid}", post(handlers::retire))
        .route("/api/admin/keys", get(handlers::keys))
        .route("/.well-known/jwks.json", get(handlers::jwks))
        .route("/health", get(handlers::health))
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
        .with_state(service)
}

/// Rotates and retires when it is due, and follows other instances, until told to stop.
pub async fn jobs(ring: KeyRing, mut stop: watch::Receiver<bool>) {
    let following = ring.clone();
    let follow = tokio::spawn(async move { following.follow().await });
    let mut interval = tokio::time::interval(TICK);
    interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = interval.tick() => {}
            () = crate::told_to_stop(&mut stop) => break,
        }
        if let Err(fault) = ring.tick().await {
            tracing::warn!("the keys could not be looked after: {fault}");
        }
    }
    follow.abort();
}
