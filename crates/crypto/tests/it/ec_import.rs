//! EC keys from JSON Web Keys: what is accepted, and every reason to refuse.

use strongroom_crypto::{CryptoError, KeySpec, PrivateKey, PublicKey};
use strongroom_wire::algorithms::Curve;
use strongroom_wire::base64url::Base64Url;
use strongroom_wire::jwk::{ImportJwk, PublicJwk};

use crate::support::{algorithm_of, digest_of, ec, ec_jwk, inner_elements, private, public};

fn assert_refused(jwk: &ImportJwk, because: &str) {
    match PrivateKey::from_jwk(jwk) {
        Err(CryptoError::InvalidKey(message)) => assert!(message.contains(because), "{message:?} without {because:?}"),
        other => panic!("not refused because {because:?}: {other:?}"),
    }
}

/// Takes one member out.
type Remove = fn(&mut ImportJwk);

#[test]
fn accepts_its_own_keys_on_every_curve() {
    for &curve in Curve::ALL {
        let key = ec(curve);
        let mut jwk = ec_jwk(&key);
        let again = PrivateKey::from_jwk(&jwk).unwrap();
        assert_eq!(again.spec(), KeySpec::Ec(curve));
        assert_eq!(again.public().to_jwk(), key.public().to_jwk());
        let digest = digest_of(algorithm_of(curve));
        let signature = again.sign(algorithm_of(curve), &digest).unwrap();
        assert_eq!(key.public().verify(algorithm_of(curve), &digest, &signature), Ok(true));
        jwk.kty = "EC-HSM".to_owned();
        assert!(PrivateKey::from_jwk(&jwk).is_ok());
    }
}

#[test]
fn tolerates_other_lengths_of_the_same_numbers() {
    // A coordinate with a zero byte in front turns up soon.
    let short = loop {
        let key = ec(Curve::P256);
        if matches!(key.public().to_jwk(), PublicJwk::Ec { x, .. } if x.0[0] == 0) {
            break key;
        }
    };
    let mut jwk = ec_jwk(&short);
    jwk.x = public(&jwk.x.unwrap().0[1..]);
    jwk.y = public(&[&[0, 0, 0], jwk.y.unwrap().0.as_slice()].concat());
    let key = PrivateKey::from_jwk(&jwk).unwrap();
    assert_eq!(key.public().to_jwk(), short.public().to_jwk());

    // d = 1 in one byte; (x, y) is the generator of P-256 (SP 800-186).
    let jwk = ImportJwk {
        kty: "EC".to_owned(),
        crv: Some("P-256".to_owned()),
        x: public(&hex::decode("6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296").unwrap()),
        y: public(&hex::decode("4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5").unwrap()),
        d: private(&[1]),
        ..Default::default()
    };
    assert!(PrivateKey::from_jwk(&jwk).is_ok());
}

#[test]
fn names_the_missing_member() {
    let missing: [(&str, Remove); 4] = [
        ("lacks crv", |jwk| jwk.crv = None),
        ("lacks x", |jwk| jwk.x = None),
        ("lacks y", |jwk| jwk.y = None),
        ("lacks d", |jwk| jwk.d = None),
    ];
    for (message, remove) in missing {
        let mut jwk = ec_jwk(&ec(Curve::P256));
        remove(&mut jwk);
        assert_refused(&jwk, message);
    }
}

#[test]
fn refuses_points_and_scalars_that_do_not_fit() {
    for &curve in Curve::ALL {
        let key = ec(curve);
        let length = curve.coordinate_len();
        let jwk = || ec_jwk(&key);
        let (x, y) = (jwk().x.unwrap().0, jwk().y.unwrap().0);
        let altered = |bytes: &[u8]| {
            let mut altered = bytes.to_vec();
            altered[length - 1] ^= 1;
            public(&altered)
        };
        assert_refused(&ImportJwk { x: altered(&x), ..jwk() }, &format!("not on {curve}"));
        assert_refused(&ImportJwk { y: altered(&y), ..jwk() }, &format!("not on {curve}"));
        assert_refused(&ImportJwk { x: public(&[]), y: public(&[]), ..jwk() }, "not on");
        // The prime of the field and beyond.
        assert_refused(&ImportJwk { x: public(&vec![0xff; length]), ..jwk() }, "not on");
        assert_refused(&ImportJwk { x: public(&vec![1; length + 1]), ..jwk() }, &format!("x has {} bytes", length + 1));
        assert_refused(&ImportJwk { y: public(&vec![1; 5000]), ..jwk() }, "y has 5000 bytes");
        assert_refused(&ImportJwk { d: private(&vec![1; length + 1]), ..jwk() }, &format!("d has {}", length + 1));
        for out_of_range in [vec![], vec![0; length], vec![0xff; length]] {
            assert_refused(&ImportJwk { d: private(&out_of_range), ..jwk() }, "out of range");
        }
        let other = inner_elements(ec(curve).to_pkcs8().unwrap().expose())[1].clone();
        assert_refused(&ImportJwk { d: private(&other), ..jwk() }, "does not belong to the point");
        assert_refused(&ImportJwk { d: private(&[1]), ..jwk() }, "does not belong to the point");
        // The public half alone.
        let bad = PublicJwk::Ec { crv: curve, x: Base64Url(x), y: Base64Url(vec![1]) };
        assert!(matches!(PublicKey::from_jwk(&bad), Err(CryptoError::InvalidKey(_))));
    }
}

/// The order of each curve itself is out of range, one less is in range (and then not ours).
#[test]
fn the_range_of_d_ends_at_the_order() {
    let orders = [
        (Curve::P256, "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551"),
        (
            Curve::P384,
            "ffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973",
        ),
        (
            Curve::P521,
            "01fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffa51868783bf2f966b7fcc0148f709a5d03bb5c9b8899c47aebb6fb71e91386409",
        ),
        (Curve::P256K, "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141"),
    ];
    for (curve, order) in orders {
        let mut order = hex::decode(order).unwrap();
        let jwk = ec_jwk(&ec(curve));
        assert_refused(&ImportJwk { d: private(&order), ..jwk }, "out of range");
        *order.last_mut().unwrap() -= 1;
        let jwk = ec_jwk(&ec(curve));
        assert_refused(&ImportJwk { d: private(&order), ..jwk }, "does not belong");
    }
}

#[test]
fn curves_go_by_their_names() {
    let key = ec(Curve::P256K);
    for name in ["secp256k1", "SECP256K1"] {
        assert!(PrivateKey::from_jwk(&ImportJwk { crv: Some(name.to_owned()), ..ec_jwk(&key) }).is_ok());
    }
    assert_refused(&ImportJwk { crv: Some("P-256".to_owned()), ..ec_jwk(&key) }, "not on P-256");
    for name in ["", "p-256", "P-224", "Ed25519"] {
        let result = PrivateKey::from_jwk(&ImportJwk { crv: Some(name.to_owned()), ..ec_jwk(&key) });
        assert!(matches!(result, Err(CryptoError::Unsupported(_))), "{name}");
    }
}
