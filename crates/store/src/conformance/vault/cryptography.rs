//! Using keys. Results are checked with the public half, outside the vault.

use strongroom_crypto::{KeySpec, PublicKey};
use strongroom_wire::algorithms::{Curve, EncryptionAlgorithm, KeyOp, SignatureAlgorithm};
use strongroom_wire::attributes::AttributesChange;
use strongroom_wire::ids::{Kind, ObjectName};
use strongroom_wire::{ErrorKind, Sensitive};

use super::{EC, Harness, RSA, exact, latest, refused};
use crate::provider::{Operation, Output};
use crate::vault::{Body, Change, NewVersion, Object, Performed, Target};

const KEY: Kind = Kind::Key;

fn public_half(object: &Object) -> PublicKey {
    match &object.body {
        Body::Key { public: Some(public), .. } => PublicKey::from_jwk(public).unwrap(),
        other => panic!("no public key in {other:?}"),
    }
}

fn bytes(done: Performed) -> Vec<u8> {
    match done.output {
        Output::Bytes(bytes) => bytes.expose().clone(),
        other @ Output::Verified(_) => panic!("not bytes: {other:?}"),
    }
}

async fn verified(
    harness: &Harness,
    target: &Target,
    algorithm: SignatureAlgorithm,
    digest: &[u8],
    signature: &[u8],
) -> bool {
    let (digest, signature) = (digest.to_vec(), signature.to_vec());
    let done = harness.vault.perform(&harness.cx(), target, Operation::Verify { algorithm, digest, signature }).await;
    match done.unwrap().output {
        Output::Verified(genuine) => genuine,
        other @ Output::Bytes(_) => panic!("not a verdict: {other:?}"),
    }
}

fn plain(bytes: &[u8]) -> Sensitive<Vec<u8>> {
    Sensitive::new(bytes.to_vec())
}

pub(super) async fn signatures_verify_outside_and_inside(harness: &Harness) {
    let rsa = harness.key(&harness.name("sign-rsa"), RSA).await;
    let offered = harness.vault.offers().keys;
    for algorithm in SignatureAlgorithm::ALL.iter().copied() {
        if algorithm.curve().is_some_and(|curve| !offered.contains(&KeySpec::Ec(curve))) {
            continue;
        }
        let key = match algorithm.curve() {
            Some(curve) => harness.key(&harness.name("sign-ec"), KeySpec::Ec(curve)).await,
            None => harness.vault.get(&harness.cx(), &exact(KEY, &rsa)).await.unwrap(),
        };
        let digest = vec![7; algorithm.digest_len()];
        // The latest version, by its name alone.
        let target = latest(KEY, &key.name);
        let operation = Operation::Sign(algorithm, digest.clone());
        let done = harness.vault.perform(&harness.cx(), &target, operation).await.unwrap();
        assert_eq!(Some(done.version), key.version);
        let mut signature = bytes(done);
        let length = algorithm.curve().map_or(256, |curve| 2 * curve.coordinate_len());
        assert_eq!(signature.len(), length, "{algorithm}");
        assert!(public_half(&key).verify(algorithm, &digest, &signature).unwrap(), "{algorithm} outside");
        assert!(verified(harness, &target, algorithm, &digest, &signature).await, "{algorithm} inside");
        signature[20] ^= 1;
        assert!(!verified(harness, &target, algorithm, &digest, &signature).await, "{algorithm} altered");
        assert!(!verified(harness, &target, algorithm, &digest, &signature[1..]).await, "{algorithm} cut");
    }
}

type Close = fn(EncryptionAlgorithm, Sensitive<Vec<u8>>) -> Operation;
type Open = fn(EncryptionAlgorithm, Vec<u8>) -> Operation;

pub(super) async fn ciphertexts_open_both_ways(harness: &Harness) {
    let key = harness.key(&harness.name("encrypt"), RSA).await;
    let target = exact(KEY, &key);
    let secret: Vec<u8> = (0..32).collect();
    for algorithm in EncryptionAlgorithm::ALL.iter().copied() {
        for wrapping in [false, true] {
            let (close, open) = if wrapping {
                (Operation::WrapKey as Close, Operation::UnwrapKey as Open)
            } else {
                (Operation::Encrypt as Close, Operation::Decrypt as Open)
            };
            let inside = harness.vault.perform(&harness.cx(), &target, close(algorithm, plain(&secret))).await;
            let outside = public_half(&key).encrypt(algorithm, &secret).unwrap();
            for ciphertext in [bytes(inside.unwrap()), outside] {
                let opened = harness.vault.perform(&harness.cx(), &target, open(algorithm, ciphertext)).await;
                assert_eq!(bytes(opened.unwrap()), secret, "{algorithm}");
            }
        }
    }
}

pub(super) async fn wrong_inputs_are_refused(harness: &Harness) {
    use SignatureAlgorithm::{ES256, ES384, RS256};
    let rsa = exact(KEY, &harness.key(&harness.name("wrong-rsa"), RSA).await);
    let ec = exact(KEY, &harness.key(&harness.name("wrong-ec"), KeySpec::Ec(Curve::P384)).await);
    let oaep = EncryptionAlgorithm::RsaOaep;
    let wrong = [
        (&rsa, Operation::Sign(RS256, vec![0; 31])),
        (&rsa, Operation::Sign(RS256, vec![0; 33])),
        (&rsa, Operation::Sign(ES256, vec![0; 32])),
        (&ec, Operation::Sign(ES256, vec![0; 32])),
        (&ec, Operation::Sign(ES384, vec![0; 32])),
        (&ec, Operation::Sign(RS256, vec![0; 32])),
        (&rsa, Operation::Verify { algorithm: RS256, digest: vec![0; 31], signature: vec![0; 256] }),
        (&rsa, Operation::Encrypt(oaep, plain(&[0; 215]))),
        (&rsa, Operation::Encrypt(EncryptionAlgorithm::RsaOaep256, plain(&[0; 191]))),
        (&rsa, Operation::Encrypt(EncryptionAlgorithm::Rsa15, plain(&[0; 246]))),
        (&rsa, Operation::Decrypt(oaep, vec![9; 256])),
        (&rsa, Operation::Decrypt(oaep, vec![9; 255])),
        (&rsa, Operation::UnwrapKey(oaep, Vec::new())),
    ];
    for (target, operation) in wrong {
        let shown = format!("{operation:?}");
        match harness.vault.perform(&harness.cx(), target, operation).await {
            Err(error) => assert_eq!(error.kind, ErrorKind::BadParameter, "{shown}: {error}"),
            Ok(done) => panic!("{shown} gave {done:?}"),
        }
    }
}

pub(super) async fn old_versions_stay_usable(harness: &Harness) {
    let name = harness.name("history");
    let first = harness.key(&name, EC).await;
    let digest = [3; 32];
    let sign = Operation::Sign(SignatureAlgorithm::ES256, digest.to_vec());
    let signature = bytes(harness.vault.perform(&harness.cx(), &exact(KEY, &first), sign).await.unwrap());
    let second = harness.vault.put(&harness.cx(), &name, NewVersion::RotatedKey).await.unwrap();
    assert!(verified(harness, &exact(KEY, &first), SignatureAlgorithm::ES256, &digest, &signature).await);
    assert!(!verified(harness, &exact(KEY, &second), SignatureAlgorithm::ES256, &digest, &signature).await);
}

/// One operation of each kind, with inputs that work on `key`.
fn operations(key: &Object) -> Vec<(KeyOp, Operation)> {
    let oaep = EncryptionAlgorithm::RsaOaep;
    let wrapped = public_half(key).encrypt(oaep, b"key").unwrap();
    vec![
        (KeyOp::Encrypt, Operation::Encrypt(oaep, plain(b"x"))),
        (KeyOp::Decrypt, Operation::Decrypt(oaep, wrapped.clone())),
        (KeyOp::Sign, Operation::Sign(SignatureAlgorithm::PS256, vec![1; 32])),
        (
            KeyOp::Verify,
            Operation::Verify { algorithm: SignatureAlgorithm::PS256, digest: vec![1; 32], signature: vec![1; 256] },
        ),
        (KeyOp::WrapKey, Operation::WrapKey(oaep, plain(b"x"))),
        (KeyOp::UnwrapKey, Operation::UnwrapKey(oaep, wrapped)),
    ]
}

async fn limited(harness: &Harness, name: &ObjectName, allowed: impl Fn(KeyOp) -> bool, otherwise: ErrorKind) {
    let key = harness.vault.get(&harness.cx(), &latest(KEY, name)).await.unwrap();
    for (op, operation) in operations(&key) {
        let done = harness.vault.perform(&harness.cx(), &latest(KEY, name), operation).await;
        if allowed(op) {
            assert!(done.is_ok(), "{op} of {name}: {done:?}");
        } else {
            refused(done, otherwise);
        }
    }
}

pub(super) async fn use_is_limited_by_operations_time_and_enabled(harness: &Harness) {
    let cx = harness.cx();
    let make = async |key_ops, attributes| {
        let name = harness.name("limited");
        harness.vault.put(&cx, &name, harness.key_with(RSA, key_ops, attributes)).await.unwrap();
        name
    };
    let always = AttributesChange::default;
    for only in [KeyOp::Sign, KeyOp::Decrypt, KeyOp::WrapKey] {
        let name = make(Some(vec![only]), always()).await;
        limited(harness, &name, |op| op == only, ErrorKind::KeyOperationForbidden).await;
    }
    let still = |op| matches!(op, KeyOp::Decrypt | KeyOp::UnwrapKey | KeyOp::Verify);
    let early = make(None, AttributesChange { nbf: Some(harness.now + 10_000), ..always() }).await;
    limited(harness, &early, still, ErrorKind::KeyNotYetValid).await;
    let late = make(None, AttributesChange { exp: Some(harness.now - 10_000), ..always() }).await;
    limited(harness, &late, still, ErrorKind::KeyExpired).await;
    let off = make(None, AttributesChange { enabled: Some(false), ..always() }).await;
    limited(harness, &off, |_| false, ErrorKind::KeyDisabled).await;
    let on = Change { attributes: AttributesChange { enabled: Some(true), ..always() }, ..Change::default() };
    harness.vault.update(&cx, &latest(KEY, &off), on).await.unwrap();
    limited(harness, &off, |_| true, ErrorKind::KeyDisabled).await;
}
