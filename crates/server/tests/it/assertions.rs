//! Tokens for applications that prove who they are with a certificate (RFC 7523), over HTTPS.

use rcgen::{CertificateParams, KeyPair};
use serde_json::{Value, json};
use strongroom_crypto::{PrivateKey, sha1, sha256};
use strongroom_server::admin::{Command, execute};
use strongroom_wire::algorithms::SignatureAlgorithm;
use strongroom_wire::base64url::encode;

use crate::identity::assert_refused;
use crate::support::{Principal, Reply, TENANT, TestServer};

const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

struct Certificate {
    key: PrivateKey,
    der: Vec<u8>,
    pem: String,
}

impl Certificate {
    fn new(algorithm: &'static rcgen::SignatureAlgorithm) -> Self {
        let pair = KeyPair::generate_for(algorithm).unwrap();
        let key = PrivateKey::from_pkcs8(&pair.serialize_der()).unwrap();
        let signed = CertificateParams::new(vec!["shop".to_owned()]).unwrap().self_signed(&pair).unwrap();
        Self { key, der: signed.der().to_vec(), pem: signed.pem() }
    }

    fn sign(&self, header: &Value, claims: &Value) -> String {
        let signed = format!("{}.{}", encode(header.to_string().as_bytes()), encode(claims.to_string().as_bytes()));
        let algorithm = SignatureAlgorithm::parse(header["alg"].as_str().unwrap()).unwrap();
        let signature = self.key.sign(algorithm, &sha256(signed.as_bytes())).unwrap();
        format!("{signed}.{}", encode(&signature))
    }
}

struct World {
    server: TestServer,
    principal: Principal,
    certificate: Certificate,
}

impl World {
    async fn new(algorithm: &'static rcgen::SignatureAlgorithm) -> Self {
        let server = TestServer::start().await;
        let principal = server.administrator().await;
        let certificate = Certificate::new(algorithm);
        let (application, pem) = ("administrator".to_owned(), certificate.pem.clone());
        server.execute(Command::ApplicationAddCertificate { application, pem }).await;
        Self { server, principal, certificate }
    }

    fn header(&self, algorithm: &str) -> Value {
        json!({"typ": "JWT", "alg": algorithm, "x5t#S256": encode(&sha256(&self.certificate.der))})
    }

    fn claims(&self) -> Value {
        let now = self.server.now();
        json!({
            "aud": format!("{}/{TENANT}/oauth2/v2.0/token", self.server.login_url()),
            "iss": self.principal.client_id, "sub": self.principal.client_id, "jti": "1",
            "nbf": now, "iat": now, "exp": now + 600,
        })
    }

    async fn ask(&self, assertion: &str) -> Reply {
        let scope = format!("{}/.default", self.server.resource());
        let form = [
            ("grant_type", "client_credentials"),
            ("client_id", self.principal.client_id.as_str()),
            ("client_assertion_type", ASSERTION_TYPE),
            ("client_assertion", assertion),
            ("scope", scope.as_str()),
        ];
        self.server.token_request(TENANT, &form).await
    }

    async fn refused(&self, header: &Value, claims: &Value) {
        let assertion = self.certificate.sign(header, claims);
        let reply = self.ask(&assertion).await;
        assert_refused(&reply, 401, "invalid_client", 700_027);
        assert!(!reply.text.contains(&assertion));
    }
}

#[tokio::test]
async fn a_certificates_assertion_gets_a_token_that_opens_the_vault() {
    let world = World::new(&rcgen::PKCS_RSA_SHA256).await;
    let thumbprint = encode(&sha1(&world.certificate.der));
    let padded = format!("{thumbprint}=");
    for header in [
        world.header("RS256"),
        world.header("PS256"),
        // The Azure CLI: SHA-1, padded.
        json!({"alg": "RS256", "x5t": padded}),
        json!({"alg": "RS256", "x5t": thumbprint}),
    ] {
        let mut claims = world.claims();
        // The Azure CLI: fractions.
        claims["exp"] = json!(world.server.now() as f64 + 600.5);
        let token = world.ask(&world.certificate.sign(&header, &claims)).await.ok();
        let token = token["access_token"].as_str().unwrap();
        assert_eq!(world.server.call("dev", token, "GET", "/secrets", &Value::Null).await.status, 200, "{header}");
    }
}

#[tokio::test]
async fn an_elliptic_curve_certificate_does_as_well() {
    let world = World::new(&rcgen::PKCS_ECDSA_P256_SHA256).await;
    world.ask(&world.certificate.sign(&world.header("ES256"), &world.claims())).await.ok();
}

#[tokio::test]
async fn assertions_that_prove_nothing_are_refused() {
    let world = World::new(&rcgen::PKCS_RSA_SHA256).await;
    let now = world.server.now();
    let header = world.header("RS256");
    for (claim, value) in [
        ("aud", json!("https://login.microsoftonline.com/common/oauth2/v2.0/token")),
        ("aud", json!(world.server.login_url())),
        ("iss", json!("00000000-aaaa-bbbb-cccc-000000000000")),
        ("sub", json!("00000000-aaaa-bbbb-cccc-000000000000")),
        ("exp", json!(now - 301)),
        ("exp", json!(now + 90_000)),
        ("exp", Value::Null),
        ("nbf", json!(now + 301)),
    ] {
        let mut claims = world.claims();
        claims[claim] = value;
        world.refused(&header, &claims).await;
    }
    world.refused(&json!({"alg": "RS256"}), &world.claims()).await;
    world.refused(&json!({"alg": "RS256", "x5t": "AAAA"}), &world.claims()).await;
    // The name of the right certificate, the signature of another.
    let other = Certificate::new(&rcgen::PKCS_RSA_SHA256);
    let forged = world.ask(&other.sign(&header, &world.claims())).await;
    assert_refused(&forged, 401, "invalid_client", 700_027);
    let unsigned = |alg: &str| {
        let header = json!({"alg": alg, "x5t#S256": header["x5t#S256"]});
        format!("{}.{}.", encode(header.to_string().as_bytes()), encode(world.claims().to_string().as_bytes()))
    };
    for assertion in [unsigned("none"), unsigned("HS256"), "a.b.c".into(), "x".into(), String::new()] {
        assert_refused(&world.ask(&assertion).await, 401, "invalid_client", 700_027);
    }
}

#[tokio::test]
async fn an_assertion_of_one_application_is_none_of_another() {
    let world = World::new(&rcgen::PKCS_RSA_SHA256).await;
    let other = world.server.application("other").await;
    let mut claims = world.claims();
    (claims["iss"], claims["sub"]) = (json!(other.client_id), json!(other.client_id));
    let assertion = world.certificate.sign(&world.header("RS256"), &claims);
    let elsewhere = World { principal: other, ..world };
    assert_refused(&elsewhere.ask(&assertion).await, 401, "invalid_client", 700_027);
}

#[tokio::test]
async fn the_assertion_type_has_to_be_the_registered_one() {
    let world = World::new(&rcgen::PKCS_RSA_SHA256).await;
    let assertion = world.certificate.sign(&world.header("RS256"), &world.claims());
    let scope = format!("{}/.default", world.server.resource());
    let mut form = vec![
        ("grant_type", "client_credentials"),
        ("client_id", world.principal.client_id.as_str()),
        ("client_assertion", assertion.as_str()),
        ("scope", scope.as_str()),
    ];
    assert_refused(&world.server.token_request(TENANT, &form).await, 400, "invalid_request", 900_144);
    form.push(("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:saml2-bearer"));
    assert_refused(&world.server.token_request(TENANT, &form).await, 400, "invalid_request", 900_144);
}

#[tokio::test]
async fn a_certificate_that_was_removed_is_refused_at_once() {
    let world = World::new(&rcgen::PKCS_RSA_SHA256).await;
    let assertion = world.certificate.sign(&world.header("RS256"), &world.claims());
    world.ask(&assertion).await.ok();
    let listed = world.server.execute(Command::ApplicationList).await;
    let key_id = listed[0]["certificates"][0]["key_id"].as_str().unwrap().to_owned();
    let application = "administrator".to_owned();
    world.server.execute(Command::ApplicationRemoveCredential { application, key_id }).await;
    assert_refused(&world.ask(&assertion).await, 401, "invalid_client", 700_027);
    let pem = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n".to_owned();
    let broken = Command::ApplicationAddCertificate { application: "administrator".into(), pem };
    assert!(execute(&world.server.admin, broken).await.is_err());
}
