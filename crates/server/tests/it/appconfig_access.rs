//! Tokens at a configuration store (contract 2.8.3), every operation with each: those that must not
//! be accepted, those without a role, and what roles and delegated scopes allow.

use std::sync::Arc;

use serde_json::{Value, json};
use strongroom_auth::AccessClaims;
use strongroom_crypto::{PrivateKey, sha256};
use strongroom_server::admin::Command;
use strongroom_server::appconfig::{ROUTES, Route};
use strongroom_store::Records as _;
use strongroom_store::memory::MemoryRecords;
use strongroom_store::records::Scan;
use strongroom_wire::algorithms::SignatureAlgorithm;
use strongroom_wire::base64url::decode;

use crate::appconfig_calls::{
    Store, assert_unauthorized, body, is_read, minted, operation, path, store_claims, store_name, with_role,
};
use crate::guards::{jws, refused_headers};
use crate::support::{Options, Principal, Reply, TestServer};

const OWNER: &str = "App Configuration Data Owner";
const READER: &str = "App Configuration Data Reader";

async fn owner(server: &TestServer) -> Principal {
    let owner = server.application("owner").await;
    server.assign(OWNER, &owner, "*").await;
    server.assign("Key Vault Administrator", &owner, "*").await;
    owner
}

#[track_caller]
fn assert_forbidden(reply: &Reply, what: &str) {
    assert_eq!((reply.status, reply.text.as_str()), (403, ""), "{what}");
    assert!(reply.headers.get("content-type").is_none() && reply.headers.get("www-authenticate").is_none(), "{what}");
}

async fn called(store: &Store, token: &str, route: &Route, name: &str) -> Reply {
    store.by(token, route.method.as_str(), &path(route, name), &body(route)).await
}

/// Tries every operation, on something that is there, and looks whether `allowed` says the same.
async fn assert_allowed(store: &Store, token: &str, prefix: &str, allowed: impl Fn(&Route) -> bool) {
    for route in ROUTES {
        let (name, what) = (format!("{prefix}-{}", route.id), format!("{prefix}: {}", route.id));
        store.prepare(route, &name).await;
        let reply = called(store, token, route, &name).await;
        if allowed(route) {
            assert_eq!(reply.status, if route.id == "A13" { 201 } else { 200 }, "{what}: {}", reply.text);
        } else {
            assert_forbidden(&reply, &what);
            // Nothing was done: whoever may, can still do it.
            let again = store.call(route.method.as_str(), &path(route, &name), &body(route)).await;
            assert!(matches!(again.status, 200 | 201), "{what}, tried again: {}", again.text);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_operation_accepts_a_token_that_is_missing_forged_or_not_for_it() {
    let server = TestServer::start().await;
    let caller = owner(&server).await;
    let headers = refused_headers(&server, &store_claims(&server, &caller));
    assert!(headers.len() > 30);
    let host = Store::of(&server, "made").await;
    // Of another name than the one audience of a store that is among them.
    let store = Store { url: host.url.replace("made", "one"), ..host };
    for route in ROUTES {
        for (what, header) in &headers {
            let sent = header.iter().map(|value| ("authorization".to_owned(), value.clone())).collect();
            let reply = store.send(route.method.as_str(), &path(route, "n"), &sent, body(route).to_string()).await;
            let what = format!("{} with {what}", route.id);
            assert_unauthorized(&reply, "", &what);
            for (name, value) in &reply.headers {
                let token = header.as_deref().and_then(|header| header.split_once(' ')).map_or("", |(_, token)| token);
                let echoed = token.len() > 40 && value.to_str().unwrap().contains(token);
                assert!(!echoed, "{what}: the token came back in {name}");
            }
        }
    }
    assert_eq!(server.app.stores.list().await.unwrap().len(), 1, "a stranger made a store");
}

#[tokio::test]
async fn without_a_credential_both_schemes_are_offered_before_anything_else_is_examined() {
    let server = TestServer::with(Options { on_demand: false, ..Options::default() }).await;
    let there = Store::of(&server, "there").await;
    let absent = Store { url: there.url.replace("there", "absent"), ..there.clone() };
    let big = "x".repeat(1_000_000);
    for store in [&there, &absent] {
        for (method, path, body) in [
            ("PUT", "/kv/n", ""),
            ("PUT", "/kv/a%00?api-version=nonsense", "{"),
            ("GET", "/", ""),
            ("GET", "/nowhere/at/all", ""),
            ("DELETE", "/keys", ""),
            ("TRACE", "/kv", ""),
            ("GET", "/kv/%ff", ""),
            ("GET", "/kv?label=%ff", ""),
            ("PUT", "/kv/n", big.as_str()),
        ] {
            let reply = store.send(method, path, &vec![], body).await;
            assert_unauthorized(&reply, "", &format!("{method} {path}"));
            let challenges: Vec<_> = reply.headers.get_all("www-authenticate").iter().collect();
            assert_eq!(challenges, ["HMAC-SHA256", "Bearer"], "{method} {path}");
        }
    }
}

#[tokio::test]
async fn a_token_is_accepted_for_every_audience_that_sdks_ask_for() {
    let server = TestServer::start().await;
    let claims = store_claims(&server, &owner(&server).await);
    let dev = Store::of(&server, "dev").await;
    let port = server.port;
    let list = async |aud: String| {
        let token = minted(&server, &AccessClaims { aud, ..claims.clone() });
        dev.by(&token, "GET", "/kv", &Value::Null).await
    };
    for host in ["azconfig.io", "appconfig.azure.com", "azconfig.localhost", "dev.azconfig.localhost"] {
        for form in [format!("https://{host}"), format!("https://{host}/"), format!("https://{}", host.to_uppercase())]
        {
            assert_eq!(list(form.clone()).await.status, 200, "{form}");
        }
    }
    for host in [format!("azconfig.localhost:{port}"), format!("dev.azconfig.localhost:{port}/")] {
        assert_eq!(list(format!("https://{host}")).await.status, 200, "{host}");
    }
    for aud in [
        server.resource(),
        "https://vault.azure.net".into(),
        format!("https://other.azconfig.localhost:{port}"),
        format!("https://dev.vault.localhost:{port}"),
        "https://azconfig.io.example".into(),
        "https://azconfig.io//".into(),
        "http://azconfig.io".into(),
        "azconfig.io".into(),
        String::new(),
    ] {
        assert_unauthorized(&list(aud.clone()).await, "", &aud);
    }
}

/// A token that was found good is remembered: for the service that it is for, and for no other.
#[tokio::test]
async fn a_token_for_one_service_is_not_accepted_by_the_other_even_when_it_is_known() {
    let server = TestServer::start().await;
    let caller = owner(&server).await;
    let (one, two) = (Store::of(&server, "one").await, Store::of(&server, "two").await);
    let vaults_token = minted(&server, &server.claims(&caller));
    let stores_token = minted(&server, &store_claims(&server, &caller));
    let ones_token = minted(&server, &AccessClaims { aud: one.url.clone(), ..server.claims(&caller) });
    let vault = async |token: &str| server.call("dev", token, "GET", "/secrets", &Value::Null).await;
    let store = async |store: &Store, token: &str| store.by(token, "GET", "/kv", &Value::Null).await;
    for round in ["unknown", "known"] {
        let what = |what: &str| format!("{what}, {round}");
        assert_unauthorized(&store(&one, &vaults_token).await, "", &what("the vaults' token at a store"));
        assert_eq!(vault(&stores_token).await.refusal(), (401, "Unauthorized", ""), "{}", what("the stores' token"));
        assert_eq!(vault(&ones_token).await.refusal(), (401, "Unauthorized", ""), "{}", what("one store's token"));
        assert_unauthorized(&store(&two, &ones_token).await, "", &what("one store's token at another"));
        // Each where it belongs; so that it is known in the next round, and still good after refusals.
        assert_eq!(vault(&vaults_token).await.status, 200, "{round}");
        assert_eq!(store(&one, &stores_token).await.status, 200, "{round}");
        assert_eq!(store(&two, &stores_token).await.status, 200, "{round}");
        assert_eq!(store(&one, &ones_token).await.status, 200, "{round}");
    }
    for route in ROUTES {
        for token in [&vaults_token, &ones_token] {
            assert_unauthorized(&called(&two, token, route, "n").await, "", route.id);
        }
    }
    for route in strongroom_server::routes::ROUTES {
        let path = crate::calls::path(route, "n");
        let reply = server.call("dev", &stores_token, route.method.as_str(), &path, &Value::Null).await;
        assert_eq!(reply.refusal(), (401, "Unauthorized", ""), "{}", route.id);
    }
}

#[tokio::test]
async fn a_token_that_was_accepted_once_is_refused_when_it_has_expired() {
    let server = TestServer::start().await;
    let store = Store::of(&server, "dev").await;
    let token = minted(&server, &store_claims(&server, &owner(&server).await));
    let list = async || store.by(&token, "GET", "/kv", &Value::Null).await;
    assert_eq!(list().await.status, 200);
    server.clock.advance(3_600 + 299);
    assert_eq!(list().await.status, 200, "within the skew");
    server.clock.advance(2);
    assert_unauthorized(&list().await, "", "expired");
}

#[tokio::test]
async fn the_token_endpoint_gives_tokens_for_stores() {
    let server = TestServer::start().await;
    let caller = owner(&server).await;
    let store = Store::of(&server, "dev").await;
    for resource in ["https://azconfig.io", "https://appconfig.azure.com/", store.url.as_str()] {
        let scope = format!("{resource}/.default");
        let form = [
            ("grant_type", "client_credentials"),
            ("client_id", caller.client_id.as_str()),
            ("client_secret", caller.client_secret.as_str()),
            ("scope", scope.as_str()),
        ];
        let answer = server.token_request(server.app.directory.tenant(), &form).await.ok();
        let token = answer["access_token"].as_str().unwrap();
        assert_eq!(store.by(token, "PUT", "/kv/k", &json!({"value": "v"})).await.ok()["value"], "v", "{resource}");
    }
}

#[tokio::test]
async fn without_a_role_nobody_learns_what_there_is() {
    let server = TestServer::start().await;
    let store = Store::of(&server, "there").await;
    let absent = Store { url: store.url.replace("there", "absent"), ..store.clone() };
    let (_, stranger) = with_role(&server, "Key Vault Administrator", "*").await;
    for route in ROUTES {
        let name = format!("n-{}", route.id);
        store.prepare(route, &name).await;
        for (place, name) in [(&store, name.as_str()), (&store, "nothing"), (&absent, "nothing"), (&absent, "a%00")] {
            assert_forbidden(&called(place, &stranger, route, name).await, &format!("{} {name}", route.id));
        }
    }
    assert_eq!(server.app.stores.list().await.unwrap().len(), 1, "a stranger made a store");
}

#[tokio::test]
async fn the_data_owner_may_do_everything_and_the_data_reader_only_read() {
    let server = TestServer::start().await;
    let store = Store::of(&server, "dev").await;
    for (number, scope) in ["*", "appconfig/dev", "appconfig/DEV"].into_iter().enumerate() {
        let (_, owner) = with_role(&server, OWNER, scope).await;
        assert_allowed(&store, &owner, &format!("owner-{number}"), |_| true).await;
        let (_, reader) = with_role(&server, READER, scope).await;
        assert_allowed(&store, &reader, &format!("reader-{number}"), is_read).await;
    }
}

#[tokio::test]
async fn a_role_elsewhere_is_none_here() {
    let server = TestServer::start().await;
    let store = Store::of(&server, "dev").await;
    let site = server.app.directory.site().clone();
    let group = format!("/subscriptions/{}/resourceGroups/other", site.subscription);
    for scope in ["appconfig/other", "appconfig/de", "appconfig/dev-two", "dev", "dev/secrets/k", group.as_str()] {
        let (_, token) = with_role(&server, OWNER, scope).await;
        assert_allowed(&store, &token, &format!("of-{}", scope.replace('/', "-")), |_| false).await;
    }
    // Nor does a role on stores open a vault, or one on vaults a store.
    let (principal, token) = with_role(&server, "Key Vault Administrator", "*").await;
    assert_allowed(&store, &token, "vaults", |_| false).await;
    let owner = server.application("of stores").await;
    server.assign(OWNER, &owner, "*").await;
    let reply = server.call("dev", &server.token(&owner).await, "GET", "/secrets", &Value::Null).await;
    assert_eq!(reply.refusal(), (403, "Forbidden", "ForbiddenByRbac"), "{}", reply.text);
    let list = async || store.by(&token, "GET", "/kv", &Value::Null).await;
    server.assign(READER, &principal, "appconfig/dev").await;
    assert_eq!(list().await.status, 200, "from its assignment on");
    let all = server.execute(Command::RoleList).await;
    let mine = |role: &&Value| role["principal"] == principal.object_id.as_str() && role["role"] == READER;
    let id = all.as_array().unwrap().iter().find(mine).unwrap()["id"].as_str().unwrap().to_owned();
    server.execute(Command::RoleRemove { id }).await;
    assert_forbidden(&list().await, "and no longer");
}

/// A token of the built-in issuer with these members besides: signed with its key, which lies in
/// the records.
async fn with_claims(server: &TestServer, records: &MemoryRecords, claims: &AccessClaims, more: Value) -> String {
    let kid = server.app.directory.ring().active(server.now()).unwrap().kid().to_owned();
    let found = records.scan(&Scan::prefix(format!("$sys/signing-key/{kid}"), 1)).await.unwrap();
    let stored: Value = serde_json::from_slice(&found[0].1.value).unwrap();
    let key = PrivateKey::from_pkcs8(&decode(stored["pkcs8"].as_str().unwrap()).unwrap()).unwrap();
    let mut claims = serde_json::to_value(claims).unwrap();
    claims.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let header = json!({"typ": "JWT", "alg": "RS256", "kid": kid});
    jws(&header, &claims, |text| key.sign(SignatureAlgorithm::RS256, &sha256(text.as_bytes())).unwrap())
}

/// What was delegated narrows what a role gives, and widens nothing.
#[tokio::test]
async fn a_token_with_delegated_scopes_may_do_what_they_and_its_role_allow() {
    let records = Arc::new(MemoryRecords::default());
    let server = TestServer::with(Options { records: records.clone(), ..Options::default() }).await;
    let store = Store::of(&server, "dev").await;
    let owner = store_claims(&server, &owner(&server).await);
    let (reader, _) = with_role(&server, READER, "appconfig/dev").await;
    let reader = store_claims(&server, &reader);
    let reads = "A1 A2 A3 A4 A5 A8 A16 A17 A20 A21";
    let looks = "A9 A10 A11 A12 A15";
    let everything: Vec<&str> = ROUTES.iter().map(|route| route.id).collect();
    let everything = everything.join(" ");
    for (number, (claims, scopes, allowed)) in [
        (&owner, "KeyValue.Read", reads.to_owned()),
        (&owner, "KeyValue.Write", "A6 A18 A19".into()),
        (&owner, "KeyValue.Delete", "A7".into()),
        (&owner, "Snapshot.Read", looks.into()),
        // Making a snapshot reads key-values.
        (&owner, "Snapshot.Write", String::new()),
        (&owner, "Snapshot.Write KeyValue.Read", format!("{reads} A13")),
        (&owner, "Snapshot.Action", "A14".into()),
        (&owner, "user_impersonation", everything.clone()),
        (&owner, "KeyValue.Delete unknown Snapshot.Action", "A7 A14".into()),
        (&owner, "unknown", String::new()),
        (&owner, "", String::new()),
        (&owner, "keyvalues.read KeyValue.ReadWrite KeyValue", String::new()),
        (&reader, "user_impersonation", format!("{reads} {looks}")),
        (&reader, "KeyValue.Read KeyValue.Write KeyValue.Delete", reads.into()),
    ]
    .into_iter()
    .enumerate()
    {
        let token = with_claims(&server, &records, claims, json!({ "scp": scopes })).await;
        let allowed: Vec<&str> = allowed.split(' ').collect();
        assert_allowed(&store, &token, &format!("scp-{number}"), |route| allowed.contains(&route.id)).await;
    }
    // A token that says nothing of it is not narrowed; nor do scopes stand in for a role.
    let token = with_claims(&server, &records, &owner, json!({})).await;
    assert_allowed(&store, &token, "none", |_| true).await;
    let nobody = store_claims(&server, &server.application("nobody").await);
    let token = with_claims(&server, &records, &nobody, json!({ "scp": "user_impersonation" })).await;
    assert_forbidden(&called(&store, &token, operation("A3"), "").await, "no role");
    assert!(server.app.stores.find(&store_name("dev")).await.unwrap().is_some());
}
