//! The `tpm2:` vault on swtpm: keys, algorithms, and what the TPM holds.

use std::fs;
use std::time::Instant;

use strongroom_crypto::{KeySpec, PublicKey, sha256, sha384, sha512};
use strongroom_store::conformance::vault;
use strongroom_wire::ErrorKind;
use strongroom_wire::algorithms::{Curve, EncryptionAlgorithm, SignatureAlgorithm};
use strongroom_wire::base64url::Base64Url;
use strongroom_wire::ids::VaultName;
use strongroom_wire::jwk::{ImportJwk, PublicJwk};

use crate::tpm2_bench::{Bench, EC, ES256, NOW, Place, RSA, installed, public};

const RS256: SignatureAlgorithm = SignatureAlgorithm::RS256;

#[tokio::test(flavor = "multi_thread")]
async fn the_vault_suite() {
    if !installed("tpm2: the vault suite") {
        return;
    }
    let bench = Bench::new();
    let place = bench.open_at(&bench.path("records"), "").await.unwrap();
    let [one, two] = ["one", "two"].map(|name| place.vault(VaultName::parse(name).unwrap()));
    vault::all(&vault::Harness::new(one, two, NOW)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn offers_are_what_the_tpm_says() {
    if !installed("tpm2: offers") {
        return;
    }
    let bench = Bench::new();
    let place = bench.open().await;
    let offers = place.vault.offers();
    assert!(offers.hardware_keys);
    let tools =
        [(2048, "rsa2048"), (3072, "rsa3072"), (4096, "rsa4096")].map(|(bits, named)| (KeySpec::Rsa { bits }, named));
    let curves = [(Curve::P256, "ecc256"), (Curve::P384, "ecc384"), (Curve::P521, "ecc521")];
    for (spec, named) in tools.into_iter().chain(curves.map(|(curve, named)| (KeySpec::Ec(curve), named))) {
        let taken = bench.try_run("tpm2_testparms", &[named]).status.success();
        assert_eq!(offers.keys.contains(&spec), taken, "{spec}");
    }
    for spec in [KeySpec::Rsa { bits: 4096 }, KeySpec::Ec(Curve::P256K)] {
        assert!(!offers.keys.contains(&spec));
        let error = place.try_make("refused", spec).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::BadParameter);
        assert!(error.message.contains(&spec.to_string()), "{error}");
        assert!(error.message.contains("it offers RSA 2048, RSA 3072, EC P-256"), "{error}");
    }
}

/// A DER value.
fn der(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len();
    let header = match length {
        0..128 => vec![tag, u8::try_from(length).unwrap()],
        128..256 => vec![tag, 0x81, u8::try_from(length).unwrap()],
        _ => [&[tag, 0x82][..], &u16::try_from(length).unwrap().to_be_bytes()].concat(),
    };
    [header, content.to_vec()].concat()
}

fn integer(bytes: &[u8]) -> Vec<u8> {
    let start = bytes.iter().position(|byte| *byte != 0).unwrap();
    let sign: &[u8] = if bytes[start] >= 0x80 { &[0] } else { &[] };
    der(2, &[sign, &bytes[start..]].concat())
}

/// Writes the public half for OpenSSL.
fn write_public(bench: &Bench, key: &PublicKey) {
    let (algorithm, bits) = match key.to_jwk() {
        PublicJwk::Rsa { n, e } => (
            [&[6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1][..], &[5, 0]].concat(),
            der(0x30, &[integer(&n.0), integer(&e.0)].concat()),
        ),
        PublicJwk::Ec { crv, x, y } => {
            let curve: &[u8] = match crv {
                Curve::P256 => &[6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7],
                Curve::P384 => &[6, 5, 0x2b, 0x81, 4, 0, 0x22],
                _ => &[6, 5, 0x2b, 0x81, 4, 0, 0x23],
            };
            ([&[6, 7, 0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1], curve].concat(), [&[4], &x.0[..], &y.0].concat())
        }
    };
    let spki = der(0x30, &[der(0x30, &algorithm), der(3, &[&[0], &bits[..]].concat())].concat());
    fs::write(bench.path("public"), spki).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn signatures_verify_with_openssl() {
    use SignatureAlgorithm::{ES384, ES512, PS256, PS512, RS512};
    if !installed("tpm2: signatures with openssl") {
        return;
    }
    let bench = Bench::new();
    let place = bench.open().await;
    let specs = [EC, KeySpec::Ec(Curve::P384), KeySpec::Ec(Curve::P521), RSA, KeySpec::Rsa { bits: 3072 }];
    for (number, spec) in specs.into_iter().enumerate() {
        let called = format!("key-{number}");
        write_public(&bench, &place.make(&called, spec).await);
        let algorithms: &[SignatureAlgorithm] = match spec {
            KeySpec::Ec(Curve::P256) => &[ES256],
            KeySpec::Ec(Curve::P384) => &[ES384],
            KeySpec::Ec(_) => &[ES512],
            KeySpec::Rsa { .. } => &[RS256, RS512, PS256, PS512],
        };
        for algorithm in algorithms.iter().copied() {
            let (digest, named) = match algorithm.digest_len() {
                32 => (sha256(b"message").to_vec(), "digest:sha256"),
                48 => (sha384(b"message").to_vec(), "digest:sha384"),
                _ => (sha512(b"message").to_vec(), "digest:sha512"),
            };
            let mut signature = place.sign(&called, algorithm, &digest).await.unwrap();
            if algorithm.curve().is_some() {
                let (r, s) = signature.split_at(signature.len() / 2);
                signature = der(0x30, &[integer(r), integer(s)].concat());
            }
            fs::write(bench.path("digest"), &digest).unwrap();
            fs::write(bench.path("signature"), &signature).unwrap();
            let mut arguments = vec!["pkeyutl", "-verify", "-pubin", "-keyform", "DER", "-inkey", "public"];
            arguments.extend(["-in", "digest", "-sigfile", "signature", "-pkeyopt", named]);
            if matches!(algorithm, PS256 | PS512) {
                arguments.extend(["-pkeyopt", "rsa_padding_mode:pss", "-pkeyopt", "rsa_pss_saltlen:digest"]);
            }
            let verdict = bench.run("openssl", &arguments);
            assert!(verdict.contains("Signature Verified Successfully"), "{spec} {algorithm}: {verdict}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_openssl_encrypts_is_opened() {
    if !installed("tpm2: decryption of what openssl encrypts") {
        return;
    }
    let bench = Bench::new();
    let place = bench.open().await;
    write_public(&bench, &place.make("rsa", RSA).await);
    fs::write(bench.path("plain"), b"a data key").unwrap();
    let paddings: [(EncryptionAlgorithm, &[&str]); 3] = [
        (EncryptionAlgorithm::Rsa15, &[]),
        (EncryptionAlgorithm::RsaOaep, &["-pkeyopt", "rsa_padding_mode:oaep"]),
        (
            EncryptionAlgorithm::RsaOaep256,
            &["-pkeyopt", "rsa_padding_mode:oaep", "-pkeyopt", "rsa_oaep_md:sha256", "-pkeyopt", "rsa_mgf1_md:sha256"],
        ),
    ];
    for (algorithm, padding) in paddings {
        let common = ["pkeyutl", "-encrypt", "-pubin", "-keyform", "DER", "-inkey", "public"];
        bench.run("openssl", &[&common[..], &["-in", "plain", "-out", "cipher"], padding].concat());
        let mut cipher = fs::read(bench.path("cipher")).unwrap();
        assert_eq!(place.decrypt("rsa", algorithm, &cipher).await.unwrap(), b"a data key", "{algorithm}");
        cipher[100] ^= 1;
        let refused = place.decrypt("rsa", algorithm, &cipher).await;
        // A wrong PKCS#1 padding may by chance be a right one.
        assert!(refused.is_err() || algorithm == EncryptionAlgorithm::Rsa15);
    }
}

/// A key that OpenSSL makes, and its members (RFC 8017 appendix A.1.2).
fn rsa_from_openssl(bench: &Bench, bits: &str) -> ImportJwk {
    bench.run("openssl", &["genrsa", "-traditional", "-out", "private.pem", bits]);
    bench.run("openssl", &["rsa", "-traditional", "-in", "private.pem", "-outform", "DER", "-out", "private"]);
    let document = fs::read(bench.path("private")).unwrap();
    let mut rest = &document[4..];
    let members: Vec<Vec<u8>> = std::iter::from_fn(|| {
        let (length, start) = match rest.get(1)? {
            0x82 => (usize::from(rest[2]) * 256 + usize::from(rest[3]), 4),
            0x81 => (usize::from(rest[2]), 3),
            short => (usize::from(*short), 2),
        };
        let value = rest[start..start + length].to_vec();
        rest = &rest[start + length..];
        Some(value)
    })
    .collect();
    let plain = |index: usize| {
        let bytes = &members[index];
        Some(Base64Url(bytes[usize::from(bytes[0] == 0)..].to_vec()))
    };
    let secret = |index: usize| plain(index).map(strongroom_wire::Sensitive::new);
    ImportJwk {
        kty: "RSA-HSM".to_owned(),
        n: plain(1),
        e: plain(2),
        d: secret(3),
        p: secret(4),
        q: secret(5),
        ..ImportJwk::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rsa_keys_of_openssl_are_taken_in() {
    if !installed("tpm2: import") {
        return;
    }
    let bench = Bench::new();
    let place = bench.open().await;
    let jwk = rsa_from_openssl(&bench, "2048");
    let key = public(&place.import("rsa", jwk).await.unwrap());
    let digest = sha256(b"imported");
    for algorithm in [RS256, SignatureAlgorithm::PS256] {
        let signature = place.sign("rsa", algorithm, &digest).await.unwrap();
        assert!(key.verify(algorithm, &digest, &signature).unwrap());
    }
    let oaep = EncryptionAlgorithm::RsaOaep256;
    let cipher = key.encrypt(oaep, b"secret").unwrap();
    assert_eq!(place.decrypt("rsa", oaep, &cipher).await.unwrap(), b"secret");
    let error = place.import("long", rsa_from_openssl(&bench, "4096")).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::BadParameter);
    assert!(error.message.contains("cannot keep RSA 4096"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_operations_leave_nothing_in_the_tpm() {
    if !installed("tpm2: slots") {
        return;
    }
    let bench = Bench::new();
    let place = bench.open().await;
    let mut keys = Vec::new();
    for number in 0..5 {
        let called = format!("key-{number}");
        let spec = if number == 0 { RSA } else { EC };
        keys.push((place.make(&called, spec).await, called));
    }
    let oaep = EncryptionAlgorithm::RsaOaep;
    for round in 0..40u8 {
        for (key, called) in &keys {
            let digest = sha256(&[round]);
            if key.spec() == RSA {
                let cipher = key.encrypt(oaep, b"x").unwrap();
                assert_eq!(place.decrypt(called, oaep, &cipher).await.unwrap(), b"x");
                assert!(place.decrypt(called, oaep, &[9; 256]).await.is_err());
            } else {
                let signature = place.sign(called, ES256, &digest).await.unwrap();
                assert!(key.verify(ES256, &digest, &signature).unwrap());
            }
        }
    }
    // Nobody asked for anything for a moment: the vault, still open, has let go of the TPM.
    for kind in ["handles-transient", "handles-loaded-session", "handles-saved-session"] {
        assert_eq!(bench.run("tpm2_getcap", &[kind]).trim(), "", "{kind}");
    }
    let (key, called) = &keys[1];
    let signature = place.sign(called, ES256, &[1; 32]).await.unwrap();
    assert!(key.verify(ES256, &[1; 32], &signature).unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn two_vaults_share_one_tpm() {
    if !installed("tpm2: two clients") {
        return;
    }
    let bench = Bench::new();
    let mut tasks = Vec::new();
    for number in 0..2 {
        let place = Place::new(&bench.open_at(&bench.path(&format!("records-{number}")), "").await.unwrap());
        tasks.push(tokio::spawn(async move {
            let key = place.make("ec", EC).await;
            for round in 0..100u8 {
                let digest = sha256(&[round]);
                let signature = place.sign("ec", ES256, &digest).await.unwrap();
                assert!(key.verify(ES256, &digest, &signature).unwrap());
            }
        }));
    }
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(bench.run("tpm2_getcap", &["handles-transient"]).trim(), "");
}

/// Prints rates; run by hand: `cargo test -p strongroom-backends --test it tpm2::rates -- --ignored --nocapture`.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "measures"]
async fn rates() {
    let bench = Bench::new();
    let place = bench.open().await;
    let measure = async |what: &str, called: &str, algorithm: SignatureAlgorithm, rounds: u32| {
        let digest = vec![3; algorithm.digest_len()];
        place.sign(called, algorithm, &digest).await.unwrap();
        let begun = Instant::now();
        for _ in 0..rounds {
            place.sign(called, algorithm, &digest).await.unwrap();
        }
        println!("{what}: {:.0} a second", f64::from(rounds) / begun.elapsed().as_secs_f64());
    };
    for (called, spec) in [
        ("rsa2", RSA),
        ("rsa3", KeySpec::Rsa { bits: 3072 }),
        ("p256", EC),
        ("p384", KeySpec::Ec(Curve::P384)),
        ("p521", KeySpec::Ec(Curve::P521)),
    ] {
        let begun = Instant::now();
        place.make(called, spec).await;
        println!("{spec} made in {:?}", begun.elapsed());
    }
    measure("RS256, 2048", "rsa2", RS256, 200).await;
    measure("PS256, 2048", "rsa2", SignatureAlgorithm::PS256, 200).await;
    measure("RS256, 3072", "rsa3", RS256, 100).await;
    measure("ES256", "p256", ES256, 500).await;
    measure("ES384", "p384", SignatureAlgorithm::ES384, 200).await;
    measure("ES512", "p521", SignatureAlgorithm::ES512, 200).await;
    let oaep = EncryptionAlgorithm::RsaOaep256;
    let target =
        strongroom_store::vault::Target::latest(strongroom_wire::ids::Kind::Key, crate::tpm2_bench::name("rsa2"));
    let cipher =
        public(&place.vault.get(&crate::tpm2_bench::cx(), &target).await.unwrap()).encrypt(oaep, b"x").unwrap();
    let begun = Instant::now();
    for _ in 0..200 {
        place.decrypt("rsa2", oaep, &cipher).await.unwrap();
    }
    println!("RSA-OAEP-256 decryption, 2048, answer encrypted: {:.0} a second", 200.0 / begun.elapsed().as_secs_f64());
    let begun = Instant::now();
    for round in 0..100u32 {
        let called = ["p256", "p384", "p521", "rsa2"][usize::try_from(round % 4).unwrap()];
        let algorithm =
            [ES256, SignatureAlgorithm::ES384, SignatureAlgorithm::ES512, RS256][usize::try_from(round % 4).unwrap()];
        place.sign(called, algorithm, &vec![3; algorithm.digest_len()]).await.unwrap();
    }
    println!("four keys in turn, each loaded anew: {:.0} a second", 100.0 / begun.elapsed().as_secs_f64());
}
