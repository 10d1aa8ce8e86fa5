//! A CONNECT proxy on loopback, by which an unmodified program reaches Strongroom under Azure's own names.
//!
//! Tunnels and plain requests to Azure's names and to the server's own go to the [`Handoff`], and never
//! to the real hosts, whatever the port. Everything else passes through, or is refused when isolated.
//! The proxy looks at the head of the first request of a connection only, and logs none of it.

mod forward;
mod head;
mod prefixed;
mod route;

#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

use self::head::{Head, HeadError};
use self::route::Route;
use crate::tls::DevNames;

pub use self::prefixed::Prefixed;

/// Connections handed off get so long to finish when the proxy stops; the server they went to stops too.
const STOP_TIME: Duration = Duration::from_secs(20);

/// The answer that opens a tunnel.
const ESTABLISHED: &[u8] = b"HTTP/1.1 200 Connection established\r\n\r\n";

/// A connection in both directions.
pub trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}

/// The server that answers in the place of Azure. Each call returns when the connection is done; a
/// server that is stopping ends it.
#[async_trait]
pub trait Handoff: Send + Sync + 'static {
    /// A tunnel to `host` (lower case, no port), which begins with a TLS handshake.
    async fn tunnel(&self, stream: Box<dyn Duplex>, host: &str, peer: SocketAddr);

    /// A plain HTTP/1 connection to `host` (lower case, no port). A request to a proxy has its target
    /// in absolute form (RFC 9112, 3.2.2) and `Connection: close`.
    async fn plain(&self, stream: Box<dyn Duplex>, host: &str, peer: SocketAddr);
}

/// What the proxy lets through.
#[derive(Clone, Debug)]
pub struct ProxyConfig {
    /// Refuse every host that is not the server's own, with 403.
    pub isolated: bool,
    /// The server's own names.
    pub names: DevNames,
    /// The server's HTTPS port, under which its own names reach it.
    pub server_port: u16,
    /// Bounds.
    pub limits: ProxyLimits,
}

/// Bounds against slow and greedy clients.
#[derive(Clone, Copy, Debug)]
pub struct ProxyLimits {
    /// Bytes of a request's head.
    pub head_bytes: usize,
    /// Time for a request's head to arrive.
    pub head_time: Duration,
    /// Time to find and reach a host outside.
    pub connect_time: Duration,
    /// Connections at once; more wait in the kernel's queue.
    pub connections: usize,
}

impl Default for ProxyLimits {
    /// 16 KiB, 10 s, 10 s, 1,024.
    fn default() -> Self {
        let seconds = Duration::from_secs(10);
        Self { head_bytes: 16 * 1024, head_time: seconds, connect_time: seconds, connections: 1024 }
    }
}

/// Serves the proxy on `listener` until `stop` becomes true; then waits a while for connections handed off.
///
/// Only peers on loopback are served, whatever address the listener has.
pub async fn serve(
    listener: TcpListener,
    config: ProxyConfig,
    handoff: Arc<dyn Handoff>,
    mut stop: watch::Receiver<bool>,
) {
    let own = listener.local_addr().ok();
    let most = config.limits.connections.max(1);
    let proxy = Arc::new(Proxy { config, handoff, own, stop: stop.clone() });
    let mut open = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept(), if open.len() < most => accepted,
            Some(_ended) = open.join_next() => continue,
            _ = stop.wait_for(|stop| *stop) => break,
        };
        match accepted {
            Ok((stream, peer)) if peer.ip().to_canonical().is_loopback() => {
                let proxy = Arc::clone(&proxy);
                open.spawn(async move { proxy.connection(stream, peer).await });
            }
            Ok((_stream, peer)) => tracing::warn!(%peer, "the proxy refused a peer that is not on loopback"),
            Err(fault) => {
                // Out of file descriptors, most likely: wait for some to be closed.
                tracing::warn!(%fault, "the proxy did not accept a connection");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
    drop(listener);
    if tokio::time::timeout(STOP_TIME, async { while open.join_next().await.is_some() {} }).await.is_err() {
        tracing::warn!("proxy connections were still open when the time to stop was over");
    }
}

struct Proxy {
    config: ProxyConfig,
    handoff: Arc<dyn Handoff>,
    /// The proxy's own address: it does not tunnel to itself.
    own: Option<SocketAddr>,
    stop: watch::Receiver<bool>,
}

/// What the client is told when its request goes no further.
struct Refusal {
    status: &'static str,
    reason: String,
}

impl Refusal {
    fn new(status: &'static str, reason: impl Into<String>) -> Self {
        Self { status, reason: reason.into() }
    }
}

impl Proxy {
    async fn connection(&self, mut stream: TcpStream, peer: SocketAddr) {
        // Only a matter of latency.
        let _ = stream.set_nodelay(true);
        let limits = self.config.limits;
        let mut stop = self.stop.clone();
        let read = tokio::select! {
            read = tokio::time::timeout(limits.head_time, head::read(&mut stream, limits.head_bytes)) => read,
            _ = stop.wait_for(|stop| *stop) => return,
        };
        let (head, rest) = match read {
            Ok(Ok(read)) => read,
            Ok(Err(HeadError::Gone)) => return,
            Ok(Err(HeadError::TooLarge)) => {
                let large = Refusal::new("431 Request Header Fields Too Large", "the request's head is too large");
                return refuse(stream, large).await;
            }
            Ok(Err(HeadError::Malformed)) => {
                return refuse(stream, Refusal::new("400 Bad Request", "not an HTTP/1 request")).await;
            }
            Err(_elapsed) => {
                let slow = Refusal::new("408 Request Timeout", "the request's head took too long");
                return refuse(stream, slow).await;
            }
        };
        match route::route(&self.config, &head) {
            Ok(Route::Tunnel { host }) => {
                if stream.write_all(ESTABLISHED).await.is_ok() {
                    self.handoff.tunnel(Box::new(Prefixed::new(rest, stream)), &host, peer).await;
                }
            }
            Ok(Route::PlainTunnel { host }) => {
                if stream.write_all(ESTABLISHED).await.is_ok() {
                    self.handoff.plain(Box::new(Prefixed::new(rest, stream)), &host, peer).await;
                }
            }
            Ok(Route::Plain { host }) => {
                let mut replayed = head.for_one_request(head.target(), None);
                replayed.extend(rest);
                self.handoff.plain(Box::new(Prefixed::new(replayed, stream)), &host, peer).await;
            }
            Ok(Route::Outside { host, port, origin_form }) => {
                let outside = self.outside(&head, rest, stream, (&host, port), origin_form);
                tokio::select! {
                    () = outside => {}
                    _ = stop.wait_for(|stop| *stop) => {}
                }
            }
            Err(refusal) => refuse(stream, refusal).await,
        }
    }

    /// Joins the client with a host outside: by a tunnel, or with its request in `origin_form` sent first.
    async fn outside(
        &self,
        head: &Head,
        rest: Vec<u8>,
        mut client: TcpStream,
        (host, port): (&str, u16),
        origin_form: Option<String>,
    ) {
        let mut upstream = match forward::connect(host, port, self.own, self.config.limits.connect_time).await {
            Ok(upstream) => upstream,
            Err(refusal) => return refuse(client, refusal).await,
        };
        let started = match origin_form {
            None => client.write_all(ESTABLISHED).await,
            Some(target) => upstream.write_all(&head.for_one_request(&target, Some((host, port)))).await,
        };
        if started.is_ok() {
            // Ends with either side; there is nobody to tell a fault to.
            let _ = tokio::io::copy_bidirectional(&mut Prefixed::new(rest, client), &mut upstream).await;
        }
    }
}

/// Answers with plain text and closes.
async fn refuse(mut stream: TcpStream, refusal: Refusal) {
    let Refusal { status, reason } = refusal;
    let text = format!("strongroom proxy: {reason}\n");
    let length = text.len();
    let answer = format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: {length}\r\n\
         Connection: close\r\n\r\n{text}"
    );
    // A client that does not read its answer is let go: within a second, and after 64 KiB. Reading what it
    // still sends matters, for closing with unread bytes would reset the connection and lose the answer.
    let _ = tokio::time::timeout(Duration::from_secs(1), async {
        stream.write_all(answer.as_bytes()).await?;
        stream.shutdown().await?;
        tokio::io::copy(&mut stream.take(64 * 1024), &mut tokio::io::sink()).await
    })
    .await;
}
