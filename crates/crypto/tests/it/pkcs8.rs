//! PKCS#8 in and out; malformed documents.

use strongroom_crypto::{CryptoError, KeySpec, PrivateKey};
use strongroom_wire::algorithms::Curve;

use crate::support::{algorithm_of, digest_of, ec, rsa};

#[test]
fn round_trips() {
    for &curve in Curve::ALL {
        let key = ec(curve);
        let document = key.to_pkcs8().unwrap();
        let again = PrivateKey::from_pkcs8(document.expose()).unwrap();
        assert_eq!(again.spec(), KeySpec::Ec(curve));
        assert_eq!(again.to_pkcs8().unwrap().expose(), document.expose());
        assert_eq!(again.public().to_jwk(), key.public().to_jwk());
        let digest = digest_of(algorithm_of(curve));
        let signature = again.sign(algorithm_of(curve), &digest).unwrap();
        assert_eq!(key.public().verify(algorithm_of(curve), &digest, &signature), Ok(true));
    }
    let document = rsa().to_pkcs8().unwrap();
    let again = PrivateKey::from_pkcs8(document.expose()).unwrap();
    assert_eq!(again.to_pkcs8().unwrap().expose(), document.expose());
    assert_eq!(again.public().to_jwk(), rsa().public().to_jwk());
}

/// No truncation and no changed byte makes it panic, or yield a key that does not work.
#[test]
fn damaged_documents_are_refused_or_harmless() {
    let mut documents: Vec<_> = Curve::ALL.iter().map(|&curve| ec(curve).to_pkcs8().unwrap()).collect();
    documents.push(rsa().to_pkcs8().unwrap());
    for document in &documents {
        let document = document.expose();
        for length in 0..document.len() {
            assert!(PrivateKey::from_pkcs8(&document[..length]).is_err());
        }
        assert!(PrivateKey::from_pkcs8(&[&document[..], &[0]].concat()).is_err());
        for index in (0..document.len()).step_by(if document.len() > 400 { 17 } else { 1 }) {
            let mut altered = document.clone();
            altered[index] ^= 0x11;
            let Ok(key) = PrivateKey::from_pkcs8(&altered) else { continue };
            if let KeySpec::Ec(curve) = key.spec() {
                let digest = digest_of(algorithm_of(curve));
                let signature = key.sign(algorithm_of(curve), &digest).unwrap();
                assert_eq!(key.public().verify(algorithm_of(curve), &digest, &signature), Ok(true));
            }
        }
    }
}

#[test]
fn small_keys_and_other_things_are_refused() {
    for document in [&b""[..], b"-----BEGIN PRIVATE KEY-----", &[0x30, 0x80], &[0x30, 0x83, 0xff, 0xff, 0xff], &[0; 99]]
    {
        assert!(matches!(PrivateKey::from_pkcs8(document), Err(CryptoError::InvalidKey(_))));
    }
}
