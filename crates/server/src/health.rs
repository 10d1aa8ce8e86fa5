//! `/healthz/live` and `/healthz/ready` on a plain listener of their own.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::routing::get;
use http::StatusCode;
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::app::App;

/// Serves until told to stop. Live: the process answers. Ready: the store does, too.
///
/// # Errors
/// Those of the socket.
pub async fn run(listener: TcpListener, app: Arc<App>, mut stop: watch::Receiver<bool>) -> std::io::Result<()> {
    let router = Router::new()
        .route("/healthz/live", get(async || "live\n"))
        .route("/healthz/ready", get(ready))
        .with_state((app, stop.clone()));
    axum::serve(listener, router).with_graceful_shutdown(async move { crate::told_to_stop(&mut stop).await }).await
}

async fn ready(State((app, stop)): State<(Arc<App>, watch::Receiver<bool>)>) -> (StatusCode, &'static str) {
    if *stop.borrow() {
        return (StatusCode::SERVICE_UNAVAILABLE, "stopping\n");
    }
    match app.vaults.check_store().await {
        Ok(()) => (StatusCode::OK, "ready\n"),
        Err(_unavailable) => (StatusCode::SERVICE_UNAVAILABLE, "the store does not answer\n"),
    }
}
