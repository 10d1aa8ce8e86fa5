//! Connections to hosts outside.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::TcpStream;

use super::Refusal;

/// Connects to `host`, trying its addresses in turn for `most` in all, but not to the proxy itself at `own`.
pub(super) async fn connect(
    host: &str,
    port: u16,
    own: Option<SocketAddr>,
    most: Duration,
) -> Result<TcpStream, Refusal> {
    let unreachable = |reason: &str| Refusal::new("502 Bad Gateway", format!("{host}:{port} {reason}"));
    match tokio::time::timeout(most, try_each(host, port, own)).await {
        Ok(Ok(Some(stream))) => Ok(stream),
        Ok(Ok(None)) => Err(Refusal::new("403 Forbidden", "it does not connect to itself")),
        Ok(Err(fault)) => {
            tracing::debug!(%fault, "the proxy did not reach a host");
            Err(unreachable("cannot be reached"))
        }
        Err(_elapsed) => Err(unreachable("did not answer in time")),
    }
}

/// `None` when the host is the proxy itself.
async fn try_each(host: &str, port: u16, own: Option<SocketAddr>) -> io::Result<Option<TcpStream>> {
    let mut last = io::Error::from(io::ErrorKind::HostUnreachable);
    for address in tokio::net::lookup_host((host, port)).await? {
        if own.is_some_and(|own| is_same(own, address)) {
            return Ok(None);
        }
        match TcpStream::connect(address).await {
            Ok(stream) => {
                // Only a matter of latency.
                let _ = stream.set_nodelay(true);
                return Ok(Some(stream));
            }
            Err(fault) => last = fault,
        }
    }
    Err(last)
}

/// Whether `address` may lead to a listener at `own`: any loopback address is taken for it, and so is the
/// unspecified one, which means this machine.
fn is_same(own: SocketAddr, address: SocketAddr) -> bool {
    let ip = address.ip().to_canonical();
    address.port() == own.port() && (ip.is_loopback() || ip.is_unspecified() || ip == own.ip().to_canonical())
}
