//! What the tests share.

use std::sync::OnceLock;

use strongroom_crypto::{KeySpec, PrivateKey};
use strongroom_wire::algorithms::{Curve, SignatureAlgorithm};
use strongroom_wire::base64url::Base64Url;
use strongroom_wire::jwk::{ImportJwk, PublicJwk};
use strongroom_wire::sensitive::Sensitive;

/// One RSA key of 2048 bits for all tests that do not care which.
pub(crate) fn rsa() -> &'static PrivateKey {
    static KEY: OnceLock<PrivateKey> = OnceLock::new();
    KEY.get_or_init(|| PrivateKey::generate(KeySpec::Rsa { bits: 2048 }).unwrap())
}

pub(crate) fn ec(curve: Curve) -> PrivateKey {
    PrivateKey::generate(KeySpec::Ec(curve)).unwrap()
}

pub(crate) fn digest_of(algorithm: SignatureAlgorithm) -> Vec<u8> {
    (0..algorithm.digest_len()).map(|index| u8::try_from(index).unwrap() ^ 0xa5).collect()
}

pub(crate) fn algorithm_of(curve: Curve) -> SignatureAlgorithm {
    SignatureAlgorithm::ALL.iter().copied().find(|algorithm| algorithm.curve() == Some(curve)).unwrap()
}

pub(crate) fn public(bytes: &[u8]) -> Option<Base64Url> {
    Some(Base64Url(bytes.to_vec()))
}

pub(crate) fn private(bytes: &[u8]) -> Option<Sensitive<Base64Url>> {
    Some(Sensitive::new(Base64Url(bytes.to_vec())))
}

/// The content of the first DER element, and what follows it.
pub(crate) fn element(input: &[u8]) -> (&[u8], &[u8]) {
    let (length, rest) = match input[1] {
        short @ 0..=0x7f => (usize::from(short), &input[2..]),
        long => {
            let (bytes, rest) = input[2..].split_at(usize::from(long & 0x7f));
            (bytes.iter().fold(0, |length, &byte| (length << 8) | usize::from(byte)), rest)
        }
    };
    rest.split_at(length)
}

/// The elements of the structure inside a PKCS#8 document.
pub(crate) fn inner_elements(pkcs8: &[u8]) -> Vec<Vec<u8>> {
    let (body, _) = element(pkcs8);
    let (_version, body) = element(body);
    let (_algorithm, body) = element(body);
    let (inner, _) = element(body);
    let (mut rest, _) = element(inner);
    let mut elements = Vec::new();
    while !rest.is_empty() {
        let (content, after) = element(rest);
        elements.push(content.to_vec());
        rest = after;
    }
    elements
}

/// The members of an RSA key: n, e, d, p, q, dp, dq, qi.
pub(crate) fn rsa_members(key: &PrivateKey) -> Vec<Vec<u8>> {
    inner_elements(key.to_pkcs8().unwrap().expose()).split_off(1)
}

/// A JWK from n, e, d, p, q, dp, dq, qi.
pub(crate) fn rsa_jwk(members: &[Vec<u8>]) -> ImportJwk {
    ImportJwk {
        kty: "RSA".to_owned(),
        n: public(&members[0]),
        e: public(&members[1]),
        d: private(&members[2]),
        p: private(&members[3]),
        q: private(&members[4]),
        dp: private(&members[5]),
        dq: private(&members[6]),
        qi: private(&members[7]),
        ..ImportJwk::default()
    }
}

/// The JWK of an EC key.
pub(crate) fn ec_jwk(key: &PrivateKey) -> ImportJwk {
    let PublicJwk::Ec { crv, x, y } = key.public().to_jwk() else { panic!("not an EC key") };
    let d = &inner_elements(key.to_pkcs8().unwrap().expose())[1];
    ImportJwk {
        kty: "EC".to_owned(),
        crv: Some(crv.as_str().to_owned()),
        x: Some(x),
        y: Some(y),
        d: private(d),
        ..ImportJwk::default()
    }
}
