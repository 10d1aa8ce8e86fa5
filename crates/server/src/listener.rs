//! The sockets: TLS accept loop, HTTP/1.1 and HTTP/2, limits against slow and greedy clients, and
//! a stop that lets requests in flight finish.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use http::{Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::{HttpService, service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::activity::{Activity, HEAD_TIME, Watched};
use crate::app::App;

/// An idle connection gets so long to be closed politely.
const GOODBYE_TIME: Duration = Duration::from_secs(1);

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
            let next = async {
                let permit = Arc::clone(&self.room).acquire_owned().await.map_err(std::io::Error::other)?;
                listener.accept().await.map(|(stream, peer)| (stream, peer, permit))
            };
            let accepted = tokio::select! {
                accepted = next => accepted,
                () = crate::told_to_stop(&mut stop) => return,
            };
            match accepted {
                Ok((stream, peer, permit)) => {
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
        let service = service_fn(|_request: Request<Incoming>| async {
            let body = r#"{"error":{"code":"BadParameter","message":"Use https: nothing is served in the clear"}}"#;
            let mut response = Response::new(Body::from(body));
            *response.status_mut() = http::StatusCode::BAD_REQUEST;
            Ok::<Response<Body>, Infallible>(response)
        });
        let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
        if let Err(fault) = connection.await {
            tracing::debug!(%peer, %fault, "connection ended");
        }
    }

    async fn serve_http<S>(self, stream: TlsStream<S>, peer: SocketAddr)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        // Told by ALPN, not by the first bytes: a client that sends none would be waited for.
        let is_http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
        let activity = Arc::new(Activity::new(is_http2));
        let (app, seen) = (Arc::clone(&self.app), Arc::clone(&activity));
        let service = service_fn(move |request: Request<Incoming>| {
            let (app, seen) = (Arc::clone(&app), Arc::clone(&seen));
            async move {
                let _under_way = seen.begin();
                Ok::<Response<Body>, Infallible>(crate::dispatch(&app, peer, request.map(Body::new)).await)
            }
        });
        if is_http2 {
            let connection = http2().serve_connection(TokioIo::new(stream), service);
            self.watch(connection, &activity, peer).await;
        } else {
            let stream = Watched { stream, activity: Arc::clone(&activity) };
            let connection = http1().serve_connection(TokioIo::new(stream), service);
            self.watch(connection, &activity, peer).await;
        }
    }

    /// Until the connection ends. When the server stops, or nothing happens for long, requests in
    /// flight may finish; what is not over then is cut off.
    async fn watch(mut self, connection: impl Connection, activity: &Activity, peer: SocketAddr) {
        tokio::pin!(connection);
        loop {
            let left = activity.time_left();
            tokio::select! {
                outcome = connection.as_mut() => {
                    if let Err(fault) = outcome {
                        tracing::debug!(%peer, %fault, "connection ended");
                    }
                    return;
                }
                () = crate::told_to_stop(&mut self.stop) => {
                    connection.as_mut().finish();
                    drop(tokio::time::timeout(STOP_TIME, connection).await);
                    return;
                }
                // Looked at again before a head that begins meanwhile has had its time.
                () = tokio::time::sleep(left.min(HEAD_TIME / 4)), if !left.is_zero() => {}
                () = std::future::ready(()), if left.is_zero() => {
                    tracing::debug!(%peer, "closed: idle, or too slow with the head of a request");
                    connection.as_mut().finish();
                    drop(tokio::time::timeout(GOODBYE_TIME, connection).await);
                    return;
                }
            }
        }
    }
}

/// A connection of either version.
trait Connection: Future<Output = hyper::Result<()>> {
    /// Takes no more requests, and ends with those in flight.
    fn finish(self: Pin<&mut Self>);
}

impl<I, S> Connection for http1::Connection<I, S>
where
    I: hyper::rt::Read + hyper::rt::Write + Unpin + 'static,
    S: HttpService<Incoming, ResBody = Body>,
    S::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    fn finish(self: Pin<&mut Self>) {
        self.graceful_shutdown();
    }
}

impl<I, S> Connection for http2::Connection<I, S, TokioExecutor>
where
    I: hyper::rt::Read + hyper::rt::Write + Unpin + 'static,
    S: HttpService<Incoming, ResBody = Body>,
    S::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    S::Future: Send + 'static,
{
    fn finish(self: Pin<&mut Self>) {
        self.graceful_shutdown();
    }
}

fn http1() -> http1::Builder {
    let mut builder = http1::Builder::new();
    // The time for a head is `Activity`'s affair: hyper would count the time between requests, too.
    builder.timer(TokioTimer::new()).header_read_timeout(None).max_buf_size(MAX_HEAD);
    builder
}

fn http2() -> http2::Builder<TokioExecutor> {
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder
        .timer(TokioTimer::new())
        .max_header_list_size(u32::try_from(MAX_HEAD).unwrap_or(u32::MAX))
        .max_concurrent_streams(256)
        .keep_alive_interval(Duration::from_secs(30))
        .keep_alive_timeout(HEAD_TIME);
    builder
}
