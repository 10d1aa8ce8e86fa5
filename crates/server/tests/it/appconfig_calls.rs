//! Calls of a configuration store: requests signed with an access key by a signer that shares no
//! code with the server's, tokens, and a working call of every operation.

use std::sync::Arc;

use aws_lc_rs::{digest, hmac};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use http::Method;
use reqwest::Url;
use serde_json::{Value, json};
use strongroom_auth::AccessClaims;
use strongroom_server::appconfig::{ROUTES, Route};
use strongroom_server::clock::{Clock as _, ManualClock};
use strongroom_server::config_stores::{AccessKey, OpenStore, StoreSettings};
use strongroom_wire::config::StoreName;

use crate::support::{API, Principal, Reply, TestServer, send};

/// What SDKs sign, in this order.
const SIGNED: &str = "x-ms-date;host;x-ms-content-sha256";

pub(crate) fn store_name(name: &str) -> StoreName {
    StoreName::parse(name).unwrap()
}

/// An access key, as a connection string has it.
#[derive(Clone)]
pub(crate) struct Key {
    pub(crate) id: String,
    pub(crate) secret: Vec<u8>,
}

impl Key {
    pub(crate) fn of(key: &AccessKey) -> Self {
        Self { id: key.id.clone(), secret: BASE64.decode(key.secret.expose()).unwrap() }
    }

    /// Base64 of the HMAC of a text (contract 2.8.2).
    pub(crate) fn sign(&self, text: &str) -> String {
        let key = hmac::Key::new(hmac::HMAC_SHA256, &self.secret);
        BASE64.encode(hmac::sign(&key, text.as_bytes()))
    }
}

pub(crate) fn content_hash(body: &[u8]) -> String {
    BASE64.encode(digest::digest(&digest::SHA256, body))
}

/// Unix seconds as an HTTP date.
pub(crate) fn http_date(seconds: i64) -> String {
    let at = time::OffsetDateTime::from_unix_timestamp(seconds).unwrap();
    at.format(&time::format_description::well_known::Rfc2822).unwrap().replace("+0000", "GMT")
}

pub(crate) type Headers = Vec<(String, String)>;

/// What is signed; a test makes wrong of it what it wants to be wrong.
#[derive(Clone)]
pub(crate) struct Draft {
    pub(crate) key: Key,
    pub(crate) method: String,
    pub(crate) target: String,
    pub(crate) host: String,
    pub(crate) date: String,
    pub(crate) hash: String,
}

impl Draft {
    pub(crate) fn signature(&self) -> String {
        let Self { key, method, target, host, date, hash } = self;
        key.sign(&format!("{method}\n{target}\n{date};{host};{hash}"))
    }

    pub(crate) fn authorization(&self) -> String {
        let (id, signature) = (&self.key.id, self.signature());
        format!("HMAC-SHA256 Credential={id}&SignedHeaders={SIGNED}&Signature={signature}")
    }

    /// The headers of the signed request.
    pub(crate) fn headers(&self) -> Headers {
        let owned = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        vec![
            owned("authorization", &self.authorization()),
            owned("x-ms-date", &self.date),
            owned("x-ms-content-sha256", &self.hash),
        ]
    }
}

/// A store, as the holder of one of its keys sees it. Requests are dated by the server's clock.
#[derive(Clone)]
pub(crate) struct Store {
    pub(crate) url: String,
    pub(crate) key: Key,
    pub(crate) http: reqwest::Client,
    pub(crate) clock: Arc<ManualClock>,
}

impl Store {
    /// The store of that name, made when there is none, with its primary key.
    pub(crate) async fn of(server: &TestServer, name: &str) -> Self {
        Self::with(server, name, StoreSettings::default()).await
    }

    pub(crate) async fn with(server: &TestServer, name: &str, settings: StoreSettings) -> Self {
        let open = server.app.stores.create(&store_name(name), settings, server.clock.now()).await.unwrap();
        Self::keyed(server, &open, "Primary")
    }

    /// With the key of that name.
    pub(crate) fn keyed(server: &TestServer, open: &OpenStore, key: &str) -> Self {
        let url = format!("https://{}.azconfig.localhost:{}", open.record.name, server.port);
        let key = Key::of(open.record.keys.iter().find(|known| known.name == key).unwrap());
        Self { url, key, http: server.http.clone(), clock: Arc::clone(&server.clock) }
    }

    /// The whole URL; the api-version is added when there is no query.
    pub(crate) fn at(&self, path: &str) -> String {
        let query = if path.contains('?') { String::new() } else { format!("?{API}") };
        format!("{}{path}{query}", self.url)
    }

    /// What signs this request now.
    pub(crate) fn draft(&self, method: &str, path: &str, body: &[u8]) -> Draft {
        let url = Url::parse(&self.at(path)).unwrap();
        Draft {
            key: self.key.clone(),
            method: method.to_owned(),
            // As it goes out, whatever the URL type made of it.
            target: url.as_str()[self.url.len()..].to_owned(),
            host: self.url.trim_start_matches("https://").to_owned(),
            date: http_date(self.clock.now().seconds()),
            hash: content_hash(body),
        }
    }

    /// Sends these headers, whatever they are.
    pub(crate) async fn send(&self, method: &str, path: &str, headers: &Headers, body: impl Into<Vec<u8>>) -> Reply {
        let mut all: Vec<(&str, &str)> = vec![("content-type", "application/json")];
        for (name, value) in headers {
            all.retain(|(known, _)| known != name);
            all.push((name, value));
        }
        send(&self.http, method.parse::<Method>().unwrap(), &self.at(path), &all, body.into()).await
    }

    /// A signed request with these headers besides.
    pub(crate) async fn call_with(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Vec<u8>>,
    ) -> Reply {
        let body = body.into();
        let mut all = self.draft(method, path, &body).headers();
        all.extend(headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        self.send(method, path, &all, body).await
    }

    pub(crate) async fn call(&self, method: &str, path: &str, body: &Value) -> Reply {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        self.call_with(method, path, &[], body).await
    }

    pub(crate) async fn get(&self, path: &str) -> Reply {
        self.call("GET", path, &Value::Null).await
    }

    pub(crate) async fn status(&self, method: &str, path: &str) -> u16 {
        self.call(method, path, &Value::Null).await.status
    }

    pub(crate) async fn set(&self, key: &str, value: &str) -> Value {
        self.call("PUT", &format!("/kv/{key}"), &json!({ "value": value })).await.ok()
    }

    /// The values of a list of key-values, all pages of it.
    pub(crate) async fn values(&self, list: &str) -> Vec<String> {
        let (mut values, mut next) = (Vec::new(), Some(list.to_owned()));
        while let Some(path) = next {
            let page = self.get(&path).await.ok();
            let items = page["items"].as_array().unwrap();
            values.extend(items.iter().map(|item| item["value"].as_str().unwrap_or("null").to_owned()));
            next = page["@nextLink"].as_str().map(str::to_owned);
        }
        values
    }

    /// The same request with a token.
    pub(crate) async fn by(&self, token: &str, method: &str, path: &str, body: &Value) -> Reply {
        let headers = vec![("authorization".to_owned(), format!("Bearer {token}"))];
        let body = if body.is_null() { String::new() } else { body.to_string() };
        self.send(method, path, &headers, body).await
    }

    /// Brings about what the operation needs to succeed on `name`, which is new.
    pub(crate) async fn prepare(&self, route: &Route, name: &str) {
        match route.id {
            "A5" | "A7" | "A8" | "A18" | "A19" => drop(self.set(name, "v").await),
            "A11" | "A12" | "A14" | "A15" => {
                drop(self.call("PUT", &format!("/snapshots/{name}"), &body(operation("A13"))).await.ok());
            }
            _ => {}
        }
    }
}

pub(crate) fn operation(id: &str) -> &'static Route {
    ROUTES.iter().find(|route| route.id == id).unwrap()
}

/// The path of an operation on `name`.
pub(crate) fn path(route: &Route, name: &str) -> String {
    match route.id {
        "A12" => format!("/operations?{API}&snapshot={name}"),
        _ if route.named => format!("/{}/{name}", route.collection),
        _ => format!("/{}", route.collection),
    }
}

/// A body that the operation takes.
pub(crate) fn body(route: &Route) -> Value {
    match route.id {
        "A6" => json!({"value": "v"}),
        "A13" => json!({"filters": [{"key": "*"}]}),
        "A14" => json!({"status": "archived"}),
        _ => Value::Null,
    }
}

/// Does it change nothing?
pub(crate) fn is_read(route: &Route) -> bool {
    matches!(route.method, Method::GET | Method::HEAD)
}

/// The claims of a token for the configuration stores that is good for an hour.
pub(crate) fn store_claims(server: &TestServer, principal: &Principal) -> AccessClaims {
    AccessClaims { aud: format!("https://azconfig.localhost:{}", server.port), ..server.claims(principal) }
}

pub(crate) fn minted(server: &TestServer, claims: &AccessClaims) -> String {
    server.app.directory.ring().mint(server.now(), claims).unwrap().expose().clone()
}

/// A new application with this role, and its token for the configuration stores.
pub(crate) async fn with_role(server: &TestServer, role: &str, scope: &str) -> (Principal, String) {
    let principal = server.application(&format!("{role} of {scope}")).await;
    server.assign(role, &principal, scope).await;
    let token = minted(server, &store_claims(server, &principal));
    (principal, token)
}

/// Refused for want of a credential that is accepted: an empty body, and a challenge for each of
/// the two schemes.
#[track_caller]
pub(crate) fn assert_unauthorized(reply: &Reply, signature: &str, what: &str) {
    assert_eq!((reply.status, reply.text.as_str()), (401, ""), "{what}");
    let challenges: Vec<&str> =
        reply.headers.get_all("www-authenticate").iter().map(|value| value.to_str().unwrap()).collect();
    let [hmac, bearer] = challenges.as_slice() else { panic!("{what}: {challenges:?}") };
    match signature {
        "" => assert!(hmac.starts_with("HMAC-SHA256"), "{what}: {hmac}"),
        "Authentication scheme disabled" => {
            assert_eq!(*hmac, format!("HMAC-SHA256 error=\"forbidden\", error_description=\"{signature}\""), "{what}");
        }
        told => {
            assert_eq!(*hmac, format!("HMAC-SHA256 error=\"invalid_token\", error_description=\"{told}\""), "{what}");
        }
    }
    assert!(bearer.starts_with("Bearer"), "{what}: {bearer}");
}

/// Refused with `problem+json` of this kind (contract 2.8.12).
#[track_caller]
pub(crate) fn assert_problem(reply: &Reply, status: u16, kind: &str, what: &str) {
    let told = (reply.status, reply.json["type"].as_str().unwrap_or_default().to_owned());
    assert_eq!(told, (status, format!("https://azconfig.io/errors/{kind}")), "{what}: {}", reply.text);
    assert_eq!(reply.header("content-type"), "application/problem+json; charset=utf-8", "{what}");
    assert_eq!(reply.json["status"], status, "{what}");
    assert!(!reply.json["title"].as_str().unwrap().is_empty(), "{what}");
}
