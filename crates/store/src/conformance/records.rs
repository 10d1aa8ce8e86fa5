//! What every store of records must do. Plain functions on `&dyn Records`: each backend's tests
//! call [`all`]. They panic where the store is wrong. All keys lie in one space of the caller's
//! choice, which must be empty.

#![allow(clippy::unwrap_used, clippy::panic, reason = "these are tests, kept where every backend can run them")]

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::Poll;

use crate::records::{Batch, Expected, RecordKey, Records, RecordsError, Scan};

/// Runs every check, each in its own space: `prefix` with a letter appended.
///
/// # Panics
/// When the store does not keep the contract of [`Records`].
pub async fn all(records: &dyn Records, prefix: &str) {
    read_your_writes(records, &format!("{prefix}a")).await;
    expectations(records, &format!("{prefix}b")).await;
    all_or_nothing(records, &format!("{prefix}c")).await;
    one_write_per_key(records, &format!("{prefix}d")).await;
    order_and_bounds(records, &format!("{prefix}e")).await;
    prefix_edges(records, &format!("{prefix}f")).await;
    values(records, &format!("{prefix}g")).await;
    deletes(records, &format!("{prefix}h")).await;
    revisions_are_new(records, &format!("{prefix}i")).await;
    concurrent_increments(records, &format!("{prefix}j")).await;
}

/// What a commit wrote, a read and a scan that start after it see, with the revision it returned.
///
/// # Panics
/// When they do not.
pub async fn read_your_writes(records: &dyn Records, space: &str) {
    assert!(records.read(&key(space, "a")).await.unwrap().is_none());
    let mut batch = Batch::default();
    batch.put(key(space, "a"), b"one".to_vec());
    batch.put(key(space, "b"), b"two".to_vec());
    let revision = records.commit(batch).await.unwrap();
    for (name, value) in [("a", b"one"), ("b", b"two")] {
        let record = records.read(&key(space, name)).await.unwrap().unwrap();
        assert_eq!((record.value.as_slice(), record.revision), (value.as_slice(), revision));
    }
    let found = records.scan(&Scan::prefix(format!("{space}/"), 10)).await.unwrap();
    assert_eq!(found.len(), 2);
    assert!(found.iter().all(|(_, record)| record.revision == revision));
    for round in 0..50_u8 {
        put(records, &key(space, "a"), &[round]).await;
        assert_eq!(value(records, &key(space, "a")).await, Some(vec![round]));
    }
}

/// `Absent` and `Revision` hold when they are true and conflict when not.
///
/// # Panics
/// When they do not.
pub async fn expectations(records: &dyn Records, space: &str) {
    let it = key(space, "it");
    let first = expecting(records, &it, Expected::Absent, b"1").await.unwrap();
    assert!(matches!(expecting(records, &it, Expected::Absent, b"2").await, Err(RecordsError::Conflict)));
    let second = expecting(records, &it, Expected::Revision(first), b"2").await.unwrap();
    assert!(matches!(expecting(records, &it, Expected::Revision(first), b"3").await, Err(RecordsError::Conflict)));
    assert_eq!(value(records, &it).await.as_deref(), Some(b"2".as_slice()));
    let none = key(space, "none");
    assert!(matches!(expecting(records, &none, Expected::Revision(second), b"1").await, Err(RecordsError::Conflict)));
    // An expectation may be about a record that the batch does not write, and a batch need not write.
    let mut batch = Batch::default();
    batch.expect(it.clone(), Expected::Revision(second));
    batch.put(none.clone(), b"1".to_vec());
    records.commit(batch).await.unwrap();
    let mut batch = Batch::default();
    batch.expect(it.clone(), Expected::Revision(second));
    records.commit(batch).await.unwrap();
    let mut batch = Batch::default();
    batch.expect(it, Expected::Absent);
    assert!(matches!(records.commit(batch).await, Err(RecordsError::Conflict)));
    records.commit(Batch::default()).await.unwrap();
}

/// One expectation that does not hold, and nothing of the batch happens.
///
/// # Panics
/// When something does.
pub async fn all_or_nothing(records: &dyn Records, space: &str) {
    let revision = put(records, &key(space, "kept"), b"before").await;
    let mut batch = Batch::default();
    batch.expect(key(space, "kept"), Expected::Revision(revision));
    batch.expect(key(space, "new"), Expected::Absent);
    batch.expect(key(space, "missing"), Expected::Revision(revision));
    batch.put(key(space, "kept"), b"after".to_vec());
    batch.put(key(space, "new"), b"after".to_vec());
    assert!(matches!(records.commit(batch).await, Err(RecordsError::Conflict)));
    assert_eq!(value(records, &key(space, "kept")).await.as_deref(), Some(b"before".as_slice()));
    assert_eq!(value(records, &key(space, "new")).await, None);
    let mut batch = Batch::default();
    batch.expect(key(space, "missing"), Expected::Revision(revision));
    batch.delete(key(space, "kept"));
    assert!(records.commit(batch).await.is_err());
    assert!(value(records, &key(space, "kept")).await.is_some());
}

/// A batch that writes a record twice is refused, and nothing of it happens.
///
/// # Panics
/// When it is not.
pub async fn one_write_per_key(records: &dyn Records, space: &str) {
    let mut batch = Batch::default();
    batch.put(key(space, "other"), b"1".to_vec());
    batch.put(key(space, "twice"), b"1".to_vec());
    batch.delete(key(space, "twice"));
    assert!(records.commit(batch).await.is_err());
    assert!(records.scan(&Scan::prefix(format!("{space}/"), 10)).await.unwrap().is_empty());
}

/// Scans give ascending keys, and keep to `after`, `before` and `limit`.
///
/// # Panics
/// When they do not.
pub async fn order_and_bounds(records: &dyn Records, space: &str) {
    let mut batch = Batch::default();
    for name in ["d", "a", "é", "c", "b", "B", "aa", "~"] {
        batch.put(key(space, name), name.as_bytes().to_vec());
    }
    records.commit(batch).await.unwrap();
    let all = ["B", "a", "aa", "b", "c", "d", "~", "é"];
    let scan = |after: Option<&str>, before: Option<&str>, limit| Scan {
        prefix: format!("{space}/"),
        after: after.map(|name| key(space, name)),
        before: before.map(|name| key(space, name)),
        limit,
    };
    assert_eq!(names(records, space, scan(None, None, 100)).await, all);
    assert_eq!(names(records, space, scan(None, None, 3)).await, ["B", "a", "aa"]);
    assert_eq!(names(records, space, scan(Some("a"), None, 2)).await, ["aa", "b"]);
    assert_eq!(names(records, space, scan(Some("a0"), None, 2)).await, ["aa", "b"]);
    assert_eq!(names(records, space, scan(None, Some("b"), 100)).await, ["B", "a", "aa"]);
    assert_eq!(names(records, space, scan(Some("a"), Some("c"), 100)).await, ["aa", "b"]);
    assert!(names(records, space, scan(Some("c"), Some("c"), 100)).await.is_empty());
    assert!(names(records, space, scan(Some("d"), Some("b"), 100)).await.is_empty());
    assert!(names(records, space, scan(Some("é"), None, 100)).await.is_empty());
    assert!(names(records, space, scan(None, None, 0)).await.is_empty());
    // Bounds outside of the prefix.
    let outside = |after: Option<String>, before: Option<String>| Scan {
        prefix: format!("{space}/"),
        after: after.map(RecordKey::new),
        before: before.map(RecordKey::new),
        limit: 100,
    };
    assert_eq!(names(records, space, outside(Some(String::new()), Some(format!("{space}0")))).await, all);
    assert!(names(records, space, outside(Some(format!("{space}0")), None)).await.is_empty());
    assert!(names(records, space, outside(None, Some(space.to_owned()))).await.is_empty());
    // Page by page, nothing twice and nothing left out.
    let mut paged = Vec::new();
    while let Some(page) = Some(names(records, space, scan(paged.last().map(String::as_str), None, 3)).await) {
        if page.is_empty() {
            break;
        }
        paged.extend(page);
    }
    assert_eq!(paged, all);
}

/// A prefix is a prefix of bytes: `a` is one of `a-b` and `a/x`, and `a/` only of the latter.
///
/// # Panics
/// When it is not.
pub async fn prefix_edges(records: &dyn Records, space: &str) {
    let mut batch = Batch::default();
    for name in ["a", "a-b", "a-b/x", "a/", "a/x", "a0", "b", "\u{10ffff}", "\u{10ffff}x"] {
        batch.put(key(space, name), Vec::new());
    }
    records.commit(batch).await.unwrap();
    let under = |prefix: &str| Scan::prefix(format!("{space}/{prefix}"), 100);
    assert_eq!(names(records, space, under("a")).await, ["a", "a-b", "a-b/x", "a/", "a/x", "a0"]);
    assert_eq!(names(records, space, under("a/")).await, ["a/", "a/x"]);
    assert_eq!(names(records, space, under("a-b")).await, ["a-b", "a-b/x"]);
    assert_eq!(names(records, space, under("a-b/")).await, ["a-b/x"]);
    assert_eq!(names(records, space, under("\u{10ffff}")).await, ["\u{10ffff}", "\u{10ffff}x"]);
    assert!(names(records, space, under("c")).await.is_empty());
    // A space is not a prefix of a longer one's records.
    put(records, &RecordKey::new(format!("{space}-more/a")), b"").await;
    assert_eq!(names(records, space, under("")).await.len(), 9);
    let everything = records.scan(&Scan::prefix("", 100_000)).await.unwrap();
    assert!(everything.is_sorted_by(|(one, _), (next, _)| one < next));
    assert!(everything.len() >= 10);
}

/// Values are any bytes, none to 200 KB.
///
/// # Panics
/// When they do not come back as they were.
pub async fn values(records: &dyn Records, space: &str) {
    let every_byte: Vec<u8> = (0..=u8::MAX).collect();
    let large: Vec<u8> = every_byte.iter().copied().cycle().take(200_000).collect();
    let cases = [("none", Vec::new()), ("zero", vec![0; 7]), ("bytes", every_byte), ("large", large)];
    let mut batch = Batch::default();
    for (name, value) in &cases {
        batch.put(key(space, name), value.clone());
    }
    records.commit(batch).await.unwrap();
    for (name, expected) in &cases {
        assert!(value(records, &key(space, name)).await.as_ref() == Some(expected), "{name} came back changed");
    }
    // Long to short and back.
    for (_, expected) in cases.iter().chain(cases.iter().rev()) {
        put(records, &key(space, "changing"), expected).await;
        assert!(value(records, &key(space, "changing")).await.as_ref() == Some(expected));
    }
}

/// A removed record is gone; removing what is absent is no error.
///
/// # Panics
/// When that is not so.
pub async fn deletes(records: &dyn Records, space: &str) {
    put(records, &key(space, "a"), b"1").await;
    put(records, &key(space, "b"), b"1").await;
    let mut batch = Batch::default();
    batch.delete(key(space, "a"));
    batch.delete(key(space, "never"));
    batch.put(key(space, "c"), b"1".to_vec());
    records.commit(batch).await.unwrap();
    assert_eq!(value(records, &key(space, "a")).await, None);
    assert_eq!(names(records, space, Scan::prefix(format!("{space}/"), 10)).await, ["b", "c"]);
    expecting(records, &key(space, "a"), Expected::Absent, b"2").await.unwrap();
    assert_eq!(value(records, &key(space, "a")).await.as_deref(), Some(b"2".as_slice()));
}

/// A record never has a revision again that it had before, not even when it was removed meanwhile.
///
/// # Panics
/// When it has.
pub async fn revisions_are_new(records: &dyn Records, space: &str) {
    let it = key(space, "it");
    let mut seen = std::collections::HashSet::new();
    for _ in 0..20 {
        assert!(seen.insert(put(records, &it, b"the same").await));
        let mut batch = Batch::default();
        batch.delete(it.clone());
        records.commit(batch).await.unwrap();
    }
    let last = put(records, &it, b"the same").await;
    for old in seen {
        assert!(matches!(expecting(records, &it, Expected::Revision(old), b"x").await, Err(RecordsError::Conflict)));
    }
    expecting(records, &it, Expected::Revision(last), b"x").await.unwrap();
}

/// 64 tasks count up one record by compare and set: no count is lost.
///
/// # Panics
/// When one is.
pub async fn concurrent_increments(records: &dyn Records, space: &str) {
    const TASKS: usize = 64;
    const ROUNDS: usize = 4;
    let counter = key(space, "counter");
    put(records, &counter, b"0").await;
    let tasks = (0..TASKS).map(|_| {
        let counter = counter.clone();
        async move {
            for _ in 0..ROUNDS {
                loop {
                    let record = records.read(&counter).await.unwrap().unwrap();
                    let count: usize = std::str::from_utf8(&record.value).unwrap().parse().unwrap();
                    // Let the others read the same value.
                    tokio::task::yield_now().await;
                    let next = (count + 1).to_string();
                    match expecting(records, &counter, Expected::Revision(record.revision), next.as_bytes()).await {
                        Ok(_) => break,
                        Err(RecordsError::Conflict) => {}
                        Err(fault) => panic!("{fault}"),
                    }
                }
            }
        }
    });
    together(tasks).await;
    let total = (TASKS * ROUNDS).to_string();
    assert_eq!(value(records, &counter).await.as_deref(), Some(total.as_bytes()));
}

fn key(space: &str, name: &str) -> RecordKey {
    RecordKey::new(format!("{space}/{name}"))
}

async fn put(records: &dyn Records, key: &RecordKey, value: &[u8]) -> u64 {
    let mut batch = Batch::default();
    batch.put(key.clone(), value.to_vec());
    records.commit(batch).await.unwrap()
}

async fn expecting(
    records: &dyn Records,
    key: &RecordKey,
    expected: Expected,
    value: &[u8],
) -> Result<u64, RecordsError> {
    let mut batch = Batch::default();
    batch.expect(key.clone(), expected);
    batch.put(key.clone(), value.to_vec());
    records.commit(batch).await
}

async fn value(records: &dyn Records, key: &RecordKey) -> Option<Vec<u8>> {
    records.read(key).await.unwrap().map(|record| record.value.to_vec())
}

async fn names(records: &dyn Records, space: &str, scan: Scan) -> Vec<String> {
    let found = records.scan(&scan).await.unwrap();
    found
        .iter()
        .map(|(key, _)| key.as_str().strip_prefix(space).unwrap().strip_prefix('/').unwrap().to_owned())
        .collect()
}

/// Runs futures at once on this task, until all have ended.
async fn together<F: Future<Output = ()>>(futures: impl Iterator<Item = F>) {
    let mut running: Vec<Pin<Box<F>>> = futures.map(Box::pin).collect();
    poll_fn(|context| {
        running.retain_mut(|future| future.as_mut().poll(context).is_pending());
        if running.is_empty() { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}
