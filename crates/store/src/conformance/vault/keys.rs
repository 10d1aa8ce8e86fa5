//! Keys: making, importing, changing, rotating.

use strongroom_crypto::{KeySpec, PrivateKey, sha256};
use strongroom_wire::ErrorKind;
use strongroom_wire::algorithms::{Curve, KeyOp, SignatureAlgorithm};
use strongroom_wire::attributes::{AttributesChange, Tags};
use strongroom_wire::base64url::Base64Url;
use strongroom_wire::ids::Kind;
use strongroom_wire::jwk::{ImportJwk, PublicJwk};
use strongroom_wire::rotation::{Duration, RotateWhen, RotationPolicy};

use super::{EC, Harness, RSA, exact, latest, refused};
use crate::provider::{Operation, Output};
use crate::vault::{Body, Change, Listing, NewAttributes, NewVersion, Object};

const KEY: Kind = Kind::Key;

/// The key of RFC 7517 appendix A.2.
fn ec_jwk() -> ImportJwk {
    serde_json::from_value(serde_json::json!({
        "kty": "EC", "crv": "P-256",
        "x": "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4",
        "y": "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM",
        "d": "870MB6gfuTJ4HtUnUvYMyJpr5eUZNP4Bk43bVdj3eAE",
    }))
    .unwrap()
}

fn public(object: &Object) -> &PublicJwk {
    match &object.body {
        Body::Key { public: Some(public), .. } => public,
        other => panic!("no public key in {other:?}"),
    }
}

fn ops(object: &Object) -> &[KeyOp] {
    match &object.body {
        Body::Key { key_ops, .. } => key_ops,
        other => panic!("not a key: {other:?}"),
    }
}

pub(super) async fn offers_are_honest(harness: &Harness) {
    let offered = harness.vault.offers().keys;
    let all = [2048, 3072, 4096].map(|bits| KeySpec::Rsa { bits });
    let curves = Curve::ALL.iter().map(|curve| KeySpec::Ec(*curve));
    let strange = [KeySpec::Rsa { bits: 1024 }, KeySpec::Rsa { bits: 2047 }];
    for spec in all.into_iter().chain(curves).chain(strange) {
        let made = harness.vault.put(&harness.cx(), &harness.name("offer"), harness.new_key(spec)).await;
        if !offered.contains(&spec) {
            refused(made, ErrorKind::BadParameter);
            continue;
        }
        match (public(&made.unwrap()), spec) {
            (PublicJwk::Rsa { n, e }, KeySpec::Rsa { bits }) => {
                assert_eq!(n.0.len() * 8, bits as usize);
                assert_eq!(e.0, [1, 0, 1]);
            }
            (PublicJwk::Ec { crv, x, y }, KeySpec::Ec(curve)) => {
                assert_eq!((*crv, x.0.len(), y.0.len()), (curve, curve.coordinate_len(), curve.coordinate_len()));
            }
            (other, spec) => panic!("{spec:?} became {other:?}"),
        }
    }
    let hardware = !harness.hardware();
    let elsewhere = NewVersion::Key { spec: EC, hardware, key_ops: None, with: NewAttributes::default() };
    refused(harness.vault.put(&harness.cx(), &harness.name("offer"), elsewhere).await, ErrorKind::BadParameter);
}

pub(super) async fn defaults_and_lists(harness: &Harness) {
    use KeyOp::{Decrypt, Encrypt, Sign, UnwrapKey, Verify, WrapKey};
    let (rsa, ec) = (harness.name("rsa"), harness.name("ec"));
    assert_eq!(ops(&harness.key(&rsa, RSA).await), [Encrypt, Decrypt, Sign, Verify, WrapKey, UnwrapKey]);
    let made = harness.key(&ec, EC).await;
    assert_eq!(ops(&made), [Sign, Verify]);
    let read = harness.vault.get(&harness.cx(), &latest(KEY, &ec)).await.unwrap();
    assert_eq!((public(&read), ops(&read), read.version), (public(&made), ops(&made), made.version));
    let listed = harness.list(&Listing::Live(KEY), 5).await;
    assert!(listed.iter().any(|object| object.name == rsa) && listed.iter().any(|object| object.name == ec));
}

pub(super) async fn imported_keys_are_used(harness: &Harness) {
    let name = harness.name("imported");
    let own = PrivateKey::from_jwk(&ec_jwk()).unwrap();
    let made = harness.vault.put(&harness.cx(), &name, harness.import(ec_jwk())).await.unwrap();
    assert_eq!(public(&made), &own.public().to_jwk());
    let digest = sha256(b"imported");
    let operation = Operation::Sign(SignatureAlgorithm::ES256, digest.to_vec());
    let done = harness.vault.perform(&harness.cx(), &latest(KEY, &name), operation).await.unwrap();
    let Output::Bytes(signature) = done.output else { panic!("not a signature") };
    assert!(own.public().verify(SignatureAlgorithm::ES256, &digest, signature.expose()).unwrap());
    // A later version may be of another type.
    let second = harness.key(&name, RSA).await;
    assert!(matches!(public(&second), PublicJwk::Rsa { .. }));
}

pub(super) async fn bad_imports_are_refused(harness: &Harness) {
    let changed = |change: fn(&mut ImportJwk)| {
        let mut jwk = ec_jwk();
        change(&mut jwk);
        jwk
    };
    let bad = [
        changed(|jwk| jwk.kty = "OKP".to_owned()),
        changed(|jwk| jwk.kty = "oct".to_owned()),
        changed(|jwk| jwk.d = None),
        changed(|jwk| jwk.crv = Some("P-384".to_owned())),
        changed(|jwk| jwk.x = Some(Base64Url(vec![1; 32]))),
        changed(|jwk| jwk.x = Some(Base64Url(vec![1; 99]))),
        changed(|jwk| jwk.d = Some(strongroom_wire::Sensitive::new(Base64Url(vec![2; 32])))),
        changed(|jwk| jwk.kty = "RSA".to_owned()),
    ];
    for jwk in bad {
        let name = harness.name("bad-import");
        refused(harness.vault.put(&harness.cx(), &name, harness.import(jwk)).await, ErrorKind::BadParameter);
        refused(harness.vault.get(&harness.cx(), &latest(KEY, &name)).await, ErrorKind::NotFound(KEY));
    }
}

pub(super) async fn update_changes_what_it_names(harness: &Harness) {
    let name = harness.name("key-update");
    let made = harness.key(&name, EC).await;
    let change = Change {
        key_ops: Some(vec![KeyOp::Verify]),
        tags: Some(Tags::from([("t".to_owned(), "v".to_owned())])),
        ..Change::default()
    };
    let changed = harness.vault.update(&harness.cx(), &exact(KEY, &made), change).await.unwrap();
    assert_eq!((ops(&changed), public(&changed)), (&[KeyOp::Verify][..], public(&made)));
    assert!(changed.attributes.updated > made.attributes.updated);
    let none = Change { key_ops: Some(Vec::new()), ..Change::default() };
    let changed = harness.vault.update(&harness.cx(), &latest(KEY, &name), none).await.unwrap();
    assert!(ops(&changed).is_empty() && changed.tags.is_some());
}

pub(super) async fn rotation_keeps_everything_but_the_material(harness: &Harness) {
    let name = harness.name("rotated");
    let cx = harness.cx();
    let with = NewAttributes {
        attributes: AttributesChange::default(),
        tags: Some(Tags::from([("a".to_owned(), "b".to_owned())])),
    };
    let (spec, hardware) = (KeySpec::Ec(Curve::P384), harness.hardware());
    let new = NewVersion::Key { spec, hardware, key_ops: Some(vec![KeyOp::Sign]), with };
    let first = harness.vault.put(&cx, &name, new).await.unwrap();
    let policy = RotationPolicy { expiry_time: Some(Duration::parse("P2Y").unwrap()), ..RotationPolicy::default() };
    harness.vault.set_rotation_policy(&cx, &name, policy).await.unwrap();
    let second = harness.vault.put(&cx, &name, NewVersion::RotatedKey).await.unwrap();
    assert!(second.version != first.version && public(&second) != public(&first));
    assert!(matches!(public(&second), PublicJwk::Ec { crv: Curve::P384, .. }));
    assert_eq!((ops(&second), &second.tags), (ops(&first), &first.tags));
    let lifetime = Duration::parse("P2Y").unwrap();
    assert_eq!(second.attributes.expires, Some(lifetime.after(second.attributes.created)));
    assert_eq!(harness.list(&Listing::Versions(KEY, name), 25).await.len(), 2);
}

pub(super) async fn a_policy_is_kept_and_shown(harness: &Harness) {
    let name = harness.name("policy");
    let cx = harness.cx();
    harness.key(&name, EC).await;
    let unset = harness.vault.rotation_policy(&cx, &name).await.unwrap();
    assert_eq!(unset, RotationPolicy::unset());
    let wanted = RotationPolicy {
        expiry_time: Some(Duration::parse("P2Y").unwrap()),
        rotate: Some(RotateWhen::AfterCreate(Duration::days(90))),
        notify_before_expiry: Some(Duration::days(30)),
        ..RotationPolicy::default()
    };
    let set = harness.vault.set_rotation_policy(&cx, &name, wanted.clone()).await.unwrap();
    assert!(set.created.is_some() && set.updated.is_some());
    assert_eq!(RotationPolicy { created: None, updated: None, ..set.clone() }, wanted);
    assert_eq!(harness.vault.rotation_policy(&cx, &name).await.unwrap(), set);
    let emptied = harness.vault.set_rotation_policy(&cx, &name, RotationPolicy::default()).await.unwrap();
    assert_eq!((emptied.rotate, emptied.created), (None, set.created));
}
