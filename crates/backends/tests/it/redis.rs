//! Records and vaults in a real Redis: plain, over TLS, as a user with few rights, killed.

use std::sync::Arc;
use std::time::Instant;

use strongroom_backends::RedisRecords;
use strongroom_backends::open::{OpenError, OpenOptions, VaultUri, open, open_embedded};
use strongroom_store::conformance;
use strongroom_store::records::{Batch, Expected, RecordKey, Records, RecordsError};
use strongroom_store::vault::{NewAttributes, NewVersion, Target};
use strongroom_store::{Cx, Time};
use strongroom_wire::ids::{Kind, ObjectName};

use crate::redis_server::{RedisServer, all_bytes, connect};
use crate::sqlite::{get, put};

/// What the documentation of redis: vaults says a user needs.
const RULES: &str = "resetkeys ~{strongroom}:* resetchannels -@all +hello +ping +select +info +evalsha +script|load \
                     +hget +hmget +hset +hdel +zadd +zrem +zrangebylex +incr";

#[tokio::test(flavor = "multi_thread")]
async fn redis_conforms() {
    let Some(server) = RedisServer::start() else { return };
    conformance::records::all(&server.records().await, "t").await;
    // And again over what the first run left, with other spaces; and beside another prefix.
    conformance::records::all(&server.records().await, "u").await;
    let other = connect(&format!("redis://127.0.0.1:{}/0?prefix=other", server.port)).await.unwrap();
    conformance::records::all(&other, "t").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn redis_over_tls_conforms_and_trusts_only_its_authority() {
    let certified = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let server = RedisServer::with(|folder, port| {
        let (cert, key) = (folder.join("cert.pem"), folder.join("key.pem"));
        std::fs::write(&cert, certified.cert.pem()).unwrap();
        std::fs::write(&key, certified.signing_key.serialize_pem()).unwrap();
        let files = [cert, key].map(|file| file.display().to_string());
        ["--port", "0", "--tls-port", port, "--tls-cert-file", &files[0], "--tls-key-file", &files[1]]
            .into_iter()
            .chain(["--tls-auth-clients", "no"])
            .map(str::to_owned)
            .collect()
    });
    let Some(server) = server else { return };
    let (port, ca) = (server.port, server.folder().join("cert.pem"));
    let records = connect(&format!("rediss://localhost:{port}?ca-file={}", ca.display())).await.unwrap();
    conformance::records::all(&records, "t").await;
    for wrong in [format!("rediss://localhost:{port}"), format!("rediss://127.0.0.1:{port}?ca-file={}", ca.display())] {
        let refusal = connect(&wrong).await.unwrap_err();
        assert!(refusal.contains("ertificate"), "{refusal}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_with_the_documented_rules_is_enough_and_other_passwords_are_refused() {
    let Some(server) = RedisServer::start() else { return };
    let mut rules = vec!["ACL", "SETUSER", "strongroom", "on", ">p@ss"];
    rules.extend(RULES.split_whitespace());
    assert_eq!(server.cli(&rules).trim(), "OK");
    let records = connect(&format!("redis://strongroom:p%40ss@127.0.0.1:{}", server.port)).await.unwrap();
    conformance::records::all(&records, "t").await;
    let file = server.folder().join("password");
    std::fs::write(&file, "p@ss\n").unwrap();
    connect(&format!("redis://strongroom@127.0.0.1:{}?password-file={}", server.port, file.display())).await.unwrap();
    let refusal = connect(&format!("redis://strongroom:hush@127.0.0.1:{}", server.port)).await.unwrap_err();
    assert!(refusal.contains("not accepted") && !refusal.contains("hush"), "{refusal}");
    // Keys beside its own it cannot touch; the message says what is missing.
    let beside = connect(&format!("redis://strongroom:p%40ss@127.0.0.1:{}?prefix=other", server.port)).await.unwrap();
    let refusal = put(&beside, "a/b", b"1").await.unwrap_err().to_string();
    assert!(refusal.contains("may not"), "{refusal}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_server_has_every_acknowledged_write_and_clients_come_back() {
    let Some(mut server) = RedisServer::start() else { return };
    let records = server.records().await;
    for round in 0..3_u32 {
        let writer = {
            let records = records.clone();
            tokio::spawn(async move {
                let mut acknowledged = Vec::new();
                for number in 0..100_000_u32 {
                    let key = format!("t/{round}/{number}");
                    match put(&records, &key, &number.to_be_bytes()).await {
                        Ok(_) => acknowledged.push((key, number)),
                        Err(_broken) => break,
                    }
                }
                acknowledged
            })
        };
        tokio::time::sleep(std::time::Duration::from_millis(300)).await;
        server.kill();
        let acknowledged = writer.await.unwrap();
        assert!(!acknowledged.is_empty());
        server.start_again();
        // The same client, which lost its connection.
        for (key, number) in &acknowledged {
            assert_eq!(get(&records, key).await.unwrap().as_deref(), Some(number.to_be_bytes().as_slice()), "{key}");
        }
        put(&records, "t/after", b"1").await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn clients_that_race_lose_no_increment() {
    const CLIENTS: usize = 4;
    const EACH: usize = 250;
    let Some(server) = RedisServer::with(|_folder, port| vec!["--port".to_owned(), port.to_owned()]) else { return };
    put(&server.records().await, "t/count", b"0").await.unwrap();
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..CLIENTS {
        let records = server.records().await;
        tasks.spawn(async move {
            for _ in 0..EACH {
                while !increment(&records).await {}
            }
        });
    }
    while let Some(ended) = tasks.join_next().await {
        ended.unwrap();
    }
    let count = get(&server.records().await, "t/count").await.unwrap().unwrap();
    assert_eq!(count, (CLIENTS * EACH).to_string().into_bytes());
}

async fn increment(records: &RedisRecords) -> bool {
    let key = RecordKey::new("t/count");
    let found = records.read(&key).await.unwrap().unwrap();
    let count: usize = std::str::from_utf8(&found.value).unwrap().parse().unwrap();
    let mut batch = Batch::default();
    batch.expect(key.clone(), Expected::Revision(found.revision));
    batch.put(key, (count + 1).to_string().into_bytes());
    match records.commit(batch).await {
        Ok(_) => true,
        Err(RecordsError::Conflict) => false,
        Err(fault) => panic!("{fault}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_lies_in_clear_and_a_wrong_passphrase_is_refused() {
    let Some(server) = RedisServer::start() else { return };
    let canary = "canary-8c1f44aa-in-clear";
    let vault = open(&server.uri("&vault=one")).await.unwrap();
    let cx = Cx::system(Time::from_seconds(1_800_000_000));
    let name = ObjectName::parse("token").unwrap();
    let new = NewVersion::Secret {
        value: canary.to_owned().into(),
        content_type: Some(format!("type-{canary}")),
        with: NewAttributes { tags: Some([("tag".to_owned(), canary.to_owned())].into()), ..Default::default() },
    };
    vault.put(&cx, &name, new).await.unwrap();
    server.cli(&["SAVE"]);
    let bytes = all_bytes(server.folder());
    let holds = |text: &str| bytes.windows(text.len()).any(|window| window == text.as_bytes());
    // The names of objects are not hidden, so the search finds what is there.
    assert!(holds("token") && !holds(canary));
    // Another process finds it; with another passphrase it does not.
    let again = open(&server.uri("&vault=one")).await.unwrap();
    again.get(&cx, &Target::latest(Kind::Secret, name)).await.unwrap();
    let uri = VaultUri::parse(&format!("redis://127.0.0.1:{}", server.port)).unwrap();
    let options = OpenOptions { passphrase: Some("another".to_owned().into()), ..OpenOptions::default() };
    let refusal = open_embedded(&uri, &options).await.unwrap_err();
    assert!(matches!(refusal, OpenError::Refused(_)), "{refusal}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_throws_keys_away_or_is_full_or_not_there_says_so() {
    let Some(mut server) = RedisServer::start() else { return };
    let records = server.records().await;
    server.cli(&["CONFIG", "SET", "maxmemory", "1"]);
    assert!(matches!(put(&records, "t/a", b"1").await, Err(RecordsError::Full)));
    server.cli(&["CONFIG", "SET", "maxmemory-policy", "allkeys-lru"]);
    let refusal = connect(&format!("redis://127.0.0.1:{}", server.port)).await.unwrap_err();
    assert!(refusal.contains("noeviction"), "{refusal}");
    server.kill();
    let start = Instant::now();
    assert!(matches!(put(&records, "t/a", b"1").await, Err(RecordsError::Unavailable(_))));
    assert!(start.elapsed().as_secs() < 30);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_processes_that_open_an_empty_redis_at_once_share_one_seal() {
    let Some(server) = RedisServer::start() else { return };
    let server = Arc::new(server);
    let uri = server.uri("&vault=one");
    let (one, two) = tokio::join!(open(&uri), open(&uri));
    let (one, two) = (one.unwrap(), two.unwrap());
    let cx = Cx::system(Time::from_seconds(1_800_000_000));
    let name = ObjectName::parse("shared").unwrap();
    let new = NewVersion::Secret { value: "v".to_owned().into(), content_type: None, with: Default::default() };
    one.put(&cx, &name, new).await.unwrap();
    two.get(&cx, &Target::latest(Kind::Secret, name.clone())).await.unwrap();
    let blob = two.backup(&cx, Kind::Secret, &name).await.unwrap();
    two.delete(&cx, Kind::Secret, &name).await.unwrap();
    two.purge(&cx, Kind::Secret, &name).await.unwrap();
    one.restore(&cx, Kind::Secret, &blob).await.unwrap();
}
