//! What only somebody hostile sends: weak and mismatched keys, absurd sizes, and requests written
//! to be read differently by two readers. Each gets the contract's 4xx.

use serde_json::{Value, json};
use strongroom_wire::base64url::encode;

use crate::calls::ec_jwk;
use crate::requests::{assert_bad_parameter, sent, start};
use crate::support::API;
use crate::wire::{Wire, exchange};

#[tokio::test]
async fn weak_and_mismatched_keys_are_refused_by_name() {
    let (server, token) = start().await;
    let odd = |bytes: usize| [&[0xc3][..], &vec![0x5a; bytes - 2], &[0x0b]].concat();
    let rsa = |n: Vec<u8>, e: &[u8]| {
        json!({"kty": "RSA", "n": encode(&n), "e": encode(e), "d": encode(&odd(256)), "p": encode(&odd(128)),
               "q": encode(&odd(128)), "dp": encode(&odd(128)), "dq": encode(&odd(128)), "qi": encode(&odd(128))})
    };
    let even = [&[0xc3][..], &[0x5a; 254], &[0x0a]].concat();
    let ec = |change: fn(&mut Value)| {
        let mut jwk = ec_jwk();
        change(&mut jwk);
        jwk
    };
    let rejected = [
        ("even modulus", rsa(even, &[1, 0, 1]), "is even"),
        ("e = 1", rsa(odd(256), &[1]), "less than 3"),
        ("e = 0", rsa(odd(256), &[0]), "missing or zero"),
        ("even e", rsa(odd(256), &[1, 0, 0]), "is even"),
        ("giant e", rsa(odd(256), &[7; 64]), "longer than 32 bits"),
        ("512 bits", rsa(odd(64), &[1, 0, 1]), "512 bits"),
        ("1024 bits", rsa(odd(128), &[1, 0, 1]), "1024 bits"),
        ("16384 bits", rsa(odd(2048), &[1, 0, 1]), "16384 bits"),
        ("n is not p times q", rsa(odd(256), &[1, 0, 1]), "not the product"),
        ("point off the curve", ec(|jwk| jwk["y"] = json!(encode(&[7; 32]))), ""),
        ("point at infinity", ec(|jwk| (jwk["x"], jwk["y"]) = (json!(encode(&[0; 32])), json!(encode(&[0; 32])))), ""),
        ("d is zero", ec(|jwk| jwk["d"] = json!(encode(&[0; 32]))), ""),
        ("d above the order", ec(|jwk| jwk["d"] = json!(encode(&[0xff; 32]))), ""),
        ("d of another point", ec(|jwk| jwk["d"] = json!(encode(&[9; 32]))), ""),
        ("x is short", ec(|jwk| jwk["x"] = json!(encode(&[7; 31]))), ""),
        ("x is giant", ec(|jwk| jwk["x"] = json!(encode(&[7; 4_000]))), ""),
        ("another curve", ec(|jwk| jwk["crv"] = json!("P-384")), ""),
        ("no private half", ec(|jwk| jwk["d"] = Value::Null), ""),
        ("padded base64", ec(|jwk| jwk["d"] = json!("870MB6gfuTJ4HtUnUvYMyJpr5eUZNP4Bk43bVdj3eA==")), ""),
        ("standard base64", ec(|jwk| jwk["d"] = json!("870MB6gfuTJ4HtUnUvYMyJpr5eUZNP4Bk43bVdj3+/E")), ""),
        ("bits beyond the last byte", ec(|jwk| jwk["d"] = json!("870MB6gfuTJ4HtUnUvYMyJpr5eUZNP4Bk43bVdj3eAF")), ""),
    ];
    for (what, jwk, because) in rejected {
        let reply = sent(&server, &token, "PUT", "/keys/weak", json!({"key": jwk}).to_string()).await;
        assert_bad_parameter(&reply, what);
        assert!(reply.message().contains(because), "{what}: {}", reply.message());
    }
    assert_eq!(sent(&server, &token, "GET", "/keys/weak", "").await.status, 404, "nothing of it was kept");
}

#[tokio::test]
async fn absurd_sizes_and_numbers_are_refused() {
    let (server, token) = start().await;
    let tags: serde_json::Map<String, Value> = (0..10_000).map(|n| (format!("t{n}"), json!("v"))).collect();
    let refused = [
        ("10,000 tags", json!({"value": "v", "tags": tags}).to_string()),
        ("a number beyond i64", r#"{"value":"v","attributes":{"exp":99999999999999999999999999}}"#.to_owned()),
        ("a number beyond f64", r#"{"value":"v","attributes":{"exp":1e400}}"#.to_owned()),
        ("a fraction", r#"{"value":"v","attributes":{"nbf":1.5}}"#.to_owned()),
        ("a number of 10,000 digits", format!(r#"{{"value":"v","attributes":{{"nbf":{}}}}}"#, "9".repeat(10_000))),
    ];
    for (what, body) in refused {
        let reply = sent(&server, &token, "PUT", "/secrets/s", body).await;
        assert_bad_parameter(&reply, what);
    }
    for size in ["-1", "0", "1", "2047", "2049", "65536", "4294967297", "99999999999999999999"] {
        let body = format!(r#"{{"kty":"RSA","key_size":{size}}}"#);
        assert_bad_parameter(&sent(&server, &token, "POST", "/keys/k/create", body).await, size);
    }
    // A megabyte of name does not fit into a head that is read at all.
    let (status, _) = exchange(&server, &token, "GET", format!("/secrets/{}?{API}", "n".repeat(1 << 20))).await;
    assert!(matches!(status, 0 | 414 | 431), "{status}");
    let name = "n".repeat(1 << 20);
    let body = json!({"value": "v", "tags": {name: "v"}}).to_string();
    let reply = sent(&server, &token, "PUT", "/secrets/s", body).await;
    assert_eq!(reply.refusal(), (413, "BadParameter", ""), "{}", reply.text);
    assert_eq!(sent(&server, &token, "GET", "/secrets/s", "").await.status, 404);
}

#[tokio::test]
async fn members_that_nobody_knows_are_ignored() {
    let (server, token) = start().await;
    let body = json!({"value": "v", "x": {"deep": [1, null]}, "attributes": {"enabled": true, "y": 1e300}});
    let set = sent(&server, &token, "PUT", "/secrets/s", body.to_string()).await.ok();
    assert_eq!(set["value"], "v");
    let made = json!({"kty": "EC", "crv": "P-256", "unheard": [{}], "of": "this"});
    sent(&server, &token, "POST", "/keys/k/create", made.to_string()).await.ok();
}

/// One request is one request: what two readers could take for different ones is refused, and what
/// follows on the connection is not answered as if it were a request of its own.
#[tokio::test]
async fn requests_that_two_readers_would_read_differently_are_refused() {
    let (server, token) = start().await;
    sent(&server, &token, "PUT", "/secrets/s", json!({"value": "v"}).to_string()).await.ok();
    let host = format!("dev.vault.localhost:{}", server.port);
    let authorization = format!("Authorization: Bearer {token}");
    let first =
        |headers: &str| format!("PUT /secrets/s?{API} HTTP/1.1\r\nHost: {host}\r\n{authorization}\r\n{headers}");
    let smuggled = format!("DELETE /secrets/s?{API} HTTP/1.1\r\nHost: {host}\r\n{authorization}\r\n\r\n");
    for (what, headers) in [
        ("length and chunks", "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
        ("two lengths", "Content-Length: 0\r\nContent-Length: 40\r\n\r\n"),
        ("a list of lengths", "Content-Length: 0, 40\r\n\r\n"),
        ("a signed length", "Content-Length: +0\r\n\r\n"),
        ("a negative length", "Content-Length: -1\r\n\r\n"),
        ("a hexadecimal length", "Content-Length: 0x0\r\n\r\n"),
        ("an endless length", "Content-Length: 99999999999999999999999\r\n\r\n"),
        ("an unknown coding", "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n"),
        ("chunked, then another", "Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n"),
        ("a chunk size that is no number", "Transfer-Encoding: chunked\r\n\r\nzz\r\n\r\n"),
        ("a chunk size too large", "Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n\r\n"),
        ("space before the colon", "Content-Length : 0\r\n\r\n"),
        ("a folded header", "X-A: b\r\n Content-Length: 5\r\n\r\n"),
        ("a bare carriage return", "X-A: b\rContent-Length: 5\r\n\r\n"),
        ("a NUL in a header", "X-A: b\0c\r\n\r\n"),
    ] {
        let mut wire = Wire::connect(&server).await;
        wire.send(first(headers) + &smuggled).await;
        let (status, _) = wire.answer().await;
        assert!(matches!(status, 0 | 400 | 413), "{what}: {status}");
        assert!(wire.closes().await, "{what}");
        let kept = sent(&server, &token, "GET", "/secrets/s", "").await;
        assert_eq!(kept.status, 200, "{what}: the request behind it was carried out");
    }
}

#[tokio::test]
async fn pipelined_requests_are_answered_in_order_and_each_is_authorized() {
    let (server, token) = start().await;
    sent(&server, &token, "PUT", "/secrets/s", json!({"value": "v"}).to_string()).await.ok();
    let host = format!("dev.vault.localhost:{}", server.port);
    let get = |authorization: &str| format!("GET /secrets/s?{API} HTTP/1.1\r\nHost: {host}\r\n{authorization}\r\n");
    let good = format!("Authorization: Bearer {token}\r\n");
    let mut wire = Wire::connect(&server).await;
    wire.send([get(&good), get(""), get("Authorization: Bearer x\r\n"), get(&good)].concat()).await;
    let mut statuses = Vec::new();
    for _ in 0..4 {
        statuses.push(wire.answer().await.0);
    }
    assert_eq!(statuses, [200, 401, 401, 200]);
}
