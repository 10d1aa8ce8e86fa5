//! Real handshakes, and the judgement of other implementations: OpenSSL, Python's `ssl`, Java's `keytool`.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::atomic::{AtomicI64, Ordering};

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::server::ClientHello;
use rustls::sign::CertifiedKey;
use rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion};
use strongroom_wire::Sensitive;
use tokio_rustls::{TlsAcceptor, TlsConnector};

use super::*;

const DAY: i64 = 86_400;

#[expect(clippy::disallowed_methods, reason = "other implementations compare certificates with the real time")]
fn now() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    i64::try_from(since.as_secs()).unwrap()
}

fn names() -> DevNames {
    DevNames::new("kv.example.test").unwrap()
}

fn resolver(ca: &Arc<DevCa>, names: DevNames) -> Arc<MintingResolver> {
    Arc::new(MintingResolver::new(Arc::clone(ca), names, Arc::new(now)).unwrap())
}

/// The names a client may come with: local ones, addresses, Azure's.
const SERVED: [&str; 14] = [
    "localhost",
    "kv.example.test",
    "login.kv.example.test",
    "dev.vault.kv.example.test",
    "h.managedhsm.kv.example.test",
    "c.azconfig.kv.example.test",
    "127.0.0.1",
    "::1",
    "login.microsoftonline.com",
    "management.azure.com",
    "graph.microsoft.com",
    "kv1.vault.azure.net",
    "hsm1.managedhsm.azure.net",
    "conf1.azconfig.io",
];

/// A handshake between `server` and a client that trusts only the certificate in `ca_file`; the ALPN agreed on.
async fn handshake(
    server: ServerConfig,
    ca_file: &Path,
    name: &str,
    version: &'static SupportedProtocolVersion,
) -> Result<Option<Vec<u8>>, String> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(ca_file).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_protocol_versions(&[version]).unwrap();
    let mut client = builder.with_root_certificates(roots).with_no_client_auth();
    client.alpn_protocols = vec![b"h2".to_vec()];
    let (near, far) = tokio::io::duplex(64 * 1024);
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(server));
    let accept = tokio::spawn(async move { acceptor.accept(far).await });
    // Open until the server is done: it sends session tickets last.
    let client = TlsConnector::from(Arc::new(client)).connect(name, near).await.map_err(|fault| fault.to_string())?;
    accept.await.unwrap().map_err(|fault| fault.to_string())?;
    let agreed = client.get_ref().1.alpn_protocol().map(<[u8]>::to_vec);
    Ok(agreed)
}

/// Answers with one certificate, asked for or not.
#[derive(Debug)]
struct Always(Arc<CertifiedKey>);

impl ResolvesServerCert for Always {
    fn resolve(&self, _client_hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0))
    }
}

#[tokio::test]
async fn a_client_that_trusts_the_ca_reaches_every_served_name() {
    let folder = tempfile::tempdir().unwrap();
    let ca = Arc::new(DevCa::create(now(), &names()).unwrap());
    let files = write_trust_files(folder.path(), &ca.cert_pem()).unwrap();
    let resolver = resolver(&ca, names());
    for name in SERVED {
        for version in [&rustls::version::TLS13, &rustls::version::TLS12] {
            let server = server_config(resolver.clone()).unwrap();
            let agreed = handshake(server, &files.ca, name, version).await;
            assert_eq!(agreed, Ok(Some(b"h2".to_vec())), "{name}");
        }
    }
    for name in ["example.com", "vault.azure.net", "a.b.vault.azure.net", "other.kv.example.test"] {
        let server = server_config(resolver.clone()).unwrap();
        assert!(handshake(server, &files.ca, name, &rustls::version::TLS13).await.is_err(), "{name}");
    }
}

#[tokio::test]
async fn a_leaf_outside_the_constraints_is_refused_by_clients() {
    let folder = tempfile::tempdir().unwrap();
    let ca = DevCa::create(now(), &names()).unwrap();
    let files = write_trust_files(folder.path(), &ca.cert_pem()).unwrap();
    for name in ["example.com", "example.test", "azure.net", "10.0.0.1", "169.254.169.253"] {
        let leaf = Arc::new(ca.mint(&[name.to_owned()], now()).unwrap());
        let server = server_config(Arc::new(Always(Arc::clone(&leaf)))).unwrap();
        let outcome = handshake(server, &files.ca, name, &rustls::version::TLS13).await;
        assert!(outcome.unwrap_err().contains("NameConstraint"), "{name}");
        let verdict = openssl_verify(folder.path(), &files.ca, &leaf);
        assert!(!verdict.status.success(), "{name}");
        assert!(String::from_utf8_lossy(&verdict.stderr).contains("permitted subtree violation"), "{name}");
    }
}

#[test]
fn openssl_accepts_every_leaf_strictly() {
    let folder = tempfile::tempdir().unwrap();
    let ca = Arc::new(DevCa::create(now(), &names()).unwrap());
    let files = write_trust_files(folder.path(), &ca.cert_pem()).unwrap();
    let resolver = resolver(&ca, names());
    for name in SERVED {
        let leaf = resolver.certificate(Some(name)).unwrap().unwrap();
        let verdict = openssl_verify(folder.path(), &files.ca, &leaf);
        assert!(verdict.status.success(), "{name}: {}", String::from_utf8_lossy(&verdict.stderr));
    }
    let text = Command::new("openssl").args(["x509", "-noout", "-text", "-in"]).arg(&files.ca).output().unwrap();
    let text = String::from_utf8(text.stdout).unwrap();
    for part in [
        "Subject: CN = Strongroom development CA",
        "X509v3 Name Constraints: critical",
        "CA:TRUE, pathlen:0",
        "DNS:kv.example.test",
        "IP:127.0.0.0/255.0.0.0",
        "IP:169.254.169.254/255.255.255.255",
    ] {
        // OpenSSL 1.1 and 3.0 write `CN = `, later ones `CN=`.
        assert!(text.replace("CN=", "CN = ").contains(part), "{part} is not in {text}");
    }
}

fn openssl_verify(folder: &Path, ca_file: &Path, leaf: &CertifiedKey) -> Output {
    let path = folder.join("leaf.pem");
    fs::write(&path, trust::to_pem(leaf.cert.first().unwrap())).unwrap();
    let arguments = ["verify", "-x509_strict", "-purpose", "sslserver", "-CAfile"];
    Command::new("openssl").args(arguments).arg(ca_file).arg(&path).output().unwrap()
}

#[tokio::test]
async fn python_accepts_every_served_name() {
    let folder = tempfile::tempdir().unwrap();
    let ca = Arc::new(DevCa::create(now(), &names()).unwrap());
    let files = write_trust_files(folder.path(), &ca.cert_pem()).unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(server_config(resolver(&ca, names())).unwrap()));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    tokio::spawn(async move {
        while let Ok((stream, _peer)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move { acceptor.accept(stream).await.is_ok() });
        }
    });
    let script = "import socket, ssl, sys\n\
                  for cafile in sys.argv[2:4]:\n\
                  \x20   context = ssl.create_default_context(cafile=cafile)\n\
                  \x20   context.verify_flags |= ssl.VERIFY_X509_STRICT\n\
                  \x20   for name in sys.argv[4:]:\n\
                  \x20       with socket.create_connection(('127.0.0.1', int(sys.argv[1]))) as s:\n\
                  \x20           context.wrap_socket(s, server_hostname=name).close()\n\
                  print('all fine')\n";
    let output = tokio::task::spawn_blocking(move || {
        let mut python = Command::new("python3");
        python.args(["-c", script, &port]).arg(files.ca).arg(files.bundle).args(SERVED).output().unwrap()
    });
    let output = output.await.unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "all fine\n", "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn the_trust_store_holds_trusted_entries_and_bundles_hold_one_development_ca() {
    let folder = tempfile::tempdir().unwrap();
    let ca = DevCa::create(now(), &names()).unwrap();
    let files = write_trust_files(folder.path(), &ca.cert_pem()).unwrap();
    // Again, over what is there.
    let files = write_trust_files(folder.path(), &fs::read_to_string(files.ca).unwrap()).unwrap();
    assert_eq!(fs::read_to_string(&files.ca).unwrap(), ca.cert_pem());
    let bundle = fs::read_to_string(&files.bundle).unwrap();
    assert_eq!(bundle.matches("BEGIN CERTIFICATE").count(), files.system_roots + 1);
    for path in [&files.ca, &files.bundle, &files.truststore] {
        assert_eq!(fs::metadata(path).unwrap().permissions().mode() & 0o777, 0o644);
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 3, "a temporary file was left");

    let store = fs::read(&files.truststore).unwrap();
    let policy = p12_keystore::Pkcs12ImportPolicy::Strict;
    let store = p12_keystore::KeyStore::from_pkcs12(&store, trust::TRUSTSTORE_PASSWORD, policy).unwrap();
    assert_eq!(store.entries_len(), files.system_roots + 1);

    let mut keytool = Command::new("keytool");
    keytool.args(["-list", "-storepass", trust::TRUSTSTORE_PASSWORD, "-keystore"]).arg(&files.truststore);
    let Ok(output) = keytool.output() else {
        strongroom_store::conformance::skipped("the trust store in Java", "there is no keytool");
        return;
    };
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}");
    assert_eq!(text.matches("trustedCertEntry").count(), files.system_roots + 1, "{text}");
    assert!(write_trust_files(folder.path(), "no certificate").is_err());
}

#[test]
fn a_ca_comes_back_from_pem_and_knows_what_it_covers() {
    let ca = DevCa::create(now(), &names()).unwrap();
    let back = DevCa::from_pem(&ca.cert_pem(), &ca.key_pem()).unwrap();
    assert_eq!(back.cert_pem(), ca.cert_pem());
    assert!(back.covers(&names()));
    assert!(back.covers(&DevNames::new("localhost").unwrap()));
    assert!(back.covers(&DevNames::new("team.kv.example.test").unwrap()));
    let elsewhere = DevNames::new("example.test").unwrap();
    assert!(!back.covers(&elsewhere));
    let refused = MintingResolver::new(Arc::new(back), elsewhere, Arc::new(now)).unwrap_err();
    assert!(refused.to_string().contains("--reset"), "{refused}");

    let other = DevCa::create(now(), &names()).unwrap();
    assert!(matches!(DevCa::from_pem(&ca.cert_pem(), &other.key_pem()), Err(DevCaError::NotAPair)));
    assert!(matches!(DevCa::from_pem("", &ca.key_pem()), Err(DevCaError::BadCertificate(_))));
    let nonsense = Sensitive::new("nonsense".to_owned());
    assert!(matches!(DevCa::from_pem(&ca.cert_pem(), &nonsense), Err(DevCaError::BadKey)));
    let leaf = ca.mint(&["localhost".to_owned()], now()).unwrap();
    let not_a_ca = trust::to_pem(leaf.cert.first().unwrap());
    assert!(DevCa::from_pem(&not_a_ca, &ca.key_pem()).is_err());
    let shown = format!("{ca:?} {refused:?}");
    assert!(shown.contains("azconfig.io") && !shown.contains("PRIVATE"), "{shown}");
}

#[test]
fn leaves_are_kept_until_two_thirds_of_their_time_and_in_bounded_number() {
    let start = now();
    let time = Arc::new(AtomicI64::new(start));
    let ca = Arc::new(DevCa::create(start, &names()).unwrap());
    let clock = {
        let time = Arc::clone(&time);
        Arc::new(move || time.load(Ordering::Relaxed))
    };
    let resolver = MintingResolver::new(ca, names(), clock).unwrap();
    let get = |name: Option<&str>| resolver.certificate(name).unwrap().unwrap();
    let first = get(Some("kv1.vault.azure.net"));
    let default = get(None);
    assert!(Arc::ptr_eq(&default, &get(Some("Login.KV.example.test"))));
    assert!(!Arc::ptr_eq(&default, &first));
    time.store(start + 260 * DAY, Ordering::Relaxed);
    assert!(Arc::ptr_eq(&first, &get(Some("KV1.vault.azure.net"))));
    time.store(start + 266 * DAY, Ordering::Relaxed);
    assert!(!Arc::ptr_eq(&first, &get(Some("kv1.vault.azure.net"))));
    assert!(resolver.certificate(Some("example.com")).unwrap().is_none());

    for number in 0..1100 {
        get(Some(&format!("kv{number}.vault.azure.net")));
    }
    assert_eq!(resolver.kept(), 1024);
    time.store(start + 3652 * DAY, Ordering::Relaxed);
    assert!(matches!(resolver.certificate(None), Err(DevCaError::Expired)));
}

/// Writes a leaf made for `localhost` and its key, as an operator would have them.
fn write_pair(folder: &Path) -> (PathBuf, PathBuf) {
    let (chain, key) = (folder.join("chain.pem"), folder.join("key.pem"));
    let pair = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    fs::write(&chain, pair.cert.pem()).unwrap();
    fs::write(&key, pair.signing_key.serialize_pem()).unwrap();
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    (chain, key)
}

#[tokio::test]
async fn certificate_files_are_read_again_and_bad_ones_change_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (chain, key) = write_pair(folder.path());
    let resolver = Arc::new(StaticResolver::load(&chain, &key).unwrap());
    let server = server_config(resolver.clone()).unwrap();
    handshake(server, &chain, "localhost", &rustls::version::TLS13).await.unwrap();
    let first = resolver.current();

    let old_key = fs::read(&key).unwrap();
    write_pair(folder.path());
    resolver.reload().unwrap();
    let second = resolver.current();
    assert_ne!(first.cert, second.cert);

    let fails_with = |part: &str, path: &Path| {
        let fault = resolver.reload().unwrap_err().to_string();
        assert!(fault.contains(part) && fault.contains(path.to_str().unwrap()), "{fault}");
        assert!(Arc::ptr_eq(&second, &resolver.current()));
    };
    let new_key = fs::read(&key).unwrap();
    fs::write(&key, old_key).unwrap();
    fails_with("does not belong", &key);
    fs::write(&key, "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n").unwrap();
    fails_with("unencrypted private key", &key);
    fs::write(&key, new_key).unwrap();
    for mode in [0o640, 0o604, 0o644, 0o660] {
        fs::set_permissions(&key, fs::Permissions::from_mode(mode)).unwrap();
        fails_with("chmod 600", &key);
    }
    fs::set_permissions(&key, fs::Permissions::from_mode(0o400)).unwrap();
    resolver.reload().unwrap();
    let second = resolver.current();
    fs::write(&chain, "").unwrap();
    let fault = resolver.reload().unwrap_err().to_string();
    assert!(fault.contains("chain of PEM certificates"), "{fault}");
    fs::remove_file(&chain).unwrap();
    let fault = resolver.reload().unwrap_err().to_string();
    assert!(fault.contains("cannot be read"), "{fault}");
    assert!(Arc::ptr_eq(&second, &resolver.current()));
}
