//! Requests that are signed with an access key (contract 2.8.2): what is accepted, and that
//! everything else is not.

use std::collections::HashSet;
use std::sync::Arc;

use axum::body::Body;
use http::Request;
use serde_json::{Value, json};
use strongroom_server::appconfig::{self, ROUTES};
use strongroom_server::clock::Clock as _;
use strongroom_server::config_stores::{ConfigStores, StoreRecord, StoreSettings};
use strongroom_store::memory::MemoryRecords;
use strongroom_store::records::{Batch, RecordKey, Records as _};

use crate::appconfig_calls::{
    Draft, Headers, Key, Store, assert_unauthorized, body, content_hash, http_date, is_read, path, store_name,
    with_role,
};
use crate::support::{API, Options, TestServer, client, machine_time};

/// The contract's reference vector: what the Python SDK was seen to sign.
fn vector() -> (Draft, &'static str, &'static str) {
    let content = r#"{"key": "k", "value": "v", "tags": {}}"#;
    let draft = Draft {
        key: Key { id: "vector".into(), secret: b"secretsecret".to_vec() },
        method: "PUT".into(),
        target: "/kv/k?api-version=2026-04-01".into(),
        host: "h.example.com".into(),
        date: "Nov, 21 2026 00:35:49.408620 GMT".into(),
        hash: content_hash(content.as_bytes()),
    };
    (draft, content, "A1WmhaJ70BNLpWO+lC011svE1ab8sWuQbQI7n1R8h4E=")
}

/// 2026-11-21 00:35:49 UTC.
const VECTORS_TIME: i64 = 1_795_221_349;

#[test]
fn the_signer_of_these_tests_makes_the_reference_vector() {
    let (draft, content, signature) = vector();
    assert_eq!(content.len(), 38);
    assert_eq!(draft.hash, "dNP6LjgWDU8YoGlcf7C9cnFvGhe031euT6KjYthEIPw=");
    assert_eq!(draft.signature(), signature);
    assert_eq!(content_hash(b""), "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=");
    assert_eq!(http_date(VECTORS_TIME), "Sat, 21 Nov 2026 00:35:49 GMT");
}

/// The vector's host is none of a test server's, so it is given to the data plane itself; its store
/// has a key with the vector's secret.
#[tokio::test]
async fn the_server_accepts_the_reference_vector() {
    let records = Arc::new(MemoryRecords::default());
    let (name, record) = (store_name("vector"), RecordKey::new("$sys/config-store/vector"));
    let maker = ConfigStores::new(records.clone(), false);
    maker.create(&name, StoreSettings::default(), machine_time()).await.unwrap();
    let mut kept: Value = serde_json::from_slice(&records.read(&record).await.unwrap().unwrap().value).unwrap();
    (kept["keys"][0]["id"], kept["keys"][0]["secret"]) = (json!("vector"), json!("c2VjcmV0c2VjcmV0"));
    let mut batch = Batch::default();
    batch.put(record, kept.to_string().into_bytes());
    records.commit(batch).await.unwrap();

    let server = TestServer::with(Options { records, ..Options::default() }).await;
    server.clock.advance(VECTORS_TIME - server.now());
    let (draft, content, signature) = vector();
    let sent = async |signature: &str, content: &str| {
        let signed = "Credential=vector&SignedHeaders=x-ms-date;host;x-ms-content-sha256";
        let request = Request::put(&draft.target)
            .header("host", &draft.host)
            .header("content-type", "application/json")
            .header("x-ms-date", &draft.date)
            .header("x-ms-content-sha256", "dNP6LjgWDU8YoGlcf7C9cnFvGhe031euT6KjYthEIPw=")
            .header("authorization", format!("HMAC-SHA256 {signed}&Signature={signature}"));
        let request = request.body(Body::from(content.to_owned())).unwrap();
        appconfig::answer(&server.app, 0, name.clone(), request).await.status().as_u16()
    };
    assert_eq!(sent(&signature.replace("A1W", "A1X"), content).await, 401);
    assert_eq!(sent(signature, &content.replace("\"v\"", "\"w\"")).await, 401);
    assert_eq!(sent(signature, content).await, 200);
}

/// Signs `names` with these values, in that order.
fn signed(draft: &Draft, names: &str, values: &[&str]) -> String {
    let signature = draft.key.sign(&format!("{}\n{}\n{}", draft.method, draft.target, values.join(";")));
    format!("HMAC-SHA256 Credential={}&SignedHeaders={names}&Signature={signature}", draft.key.id)
}

fn replaced(headers: &Headers, name: &str, change: impl Fn(&str) -> String) -> Headers {
    let change =
        |(known, value): &(String, String)| (known.clone(), if known == name { change(value) } else { value.clone() });
    headers.iter().map(change).collect()
}

fn without(headers: &Headers, name: &str) -> Headers {
    headers.iter().filter(|(known, _)| known != name).cloned().collect()
}

#[tokio::test]
async fn every_form_of_a_signature_that_sdks_send_is_accepted() {
    let server = TestServer::start().await;
    let store = Store::of(&server, "dev").await;
    let path = "/kv/a%2Fb%20c?Label=x&api-version=2023-11-01&%24Select=key,value";
    let draft = store.draft("GET", path, b"");
    let seconds = server.now();
    let at = time::OffsetDateTime::from_unix_timestamp(seconds).unwrap();
    let python = format!(
        "{:.3}, {:02} {} {:02}:{:02}:{:02}.541274 GMT",
        at.month().to_string(),
        at.day(),
        at.year(),
        at.hour(),
        at.minute(),
        at.second()
    );
    let host = draft.host.clone();
    let bare = host.split_once(':').unwrap().0.to_owned();
    let (date, hash) = (draft.date.clone(), draft.hash.clone());
    let with = |authorization: String, more: &[(&str, &str)]| {
        let mut headers = replaced(&draft.headers(), "authorization", |_| authorization.clone());
        headers.extend(more.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        headers
    };
    let comma = draft.authorization().replace('&', ",");
    let dated =
        without(&with(signed(&draft, "date;host;x-ms-content-sha256", &[&date, &host, &hash]), &[]), "x-ms-date");
    let forms = [
        ("as it is", draft.headers()),
        ("the Python SDK's date", Draft { date: python, ..draft.clone() }.headers()),
        ("the host without its port", Draft { host: bare, ..draft.clone() }.headers()),
        ("no slash at the start", Draft { target: draft.target[1..].to_owned(), ..draft.clone() }.headers()),
        ("commas between the fields", with(comma, &[])),
        ("`date`", [dated, vec![("date".to_owned(), date.clone())]].concat()),
        (
            "both dates, of which x-ms-date decides",
            with(
                signed(&draft, "date;x-ms-date;host;x-ms-content-sha256", &[&http_date(0), &date, &host, &hash]),
                &[("date", &http_date(0))],
            ),
        ),
        (
            "another order, and one header more",
            with(
                signed(&draft, "host;x-ms-content-sha256;accept;x-ms-date", &[&host, &hash, "*/*", &date]),
                &[("accept", "*/*")],
            ),
        ),
    ];
    let http1 = Store { http: client(&server.ca_pem).http1_only().build().unwrap(), ..store.clone() };
    for (what, headers) in forms {
        for sender in [&store, &http1] {
            let reply = sender.send("GET", path, &headers, "").await;
            assert_eq!(reply.status, 404, "{what}: {:?}", reply.headers);
        }
    }
}

#[tokio::test]
async fn a_forged_signature_is_refused_with_the_contracts_text_and_nothing_is_done() {
    let server = TestServer::start().await;
    let store = Store::of(&server, "dev").await;
    let other = Store::of(&server, "other").await;
    store.set("k", "before").await;
    let content = json!({"value": "after"}).to_string();
    let draft = store.draft("PUT", "/kv/k", content.as_bytes());
    let good = draft.headers();
    let again = |change: &dyn Fn(&mut Draft)| {
        let mut forged = draft.clone();
        change(&mut forged);
        // What is sent is right; what was signed is not.
        replaced(&good, "authorization", |_| forged.authorization())
    };
    let altered = |from: &str, to: &str| replaced(&good, "authorization", |value| value.replacen(from, to, 1));
    let names = |names: &str| altered("x-ms-date;host;x-ms-content-sha256", names);
    let dated = |date: &str| Draft { date: date.to_owned(), ..draft.clone() }.headers();
    let hashed = |hash: &str| Draft { hash: hash.to_owned(), ..draft.clone() }.headers();
    let now = server.now();
    let cases = [
        ("Invalid Signature", "another secret", again(&|it| it.key.secret[0] ^= 1)),
        ("Invalid Signature", "no secret at all", again(&|it| it.key.secret.clear())),
        ("Invalid Signature", "signed for GET", again(&|it| it.method = "GET".into())),
        ("Invalid Signature", "for another key", again(&|it| it.target = it.target.replace("/kv/k", "/kv/j"))),
        ("Invalid Signature", "for a label", again(&|it| it.target.push_str("&label=x"))),
        ("Invalid Signature", "for the path alone", again(&|it| it.target = "/kv/k".into())),
        ("Invalid Signature", "for another store", again(&|it| it.host = it.host.replace("dev", "other"))),
        ("Invalid Signature", "of another moment", again(&|it| it.date = http_date(now + 1))),
        ("Invalid Signature", "of another content", again(&|it| it.hash = content_hash(b""))),
        ("Invalid Signature", "the other store's secret", again(&|it| it.key.secret.clone_from(&other.key.secret))),
        ("", "empty", altered(&draft.signature(), "")),
        ("Invalid Signature", "no base64", altered(&draft.signature(), "!!!!")),
        ("Invalid Signature", "cut off", altered(&draft.signature(), &draft.signature()[..40])),
        ("Invalid Signature", "with a tail", altered(&draft.signature(), &format!("{}AAAA", &draft.signature()[..40]))),
        ("Invalid Signature", "the content's hash", altered(&draft.signature(), &draft.hash)),
        ("Signature is required", "no signature", altered("&Signature=", "&Sig=")),
        ("Signature is required", "`signature`", altered("&Signature=", "&signature=")),
        ("Invalid Credential", "another id", altered(&draft.key.id, "nobody")),
        ("Invalid Credential", "no id", altered(&draft.key.id, "")),
        ("Invalid Credential", "no credential", altered("Credential=", "Cred=")),
        ("Invalid Credential", "`credential`", altered("Credential=", "credential=")),
        ("Invalid Credential", "the other store's key", Draft { key: other.key.clone(), ..draft.clone() }.headers()),
        ("SignedHeaders parameter is required", "no SignedHeaders", altered("&SignedHeaders=", "&Signed=")),
        ("SignedHeaders parameter is required", "`signedheaders`", altered("&SignedHeaders=", "&signedheaders=")),
        ("SignedHeaders parameter is required", "nothing behind the scheme", altered(&good[0].1, "HMAC-SHA256 x")),
        ("Invalid SignedHeaders parameter", "no date signed", names("host;x-ms-content-sha256")),
        ("Invalid SignedHeaders parameter", "no host signed", names("x-ms-date;x-ms-content-sha256")),
        ("Invalid SignedHeaders parameter", "no content signed", names("x-ms-date;host")),
        ("", "nothing signed", names("")),
        (
            "Required signing request header 'x-absent' not found",
            "a header that is not there",
            names("x-ms-date;host;x-ms-content-sha256;x-absent"),
        ),
        ("Required signing request header 'x-ms-date' not found", "no date", without(&good, "x-ms-date")),
        (
            "Required signing request header 'x-ms-content-sha256' not found",
            "no hash",
            without(&good, "x-ms-content-sha256"),
        ),
        ("Invalid access token date", "no date in the date", dated("yesterday")),
        ("The access token has expired", "16 minutes old", dated(&http_date(now - 16 * 60))),
        ("The access token has expired", "16 minutes ahead", dated(&http_date(now + 16 * 60))),
        ("The access token has expired", "of the last century", dated("Sun, 21 Nov 1999 00:12:31 GMT")),
        ("Invalid request content hash", "the hash of nothing", hashed(&content_hash(b""))),
        ("Invalid request content hash", "the hash of another content", hashed(&content_hash(b"{}"))),
        ("Invalid request content hash", "no base64 in the hash", hashed("!")),
        ("Invalid request content hash", "an empty hash", hashed("UNSIGNED-PAYLOAD")),
    ];
    for (told, what, headers) in cases {
        let reply = store.send("PUT", "/kv/k", &headers, content.clone()).await;
        assert_unauthorized(&reply, told, what);
    }
    assert_eq!(store.get("/kv/k").await.ok()["value"], "before");
    assert_eq!(store.values("/revisions?key=k").await, ["before"]);
    store.send("PUT", "/kv/k", &good, content).await.ok();
}

/// Scheme enabled, SignedHeaders, date, credential, signature, content: what comes first is told.
#[tokio::test]
async fn what_is_wrong_is_looked_for_in_the_order_of_the_contract() {
    let server = TestServer::start().await;
    let store = Store::of(&server, "dev").await;
    let mut wrong = store.draft("PUT", "/kv/k", b"another content");
    (wrong.key.id, wrong.date) = ("nobody".into(), http_date(server.now() - 3_600));
    let reply = async |draft: &Draft, change: fn(&str) -> String| {
        let headers = replaced(&draft.headers(), "authorization", change);
        store.send("PUT", "/kv/k", &headers, "{}").await
    };
    let broken = |value: &str| value.replace("Signature=", "Signature=AAAA");
    assert_unauthorized(
        &reply(&wrong, |value| value.replace("Signature=", "Signature=AAAA").replace(";host", "")).await,
        "Invalid SignedHeaders parameter",
        "all",
    );
    assert_unauthorized(&reply(&wrong, broken).await, "The access token has expired", "all but the names");
    wrong.date = http_date(server.now());
    assert_unauthorized(&reply(&wrong, broken).await, "Invalid Credential", "all but the date");
    wrong.key.id.clone_from(&store.key.id);
    assert_unauthorized(&reply(&wrong, broken).await, "Invalid Signature", "signature and content");
    assert_unauthorized(&reply(&wrong, str::to_owned).await, "Invalid request content hash", "content");
    let set = server.app.stores.set(&store_name("dev"), |settings| settings.local_auth = false).await;
    set.unwrap();
    assert_unauthorized(&reply(&wrong, |_| "HMAC-SHA256 x".into()).await, "Authentication scheme disabled", "scheme");
}

#[tokio::test]
async fn a_signed_request_is_good_for_15_minutes_and_not_for_16() {
    let server = TestServer::start().await;
    let store = Store::of(&server, "dev").await;
    let ahead = Draft { date: http_date(server.now() + 16 * 60), ..store.draft("GET", "/kv", b"") }.headers();
    let now = store.draft("GET", "/kv", b"").headers();
    let expired = "The access token has expired";
    assert_unauthorized(&store.send("GET", "/kv", &ahead, "").await, expired, "16 minutes ahead");
    server.clock.advance(60);
    for (headers, what) in [(&ahead, "15 minutes ahead"), (&now, "a minute old")] {
        assert_eq!(store.send("GET", "/kv", headers, "").await.status, 200, "{what}");
    }
    server.clock.advance(14 * 60);
    assert_eq!(store.send("GET", "/kv", &now, "").await.status, 200, "15 minutes old");
    server.clock.advance(60);
    assert_unauthorized(&store.send("GET", "/kv", &now, "").await, expired, "16 minutes old");
}

#[tokio::test]
async fn no_operation_accepts_a_wrong_signature() {
    let server = TestServer::start().await;
    let store = Store::of(&server, "dev").await;
    let wrong = Store { key: Key { secret: b"another secret".to_vec(), ..store.key.clone() }, ..store.clone() };
    let absent = Store { url: store.url.replace("dev", "absent"), ..store.clone() };
    for route in ROUTES {
        let path = path(route, "n");
        let reply = wrong.call(route.method.as_str(), &path, &body(route)).await;
        assert_unauthorized(&reply, "Invalid Signature", route.id);
        let reply = absent.call(route.method.as_str(), &path, &body(route)).await;
        assert_unauthorized(&reply, "Invalid Credential", route.id);
    }
    assert_eq!(server.app.stores.list().await.unwrap().len(), 1, "a signature made a store");
}

#[tokio::test]
async fn a_read_only_key_reads_and_writes_nothing() {
    let server = TestServer::start().await;
    let owner = Store::of(&server, "dev").await;
    let open = server.app.stores.find(&store_name("dev")).await.unwrap().unwrap();
    for (number, name) in ["Primary Read Only", "Secondary Read Only", "Primary", "Secondary"].into_iter().enumerate() {
        let holder = Store::keyed(&server, &open, name);
        for route in ROUTES {
            let (object, what) = (format!("{}-{number}", route.id), format!("{} with {name}", route.id));
            owner.prepare(route, &object).await;
            let call = async |who: &Store| who.call(route.method.as_str(), &path(route, &object), &body(route)).await;
            let reply = call(&holder).await;
            if number < 2 && !is_read(route) {
                assert_eq!((reply.status, reply.text.as_str()), (403, ""), "{what}");
                assert!(matches!(call(&owner).await.status, 200 | 201), "{what}: it was done after all");
            } else {
                assert_eq!(reply.status, if route.id == "A13" { 201 } else { 200 }, "{what}: {}", reply.text);
            }
        }
    }
}

#[tokio::test]
async fn a_key_that_is_made_anew_counts_at_once_and_the_one_before_no_more() {
    let server = TestServer::start().await;
    let store = Store::of(&server, "dev").await;
    let before = server.app.stores.find(&store_name("dev")).await.unwrap().unwrap();
    let ids: HashSet<&str> = before.record.keys.iter().map(|key| key.id.as_str()).collect();
    assert_eq!(ids.len(), 4);
    store.set("k", "v").await;
    for which in ["Primary", "secondary", "Primary Read Only", before.record.keys[3].id.as_str()] {
        let regenerated = server.app.stores.regenerate(&store_name("dev"), which, server.clock.now()).await;
        regenerated.unwrap();
    }
    let after = server.app.stores.find(&store_name("dev")).await.unwrap().unwrap();
    for (old, new) in before.record.keys.iter().zip(&after.record.keys) {
        assert_eq!((&old.name, old.read_only), (&new.name, new.read_only));
        let reply = Store::keyed(&server, &before, &old.name).get("/kv/k").await;
        assert_unauthorized(&reply, "Invalid Credential", &old.name);
        // The new id does not lend its weight to the old secret.
        let mixed = Key { id: new.id.clone(), ..Key::of(old) };
        let reply = Store { key: mixed, ..store.clone() }.get("/kv/k").await;
        assert_unauthorized(&reply, "Invalid Signature", &old.name);
        assert_eq!(Store::keyed(&server, &after, &new.name).get("/kv/k").await.ok()["value"], "v");
        let string = StoreRecord::connection_string(&store.url, new).expose().clone();
        let parts: Vec<&str> = string.split(';').map(|part| part.split_once('=').unwrap().0).collect();
        assert_eq!(parts, ["Endpoint", "Id", "Secret"]);
    }
    let unknown = server.app.stores.regenerate(&store_name("dev"), "Tertiary", server.clock.now()).await;
    assert!(unknown.is_err());
}

#[tokio::test]
async fn without_local_authentication_only_tokens_are_accepted() {
    let server = TestServer::start().await;
    let store = Store::of(&server, "dev").await;
    let (_, token) = with_role(&server, "App Configuration Data Owner", "*").await;
    let switch = async |on| {
        server.app.stores.set(&store_name("dev"), |settings| settings.local_auth = on).await.unwrap();
    };
    switch(false).await;
    for route in ROUTES {
        let reply = store.call(route.method.as_str(), &path(route, "n"), &body(route)).await;
        assert_unauthorized(&reply, "Authentication scheme disabled", route.id);
        let by_token = store.by(&token, route.method.as_str(), &path(route, "n"), &body(route)).await;
        assert!(matches!(by_token.status, 200 | 201 | 204 | 404), "{}: {}", route.id, by_token.status);
    }
    assert_eq!(Store::of(&server, "other").await.status("GET", "/kv").await, 200, "it is this store's setting");
    switch(true).await;
    assert_eq!(store.status("GET", "/kv").await, 200);
}

#[tokio::test]
async fn the_signed_target_is_that_of_the_request_line() {
    let server = TestServer::start().await;
    let store = Store::of(&server, "dev").await;
    store.set("k", "v").await;
    for target in [
        format!("/kv/k?{API}"),
        format!("/kv/%6B?{API}"),
        format!("/kv/k?API-Version=2023-11-01&{}", "x=%2f%2F&y=a+b&&z"),
        format!("//kv/k?{API}&label=%00"),
        format!("/kv/k?{API}&%24select=value"),
    ] {
        let reply = store.get(&target).await;
        assert_eq!(reply.ok()["value"], "v", "{target}");
        // The same request in another spelling is not the one that was signed.
        let headers = store.draft("GET", &target.replace("/kv/", "/KV/"), b"").headers();
        assert_unauthorized(&store.send("GET", &target, &headers, "").await, "Invalid Signature", &target);
    }
}
