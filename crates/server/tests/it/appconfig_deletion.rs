//! Configuration stores that are deleted: recovered, or purged when their time is over, and nothing
//! of them is in the next store of that name.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use strongroom_server::clock::Clock as _;
use strongroom_server::config_stores::{ConfigStores, StoreSettings};
use strongroom_server::jobs::tick;
use strongroom_store::Records;
use strongroom_store::memory::MemoryRecords;
use strongroom_store::records::{Batch, Record, RecordKey, RecordsError, Scan};
use strongroom_wire::{Error, ErrorKind};
use tokio::sync::Notify;

use crate::appconfig_calls::{
    Store, assert_problem, assert_unauthorized, http_date, minted, store_claims, store_name, with_role,
};
use crate::support::{API, Options, TestServer};
use crate::wire::Wire;

const DAY: i64 = 86_400;

/// Moves the clock, and runs what is due.
async fn advance(server: &TestServer, seconds: i64) {
    server.clock.advance(seconds);
    tick(&server.app).await;
}

async fn delete(server: &TestServer) -> Result<(), Error> {
    server.app.stores.delete(&store_name("dev"), server.clock.now()).await.map(drop)
}

async fn recover(server: &TestServer) -> Result<(), Error> {
    server.app.stores.recover(&store_name("dev")).await.map(drop)
}

async fn purge(server: &TestServer) -> Result<(), Error> {
    server.app.stores.purge(&store_name("dev")).await
}

fn kept(retention_days: u8, purge_protection: bool) -> StoreSettings {
    StoreSettings { retention_days, purge_protection, ..StoreSettings::default() }
}

/// It answers nobody: to a key as if that were wrong, to a token as if there were no store.
async fn assert_gone(server: &TestServer, store: &Store) {
    let owner = server.application(&format!("owner at {}", server.now())).await;
    server.assign("App Configuration Data Owner", &owner, "*").await;
    let token = minted(server, &store_claims(server, &owner));
    for (method, path) in [("GET", "/kv"), ("GET", "/kv/k"), ("PUT", "/kv/k"), ("GET", "/snapshots"), ("HEAD", "/keys")]
    {
        let body = if method == "PUT" { json!({"value": "w"}) } else { Value::Null };
        assert_unauthorized(&store.call(method, path, &body).await, "Invalid Credential", path);
        let reply = store.by(&token, method, path, &body).await;
        assert_eq!((reply.status, reply.text.as_str()), (404, ""), "{method} {path}");
    }
}

/// A store of this name has nothing in it.
async fn assert_empty(store: &Store) {
    for list in ["/kv", "/keys", "/labels", "/revisions", "/snapshots"] {
        assert_eq!(store.get(list).await.ok()["items"], json!([]), "{list}");
    }
    assert_eq!(store.values(&format!("/kv?{API}&snapshot=s")).await, [""; 0]);
    for path in ["/kv/k", "/snapshots/s"] {
        assert_eq!(store.status("GET", path).await, 404, "{path}");
    }
}

#[tokio::test]
async fn a_deleted_store_answers_nobody_until_it_is_recovered_whole() {
    let server = TestServer::start().await;
    let store = Store::with(&server, "dev", kept(3, false)).await;
    store.set("k", "one").await;
    store.set("k", "two").await;
    store.call("PUT", "/snapshots/s", &json!({"filters": [{"key": "*"}]})).await.ok();
    assert_eq!(recover(&server).await.unwrap_err().kind, ErrorKind::BadParameter, "it is not deleted");
    assert_eq!(purge(&server).await.unwrap_err().kind, ErrorKind::BadParameter, "it is not deleted");
    delete(&server).await.unwrap();
    assert_eq!(delete(&server).await.unwrap_err().kind, ErrorKind::VaultNotFound, "it is deleted");
    assert_gone(&server, &store).await;
    let listed = server.app.stores.list().await.unwrap();
    let deletion = listed[0].deletion.unwrap();
    assert_eq!((deletion.deleted, deletion.scheduled_purge), (server.now(), server.now() + 3 * DAY));
    for settings in [kept(3, false), StoreSettings::default()] {
        let refused = server.app.stores.create(&store_name("dev"), settings, server.clock.now()).await;
        assert_eq!(refused.err().unwrap().kind, ErrorKind::DeletedButRecoverable);
    }
    let set = server.app.stores.set(&store_name("dev"), |settings| settings.retention_days = 1).await;
    assert!(set.is_err(), "what was promised on deletion is not changed");
    advance(&server, 3 * DAY - 1).await;
    assert_gone(&server, &store).await;
    recover(&server).await.unwrap();
    assert_eq!(store.get("/kv/k").await.ok()["value"], "two");
    assert_eq!(store.values("/revisions").await, ["two", "one"]);
    assert_eq!(store.values(&format!("/kv?{API}&snapshot=s")).await, ["two"]);
    // The date of before does not count any more.
    advance(&server, DAY).await;
    assert_eq!(store.get("/kv/k").await.ok()["value"], "two");
    delete(&server).await.unwrap();
    advance(&server, 3 * DAY - 1).await;
    recover(&server).await.unwrap();
    assert_eq!(store.get("/kv/k").await.ok()["value"], "two", "deleted anew, so kept anew");
}

#[tokio::test]
async fn a_deleted_store_is_purged_on_time_and_the_next_of_that_name_is_empty() {
    let server = TestServer::start().await;
    let store = Store::with(&server, "dev", kept(1, false)).await;
    let neighbour = Store::of(&server, "dev-two").await;
    for store in [&store, &neighbour] {
        store.set("k", "old").await;
        store.set("k", "new").await;
        store.call("PUT", "/snapshots/s", &json!({"filters": [{"key": "*"}]})).await.ok();
    }
    for number in 0..300 {
        store.set(&format!("more-{number}"), "v").await;
    }
    let cursor = store.get("/kv").await.ok()["@nextLink"].as_str().unwrap().to_owned();
    delete(&server).await.unwrap();
    advance(&server, DAY - 1).await;
    assert_eq!(server.app.stores.list().await.unwrap().len(), 2, "a second too early");
    advance(&server, 1).await;
    assert_eq!(server.app.stores.list().await.unwrap().len(), 1);
    assert!(recover(&server).await.is_err());
    assert!(purge(&server).await.is_err());
    assert_unauthorized(&store.get("/kv").await, "Invalid Credential", "nor does its key make it anew");

    let next = Store::with(&server, "dev", kept(1, false)).await;
    assert_empty(&next).await;
    assert_unauthorized(&store.get("/kv").await, "Invalid Credential", "the key of the one before");
    assert_problem(&next.get(&cursor).await, 400, "invalid-argument", "a cursor of the one before");
    let yesterday = [("accept-datetime", http_date(server.now() - DAY))];
    let yesterday = [(yesterday[0].0, yesterday[0].1.as_str())];
    assert_eq!(next.call_with("GET", "/kv", &yesterday, "").await.ok()["items"], json!([]));
    // What was due in the one before does not touch this one; nor did its end touch its neighbour.
    advance(&server, 10 * DAY).await;
    next.set("k", "first").await;
    next.set("k", "second").await;
    advance(&server, 29 * DAY).await;
    assert_eq!(next.values("/revisions").await, ["second", "first"]);
    assert_eq!(neighbour.values(&format!("/kv?{API}&snapshot=s")).await, ["new"]);
    assert_eq!(neighbour.values("/revisions").await, ["new"]);
}

#[tokio::test]
async fn a_store_is_purged_early_unless_it_is_protected() {
    let server = TestServer::start().await;
    let store = Store::with(&server, "dev", kept(7, false)).await;
    store.set("k", "v").await;
    delete(&server).await.unwrap();
    purge(&server).await.unwrap();
    let store = Store::with(&server, "dev", kept(7, true)).await;
    assert_empty(&store).await;
    store.set("k", "v").await;
    let off = server.app.stores.set(&store_name("dev"), |settings| settings.purge_protection = false).await;
    assert!(off.is_err(), "it cannot be turned off");
    Store::with(&server, "dev", kept(7, false)).await;
    delete(&server).await.unwrap();
    for days in [0, 6] {
        advance(&server, days * DAY).await;
        assert_eq!(purge(&server).await.unwrap_err().kind, ErrorKind::PurgeProtected);
    }
    recover(&server).await.unwrap();
    assert_eq!(store.get("/kv/k").await.ok()["value"], "v");
    delete(&server).await.unwrap();
    advance(&server, 7 * DAY - 1).await;
    assert_eq!(purge(&server).await.unwrap_err().kind, ErrorKind::PurgeProtected);
    advance(&server, 1).await;
    assert!(server.app.stores.list().await.unwrap().is_empty(), "when its time is over it goes all the same");
    for days in [0, 8, 90] {
        let refused = server.app.stores.create(&store_name("other"), kept(days, false), server.clock.now()).await;
        assert_eq!(refused.err().unwrap().kind, ErrorKind::BadParameter, "{days} days");
    }
}

#[tokio::test]
async fn a_store_that_is_made_on_demand_is_not_made_over_a_deleted_one() {
    let server = TestServer::start().await;
    let (_, token) = with_role(&server, "App Configuration Data Owner", "appconfig/dev").await;
    let store = Store::of(&server, "other").await;
    let dev = Store { url: store.url.replace("other", "dev"), ..store };
    assert_eq!(dev.by(&token, "PUT", "/kv/k", &json!({"value": "v"})).await.status, 200);
    delete(&server).await.unwrap();
    assert_eq!(dev.by(&token, "GET", "/kv/k", &Value::Null).await.status, 404);
    recover(&server).await.unwrap();
    assert_eq!(dev.by(&token, "GET", "/kv/k", &Value::Null).await.ok()["value"], "v");
    delete(&server).await.unwrap();
    purge(&server).await.unwrap();
    assert_eq!(dev.by(&token, "GET", "/kv", &Value::Null).await.ok()["items"], json!([]), "made anew, and empty");
}

/// A signed write of which the server has seen the head, and waits for the body.
async fn begin_write(server: &TestServer, store: &Store, body: &str) -> Wire {
    let draft = store.draft("PUT", "/kv/k", body.as_bytes());
    let mut head = format!("PUT {} HTTP/1.1\r\nHost: {}\r\n", draft.target, draft.host);
    for (name, value) in draft.headers() {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    let length = format!("Expect: 100-continue\r\nContent-Length: {}\r\n\r\n", body.len());
    let mut wire = Wire::connect(server).await;
    wire.send(head + "Content-Type: application/json\r\n" + &length).await;
    assert_eq!(wire.answer().await.0, 100);
    wire
}

/// A request whose body is slow to come can outlive its store; what it writes must not turn up in
/// the next one of that name, to which its key never belonged.
#[tokio::test]
async fn a_write_that_was_under_way_when_its_store_was_purged_leaves_nothing_behind() {
    let server = TestServer::start().await;
    let body = json!({"value": "of the store before"}).to_string();
    for next_one_first in [true, false] {
        let store = Store::of(&server, "dev").await;
        let mut wire = begin_write(&server, &store, &body).await;
        delete(&server).await.unwrap();
        purge(&server).await.unwrap();
        if next_one_first {
            Store::of(&server, "dev").await;
        }
        wire.send(&body).await;
        let (status, _) = wire.answer().await;
        assert_empty(&Store::of(&server, "dev").await).await;
        assert!(matches!(status, 401 | 404), "it was told that it is done: {status}");
    }
}

#[tokio::test]
async fn a_write_that_is_under_way_needs_a_key_and_a_store_that_are_good_when_its_body_comes() {
    let server = TestServer::start().await;
    let store = Store::of(&server, "dev").await;
    let (name, body) = (store_name("dev"), json!({"value": "v"}).to_string());
    let mut anew = begin_write(&server, &store, &body).await;
    let mut untouched = begin_write(&server, &Store::of(&server, "other").await, &body).await;
    server.app.stores.regenerate(&name, "Primary", server.clock.now()).await.unwrap();
    let store = Store::of(&server, "dev").await;
    let mut disabled = begin_write(&server, &store, &body).await;
    server.app.stores.set(&name, |settings| settings.local_auth = false).await.unwrap();
    for (wire, status) in [(&mut anew, 401), (&mut disabled, 401), (&mut untouched, 200)] {
        wire.send(&body).await;
        assert_eq!(wire.answer().await.0, status);
    }
    server.app.stores.set(&name, |settings| settings.local_auth = true).await.unwrap();
    let mut deleted = begin_write(&server, &store, &body).await;
    delete(&server).await.unwrap();
    deleted.send(&body).await;
    assert!(matches!(deleted.answer().await.0, 401 | 404));
    recover(&server).await.unwrap();
    assert_empty(&store).await;
}

/// Records whose first read of a store's own record tells what there was when it was asked, late.
struct SlowOnce {
    records: MemoryRecords,
    slow: AtomicBool,
    reading: Notify,
    go_on: Notify,
}

#[async_trait::async_trait]
impl Records for SlowOnce {
    async fn read(&self, key: &RecordKey) -> Result<Option<Record>, RecordsError> {
        let found = self.records.read(key).await;
        if key.as_str() == "$sys/config-store/dev" && self.slow.swap(false, Ordering::SeqCst) {
            self.reading.notify_one();
            self.go_on.notified().await;
        }
        found
    }

    async fn scan(&self, scan: &Scan) -> Result<Vec<(RecordKey, Record)>, RecordsError> {
        self.records.scan(scan).await
    }

    async fn commit(&self, batch: Batch) -> Result<u64, RecordsError> {
        self.records.commit(batch).await
    }
}

/// As after a restart: nobody has asked for the store yet when it is deleted and purged.
#[tokio::test]
async fn a_store_that_is_purged_while_it_is_opened_is_not_opened() {
    let (records, slow) = (MemoryRecords::default(), AtomicBool::new(false));
    let records = Arc::new(SlowOnce { records, slow, reading: Notify::new(), go_on: Notify::new() });
    let server = TestServer::with(Options { records: records.clone(), ..Options::default() }).await;
    let maker = ConfigStores::new(records.clone(), false);
    let made = maker.create(&store_name("dev"), kept(7, false), server.clock.now()).await.unwrap();
    let store = Store::keyed(&server, &made, "Primary");
    records.slow.store(true, Ordering::SeqCst);
    let first = tokio::spawn({
        let store = store.clone();
        async move { store.get("/kv").await.status }
    });
    records.reading.notified().await;
    let ended = async {
        delete(&server).await.unwrap();
        purge(&server).await.unwrap();
    };
    let goes_on = async {
        // Whether the end of the store has to wait for who opens it, is the server's affair.
        tokio::time::sleep(Duration::from_millis(300)).await;
        records.go_on.notify_one();
    };
    tokio::join!(ended, goes_on);
    assert!(matches!(first.await.unwrap(), 200 | 401 | 404));
    assert_unauthorized(&store.get("/kv").await, "Invalid Credential", "it is there no more");
    assert_unauthorized(
        &store.call("PUT", "/kv/k", &json!({"value": "v"})).await,
        "Invalid Credential",
        "nor to write",
    );
    assert_empty(&Store::of(&server, "dev").await).await;
}
