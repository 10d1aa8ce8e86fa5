//! The proxy over real sockets.

use std::io;
use std::net::Ipv4Addr;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio_rustls::{TlsAcceptor, TlsConnector};

use super::*;
use crate::tls::{DevCa, MintingResolver, server_config};

const SERVER_PORT: u16 = 8443;

/// Stands where the server will: a real TLS acceptor that echoes; plain connections are told what they sent.
struct Echo(TlsAcceptor);

#[async_trait]
impl Handoff for Echo {
    async fn tunnel(&self, stream: Box<dyn Duplex>, host: &str, _peer: SocketAddr) {
        let mut stream = self.0.accept(stream).await.unwrap();
        stream.write_all(format!("{host}\n").as_bytes()).await.unwrap();
        stream.shutdown().await.unwrap();
    }

    async fn plain(&self, mut stream: Box<dyn Duplex>, host: &str, _peer: SocketAddr) {
        let mut seen = Vec::new();
        while !seen.ends_with(b"\r\n\r\n") && stream.read_buf(&mut seen).await.unwrap() > 0 {}
        stream.write_all(format!("{host}\n").as_bytes()).await.unwrap();
        stream.write_all(&seen).await.unwrap();
        stream.shutdown().await.unwrap();
    }
}

/// A running proxy.
struct Running {
    address: SocketAddr,
    ca_pem: String,
    stop: watch::Sender<bool>,
    task: tokio::task::JoinHandle<()>,
}

impl Running {
    async fn start(isolated: bool) -> Self {
        let names = DevNames::new("localhost").unwrap();
        let now = time::OffsetDateTime::now_utc().unix_timestamp();
        let ca = Arc::new(DevCa::create(now, &names).unwrap());
        let ca_pem = ca.cert_pem();
        let resolver = MintingResolver::new(ca, names.clone(), Arc::new(move || now)).unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(server_config(Arc::new(resolver)).unwrap()));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = watch::channel(false);
        let limits = ProxyLimits { head_time: Duration::from_millis(300), ..ProxyLimits::default() };
        let config = ProxyConfig { isolated, names, server_port: SERVER_PORT, limits };
        let task = tokio::spawn(serve(listener, config, Arc::new(Echo(acceptor)), stopped));
        Self { address, ca_pem, stop, task }
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// Everything that comes back for `request`.
    async fn ask(&self, request: &[u8]) -> String {
        let mut stream = self.connect().await;
        stream.write_all(request).await.unwrap();
        read_all(&mut stream).await
    }

    /// What the server says through a tunnel to `name`.
    async fn through_tunnel(&self, connect: &str, name: &str) -> String {
        let mut stream = self.connect().await;
        stream.write_all(connect.as_bytes()).await.unwrap();
        assert_eq!(read_some(&mut stream, ESTABLISHED.len()).await, ESTABLISHED, "{connect}");
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(self.ca_pem.as_bytes()).unwrap()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let client = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let client = Arc::new(client.with_root_certificates(roots).with_no_client_auth());
        let name = ServerName::try_from(name.to_owned()).unwrap();
        let mut tls = TlsConnector::from(client).connect(name, stream).await.unwrap();
        read_all(&mut tls).await
    }
}

async fn read_all<S: AsyncRead + Unpin>(stream: &mut S) -> String {
    let mut all = Vec::new();
    stream.read_to_end(&mut all).await.unwrap();
    String::from_utf8(all).unwrap()
}

async fn read_some<S: AsyncRead + Unpin>(stream: &mut S, length: usize) -> Vec<u8> {
    let mut some = vec![0; length];
    stream.read_exact(&mut some).await.unwrap();
    some
}

/// A server outside that answers a client with what it sent, until that ends.
async fn echo_server() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut stream, _peer)) = listener.accept().await {
            tokio::spawn(async move {
                let (mut reader, mut writer) = stream.split();
                tokio::io::copy(&mut reader, &mut writer).await
            });
        }
    });
    port
}

#[tokio::test]
async fn tunnels_to_azure_names_and_own_names_reach_the_server() {
    for isolated in [false, true] {
        let proxy = Running::start(isolated).await;
        for (connect, name) in [
            ("CONNECT login.microsoftonline.com:443 HTTP/1.0\r\n\r\n", "login.microsoftonline.com"),
            (
                "CONNECT KV1.vault.azure.net:443 HTTP/1.1\r\nHost: kv1.vault.azure.net:443\r\n\r\n",
                "kv1.vault.azure.net",
            ),
            ("CONNECT management.azure.com.:443 HTTP/1.1\r\n\r\n", "management.azure.com"),
            ("CONNECT dev.vault.localhost:8443 HTTP/1.1\r\n\r\n", "dev.vault.localhost"),
            ("CONNECT login.localhost:8443 HTTP/1.1\r\n\r\n", "login.localhost"),
            ("CONNECT [::1]:8443 HTTP/1.1\r\n\r\n", "::1"),
        ] {
            assert_eq!(proxy.through_tunnel(connect, name).await, format!("{name}\n"));
        }
    }
}

#[tokio::test]
async fn plain_requests_are_replayed_for_one_request_only() {
    let proxy = Running::start(true).await;
    let request = "GET http://169.254.169.254/metadata/identity/oauth2/token?api-version=2018-02-01 HTTP/1.1\r\n\
                   Host: 169.254.169.254\r\nProxy-Connection: keep-alive\r\nMetadata: true\r\n\r\n";
    assert_eq!(
        proxy.ask(request.as_bytes()).await,
        "169.254.169.254\nGET http://169.254.169.254/metadata/identity/oauth2/token?api-version=2018-02-01 \
         HTTP/1.1\r\nHost: 169.254.169.254\r\nMetadata: true\r\nConnection: close\r\n\r\n"
    );
    let vault = proxy.ask(b"GET http://kv1.vault.azure.net/secrets HTTP/1.0\r\n\r\n").await;
    assert!(vault.starts_with("kv1.vault.azure.net\nGET http://kv1.vault.azure.net/secrets HTTP/1.0\r\n"), "{vault}");
    let tunneled = b"CONNECT 169.254.169.254:80 HTTP/1.1\r\n\r\nGET /metadata HTTP/1.1\r\n\r\n";
    let tunneled = proxy.ask(tunneled).await;
    assert!(tunneled.ends_with("\r\n\r\n169.254.169.254\nGET /metadata HTTP/1.1\r\n\r\n"), "{tunneled}");
}

#[tokio::test]
async fn azure_names_never_leave_on_other_ports() {
    let proxy = Running::start(false).await;
    for request in [
        "CONNECT kv1.vault.azure.net:8443 HTTP/1.1\r\n\r\n",
        "CONNECT 169.254.169.254:443 HTTP/1.1\r\n\r\n",
        "GET http://login.windows.net:8080/ HTTP/1.1\r\n\r\n",
    ] {
        let answer = proxy.ask(request.as_bytes()).await;
        assert!(answer.starts_with("HTTP/1.1 403 "), "{answer}");
    }
}

#[tokio::test]
async fn other_hosts_pass_through_unless_isolated() {
    let port = echo_server().await;
    let proxy = Running::start(false).await;
    let mut stream = proxy.connect().await;
    // The first bytes of the tunnel come with the request, as some clients send them.
    stream.write_all(format!("CONNECT 127.0.0.1:{port} HTTP/1.0\r\n\r\nearly ").as_bytes()).await.unwrap();
    assert_eq!(read_some(&mut stream, ESTABLISHED.len()).await, ESTABLISHED);
    stream.write_all(b"late").await.unwrap();
    stream.shutdown().await.unwrap();
    assert_eq!(read_all(&mut stream).await, "early late");

    let post = format!(
        "POST http://127.0.0.1:{port}/a?b=c HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nProxy-Authorization: Basic eA==\r\n\
         Content-Length: 4\r\n\r\nbody"
    );
    let mut stream = proxy.connect().await;
    stream.write_all(post.as_bytes()).await.unwrap();
    stream.shutdown().await.unwrap();
    assert_eq!(
        read_all(&mut stream).await,
        format!("POST /a?b=c HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Length: 4\r\nConnection: close\r\n\r\nbody")
    );

    let isolated = Running::start(true).await;
    for request in [format!("CONNECT 127.0.0.1:{port} HTTP/1.1\r\nHost: x\r\n\r\n"), post] {
        let answer = isolated.ask(request.as_bytes()).await;
        assert!(answer.starts_with("HTTP/1.1 403 Forbidden\r\n"), "{answer}");
        assert!(answer.ends_with(&format!(
            "\r\n\r\nstrongroom proxy: 127.0.0.1:{port} is outside, and this proxy is isolated\n"
        )));
    }
}

#[tokio::test]
async fn hosts_that_cannot_be_reached_and_the_proxy_itself_are_refused() {
    let proxy = Running::start(false).await;
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    let answer = proxy.ask(format!("CONNECT 127.0.0.1:{closed} HTTP/1.1\r\n\r\n").as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 502 "), "{answer}");
    let answer = proxy.ask(b"CONNECT no-such-host.invalid:443 HTTP/1.1\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 502 "), "{answer}");
    for host in ["127.0.0.1", "localhost", "0.0.0.0", "127.1.2.3", "[::ffff:127.0.0.1]"] {
        let request = format!("CONNECT {host}:{} HTTP/1.1\r\n\r\n", proxy.address.port());
        let answer = proxy.ask(request.as_bytes()).await;
        assert!(answer.contains("it does not connect to itself"), "{host}: {answer}");
    }
}

#[tokio::test]
async fn bad_requests_are_refused() {
    let proxy = Running::start(false).await;
    for request in [
        "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "GET https://example.com/ HTTP/1.1\r\n\r\n",
        "GET ftp://example.com/ HTTP/1.1\r\n\r\n",
        "GET http://user:pass@127.0.0.1/ HTTP/1.1\r\n\r\n",
        "GET http://127.0.0.1:0/ HTTP/1.1\r\n\r\n",
        "GET http://127.0.0.1:99999/ HTTP/1.1\r\n\r\n",
        "CONNECT example.com HTTP/1.1\r\n\r\n",
        "CONNECT example.com:0 HTTP/1.1\r\n\r\n",
        "CONNECT example.com:x HTTP/1.1\r\n\r\n",
        "CONNECT a@example.com:443 HTTP/1.1\r\n\r\n",
        "CONNECT :443 HTTP/1.1\r\n\r\n",
        "CONNECT http://example.com:443/ HTTP/1.1\r\n\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "\x16\x03\x01\r\n\r\n",
    ] {
        let answer = proxy.ask(request.as_bytes()).await;
        assert!(answer.starts_with("HTTP/1.1 400 "), "{request:?}: {answer}");
        assert!(!answer.contains("pass"), "{answer}");
    }
}

#[tokio::test]
async fn slow_and_oversized_heads_are_refused() {
    let proxy = Running::start(false).await;
    let slow = proxy.ask(b"CONNECT kv1.vault.azure.net:443 HTTP/1.1\r\nHost:").await;
    assert!(slow.starts_with("HTTP/1.1 408 "), "{slow}");
    let mut large = b"CONNECT kv1.vault.azure.net:443 HTTP/1.1\r\nX: ".to_vec();
    large.resize(40 * 1024, b'x');
    let large = proxy.ask(&large).await;
    assert!(large.starts_with("HTTP/1.1 431 "), "{large}");
}

#[tokio::test]
async fn it_stops_and_lets_go_of_tunnels_outside() -> io::Result<()> {
    let port = echo_server().await;
    let proxy = Running::start(false).await;
    let mut tunnel = proxy.connect().await;
    tunnel.write_all(format!("CONNECT 127.0.0.1:{port} HTTP/1.1\r\n\r\n").as_bytes()).await?;
    assert_eq!(read_some(&mut tunnel, ESTABLISHED.len()).await, ESTABLISHED);
    proxy.stop.send(true).unwrap();
    proxy.task.await?;
    assert_eq!(tunnel.read(&mut [0]).await?, 0);
    assert!(TcpStream::connect(proxy.address).await.is_err());
    Ok(())
}
