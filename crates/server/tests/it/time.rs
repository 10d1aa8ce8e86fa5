//! What time does: rotation by policy, scheduled purge, purge protection, `nbf` and `exp`. The test
//! moves the clock, and calls the job that otherwise runs each second.

use serde_json::{Value, json};
use strongroom_server::admin::{Command, execute};
use strongroom_server::jobs::tick;
use strongroom_wire::attributes::Recovery;
use strongroom_wire::base64url::encode;
use strongroom_wire::ids::VaultName;

use crate::support::{Principal, Reply, TestServer};

const HOUR: i64 = 3_600;
const DAY: i64 = 86_400;

struct World {
    server: TestServer,
    administrator: Principal,
    token: String,
}

impl World {
    async fn new() -> Self {
        let server = TestServer::start().await;
        let administrator = server.administrator().await;
        let token = server.token(&administrator).await;
        Self { server, administrator, token }
    }

    async fn call(&self, method: &str, path: &str, body: Value) -> Reply {
        self.server.call("dev", &self.token, method, path, &body).await
    }

    async fn ok(&self, method: &str, path: &str, body: Value) -> Value {
        self.call(method, path, body).await.ok()
    }

    async fn status(&self, method: &str, path: &str) -> u16 {
        self.call(method, path, Value::Null).await.status
    }

    /// Moves the clock, runs what is due, and gets a new token.
    async fn advance(&mut self, seconds: i64) {
        self.server.clock.advance(seconds);
        tick(&self.server.app).await;
        self.token = self.server.token(&self.administrator).await;
    }

    async fn versions(&self, key: &str) -> Vec<Value> {
        let page = self.ok("GET", &format!("/keys/{key}/versions"), Value::Null).await;
        let mut versions = page["value"].as_array().unwrap().clone();
        versions.sort_by_key(|version| version["attributes"]["created"].as_i64());
        versions
    }

    async fn vault(&self, retention_days: u16, purge_protection: bool) {
        let name = "dev".to_owned();
        self.server.execute(Command::VaultCreate { name, retention_days, purge_protection }).await;
    }

    async fn rotate_after(&self, key: &str, after: &str, expiry: Option<&str>) {
        let action = json!({"trigger": {"timeAfterCreate": after}, "action": {"type": "Rotate"}});
        let attributes = expiry.map_or_else(|| json!({}), |expiry| json!({"expiryTime": expiry}));
        let policy = json!({"lifetimeActions": [action], "attributes": attributes});
        self.ok("PUT", &format!("/keys/{key}/rotationpolicy"), policy).await;
    }
}

fn is_forbidden(reply: &Reply, inner: &str) -> bool {
    reply.refusal() == (403, "Forbidden", inner)
}

#[tokio::test]
async fn a_rotation_policy_of_90_days_fires_after_90_days_exactly_once() {
    let mut world = World::new().await;
    world.ok("POST", "/keys/k/create", json!({"kty": "EC", "crv": "P-384", "tags": {"a": "b"}})).await;
    world.rotate_after("k", "P90D", Some("P1Y")).await;
    world.advance(90 * DAY - 1).await;
    assert_eq!(world.versions("k").await.len(), 1, "a second too early");
    world.advance(1).await;
    let versions = world.versions("k").await;
    assert_eq!(versions.len(), 2, "it is time");
    tokio::join!(tick(&world.server.app), tick(&world.server.app), tick(&world.server.app));
    world.advance(DAY).await;
    assert_eq!(world.versions("k").await.len(), 2, "exactly once");
    let latest = world.ok("GET", "/keys/k", Value::Null).await;
    assert_eq!(latest["key"]["kid"], versions[1]["kid"]);
    assert_eq!((&latest["key"]["crv"], &latest["tags"]["a"]), (&json!("P-384"), &json!("b")), "it inherits");
    let attributes = &versions[1]["attributes"];
    let lifetime = attributes["exp"].as_i64().unwrap() - attributes["created"].as_i64().unwrap();
    assert!((365 * DAY..=366 * DAY).contains(&lifetime), "a year, as the policy says: {lifetime}");
    // Counted from the new version.
    world.advance(89 * DAY - 1).await;
    assert_eq!(world.versions("k").await.len(), 2);
    world.advance(1).await;
    assert_eq!(world.versions("k").await.len(), 3);
}

#[tokio::test]
async fn a_server_that_slept_for_years_rotates_once_and_not_for_every_period_missed() {
    let mut world = World::new().await;
    world.ok("POST", "/keys/k/create", json!({"kty": "EC"})).await;
    world.rotate_after("k", "P7D", None).await;
    world.server.clock.advance(365 * DAY);
    tokio::join!(tick(&world.server.app), tick(&world.server.app));
    world.advance(0).await;
    assert_eq!(world.versions("k").await.len(), 2);
}

#[tokio::test]
async fn rotation_on_demand_puts_the_clock_back_and_a_policy_taken_away_stops_it() {
    let mut world = World::new().await;
    world.ok("POST", "/keys/k/create", json!({"kty": "EC"})).await;
    world.rotate_after("k", "P90D", None).await;
    world.advance(60 * DAY).await;
    world.ok("POST", "/keys/k/rotate", Value::Null).await;
    world.advance(60 * DAY).await;
    assert_eq!(world.versions("k").await.len(), 2, "90 days after the first version, 60 after the second");
    world.ok("PUT", "/keys/k/rotationpolicy", json!({"lifetimeActions": [], "attributes": {}})).await;
    world.advance(400 * DAY).await;
    assert_eq!(world.versions("k").await.len(), 2);
}

#[tokio::test]
async fn a_deleted_key_does_not_rotate_and_does_when_it_is_recovered() {
    let mut world = World::new().await;
    world.ok("POST", "/keys/k/create", json!({"kty": "EC"})).await;
    world.rotate_after("k", "P30D", None).await;
    world.ok("DELETE", "/keys/k", Value::Null).await;
    world.advance(40 * DAY).await;
    world.ok("POST", "/deletedkeys/k/recover", Value::Null).await;
    assert_eq!(world.versions("k").await.len(), 1);
    world.advance(1).await;
    assert_eq!(world.versions("k").await.len(), 2);
}

#[tokio::test]
async fn what_is_deleted_is_purged_when_its_retention_ends() {
    let mut world = World::new().await;
    world.vault(7, false).await;
    for (collection, method, path, body) in [
        ("secrets", "PUT", "/secrets/s", json!({"value": "v"})),
        ("keys", "POST", "/keys/s/create", json!({"kty": "EC"})),
    ] {
        world.ok(method, path, body).await;
        let deleted = world.ok("DELETE", &format!("/{collection}/s"), Value::Null).await;
        let (from, until) = (deleted["deletedDate"].as_i64().unwrap(), deleted["scheduledPurgeDate"].as_i64().unwrap());
        assert_eq!(until - from, 7 * DAY);
        assert_eq!(deleted["attributes"]["recoverableDays"], 7);
        assert_eq!(deleted["attributes"]["recoveryLevel"], "CustomizedRecoverable+Purgeable");
    }
    world.advance(7 * DAY - 1).await;
    for path in ["/deletedsecrets/s", "/deletedkeys/s"] {
        assert_eq!(world.status("GET", path).await, 200, "a second too early: {path}");
    }
    assert_eq!(
        world.call("PUT", "/secrets/s", json!({"value": "w"})).await.refusal(),
        (409, "Conflict", "ObjectIsDeletedButRecoverable")
    );
    world.advance(1).await;
    for path in ["/deletedsecrets/s", "/deletedkeys/s", "/secrets/s", "/keys/s"] {
        assert_eq!(world.status("GET", path).await, 404, "{path}");
    }
    for path in ["/deletedsecrets/s/recover", "/deletedkeys/s/recover"] {
        assert_eq!(world.status("POST", path).await, 404, "{path}");
    }
    world.ok("PUT", "/secrets/s", json!({"value": "new"})).await;
    let versions = world.ok("GET", "/secrets/s/versions", Value::Null).await;
    assert_eq!(versions["value"].as_array().unwrap().len(), 1, "nothing of the old one is left");
}

#[tokio::test]
async fn what_was_recovered_or_made_anew_is_not_purged_by_the_old_date() {
    let mut world = World::new().await;
    world.vault(7, false).await;
    for name in ["recovered", "anew"] {
        world.ok("PUT", &format!("/secrets/{name}"), json!({"value": "v"})).await;
        world.ok("DELETE", &format!("/secrets/{name}"), Value::Null).await;
    }
    world.ok("POST", "/deletedsecrets/recovered/recover", Value::Null).await;
    assert_eq!(world.status("DELETE", "/deletedsecrets/anew").await, 204);
    world.ok("PUT", "/secrets/anew", json!({"value": "w"})).await;
    world.advance(3 * DAY).await;
    world.ok("DELETE", "/secrets/anew", Value::Null).await;
    world.advance(5 * DAY).await;
    assert_eq!(world.ok("GET", "/secrets/recovered", Value::Null).await["value"], "v");
    assert_eq!(world.status("GET", "/deletedsecrets/anew").await, 200, "deleted anew, so kept anew");
    world.advance(2 * DAY).await;
    assert_eq!(world.status("GET", "/deletedsecrets/anew").await, 404);
}

#[tokio::test]
async fn purge_protection_refuses_purge_until_the_retention_ends() {
    let mut world = World::new().await;
    world.vault(7, true).await;
    world.ok("PUT", "/secrets/s", json!({"value": "v"})).await;
    world.ok("POST", "/keys/k/create", json!({"kty": "EC"})).await;
    let deleted = world.ok("DELETE", "/secrets/s", Value::Null).await;
    assert_eq!(deleted["attributes"]["recoveryLevel"], "CustomizedRecoverable");
    world.ok("DELETE", "/keys/k", Value::Null).await;
    for path in ["/deletedsecrets/s", "/deletedkeys/k"] {
        let reply = world.call("DELETE", path, Value::Null).await;
        assert_eq!((reply.status, reply.code()), (403, "Forbidden"), "{path}");
        assert!(reply.message().contains("purge protection is enabled"), "{}", reply.message());
        assert_eq!(world.status("GET", path).await, 200, "{path}");
    }
    world.advance(7 * DAY).await;
    for path in ["/deletedsecrets/s", "/deletedkeys/k"] {
        assert_eq!(world.status("GET", path).await, 404, "{path}");
    }
}

#[tokio::test]
async fn purge_protection_cannot_be_turned_off_and_covers_what_was_deleted_before() {
    let world = World::new().await;
    world.vault(90, false).await;
    world.ok("PUT", "/secrets/s", json!({"value": "v"})).await;
    world.ok("DELETE", "/secrets/s", Value::Null).await;
    let set = |purge_protection| Command::VaultSet { name: "dev".into(), retention_days: None, purge_protection };
    world.server.execute(set(true)).await;
    let purge = async || world.call("DELETE", "/deletedsecrets/s", Value::Null).await;
    assert!(is_forbidden(&purge().await, ""));
    let after = world.server.execute(set(false)).await;
    assert_eq!(after[0]["purge_protection"], true);
    assert!(is_forbidden(&purge().await, ""));
    let again = Command::VaultCreate { name: "dev".into(), retention_days: 7, purge_protection: false };
    execute(&world.server.admin, again).await.ok();
    assert!(is_forbidden(&purge().await, ""));
    let off = Recovery::new(90, false).unwrap();
    assert!(world.server.app.vaults.set_recovery(&VaultName::parse("dev").unwrap(), off).await.is_err());
    assert!(is_forbidden(&purge().await, ""));
}

/// Shortening the retention does not break the promise that was made on deletion.
#[tokio::test]
async fn the_retention_promised_on_deletion_is_kept_when_the_vaults_changes() {
    let mut world = World::new().await;
    world.vault(90, false).await;
    world.ok("PUT", "/secrets/s", json!({"value": "v"})).await;
    world.ok("DELETE", "/secrets/s", Value::Null).await;
    let shorter = Command::VaultSet { name: "dev".into(), retention_days: Some(7), purge_protection: false };
    world.server.execute(shorter).await;
    world.advance(89 * DAY).await;
    assert_eq!(world.status("GET", "/deletedsecrets/s").await, 200);
    world.advance(DAY).await;
    assert_eq!(world.status("GET", "/deletedsecrets/s").await, 404);
}

/// Outcomes of all six uses of the key `k`, as HTTP status and inner code.
async fn uses(world: &World, ciphertext: &Value, signature: &Value) -> Vec<(&'static str, u16, String)> {
    let digest = encode(&[7; 32]);
    let cipher = |value: &Value| json!({"alg": "RSA-OAEP-256", "value": value});
    let plaintext = json!(encode(&[1; 32]));
    let mut outcomes = Vec::new();
    for (operation, body) in [
        ("encrypt", cipher(&plaintext)),
        ("wrapkey", cipher(&plaintext)),
        ("sign", json!({"alg": "PS256", "value": digest})),
        ("decrypt", cipher(ciphertext)),
        ("unwrapkey", cipher(ciphertext)),
        ("verify", json!({"alg": "PS256", "digest": digest, "value": signature})),
    ] {
        let reply = world.call("POST", &format!("/keys/k/{operation}"), body).await;
        if reply.status == 403 {
            assert_eq!(reply.code(), "Forbidden");
        }
        outcomes.push((operation, reply.status, reply.inner_code().to_owned()));
    }
    outcomes
}

fn making(refused: &str) -> Vec<(&'static str, u16, String)> {
    let refuse = |operation| (operation, if refused.is_empty() { 200 } else { 403 }, refused.to_owned());
    let allow = |operation| (operation, 200, String::new());
    let (make, read) = (["encrypt", "wrapkey", "sign"], ["decrypt", "unwrapkey", "verify"]);
    make.into_iter().map(refuse).chain(read.into_iter().map(allow)).collect()
}

#[tokio::test]
async fn a_key_outside_its_time_reads_what_it_made_and_makes_nothing_new() {
    let mut world = World::new().await;
    world.ok("POST", "/keys/k/create", json!({"kty": "RSA"})).await;
    let digest = encode(&[7; 32]);
    let plaintext = json!({"alg": "RSA-OAEP-256", "value": encode(&[1; 32])});
    let ciphertext = world.ok("POST", "/keys/k/encrypt", plaintext).await["value"].clone();
    let signed = world.ok("POST", "/keys/k/sign", json!({"alg": "PS256", "value": digest})).await;
    let signature = signed["value"].clone();
    let now = world.server.now();
    let window = json!({"attributes": {"nbf": now + HOUR, "exp": now + 3 * HOUR}});
    world.ok("PATCH", "/keys/k", window).await;

    assert_eq!(uses(&world, &ciphertext, &signature).await, making("KeyNotYetValid"), "before nbf");
    world.advance(2 * HOUR).await;
    assert_eq!(uses(&world, &ciphertext, &signature).await, making(""), "within");
    world.advance(2 * HOUR).await;
    assert_eq!(uses(&world, &ciphertext, &signature).await, making("KeyExpired"), "after exp");
    assert_eq!(world.status("GET", "/keys/k").await, 200);

    // Disabled: nothing at all, but it can be seen, and enabled again.
    let disabled = json!({"attributes": {"enabled": false, "exp": now + 100 * HOUR}});
    world.ok("PATCH", "/keys/k", disabled).await;
    let outcomes = uses(&world, &ciphertext, &signature).await;
    assert!(
        outcomes.iter().all(|(_, status, inner)| (*status, inner.as_str()) == (403, "KeyDisabled")),
        "{outcomes:?}"
    );
    assert_eq!(world.status("GET", "/keys/k").await, 200);
    world.ok("PATCH", "/keys/k", json!({"attributes": {"enabled": true}})).await;
    assert_eq!(uses(&world, &ciphertext, &signature).await, making(""), "enabled again");
}

#[tokio::test]
async fn a_secret_is_read_outside_its_time_but_not_while_disabled() {
    let mut world = World::new().await;
    let now = world.server.now();
    let attributes = json!({"nbf": now + HOUR, "exp": now + 2 * HOUR});
    let made = world.ok("PUT", "/secrets/s", json!({"value": "v", "attributes": attributes})).await;
    let version = made["id"].as_str().unwrap().rsplit_once('/').unwrap().1.to_owned();
    for step in [0, 90 * 60, 90 * 60] {
        world.advance(step).await;
        assert_eq!(world.ok("GET", "/secrets/s", Value::Null).await["value"], "v");
    }
    world.ok("PATCH", "/secrets/s", json!({"attributes": {"enabled": false}})).await;
    for path in ["/secrets/s".to_owned(), format!("/secrets/s/{version}")] {
        let reply = world.call("GET", &path, Value::Null).await;
        assert!(is_forbidden(&reply, "SecretDisabled"), "{}", reply.text);
        assert_eq!(reply.message(), "Operation get is not allowed on a disabled secret.");
    }
    let listed = world.ok("GET", "/secrets", Value::Null).await;
    assert_eq!(listed["value"][0]["attributes"]["enabled"], false);
    assert!(listed["value"][0]["value"].is_null());
    // An older enabled version is no way around a disabled latest one.
    world.ok("PUT", "/secrets/s", json!({"value": "w"})).await;
    let latest = json!({"attributes": {"enabled": false}});
    world.ok("PATCH", &format!("/secrets/s/{version}"), json!({"attributes": {"enabled": true}})).await;
    world.ok("PATCH", "/secrets/s", latest).await;
    assert!(is_forbidden(&world.call("GET", "/secrets/s", Value::Null).await, "SecretDisabled"));
    assert_eq!(world.ok("GET", &format!("/secrets/s/{version}"), Value::Null).await["value"], "v");
}
