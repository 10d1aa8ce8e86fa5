//! Malformed bodies of a caller who may do everything: each is refused by the contract's code, and
//! nothing of its content comes back.

use serde_json::{Value, json};
use strongroom_server::routes::{ROUTES, Route};

use crate::calls::path;
use crate::requests::{assert_bad_parameter, sent, start};

pub(crate) const CANARY: &str = "canary-Zq81vXw0";

fn with_bodies() -> impl Iterator<Item = &'static Route> {
    ROUTES.iter().filter(|route| {
        matches!(route.id, "S1" | "S3" | "S12" | "K1" | "K3" | "K5" | "K10" | "K23")
            || route.path.ends_with("crypt")
            || route.path.ends_with("sign")
            || route.path.ends_with("verify")
            || route.path.ends_with("wrapkey")
    })
}

/// Bodies that are no JSON, or not an object; most with the canary.
pub(crate) fn malformed() -> Vec<String> {
    vec![
        format!("{{\"value\":\"{CANARY}"),
        CANARY.to_owned(),
        format!("{{\"value\":\"{CANARY}\"}} {CANARY}"),
        format!("{{\"value\":\"{CANARY}\",}}"),
        format!("\"{CANARY}\""),
        format!("{{{CANARY}}}"),
        format!("value={CANARY}&alg={CANARY}"),
        format!("{}\"{CANARY}\"", "[".repeat(20_000)),
        format!("{{\"a\":{}", "{\"a\":".repeat(5_000)),
        "null".to_owned(),
        "7".to_owned(),
    ]
}

#[tokio::test]
async fn a_body_that_is_no_json_is_refused_and_not_echoed() {
    let (server, token) = start().await;
    assert_eq!(with_bodies().count(), 14);
    for route in with_bodies() {
        for body in malformed() {
            let reply = sent(&server, &token, route.method.as_str(), &path(route, "n"), body.clone()).await;
            let shown: String = body.chars().take(40).collect();
            assert_bad_parameter(&reply, &format!("{} {shown}", route.id));
            assert!(!reply.text.contains(CANARY), "{}: {}", route.id, reply.text);
        }
    }
}

#[tokio::test]
async fn a_secret_that_is_no_unicode_text_is_refused_and_not_echoed() {
    let (server, token) = start().await;
    for value in [format!("{CANARY}\\ud800"), format!("\\udc00{CANARY}"), format!("{CANARY}\\u00g0")] {
        let reply = sent(&server, &token, "PUT", "/secrets/s", format!("{{\"value\":\"{value}\"}}")).await;
        assert_bad_parameter(&reply, &value);
        assert!(!reply.text.contains(CANARY), "{}", reply.text);
    }
}

/// JSON that is exchanged is UTF-8 (RFC 8259 section 8.1), in members that nobody reads as well.
#[tokio::test]
async fn a_body_that_is_not_utf8_is_refused_whichever_the_member() {
    let (server, token) = start().await;
    for route in with_bodies() {
        let body = [b"{\"value\":\"".as_slice(), &[0xff, 0xfe], b"\"}"].concat();
        let reply = sent(&server, &token, route.method.as_str(), &path(route, "n"), body).await;
        assert_bad_parameter(&reply, route.id);
    }
}

#[tokio::test]
async fn members_of_the_wrong_type_or_with_unknown_values_are_refused_and_not_echoed() {
    let (server, token) = start().await;
    sent(&server, &token, "POST", "/keys/k/create", json!({"kty": "RSA"}).to_string()).await.ok();
    sent(&server, &token, "PUT", "/secrets/s", json!({"value": "v"}).to_string()).await.ok();
    let import = |member: &str, value: Value| {
        let mut jwk = crate::calls::ec_jwk();
        jwk[member] = value;
        json!({"key": jwk})
    };
    let policy = |trigger: Value, kind: &str, expiry: &str| {
        let action = json!({"trigger": trigger, "action": {"type": kind}});
        json!({"lifetimeActions": [action], "attributes": {"expiryTime": expiry}})
    };
    let after = |duration: &str| json!({"timeAfterCreate": duration});
    for (method, path, body) in [
        ("PUT", "/secrets/s", json!({"value": {"x": CANARY}})),
        ("PUT", "/secrets/s", json!({"value": [CANARY]})),
        ("PUT", "/secrets/s", json!({"value": 7, "contentType": CANARY})),
        ("PUT", "/secrets/s", json!({"contentType": CANARY})),
        ("PUT", "/secrets/s", json!({"value": "v", "contentType": CANARY.repeat(20)})),
        ("PUT", "/secrets/s", json!({"value": CANARY, "attributes": {"nbf": CANARY}})),
        ("PUT", "/secrets/s", json!({"value": CANARY, "attributes": {"enabled": CANARY}})),
        ("PUT", "/secrets/s", json!({"value": CANARY, "attributes": CANARY})),
        ("PUT", "/secrets/s", json!({"value": CANARY, "tags": {"a": 7}})),
        ("PUT", "/secrets/s", json!({"value": CANARY, "tags": {"a": CANARY.repeat(40)}})),
        ("PUT", "/secrets/s", json!({"value": CANARY.repeat(2_000)})),
        ("PATCH", "/secrets/s", json!({"contentType": [CANARY]})),
        ("POST", "/secrets/restore", json!({"value": CANARY})),
        ("POST", "/secrets/restore", json!({"value": format!("{CANARY}!\"")})),
        ("POST", "/keys/k/create", json!({"kty": CANARY})),
        ("POST", "/keys/k/create", json!({"kty": "EC", "crv": CANARY})),
        ("POST", "/keys/k/create", json!({"kty": "RSA", "key_size": CANARY})),
        ("POST", "/keys/k/create", json!({"kty": "RSA", "key_ops": [CANARY]})),
        ("POST", "/keys/k/create", json!({"key_size": 2048, "tags": {"a": CANARY}})),
        ("POST", "/keys/k/create", json!({"kty": "oct", "tags": {"a": CANARY}})),
        ("PUT", "/keys/i", json!({"tags": {"a": CANARY}})),
        ("PUT", "/keys/i", import("d", json!(CANARY))),
        ("PUT", "/keys/i", import("d", json!(7))),
        ("PUT", "/keys/i", import("x", json!(CANARY))),
        ("PUT", "/keys/i", import("kty", json!(CANARY))),
        ("PUT", "/keys/i", import("crv", json!(CANARY))),
        ("PUT", "/keys/i", json!({"key": {"kty": "RSA", "n": CANARY, "e": "AQAB", "d": CANARY}})),
        ("PUT", "/keys/i", json!({"key": {"kty": "oct", "k": CANARY}})),
        ("PATCH", "/keys/k", json!({"key_ops": CANARY})),
        ("POST", "/keys/k/encrypt", json!({"alg": CANARY, "value": "AAAA"})),
        ("POST", "/keys/k/encrypt", json!({"alg": "RSA-OAEP", "value": format!("{CANARY}!\"")})),
        ("POST", "/keys/k/encrypt", json!({"alg": "A256GCM", "value": "AAAA"})),
        ("POST", "/keys/k/decrypt", json!({"alg": "RSA-OAEP", "value": CANARY})),
        ("POST", "/keys/k/sign", json!({"alg": "RS256", "value": CANARY})),
        ("POST", "/keys/k/sign", json!({"alg": "ES256", "value": "A".repeat(43)})),
        ("POST", "/keys/k/verify", json!({"alg": "RS256", "value": CANARY})),
        ("POST", "/keys/k/verify", json!({"alg": "RS256", "digest": CANARY, "value": "AAAA"})),
        ("POST", "/keys/k/unwrapkey", json!({"value": CANARY})),
        ("PUT", "/keys/k/rotationpolicy", policy(after(CANARY), "Rotate", "P1Y")),
        ("PUT", "/keys/k/rotationpolicy", policy(after("P90D"), CANARY, "P1Y")),
        ("PUT", "/keys/k/rotationpolicy", policy(after("P90D"), "Rotate", CANARY)),
        ("PUT", "/keys/k/rotationpolicy", policy(after("P6D"), "Rotate", "P1Y")),
        ("PUT", "/keys/k/rotationpolicy", policy(after("P90D"), "Rotate", "P27D")),
        ("PUT", "/keys/k/rotationpolicy", policy(json!({}), "Rotate", "P1Y")),
    ] {
        let reply = sent(&server, &token, method, path, body.to_string()).await;
        let what = format!("{method} {path} {body:.60}");
        assert!(matches!(reply.status, 400 | 413) && reply.code() == "BadParameter", "{what}: {}", reply.text);
        assert!(!reply.text.contains(CANARY), "{what}: {}", reply.text);
    }
    let versions = sent(&server, &token, "GET", "/secrets/s/versions", "").await.ok();
    assert_eq!(versions["value"].as_array().unwrap().len(), 1, "a refused request changed something");
}

/// A decoder may take the elements of a list for the members of an object, in the order of its
/// source code; the protocol knows no such thing.
#[tokio::test]
async fn a_list_in_the_place_of_an_object_is_refused() {
    let (server, token) = start().await;
    let mut accepted = Vec::new();
    for (method, path, body) in [
        ("PUT", "/secrets/s", json!(["v"])),
        ("PUT", "/secrets/s", json!(["v", null, [false], null])),
        ("PUT", "/secrets/s", json!({"value": "v", "attributes": [false]})),
        ("PUT", "/secrets/s", json!({"value": "v", "attributes": []})),
        ("PUT", "/secrets/s", json!({"value": "v", "tags": [["a", "b"]]})),
        ("PATCH", "/secrets/made", json!(["text/plain"])),
        ("PATCH", "/secrets/made", json!([])),
        ("POST", "/keys/k/create", json!(["RSA", 2048])),
        ("POST", "/keys/k/create", json!({"kty": "EC", "attributes": [true]})),
        ("PUT", "/keys/k", json!([crate::calls::ec_jwk()])),
        ("POST", "/keys/made/sign", json!(["RS256", "A".repeat(43)])),
        ("PATCH", "/keys/made", json!([["sign"]])),
        ("PUT", "/keys/made/rotationpolicy", json!([[]])),
        ("PUT", "/keys/made/rotationpolicy", json!({"lifetimeActions": [[["P90D"], ["Rotate"]]]})),
        ("PUT", "/keys/made/rotationpolicy", json!({"lifetimeActions": [], "attributes": ["P1Y"]})),
    ] {
        sent(&server, &token, "PUT", "/secrets/made", json!({"value": "v"}).to_string()).await.ok();
        sent(&server, &token, "POST", "/keys/made/create", json!({"kty": "RSA"}).to_string()).await.ok();
        let reply = sent(&server, &token, method, path, body.to_string()).await;
        if reply.refusal() != (400, "BadParameter", "") {
            accepted.push(format!("{method} {path} {body}: {} {}", reply.status, reply.code()));
        }
    }
    assert!(accepted.is_empty(), "{accepted:#?}");
}
