//! Every operation, with every token that must not be accepted, and with a good token but no role.

use std::fmt::Write as _;

use http::Method;
use serde_json::{Value, json};
use strongroom_auth::AccessClaims;
use strongroom_crypto::{KeySpec, PrivateKey, hmac_sha256, sha256};
use strongroom_server::admin::Command;
use strongroom_server::routes::ROUTES;
use strongroom_wire::algorithms::SignatureAlgorithm;
use strongroom_wire::base64url::{decode, encode};

use crate::calls::{Workshop, path};
use crate::support::{API, Options, Reply, TENANT, TestServer, assert_checked_in, send};

pub(crate) fn jws(header: &Value, claims: &Value, sign: impl FnOnce(&str) -> Vec<u8>) -> String {
    let signed = format!("{}.{}", encode(header.to_string().as_bytes()), encode(claims.to_string().as_bytes()));
    let signature = sign(&signed);
    format!("{signed}.{}", encode(&signature))
}

/// A DER element (X.690).
fn der(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len();
    let mut element = vec![tag];
    match length {
        0..=127 => element.push(length as u8),
        128..=255 => element.extend([0x81, length as u8]),
        _ => element.extend([0x82, (length >> 8) as u8, length as u8]),
    }
    element.extend_from_slice(content);
    element
}

/// The SubjectPublicKeyInfo of an RSA key (RFC 8017, appendix A.1.1; RFC 5280).
fn public_key_der(modulus: &[u8], exponent: &[u8]) -> Vec<u8> {
    let integer = |bytes: &[u8]| der(2, &[&[0][..], bytes].concat()[usize::from(bytes[0] < 0x80)..]);
    let key = der(0x30, &[integer(modulus), integer(exponent)].concat());
    let algorithm = [6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1, 5, 0];
    der(0x30, &[der(0x30, &algorithm), der(3, &[vec![0], key].concat())].concat())
}

/// Values of the `Authorization` header that must not be accepted, each with the reason. All but
/// the reason is right: these claims let the caller do everything.
pub(crate) fn refused_headers(server: &TestServer, genuine: &AccessClaims) -> Vec<(String, Option<String>)> {
    let now = server.now();
    let ring = server.app.directory.ring();
    let kid = ring.active(now).unwrap().kid().to_owned();
    let mut headers: Vec<(String, Option<String>)> = vec![("no token".into(), None)];
    let mut add = |what: &str, value: String| headers.push((what.into(), Some(value)));

    add("nothing in it", String::new());
    add("only the scheme", "Bearer".into());
    add("no token after the scheme", "Bearer ".into());
    add("garbage", "Bearer garbage".into());
    add("three parts of garbage", "Bearer a.b.c".into());
    add("basic", "Basic YWRtaW46YWRtaW4=".into());
    let token = ring.mint(now, genuine).unwrap().expose().clone();
    add("a token without a scheme", token.clone());
    add("a token under another scheme", format!("Basic {token}"));
    add("a token that is cut off", format!("Bearer {}", &token[..token.len() - 10]));

    let mut signed_by_us = |what: &str, change: &dyn Fn(&mut AccessClaims)| {
        let mut claims = genuine.clone();
        change(&mut claims);
        add(what, format!("Bearer {}", ring.mint(now, &claims).unwrap().expose()));
    };
    signed_by_us("wrong audience", &|claims| claims.aud = "https://management.azure.com".into());
    signed_by_us("audience of one vault", &|claims| claims.aud = claims.aud.replace("//", "//dev."));
    signed_by_us("expired beyond the skew", &|claims| (claims.nbf, claims.exp) = (now - 3900, now - 300));
    signed_by_us("not yet valid beyond the skew", &|claims| claims.nbf = now + 301);
    signed_by_us("another tenant", &|claims| claims.tid = "99999999-2222-3333-4444-555555555555".into());
    signed_by_us("another issuer", &|claims| claims.iss = "https://login.example/v2.0".into());
    signed_by_us("no object id", &|claims| claims.oid.clear());

    let claims = serde_json::to_value(genuine).unwrap();
    let stranger = PrivateKey::generate(KeySpec::Rsa { bits: 2048 }).unwrap();
    let by_stranger = |signed: &str| stranger.sign(SignatureAlgorithm::RS256, &sha256(signed.as_bytes())).unwrap();
    let mut forged = |what: &str, header: Value, sign: &dyn Fn(&str) -> Vec<u8>| {
        add(what, format!("Bearer {}", jws(&header, &claims, sign)));
    };
    forged("another key, unknown kid", json!({"alg": "RS256", "kid": "unknown"}), &by_stranger);
    forged("another key, no kid", json!({"alg": "RS256"}), &by_stranger);
    forged("another key, known kid", json!({"alg": "RS256", "kid": kid}), &by_stranger);
    let jwk = serde_json::to_value(stranger.public().to_jwk()).unwrap();
    forged("another key, brought along", json!({"alg": "RS256", "kid": kid, "jwk": jwk}), &by_stranger);
    for none in ["none", "None", "NONE", "nOnE", ""] {
        forged(&format!("alg {none:?}"), json!({"alg": none, "kid": kid}), &|_| Vec::new());
        forged(&format!("alg {none:?}, no kid"), json!({"alg": none}), &|_| Vec::new());
    }

    let published = ring.jwks(now);
    let ours = published["keys"].as_array().unwrap().iter().find(|key| key["kid"] == *kid).unwrap();
    let member = |name: &str| ours[name].as_str().unwrap();
    let (modulus, exponent) = (decode(member("n")).unwrap(), decode(member("e")).unwrap());
    let spki = public_key_der(&modulus, &exponent);
    let pem = pem::encode(&pem::Pem::new("PUBLIC KEY", spki.clone()));
    let pem_unix = pem.replace("\r\n", "\n");
    let public_forms: [(&str, &[u8]); 8] = [
        ("PEM", pem.as_bytes()),
        ("PEM with LF", pem_unix.as_bytes()),
        ("PEM without the last line end", pem_unix.trim_end().as_bytes()),
        ("DER", &spki),
        ("modulus", &modulus),
        ("modulus in base64url", member("n").as_bytes()),
        ("JWK", &ours.to_string().into_bytes()),
        ("nothing", b""),
    ];
    for (form, secret) in public_forms {
        let by_public_key = |signed: &str| hmac_sha256(secret, signed.as_bytes()).to_vec();
        forged(&format!("HS256 with the public key as {form}"), json!({"alg": "HS256", "kid": kid}), &by_public_key);
    }
    headers
}

fn assert_unauthorized(server: &TestServer, reply: &Reply, what: &str) {
    assert_eq!(reply.refusal(), (401, "Unauthorized", ""), "{what}: {}", reply.text);
    let wanted = format!(
        "Bearer authorization=\"https://login.localhost:{0}/{TENANT}\", resource=\"https://vault.localhost:{0}\"",
        server.port
    );
    let challenges: Vec<_> = reply.headers.get_all("www-authenticate").iter().collect();
    assert_eq!(challenges, [wanted.as_str()], "{what}");
    assert_eq!(reply.header("content-type"), "application/json; charset=utf-8", "{what}");
    assert!(!reply.message().is_empty(), "{what}");
}

#[test]
fn the_list_of_guarded_endpoints_is_the_checked_in_one() {
    let mut list = String::new();
    for route in ROUTES {
        let actions: Vec<&str> = route.actions.iter().map(|action| action.as_str()).collect();
        assert!(!actions.is_empty(), "{} needs no role", route.id);
        writeln!(list, "{} {} {} {}", route.id, route.method, route.path, actions.join(" | ")).unwrap();
    }
    assert_checked_in("guarded_endpoints.txt", &list);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_operation_accepts_a_token_that_is_missing_forged_or_not_for_it() {
    let server = TestServer::start().await;
    let caller = server.administrator().await;
    let headers = refused_headers(&server, &server.claims(&caller));
    for route in ROUTES {
        for version in ["", "0123456789abcdef0123456789abcdef"] {
            let path = route.path.replace("{name}", "n").replace("{version?}", version);
            let url = format!("{}{path}?{API}", server.vault_url("dev"));
            for (what, header) in &headers {
                let sent: Vec<(&str, &str)> = header.iter().map(|value| ("authorization", value.as_str())).collect();
                let reply = send(&server.http, route.method.clone(), &url, &sent, "").await;
                assert_unauthorized(&server, &reply, &format!("{} with {what}", route.id));
                if let Some((_, token)) = header.as_deref().and_then(|header| header.split_once(' ')) {
                    assert!(token.len() < 10 || !reply.text.contains(token), "{what} came back");
                }
            }
            if !route.path.contains("{version?}") {
                break;
            }
        }
    }
    assert!(server.app.vaults.list().await.unwrap().is_empty(), "a stranger made a vault");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_operation_succeeds_with_a_good_token_and_a_role() {
    let server = TestServer::start().await;
    let token = server.token(&server.administrator().await).await;
    let workshop = Workshop::new(&server, "dev", token.clone()).await;
    for route in ROUTES {
        let (path, body) = workshop.prepare(route, &format!("control-{}", route.id)).await;
        let reply = workshop.call(&token, route, &path, &body).await;
        assert!((200..300).contains(&reply.status), "{} {path}: {} {}", route.id, reply.status, reply.text);
    }
}

#[tokio::test]
async fn a_token_is_accepted_within_the_skew_and_with_a_slash_after_the_audience() {
    let server = TestServer::start().await;
    let caller = server.administrator().await;
    let now = server.now();
    let genuine = server.claims(&caller);
    for (what, claims) in [
        ("just expired", AccessClaims { nbf: now - 3899, exp: now - 299, ..genuine.clone() }),
        ("about to be valid", AccessClaims { nbf: now + 300, ..genuine.clone() }),
        ("audience with a slash", AccessClaims { aud: format!("{}/", genuine.aud), ..genuine }),
    ] {
        let token = server.app.directory.ring().mint(now, &claims).unwrap();
        let reply = server.call("dev", token.expose(), "GET", "/secrets", &Value::Null).await;
        assert_eq!(reply.status, 200, "{what}: {}", reply.text);
    }
}

#[tokio::test]
async fn a_token_that_was_accepted_once_is_refused_when_it_has_expired() {
    let server = TestServer::start().await;
    let token = server.token(&server.administrator().await).await;
    assert_eq!(server.call("dev", &token, "GET", "/secrets", &Value::Null).await.status, 200);
    server.clock.advance(3599 + 299);
    assert_eq!(server.call("dev", &token, "GET", "/secrets", &Value::Null).await.status, 200);
    server.clock.advance(3);
    let reply = server.call("dev", &token, "GET", "/secrets", &Value::Null).await;
    assert_unauthorized(&server, &reply, "expired");
    assert_eq!(reply.message(), "[TokenExpired] Error validating token: 'S2S12086'.");
}

#[tokio::test]
async fn the_messages_of_the_contract_tell_what_is_wrong() {
    let server = TestServer::start().await;
    let caller = server.administrator().await;
    let no_token = send(&server.http, Method::GET, &format!("{}/secrets", server.vault_url("dev")), &[], "").await;
    assert_eq!(no_token.message(), "AKV10000: Request is missing a Bearer or PoP token.");
    let mut claims = server.claims(&caller);
    claims.aud = "https://management.azure.com".into();
    let token = server.app.directory.ring().mint(server.now(), &claims).unwrap();
    let reply = server.call("dev", token.expose(), "GET", "/secrets", &Value::Null).await;
    let wanted = format!(
        "AKV10022: Invalid audience. Expected https://vault.localhost:{}, found: https://management.azure.com.",
        server.port
    );
    assert_eq!(reply.message(), wanted);
    let mut claims = server.claims(&caller);
    claims.tid = "other".into();
    let token = server.app.directory.ring().mint(server.now(), &claims).unwrap();
    let reply = server.call("dev", token.expose(), "GET", "/secrets", &Value::Null).await;
    assert!(reply.message().starts_with("AKV10032: Invalid issuer. Expected one of "), "{}", reply.message());
}

/// Before anything else is examined (contract 1.1): clients send their first request stripped.
#[tokio::test]
async fn a_request_without_token_is_challenged_before_anything_else_is_examined() {
    let server = TestServer::with(Options { on_demand: false, ..Options::default() }).await;
    let base = server.vault_url("absent");
    let big = "x".repeat(1_000_000);
    for (method, path, body) in [
        (Method::PUT, "/secrets/n", ""),
        (Method::PUT, "/secrets/not_a_name?api-version=nonsense", "{"),
        (Method::GET, "/", ""),
        (Method::GET, "/nowhere/at/all", ""),
        (Method::DELETE, "/secrets", ""),
        (Method::TRACE, "/secrets/n", ""),
        (Method::GET, "/keys/%ff", ""),
        (Method::POST, "/secrets/restore", big.as_str()),
    ] {
        let reply = send(&server.http, method.clone(), &format!("{base}{path}"), &[], body.to_owned()).await;
        assert_unauthorized(&server, &reply, &format!("{method} {path}"));
    }
}

/// A refusal with what must differ from request to request made equal.
fn normalised(reply: &Reply, name: &str, vault: &str) -> (u16, String, Vec<(String, String)>) {
    let varies = ["x-ms-request-id", "date", "content-length"];
    let headers = reply.headers.iter().filter(|(name, _)| !varies.contains(&name.as_str()));
    let headers = headers.map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()));
    let text = reply.text.replace(name, "NAME").replace(vault, "VAULT");
    (reply.status, text, headers.collect())
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_role_nobody_learns_what_there_is() {
    let server = TestServer::with(Options { on_demand: false, ..Options::default() }).await;
    for name in ["there", "other"] {
        let create = Command::VaultCreate { name: name.into(), retention_days: 90, purge_protection: false };
        server.execute(create).await;
    }
    let workshop = Workshop::new(&server, "there", server.token(&server.administrator().await).await).await;
    let stranger = server.application("stranger").await;
    let token = server.token(&stranger).await;
    for route in ROUTES {
        let name = format!("existing-{}", route.id).to_ascii_lowercase();
        let (_, body) = workshop.prepare(route, &name).await;
        let forbidden = async |vault: &str, name: &str| {
            let path = path(route, name);
            let reply = server.call(vault, &token, route.method.as_str(), &path, &body).await;
            let what = format!("{} {vault} {path}: {}", route.id, reply.text);
            assert_eq!(reply.refusal(), (403, "Forbidden", "ForbiddenByRbac"), "{what}");
            let message = reply.message();
            assert!(message.starts_with("Caller is not authorized to perform action on resource.\r\n"), "{what}");
            assert!(message.contains(&format!("Action: '{}'\r\n", route.actions[0].as_str())), "{what}");
            assert!(message.contains(&format!(";oid={};", stranger.object_id)), "{what}");
            normalised(&reply, name, vault)
        };
        let existing = forbidden("there", &name).await;
        assert_eq!(existing, forbidden("there", &format!("absent-{}", route.id).to_ascii_lowercase()).await);
        assert_eq!(existing, forbidden("absent", &name).await, "{}: a vault's existence shows", route.id);
    }
    assert_eq!(server.app.vaults.list().await.unwrap().len(), 2);
}

#[tokio::test]
async fn an_administrator_of_one_vault_is_nobody_in_another_and_makes_none() {
    let server = TestServer::start().await;
    let caller = server.application("one").await;
    server.assign("Key Vault Administrator", &caller, "one").await;
    let token = server.token(&caller).await;
    assert_eq!(server.call("one", &token, "GET", "/secrets", &Value::Null).await.status, 200);
    for vault in ["two", "one-more"] {
        let reply = server.call(vault, &token, "GET", "/secrets", &Value::Null).await;
        assert_eq!(reply.refusal(), (403, "Forbidden", "ForbiddenByRbac"), "{vault}");
    }
    assert_eq!(server.app.vaults.list().await.unwrap().len(), 1);
}
