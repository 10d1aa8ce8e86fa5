//! Configuration stores: reads by token and by signature, a page of a large store, a large snapshot.

use std::rc::Rc;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value, json};
use strongroom_crypto::{hmac_sha256, sha256};
use strongroom_wire::config::http_date;

use crate::https::Https;
use crate::load::{Load, Request};
use crate::report::Report;
use crate::strongroom::{Strongroom, request};
use crate::{CONNECTIONS, SPAN, VALUE};

/// Key-values in the large store.
const MANY: usize = 100_000;

/// Key-values in the large snapshot: those whose keys begin with this.
const TEN_THOUSAND: &str = "key-00";

const API: &str = "api-version=2023-11-01";

pub(crate) async fn measure(report: &mut Report, server: &Strongroom, bare: f64) {
    let store =
        Store { https: server.https("dev.azconfig.localhost"), token: server.token("azconfig.localhost").await };
    let body = json!({ "value": "v".repeat(VALUE) });
    let mut connection = store.https.connect().await;
    let (status, answer) = connection.ask(&store.request("PUT", "/kv/read", &body)).await;
    assert_eq!(status, 200, "{}", String::from_utf8_lossy(answer));

    let get = Load::new(&store.https, constant(store.request("GET", "/kv/read", &Value::Null)));
    let get = get.run(CONNECTIONS, SPAN).await;
    report.at_least("GET key-value, by token", "requests/s", get.rate, "bare server", bare, 0.5);
    let signed = signed(&store.https, server.variable("AZURE_APPCONFIG_CONNECTION_STRING"), "/kv/read");
    let get = Load::new(&store.https, constant(signed)).run(CONNECTIONS, SPAN).await;
    report.at_least("GET key-value, signed", "requests/s", get.rate, "bare server", bare, 0.5);

    fill(&store, &body).await;
    let mut slowest = Duration::ZERO;
    for page in ["/kv", "/kv?label=%00", "/kv?key=key-05*"] {
        let request = store.request("GET", page, &Value::Null);
        slowest = slowest.max(median(&mut connection, &request).await);
    }
    let millis = |time: Duration| time.as_secs_f64() * 1e3;
    report.most("a page of 100 out of 100,000 key-values", "ms", millis(slowest), 5.0);

    let filter = json!({ "filters": [{ "key": format!("{TEN_THOUSAND}*") }] });
    let start = Instant::now();
    let (status, answer) = connection.ask(&store.request("PUT", "/snapshots/large", &filter)).await;
    let took = start.elapsed();
    let answer: Value = serde_json::from_slice(answer).unwrap();
    assert_eq!((status, &answer["items_count"]), (201, &json!(10_000)), "{answer}");
    report.most("a snapshot of 10,000 key-values", "ms", millis(took), 1_000.0);
}

struct Store {
    https: Https,
    token: String,
}

impl Store {
    fn request(&self, method: &str, path: &str, body: &Value) -> Vec<u8> {
        request(&self.https, &self.token, API, (method, path), body)
    }
}

fn constant(request: Vec<u8>) -> Request {
    Rc::new(move |_| request.clone())
}

/// A signed request: good for a quarter of an hour, which is longer than it is used.
fn signed(https: &Https, connection_string: &str, path: &str) -> Vec<u8> {
    let part = |name: &str| connection_string.split(';').find_map(|part| part.strip_prefix(name)).unwrap();
    let secret = BASE64.decode(part("Secret=")).unwrap();
    let (date, hash) = (http_date(now()), BASE64.encode(sha256(b"")));
    let (target, host) = (format!("{path}?{API}"), format!("{}:{}", https.host, https.port));
    let text = format!("GET\n{target}\n{date};{host};{hash}");
    let signature = BASE64.encode(hmac_sha256(&secret, text.as_bytes()));
    let id = part("Id=");
    format!(
        "GET {target} HTTP/1.1\r\nhost: {host}\r\nx-ms-date: {date}\r\nx-ms-content-sha256: {hash}\r\n\
         authorization: HMAC-SHA256 Credential={id}&SignedHeaders=x-ms-date;host;x-ms-content-sha256&\
         Signature={signature}\r\ncontent-length: 0\r\n\r\n"
    )
    .into_bytes()
}

#[expect(clippy::disallowed_methods, reason = "a signature has the machine's date")]
fn now() -> i64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs() as i64
}

/// Writes the many, over as many connections as the load has.
async fn fill(store: &Store, body: &Value) {
    let local = tokio::task::LocalSet::new();
    for part in 0..CONNECTIONS {
        let mut connection = store.https.connect().await;
        let numbers = (part..MANY).step_by(CONNECTIONS);
        let requests: Vec<Vec<u8>> =
            numbers.map(|number| store.request("PUT", &format!("/kv/key-{number:06}"), body)).collect();
        local.spawn_local(async move {
            for request in requests {
                assert_eq!(connection.ask(&request).await.0, 200);
            }
        });
    }
    local.await;
}

async fn median(connection: &mut crate::https::Connection, request: &[u8]) -> Duration {
    let mut times = Vec::new();
    for _ in 0..101 {
        let start = Instant::now();
        let (status, body) = connection.ask(request).await;
        times.push(start.elapsed());
        assert!(status == 200 && body.len() > 10_000, "{status}");
    }
    times.sort_unstable();
    times[times.len() / 2]
}
