//! Certificates by a key in a vault, as OpenSSL sees them.

use std::path::Path;
use std::sync::Arc;

use strongroom::ca::{CaError, CertificateAuthority, Request, Usage};
use strongroom::clock::{Clock as _, SystemClock};
use strongroom::keys::{Curve, KeySpec, VaultKey};
use strongroom_store::clock::ManualClock;

use crate::programs::{P256, P384, P521, RSA, file, key, run, succeed};

async fn server(key: &VaultKey) -> Request {
    let (_version, public) = key.public().await.unwrap();
    Request::new(&public).unwrap().with_name("www.example.com").with_name("10.0.0.1").for_usage(Usage::Server)
}

fn text(folder: &Path, pem: &str) -> String {
    let path = file(folder, "any.pem", pem);
    succeed("openssl", &["x509", "-in", &path, "-noout", "-text"], b"")
}

#[tokio::test]
async fn openssl_accepts_leaves_of_every_kind_of_root() {
    let folder = tempfile::tempdir().unwrap();
    for root in [KeySpec::Rsa { bits: 4096 }, P256, P384, P521] {
        let ca = CertificateAuthority::create_root(&key("root", root).await, "Example Root", 3_650).await.unwrap();
        let root_file = file(folder.path(), "root.pem", ca.certificate_pem());
        for leaf in [RSA, P256, P384] {
            let issued = ca.issue(&server(&key("leaf", leaf).await).await).await.unwrap();
            let leaf_file = file(folder.path(), "leaf.pem", &issued.pem);
            let arguments = ["verify", "-x509_strict", "-purpose", "sslserver", "-verify_hostname", "www.example.com"];
            let said = succeed("openssl", &[&arguments[..], &["-CAfile", &root_file, &leaf_file]].concat(), b"");
            assert!(said.contains("OK"), "{root} {leaf}: {said}");
            assert!(issued.chain_pem.starts_with(&issued.pem) && issued.chain_pem.ends_with(ca.certificate_pem()));
        }
        let self_signed = succeed("openssl", &["verify", "-x509_strict", "-CAfile", &root_file, &root_file], b"");
        assert!(self_signed.contains("OK"));
    }
}

#[tokio::test]
async fn certificates_say_what_they_may_and_whose_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let ca = CertificateAuthority::create_root(&key("root", P384).await, "Example Root", 365).await.unwrap();
    let root = text(folder.path(), ca.certificate_pem());
    for wanted in [
        "CA:TRUE, pathlen:0",
        "Certificate Sign, CRL Sign",
        "X509v3 Basic Constraints: critical",
        "X509v3 Subject Key Identifier",
        "CN = Example Root",
    ] {
        assert!(root.contains(wanted), "{wanted}: {root}");
    }
    let request = server(&key("leaf", P256).await).await.for_usage(Usage::Client).for_days(7);
    let (one, two) = (ca.issue(&request).await.unwrap(), ca.issue(&request).await.unwrap());
    let leaf = text(folder.path(), &one.pem);
    for wanted in [
        "CA:FALSE",
        "Digital Signature",
        "TLS Web Server Authentication, TLS Web Client Authentication",
        "DNS:www.example.com, IP Address:10.0.0.1",
        "Issuer: CN = Example Root",
    ] {
        assert!(leaf.contains(wanted), "{wanted}: {leaf}");
    }
    let identifier = |text: &str, title: &str| {
        text.lines().skip_while(|line| !line.contains(title)).nth(1).unwrap().trim().to_owned()
    };
    assert_eq!(identifier(&leaf, "Authority Key Identifier"), identifier(&root, "Subject Key Identifier"));
    let serial = |pem: &str| {
        let path = file(folder.path(), "any.pem", pem);
        succeed("openssl", &["x509", "-in", &path, "-noout", "-serial"], b"").trim().to_owned()
    };
    let (one, two) = (serial(&one.pem), serial(&two.pem));
    assert!(one != two && one.len() == "serial=".len() + 40, "20 random octets: {one}");
}

#[tokio::test]
async fn a_request_of_openssl_gets_its_key_and_subject_certified_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let ca = CertificateAuthority::create_root(&key("root", P256).await, "Example Root", 365).await.unwrap();
    let root_file = file(folder.path(), "root.pem", ca.certificate_pem());
    let private = file(folder.path(), "private.pem", "");
    for kind in [&["rsa:2048"][..], &["ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-sha384"]] {
        let mut arguments =
            vec!["req", "-new", "-nodes", "-keyout", &private, "-subj", "/O=Them/CN=client-7", "-newkey"];
        arguments.extend(kind);
        arguments.extend([
            "-addext",
            "basicConstraints=critical,CA:TRUE",
            "-addext",
            "subjectAltName=DNS:evil.example",
        ]);
        let csr = succeed("openssl", &arguments, b"");
        let request = Request::from_csr(&csr).unwrap().for_usage(Usage::Client);
        let issued = ca.issue(&request).await.unwrap();
        let leaf_file = file(folder.path(), "leaf.pem", &issued.pem);
        succeed("openssl", &["verify", "-purpose", "sslclient", "-CAfile", &root_file, &leaf_file], b"");
        let leaf = text(folder.path(), &issued.pem);
        assert!(leaf.contains("CN = client-7") && leaf.contains("CA:FALSE") && !leaf.contains("evil"), "{leaf}");
        let own = succeed("openssl", &["pkey", "-in", &private, "-pubout"], b"");
        assert_eq!(succeed("openssl", &["x509", "-in", &leaf_file, "-noout", "-pubkey"], b""), own);

        let mut parsed = pem::parse(&csr).unwrap().into_contents();
        let last = parsed.len() - 1;
        parsed[last] ^= 1;
        let forged = pem::encode(&pem::Pem::new("CERTIFICATE REQUEST", parsed));
        assert!(matches!(Request::from_csr(&forged), Err(CaError::Invalid(why)) if why.contains("own key")));
    }
    assert!(Request::from_csr("nonsense").is_err());
}

#[tokio::test]
async fn an_authority_is_opened_again_by_its_certificate_and_no_other() {
    let root = key("root", P256).await;
    let ca = CertificateAuthority::create_root(&root, "Example Root", 365).await.unwrap();
    let version = root.public().await.unwrap().0;
    let pem = ca.certificate_pem();
    let again = CertificateAuthority::open(&root, pem).await.unwrap();
    let leaf = again.issue(&server(&key("leaf", P256).await).await).await.unwrap();
    root.create(P256).await.unwrap();
    assert_eq!(CertificateAuthority::open(&root, pem).await.unwrap_err(), CaError::OtherKey);
    CertificateAuthority::open(&root.at(version), pem).await.unwrap();
    assert!(matches!(CertificateAuthority::open(&root, &leaf.pem).await, Err(CaError::Invalid(_))));
    assert!(matches!(CertificateAuthority::open(&root, "").await, Err(CaError::Invalid(_))));
}

#[tokio::test]
async fn what_cannot_be_certified_is_refused() {
    let clock = ManualClock::new(SystemClock.now());
    let root = key("root", P256).await.with_clock(Arc::clone(&clock) as _);
    let ca = CertificateAuthority::create_root(&root, "Example Root", 100).await.unwrap();
    let leaf = key("leaf", P256).await;
    let refused = async |request: Request, word: &str| {
        let why = ca.issue(&request).await.unwrap_err().to_string();
        assert!(why.contains(word), "{why}");
    };
    refused(server(&leaf).await.for_days(101), "fewer days").await;
    refused(server(&leaf).await.for_days(0), "1 to").await;
    for name in ["", "a b.example", "-a.example", "a..b", "*.*.example", "ex\u{e4}mple.com"] {
        refused(server(&leaf).await.with_name(name), "alternative name").await;
    }
    refused(server(&leaf).await.with_subject(&"x".repeat(65)), "common name").await;
    let public = leaf.public().await.unwrap().1;
    refused(Request::new(&public).unwrap(), "subject").await;
    refused(Request::new(&public).unwrap().with_subject("a").for_usage(Usage::Server), "DNS name").await;
    clock.advance(50 * 86_400);
    refused(server(&leaf).await.for_days(90), "50 days").await;
    ca.issue(&server(&leaf).await.for_days(49)).await.unwrap();
    let koblitz = key("k", KeySpec::Ec(Curve::P256K)).await;
    assert!(CertificateAuthority::create_root(&koblitz, "x", 1).await.unwrap_err().to_string().contains("P-256K"));
    assert!(!run("openssl", &["x509"], b"").status.success());
}
