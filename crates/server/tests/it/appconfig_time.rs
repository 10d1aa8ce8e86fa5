//! What time does to a configuration store: revisions and archived snapshots expire, one can look
//! back, and a deleted store is purged. The test moves the clock, and calls the job that otherwise
//! runs each second.

use serde_json::{Value, json};
use strongroom_server::config_stores::{StoreSettings, Tier};
use strongroom_server::jobs::tick;

use crate::appconfig_calls::{Store, assert_problem, http_date};
use crate::support::{API, Reply, TestServer};

const HOUR: i64 = 3_600;
const DAY: i64 = 86_400;

async fn start(settings: StoreSettings) -> (TestServer, Store) {
    let server = TestServer::start().await;
    let store = Store::with(&server, "dev", settings).await;
    (server, store)
}

/// Moves the clock, and runs what is due.
async fn advance(server: &TestServer, seconds: i64) {
    server.clock.advance(seconds);
    tick(&server.app).await;
}

async fn back_at(store: &Store, path: &str, moment: i64) -> Reply {
    store.call_with("GET", path, &[("accept-datetime", &http_date(moment))], "").await
}

/// `key/label=value` of all items as of a moment.
async fn items_at(store: &Store, path: &str, moment: i64) -> Vec<String> {
    let page = back_at(store, path, moment).await.ok();
    let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    let items = page["items"].as_array().unwrap().iter();
    items.map(|item| format!("{}/{}={}", text(&item["key"]), text(&item["label"]), text(&item["value"]))).collect()
}

#[tokio::test]
async fn a_revision_expires_when_it_was_superseded_30_days_ago_or_7_in_the_free_tier() {
    for (tier, days) in [(Tier::Standard, 30), (Tier::Free, 7)] {
        let (server, store) = start(StoreSettings { tier, ..StoreSettings::default() }).await;
        let created = server.now();
        store.set("k", "one").await;
        // However long a value counts: its time runs from the next one on.
        advance(&server, 100 * DAY).await;
        store.set("k", "two").await;
        advance(&server, DAY).await;
        assert_eq!(store.status("PUT", "/locks/k").await, 200);
        assert_eq!(store.values("/revisions?key=k").await, ["two", "two", "one"]);
        advance(&server, (days - 1) * DAY - 1).await;
        assert_eq!(store.values("/revisions").await, ["two", "two", "one"], "a second too early");
        assert_eq!(back_at(&store, "/kv/k", created).await.ok()["value"], "one");
        advance(&server, 1).await;
        assert_eq!(store.values("/revisions").await, ["two", "two"], "{days} days after it was superseded");
        // Beyond the history there is nothing, or it is refused.
        assert!(matches!(back_at(&store, "/kv/k", created).await.status, 400 | 404));
        advance(&server, DAY).await;
        assert_eq!(store.values("/revisions").await, ["two"]);
        // The current value never does.
        advance(&server, 1_000 * DAY).await;
        assert_eq!(store.values("/revisions").await, ["two"]);
        assert_eq!(store.get("/kv/k").await.ok()["locked"], true);
        assert_eq!(back_at(&store, "/kv/k", server.now() - DAY).await.ok()["value"], "two");
    }
}

#[tokio::test]
async fn what_was_deleted_leaves_its_revisions_for_30_days() {
    let (server, store) = start(StoreSettings::default()).await;
    for key in ["gone", "again"] {
        store.set(key, "old").await;
    }
    advance(&server, DAY).await;
    let lived = server.now();
    for key in ["gone", "again"] {
        advance(&server, 1).await;
        assert_eq!(store.status("DELETE", &format!("/kv/{key}")).await, 200);
    }
    advance(&server, 10 * DAY).await;
    store.set("again", "new").await;
    assert_eq!(store.values("/revisions").await, ["new", "old", "old"]);
    assert_eq!(items_at(&store, "/kv", lived).await, ["again/-=old", "gone/-=old"]);
    assert_eq!(items_at(&store, "/kv", server.now() - DAY).await, [""; 0], "when both were deleted");
    assert_eq!(back_at(&store, "/kv/again", server.now() - DAY).await.status, 404);
    advance(&server, 20 * DAY - 2).await;
    assert_eq!(store.values("/revisions").await, ["new", "old", "old"], "a second too early");
    advance(&server, 1).await;
    assert_eq!(store.values("/revisions").await, ["new", "old"]);
    advance(&server, 1).await;
    assert_eq!(store.values("/revisions").await, ["new"]);
    assert_eq!(store.get("/kv/again").await.ok()["value"], "new");
    // As if it had never been there.
    store.set("gone", "anew").await;
    assert_eq!(store.values("/revisions?key=gone").await, ["anew"]);
}

#[tokio::test]
async fn all_that_is_due_at_once_expires_in_one_go() {
    let (server, store) = start(StoreSettings::default()).await;
    for number in 0..130 {
        store.set("many", &number.to_string()).await;
        store.set(&format!("k{number}"), "first").await;
        store.set(&format!("k{number}"), "second").await;
    }
    assert_eq!(store.values("/revisions").await.len(), 390);
    advance(&server, 30 * DAY).await;
    let left = store.values("/revisions").await;
    assert_eq!(left.len(), 131);
    assert!(left.iter().all(|value| value == "second" || value == "129"), "{left:?}");
}

#[tokio::test]
async fn one_sees_what_there_was_at_any_moment() {
    let (server, store) = start(StoreSettings::default()).await;
    let t = server.now();
    let set = async |path: &str, value: &str, tag: &str| {
        store.call("PUT", path, &json!({"value": value, "tags": {"env": tag}})).await.ok();
    };
    let labelled = format!("/kv/a?{API}&label=x");
    set("/kv/a", "1", "test").await;
    advance(&server, 10).await;
    set(&labelled, "2", "test").await;
    set("/kv/b%2Fc", "3", "prod").await;
    advance(&server, 10).await;
    set("/kv/a", "4", "prod").await;
    set("/kv/a", "5", "prod").await;
    assert_eq!(store.status("PUT", &labelled.replace("/kv", "/locks")).await, 200);
    advance(&server, 10).await;
    assert_eq!(store.status("DELETE", "/kv/b%2Fc").await, 200);
    advance(&server, 10).await;
    set("/kv/b%2Fc", "6", "test").await;
    advance(&server, 10).await;
    let last = ["a/-=5", "a/x=2", "b/c/-=6"];
    for (after, wanted) in [
        (-1, &[][..]),
        (0, &["a/-=1"][..]),
        (9, &["a/-=1"]),
        (10, &["a/-=1", "a/x=2", "b/c/-=3"]),
        (20, &["a/-=5", "a/x=2", "b/c/-=3"]),
        (30, &["a/-=5", "a/x=2"]),
        (40, &last),
        (50, &last),
        (60, &last),
    ] {
        assert_eq!(items_at(&store, "/kv", t + after).await, wanted, "{after}");
        let of_key: Vec<&str> = wanted.iter().copied().filter(|item| item.starts_with("a/")).collect();
        assert_eq!(items_at(&store, &format!("/kv?{API}&key=a"), t + after).await, of_key, "{after}");
        let single = back_at(&store, "/kv/b%2Fc", t + after).await;
        let there = wanted.iter().find_map(|item| item.strip_prefix("b/c/-="));
        assert_eq!(single.json["value"].as_str(), there, "{after}");
        assert_eq!(single.status, if there.is_some() { 200 } else { 404 }, "{after}");
        let names = async |path: &str| {
            let page = back_at(&store, path, t + after).await.ok();
            page["items"].as_array().unwrap().iter().map(|item| item["name"].clone()).collect::<Vec<_>>()
        };
        let mut keys: Vec<&str> = wanted.iter().map(|item| item.rsplit_once('/').unwrap().0).collect();
        keys.dedup();
        assert_eq!(names("/keys").await, keys, "{after}");
        let labels = [Value::Null, json!("x")];
        assert_eq!(names("/labels").await, labels[..if after < 0 { 0 } else { 1 + usize::from(after >= 10) }]);
    }
    let tagged = format!("/kv?{API}&tags=env%3Dprod&label=%00");
    assert_eq!(items_at(&store, &tagged, t + 25).await, ["a/-=5", "b/c/-=3"]);
    assert_eq!(items_at(&store, "/revisions", t + 20).await, ["a/-=5", "a/-=4", "a/-=1", "a/x=2", "a/x=2", "b/c/-=3"]);
    assert_eq!(back_at(&store, &labelled, t + 19).await.ok()["locked"], false);
    assert_eq!(back_at(&store, &labelled, t + 20).await.ok()["locked"], true);
    assert_eq!(back_at(&store, &labelled, t + 19).await.status, 200);
}

#[tokio::test]
async fn a_look_back_says_so_in_its_headers_and_in_every_form_of_date() {
    let (server, store) = start(StoreSettings::default()).await;
    for number in 0..101 {
        store.set(&format!("k{number:03}"), "v").await;
    }
    let written = server.now();
    advance(&server, HOUR).await;
    let at = time::OffsetDateTime::from_unix_timestamp(written).unwrap();
    let iso = format!(
        "{}-{:02}-{:02} {:02}:{:02}:{:02}",
        at.year(),
        u8::from(at.month()),
        at.day(),
        at.hour(),
        at.minute(),
        at.second()
    );
    let links = |reply: &Reply| -> Vec<String> {
        let lines = reply.headers.get_all("link").iter().map(|line| line.to_str().unwrap().to_owned());
        lines.collect::<Vec<_>>().join(", ").split(", ").map(str::to_owned).filter(|link| !link.is_empty()).collect()
    };
    for (path, status) in
        [("/kv", 200), ("/keys", 200), ("/labels", 200), ("/revisions", 200), ("/kv/k001", 200), ("/kv/absent", 404)]
    {
        for date in [http_date(written), iso.clone(), format!("{iso}.541274"), format!("{iso}+00:00")] {
            let reply = store.call_with("GET", path, &[("accept-datetime", &date)], "").await;
            let what = format!("{path} at {date}");
            assert_eq!(reply.status, status, "{what}");
            assert_eq!(reply.header("memento-datetime"), http_date(written), "{what}");
            let original = format!("<{path}?{API}>; rel=\"original\"");
            let mut links = links(&reply);
            assert_eq!(links.pop(), Some(original), "{what}");
            // The next page comes first: some clients read only the first link.
            let pages = usize::from(matches!(path, "/kv" | "/keys" | "/revisions"));
            assert_eq!(links.len(), pages, "{what}");
            assert!(links.iter().all(|link| link.ends_with("; rel=\"next\"")), "{what}: {links:?}");
        }
        for now in [None, Some(server.now() + HOUR)] {
            let date = now.map(http_date);
            let headers: Vec<(&str, &str)> = date.iter().map(|date| ("accept-datetime", date.as_str())).collect();
            let reply = store.call_with("GET", path, &headers, "").await;
            assert_eq!((reply.status, reply.header("memento-datetime")), (status, ""), "{path}: the present");
            assert!(!links(&reply).iter().any(|link| link.contains("original")), "{path}: the present");
        }
        for garbage in
            ["yesterday", "", "2026-13-45 00:00:00", "Sat, 99 Nov 2026 00:00:00 GMT", "9".repeat(100).as_str()]
        {
            let reply = store.call_with("GET", path, &[("accept-datetime", garbage)], "").await;
            assert_problem(&reply, 400, "invalid-argument", &format!("{path} at {garbage:?}"));
        }
    }
    // The next page of a look back is one too.
    let page = back_at(&store, "/kv", written - 1).await.ok();
    assert_eq!(page["items"], json!([]));
    store.set("k1005", "later").await;
    let page = back_at(&store, "/kv", written).await.ok();
    let rest = back_at(&store, page["@nextLink"].as_str().unwrap(), written).await.ok();
    assert_eq!(rest["items"].as_array().unwrap().len(), 1, "what came later is not among it");
}

#[tokio::test]
async fn an_archived_snapshot_expires_and_a_recovered_one_does_not() {
    let (server, store) = start(StoreSettings::default()).await;
    store.set("k", "then").await;
    let change = async |name: &str, status: &str| {
        store.call("PATCH", &format!("/snapshots/{name}"), &json!({"status": status})).await.ok()
    };
    let items = async |name: &str| store.values(&format!("/kv?{API}&snapshot={name}")).await;
    for name in ["expires", "recovered", "ready"] {
        let new = json!({"filters": [{"key": "*"}], "retention_period": HOUR});
        assert_eq!(store.call("PUT", &format!("/snapshots/{name}"), &new).await.status, 201);
        assert_eq!(store.get(&format!("/snapshots/{name}")).await.ok()["expires"], Value::Null);
    }
    store.set("k", "now").await;
    // However long it is ready.
    advance(&server, 100 * DAY).await;
    for name in ["expires", "recovered"] {
        let archived = change(name, "archived").await;
        let at = time::OffsetDateTime::from_unix_timestamp(server.now() + HOUR).unwrap();
        let rfc3339 = at.format(&time::format_description::well_known::Rfc3339).unwrap().replace('Z', "+00:00");
        assert_eq!((&archived["status"], &archived["expires"]), (&json!("archived"), &json!(rfc3339)));
        assert_eq!(change(name, "archived").await, archived, "the same again changes nothing");
    }
    advance(&server, HOUR - 1).await;
    assert_eq!(items("expires").await, ["then"], "an archived one is read as before");
    let recovered = change("recovered", "ready").await;
    assert_eq!((&recovered["status"], &recovered["expires"]), (&json!("ready"), &Value::Null));
    advance(&server, 1).await;
    assert_eq!(store.status("GET", "/snapshots/expires").await, 404);
    assert_eq!(store.status("PATCH", "/snapshots/expires").await, 400, "no status is asked for");
    let ready = store.call("PATCH", "/snapshots/expires", &json!({"status": "ready"})).await;
    assert_eq!((ready.status, ready.text.as_str()), (404, ""));
    assert_eq!(items("expires").await, [""; 0]);
    let listed = store.get("/snapshots").await.ok();
    let names: Vec<&Value> = listed["items"].as_array().unwrap().iter().map(|item| &item["name"]).collect();
    assert_eq!(names, ["ready", "recovered"]);
    advance(&server, 100 * DAY).await;
    for name in ["ready", "recovered"] {
        assert_eq!(items(name).await, ["then"], "{name}");
    }
    // Archived once more, it is kept once more; and the name of what is gone is free.
    change("recovered", "archived").await;
    assert_eq!(store.call("PUT", "/snapshots/expires", &json!({"filters": [{"key": "*"}]})).await.status, 201);
    advance(&server, HOUR - 1).await;
    assert_eq!(items("recovered").await, ["then"]);
    advance(&server, 1).await;
    assert_eq!(items("recovered").await, [""; 0]);
    change("expires", "archived").await;
    advance(&server, 30 * DAY - 1).await;
    assert_eq!(items("expires").await, ["now"], "30 days unless told otherwise");
    advance(&server, 1).await;
    assert_eq!(items("expires").await, [""; 0]);
}
