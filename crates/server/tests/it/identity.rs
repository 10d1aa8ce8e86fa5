//! The token endpoints over HTTPS: documents, tokens for secrets, refusals, key rotation.

use aws_lc_rs::rsa::PublicKeyComponents;
use aws_lc_rs::signature::RSA_PKCS1_2048_8192_SHA256;
use http::Method;
use serde_json::{Value, json};
use strongroom_server::admin::Command;
use strongroom_server::jobs;
use strongroom_wire::base64url::decode;

use crate::support::{Principal, Reply, TENANT, TestServer, send};

const DAY: i64 = 86_400;

async fn get(server: &TestServer, path: &str) -> Reply {
    send(&server.http, Method::GET, &format!("{}{path}", server.login_url()), &[], "").await
}

async fn published(server: &TestServer) -> Vec<Value> {
    get(server, &format!("/{TENANT}/discovery/v2.0/keys")).await.ok()["keys"].as_array().unwrap().clone()
}

/// Header and claims of a token whose signature is that of the published key that it names,
/// according to a library that shares no code with the issuer.
fn verified(token: &str, keys: &[Value]) -> (Value, Value) {
    let (signed, signature) = token.rsplit_once('.').unwrap();
    let (header, claims) = signed.split_once('.').unwrap();
    let part = |text: &str| serde_json::from_slice::<Value>(&decode(text).unwrap()).unwrap();
    let header = part(header);
    assert_eq!((&header["alg"], &header["typ"]), (&json!("RS256"), &json!("JWT")));
    let key = keys.iter().find(|key| key["kid"] == header["kid"]).expect("the key is published");
    assert_eq!((&key["kty"], &key["use"]), (&json!("RSA"), &json!("sig")));
    let member = |name: &str| decode(key[name].as_str().unwrap()).unwrap();
    PublicKeyComponents { n: member("n"), e: member("e") }
        .verify(&RSA_PKCS1_2048_8192_SHA256, signed.as_bytes(), &decode(signature).unwrap())
        .expect("the signature is the key's");
    (header, part(claims))
}

fn kid(token: &str) -> Value {
    let header = decode(token.split_once('.').unwrap().0).unwrap();
    serde_json::from_slice::<Value>(&header).unwrap()["kid"].clone()
}

/// Asserts a refusal in Entra's shape.
pub(crate) fn assert_refused(reply: &Reply, status: u16, error: &str, aadsts: u32) {
    assert_eq!((reply.status, &reply.json["error"]), (status, &json!(error)), "{}", reply.text);
    assert_eq!(reply.json["error_codes"], json!([aadsts]), "{}", reply.text);
    let description = reply.json["error_description"].as_str().unwrap();
    assert!(description.starts_with(&format!("AADSTS{aadsts}: ")), "{description}");
    for member in ["timestamp", "trace_id", "correlation_id"] {
        assert!(reply.json[member].as_str().is_some_and(|text| !text.is_empty()), "{member}: {}", reply.text);
    }
    assert!(reply.json["access_token"].is_null());
    assert!(reply.header("cache-control").contains("no-store"));
}

#[tokio::test]
async fn the_discovery_document_says_what_clients_and_verifiers_need() {
    let server = TestServer::start().await;
    let login = server.login_url();
    for tenant in [TENANT, "common", "organizations"] {
        let document = get(&server, &format!("/{tenant}/v2.0/.well-known/openid-configuration")).await.ok();
        assert_eq!(document["issuer"], format!("{login}/{TENANT}/v2.0"));
        assert_eq!(document["token_endpoint"], format!("{login}/{TENANT}/oauth2/v2.0/token"));
        assert_eq!(document["jwks_uri"], format!("{login}/{TENANT}/discovery/v2.0/keys"));
        assert!(document["authorization_endpoint"].as_str().unwrap().starts_with(&login));
    }
    let other = get(&server, "/99999999-2222-3333-4444-555555555555/v2.0/.well-known/openid-configuration").await;
    assert_refused(&other, 400, "invalid_request", 90_002);
    let query = format!("authorization_endpoint={login}/{TENANT}/oauth2/v2.0/authorize&api-version=1.1");
    let instance = get(&server, &format!("/common/discovery/instance?{query}")).await.ok();
    let host = format!("login.localhost:{}", server.port);
    assert_eq!(instance["metadata"][0]["preferred_network"], host);
    assert!(instance["metadata"][0]["aliases"].as_array().unwrap().contains(&json!(host)));
    let unknown = get(&server, "/nothing/here").await;
    assert_eq!(unknown.status, 404);
}

#[tokio::test]
async fn published_keys_are_public_keys_only() {
    let server = TestServer::start().await;
    let reply = get(&server, &format!("/{TENANT}/discovery/v2.0/keys")).await;
    assert!(reply.header("content-type").starts_with("application/json"));
    let keys = reply.ok()["keys"].as_array().unwrap().clone();
    assert!(!keys.is_empty());
    for key in keys {
        let members: Vec<&String> = key.as_object().unwrap().keys().collect();
        assert_eq!(members, ["alg", "e", "kid", "kty", "n", "use"]);
    }
}

fn form<'a>(principal: &'a Principal, scope: &'a str) -> Vec<(&'a str, &'a str)> {
    vec![
        ("grant_type", "client_credentials"),
        ("client_id", principal.client_id.as_str()),
        ("client_secret", principal.client_secret.as_str()),
        ("scope", scope),
    ]
}

#[tokio::test]
async fn a_client_secret_gets_a_token_with_the_claims_of_the_contract() {
    let server = TestServer::start().await;
    let principal = server.application("shop").await;
    let scope = format!("{}/.default", server.resource());
    let mut request = form(&principal, &scope);
    // What MSAL sends along.
    request.extend([("client_info", "1"), ("claims", r#"{"access_token":{"xms_cc":{"values":["CP1"]}}}"#)]);
    let reply = server.token_request(TENANT, &request).await;
    assert!(reply.header("cache-control").contains("no-store"));
    let answer = reply.ok();
    assert_eq!(answer["token_type"], "Bearer");
    assert_eq!(answer["expires_in"], 3599);
    assert!(answer["refresh_token"].is_null());
    let (_, claims) = verified(answer["access_token"].as_str().unwrap(), &published(&server).await);
    let now = server.now();
    for (claim, wanted) in [
        ("aud", json!(server.resource())),
        ("iss", json!(format!("{}/{TENANT}/v2.0", server.login_url()))),
        ("tid", json!(TENANT)),
        ("oid", json!(principal.object_id)),
        ("sub", json!(principal.object_id)),
        ("appid", json!(principal.client_id)),
        ("azp", json!(principal.client_id)),
        ("idtyp", json!("app")),
        ("ver", json!("2.0")),
        ("iat", json!(now)),
        ("nbf", json!(now)),
        ("exp", json!(now + 3600)),
    ] {
        assert_eq!(claims[claim], wanted, "{claim}");
    }
}

#[tokio::test]
async fn ids_are_read_in_any_case_and_tokens_differ_from_one_another() {
    let server = TestServer::start().await;
    let mut principal = server.application("shop").await;
    let first = server.token(&principal).await;
    principal.client_id = principal.client_id.to_uppercase();
    let scope = format!("{}//.default", server.resource());
    let reply = server.token_request(&TENANT.to_uppercase(), &form(&principal, &scope)).await;
    let keys = published(&server).await;
    let (_, second) = verified(reply.ok()["access_token"].as_str().unwrap(), &keys);
    assert_eq!(second["aud"], format!("{}/", server.resource()));
    assert_ne!(verified(&first, &keys).1["uti"], second["uti"]);
}

#[tokio::test]
async fn refused_token_requests_tell_the_reason_by_its_aadsts_code() {
    let server = TestServer::start().await;
    let principal = server.application("shop").await;
    let scope = format!("{}/.default", server.resource());
    let with = |member: &'static str, value: &'static str| {
        let kept = form(&principal, &scope).into_iter().filter(move |(name, _)| *name != member);
        kept.chain((!value.is_empty()).then_some((member, value))).collect::<Vec<_>>()
    };
    for (request, status, error, aadsts) in [
        (with("client_secret", "wrong-canary-Zq81"), 401, "invalid_client", 7_000_215),
        (with("client_id", "00000000-aaaa-bbbb-cccc-000000000000"), 400, "unauthorized_client", 700_016),
        (with("grant_type", "password"), 400, "unsupported_grant_type", 70_003),
        (with("grant_type", "refresh_token"), 400, "unsupported_grant_type", 70_003),
        (with("grant_type", ""), 400, "invalid_request", 900_144),
        (with("client_id", ""), 400, "invalid_request", 900_144),
        (with("client_secret", ""), 400, "invalid_request", 900_144),
        (with("scope", ""), 400, "invalid_request", 900_144),
        (with("scope", "openid profile"), 400, "invalid_scope", 70_011),
        (with("scope", "https://vault.azure.net/user_impersonation"), 400, "invalid_scope", 70_011),
        (with("scope", "https://evil.example/.default"), 400, "invalid_resource", 500_011),
        (vec![], 400, "invalid_request", 900_144),
    ] {
        let reply = server.token_request(TENANT, &request).await;
        assert_refused(&reply, status, error, aadsts);
        assert!(!reply.text.contains("canary") && !reply.text.contains(&principal.client_secret), "{}", reply.text);
    }
    let request = form(&principal, &scope);
    assert_refused(
        &server.token_request("99999999-2222-3333-4444-555555555555", &request).await,
        400,
        "invalid_request",
        90_002,
    );
    assert_refused(&server.token_request("contoso.example", &request).await, 400, "invalid_request", 90_002);
}

#[tokio::test]
async fn what_is_no_form_is_refused_and_not_echoed() {
    let server = TestServer::start().await;
    let url = format!("{}/{TENANT}/oauth2/v2.0/token", server.login_url());
    for (content_type, body) in [
        ("application/json", r#"{"client_secret":"canary"}"#.to_owned()),
        ("text/plain", "client_secret=canary".to_owned()),
        ("application/x-www-form-urlencoded", "grant_type=a&grant_type=canary".to_owned()),
        ("application/x-www-form-urlencoded", format!("client_secret={}", "canary".repeat(20_000))),
    ] {
        let reply = send(&server.http, Method::POST, &url, &[("content-type", content_type)], body).await;
        assert_refused(&reply, 400, "invalid_request", 900_144);
        assert!(!reply.text.contains("canary"), "{}", reply.text);
    }
    assert_eq!(get(&server, &format!("/{TENANT}/oauth2/v2.0/token")).await.status, 404);
}

/// The discovery document offers the form and assertions, and that is all there is.
#[tokio::test]
async fn a_secret_in_a_basic_header_is_not_a_way_in() {
    let server = TestServer::start().await;
    let principal = server.application("shop").await;
    let document = get(&server, &format!("/{TENANT}/v2.0/.well-known/openid-configuration")).await.ok();
    assert_eq!(document["token_endpoint_auth_methods_supported"], json!(["client_secret_post", "private_key_jwt"]));
    let url = format!("{}/{TENANT}/oauth2/v2.0/token", server.login_url());
    let request = server.http.post(&url).basic_auth(&principal.client_id, Some(&principal.client_secret));
    let request = request.header("content-type", "application/x-www-form-urlencoded");
    let response = request.body("grant_type=client_credentials&scope=x").send().await.unwrap();
    assert_eq!(response.status(), 400);
    assert!(response.text().await.unwrap().contains("AADSTS900144"));
}

#[tokio::test]
async fn secrets_are_added_side_by_side_removed_at_once_and_expire() {
    let server = TestServer::start().await;
    let first = server.application("shop").await;
    let added = server.execute(Command::ApplicationAddSecret { application: "shop".into() }).await;
    let second = Principal { client_secret: added["client_secret"].as_str().unwrap().into(), ..first.clone() };
    server.token(&first).await;
    server.token(&second).await;
    let key_id = added["secrets"][0]["key_id"].as_str().unwrap().to_owned();
    server.execute(Command::ApplicationRemoveCredential { application: "shop".into(), key_id }).await;
    let scope = format!("{}/.default", server.resource());
    assert_refused(&server.token_request(TENANT, &form(&first, &scope)).await, 401, "invalid_client", 7_000_215);
    server.token(&second).await;
    server.clock.advance(2 * 365 * DAY);
    assert_refused(&server.token_request(TENANT, &form(&second, &scope)).await, 401, "invalid_client", 7_000_222);
    let wrong = Principal { client_secret: "wrong".into(), ..second };
    assert_refused(&server.token_request(TENANT, &form(&wrong, &scope)).await, 401, "invalid_client", 7_000_215);
    // The list shows no secret.
    let listed = server.execute(Command::ApplicationList).await.to_string();
    assert!(!listed.contains("client_secret") && !listed.contains("argon2"), "{listed}");
}

#[tokio::test]
async fn signing_keys_rotate_with_overlap() {
    let server = TestServer::start().await;
    let principal = server.administrator().await;
    let list = async |token: &str| server.call("dev", token, "GET", "/secrets", &Value::Null).await.status;
    let before = kid(&server.token(&principal).await);
    assert_eq!(published(&server).await.len(), 1);

    // The next key is published a day before it signs.
    server.clock.advance(29 * DAY + 1);
    jobs::tick(&server.app).await;
    let ahead = published(&server).await;
    assert_eq!(ahead.len(), 2);
    jobs::tick(&server.app).await;
    assert_eq!(published(&server).await, ahead, "a second look changes nothing");
    server.clock.advance(DAY - 61);
    let last_of_old = server.token(&principal).await;
    assert_eq!(kid(&last_of_old), before);

    // The new key signs; a token of the old one, never shown before, is still good.
    server.clock.advance(120);
    jobs::tick(&server.app).await;
    let of_new = server.token(&principal).await;
    assert_ne!(kid(&of_new), before);
    assert!(ahead.iter().any(|key| key["kid"] == kid(&of_new)), "it was published ahead");
    let both = published(&server).await;
    verified(&last_of_old, &both);
    verified(&of_new, &both);
    assert_eq!(list(&last_of_old).await, 200);
    assert_eq!(list(&of_new).await, 200);

    // When its last token has long expired, the old key goes.
    server.clock.advance(DAY);
    jobs::tick(&server.app).await;
    let kept = published(&server).await;
    assert!(kept.iter().all(|key| key["kid"] != before));
    assert_eq!(list(&last_of_old).await, 401);
    assert_eq!(list(&server.token(&principal).await).await, 200);
}

#[tokio::test]
async fn a_clock_that_leaps_a_year_leaves_tokens_working() {
    let server = TestServer::start().await;
    let principal = server.administrator().await;
    let old = server.token(&principal).await;
    server.clock.advance(365 * DAY);
    let token = server.token(&principal).await;
    verified(&token, &published(&server).await);
    assert_eq!(server.call("dev", &token, "GET", "/secrets", &Value::Null).await.status, 200);
    assert_eq!(server.call("dev", &old, "GET", "/secrets", &Value::Null).await.status, 401);
}
