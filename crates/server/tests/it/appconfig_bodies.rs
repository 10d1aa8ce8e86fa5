//! Bodies that a configuration store is sent, of a caller who may do everything: malformed ones are
//! refused and not echoed, and sizes are exact.

use serde_json::{Value, json};

use crate::appconfig_calls::{Store, assert_problem, with_role};
use crate::bodies::{CANARY, malformed};
use crate::support::{API, Reply, TestServer};
use crate::wire::Wire;

/// Operations that take a body, on something that is there.
const WITH_BODIES: [(&str, &str); 3] = [("PUT", "/kv/k"), ("PUT", "/snapshots/new"), ("PATCH", "/snapshots/s")];

async fn start() -> (TestServer, Store) {
    let server = TestServer::start().await;
    let store = Store::of(&server, "dev").await;
    store.set("k", "before").await;
    store.call("PUT", "/snapshots/s", &json!({"filters": [{"key": "*"}]})).await.ok();
    (server, store)
}

async fn sent(store: &Store, method: &str, path: &str, body: impl Into<Vec<u8>>) -> Reply {
    store.call_with(method, path, &[], body).await
}

#[track_caller]
fn assert_refused(reply: &Reply, what: &str) {
    assert_problem(reply, 400, "invalid-argument", what);
    assert!(!reply.text.contains(CANARY), "{what}: {}", reply.text);
}

async fn assert_unchanged(store: &Store) {
    assert_eq!(store.values("/revisions").await, ["before"]);
    let snapshots = store.get("/snapshots").await.ok();
    let snapshots = snapshots["items"].as_array().unwrap();
    assert_eq!((snapshots.len(), &snapshots[0]["status"]), (1, &json!("ready")));
}

#[tokio::test]
async fn a_body_that_is_no_json_is_refused_and_not_echoed() {
    let (_server, store) = start().await;
    for (method, path) in WITH_BODIES {
        let surrogates =
            format!("{{\"value\":\"{CANARY}\\ud800\",\"status\":\"\\udc00\",\"filters\":[{{\"key\":\"\\ud800\"}}]}}");
        for body in malformed().into_iter().chain([surrogates, " ".to_owned()]) {
            assert_refused(&sent(&store, method, path, body.clone()).await, &format!("{method} {path} {body:.40}"));
        }
        for bytes in [&[0xff, 0xfe][..], &[0xc0, 0xaf], &[0xed, 0xa0, 0x80], &[0xf4, 0x90, 0x80, 0x80]] {
            // In a member that is read, and in one that nobody reads.
            for member in ["value", "status", "x"] {
                let body = [format!("{{\"{member}\":\"").as_bytes(), bytes, b"\"}"].concat();
                assert_refused(&sent(&store, method, path, body).await, &format!("{method} {path} {bytes:x?}"));
            }
        }
    }
    assert_unchanged(&store).await;
    // Well-formed, however deep, and in a member that nobody reads: ignored or refused.
    let deep = format!("{{\"value\":\"before\",\"x\":{}1{}}}", "[".repeat(45_000), "]".repeat(45_000));
    assert!(matches!(sent(&store, "PUT", "/kv/k", deep).await.status, 200 | 400));
    assert_unchanged(&store).await;
}

#[tokio::test]
async fn members_of_the_wrong_type_are_refused_and_not_echoed() {
    let (_server, store) = start().await;
    let filters = |filters: Value| ("PUT", "/snapshots/new", json!({ "filters": filters }));
    let snapshot =
        |member: &str, value: Value| ("PUT", "/snapshots/new", json!({"filters": [{"key": "*"}], member: value}));
    let long = "a".repeat(257);
    let cases = [
        ("PUT", "/kv/k", json!({"value": {"x": CANARY}})),
        ("PUT", "/kv/k", json!({"value": [CANARY]})),
        ("PUT", "/kv/k", json!({"value": 7})),
        ("PUT", "/kv/k", json!({"value": true, "x": CANARY})),
        ("PUT", "/kv/k", json!({"value": CANARY, "content_type": 7})),
        ("PUT", "/kv/k", json!({"value": CANARY, "tags": CANARY})),
        ("PUT", "/kv/k", json!({"value": CANARY, "tags": {"a": 7}})),
        ("PUT", "/kv/k", json!({"value": CANARY, "tags": {"a": {"b": CANARY}}})),
        ("PUT", "/kv/k", json!({"value": CANARY, "description": [CANARY]})),
        // A list in the place of an object: a decoder may take its elements for the members.
        ("PUT", "/kv/k", json!([CANARY])),
        ("PUT", "/kv/k", json!(["text/plain", CANARY, {}, null])),
        ("PUT", "/kv/k", json!([])),
        ("PUT", "/kv/k", json!({"value": CANARY, "tags": [["a", CANARY]]})),
        ("PUT", "/kv/k", json!({"value": CANARY, "tags": []})),
        ("PUT", "/snapshots/new", json!([[{"key": CANARY}]])),
        ("PUT", "/snapshots/new", json!({})),
        ("PUT", "/snapshots/new", Value::Null),
        filters(Value::Null),
        filters(json!([])),
        filters(json!({"key": CANARY})),
        filters(json!([CANARY])),
        filters(json!([[CANARY]])),
        filters(json!([null])),
        filters(json!([{}])),
        filters(json!([{"key": null}])),
        filters(json!([{"key": ""}])),
        filters(json!([{"key": 7}])),
        filters(json!([{"label": CANARY}])),
        filters(json!([{"key": long}])),
        filters(json!([{"key": "a*b"}])),
        filters(json!([{"key": format!("{CANARY}\n")}])),
        filters(json!([{"key": "*", "label": "a\\b"}])),
        filters(json!([{"key": "*", "label": ["a"]}])),
        filters(json!([{"key": "*", "tags": "a=b"}])),
        filters(json!([{"key": "*", "tags": {"a": "b"}}])),
        filters(json!([{"key": "*", "tags": [CANARY]}])),
        filters(json!([{"key": "*", "tags": ["a=b=c"]}])),
        filters(json!([{"key": "*"}, {"key": "*"}, {"key": "*"}, {"key": "*"}])),
        filters(json!([{"key": "a"}, {"key": "*", "tags": ["=b"]}])),
        snapshot("retention_period", json!(3_599)),
        snapshot("retention_period", json!(7_776_001)),
        snapshot("retention_period", json!(-3_600)),
        snapshot("retention_period", json!(3_600.5)),
        snapshot("retention_period", json!("3600")),
        snapshot("retention_period", json!(1e300)),
        snapshot("retention_period", json!(u64::MAX)),
        snapshot("composition_type", json!(CANARY)),
        snapshot("composition_type", json!(0)),
        snapshot("tags", json!([CANARY])),
        snapshot("tags", json!({"a": 7})),
        snapshot("description", json!({})),
        ("PATCH", "/snapshots/s", json!({"status": CANARY})),
        ("PATCH", "/snapshots/s", json!({"status": "provisioning"})),
        ("PATCH", "/snapshots/s", json!({"status": "failed"})),
        ("PATCH", "/snapshots/s", json!({"status": ""})),
        ("PATCH", "/snapshots/s", json!({"status": null})),
        ("PATCH", "/snapshots/s", json!({"status": 7})),
        ("PATCH", "/snapshots/s", json!({"status": ["archived"]})),
        ("PATCH", "/snapshots/s", json!(["archived"])),
        ("PATCH", "/snapshots/s", json!({})),
        ("PATCH", "/snapshots/s", Value::Null),
    ];
    for (method, path, body) in cases {
        let reply = store.call(method, path, &body).await;
        assert_refused(&reply, &format!("{method} {path} {body:.80}"));
    }
    for number in ["99999999999999999999999999", "1e400", "-0.0", &"9".repeat(10_000)] {
        let body = format!("{{\"filters\":[{{\"key\":\"*\"}}],\"retention_period\":{number}}}");
        assert_refused(&sent(&store, "PUT", "/snapshots/new", body).await, number);
    }
    assert_unchanged(&store).await;
}

#[tokio::test]
async fn members_that_are_not_the_clients_to_set_are_ignored() {
    let (_server, store) = start().await;
    let body = json!({
        "value": "v", "key": "other", "label": "other", "etag": "mine", "locked": true, "last_modified": 7,
        "unheard": {"of": [1e300, null]},
    });
    let set = store.call("PUT", "/kv/k", &body).await.ok();
    assert_eq!((&set["key"], &set["label"], &set["locked"]), (&json!("k"), &Value::Null, &json!(false)));
    assert_ne!(set["etag"], "mine");
    let body = json!({"filters": [{"key": "*", "x": 1}], "status": "archived", "items_count": 99, "name": "other"});
    let made = store.call("PUT", "/snapshots/new", &body).await.ok();
    assert_eq!(
        (&made["name"], &made["items_count"], &made["status"]),
        (&json!("new"), &json!(1), &json!("provisioning"))
    );
}

#[tokio::test]
async fn a_key_value_has_at_most_10_000_bytes_however_they_are_written() {
    let (_server, store) = start().await;
    let text = |members: &str| format!("{{{members}}}");
    let value = |unit: &str, count: usize| text(&format!("\"value\":\"{}\"", unit.repeat(count)));
    // The key is one byte of them.
    for (what, fits, too_much) in [
        ("plain", value("a", 9_999), value("a", 10_000)),
        ("escaped, six bytes each", value("\\u0041", 9_999), value("\\u0041", 10_000)),
        ("control characters", value("\\u0001", 9_999), value("\\u0001", 10_000)),
        ("two bytes each", value("ü", 4_999), value("ü", 5_000)),
        ("two bytes each, escaped", value("\\u00fc", 4_999), value("\\u00fc", 5_000)),
        ("four bytes each, escaped", value("\\ud83d\\ude00", 2_499), value("\\ud83d\\ude00", 2_500)),
        (
            "all members",
            text(&format!(
                "\"content_type\":\"t\",\"tags\":{{\"a\":\"b\"}},\"description\":\"d\",\"value\":\"{}\"",
                "a".repeat(9_995)
            )),
            text(&format!(
                "\"content_type\":\"t\",\"tags\":{{\"a\":\"b\"}},\"description\":\"d\",\"value\":\"{}\"",
                "a".repeat(9_996)
            )),
        ),
        (
            "a description alone",
            text(&format!("\"description\":\"{}\"", "a".repeat(9_999))),
            text(&format!("\"description\":\"{}\"", "a".repeat(10_000))),
        ),
        (
            "a content type alone",
            text(&format!("\"content_type\":\"{}\"", "a".repeat(9_999))),
            text(&format!("\"content_type\":\"{}\"", "a".repeat(10_000))),
        ),
    ] {
        let wanted: Value = serde_json::from_str(&fits).unwrap();
        sent(&store, "PUT", "/kv/k", fits).await.ok();
        let got = store.get("/kv/k").await.ok();
        let same = wanted.as_object().unwrap().iter().all(|(name, value)| got[name] == *value);
        assert!(same, "{what}: it is not what was set");
        assert_refused(&sent(&store, "PUT", "/kv/k", too_much).await, what);
    }
    // The label counts, and 10,001 bytes are one too many for it as well.
    let labelled = format!("/kv/k?{API}&label=12345");
    sent(&store, "PUT", &labelled, value("a", 9_994)).await.ok();
    assert_refused(&sent(&store, "PUT", &labelled, value("a", 9_995)).await, "with a label");
}

#[tokio::test]
async fn a_body_over_96_kib_is_413() {
    let (server, store) = start().await;
    let http1 = crate::support::client(&server.ca_pem).http1_only().build().unwrap();
    let http1 = Store { http: http1, ..store.clone() };
    let most = 96 * 1024;
    for (method, path) in WITH_BODIES.into_iter().chain([("PUT", "/locks/k"), ("DELETE", "/kv/absent"), ("GET", "/kv")])
    {
        for store in [&store, &http1] {
            let reply = sent(store, method, path, vec![b' '; most + 1]).await;
            assert_problem(&reply, 413, "invalid-argument", &format!("{method} {path}"));
        }
        assert_ne!(sent(&store, method, path, vec![b' '; most]).await.status, 413, "{method} {path}");
    }
    let (_, token) = with_role(&server, "App Configuration Data Owner", "*").await;
    let host = store.url.trim_start_matches("https://");
    let head = format!(
        "PUT /kv/k?{API} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\nContent-Type: application/json\r\n"
    );
    // Announced too large, it is refused before it is sent; in chunks, as soon as it is too much.
    let mut wire = Wire::connect(&server).await;
    wire.send(head.clone() + "Content-Length: 10000000000\r\n\r\n").await;
    let (status, body) = wire.answer().await;
    assert_eq!((status, &body["status"]), (413, &json!(413)));
    let mut wire = Wire::connect(&server).await;
    wire.send(head + "Transfer-Encoding: chunked\r\n\r\n").await;
    for _ in 0..6 {
        wire.send(format!("{:x}\r\n{}\r\n", 25_000, " ".repeat(25_000))).await;
    }
    let (status, body) = wire.answer().await;
    assert_eq!((status, &body["status"]), (413, &json!(413)));
    assert_eq!(store.get("/kv/k").await.ok()["locked"], true, "the lock was the one thing that was in order");
}

#[tokio::test]
async fn a_body_of_another_media_type_is_415() {
    let (_server, store) = start().await;
    let send = async |media_type: &str, value: &str| {
        let body = json!({ "value": value }).to_string();
        store.call_with("PUT", "/kv/k", &[("content-type", media_type)], body).await
    };
    for bad in
        ["text/plain", "application/xml", "application/x-www-form-urlencoded", "json", "application/jsonp", "*/*"]
    {
        let reply = send(bad, "refused").await;
        assert_eq!(reply.status, 415, "{bad}: {}", reply.text);
    }
    for (number, good) in [
        "application/json",
        "application/json; charset=utf-8",
        "APPLICATION/JSON",
        "application/vnd.microsoft.appconfig.kv+json",
        "application/vnd.microsoft.appconfig.kv+json;charset=utf-8",
        "application/vnd.microsoft.appconfig.kv+json, application/json",
    ]
    .into_iter()
    .enumerate()
    {
        let reply = send(good, &number.to_string()).await;
        if number < 5 {
            assert_eq!(reply.ok()["value"], number.to_string(), "{good}");
        } else {
            assert!(matches!(reply.status, 200 | 415), "{good}: {}", reply.text);
        }
    }
}
