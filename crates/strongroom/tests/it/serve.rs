//! `strongroom serve`: configuration, start, health, reload, stop.

use std::fs;
use std::time::Duration;

use serde_json::json;

use crate::process::{fail, run, stderr, succeed, text, until};
use crate::production::Site;

#[test]
fn a_configuration_is_checked_strictly() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("strongroom.toml");
    let example = succeed(&["config", "example"]);
    fs::write(&file, &example).unwrap();
    assert!(succeed(&["config", "check", "--config", text(&file)]).contains("valid"));
    for (from, to, words) in [
        ("domain =", "domian =", ["domian", "line"]),
        ("[[vault]]", "[[vaults]]", ["vaults", "line"]),
        ("retention_days = 90", "retention_days = 5", ["7", "90"]),
        ("\nkind = \"file\"", "\nkind = \"fiel\"", ["fiel", "passphrase"]),
    ] {
        fs::write(&file, example.replacen(from, to, 1)).unwrap();
        fail(&["config", "check", "--config", text(&file)], &words);
        fail(&["serve", "--config", text(&file)], &words);
    }
    fail(&["serve", "--config", text(&folder.path().join("none.toml"))], &["none.toml"]);
}

#[test]
fn configuration_stores_of_the_file_exist_from_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let site = Site::new(folder.path(), "[[config_store]]\nname = \"settings\"\ntier = \"free\"\nlocal_auth = true");
    site.init();
    let server = site.serve();
    let list = succeed(&site.arguments(&["config-store", "list"]));
    assert!(
        list.contains("settings") && list.contains("free") && list.contains("https://settings.azconfig.rooms.test")
    );
    let keys = succeed(&site.arguments(&["config-store", "keys", "settings"]));
    assert_eq!(keys.matches("Endpoint=https://settings.azconfig.rooms.test").count(), 4, "{}", keys.lines().count());
    assert!(server.stop().success());
    // Without the server, on the store itself.
    assert_eq!(succeed(&site.arguments(&["config-store", "keys", "settings"])), keys);
    site.edit("name = \"settings\"", "name = \"x\"");
    fail(&site.arguments(&["serve"]), &["config_store", "3 to 50"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_is_made_once_then_served_and_served_again() {
    let folder = tempfile::tempdir().unwrap();
    let site = Site::new(folder.path(), "");
    fail(&site.arguments(&["serve"]), &["strongroom init"]);
    assert!(site.init().contains("11111111-2222-3333-4444-555555555555"));
    fail(&site.arguments(&["init"]), &["already"]);
    let server = site.serve();
    let client = site.client().await;
    client.set_secret("kept", "value").await;
    // Only what the configuration names exists.
    assert_eq!(client.at("other").get("/secrets").await.0, 403);
    assert!(server.stop().success());
    let log = fs::read_to_string(site.path("log")).unwrap();
    assert!(!log.contains("still open"), "an idle client held up the stop: {log}");
    drop(client);
    let server = site.serve();
    assert_eq!(site.client().await.secret("kept").await.as_deref(), Some("value"));
    let log = server.log();
    assert!(log.contains("serving") && log.contains("stopping"), "{log}");
    assert!(server.stop().success());
}

#[tokio::test(flavor = "multi_thread")]
async fn health_is_told_on_a_listener_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let site = Site::new(folder.path(), "");
    site.init();
    let server = site.serve();
    assert_eq!(site.health("live"), Some((200, "live\n".to_owned())));
    assert_eq!(site.health("ready"), Some((200, "ready\n".to_owned())));
    assert_eq!(site.health("other").unwrap().0, 404);
    let client = site.client().await;
    let on_the_api = client.http.get(format!("{}/healthz/live", client.vault)).send().await.unwrap();
    assert_eq!(on_the_api.status(), 401, "the API's listener tells nothing");
    assert!(server.stop().success());
    assert_eq!(site.health("live"), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_certificate_is_taken_on_sighup_and_a_bad_one_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let site = Site::new(folder.path(), "");
    site.init();
    let server = site.serve();
    let before = site.client().await;
    before.set_secret("a", "1").await;
    // Only the new authority is trusted by clients that are made from here on.
    site.new_certificate();
    server.signal("HUP");
    until("the certificate is read", || server.log().contains("the certificate was read again").then_some(()));
    assert_eq!(site.client().await.secret("a").await.as_deref(), Some("1"));
    assert_eq!(before.secret("a").await.as_deref(), Some("1"), "connections stay");
    fs::write(site.path("tls.pem"), "no certificate").unwrap();
    server.signal("HUP");
    until("the refusal is logged", || server.log().contains("the old one stays").then_some(()));
    assert_eq!(site.client().await.secret("a").await.as_deref(), Some("1"));
    assert!(server.stop().success());
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_in_flight_finish_before_the_server_ends() {
    let folder = tempfile::tempdir().unwrap();
    let site = Site::new(folder.path(), "");
    site.init();
    let mut server = site.serve();
    let client = site.client().await;
    // RSA 4096 takes longer to make than the signal takes to arrive.
    let mut making = tokio::task::JoinSet::new();
    for number in 0..4 {
        let client = client.clone();
        making.spawn(async move {
            let path = format!("/keys/slow-{number}/create");
            client.try_call(reqwest::Method::POST, &path, json!({ "kty": "RSA", "key_size": 4096 })).await
        });
    }
    tokio::time::sleep(Duration::from_millis(150)).await;
    server.signal("TERM");
    while let Some(made) = making.join_next().await {
        let (status, answer) = made.unwrap().expect("a request in flight was cut off");
        assert_eq!(status, 200, "{answer}");
    }
    assert!(server.ended().success());
    let refused = client.try_call(reqwest::Method::GET, "/secrets", json!(null)).await;
    assert!(refused.is_err(), "it takes no more requests");
    let server = site.serve();
    assert_eq!(site.client().await.list("/keys").await.len(), 4);
    assert!(server.stop().success());
}

#[test]
fn a_key_file_that_others_can_read_is_refused() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let site = Site::new(folder.path(), "");
    site.init();
    for name in ["passphrase", "tls.key", "shop.secret"] {
        fs::set_permissions(site.path(name), fs::Permissions::from_mode(0o644)).unwrap();
        fail(&site.arguments(&["serve"]), &[name, "chmod 600"]);
        fs::set_permissions(site.path(name), fs::Permissions::from_mode(0o600)).unwrap();
    }
}

#[test]
fn a_port_that_is_taken_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let site = Site::new(folder.path(), "");
    site.init();
    let taken = std::net::TcpListener::bind(("127.0.0.1", site.port)).unwrap();
    fail(&site.arguments(&["serve"]), &[&site.port.to_string(), "in use"]);
    drop(taken);
    let _taken = std::net::TcpListener::bind(("127.0.0.1", site.health)).unwrap();
    fail(&site.arguments(&["serve"]), &["health", &site.health.to_string()]);
    let output = run(&["dev", "--port", &site.health.to_string(), "--data", text(&folder.path().join("dev"))]);
    assert!(stderr(&output).contains("--port"), "{}", stderr(&output));
}
