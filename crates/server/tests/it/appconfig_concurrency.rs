//! Many writers of one key-value: with `If-Match` no increment is lost, and of many who add what is
//! not there exactly one wins (contract 2.8.5).

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use serde_json::{Value, json};

use crate::appconfig_calls::Store;
use crate::support::{Reply, TestServer};

const WRITERS: usize = 64;

/// Reads a number and writes the next one, on the condition that nobody has written meanwhile.
/// Answers with what it wrote, or `None` when somebody has.
async fn increment(store: &Store) -> Option<u32> {
    let read = store.get("/kv/counter").await;
    let etag = read.header("etag").to_owned();
    let next: u32 = read.ok()["value"].as_str().unwrap().parse::<u32>().unwrap() + 1;
    let body = json!({ "value": next.to_string() }).to_string();
    let written = store.call_with("PUT", "/kv/counter", &[("if-match", &etag)], body).await;
    match written.status {
        200 => {
            assert_eq!(written.json["value"], next.to_string());
            assert_ne!(written.header("etag"), etag);
            Some(next)
        }
        412 => {
            assert_eq!(written.text, "", "a 412 has no body");
            None
        }
        other => panic!("{other}: {}", written.text),
    }
}

/// `pause`: who has lost waits so many milliseconds at most before it reads again.
async fn count_to(increments: u32, pause: u64) {
    let server = TestServer::start().await;
    let store = Store::of(&server, "dev").await;
    store.set("counter", "0").await;
    // Each increment is somebody's, taken from here before it is begun.
    let left = Arc::new(AtomicU32::new(increments));
    let writers: Vec<_> = (0..WRITERS)
        .map(|_| {
            let (store, left) = (store.clone(), Arc::clone(&left));
            tokio::spawn(async move {
                let (mut written, mut lost) = (Vec::new(), 0_u32);
                while left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok() {
                    loop {
                        match increment(&store).await {
                            Some(number) => break written.push(number),
                            None => {
                                lost += 1;
                                let [random] = strongroom_crypto::random_bytes::<1>().unwrap();
                                tokio::time::sleep(Duration::from_millis(u64::from(random) * pause / 256)).await;
                            }
                        }
                    }
                }
                (written, lost)
            })
        })
        .collect();
    let (mut all, mut lost) = (Vec::new(), 0);
    for writer in writers {
        let (written, lost_by_it) = writer.await.unwrap();
        all.extend(written);
        lost += lost_by_it;
    }
    all.sort_unstable();
    assert!(all.iter().copied().eq(1..=increments), "each number is written by exactly one");
    assert!(lost > increments / 10, "they were hardly in each other's way: {lost}");
    assert_eq!(store.get("/kv/counter").await.ok()["value"], increments.to_string());
    // And each has its revision, in this order.
    let revisions = store.values("/revisions?key=counter&api-version=2023-11-01").await;
    let wanted: Vec<String> = (0..=increments).rev().map(|number| number.to_string()).collect();
    assert!(revisions == wanted, "{} revisions", revisions.len());
}

/// 2,000 and not 10,000, and with pauses: all 64 at once, of whom one in a round wins, take a minute
/// for these in an unoptimized build.
#[tokio::test(flavor = "multi_thread")]
async fn sixty_four_writers_lose_no_increment() {
    count_to(2_000, 250).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "slow without optimization: cargo test --release -- --ignored"]
async fn sixty_four_writers_who_never_pause_lose_none_of_ten_thousand_increments() {
    count_to(10_000, 0).await;
}

/// All of them at once, each with its own value.
async fn race(store: &Store, path: &str, headers: &[(&'static str, &str)]) -> Vec<Reply> {
    let racers: Vec<_> = (0..32)
        .map(|number| {
            let (store, path) = (store.clone(), path.to_owned());
            let headers: Vec<(&str, String)> =
                headers.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
            let body = json!({ "value": format!("of racer {number}") }).to_string();
            tokio::spawn(async move {
                let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
                store.call_with("PUT", &path, &headers, body).await
            })
        })
        .collect();
    let mut replies = Vec::new();
    for racer in racers {
        replies.push(racer.await.unwrap());
    }
    replies
}

/// The one who won; all others were told 412.
fn winner(replies: &[Reply]) -> &Value {
    let (won, lost): (Vec<&Reply>, Vec<&Reply>) = replies.iter().partition(|reply| reply.status == 200);
    assert_eq!(won.len(), 1);
    assert!(lost.iter().all(|reply| (reply.status, reply.text.as_str()) == (412, "")));
    &won[0].json
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_who_add_what_is_not_there_exactly_one_wins() {
    let server = TestServer::start().await;
    let store = Store::of(&server, "dev").await;
    for round in 0..20 {
        let path = format!("/kv/k{round}?api-version=2023-11-01&label=l");
        let replies = race(&store, &path, &[("if-none-match", "*")]).await;
        let won = winner(&replies);
        let kept = store.get(&path).await;
        assert_eq!(kept.json["value"], won["value"], "round {round}");
        assert_eq!(kept.header("etag"), format!("\"{}\"", won["etag"].as_str().unwrap()));
        // Deleted, it can be added once more; and it is again one who does.
        assert_eq!(store.status("DELETE", &path).await, 200);
        winner(&race(&store, &path, &[("if-none-match", "*")]).await);
        assert_eq!(store.values(&format!("/revisions?key=k{round}&api-version=2023-11-01")).await.len(), 2);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_who_replace_the_same_value_exactly_one_wins() {
    let server = TestServer::start().await;
    let store = Store::of(&server, "dev").await;
    for round in 0..20 {
        let path = format!("/kv/k{round}");
        let etag = format!("\"{}\"", store.set(&format!("k{round}"), "before").await["etag"].as_str().unwrap());
        let replies = race(&store, &path, &[("if-match", &etag)]).await;
        assert_eq!(store.get(&path).await.json["value"], winner(&replies)["value"], "round {round}");
    }
}

/// Without conditions everybody's write is accepted, and all of them have their revisions.
#[tokio::test(flavor = "multi_thread")]
async fn without_conditions_every_write_counts_and_leaves_its_revision() {
    let server = TestServer::start().await;
    let store = Store::of(&server, "dev").await;
    let replies = race(&store, "/kv/k", &[]).await;
    assert!(replies.iter().all(|reply| reply.status == 200));
    let mut revisions = store.values("/revisions").await;
    assert_eq!(store.get("/kv/k").await.json["value"], revisions[0].as_str(), "the newest is the current one");
    revisions.sort();
    revisions.dedup();
    assert_eq!(revisions.len(), 32);
    // One snapshot of that name, however many want to make it.
    let racers = (0..32).map(|_| {
        let store = store.clone();
        tokio::spawn(async move { store.call("PUT", "/snapshots/s", &json!({"filters": [{"key": "*"}]})).await.status })
    });
    let mut made = 0;
    for racer in racers.collect::<Vec<_>>() {
        match racer.await.unwrap() {
            201 => made += 1,
            other => assert_eq!(other, 409),
        }
    }
    assert_eq!((made, store.values("/kv?api-version=2023-11-01&snapshot=s").await.len()), (1, 1));
}
