//! The resolver over a real network and its faults: closed ports, strangers' certificates, and a
//! small HTTPS server that answers as it is told.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use azure_core::credentials::{AccessToken, TokenCredential, TokenRequestOptions};
use azure_core::time::OffsetDateTime;
use strongroom::secrets::{HealthStatus, LocalSecrets, ResolverOptions, SecretError, SecretManager, SecretResolver};
use strongroom_backends::azure::{AzureVault, AzureVaultOptions};
use strongroom_store::Time;
use strongroom_store::clock::ManualClock;

/// The vault's name; it is looked up nowhere.
const HOST: &str = "dev.vault.test";

/// An answer: status, headers, body.
type Answer = (u16, &'static str, String);

/// Answers requests that have a token, and challenges others, over TLS.
struct Server {
    port: u16,
    certificate: String,
    /// What was asked for with a token, in its order.
    asked: Arc<Mutex<Vec<String>>>,
}

impl Server {
    fn start(answer: impl Fn(&str, usize) -> Answer + Send + Sync + 'static) -> Self {
        let certified = rcgen::generate_simple_self_signed([HOST.to_owned()]).unwrap();
        let key = rustls::pki_types::PrivateKeyDer::try_from(certified.signing_key.serialize_der()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let config = config.unwrap().with_no_client_auth();
        let config = Arc::new(config.with_single_cert(vec![certified.cert.der().clone()], key).unwrap());
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let asked: Arc<Mutex<Vec<String>>> = Arc::default();
        let (seen, answer) = (Arc::clone(&asked), Arc::new(answer));
        std::thread::spawn(move || {
            for socket in listener.incoming() {
                let (config, seen, answer) = (Arc::clone(&config), Arc::clone(&seen), Arc::clone(&answer));
                std::thread::spawn(move || {
                    let connection = rustls::ServerConnection::new(config).unwrap();
                    let mut stream = rustls::StreamOwned::new(connection, socket.unwrap());
                    let (mut request, mut piece) = (Vec::new(), [0; 4096]);
                    while !request.windows(4).any(|end| end == b"\r\n\r\n") {
                        match stream.read(&mut piece) {
                            Ok(0) | Err(_) => return,
                            Ok(read) => request.extend_from_slice(&piece[..read]),
                        }
                    }
                    let head = String::from_utf8_lossy(&request).to_lowercase();
                    let path = head.split(' ').nth(1).unwrap().to_owned();
                    let (status, headers, body) = if head.contains("\r\nauthorization: bearer ") {
                        let mut seen = seen.lock().unwrap();
                        seen.push(path.clone());
                        let count = seen.len();
                        drop(seen);
                        answer(&path, count)
                    } else {
                        let challenge = "www-authenticate: Bearer authorization=\"https://login.test/t\", \
                                         resource=\"https://vault.test\"\r\n";
                        (401, challenge, String::new())
                    };
                    let length = body.len();
                    drop(write!(
                        stream,
                        "HTTP/1.1 {status} X\r\n{headers}content-length: {length}\r\nconnection: close\r\n\r\n{body}"
                    ));
                    stream.conn.send_close_notify();
                    drop(stream.flush());
                });
            }
        });
        Self { port, certificate: certified.cert.pem(), asked }
    }

    fn resolver(&self) -> Arc<SecretResolver> {
        let trusted = reqwest::Certificate::from_pem(self.certificate.as_bytes()).unwrap();
        Arc::new(resolver(self.port, Some(trusted)))
    }

    /// What was asked for since the last time, without queries.
    fn asked(&self) -> Vec<String> {
        let asked = std::mem::take(&mut *self.asked.lock().unwrap());
        asked.iter().map(|path| path.split('?').next().unwrap().trim_end_matches('/').to_owned()).collect()
    }
}

fn resolver(port: u16, trusted: Option<reqwest::Certificate>) -> SecretResolver {
    let here = SocketAddr::from(([127, 0, 0, 1], port));
    let http = reqwest::Client::builder().no_proxy().https_only(true).resolve(HOST, here);
    let http = http.tls_certs_only(trusted).build().unwrap();
    let url = format!("https://{HOST}:{port}");
    let vault = AzureVault::new(AzureVaultOptions { url, credential: Arc::new(Known), http }).unwrap();
    let clock = ManualClock::new(Time::from_seconds(1_800_000_000));
    SecretResolver::new(Arc::new(vault), clock, ResolverOptions::default())
}

/// A token that the server does not look at.
#[derive(Debug)]
struct Known;

#[async_trait::async_trait]
impl TokenCredential for Known {
    async fn get_token(
        &self,
        _scopes: &[&str],
        _options: Option<TokenRequestOptions<'_>>,
    ) -> azure_core::Result<AccessToken> {
        Ok(AccessToken::new("canary-token", OffsetDateTime::now_utc() + Duration::from_secs(3_600)))
    }
}

fn secret(name: &str, value: &str) -> Answer {
    let version = "0123456789abcdef0123456789abcdef";
    let attributes = r#"{"enabled":true,"created":1,"updated":1,"recoveryLevel":"Recoverable","recoverableDays":90}"#;
    let id = format!("https://{HOST}/secrets/{name}/{version}");
    (200, "", format!(r#"{{"value":"{value}","id":"{id}","attributes":{attributes}}}"#))
}

fn refused(status: u16, headers: &'static str, code: &str, inner: &str) -> Answer {
    (status, headers, format!(r#"{{"error":{{"code":"{code}","message":"m","innererror":{{"code":"{inner}"}}}}}}"#))
}

#[tokio::test(flavor = "multi_thread")]
async fn only_a_404_falls_through_to_the_one_for_all() {
    let server = Server::start(|path, _| match path.contains("/secrets/org--") {
        true => refused(404, "", "SecretNotFound", ""),
        false => secret("GLOBAL--k", "of all"),
    });
    assert_eq!(server.resolver().get("org", "k").await.unwrap().expose(), "of all");
    assert_eq!(server.asked(), ["/secrets/org--k", "/secrets/global--k"]);

    let cases = [
        (refused(403, "", "Forbidden", "ForbiddenByRbac"), 1),
        (refused(403, "", "Forbidden", ""), 1),
        (refused(403, "", "Forbidden", "SecretDisabled"), 1),
        (refused(400, "", "BadParameter", ""), 1),
        (refused(429, "retry-after: 0\r\n", "Throttled", ""), 6),
        (refused(503, "retry-after: 0\r\n", "ServiceUnavailable", ""), 6),
        (refused(500, "retry-after: 0\r\n", "InternalError", ""), 6),
    ];
    for (answer, tries) in cases {
        let given = answer.clone();
        let server = Server::start(move |_, _| given.clone());
        let fault = server.resolver().get("org", "k").await.unwrap_err();
        let class = match &fault {
            SecretError::Forbidden { .. } => 403,
            SecretError::Throttled { .. } => 429,
            SecretError::Network { .. } => 503,
            SecretError::Invalid { .. } => 400,
            other => panic!("{other:?}"),
        };
        let expected = match (answer.0, answer.2.contains("SecretDisabled")) {
            (403, true) => 400,
            (500, _) => 503,
            (status, _) => status,
        };
        assert_eq!(class, expected, "{answer:?}: {fault}");
        assert_eq!(server.asked(), vec!["/secrets/org--k"; tries], "{answer:?}");
        let said = format!("{fault}{fault:?}");
        assert!(said.contains("org--k") && !said.contains("canary"), "{said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_token_is_the_credentials_fault() {
    let server = Server::start(|_, _| refused(401, "", "Unauthorized", ""));
    let fault = server.resolver().get("org", "k").await.unwrap_err();
    assert!(matches!(fault, SecretError::Authentication { .. }), "{fault:?}");
    assert!(fault.to_string().contains("Check tenant, client id and client secret"), "{fault}");
    assert!(server.asked().iter().all(|path| path == "/secrets/org--k"));
    assert_eq!(server.resolver().health().await.status, HealthStatus::Unhealthy);
    assert_eq!(server.resolver().health().await.message, "Auth failed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wait_that_the_vault_asks_for_is_kept() {
    let server = Server::start(|_, count| match count {
        1 => refused(429, "retry-after: 1\r\n", "Throttled", ""),
        2 => refused(503, "retry-after: 1\r\n", "ServiceUnavailable", ""),
        _ => secret("org--k", "at last"),
    });
    let start = Instant::now();
    assert_eq!(server.resolver().get("org", "k").await.unwrap().expose(), "at last");
    let waited = start.elapsed();
    assert!(waited >= Duration::from_secs(2) && waited < Duration::from_secs(6), "{waited:?}");
    assert_eq!(server.asked().len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn health_is_one_request_for_a_list_however_long_and_reads_nothing() {
    let server = Server::start(|_, _| {
        let next = format!("https://{HOST}/secrets?api-version=7.4&$skiptoken=x");
        (200, "", format!(r#"{{"value":[],"nextLink":"{next}"}}"#))
    });
    let resolver = server.resolver();
    assert_eq!(resolver.health().await.status, HealthStatus::Healthy);
    assert_eq!(server.asked(), ["/secrets"]);
    resolver.health().await;
    assert_eq!(server.asked(), ["/secrets"], "it is asked for each time");
    let server = Server::start(|_, _| refused(403, "", "Forbidden", "ForbiddenByRbac"));
    assert_eq!(server.resolver().health().await.status, HealthStatus::Degraded);
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_at_once_are_asked_for_once_each_and_answered_in_order() {
    let server = Server::start(|path, _| {
        let name = path.split('/').nth(2).unwrap().split('?').next().unwrap().to_owned();
        secret(&name, &format!("value of {name}"))
    });
    let resolver = server.resolver();
    let wanted: Vec<_> = (0..50).map(|number| ("org".to_owned(), format!("k{number}"))).collect();
    for _ in 0..3 {
        for (number, answer) in resolver.get_all(&wanted).await.into_iter().enumerate() {
            assert_eq!(*answer.unwrap().expose(), format!("value of org--k{number}"));
        }
    }
    assert_eq!(server.asked().len(), 50);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_closed_port_and_a_strangers_certificate_are_outages() {
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let server = Server::start(|_, _| secret("org--k", "never"));
    for (port, what) in [(closed, "closed"), (server.port, "untrusted")] {
        // A write is not tried again after a fault of the connection, so it ends at once.
        let manager = SecretManager::new(Arc::new(resolver(port, None)));
        let fault = manager.set("org", "k", "canary-value".to_owned().into()).await.unwrap_err();
        assert_eq!(fault.status(), 503, "{what}: {fault}");
        let said = format!("{fault}{fault:?}");
        assert!(said.contains("org--k") && said.contains("Check its URL") && !said.contains("canary"), "{said}");
    }
    assert!(server.asked().is_empty());
    // Reads are tried again for their whole time; then what is local stands in, or the fault is told.
    let local = LocalSecrets::new(|name| (name == "ORG__K").then(|| "local".to_owned()));
    let start = Instant::now();
    let (with, without) =
        tokio::join!(async { resolver(closed, None).with_local(local).get("org", "k").await }, async {
            resolver(server.port, None).get("org", "k").await
        },);
    assert_eq!(with.unwrap().expose(), "local");
    assert!(matches!(without, Err(SecretError::Network { .. })), "{without:?}");
    assert!(start.elapsed() < Duration::from_secs(40), "{:?}", start.elapsed());
}
