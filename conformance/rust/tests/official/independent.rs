//! Signatures and ciphertexts by RustCrypto, which shares no code with the server's aws-lc.

use azure_security_keyvault_keys::models::{CurveName, JsonWebKey, KeyType};
use p256::ecdsa::signature::hazmat::PrehashVerifier as _;
use p256::elliptic_curve::sec1::ToEncodedPoint as _;
use rsa::traits::{PrivateKeyParts as _, PublicKeyParts as _};
use rsa::{BigUint, Oaep, Pkcs1v15Encrypt, Pkcs1v15Sign, Pss, RsaPrivateKey, RsaPublicKey};
use sha2::{Digest as _, Sha256, Sha384, Sha512};

pub fn digest(length: usize, message: &[u8]) -> Vec<u8> {
    match length {
        32 => Sha256::digest(message).to_vec(),
        48 => Sha384::digest(message).to_vec(),
        _ => Sha512::digest(message).to_vec(),
    }
}

pub fn p256_key() -> p256::SecretKey {
    p256::SecretKey::random(&mut rand::thread_rng())
}

pub fn p256_jwk(key: &p256::SecretKey) -> JsonWebKey {
    let point = key.public_key().to_encoded_point(false);
    JsonWebKey {
        kty: Some(KeyType::Ec),
        crv: Some(CurveName::P256),
        x: Some(point.x().unwrap().to_vec()),
        y: Some(point.y().unwrap().to_vec()),
        d: Some(key.to_bytes().to_vec()),
        ..Default::default()
    }
}

pub fn verify_p256(key: &p256::SecretKey, digest: &[u8], signature: &[u8]) {
    let verifier = p256::ecdsa::VerifyingKey::from(key.public_key());
    verifier.verify_prehash(digest, &p256::ecdsa::Signature::from_slice(signature).unwrap()).unwrap();
}

pub fn rsa_jwk(key: &RsaPrivateKey) -> JsonWebKey {
    let bytes = |number: &BigUint| Some(number.to_bytes_be());
    let (p, q) = (&key.primes()[0], &key.primes()[1]);
    JsonWebKey {
        kty: Some(KeyType::Rsa),
        n: bytes(key.n()),
        e: bytes(key.e()),
        d: bytes(key.d()),
        p: bytes(p),
        q: bytes(q),
        dp: bytes(key.dp().unwrap()),
        dq: bytes(key.dq().unwrap()),
        qi: bytes(&key.crt_coefficient().unwrap()),
        ..Default::default()
    }
}

pub fn rsa_public(jwk: &JsonWebKey) -> RsaPublicKey {
    let number = |bytes: &Option<Vec<u8>>| BigUint::from_bytes_be(bytes.as_ref().unwrap());
    RsaPublicKey::new(number(&jwk.n), number(&jwk.e)).unwrap()
}

/// Is it that key's RSA signature, by the algorithm of that name?
pub fn verify_rsa(jwk: &JsonWebKey, algorithm: &str, digest: &[u8], signature: &[u8]) -> bool {
    let key = rsa_public(jwk);
    let outcome = match algorithm {
        "RS256" => key.verify(Pkcs1v15Sign::new::<Sha256>(), digest, signature),
        "RS384" => key.verify(Pkcs1v15Sign::new::<Sha384>(), digest, signature),
        "RS512" => key.verify(Pkcs1v15Sign::new::<Sha512>(), digest, signature),
        "PS256" => key.verify(Pss::new_with_salt::<Sha256>(32), digest, signature),
        "PS384" => key.verify(Pss::new_with_salt::<Sha384>(48), digest, signature),
        "PS512" => key.verify(Pss::new_with_salt::<Sha512>(64), digest, signature),
        other => panic!("{other}"),
    };
    outcome.is_ok()
}

/// Is it that key's EC signature (r‖s)?
pub fn verify_ec(jwk: &JsonWebKey, digest: &[u8], signature: &[u8]) -> bool {
    let (x, y) = (jwk.x.as_ref().unwrap(), jwk.y.as_ref().unwrap());
    let point = [&[4][..], x, y].concat();
    macro_rules! verify {
        ($curve:ident) => {{
            let key = $curve::ecdsa::VerifyingKey::from_sec1_bytes(&point).unwrap();
            let signature = $curve::ecdsa::Signature::from_slice(signature).unwrap();
            key.verify_prehash(digest, &signature).is_ok()
        }};
    }
    match jwk.crv.as_ref().unwrap() {
        CurveName::P256 => verify!(p256),
        CurveName::P384 => verify!(p384),
        CurveName::P521 => verify!(p521),
        CurveName::P256K => {
            let key = k256::ecdsa::VerifyingKey::from_sec1_bytes(&point).unwrap();
            let signature = k256::ecdsa::Signature::from_slice(signature).unwrap();
            // RustCrypto wants the lower of the two values of s.
            let signature = signature.normalize_s().unwrap_or(signature);
            key.verify_prehash(digest, &signature).is_ok()
        }
        other => panic!("{other:?}"),
    }
}

/// Encrypts by the algorithm of that name.
pub fn encrypt_rsa(jwk: &JsonWebKey, algorithm: &str, plaintext: &[u8]) -> Vec<u8> {
    let (key, random) = (rsa_public(jwk), &mut rand::thread_rng());
    match algorithm {
        "RSA-OAEP" => key.encrypt(random, Oaep::new::<sha1::Sha1>(), plaintext).unwrap(),
        "RSA-OAEP-256" => key.encrypt(random, Oaep::new::<Sha256>(), plaintext).unwrap(),
        _ => key.encrypt(random, Pkcs1v15Encrypt, plaintext).unwrap(),
    }
}

/// Decrypts by the algorithm of that name.
pub fn decrypt_rsa(key: &RsaPrivateKey, algorithm: &str, ciphertext: &[u8]) -> Vec<u8> {
    match algorithm {
        "RSA-OAEP" => key.decrypt(Oaep::new::<sha1::Sha1>(), ciphertext).unwrap(),
        "RSA-OAEP-256" => key.decrypt(Oaep::new::<Sha256>(), ciphertext).unwrap(),
        _ => key.decrypt(Pkcs1v15Encrypt, ciphertext).unwrap(),
    }
}
