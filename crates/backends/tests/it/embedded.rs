//! Vaults in this process, opened by their URIs: the vault suite on each, what is due, and speed.

use std::sync::Arc;
use std::time::Instant;

use strongroom_backends::open::{Embedded, OpenOptions, VaultUri, open_embedded};
use strongroom_store::conformance::vault::{Harness, all};
use strongroom_store::records::Records;
use strongroom_store::vault::{NewVersion, Target};
use strongroom_store::{Cx, Time};
use strongroom_wire::ErrorKind;
use strongroom_wire::ids::{Kind, ObjectName, VaultName};
use strongroom_wire::rotation::{Duration, RotateWhen, RotationPolicy};
use tempfile::TempDir;

use crate::redis_server::RedisServer;
use crate::sqlite::{get, put};

pub(crate) const NOW: i64 = 1_800_000_000;
const DAY: i64 = 86_400;

pub(crate) async fn place(uri: &str) -> Embedded {
    open_embedded(&VaultUri::parse(uri).unwrap(), &OpenOptions::default()).await.unwrap()
}

pub(crate) fn name(name: &str) -> VaultName {
    VaultName::parse(name).unwrap()
}

/// The URI of a vault in a folder, and the passphrase's file beside it.
pub(crate) fn file_uri(folder: &TempDir, more: &str) -> String {
    let passphrase = folder.path().join("passphrase");
    std::fs::write(&passphrase, crate::redis_server::PASSPHRASE).unwrap();
    format!("file:{}?passphrase-file={}{more}", folder.path().join("vault").display(), passphrase.display())
}

async fn suite(uri: &str) {
    let place = place(uri).await;
    all(&Harness::new(place.vault(name("one")), place.vault(name("two")), NOW)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn memory_is_a_vault() {
    suite("memory:").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn file_is_a_vault() {
    let folder = TempDir::new().unwrap();
    suite(&file_uri(&folder, "&kdf=scrypt")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn redis_is_a_vault() {
    let Some(server) = RedisServer::start() else { return };
    suite(&server.uri("")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_due_is_done_without_a_server() {
    let place = place("memory:").await;
    let vault = place.vault(name("one"));
    let cx = Cx::system(Time::from_seconds(NOW));
    let (key, secret) = (ObjectName::parse("key").unwrap(), ObjectName::parse("secret").unwrap());
    let new = NewVersion::Key {
        spec: strongroom_crypto::KeySpec::Ec(strongroom_wire::algorithms::Curve::P256),
        hardware: false,
        key_ops: None,
        with: Default::default(),
    };
    let first = vault.put(&cx, &key, new).await.unwrap();
    let rotate = Some(RotateWhen::AfterCreate(Duration::days(30)));
    vault.set_rotation_policy(&cx, &key, RotationPolicy { rotate, ..Default::default() }).await.unwrap();
    let new = NewVersion::Secret { value: "v".to_owned().into(), content_type: None, with: Default::default() };
    vault.put(&cx, &secret, new).await.unwrap();
    let deleted = vault.delete(&cx, Kind::Secret, &secret).await.unwrap();
    let purged = deleted.deletion.unwrap().scheduled_purge;
    assert_eq!(place.run_due(Time::from_seconds(NOW + 29 * DAY)).await.unwrap(), 0);
    assert_eq!(place.run_due(Time::from_seconds(NOW + 30 * DAY)).await.unwrap(), 1);
    let second = vault.get(&cx, &Target::latest(Kind::Key, key)).await.unwrap();
    assert_ne!(first.version, second.version);
    assert!(vault.get_deleted(&cx, Kind::Secret, &secret).await.is_ok());
    assert!(place.run_due(Time::from_seconds(purged)).await.unwrap() > 0);
    let gone = vault.get_deleted(&cx, Kind::Secret, &secret).await.unwrap_err();
    assert!(matches!(gone.kind, ErrorKind::NotFound(_) | ErrorKind::DeletedNotFound(_)), "{gone}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_became_due_meanwhile_is_done_when_a_place_is_opened() {
    let folder = TempDir::new().unwrap();
    let uri = file_uri(&folder, "");
    let secret = ObjectName::parse("secret").unwrap();
    let cx = Cx::system(Time::from_seconds(0));
    {
        let vault = place(&uri).await.vault(name("one"));
        let new = NewVersion::Secret { value: "v".to_owned().into(), content_type: None, with: Default::default() };
        vault.put(&cx, &secret, new).await.unwrap();
        vault.delete(&cx, Kind::Secret, &secret).await.unwrap();
        assert!(vault.get_deleted(&cx, Kind::Secret, &secret).await.is_ok());
    }
    // Deleted in 1970, so its time is over by any clock.
    assert!(place(&uri).await.vault(name("one")).get_deleted(&cx, Kind::Secret, &secret).await.is_err());
}

/// `cargo test -p strongroom-backends --test it speed -- --ignored --nocapture`
#[tokio::test(flavor = "multi_thread")]
#[ignore = "prints numbers"]
async fn speed_of_records() {
    let folder = TempDir::new().unwrap();
    let mut places = vec![("file", place(&file_uri(&folder, "")).await)];
    let (durable, quick) = (
        RedisServer::start(),
        RedisServer::with(|_folder, port| {
            vec!["--port".to_owned(), port.to_owned(), "--save".to_owned(), String::new()]
        }),
    );
    if let (Some(durable), Some(quick)) = (&durable, &quick) {
        places.push(("redis, appendfsync always", place(&durable.uri("")).await));
        places.push(("redis, in memory", place(&quick.uri("")).await));
    }
    for (what, place) in places {
        let records = place.records();
        for tasks in [1_usize, 64] {
            let commits = per_second(tasks, &records, true).await;
            let reads = per_second(tasks, &records, false).await;
            println!("{what}, {tasks} at once: {commits} commits/s, {reads} reads/s");
        }
    }
}

async fn per_second(tasks: usize, records: &Arc<dyn Records>, write: bool) -> u128 {
    const EACH: usize = 2_000;
    let each = EACH / tasks.isqrt();
    let (start, mut running) = (Instant::now(), tokio::task::JoinSet::new());
    for task in 0..tasks {
        let records = Arc::clone(records);
        running.spawn(async move {
            for number in 0..each {
                let key = format!("speed/{task}/{number}");
                if write {
                    put(&*records, &key, &[7; 500]).await.unwrap();
                } else {
                    get(&*records, &key).await.unwrap().unwrap();
                }
            }
        });
    }
    while let Some(ended) = running.join_next().await {
        ended.unwrap();
    }
    (tasks * each) as u128 * 1_000_000 / start.elapsed().as_micros()
}
