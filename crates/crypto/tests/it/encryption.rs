//! RSA encryption and decryption.

use strongroom_crypto::{CryptoError, PublicKey};
use strongroom_wire::algorithms::{Curve, EncryptionAlgorithm};

use crate::support::{ec, rsa};

const LIMITS: [(EncryptionAlgorithm, usize); 3] = [
    (EncryptionAlgorithm::RsaOaep, 256 - 42),
    (EncryptionAlgorithm::RsaOaep256, 256 - 66),
    (EncryptionAlgorithm::Rsa15, 256 - 11),
];

#[test]
fn encrypts_up_to_the_limit() {
    let key = rsa();
    let known = PublicKey::from_jwk(&key.public().to_jwk()).unwrap();
    for (algorithm, limit) in LIMITS {
        for length in [0, 1, 32, limit] {
            let text = vec![0xc3; length];
            let ciphertext = known.encrypt(algorithm, &text).unwrap();
            assert_eq!(ciphertext.len(), 256);
            assert_eq!(key.decrypt(algorithm, &ciphertext).unwrap().expose(), &text, "{algorithm} {length}");
        }
        let error = known.encrypt(algorithm, &vec![0; limit + 1]).unwrap_err();
        assert!(matches!(&error, CryptoError::InvalidInput(_)), "{error:?}");
        assert!(error.to_string().contains(&format!("at most {limit} bytes, got {}", limit + 1)), "{error}");
    }
}

#[test]
fn every_corruption_fails_alike() {
    let key = rsa();
    for (algorithm, _) in LIMITS {
        let ciphertext = key.public().encrypt(algorithm, b"what").unwrap();
        let mut corrupt: Vec<Vec<u8>> = vec![
            vec![],
            vec![0; 256],
            vec![0xff; 256],
            ciphertext[1..].to_vec(),
            ciphertext[..255].to_vec(),
            [&ciphertext[..], &[0]].concat(),
            [&[0], &ciphertext[..]].concat(),
        ];
        // With one bit changed RSA1_5 may by rare chance find a padding; one in 2^16 or so.
        corrupt.extend([0, 100, 255].map(|index| {
            let mut altered = ciphertext.clone();
            altered[index] ^= 4;
            altered
        }));
        for ciphertext in corrupt {
            match key.decrypt(algorithm, &ciphertext) {
                Err(error) => assert_eq!(error, CryptoError::DecryptionFailed),
                Ok(text) => assert!(algorithm == EncryptionAlgorithm::Rsa15 && text.expose() != b"what"),
            }
        }
    }
    let oaep = key.public().encrypt(EncryptionAlgorithm::RsaOaep, b"what").unwrap();
    assert_eq!(key.decrypt(EncryptionAlgorithm::RsaOaep256, &oaep).unwrap_err(), CryptoError::DecryptionFailed);
}

#[test]
fn ec_keys_do_not_encrypt() {
    let key = ec(Curve::P384);
    for (algorithm, _) in LIMITS {
        assert!(matches!(key.public().encrypt(algorithm, b"x"), Err(CryptoError::AlgorithmMismatch(_))));
        assert!(matches!(key.decrypt(algorithm, b"x"), Err(CryptoError::AlgorithmMismatch(_))));
    }
}
