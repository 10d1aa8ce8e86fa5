//! TLS servers whose keys stay in a vault, as curl and OpenSSL see them.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use strongroom::ca::{CertificateAuthority, Request, Usage};
use strongroom::keys::{KeySpec, VaultKey};
use strongroom::tls::{TlsError, VaultResolver, VaultTlsKey};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::process::Command;
use tokio_rustls::TlsAcceptor;

use crate::programs::{P256, P384, RSA, file, key};

const DEADLINE: Duration = Duration::from_secs(10);

/// A root's certificate, and a key with one of it.
async fn certified(spec: KeySpec) -> (VaultKey, CertificateAuthority, String) {
    let ca = CertificateAuthority::create_root(&key("root", P256).await, "Root", 30).await.unwrap();
    let server = key("tls-server", spec).await;
    let request = Request::new(&server.public().await.unwrap().1).unwrap();
    let issued = ca.issue(&request.with_name("localhost").for_usage(Usage::Server).for_days(7)).await.unwrap();
    (server, ca, issued.chain_pem)
}

/// Serves "hello" over TLS until the runtime ends.
async fn serve(keys: Vec<VaultTlsKey>) -> SocketAddr {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = config.with_no_client_auth().with_cert_resolver(Arc::new(VaultResolver::new(keys)));
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let Ok(mut stream) = acceptor.accept(stream).await else { return };
                let mut request = [0; 1024];
                drop(stream.read(&mut request).await);
                let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\nconnection: close\r\n\r\nhello";
                drop(stream.write_all(answer).await);
                drop(stream.shutdown().await);
            });
        }
    });
    address
}

async fn curl(root: &str, address: SocketAddr, more: &[&str]) -> String {
    let url = format!("https://localhost:{}/", address.port());
    let resolve = format!("localhost:{}:127.0.0.1", address.port());
    let mut command = Command::new("curl");
    command.args(["-sS", "--noproxy", "*", "--max-time", "20", "--cacert", root, "--resolve", &resolve]).args(more);
    let output = command.arg(url).output().await.unwrap();
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

async fn handshakes(spec: KeySpec) {
    let folder = tempfile::tempdir().unwrap();
    let (server, ca, chain) = certified(spec).await;
    let root = file(folder.path(), "root.pem", ca.certificate_pem());
    let address = serve(vec![VaultTlsKey::new(&server, &chain, DEADLINE).await.unwrap()]).await;
    for version in [&["--tlsv1.2", "--tls-max", "1.2"][..], &["--tlsv1.3"]] {
        assert_eq!(curl(&root, address, version).await, "hello", "{spec} {version:?}");
    }
    for version in ["-tls1_2", "-tls1_3"] {
        let mut command = Command::new("openssl");
        let connect = address.to_string();
        command.args(["s_client", "-connect", &connect, "-servername", "localhost", "-verify_return_error"]);
        command.args(["-verify_hostname", "localhost", "-CAfile", &root, version]).stdin(std::process::Stdio::null());
        let output = command.output().await.unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(said.contains("Verify return code: 0 (ok)"), "{spec} {version}: {said}");
    }
}

#[tokio::test]
async fn curl_and_openssl_connect_to_an_elliptic_key_on_one_thread() {
    handshakes(P256).await;
    handshakes(P384).await;
}

#[tokio::test]
async fn curl_and_openssl_connect_to_an_rsa_key_on_one_thread() {
    handshakes(RSA).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn curl_and_openssl_connect_on_several_threads() {
    handshakes(P256).await;
    handshakes(RSA).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_knows_rsa_only_gets_the_rsa_key() {
    let folder = tempfile::tempdir().unwrap();
    let ((elliptic, ca, elliptic_chain), (rsa, rsa_ca, rsa_chain)) = (certified(P256).await, certified(RSA).await);
    let roots = file(folder.path(), "roots.pem", format!("{}{}", ca.certificate_pem(), rsa_ca.certificate_pem()));
    let keys = vec![
        VaultTlsKey::new(&elliptic, &elliptic_chain, DEADLINE).await.unwrap(),
        VaultTlsKey::new(&rsa, &rsa_chain, DEADLINE).await.unwrap(),
    ];
    let address = serve(keys).await;
    for (algorithms, wanted) in [("ECDSA+SHA256", "id-ecPublicKey"), ("RSA-PSS+SHA256:ECDSA+SHA512", "rsaEncryption")] {
        let mut command = Command::new("openssl");
        let connect = address.to_string();
        command.args(["s_client", "-connect", &connect, "-sigalgs", algorithms, "-CAfile", &roots]);
        let said = command.stdin(std::process::Stdio::null()).output().await.unwrap().stdout;
        let path = file(folder.path(), "peer.pem", said);
        let text = Command::new("openssl").args(["x509", "-in", &path, "-noout", "-text"]).output().await.unwrap();
        let text = String::from_utf8_lossy(&text.stdout).into_owned();
        assert!(text.contains(&format!("Public Key Algorithm: {wanted}")), "{algorithms}: {text}");
    }
}

#[tokio::test]
async fn a_certificate_of_another_key_or_version_is_refused() {
    let (server, _ca, chain) = certified(P256).await;
    let version = server.public().await.unwrap().0;
    server.create(P256).await.unwrap();
    let refused = VaultTlsKey::new(&server, &chain, DEADLINE).await.unwrap_err();
    assert!(matches!(refused, TlsError::Certificate(why) if why.contains("version")));
    VaultTlsKey::new(&server.at(version), &chain, DEADLINE).await.unwrap();
    for wrong in ["", "nonsense", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
        assert!(VaultTlsKey::new(&server, wrong, DEADLINE).await.is_err());
    }
}

#[tokio::test]
async fn a_key_that_may_not_sign_any_more_ends_handshakes_and_not_the_server() {
    use strongroom_store::Cx;
    use strongroom_store::vault::{Change, Target};
    use strongroom_wire::attributes::AttributesChange;
    use strongroom_wire::ids::Kind;
    let folder = tempfile::tempdir().unwrap();
    let vault = strongroom::open("memory:").await.unwrap();
    let ca = CertificateAuthority::create_root(&key("root", P256).await, "Root", 30).await.unwrap();
    let server = VaultKey::new(Arc::clone(&vault), "tls").unwrap();
    server.create(P256).await.unwrap();
    let request = Request::new(&server.public().await.unwrap().1).unwrap().with_name("localhost");
    let issued = ca.issue(&request.for_usage(Usage::Server).for_days(7)).await.unwrap();
    let root = file(folder.path(), "root.pem", ca.certificate_pem());
    let address = serve(vec![VaultTlsKey::new(&server, &issued.pem, DEADLINE).await.unwrap()]).await;
    assert_eq!(curl(&root, address, &[]).await, "hello");
    for enabled in [false, true] {
        let attributes = AttributesChange { enabled: Some(enabled), ..Default::default() };
        let (cx, target) = (Cx::system(server.clock().now()), Target::latest(Kind::Key, server.name().clone()));
        vault.update(&cx, &target, Change { attributes, ..Default::default() }).await.unwrap();
        assert_eq!(curl(&root, address, &[]).await == "hello", enabled);
    }
}
