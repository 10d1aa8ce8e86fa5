//! Tokens: as they come, and with claims under a good signature.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use strongroom_auth::{Expect, KeySet, TrustedIssuer, check, peek};
use strongroom_crypto::{KeySpec, PrivateKey, sha256};
use strongroom_wire::algorithms::{Curve, SignatureAlgorithm};
use strongroom_wire::base64url;

const ISSUER: &str = "https://issuer.test";

static KEY: LazyLock<PrivateKey> = LazyLock::new(|| PrivateKey::generate(KeySpec::Ec(Curve::P256)).unwrap());

fuzz_target!(|data: &[u8]| {
    let keys = KeySet::new([("k".to_owned(), KEY.public().clone())]);
    let trusted = TrustedIssuer::outside(ISSUER.to_owned(), vec![], None, "oid".to_owned());
    let audiences = ["https://vault.test".to_owned()];
    let expect = Expect { audiences: &audiences, tenant: "t", now: 1_800_000_000, skew: 300 };
    if let Ok(token) = std::str::from_utf8(data) {
        drop(peek(token));
        assert!(check(token, &trusted, &keys, &expect).is_err(), "nobody else has the key");
    }
    let header = base64url::encode(br#"{"alg":"ES256","kid":"k"}"#);
    let signed = format!("{header}.{}", base64url::encode(data));
    let signature = KEY.sign(SignatureAlgorithm::ES256, &sha256(signed.as_bytes())).unwrap();
    let token = format!("{signed}.{}", base64url::encode(&signature));
    if let Ok(caller) = check(&token, &trusted, &keys, &expect) {
        assert!(!caller.object_id.is_empty());
    }
});
