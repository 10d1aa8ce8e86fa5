//! Tokens, genuine and forged.

use serde_json::{Value, json};
use strongroom_auth::{
    AccessClaims, Expect, KeySet, RotationSchedule, SigningKey, SigningKeyRing, TokenError, TrustedIssuer, check, peek,
};
use strongroom_crypto::{KeySpec, PrivateKey, hmac_sha256, sha256};
use strongroom_wire::algorithms::SignatureAlgorithm;
use strongroom_wire::base64url::encode;

const NOW: i64 = 1_800_000_000;
const TENANT: &str = "11111111-2222-3333-4444-555555555555";
const ISSUER: &str = "https://login.localhost/11111111-2222-3333-4444-555555555555/v2.0";
const AUDIENCE: &str = "https://vault.localhost:8443";

struct World {
    ring: SigningKeyRing,
    trusted: TrustedIssuer,
    audiences: Vec<String>,
}

impl World {
    fn new() -> Self {
        let times = SigningKeyRing::default().plan(NOW, &RotationSchedule::default()).generate.unwrap();
        let ring = SigningKeyRing::new(vec![SigningKey::generate(&times).unwrap()]);
        let trusted = TrustedIssuer::built_in(vec![ISSUER.to_owned()], TENANT);
        Self { ring, trusted, audiences: vec![AUDIENCE.to_owned()] }
    }

    fn check_at(&self, token: &str, now: i64) -> Result<strongroom_auth::Caller, TokenError> {
        let expect = Expect { audiences: &self.audiences, tenant: TENANT, now, skew: 300 };
        check(token, &self.trusted, &self.ring.key_set(now), &expect)
    }

    fn check(&self, token: &str) -> Result<strongroom_auth::Caller, TokenError> {
        self.check_at(token, NOW)
    }

    fn kid(&self) -> String {
        self.ring.active(NOW).unwrap().kid().to_owned()
    }

    fn mint(&self, change: impl FnOnce(&mut AccessClaims)) -> String {
        let mut claims = claims();
        change(&mut claims);
        self.ring.mint(NOW, &claims).unwrap().expose().clone()
    }
}

fn claims() -> AccessClaims {
    AccessClaims {
        aud: AUDIENCE.to_owned(),
        iss: ISSUER.to_owned(),
        iat: NOW,
        nbf: NOW,
        exp: NOW + 3600,
        tid: TENANT.to_owned(),
        oid: "object".to_owned(),
        sub: "object".to_owned(),
        appid: Some("app".to_owned()),
        azp: None,
        idtyp: Some("app".to_owned()),
        ver: "2.0".to_owned(),
        uti: "u".to_owned(),
    }
}

fn token(header: &Value, payload: &Value, sign: impl FnOnce(&str) -> Vec<u8>) -> String {
    let signed = format!("{}.{}", encode(header.to_string().as_bytes()), encode(payload.to_string().as_bytes()));
    let signature = sign(&signed);
    format!("{signed}.{}", encode(&signature))
}

#[test]
fn a_genuine_token_is_accepted_until_it_expires() {
    let world = World::new();
    let token = world.mint(|_| ());
    let caller = world.check(&token).unwrap();
    assert_eq!(
        (caller.object_id.as_str(), caller.app_id.as_deref(), caller.tenant.as_str()),
        ("object", Some("app"), TENANT)
    );
    assert_eq!(caller.expires, NOW + 3600);
    assert!(world.check_at(&token, NOW - 300).is_ok());
    assert_eq!(world.check_at(&token, NOW - 301), Err(TokenError::NotYetValid));
    assert!(world.check_at(&token, NOW + 3899).is_ok());
    assert_eq!(world.check_at(&token, NOW + 3900), Err(TokenError::Expired));
    assert_eq!(peek(&token).unwrap().kid, Some(world.kid()));
}

#[test]
fn an_audience_may_end_in_a_slash_and_nothing_else() {
    let world = World::new();
    assert!(world.check(&world.mint(|claims| claims.aud.push('/'))).is_ok());
    for wrong in ["https://vault.localhost", "https://vault.localhost:8443//", "https://management.azure.com", ""] {
        let refused = world.check(&world.mint(|claims| claims.aud = wrong.to_owned()));
        assert!(matches!(refused, Err(TokenError::WrongAudience { .. })), "{wrong}");
    }
    let refused =
        world.check(&world.mint(|claims| claims.aud = "https://management.azure.com".to_owned())).unwrap_err();
    assert_eq!(
        refused.message(),
        "AKV10022: Invalid audience. Expected https://vault.localhost:8443, found: https://management.azure.com."
    );
}

#[test]
fn other_tenants_issuers_and_nobody_are_refused() {
    let world = World::new();
    let other_tenant = world.check(&world.mint(|claims| claims.tid = "other".to_owned()));
    assert!(matches!(other_tenant, Err(TokenError::WrongIssuer { .. })));
    let other_issuer = world.check(&world.mint(|claims| claims.iss = "https://evil.example/v2.0".to_owned()));
    assert!(matches!(other_issuer, Err(TokenError::WrongIssuer { .. })));
    assert_eq!(world.check(&world.mint(|claims| claims.oid.clear())), Err(TokenError::Malformed));
}

#[test]
fn forged_tokens_are_refused() {
    let world = World::new();
    let payload = serde_json::to_value(claims()).unwrap();
    let kid = world.kid();
    let other = PrivateKey::generate(KeySpec::Rsa { bits: 2048 }).unwrap();
    let by_other = |signed: &str| other.sign(SignatureAlgorithm::RS256, &sha256(signed.as_bytes())).unwrap();

    let same_kid = token(&json!({"alg": "RS256", "kid": kid}), &payload, by_other);
    assert_eq!(world.check(&same_kid), Err(TokenError::BadSignature));
    let unknown_kid = token(&json!({"alg": "RS256", "kid": "other"}), &payload, by_other);
    assert_eq!(world.check(&unknown_kid), Err(TokenError::UnknownKey));
    let no_kid = token(&json!({"alg": "RS256"}), &payload, by_other);
    assert_eq!(world.check(&no_kid), Err(TokenError::UnknownKey));

    for none in ["none", "None", "NONE", ""] {
        let unsigned = token(&json!({"alg": none, "kid": kid}), &payload, |_| Vec::new());
        assert_eq!(world.check(&unsigned), Err(TokenError::BadAlgorithm), "{none}");
        assert_eq!(peek(&unsigned), Err(TokenError::BadAlgorithm));
    }
    let jwks = world.ring.jwks(NOW);
    let public = jwks["keys"][0].to_string();
    for secret in [public.as_bytes(), jwks["keys"][0]["n"].as_str().unwrap().as_bytes(), b""] {
        let by_public_key = |signed: &str| hmac_sha256(secret, signed.as_bytes()).to_vec();
        for algorithm in ["HS256", "HS512"] {
            let confused = token(&json!({"alg": algorithm, "kid": kid}), &payload, by_public_key);
            assert_eq!(world.check(&confused), Err(TokenError::BadAlgorithm));
        }
    }
    let wrong_family = token(&json!({"alg": "ES256", "kid": kid}), &payload, |_| vec![1; 64]);
    assert_eq!(world.check(&wrong_family), Err(TokenError::BadSignature));
    let critical = token(&json!({"alg": "RS256", "kid": kid, "crit": ["x"]}), &payload, by_other);
    assert_eq!(world.check(&critical), Err(TokenError::Malformed));
}

#[test]
fn altered_and_malformed_tokens_are_refused() {
    let world = World::new();
    let genuine = world.mint(|_| ());
    let (signed, signature) = genuine.rsplit_once('.').unwrap();
    let (header, _) = signed.split_once('.').unwrap();
    let mut claims = serde_json::to_value(claims()).unwrap();
    claims["oid"] = json!("somebody else");
    let altered = format!("{header}.{}.{signature}", encode(claims.to_string().as_bytes()));
    assert_eq!(world.check(&altered), Err(TokenError::BadSignature));
    for bad in
        ["", ".", "..", "a.b", "a.b.c", "!!!.!!!.!!!", &genuine[1..], &format!("{genuine}.x"), &"a".repeat(20_000)]
    {
        assert!(world.check(bad).is_err());
        assert!(peek(bad).is_err() || bad.starts_with(&genuine), "{}", &bad[..bad.len().min(20)]);
    }
    let list = token(&json!({"alg": "RS256"}), &json!([1, 2]), |_| Vec::new());
    assert_eq!(world.check(&list), Err(TokenError::Malformed));
}

#[test]
fn outside_issuers_have_their_own_rules() {
    let key = PrivateKey::generate(KeySpec::Ec(strongroom_wire::algorithms::Curve::P256)).unwrap();
    let mut jwk = serde_json::to_value(key.public().to_jwk()).unwrap();
    jwk["kid"] = json!("k1");
    jwk["use"] = json!("sig");
    let keys =
        KeySet::from_jwks(&json!({"keys": [jwk, {"kty": "oct", "k": "AA", "kid": "k2"}, 7]}).to_string()).unwrap();
    assert!(keys.contains("k1") && !keys.contains("k2"));
    let outside = |tenant: Option<&str>| {
        TrustedIssuer::outside(
            "https://kc.example/realms/a".into(),
            vec!["strongroom".into()],
            tenant.map(str::to_owned),
            "sub".into(),
        )
    };
    let sign = |signed: &str| key.sign(SignatureAlgorithm::ES256, &sha256(signed.as_bytes())).unwrap();
    let make = |payload: Value| token(&json!({"alg": "ES256", "kid": "k1"}), &payload, sign);
    let payload = json!({
        "iss": "https://kc.example/realms/a", "aud": ["account", "strongroom"], "exp": NOW as f64 + 60.5, "sub": "alice",
        "groups": ["g1", 2, "g3"], "azp": "shop",
    });
    let audiences = [AUDIENCE.to_owned()];
    let expect = Expect { audiences: &audiences, tenant: TENANT, now: NOW, skew: 0 };
    let caller = check(&make(payload.clone()), &outside(None), &keys, &expect).unwrap();
    assert_eq!((caller.object_id.as_str(), caller.expires, caller.tenant.as_str()), ("alice", NOW + 60, TENANT));
    assert_eq!(caller.groups, ["g1", "g3"]);
    let mut of_tenant = payload.clone();
    of_tenant["tid"] = json!("T2");
    assert!(check(&make(of_tenant.clone()), &outside(Some("t2")), &keys, &expect).is_ok());
    assert!(check(&make(of_tenant), &outside(None), &keys, &expect).is_err());
    let mut no_subject = payload;
    no_subject["sub"] = json!(7);
    assert_eq!(check(&make(no_subject), &outside(None), &keys, &expect), Err(TokenError::Malformed));
    for bad in ["", "[]", "{}", r#"{"keys":7}"#] {
        assert!(KeySet::from_jwks(bad).is_err());
    }
}
