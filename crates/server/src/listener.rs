//! The sockets: TLS accept loop, HTTP/1.1 and HTTP/2, limits against slow and greedy clients, and
//! a stop that lets requests in flight finish.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use http::{Request, Response};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};
use tokio_rustls::TlsAcceptor;

use crate::app::App;

/// A client gets so long for the TLS handshake, and for the head of a request.
const HEAD_TIME: Duration = Duration::from_secs(10);

/// Connections open at once; more wait in the kernel's queue.
const MAX_CONNECTIONS: usize = 10_000;

/// Bytes in the head of a request: the longest legal name and token fit several times over.
const MAX_HEAD: usize = 64 * 1024;

/// Requests in flight get so long to finish when the server stops.
const STOP_TIME: Duration = Duration::from_secs(20);

/// Serves connections: accepted ones, and tunnels that a proxy hands over.
#[derive(Clone)]
pub struct Server {
    app: Arc<App>,
    tls: TlsAcceptor,
    room: Arc<Semaphore>,
    stop: watch::Receiver<bool>,
}

impl Server {
    /// A server for `app` that ends when `stop` becomes true.
    #[must_use]
    pub fn new(app: Arc<App>, tls: Arc<rustls::ServerConfig>, stop: watch::Receiver<bool>) -> Self {
        Self { app, tls: TlsAcceptor::from(tls), room: Arc::new(Semaphore::new(MAX_CONNECTIONS)), stop }
    }

    /// Accepts on all of `listeners` until told to stop; then waits for requests in flight.
    pub async fn run(&self, listeners: Vec<TcpListener>) {
        let loops = listeners.into_iter().map(|listener| {
            let server = self.clone();
            tokio::spawn(async move { server.accept(listener).await })
        });
        for task in loops.collect::<Vec<_>>() {
            if let Err(fault) = task.await {
                tracing::error!(%fault, "a listener ended badly");
            }
        }
        // Each connection holds a permit until it ends.
        let all = u32::try_from(MAX_CONNECTIONS).unwrap_or(u32::MAX);
        if tokio::time::timeout(STOP_TIME, self.room.acquire_many(all)).await.is_err() {
            tracing::warn!("connections were still open when the time to stop was over");
        }
    }

    async fn accept(&self, listener: TcpListener) {
        let mut stop = self.stop.clone();
        loop {
            let Ok(permit) = Arc::clone(&self.room).acquire_owned().await else { return };
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                () = crate::told_to_stop(&mut stop) => return,
            };
            match accepted {
                Ok((stream, peer)) => {
                    if let Err(fault) = stream.set_nodelay(true) {
                        tracing::debug!(%fault, "TCP_NODELAY was not set");
                    }
                    let server = self.clone();
                    tokio::spawn(async move {
                        server.serve(stream, peer).await;
                        drop(permit);
                    });
                }
                Err(fault) => {
                    // Out of file descriptors, most likely: wait for some to be closed.
                    tracing::warn!(%fault, "a connection was not accepted");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            }
        }
    }

    /// Serves one connection or tunnel, from the TLS handshake on.
    pub async fn serve<S>(self, stream: S, peer: SocketAddr)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        match tokio::time::timeout(HEAD_TIME, self.tls.accept(stream)).await {
            Ok(Ok(stream)) => self.serve_http(stream, peer).await,
            Ok(Err(fault)) => tracing::debug!(%peer, %fault, "TLS handshake failed"),
            Err(_elapsed) => tracing::debug!(%peer, "TLS handshake took too long"),
        }
    }

    /// Answers one plain HTTP request that a proxy hands over: nothing is served without TLS.
    pub async fn refuse_plain<S>(self, stream: S, peer: SocketAddr)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let service = service_fn(|_request: Request<hyper::body::Incoming>| async {
            let body = r#"{"error":{"code":"BadParameter","message":"Use https: nothing is served in the clear"}}"#;
            let mut response = Response::new(Body::from(body));
            *response.status_mut() = http::StatusCode::BAD_REQUEST;
            Ok::<Response<Body>, Infallible>(response)
        });
        let connection = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service);
        if let Err(fault) = connection.await {
            tracing::debug!(%peer, %fault, "connection ended");
        }
    }

    fn serve_http<S>(self, stream: S, peer: SocketAddr) -> impl Future<Output = ()> + Send
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let app = Arc::clone(&self.app);
        let service = service_fn(move |request: Request<hyper::body::Incoming>| {
            let app = Arc::clone(&app);
            async move { Ok::<Response<Body>, Infallible>(crate::dispatch(&app, peer, request.map(Body::new)).await) }
        });
        // Made outside the future, which would otherwise hold the builder and not be `Send`.
        let connection = http().serve_connection(TokioIo::new(stream), service).into_owned();
        let mut stop = self.stop;
        async move {
            tokio::pin!(connection);
            let outcome = tokio::select! {
                outcome = connection.as_mut() => outcome,
                () = crate::told_to_stop(&mut stop) => {
                    connection.as_mut().graceful_shutdown();
                    connection.await
                }
            };
            if let Err(fault) = outcome {
                tracing::debug!(%peer, %fault, "connection ended");
            }
        }
    }
}

fn http() -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(HEAD_TIME).max_buf_size(MAX_HEAD);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_header_list_size(u32::try_from(MAX_HEAD).unwrap_or(u32::MAX))
        .max_concurrent_streams(256)
        .keep_alive_interval(Duration::from_secs(30))
        .keep_alive_timeout(HEAD_TIME);
    builder
}
