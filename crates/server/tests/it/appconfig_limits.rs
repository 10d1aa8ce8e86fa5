//! The quota of a store, and the answers to HEAD.

use http::HeaderMap;
use serde_json::{Value, json};
use strongroom_server::appconfig::ROUTES;
use strongroom_server::config_stores::{StoreSettings, Tier};
use strongroom_server::jobs::tick;

use crate::appconfig_calls::{Store, assert_problem, http_date, is_read, path, store_name};
use crate::support::{API, Reply, TestServer, client};

const DAY: i64 = 86_400;

/// Sets `path` to values of 9,900 bytes until the store is full; how often it was not.
async fn fill(store: &Store, path: impl Fn(usize) -> String) -> (usize, Reply) {
    for number in 0.. {
        let value = format!("{number:05}{}", "x".repeat(9_895));
        let reply = store.call("PUT", &path(number), &json!({ "value": value })).await;
        if reply.status != 200 {
            return (number, reply);
        }
    }
    unreachable!()
}

/// A quota that is used up: 429, of this policy, and when to try again.
#[track_caller]
fn assert_full(reply: &Reply, what: &str) {
    assert_problem(reply, 429, "too-many-requests", what);
    assert_eq!(reply.json["policy"], "Storage", "{what}");
    assert_eq!(reply.json["title"], "Resource utilization has surpassed the assigned quota", "{what}");
    let seconds: u64 = reply.header("retry-after").parse().unwrap();
    let milliseconds: u64 = reply.header("retry-after-ms").parse().unwrap();
    assert!(seconds > 0 && milliseconds > 0, "{what}");
}

#[tokio::test]
async fn the_free_tier_takes_10_mb_and_is_read_and_emptied_all_the_same() {
    let server = TestServer::start().await;
    let free = StoreSettings { tier: Tier::Free, ..StoreSettings::default() };
    let store = Store::with(&server, "dev", free).await;
    let (written, reply) = fill(&store, |number| format!("/kv/k{number}")).await;
    assert!((900..=1_060).contains(&written), "{written} key-values of 10 kB");
    assert_full(&reply, "a new key-value");
    assert_eq!(store.status("GET", &format!("/kv/k{written}")).await, 404, "nothing of it is kept");
    let big = json!({"value": "y".repeat(9_900)});
    assert_full(&store.call("PUT", "/kv/k0", &big).await, "another value: the one before is still there");
    let all = store.call("PUT", "/snapshots/s", &json!({"filters": [{"key": "*"}]})).await;
    assert_full(&all, "a snapshot of everything");
    assert_eq!(store.status("GET", "/snapshots/s").await, 404);

    for route in ROUTES.iter().filter(|route| is_read(route) && !matches!(route.id, "A11" | "A12" | "A15")) {
        let reply = store.call(route.method.as_str(), &path(route, "k0"), &Value::Null).await;
        assert_eq!(reply.status, 200, "{}", route.id);
    }
    assert_eq!(store.values("/kv").await.len(), written);
    let same = store.get("/kv/k7").await.ok()["value"].clone();
    store.call("PUT", "/kv/k7", &json!({ "value": same })).await.ok();
    assert_eq!(Store::with(&server, "other", free).await.set("k", "v").await["value"], "v", "it is this store's");

    // What is deleted makes room when its revisions are gone, 7 days later.
    for number in 0..written {
        assert_eq!(store.status("DELETE", &format!("/kv/k{number}")).await, 200, "{number}");
    }
    assert_eq!(store.values("/kv").await, [""; 0]);
    assert_full(&store.call("PUT", "/kv/k0", &big).await, "the revisions are still there");
    server.clock.advance(7 * DAY);
    tick(&server.app).await;
    let (again, reply) = fill(&store, |_| "/kv/one".to_owned()).await;
    assert_full(&reply, "revisions of one key-value");
    assert!(again.abs_diff(written) <= 2, "room for {again} revisions, and for {written} key-values before");
    // A larger tier takes more at once.
    server.app.stores.set(&store_name("dev"), |settings| settings.tier = Tier::Standard).await.unwrap();
    store.call("PUT", "/kv/one", &big).await.ok();
    store.call("PUT", "/snapshots/s", &json!({"filters": [{"key": "*"}]})).await.ok();
}

#[tokio::test]
async fn snapshots_take_room_and_give_it_back_when_they_expire() {
    let server = TestServer::start().await;
    let store = Store::with(&server, "dev", StoreSettings { tier: Tier::Free, ..StoreSettings::default() }).await;
    for number in 0..100 {
        let value = "x".repeat(9_900);
        store.call("PUT", &format!("/kv/k{number}"), &json!({ "value": value })).await.ok();
    }
    let new = json!({"filters": [{"key": "*"}], "retention_period": 3_600});
    let fill = async |prefix: &str| {
        for number in 0.. {
            let reply = store.call("PUT", &format!("/snapshots/{prefix}-{number}"), &new).await;
            if reply.status != 201 {
                return (number, reply);
            }
        }
        unreachable!()
    };
    let (made, reply) = fill("a").await;
    assert_full(&reply, "one snapshot too many");
    assert!((7..=10).contains(&made), "{made} snapshots of 1 MB");
    for number in 0..made {
        let archived = json!({"status": "archived"});
        store.call("PATCH", &format!("/snapshots/a-{number}"), &archived).await.ok();
    }
    assert_full(&fill("b").await.1, "archived, they are still there");
    server.clock.advance(3_600);
    tick(&server.app).await;
    assert_eq!(fill("c").await.0, made);
}

/// All headers but those that differ from answer to answer. HTTP/2 need not say that there is no content.
fn comparable(headers: &HeaderMap) -> Vec<(String, String)> {
    let all = headers.iter().map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()));
    let differs = |(name, value): &(String, String)| {
        matches!(name.as_str(), "date" | "x-ms-request-id") || (name == "content-length" && value == "0")
    };
    let mut all: Vec<_> = all.filter(|header| !differs(header)).collect();
    all.sort();
    all
}

/// A path, headers, and the status of GET and HEAD.
type Case<'a> = (String, Vec<(&'a str, &'a str)>, u16);

#[tokio::test]
async fn the_answer_to_head_has_the_headers_of_that_to_get_and_no_body() {
    let server = TestServer::start().await;
    let store = Store::of(&server, "dev").await;
    for number in 0..101 {
        let path = format!("/kv/k{number}?{API}&label=l{number}");
        store.call("PUT", &path, &json!({"value": "v"})).await.ok();
        let filters = json!({"filters": [{"key": "k1"}]});
        store.call("PUT", &format!("/snapshots/s{number}"), &filters).await.ok();
    }
    store.set("k", "v").await;
    let etag = store.get("/kv/k").await.header("etag").to_owned();
    let page = store.get("/kv").await.header("etag").to_owned();
    let date = http_date(server.now());
    let http1 = Store { http: client(&server.ca_pem).http1_only().build().unwrap(), ..store.clone() };
    let mut cases: Vec<Case<'_>> = Vec::new();
    assert_eq!(ROUTES.iter().filter(|route| route.method == "HEAD").count(), 7);
    for list in ["/keys", "/kv", "/labels", "/revisions", "/snapshots"] {
        cases.push((list.to_owned(), vec![], 200));
        cases.push((format!("{list}?api-version=2022-11-01-preview"), vec![], 200));
        cases.push((format!("{list}?{API}&after=garbage"), vec![], 400));
        if list != "/snapshots" {
            cases.push((list.to_owned(), vec![("accept-datetime", &date)], 200));
        }
    }
    cases.extend([
        ("/kv/k".to_owned(), vec![], 200),
        ("/kv/k".to_owned(), vec![("accept-datetime", date.as_str())], 200),
        ("/kv/k".to_owned(), vec![("if-none-match", etag.as_str())], 304),
        ("/kv/k".to_owned(), vec![("if-match", "\"other\"")], 412),
        ("/kv/absent".to_owned(), vec![], 404),
        ("/kv/absent".to_owned(), vec![("accept-datetime", date.as_str())], 404),
        ("/kv/a%00".to_owned(), vec![], 400),
        ("/kv".to_owned(), vec![("if-none-match", page.as_str())], 304),
        ("/kv".to_owned(), vec![("if-match", "\"other\"")], 412),
        (format!("/kv?{API}&snapshot=s1"), vec![], 200),
        (format!("/kv?{API}&snapshot=absent"), vec![], 200),
        (format!("/kv?{API}&key=a*b"), vec![], 400),
        ("/snapshots/s1".to_owned(), vec![], 200),
        ("/snapshots/s1".to_owned(), vec![("if-match", "\"other\"")], 412),
        ("/snapshots/absent".to_owned(), vec![], 404),
        ("/nowhere".to_owned(), vec![], 404),
    ]);
    for (path, headers, status) in cases {
        for store in [&store, &http1] {
            let get = store.call_with("GET", &path, &headers, "").await;
            let head = store.call_with("HEAD", &path, &headers, "").await;
            let what = format!("{path} {headers:?}");
            assert_eq!((get.status, head.status), (status, status), "{what}");
            assert_eq!(head.text, "", "{what}");
            assert_eq!(comparable(&head.headers), comparable(&get.headers), "{what}");
            // RFC 9110 section 8.6: it would be the length of the 200.
            assert!(status != 304 || !head.headers.contains_key("content-length"), "{what}");
            assert_eq!(head.headers.contains_key("sync-token"), !matches!(path.as_str(), "/nowhere"), "{what}");
            if status == 200 && get.json["@nextLink"].is_string() {
                let next = format!("<{}>; rel=\"next\"", get.json["@nextLink"].as_str().unwrap());
                assert_eq!(head.header("link"), next, "{what}");
            }
        }
    }
    // A page by its etag is 304 with the link to the next one, or clients stop there.
    let unchanged = store.call_with("HEAD", "/kv", &[("if-none-match", page.as_str())], "").await;
    assert!(unchanged.header("link").ends_with("rel=\"next\""), "{:?}", unchanged.headers);
    // Refused for want of a credential it has no body either, and a write is none.
    assert_eq!(store.send("HEAD", "/kv", &vec![], "").await.status, 401);
    assert_eq!(store.status("HEAD", &format!("/operations?{API}&snapshot=s1")).await, 405);
}

/// Nothing that a client says of its session makes a request fail.
#[tokio::test]
async fn headers_that_cannot_be_read_are_no_reason_to_refuse() {
    let server = TestServer::start().await;
    let store = Store::of(&server, "dev").await;
    store.set("k", "v").await;
    let long = "x".repeat(8_000);
    for (name, value) in [
        ("sync-token", "garbage"),
        ("sync-token", "kv=MA==;sn=1"),
        ("sync-token", "=;sn=-1,,;;==,kv="),
        ("sync-token", "kv=MA==;sn=99999999999999999999999999"),
        ("sync-token", long.as_str()),
        ("if-none-match", "W/\"other\", garbage"),
        ("if-none-match", ",,,"),
        ("accept", "text/html"),
        ("accept-encoding", "x-unknown;q=garbage"),
        ("range", "items=0-2"),
        ("content-type", "text/plain"),
        ("x-http-method-override", "DELETE"),
        ("x-http-method", "DELETE"),
    ] {
        for path in ["/kv/k", "/kv"] {
            let reply = store.call_with("GET", path, &[(name, value)], "").await;
            assert!(matches!(reply.status, 200 | 206), "{path} {name}: {value:.40}: {}", reply.status);
        }
    }
    let reply = store.call_with("GET", "/kv/k", &[("x-ms-client-request-id", "mine")], "").await;
    let tokens: Vec<&str> = reply.header("sync-token").split(';').collect();
    assert!(tokens[0].contains('=') && tokens[1].strip_prefix("sn=").unwrap().parse::<u64>().is_ok(), "{tokens:?}");
    assert!(!reply.header("x-ms-request-id").is_empty());
    let before: u64 = tokens[1][3..].parse().unwrap();
    let after = store.call("PUT", "/kv/k", &json!({"value": "w"})).await;
    let after: u64 = after.header("sync-token").split("sn=").nth(1).unwrap().parse().unwrap();
    assert!(after > before, "a write moves it on: {before} {after}");
}
