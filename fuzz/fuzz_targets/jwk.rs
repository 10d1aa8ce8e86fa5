//! Keys to import: whatever is taken has to work.
#![no_main]

use libfuzzer_sys::fuzz_target;
use strongroom_crypto::{PrivateKey, PublicKey};
use strongroom_wire::algorithms::SignatureAlgorithm;
use strongroom_wire::json;
use strongroom_wire::jwk::{ImportJwk, PublicJwk};

fuzz_target!(|data: &[u8]| {
    if let Ok(jwk) = json::from_slice::<ImportJwk>(data)
        && let Ok(key) = PrivateKey::from_jwk(&jwk)
    {
        // A key that was accepted signs, and its public part agrees.
        for (algorithm, length) in [
            (SignatureAlgorithm::RS256, 32),
            (SignatureAlgorithm::ES256, 32),
            (SignatureAlgorithm::ES384, 48),
            (SignatureAlgorithm::ES512, 64),
            (SignatureAlgorithm::ES256K, 32),
        ] {
            let digest = vec![1; length];
            if let Ok(signature) = key.sign(algorithm, &digest) {
                assert!(key.public().verify(algorithm, &digest, &signature).unwrap());
            }
        }
    }
    if let Ok(jwk) = json::from_slice::<PublicJwk>(data) {
        drop(PublicKey::from_jwk(&jwk));
    }
});
