//! Connections below any HTTP client: bytes out, bytes in, over verified TLS.

use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::support::TestServer;

/// Longer than any time limit of the server that a test waits for.
const PATIENCE: Duration = Duration::from_secs(15);

/// A TLS connection, HTTP/1.1 agreed, and what was read of the answers after the last one.
pub(crate) struct Wire(TlsStream<TcpStream>, Vec<u8>);

impl Wire {
    pub(crate) async fn connect(server: &TestServer) -> Self {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(server.ca_pem.as_bytes()).unwrap()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let mut config = config.with_root_certificates(roots).with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        let tcp = TcpStream::connect(("127.0.0.1", server.port)).await.unwrap();
        let name = ServerName::try_from("dev.vault.localhost").unwrap();
        Self(TlsConnector::from(Arc::new(config)).connect(name, tcp).await.unwrap(), Vec::new())
    }

    /// Sends. That the other side may have hung up already is no fault.
    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.0.write_all(bytes.as_ref()).await.ok();
        self.0.flush().await.ok();
    }

    /// Reads one answer: status, and the body as JSON. Status 0 is a connection that was closed.
    pub(crate) async fn answer(&mut self) -> (u16, Value) {
        let mut read = std::mem::take(&mut self.1);
        loop {
            if let Some((status, body, rest)) = complete(&read) {
                self.1 = rest;
                return (status, body);
            }
            let mut chunk = [0; 4096];
            let got = tokio::time::timeout(PATIENCE, self.0.read(&mut chunk)).await.expect("nothing came back");
            match got {
                Ok(length) if length > 0 => read.extend_from_slice(&chunk[..length]),
                _ => return (status(&read).unwrap_or(0), Value::Null),
            }
        }
    }

    /// Waits until the other side closes the connection; false when it does not.
    pub(crate) async fn closes(&mut self) -> bool {
        let mut rest = Vec::new();
        tokio::time::timeout(PATIENCE, self.0.read_to_end(&mut rest)).await.is_ok()
    }
}

fn status(read: &[u8]) -> Option<u16> {
    std::str::from_utf8(read.get(9..12)?).ok()?.parse().ok()
}

/// Status, body, and what follows.
fn complete(read: &[u8]) -> Option<(u16, Value, Vec<u8>)> {
    let end = read.windows(4).position(|window| window == b"\r\n\r\n")? + 4;
    let head = String::from_utf8_lossy(&read[..end]).to_ascii_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    let length: usize = length.map_or(0, |length| length.parse().unwrap());
    let body = read.get(end..end + length)?;
    Some((status(read)?, serde_json::from_slice(body).unwrap_or(Value::Null), read[end + length..].to_vec()))
}

/// Sends a request with a token and the right host; `target` goes out byte for byte.
pub(crate) async fn exchange(server: &TestServer, token: &str, method: &str, target: impl AsRef<[u8]>) -> (u16, Value) {
    exchange_with(server, "dev.vault.localhost", token, method, target).await
}

/// The same with another host.
pub(crate) async fn exchange_with(
    server: &TestServer,
    host: &str,
    token: &str,
    method: &str,
    target: impl AsRef<[u8]>,
) -> (u16, Value) {
    let mut request = format!("{method} ").into_bytes();
    request.extend_from_slice(target.as_ref());
    let port = server.port;
    request.extend_from_slice(
        format!(" HTTP/1.1\r\nHost: {host}:{port}\r\nAuthorization: Bearer {token}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            .as_bytes(),
    );
    let mut wire = Wire::connect(server).await;
    wire.send(request).await;
    wire.answer().await
}
