//! Application credentials: secrets, and assertions signed by a certificate's key.

use rcgen::{CertificateParams, KeyPair};
use serde_json::{Value, json};
use strongroom_auth::{Application, ClientCertificate, ClientSecret, check_client_assertion, check_client_secret};
use strongroom_crypto::{PrivateKey, sha1, sha256};
use strongroom_wire::algorithms::SignatureAlgorithm;
use strongroom_wire::base64url::encode;

const NOW: i64 = 1_800_000_000;
const ENDPOINT: &str = "https://login.localhost/t/oauth2/v2.0/token";

struct World {
    application: Application,
    key: PrivateKey,
    der: Vec<u8>,
}

impl World {
    fn new() -> Self {
        let pair = KeyPair::generate_for(&rcgen::PKCS_RSA_SHA256).unwrap();
        let key = PrivateKey::from_pkcs8(&pair.serialize_der()).unwrap();
        let mut params = CertificateParams::new(vec!["app".to_owned()]).unwrap();
        params.not_before = rcgen::date_time_ymd(2026, 1, 1);
        params.not_after = rcgen::date_time_ymd(2030, 1, 1);
        let certificate = params.self_signed(&pair).unwrap();
        let kept = ClientCertificate::from_pem(&certificate.pem()).unwrap();
        let application = Application {
            app_id: "App-1".into(),
            object_id: "o".into(),
            display_name: "n".into(),
            secrets: vec![],
            certificates: vec![kept],
            federated: Vec::new(),
        };
        Self { application, key, der: certificate.der().to_vec() }
    }

    fn header(&self, algorithm: &str) -> Value {
        json!({"alg": algorithm, "typ": "JWT", "x5t#S256": encode(&sha256(&self.der))})
    }

    fn check(&self, header: &Value, payload: &Value) -> Result<(), String> {
        let signed = format!("{}.{}", encode(header.to_string().as_bytes()), encode(payload.to_string().as_bytes()));
        let algorithm = SignatureAlgorithm::parse(header["alg"].as_str().unwrap()).unwrap_or(SignatureAlgorithm::RS256);
        let signature = self.key.sign(algorithm, &sha256(signed.as_bytes())).unwrap();
        let assertion = format!("{signed}.{}", encode(&signature));
        check_client_assertion(&self.application, &assertion, &[ENDPOINT.to_owned()], NOW)
            .map_err(|error| error.body(NOW, "t", "c")["error_description"].as_str().unwrap().to_owned())
    }
}

fn payload() -> Value {
    json!({"aud": ENDPOINT, "iss": "app-1", "sub": "APP-1", "jti": "j", "nbf": NOW, "iat": NOW, "exp": NOW + 600})
}

#[test]
fn every_spelling_of_the_official_clients_is_accepted() {
    let world = World::new();
    let (sha1_thumbprint, sha256_thumbprint) = (encode(&sha1(&world.der)), encode(&sha256(&world.der)));
    for thumbprint in [
        json!({"x5t": sha1_thumbprint}),
        json!({"x5t": format!("{sha1_thumbprint}=")}),
        json!({"x5t#S256": sha256_thumbprint}),
        json!({"x5t#S256": format!("{sha256_thumbprint}=")}),
    ] {
        for algorithm in ["RS256", "PS256"] {
            let mut header = thumbprint.clone();
            header["alg"] = json!(algorithm);
            world.check(&header, &payload()).unwrap();
        }
    }
    let mut fractions = payload();
    fractions["exp"] = json!(NOW as f64 + 600.25);
    fractions["iat"] = json!(NOW as f64 + 0.75);
    world.check(&world.header("RS256"), &fractions).unwrap();
}

#[test]
fn what_proves_nothing_is_refused_with_the_reason() {
    let world = World::new();
    let header = world.header("RS256");
    let changed = |member: &str, value: Value| {
        let mut payload = payload();
        payload[member] = value;
        world.check(&header, &payload).unwrap_err()
    };
    assert!(changed("aud", json!("https://elsewhere")).contains("aud is not this token endpoint"));
    assert!(changed("iss", json!("other")).contains("iss and sub"));
    assert!(changed("sub", json!("other")).contains("iss and sub"));
    assert!(changed("exp", json!(NOW - 301)).contains("expired"));
    assert!(changed("exp", Value::Null).contains("no exp"));
    assert!(changed("exp", json!(NOW + 100_000)).contains("more than a day"));
    assert!(changed("nbf", json!(NOW + 301)).contains("not valid yet"));
    assert!(world.check(&json!({"alg": "HS256", "x5t": "AA"}), &payload()).unwrap_err().starts_with("AADSTS700027"));
    assert!(world.check(&json!({"alg": "RS256", "x5t": "AA"}), &payload()).unwrap_err().contains("names"));
    assert!(world.check(&json!({"alg": "RS256"}), &payload()).unwrap_err().contains("names"));
    let other = World::new();
    assert!(other.check(&header, &payload()).unwrap_err().contains("names"));
    let stolen_thumbprint = World { application: world.application.clone(), ..other };
    assert!(stolen_thumbprint.check(&header, &payload()).unwrap_err().contains("signature"));
}

#[test]
fn secrets_are_hashes_and_expire() {
    let (kept, secret) = ClientSecret::generate("id".into(), NOW, NOW + 100).unwrap();
    assert!(kept.hash.starts_with("$argon2id$") && !kept.hash.contains(secret.expose().as_str()));
    let mut world = World::new();
    world.application.secrets.push(kept);
    let check = |presented: &str, now| {
        check_client_secret(&world.application, presented, now).map(drop).map_err(|error| error.code)
    };
    assert_eq!(check(secret.expose(), NOW), Ok(()));
    assert_eq!(check(secret.expose(), NOW + 100), Err(7_000_222));
    assert_eq!(check("wrong", NOW), Err(7_000_215));
    assert_eq!(check("", NOW), Err(7_000_215));
}

#[test]
fn what_is_no_usable_certificate_is_refused() {
    for bad in ["", "x", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
        assert!(ClientCertificate::from_pem(bad).is_err());
    }
    let pair = KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap();
    let certificate = CertificateParams::new(vec!["a".to_owned()]).unwrap().self_signed(&pair).unwrap();
    assert!(ClientCertificate::from_pem(&certificate.pem()).is_err());
}
