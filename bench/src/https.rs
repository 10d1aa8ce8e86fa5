//! Connections over verified TLS, and answers read with as little work as possible: the load has
//! to be cheaper than what it measures.

use std::sync::Arc;

use rustls::pki_types::{CertificateDer, ServerName, pem::PemObject as _};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// A server: where it is, and whom its certificate is from.
#[derive(Clone)]
pub(crate) struct Https {
    pub(crate) host: String,
    pub(crate) port: u16,
    connector: TlsConnector,
}

impl Https {
    pub(crate) fn new(host: &str, port: u16, ca_pem: &[u8]) -> Self {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(ca_pem).unwrap()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let config = config.with_root_certificates(roots).with_no_client_auth();
        Self { host: host.to_owned(), port, connector: TlsConnector::from(Arc::new(config)) }
    }

    pub(crate) async fn connect(&self) -> Connection {
        let stream = TcpStream::connect(("127.0.0.1", self.port)).await.unwrap();
        stream.set_nodelay(true).unwrap();
        let name = ServerName::try_from(self.host.clone()).unwrap();
        Connection { stream: self.connector.connect(name, stream).await.unwrap(), buffer: vec![0; 64 * 1024] }
    }
}

/// A connection that is kept alive.
pub(crate) struct Connection {
    stream: TlsStream<TcpStream>,
    buffer: Vec<u8>,
}

impl Connection {
    /// Sends a whole request; the status and the body of the answer.
    pub(crate) async fn ask(&mut self, request: &[u8]) -> (u16, &[u8]) {
        self.stream.write_all(request).await.unwrap();
        self.stream.flush().await.unwrap();
        let mut filled = 0;
        loop {
            let read = self.stream.read(&mut self.buffer[filled..]).await.unwrap();
            assert!(read > 0, "the server closed the connection");
            filled += read;
            let Some(head) = find(&self.buffer[..filled], b"\r\n\r\n") else { continue };
            let length = content_length(&self.buffer[..head]);
            if filled >= head + 4 + length {
                let status = std::str::from_utf8(&self.buffer[9..12]).unwrap().parse().unwrap();
                return (status, &self.buffer[head + 4..filled]);
            }
        }
    }
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}

fn content_length(head: &[u8]) -> usize {
    const NAME: &[u8] = b"\r\ncontent-length: ";
    let start = find(head, NAME).expect("no content-length") + NAME.len();
    let digits = head[start..].iter().take_while(|byte| byte.is_ascii_digit());
    digits.fold(0, |number, digit| number * 10 + usize::from(digit - b'0'))
}
