//! Using keys; every result is checked by an independent library, in both directions.

use azure_security_keyvault_keys::KeyClient;
use azure_security_keyvault_keys::models::*;

use crate::clients::{keys, name};
use crate::independent;
use crate::keys::{create, ec, rsa};

async fn sign(client: &KeyClient, name: &str, algorithm: SignatureAlgorithm, digest: &[u8]) -> Vec<u8> {
    let parameters = SignParameters { algorithm: Some(algorithm), value: Some(digest.to_vec()) };
    let signed = client.sign(name, parameters.try_into().unwrap(), None).await.unwrap();
    let signed: KeyOperationResult = signed.into_model().unwrap();
    assert!(signed.kid.unwrap().contains(name));
    signed.result.unwrap()
}

async fn verify(
    client: &KeyClient,
    key: &JsonWebKey,
    algorithm: SignatureAlgorithm,
    digest: &[u8],
    signature: &[u8],
) -> bool {
    let (name, version) = name_and_version(key);
    let parameters = VerifyParameters {
        algorithm: Some(algorithm),
        digest: Some(digest.to_vec()),
        signature: Some(signature.to_vec()),
    };
    let verdict = client.verify(name, version, parameters.try_into().unwrap(), None).await.unwrap();
    let verdict: KeyVerifyResult = verdict.into_model().unwrap();
    verdict.value.unwrap()
}

/// From the id `{vault}/keys/{name}/{version}`.
fn name_and_version(key: &JsonWebKey) -> (&str, &str) {
    let mut segments = key.kid.as_deref().unwrap().rsplit('/');
    let (version, name) = (segments.next().unwrap(), segments.next().unwrap());
    (name, version)
}

pub async fn rsa_signatures() {
    let (client, name) = (keys(), name("rsa"));
    let key = create(&client, &name, rsa(2048)).await.key.unwrap();
    for (algorithm, text, length) in [
        (SignatureAlgorithm::Rs256, "RS256", 32),
        (SignatureAlgorithm::Rs384, "RS384", 48),
        (SignatureAlgorithm::Rs512, "RS512", 64),
        (SignatureAlgorithm::Ps256, "PS256", 32),
        (SignatureAlgorithm::Ps384, "PS384", 48),
        (SignatureAlgorithm::Ps512, "PS512", 64),
    ] {
        let digest = independent::digest(length, text.as_bytes());
        let mut signature = sign(&client, &name, algorithm.clone(), &digest).await;
        assert!(independent::verify_rsa(&key, text, &digest, &signature), "{text}");
        assert!(verify(&client, &key, algorithm.clone(), &digest, &signature).await, "{text}");
        signature[9] ^= 1;
        assert!(!verify(&client, &key, algorithm, &digest, &signature).await, "{text}");
    }
}

pub async fn ec_signatures() {
    let client = keys();
    for (algorithm, curve, length, size) in [
        (SignatureAlgorithm::Es256, CurveName::P256, 32, 64),
        (SignatureAlgorithm::Es384, CurveName::P384, 48, 96),
        (SignatureAlgorithm::Es512, CurveName::P521, 64, 132),
        (SignatureAlgorithm::Es256K, CurveName::P256K, 32, 64),
    ] {
        let name = name("ec");
        let key = create(&client, &name, ec(curve)).await.key.unwrap();
        let digest = independent::digest(length, b"ec");
        let mut signature = sign(&client, &name, algorithm.clone(), &digest).await;
        assert_eq!(signature.len(), size, "{algorithm:?}");
        assert!(independent::verify_ec(&key, &digest, &signature), "{algorithm:?}");
        assert!(verify(&client, &key, algorithm.clone(), &digest, &signature).await, "{algorithm:?}");
        signature[9] ^= 1;
        assert!(!verify(&client, &key, algorithm.clone(), &digest, &signature).await, "{algorithm:?}");
    }
}

pub async fn rsa_sizes() {
    let client = keys();
    for size in [3072, 4096] {
        let name = name("size");
        let key = create(&client, &name, rsa(size)).await.key.unwrap();
        let digest = independent::digest(32, b"size");
        let signature = sign(&client, &name, SignatureAlgorithm::Rs256, &digest).await;
        assert_eq!(signature.len() * 8, usize::try_from(size).unwrap());
        assert!(independent::verify_rsa(&key, "RS256", &digest, &signature));
    }
}

fn algorithms() -> [(EncryptionAlgorithm, &'static str); 3] {
    [
        (EncryptionAlgorithm::RsaOaep, "RSA-OAEP"),
        (EncryptionAlgorithm::RsaOaep256, "RSA-OAEP-256"),
        (EncryptionAlgorithm::Rsa1_5, "RSA1_5"),
    ]
}

fn parameters(algorithm: &EncryptionAlgorithm, value: &[u8]) -> KeyOperationParameters {
    KeyOperationParameters { algorithm: Some(algorithm.clone()), value: Some(value.to_vec()), ..Default::default() }
}

/// An imported key, so that an independent library can decrypt, too.
async fn imported(client: &KeyClient, name: &str) -> (rsa::RsaPrivateKey, JsonWebKey) {
    let own = rsa::RsaPrivateKey::new(&mut rand::thread_rng(), 2048).unwrap();
    let parameters = ImportKeyParameters { key: Some(independent::rsa_jwk(&own)), ..Default::default() };
    let made = client.import_key(name, parameters.try_into().unwrap(), None).await.unwrap();
    let made: Key = made.into_model().unwrap();
    (own, made.key.unwrap())
}

pub async fn encrypt_and_decrypt() {
    let (client, name) = (keys(), name("encrypt"));
    let (own, jwk) = imported(&client, &name).await;
    let (_, version) = name_and_version(&jwk);
    for (algorithm, text) in algorithms() {
        let closed = client.encrypt(&name, parameters(&algorithm, b"secret").try_into().unwrap(), None).await;
        let closed: KeyOperationResult = closed.unwrap().into_model().unwrap();
        assert_eq!(independent::decrypt_rsa(&own, text, &closed.result.unwrap()), b"secret", "{text}");
        let ciphertext = independent::encrypt_rsa(&jwk, text, b"other way");
        let opened =
            client.decrypt(&name, version, parameters(&algorithm, &ciphertext).try_into().unwrap(), None).await;
        let opened: KeyOperationResult = opened.unwrap().into_model().unwrap();
        assert_eq!(opened.result.unwrap(), b"other way", "{text}");
    }
}

pub async fn wrap_and_unwrap() {
    let (client, name) = (keys(), name("wrap"));
    let (own, jwk) = imported(&client, &name).await;
    let (_, version) = name_and_version(&jwk);
    let key: Vec<u8> = (0..32).collect();
    for (algorithm, text) in algorithms() {
        let wrapped = client.wrap_key(&name, parameters(&algorithm, &key).try_into().unwrap(), None).await;
        let wrapped: KeyOperationResult = wrapped.unwrap().into_model().unwrap();
        assert_eq!(independent::decrypt_rsa(&own, text, &wrapped.result.unwrap()), key, "{text}");
        let ciphertext = independent::encrypt_rsa(&jwk, text, &key);
        let opened =
            client.unwrap_key(&name, version, parameters(&algorithm, &ciphertext).try_into().unwrap(), None).await;
        let opened: KeyOperationResult = opened.unwrap().into_model().unwrap();
        assert_eq!(opened.result.unwrap(), key, "{text}");
    }
}
