//! Where a request goes.

use http::Uri;
use http::uri::Authority;

use super::head::Head;
use super::{ProxyConfig, Refusal};
use crate::tls::names::{self, INSTANCE_METADATA};

/// Where a request goes; `host` is in canonical form.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Route {
    /// To the server's TLS.
    Tunnel { host: String },
    /// To the server's plain HTTP, through a tunnel.
    PlainTunnel { host: String },
    /// To the server's plain HTTP, as a request to a proxy.
    Plain { host: String },
    /// To another host: a tunnel, or a request whose target there is `origin_form`.
    Outside { host: String, port: u16, origin_form: Option<String> },
}

pub(super) fn route(config: &ProxyConfig, head: &Head) -> Result<Route, Refusal> {
    if head.is_connect() { connect(config, head.target()) } else { absolute(config, head) }
}

fn connect(config: &ProxyConfig, target: &str) -> Result<Route, Refusal> {
    let bad = || Refusal::new("400 Bad Request", "CONNECT wants HOST:PORT");
    let authority: Authority = target.parse().map_err(|_malformed| bad())?;
    let port = authority.port_u16().filter(|port| *port != 0).ok_or_else(bad)?;
    let host = host_of(&authority).ok_or_else(bad)?;
    match (keep(config, &host, port)?, port) {
        (true, 80) if port != config.server_port => Ok(Route::PlainTunnel { host }),
        (true, _) => Ok(Route::Tunnel { host }),
        (false, _) => Ok(Route::Outside { host, port, origin_form: None }),
    }
}

fn absolute(config: &ProxyConfig, head: &Head) -> Result<Route, Refusal> {
    let bad = || Refusal::new("400 Bad Request", "this is a proxy: use CONNECT, or a target that begins with http://");
    let uri: Uri = head.target().parse().map_err(|_malformed| bad())?;
    let authority = uri.authority().filter(|_| uri.scheme_str() == Some("http")).ok_or_else(bad)?;
    let host = host_of(authority).ok_or_else(bad)?;
    // `port_u16` is `None` for a number that is too large as well.
    let port = match authority.as_str().strip_prefix(authority.host()) {
        Some("" | ":") => 80,
        _ => authority.port_u16().filter(|port| *port != 0).ok_or_else(bad)?,
    };
    if keep(config, &host, port)? {
        return Ok(Route::Plain { host });
    }
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    let origin_form = match (head.method(), path) {
        // RFC 9112, 3.2.4.
        ("OPTIONS", "/") if !head.target().ends_with('/') => "*".to_owned(),
        (_, query) if query.starts_with('?') => format!("/{query}"),
        (_, path) => path.to_owned(),
    };
    Ok(Route::Outside { host, port, origin_form: Some(origin_form) })
}

/// Whether the server itself is meant. Azure's names never leave, on no port.
fn keep(config: &ProxyConfig, host: &str, port: u16) -> Result<bool, Refusal> {
    let refused = |reason: &str| Err(Refusal::new("403 Forbidden", format!("{host}:{port} {reason}")));
    if config.names.is_local(host) && port == config.server_port {
        return Ok(true);
    }
    match (names::is_azure(host), host == INSTANCE_METADATA, port) {
        (true, _, 80 | 443) | (_, true, 80) => Ok(true),
        (true, _, _) => refused("is kept from the real Azure, and served on ports 443 and 80 only"),
        (_, true, _) => refused("is served on port 80 only"),
        _ if config.isolated => refused("is outside, and this proxy is isolated"),
        _ => Ok(false),
    }
}

/// The host of `authority` in canonical form; `None` for user information, which has no place here.
fn host_of(authority: &Authority) -> Option<String> {
    let host = names::canonical(authority.host());
    (!authority.as_str().contains('@') && !host.is_empty()).then_some(host)
}
