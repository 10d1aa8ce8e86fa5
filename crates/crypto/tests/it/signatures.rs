//! Signing and verifying.

use strongroom_crypto::{CryptoError, KeySpec, PrivateKey, PublicKey, sha256, sha384, sha512};
use strongroom_wire::algorithms::{Curve, SignatureAlgorithm};
use strongroom_wire::base64url::Base64Url;
use strongroom_wire::jwk::PublicJwk;

use crate::support::{algorithm_of, digest_of, ec, private, public, rsa};

fn send_and_sync<T: Send + Sync>() {}

#[test]
fn keys_are_shared_between_threads_and_say_little() {
    send_and_sync::<PrivateKey>();
    send_and_sync::<PublicKey>();
    assert_eq!(format!("{:?} {:?}", rsa(), rsa().public()), "PrivateKey(RSA 2048) PublicKey(RSA 2048)");
    assert_eq!(format!("{:?}", ec(Curve::P256K)), "PrivateKey(EC P-256K)");
}

#[test]
fn every_algorithm_signs_with_its_key_and_no_other() {
    let mut keys: Vec<_> = Curve::ALL.iter().map(|&curve| ec(curve)).collect();
    keys.push(PrivateKey::generate(KeySpec::Rsa { bits: 3072 }).unwrap());
    keys.push(PrivateKey::generate(KeySpec::Rsa { bits: 4096 }).unwrap());
    for key in keys.iter().chain([rsa()]) {
        // From its JWK, as another party would have it.
        let known = PublicKey::from_jwk(&key.public().to_jwk()).unwrap();
        for &algorithm in SignatureAlgorithm::ALL {
            let digest = digest_of(algorithm);
            let fits = match key.spec() {
                KeySpec::Rsa { .. } => algorithm.curve().is_none(),
                KeySpec::Ec(curve) => algorithm.curve() == Some(curve),
            };
            if !fits {
                assert!(matches!(key.sign(algorithm, &digest), Err(CryptoError::AlgorithmMismatch(_))));
                assert!(matches!(known.verify(algorithm, &digest, &[]), Err(CryptoError::AlgorithmMismatch(_))));
                continue;
            }
            let signature = key.sign(algorithm, &digest).unwrap();
            let expected = match key.spec() {
                KeySpec::Rsa { bits } => usize::try_from(bits / 8).unwrap(),
                KeySpec::Ec(curve) => 2 * curve.coordinate_len(),
            };
            assert_eq!(signature.len(), expected);
            assert_eq!(known.verify(algorithm, &digest, &signature), Ok(true));
            assert_eq!(key.public().verify(algorithm, &digest, &signature), Ok(true));
            assert_malformed_signatures_are_just_wrong(&known, algorithm, &digest, &signature);
        }
    }
}

fn assert_malformed_signatures_are_just_wrong(
    key: &PublicKey,
    algorithm: SignatureAlgorithm,
    digest: &[u8],
    signature: &[u8],
) {
    let mut other_digest = digest.to_vec();
    other_digest[0] ^= 1;
    assert_eq!(key.verify(algorithm, &other_digest, signature), Ok(false));
    for index in [0, signature.len() / 2, signature.len() - 1] {
        let mut altered = signature.to_vec();
        altered[index] ^= 1;
        assert_eq!(key.verify(algorithm, digest, &altered), Ok(false));
    }
    for malformed in [
        &[][..],
        &signature[1..],
        &signature[..signature.len() - 1],
        &[signature, &[0]].concat(),
        &[&[0], signature].concat(),
        &vec![0; signature.len()],
        &vec![0xff; signature.len()],
        &[0x30, 0x06, 0x02, 0x01, 0x01, 0x02, 0x01, 0x01],
    ] {
        assert_eq!(key.verify(algorithm, digest, malformed), Ok(false), "{algorithm}");
    }
}

#[test]
fn digests_have_one_length() {
    for &algorithm in SignatureAlgorithm::ALL {
        let made;
        let key = match algorithm.curve() {
            None => rsa(),
            Some(curve) => {
                made = ec(curve);
                &made
            }
        };
        for length in [0, 1, 20, 31, 33, 47, 63, 65, 1000] {
            let digest = vec![1; length];
            assert!(matches!(key.sign(algorithm, &digest), Err(CryptoError::InvalidInput(_))), "{algorithm} {length}");
            assert!(matches!(key.public().verify(algorithm, &digest, &[]), Err(CryptoError::InvalidInput(_))));
        }
    }
    let error = rsa().sign(SignatureAlgorithm::RS256, &[0; 31]).unwrap_err();
    assert_eq!(error.to_string(), "RS256 signs a digest of exactly 32 bytes, got 31");
    let error = rsa().sign(SignatureAlgorithm::ES256, &[0; 32]).unwrap_err();
    assert_eq!(error.to_string(), "ES256 needs an EC key on P-256; this key is RSA 2048");
}

#[test]
fn sizes_outside_the_protocol_are_not_generated() {
    for bits in [0, 512, 1024, 2047, 2049, 8192, u32::MAX] {
        assert!(matches!(PrivateKey::generate(KeySpec::Rsa { bits }), Err(CryptoError::Unsupported(_))));
    }
}

/// Coordinates that begin with zero bytes turn up in a P-521 key in two out of three.
#[test]
fn a_thousand_p521_keys_have_full_coordinates() {
    for _ in 0..1000 {
        let PublicJwk::Ec { x, y, .. } = ec(Curve::P521).public().to_jwk() else { panic!() };
        assert_eq!((x.0.len(), y.0.len()), (66, 66));
    }
}

/// RFC 6979 A.2.5, A.2.6 and A.2.7: the message "sample" with the digest that goes with the curve.
#[test]
fn rfc_6979_signatures_verify() {
    let vectors = [
        (
            Curve::P256,
            sha256(b"sample").to_vec(),
            "60FED4BA255A9D31C961EB74C6356D68C049B8923B61FA6CE669622E60F29FB6",
            "7903FE1008B8BC99A41AE9E95628BC64F2F1B20C2D7E9F5177A3C294D4462299",
            "EFD48B2AACB6A8FD1140DD9CD45E81D69D2C877B56AAF991C34D0EA84EAF3716",
            "F7CB1C942D657C41D436C7A1B6E29F65F3E900DBB9AFF4064DC4AB2F843ACDA8",
        ),
        (
            Curve::P384,
            sha384(b"sample").to_vec(),
            "EC3A4E415B4E19A4568618029F427FA5DA9A8BC4AE92E02E06AAE5286B300C64DEF8F0EA9055866064A254515480BC13",
            "8015D9B72D7D57244EA8EF9AC0C621896708A59367F9DFB9F54CA84B3F1C9DB1288B231C3AE0D4FE7344FD2533264720",
            "94EDBB92A5ECB8AAD4736E56C691916B3F88140666CE9FA73D64C4EA95AD133C81A648152E44ACF96E36DD1E80FABE46",
            "99EF4AEB15F178CEA1FE40DB2603138F130E740A19624526203B6351D0A3A94FA329C145786E679E7B82C71A38628AC8",
        ),
        (
            Curve::P521,
            sha512(b"sample").to_vec(),
            "01894550D0785932E00EAA23B694F213F8C3121F86DC97A04E5A7167DB4E5BCD371123D46E45DB6B5D5370A7F20FB633155D38FFA16D2BD761DCAC474B9A2F5023A4",
            "00493101C962CD4D2FDDF782285E64584139C2F91B47F87FF82354D6630F746A28A0DB25741B5B34A828008B22ACC23F924FAAFBD4D33F81EA66956DFEAA2BFDFCF5",
            "00C328FAFCBD79DD77850370C46325D987CB525569FB63C5D3BC53950E6D4C5F174E25A1EE9017B5D450606ADD152B534931D7D4E8455CC91F9B15BF05EC36E377FA",
            "00617CCE7CF5064806C467F678D3B4080D6F1CC50AF26CA209417308281B68AF282623EAA63E5B5C0723D8B8C37FF0777B1A20F8CCB1DCCC43997F1EE0E44DA4A67A",
        ),
    ];
    for (curve, digest, x, y, r, s) in vectors {
        let [x, y, r, s] = [x, y, r, s].map(|text| hex::decode(text).unwrap());
        let key = PublicKey::from_jwk(&PublicJwk::Ec { crv: curve, x: Base64Url(x), y: Base64Url(y) }).unwrap();
        assert_eq!(key.verify(algorithm_of(curve), &digest, &[r.clone(), s.clone()].concat()), Ok(true), "{curve}");
        assert_eq!(key.verify(algorithm_of(curve), &digest, &[s, r].concat()), Ok(false), "{curve}");
    }
}

/// The well-known deterministic signature of "Satoshi Nakamoto" by the private key 1; then the same
/// with the other s, and the edges of the range.
#[test]
fn secp256k1_is_deterministic_and_takes_either_s() {
    let mut one = [0; 32];
    one[31] = 1;
    let jwk = strongroom_wire::jwk::ImportJwk {
        kty: "EC".to_owned(),
        crv: Some("P-256K".to_owned()),
        x: public(&hex::decode("79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798").unwrap()),
        y: public(&hex::decode("483ada7726a3c4655da4fbfc0e1108a8fd17b448a68554199c47d08ffb10d4b8").unwrap()),
        d: private(&one),
        ..Default::default()
    };
    let key = PrivateKey::from_jwk(&jwk).unwrap();
    let digest = sha256(b"Satoshi Nakamoto");
    let signature = key.sign(SignatureAlgorithm::ES256K, &digest).unwrap();
    let (r, s) = (
        "934b1ea10a4b3c1757e2b0c017d0b6143ce3c9a7e6a4a49860d7a6ab210ee3d8",
        "2442ce9d2b916064108014783e923ec36b49743e2ffa1c4496f01a512aafd9e5",
    );
    assert_eq!(hex::encode(&signature), format!("{r}{s}"));

    let order = hex::decode("fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141").unwrap();
    let high = subtract(&order, &signature[32..]);
    let with_high_s = [&signature[..32], &high].concat();
    assert_eq!(key.public().verify(SignatureAlgorithm::ES256K, &digest, &with_high_s), Ok(true));
    for bad in [
        [&order[..], &signature[32..]].concat(),
        [&signature[..32], &order[..]].concat(),
        [&[0; 32], &signature[32..]].concat(),
        [&signature[..32], &[0; 32]].concat(),
    ] {
        assert_eq!(key.public().verify(SignatureAlgorithm::ES256K, &digest, &bad), Ok(false));
    }
}

fn subtract(from: &[u8], what: &[u8]) -> Vec<u8> {
    let mut out = from.to_vec();
    let mut borrow = 0;
    for (left, right) in out.iter_mut().zip(what).rev() {
        let value = i16::from(*left) - i16::from(*right) - borrow;
        borrow = i16::from(value < 0);
        *left = u8::try_from(value.rem_euclid(256)).unwrap();
    }
    out
}
