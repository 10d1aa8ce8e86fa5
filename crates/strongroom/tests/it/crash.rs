//! `kill -9` at any instant, under writers over HTTPS: what was acknowledged is there afterwards,
//! and nothing is half made.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use crate::client::{Client, ConfigClient};
use crate::process::{Dev, run};

const WRITERS: usize = 8;

/// What the server has acknowledged of an object.
#[derive(Clone, PartialEq, Debug)]
enum Last {
    Set(u32),
    Deleted,
    Key,
    /// A key-value: this value, with this etag.
    Setting(u32, String),
    DeletedSetting,
}

type Acknowledged = Arc<Mutex<HashMap<String, Last>>>;

/// The value that version `number` of a secret has. It differs in length, too.
fn value(name: &str, number: u32) -> String {
    let length = 20 + (number as usize * 37 + name.len() * 101) % 3000;
    format!("{name}/{number}/").chars().cycle().take(length).collect()
}

/// Writes until the server is gone: a secret with a few versions, a key-value likewise, a key, and
/// now and then a delete.
async fn write(client: Client, config: ConfigClient, prefix: String, acknowledged: Acknowledged) {
    let done = |name: &str, last| {
        acknowledged.lock().unwrap().insert(name.to_owned(), last);
    };
    for number in 0_u32.. {
        let name = format!("{prefix}-{number}");
        for version in 0..3 {
            let body = json!({ "value": value(&name, version), "tags": { "version": version.to_string() } });
            match client.try_call(Method::PUT, &format!("/secrets/{name}"), body).await {
                Ok((200, _)) => done(&name, Last::Set(version)),
                Ok((status, answer)) => panic!("{status}: {answer}"),
                Err(_gone) => return,
            }
        }
        if number % 3 == 0 {
            // From here on it may be either, until there is an answer.
            acknowledged.lock().unwrap().remove(&name);
            match client.try_call(Method::DELETE, &format!("/secrets/{name}"), Value::Null).await {
                Ok((200, _)) => done(&name, Last::Deleted),
                Ok((status, answer)) => panic!("{status}: {answer}"),
                Err(_gone) => return,
            }
        }
        let setting = format!("{prefix}-setting-{number}");
        if !write_setting(&config, &setting, number % 3 == 0, &acknowledged).await {
            return;
        }
        let key = format!("{prefix}-key-{number}");
        match client.try_call(Method::POST, &format!("/keys/{key}/create"), json!({ "kty": "EC" })).await {
            Ok((200, _)) => done(&key, Last::Key),
            Ok((status, answer)) => panic!("{status}: {answer}"),
            Err(_gone) => return,
        }
    }
}

/// A key-value, set three times, and then perhaps deleted. False when the server is gone.
async fn write_setting(config: &ConfigClient, name: &str, delete: bool, acknowledged: &Acknowledged) -> bool {
    let path = format!("/kv/{name}");
    for version in 0..3 {
        let body = json!({ "value": value(name, version), "tags": { "version": version.to_string() } });
        match config.try_call(Method::PUT, &path, body).await {
            Ok((200, answer)) => {
                let etag = answer["etag"].as_str().unwrap().to_owned();
                acknowledged.lock().unwrap().insert(name.to_owned(), Last::Setting(version, etag));
            }
            Ok((status, answer)) => panic!("{status}: {answer}"),
            Err(_gone) => return false,
        }
    }
    if delete {
        // From here on it may be either, until there is an answer.
        acknowledged.lock().unwrap().remove(name);
        match config.try_call(Method::DELETE, &path, Value::Null).await {
            Ok((200, _)) => acknowledged.lock().unwrap().insert(name.to_owned(), Last::DeletedSetting),
            Ok((status, answer)) => panic!("{status}: {answer}"),
            Err(_gone) => return false,
        };
    }
    true
}

/// Each acknowledged write is there: that version or, unacknowledged, a later one.
async fn verify(client: &Client, config: &ConfigClient, acknowledged: &HashMap<String, Last>) {
    for (name, last) in acknowledged {
        match last {
            Last::Set(number) => {
                let found = client.secret(name).await.unwrap_or_else(|| panic!("{name} is lost"));
                let possible = (*number..3).any(|number| found == value(name, number));
                assert!(possible, "{name} has not the value of version {number}");
            }
            Last::Deleted => {
                assert_eq!(client.secret(name).await, None, "{name} was deleted");
                assert_eq!(client.get(&format!("/deletedsecrets/{name}")).await.0, 200, "{name} is lost");
            }
            Last::Key => sign(client, name).await,
            Last::Setting(number, etag) => {
                let (status, found) = config.get(&format!("/kv/{name}")).await;
                assert_eq!(status, 200, "{name} is lost");
                let later = (number + 1..3).any(|number| found["value"] == value(name, number));
                let same = found["value"] == value(name, *number) && found["etag"] == *etag;
                assert!(same || later, "{name} has neither value and etag of version {number} nor a later value");
                let revisions = config.list(&format!("/revisions?key={name}")).await;
                let kept = revisions.iter().any(|it| it["etag"] == *etag && it["value"] == value(name, *number));
                assert!(kept, "{name} has no revision of version {number}");
            }
            Last::DeletedSetting => {
                assert_eq!(config.get(&format!("/kv/{name}")).await.0, 404, "{name} was deleted");
                assert_eq!(config.list(&format!("/revisions?key={name}")).await.len(), 3, "{name} had three values");
            }
        }
    }
}

/// Nothing half made: each key-value is the newest of its revisions, and has all of those before.
async fn verify_whole_settings(config: &ConfigClient, prefix: &str) {
    let mut revisions: HashMap<String, Vec<Value>> = HashMap::new();
    for revision in config.list(&format!("/revisions?key={prefix}*")).await {
        revisions.entry(revision["key"].as_str().unwrap().to_owned()).or_default().push(revision);
    }
    for item in config.list(&format!("/kv?key={prefix}*")).await {
        let name = item["key"].as_str().unwrap();
        assert_eq!(config.get(&format!("/kv/{name}")).await.1, item);
        let revisions = revisions.remove(name).unwrap_or_default();
        assert_eq!(revisions.first(), Some(&item), "{name} is not the newest of its revisions");
        let number: u32 = item["tags"]["version"].as_str().unwrap().parse().unwrap();
        let wanted: Vec<String> = (0..=number).rev().map(|number| value(name, number)).collect();
        let found: Vec<&str> = revisions.iter().map(|revision| revision["value"].as_str().unwrap()).collect();
        assert_eq!(found, wanted, "{name}");
    }
    for (name, revisions) in revisions {
        assert_eq!((config.get(&format!("/kv/{name}")).await.0, revisions.len()), (404, 3), "{name} was deleted");
    }
}

async fn sign(client: &Client, name: &str) {
    let body = json!({ "alg": "ES256", "value": "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA" });
    let (status, answer) = client.post(&format!("/keys/{name}/sign"), body).await;
    assert_eq!(status, 200, "{name}: {answer}");
}

/// The last segment of an item's id.
fn name_of(item: &Value, member: &str) -> String {
    item[member].as_str().unwrap().rsplit('/').next().unwrap().to_owned()
}

/// Nothing half made: all that is listed can be read, whole, in each of its versions.
async fn verify_whole(client: &Client, prefix: &str) {
    let ours = |name: &String| name.starts_with(prefix);
    for name in client.list("/secrets").await.iter().map(|item| name_of(item, "id")).filter(ours) {
        let versions = client.list(&format!("/secrets/{name}/versions")).await;
        assert!((1..=3).contains(&versions.len()), "{name}");
        for item in versions {
            let version = name_of(&item, "id");
            let number = item["tags"]["version"].as_str().unwrap().parse().unwrap();
            let found = client.secret(&format!("{name}/{version}")).await;
            assert_eq!(found, Some(value(&name, number)), "{name}/{version}");
        }
    }
    for name in client.list("/keys").await.iter().map(|item| name_of(item, "kid")).filter(ours) {
        sign(client, &name).await;
    }
    for name in client.list("/deletedsecrets").await.iter().map(|item| name_of(item, "id")).filter(ours) {
        assert_eq!(client.secret(&name).await, None, "{name} is live and deleted");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn crash_loses_nothing_acknowledged() {
    let cycles = std::env::var("STRONGROOM_CRASH_CYCLES").ok().map_or(20, |text| text.parse().unwrap());
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join("data");
    let mut everything = HashMap::new();
    for cycle in 0..cycles {
        let mut server = Dev::start(&folder);
        let client = server.client().await;
        let config = server.config(&client);
        if cycle > 0 {
            // What the last cycle left.
            let prefix = format!("c{}-", cycle - 1);
            let last = everything.iter().filter(|(name, _): &(&String, &Last)| name.starts_with(&prefix));
            verify(&client, &config, &last.map(|(name, last)| (name.clone(), last.clone())).collect()).await;
            verify_whole(&client, &prefix).await;
            verify_whole_settings(&config, &prefix).await;
        }
        let acknowledged = Acknowledged::default();
        let writers: Vec<_> = (0..WRITERS)
            .map(|writer| {
                let (client, config) = (client.clone(), config.clone());
                tokio::spawn(write(client, config, format!("c{cycle}-w{writer}"), acknowledged.clone()))
            })
            .collect();
        let [moment] = strongroom_crypto::random_bytes::<1>().unwrap();
        tokio::time::sleep(Duration::from_millis(20 + 2 * u64::from(moment))).await;
        server.process.kill();
        for writer in writers {
            writer.await.unwrap();
        }
        everything.extend(acknowledged.lock().unwrap().drain());
    }
    let server = Dev::start(&folder);
    let client = server.client().await;
    verify(&client, &server.config(&client), &everything).await;
    assert!(server.process.stop().success());
    let check = run(&["check", "--data", folder.to_str().unwrap()]);
    assert!(check.status.success(), "{}", String::from_utf8_lossy(&check.stderr));
    println!("{} objects acknowledged, {cycles} kills, none lost", everything.len());
    assert!(everything.len() > cycles, "hardly anything was written");
    let settings = everything.values().filter(|last| matches!(last, Last::Setting(..) | Last::DeletedSetting)).count();
    assert!(settings > cycles / 4, "hardly a key-value was written: {settings}");
}
