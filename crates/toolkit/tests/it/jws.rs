//! Tokens signed by a vault.

use serde_json::{Value, json};
use strongroom::jws::{
    JwsError, JwtChecks, sign, sign_detached, sign_jwt, unverified_header, verify, verify_detached, verify_jwt,
};
use strongroom::keys::{PublicJwk, PublicKey, Signature, SignatureAlgorithm};
use strongroom_store::Time;
use strongroom_wire::base64url;

use crate::programs::{P256, P384, P521, RSA, file, key, run};

const NOW: Time = Time::from_seconds(1_800_000_000);

#[tokio::test]
async fn every_algorithm_gives_a_token_that_openssl_verifies() {
    let folder = tempfile::tempdir().unwrap();
    let cases = [
        (P256, SignatureAlgorithm::ES256),
        (P384, SignatureAlgorithm::ES384),
        (P521, SignatureAlgorithm::ES512),
        (RSA, SignatureAlgorithm::RS256),
        (RSA, SignatureAlgorithm::RS384),
        (RSA, SignatureAlgorithm::PS512),
    ];
    for (spec, algorithm) in cases {
        let key = key("jwt-signing-key", spec).await;
        let token = sign_jwt(&key, Some(algorithm), &json!({ "sub": "alice" })).await.unwrap();
        let (version, public) = key.public().await.unwrap();
        let header = unverified_header(&token).unwrap();
        assert_eq!((header.alg, header.kid.as_deref()), (algorithm, Some(&*key.id(version))));
        assert_eq!(header.typ.as_deref(), Some("JWT"));
        assert_eq!(verify(&token, &public).unwrap().payload, br#"{"sub":"alice"}"#);

        let (input, bytes) = token.rsplit_once('.').unwrap();
        let bytes = base64url::decode(bytes).unwrap();
        let der = Signature { version, algorithm, bytes }.to_der().unwrap();
        let (pem, der) =
            (file(folder.path(), "key.pem", key.public_pem().await.unwrap()), file(folder.path(), "signature", der));
        let digest = format!("-sha{}", &algorithm.as_str()[2..]);
        let mut arguments = vec!["dgst", &digest, "-verify", &pem, "-signature", &der];
        if algorithm == SignatureAlgorithm::PS512 {
            arguments.extend(["-sigopt", "rsa_padding_mode:pss"]);
        }
        assert!(run("openssl", &arguments, input.as_bytes()).status.success(), "{algorithm}");
    }
}

/// RFC 7515 appendices A.2 and A.3.
#[test]
fn the_examples_of_rfc_7515_verify() {
    let examples: Value = serde_json::from_str(include_str!("vectors/rfc7515.json")).unwrap();
    for example in examples.as_array().unwrap() {
        let jwk: PublicJwk = serde_json::from_value(example["jwk"].clone()).unwrap();
        let public = PublicKey::from_jwk(&jwk).unwrap();
        let token = example["token"].as_str().unwrap();
        let verified = verify(token, &public).unwrap();
        assert!(verified.payload.starts_with(br#"{"iss":"joe","#));
        let late = verify_jwt(token, &public, &JwtChecks::default(), NOW).unwrap_err();
        assert_eq!(late, JwsError::Claim("it has expired"));
        let then = Time::from_seconds(1_300_819_380);
        verify_jwt(token, &public, &JwtChecks::default(), then).unwrap();
    }
}

#[tokio::test]
async fn whatever_is_altered_is_refused() {
    let (ours, others) = (key("a", P256).await, key("b", P256).await);
    let token = sign(&ours, None, None, b"payload").await.unwrap();
    let public = ours.public().await.unwrap().1;
    assert_eq!(verify(&token, &others.public().await.unwrap().1), Err(JwsError::Signature));
    let parts: Vec<_> = token.split('.').collect();
    let with =
        |header: &str, payload: &str, signature: &str| verify(&format!("{header}.{payload}.{signature}"), &public);
    let encoded = |text: &str| base64url::encode(text.as_bytes());
    assert_eq!(with(parts[0], &encoded("another"), parts[2]), Err(JwsError::Signature));
    assert_eq!(with(&encoded(r#"{"alg":"ES256"}"#), parts[1], parts[2]), Err(JwsError::Signature));
    for header in [
        r#"{"alg":"none"}"#,
        r#"{"alg":"HS256"}"#,
        r#"{"alg":"ES256","crit":["x"]}"#,
        r#"{"alg":"ES256","b64":false}"#,
        "{}",
        "[]",
        "x",
    ] {
        assert!(matches!(with(&encoded(header), parts[1], parts[2]), Err(JwsError::Malformed(_))), "{header}");
    }
    assert_eq!(with(&encoded(r#"{"alg":"RS256"}"#), parts[1], parts[2]), Err(JwsError::Signature));
    assert_eq!(with(&encoded(r#"{"alg":"ES384"}"#), parts[1], parts[2]), Err(JwsError::Signature));
    assert!(matches!(with(parts[0], parts[1], &format!("{}=", parts[2])), Err(JwsError::Malformed(_))));
    for token in ["", "a.b", "a.b.c.d", "..", &format!("{}..{}", parts[0], parts[2])] {
        assert!(verify(token, &public).is_err(), "{token}");
    }
    assert!(verify(&"a".repeat(2 << 20), &public).is_err());
}

#[tokio::test]
async fn claims_are_held_against_the_clock_and_what_is_expected() {
    let key = key("a", RSA).await;
    let public = key.public().await.unwrap().1;
    let now = NOW.seconds();
    let checks = JwtChecks { issuer: Some("us".to_owned()), audience: Some("api".to_owned()), ..JwtChecks::default() };
    let good = json!({ "iss": "us", "aud": ["x", "api"], "exp": now + 60, "nbf": now });
    let cases = [
        (json!({}), None),
        (json!({ "aud": "api" }), None),
        (json!({ "exp": now - 29 }), None),
        (json!({ "exp": now as f64 + 0.5 }), None),
        (json!({ "nbf": now + 30 }), None),
        (json!({ "exp": now - 30 }), Some("it has expired")),
        (json!({ "exp": "never" }), Some("exp is no time")),
        (json!({ "exp": null }), Some("exp is no time")),
        (json!({ "nbf": now + 31 }), Some("it is not valid yet (nbf)")),
        (json!({ "iss": "them" }), Some("it is from another issuer (iss)")),
        (json!({ "aud": ["x"] }), Some("it is for another audience (aud)")),
        (json!({ "aud": 5 }), Some("it is for another audience (aud)")),
    ];
    for (change, refusal) in cases {
        let mut claims = good.clone();
        claims.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        let token = sign_jwt(&key, None, &claims).await.unwrap();
        let answer = verify_jwt(&token, &public, &checks, NOW).err();
        assert_eq!(answer, refusal.map(JwsError::Claim), "{change}");
    }
    let forever = sign_jwt(&key, None, &json!({ "iss": "us", "aud": "api" })).await.unwrap();
    assert!(verify_jwt(&forever, &public, &checks, NOW).is_err());
    assert!(verify_jwt(&forever, &public, &JwtChecks { require_expiry: false, ..checks }, NOW).is_ok());
    assert!(sign_jwt(&key, None, &json!([1])).await.is_err());
}

#[tokio::test]
async fn a_detached_payload_is_part_of_the_signature() {
    let key = key("a", P384).await;
    let public = key.public().await.unwrap().1;
    let token = sign_detached(&key, None, b"body").await.unwrap();
    assert!(token.contains(".."));
    assert_eq!(verify_detached(&token, b"body", &public).unwrap().alg, SignatureAlgorithm::ES384);
    assert_eq!(verify_detached(&token, b"bodY", &public), Err(JwsError::Signature));
    assert!(verify(&token, &public).is_err());
    let whole = sign(&key, None, None, b"body").await.unwrap();
    assert!(matches!(verify_detached(&whole, b"body", &public), Err(JwsError::Malformed(_))));
}
