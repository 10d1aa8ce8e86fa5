//! Keys that stay in their vault.

use std::sync::Arc;
use std::time::Duration;

use strongroom::keys::{
    Curve, EncryptionAlgorithm, KeyError, KeySpec, Signature, SignatureAlgorithm, VaultKey, default_algorithm,
    from_pem, to_pem, with_deadline,
};
use strongroom_store::Cx;
use strongroom_store::vault::{Change, Target};
use strongroom_wire::algorithms::KeyOp;
use strongroom_wire::attributes::AttributesChange;
use strongroom_wire::ids::{Kind, ObjectName};

use crate::programs::{P256, P384, P521, RSA, file, key, run, succeed};
use crate::support::World;

fn in_world(world: &World, name: &str) -> VaultKey {
    VaultKey::new(Arc::clone(&world.vault), name).unwrap().with_clock(world.clock.clone())
}

/// `openssl dgst`, which knows nothing of us.
fn openssl_verifies(pem: &str, digest: &str, pss: bool, message: &[u8], signature: &[u8]) -> bool {
    let folder = tempfile::tempdir().unwrap();
    let key = file(folder.path(), "key.pem", pem);
    let signature = file(folder.path(), "signature", signature);
    let mut arguments = vec!["dgst", digest, "-verify", &key, "-signature", &signature];
    if pss {
        arguments.extend(["-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:digest"]);
    }
    run("openssl", &arguments, message).status.success()
}

#[tokio::test]
async fn openssl_verifies_signatures_in_der_by_every_kind_of_key() {
    let cases = [
        (P256, SignatureAlgorithm::ES256, "-sha256"),
        (P384, SignatureAlgorithm::ES384, "-sha384"),
        (P521, SignatureAlgorithm::ES512, "-sha512"),
        (KeySpec::Ec(Curve::P256K), SignatureAlgorithm::ES256K, "-sha256"),
        (RSA, SignatureAlgorithm::RS256, "-sha256"),
        (RSA, SignatureAlgorithm::PS384, "-sha384"),
        (RSA, SignatureAlgorithm::RS512, "-sha512"),
    ];
    for (spec, algorithm, digest) in cases {
        let key = key("signing", spec).await;
        let signature = key.sign(algorithm, b"message").await.unwrap();
        if let Some(curve) = algorithm.curve() {
            assert_eq!(signature.bytes.len(), 2 * curve.coordinate_len());
        }
        let (pem, der) = (key.public_pem().await.unwrap(), signature.to_der().unwrap());
        let pss = algorithm == SignatureAlgorithm::PS384;
        assert!(openssl_verifies(&pem, digest, pss, b"message", &der), "{algorithm}");
        assert!(!openssl_verifies(&pem, digest, pss, b"another", &der), "{algorithm}");
        assert_eq!(Signature::from_der(signature.version, algorithm, &der).unwrap(), signature);
        assert_eq!(to_pem(&from_pem(&pem).unwrap()), pem);
    }
}

#[tokio::test]
async fn signatures_of_openssl_in_der_verify_here() {
    let folder = tempfile::tempdir().unwrap();
    let private = file(folder.path(), "private.pem", "");
    succeed("openssl", &["ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", &private], b"");
    let public = from_pem(&succeed("openssl", &["pkey", "-in", &private, "-pubout"], b"")).unwrap();
    let anything = key("any", P256).await.public().await.unwrap().0;
    for number in 0..20 {
        let message = format!("message {number}");
        let der = run("openssl", &["dgst", "-sha256", "-sign", &private], message.as_bytes()).stdout;
        let signature = Signature::from_der(anything, SignatureAlgorithm::ES256, &der).unwrap();
        let digest = strongroom::keys::digest(SignatureAlgorithm::ES256, message.as_bytes());
        assert!(public.verify(SignatureAlgorithm::ES256, &digest, &signature.bytes).unwrap());
    }
}

#[tokio::test]
async fn a_signature_names_its_version_and_verifies_after_a_rotation() {
    let key = key("rotating", P256).await;
    let old = key.sign(SignatureAlgorithm::ES256, b"m").await.unwrap();
    let second = key.create(P256).await.unwrap();
    let new = key.sign(SignatureAlgorithm::ES256, b"m").await.unwrap();
    assert!(old.version != new.version && new.version == second);
    for signature in [&old, &new] {
        assert!(key.verify(b"m", signature).await.unwrap());
        assert!(!key.verify(b"n", signature).await.unwrap());
    }
    let forged = Signature { version: new.version, ..old.clone() };
    assert!(!key.verify(b"m", &forged).await.unwrap());
    assert!(!key.at(new.version).verify(b"m", &old).await.unwrap(), "a bound key knows its own version only");
}

#[tokio::test]
async fn without_the_vault_public_calls_go_on_and_private_ones_fail() {
    let world = World::new();
    let (signing, wrapping) = (in_world(&world, "signing"), in_world(&world, "wrapping"));
    signing.create(P256).await.unwrap();
    wrapping.create(RSA).await.unwrap();
    let signature = signing.sign(SignatureAlgorithm::ES256, b"m").await.unwrap();
    let (signing, wrapping) = (in_world(&world, "signing"), in_world(&world, "wrapping"));
    assert!(signing.verify(b"m", &signature).await.unwrap());
    wrapping.public().await.unwrap();
    world.away(true);
    world.clock.advance(86_400);
    assert!(signing.verify(b"m", &signature).await.unwrap());
    let wrapped = wrapping.wrap(EncryptionAlgorithm::RsaOaep256, &[7; 32]).await.unwrap();
    wrapping.encrypt(EncryptionAlgorithm::RsaOaep, b"short").await.unwrap();
    wrapping.public_pem().await.unwrap();
    let fault = signing.sign(SignatureAlgorithm::ES256, b"m").await.unwrap_err();
    assert!(fault.is_outage() && fault.to_string().starts_with("signing failed: "), "{fault}");
    assert!(wrapping.unwrap(&wrapped).await.unwrap_err().is_outage());
    assert!(in_world(&world, "wrapping").public().await.unwrap_err().is_outage(), "never seen");
    world.away(false);
    assert_eq!(wrapping.unwrap(&wrapped).await.unwrap().expose(), &[7; 32]);
}

#[tokio::test]
async fn which_version_is_the_latest_is_asked_again_after_a_while() {
    let world = World::new();
    let (writer, reader) = (in_world(&world, "k"), in_world(&world, "k"));
    let first = writer.create(P256).await.unwrap();
    assert_eq!(reader.public().await.unwrap().0, first);
    let second = writer.create(P256).await.unwrap();
    world.clock.advance(299);
    world.asked();
    assert_eq!((reader.public().await.unwrap().0, world.asked()), (first, 0));
    world.clock.advance(2);
    assert_eq!(reader.public().await.unwrap().0, second);
    let third = writer.create(P256).await.unwrap();
    reader.forget_latest();
    assert_eq!(reader.public().await.unwrap().0, third);
}

#[tokio::test]
async fn errors_say_what_kind_they_are() {
    let world = World::new();
    let key = in_world(&world, "no-such");
    let fault = key.sign(SignatureAlgorithm::ES256, b"m").await.unwrap_err();
    assert_eq!(fault.to_string(), "key not found: no-such");
    let version = key.create(P256).await.unwrap();
    let cx = Cx::system(strongroom_store::clock::Clock::now(&*world.clock));
    let target = Target::latest(Kind::Key, ObjectName::parse("no-such").unwrap());
    let attributes = AttributesChange { enabled: Some(false), ..Default::default() };
    world.vault.update(&cx, &target, Change { attributes, ..Default::default() }).await.unwrap();
    let fault = key.sign(SignatureAlgorithm::ES256, b"m").await.unwrap_err();
    assert!(fault.to_string().starts_with("insufficient permissions"), "{fault}");
    let attributes = AttributesChange { enabled: Some(true), ..Default::default() };
    let change = Change { attributes, key_ops: Some(vec![KeyOp::Verify]), ..Default::default() };
    world.vault.update(&cx, &target, change).await.unwrap();
    assert!(matches!(key.sign(SignatureAlgorithm::ES256, b"m").await, Err(KeyError::Forbidden(_))));
    let other = Version::from_bits(version.bits() ^ 1);
    let fault = key.at(other).sign(SignatureAlgorithm::ES256, b"m").await.unwrap_err();
    assert_eq!(fault, KeyError::NotFound(format!("no-such/{other}")));
    assert!(matches!(VaultKey::new(Arc::clone(&world.vault), "a/b"), Err(KeyError::Invalid(_))));
    let fault = in_world(&world, "no-such").encrypt(EncryptionAlgorithm::RsaOaep256, b"m").await.unwrap_err();
    assert!(matches!(&fault, KeyError::Invalid(why) if why.contains("RSA")), "{fault}");
}

use strongroom::keys::Version;

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_messages_are_signed_in_order_and_all_verify() {
    let key = key("many", P256).await;
    let messages: Vec<_> = (0..1_000).map(|number| format!("message {number}").into_bytes()).collect();
    let signatures = key.sign_many(SignatureAlgorithm::ES256, &messages).await;
    assert_eq!(signatures.len(), 1_000);
    for (message, signature) in messages.iter().zip(&signatures) {
        assert!(key.verify(message, signature.as_ref().unwrap()).await.unwrap());
    }
    let wrong = key.sign_many(SignatureAlgorithm::RS256, &messages[..3]).await;
    assert!(wrong.len() == 3 && wrong.iter().all(Result::is_err));
}

#[tokio::test]
async fn openssl_wraps_a_data_key_that_the_vault_unwraps() {
    let (folder, key) = (tempfile::tempdir().unwrap(), key("wrapping", RSA).await);
    let pem = file(folder.path(), "key.pem", key.public_pem().await.unwrap());
    let options = ["-pkeyopt", "rsa_padding_mode:oaep", "-pkeyopt", "rsa_oaep_md:sha256"];
    let mut arguments = vec!["pkeyutl", "-encrypt", "-pubin", "-inkey", &pem];
    arguments.extend(options);
    let bytes = run("openssl", &arguments, &[9; 32]).stdout;
    let (version, algorithm) = (key.public().await.unwrap().0, EncryptionAlgorithm::RsaOaep256);
    let wrapped = strongroom::keys::Ciphertext { version, algorithm, bytes };
    assert_eq!(key.unwrap(&wrapped).await.unwrap().expose(), &[9; 32]);
    assert_eq!(key.decrypt(&wrapped).await.unwrap().expose(), &[9; 32]);
}

#[tokio::test(start_paused = true)]
async fn a_deadline_ends_a_call_that_hangs_at_its_time() {
    let start = tokio::time::Instant::now();
    let hangs = std::future::pending::<Result<(), KeyError>>();
    let fault = with_deadline(Duration::from_secs(10), hangs).await.unwrap_err();
    assert_eq!((fault.is_outage(), start.elapsed()), (true, Duration::from_secs(10)));
    assert_eq!(with_deadline(Duration::from_secs(10), async { Ok(1) }).await, Ok(1));
}

#[test]
fn where_a_vault_is_can_be_said_without_its_passwords() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let key = runtime.block_on(key("k", P256));
    let (version, _) = runtime.block_on(key.public()).unwrap();
    for (uri, shown) in [
        ("azure:https://dev.vault.azure.net/", "https://dev.vault.azure.net"),
        ("redis://app:hush@localhost:6379/0?pin-value=hush", "redis://localhost:6379/0"),
        ("file:/var/keys?passphrase-file=/x", "file:/var/keys"),
    ] {
        assert_eq!(key.clone().in_vault(uri).uri(version), format!("{shown}/keys/k/{version}"));
    }
    assert_eq!(default_algorithm(P384), SignatureAlgorithm::ES384);
}
