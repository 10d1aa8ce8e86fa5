//! A server over TLS that answers as it is told, and counts.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use azure_core::credentials::{AccessToken, TokenCredential, TokenRequestOptions};
use strongroom_backends::retry::Pause;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

pub(crate) const HOST: &str = "fault.vault.localhost";

/// What the server does with a request.
#[derive(Clone)]
pub(crate) enum Fault {
    /// Answers with a status and more headers (`name: value\r\n`).
    Status(u16, String),
    /// Never answers.
    Hang,
    /// Closes the connection.
    Drop,
    /// Answers with a secret.
    Secret,
}

pub(crate) struct FaultServer {
    pub(crate) url: String,
    pub(crate) http: reqwest::Client,
    pub(crate) requests: Arc<AtomicUsize>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for FaultServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl FaultServer {
    /// Always the same.
    pub(crate) async fn start(fault: Fault) -> Self {
        Self::sequence(vec![fault]).await
    }

    /// One after another; the last stays.
    pub(crate) async fn sequence(faults: Vec<Fault>) -> Self {
        let made = rcgen::generate_simple_self_signed([HOST.to_owned()]).unwrap();
        let key = rustls::pki_types::PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
        let config = rustls::ServerConfig::builder_with_provider(rustls::crypto::aws_lc_rs::default_provider().into())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key)
            .unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let requests = Arc::new(AtomicUsize::new(0));
        let (faults, counter) = (Arc::new(faults), Arc::clone(&requests));
        let task = tokio::spawn(async move {
            loop {
                let Ok((stream, _)) = listener.accept().await else { continue };
                let (acceptor, faults, counter) = (acceptor.clone(), Arc::clone(&faults), Arc::clone(&counter));
                tokio::spawn(async move {
                    let Ok(mut stream) = acceptor.accept(stream).await else { return };
                    while read_request(&mut stream).await {
                        let number = counter.fetch_add(1, Ordering::SeqCst);
                        let (status, headers, body) = match faults.get(number).or_else(|| faults.last()).unwrap() {
                            Fault::Hang => return std::future::pending().await,
                            Fault::Drop => return,
                            Fault::Status(status, headers) => {
                                (*status, headers.clone(), r#"{"error":{"code":"Fault","message":"told to"}}"#)
                            }
                            Fault::Secret => (200, String::new(), SECRET),
                        };
                        let length = body.len();
                        let answer =
                            format!("HTTP/1.1 {status} Told\r\n{headers}content-length: {length}\r\n\r\n{body}");
                        if stream.write_all(answer.as_bytes()).await.is_err() {
                            return;
                        }
                    }
                });
            }
        });
        let certificate = reqwest::Certificate::from_der(made.cert.der()).unwrap();
        let here = SocketAddr::from(([127, 0, 0, 1], port));
        let http = reqwest::Client::builder().no_proxy().tls_certs_only([certificate]).resolve(HOST, here);
        Self { url: format!("https://{HOST}:{port}"), http: http.build().unwrap(), requests, task }
    }

    pub(crate) fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }
}

const SECRET: &str = r#"{"value":"v","id":"https://fault.vault.localhost/secrets/s/0198c0de00007000800000000000000a","attributes":{"enabled":true,"created":1,"updated":1,"recoveryLevel":"Recoverable+Purgeable","recoverableDays":90}}"#;

/// Reads a head and the body of the length that it names.
async fn read_request(stream: &mut (impl AsyncRead + Unpin)) -> bool {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => return false,
        }
    }
    let head = String::from_utf8(head).unwrap().to_ascii_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length:"));
    let mut body = vec![0; length.map_or(0, |length| length.trim().parse().unwrap())];
    stream.read_exact(&mut body).await.is_ok()
}

/// Always the same token; it counts how often it was asked for.
#[derive(Debug, Default)]
pub(crate) struct Token(pub(crate) AtomicUsize);

#[async_trait]
impl TokenCredential for Token {
    async fn get_token(
        &self,
        _scopes: &[&str],
        _options: Option<TokenRequestOptions<'_>>,
    ) -> azure_core::Result<AccessToken> {
        self.0.fetch_add(1, Ordering::SeqCst);
        let expires = std::time::SystemTime::UNIX_EPOCH + Duration::from_secs(4_000_000_000);
        Ok(AccessToken::new("token".to_owned(), expires.into()))
    }
}

/// A clock that waits move.
#[derive(Debug, Default)]
pub(crate) struct MovedClock(pub(crate) std::sync::Mutex<Vec<Duration>>);

#[async_trait]
impl Pause for MovedClock {
    async fn pause(&self, time: Duration) {
        self.0.lock().unwrap().push(time);
    }
}

impl MovedClock {
    pub(crate) fn waited(&self) -> Duration {
        self.0.lock().unwrap().iter().sum()
    }
}
