//! SQLite as it should be: the conformance suite, group commit, modes, opening and closing.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use strongroom_backends::SqliteRecords;
use strongroom_store::records::{Batch, Expected, RecordKey, Records, RecordsError, Scan};
use strongroom_store::sealing::{SealKey, initialise};
use strongroom_store::{Sealed, Time, conformance};
use tempfile::TempDir;

pub(crate) fn file_key() -> SealKey {
    SealKey::file(&[7; 32])
}

pub(crate) async fn put(records: &dyn Records, key: &str, value: &[u8]) -> Result<u64, RecordsError> {
    let mut batch = Batch::default();
    batch.put(RecordKey::new(key), value.to_vec());
    records.commit(batch).await
}

pub(crate) async fn get(records: &dyn Records, key: &str) -> Result<Option<Vec<u8>>, RecordsError> {
    Ok(records.read(&RecordKey::new(key)).await?.map(|record| record.value.to_vec()))
}

pub(crate) async fn sealed(folder: &Path) -> Sealed<SqliteRecords> {
    let records = SqliteRecords::open(folder).unwrap();
    initialise(&records, &file_key(), Time::from_seconds(0)).await.unwrap();
    Sealed::unseal(records, &file_key()).await.unwrap()
}

/// Every byte of every file in a folder.
pub(crate) fn all_bytes(folder: &Path) -> Vec<u8> {
    let mut bytes = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        bytes.extend(std::fs::read(entry.unwrap().path()).unwrap());
    }
    bytes
}

#[tokio::test(flavor = "multi_thread")]
async fn sqlite_conforms() {
    let folder = TempDir::new().unwrap();
    let records = SqliteRecords::open(folder.path()).unwrap();
    conformance::records::all(&records, "t").await;
    drop(records);
    // And again over what the first run left, with other spaces.
    conformance::records::all(&SqliteRecords::open(folder.path()).unwrap(), "u").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sealed_sqlite_conforms() {
    let folder = TempDir::new().unwrap();
    let records = sealed(folder.path()).await;
    conformance::records::all(&records, "t").await;
    let count = records.verify().await.unwrap();
    drop(records);
    let records = SqliteRecords::open_existing(folder.path()).unwrap();
    assert_eq!(Sealed::unseal(records, &file_key()).await.unwrap().verify().await.unwrap(), count);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn commits_are_gathered() {
    const TASKS: u64 = 64;
    const EACH: u64 = 50;
    let folder = TempDir::new().unwrap();
    let records = Arc::new(SqliteRecords::open(folder.path()).unwrap());
    let mut tasks = tokio::task::JoinSet::new();
    let start = Instant::now();
    for task in 0..TASKS {
        let records = Arc::clone(&records);
        tasks.spawn(async move {
            for number in 0..EACH {
                put(&*records, &format!("dev/{task}/{number}"), &[7; 500]).await.unwrap();
            }
        });
    }
    while let Some(ended) = tasks.join_next().await {
        ended.unwrap();
    }
    let (commits, elapsed, durable) = (TASKS * EACH, start.elapsed(), records.durable_transactions());
    println!("{commits} commits in {durable} transactions, {:.0}/s", commits as f64 / elapsed.as_secs_f64());
    assert!(durable < commits / 4, "{durable} transactions for {commits} commits");
    assert_eq!(records.scan(&Scan::prefix("dev/", 10_000)).await.unwrap().len() as u64, commits);

    let start = Instant::now();
    let mut tasks = tokio::task::JoinSet::new();
    for task in 0..TASKS {
        let records = Arc::clone(&records);
        tasks.spawn(async move {
            for number in 0..EACH * 4 {
                let key = format!("dev/{task}/{}", number % EACH);
                assert!(get(&*records, &key).await.unwrap().is_some());
            }
        });
    }
    while let Some(ended) = tasks.join_next().await {
        ended.unwrap();
    }
    println!("{:.0} reads/s", (TASKS * EACH * 4) as f64 / start.elapsed().as_secs_f64());
}

/// In one group: a conflict is one batch's own, and a later batch sees an earlier one's writes.
#[tokio::test(flavor = "multi_thread")]
async fn a_conflict_in_a_group_fails_alone() {
    let folder = TempDir::new().unwrap();
    let records = Arc::new(SqliteRecords::open(folder.path()).unwrap());
    let mut tasks = tokio::task::JoinSet::new();
    for task in 0..200_u32 {
        let records = Arc::clone(&records);
        tasks.spawn(async move {
            let mut batch = Batch::default();
            // All of them want to be the first at one of twenty places.
            let place = RecordKey::new(format!("dev/place/{}", task % 20));
            batch.expect(place.clone(), Expected::Absent);
            batch.put(place, task.to_be_bytes().to_vec());
            batch.put(RecordKey::new(format!("dev/won/{task:03}")), Vec::new());
            records.commit(batch).await.map(|_| task)
        });
    }
    let mut won = Vec::new();
    while let Some(ended) = tasks.join_next().await {
        match ended.unwrap() {
            Ok(task) => won.push(format!("dev/won/{task:03}")),
            Err(fault) => assert!(matches!(fault, RecordsError::Conflict), "{fault}"),
        }
    }
    won.sort();
    let found = records.scan(&Scan::prefix("dev/won/", 1000)).await.unwrap();
    let found: Vec<_> = found.iter().map(|(key, _)| key.as_str()).collect();
    assert_eq!((won.len(), found), (20, won.iter().map(String::as_str).collect()));
}

#[tokio::test]
async fn a_second_process_is_turned_away_at_once() {
    let folder = TempDir::new().unwrap();
    let records = SqliteRecords::open(folder.path()).unwrap();
    let fault = SqliteRecords::open(folder.path()).unwrap_err();
    assert!(matches!(fault, RecordsError::InUse(_)), "{fault}");
    records.close();
    assert!(matches!(put(&records, "dev/a", b"1").await, Err(RecordsError::Unavailable(_))));
    records.close();
    SqliteRecords::open(folder.path()).unwrap();
}

#[tokio::test]
async fn files_are_for_their_owner_only() {
    let parent = TempDir::new().unwrap();
    let folder = parent.path().join("a/b");
    let records = SqliteRecords::open(&folder).unwrap();
    put(&records, "dev/a", b"1").await.unwrap();
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&folder), 0o700);
    let names: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(names.len(), 4, "the database, its log, its index, the lock: {names:?}");
    for name in names {
        assert_eq!(mode(&name), 0o600, "{}", name.display());
    }
}

#[tokio::test]
async fn closing_finishes_what_waits_and_empties_the_log() {
    let folder = TempDir::new().unwrap();
    let records = SqliteRecords::open(folder.path()).unwrap();
    put(&records, "dev/a", &[7; 100_000]).await.unwrap();
    records.close();
    let log = folder.path().join("strongroom.db-wal");
    assert_eq!(std::fs::metadata(log).map_or(0, |log| log.len()), 0);
    let records = SqliteRecords::open_existing(folder.path()).unwrap();
    assert_eq!(get(&records, "dev/a").await.unwrap().unwrap().len(), 100_000);
}

#[tokio::test]
async fn revisions_go_on_after_reopening() {
    let folder = TempDir::new().unwrap();
    let records = SqliteRecords::open(folder.path()).unwrap();
    let first = put(&records, "dev/a", b"1").await.unwrap();
    let mut batch = Batch::default();
    batch.delete(RecordKey::new("dev/a"));
    let second = records.commit(batch).await.unwrap();
    drop(records);
    let records = SqliteRecords::open(folder.path()).unwrap();
    assert!(put(&records, "dev/a", b"1").await.unwrap() > second && second > first);
}

#[tokio::test]
async fn a_backup_is_a_whole_store() {
    let (folder, other) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let records = SqliteRecords::open(folder.path()).unwrap();
    for number in 0..100 {
        put(&records, &format!("dev/{number}"), &[7; 1000]).await.unwrap();
    }
    let copy = other.path().join("strongroom.db");
    records.backup_to(&copy).await.unwrap();
    assert!(records.backup_to(&copy).await.is_err(), "an existing file is not overwritten");
    put(&records, "dev/later", b"").await.unwrap();
    assert_eq!(std::fs::metadata(&copy).unwrap().permissions().mode() & 0o777, 0o600);
    let restored = SqliteRecords::open_existing(other.path()).unwrap();
    assert_eq!(restored.scan(&Scan::prefix("dev/", 1000)).await.unwrap().len(), 100);
    put(&restored, "dev/later", b"").await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_sealed_file_holds_no_plaintext_and_rotates_under_load() {
    let folder = TempDir::new().unwrap();
    let records = Arc::new(sealed(folder.path()).await);
    let mut tasks = tokio::task::JoinSet::new();
    for task in 0..8 {
        let records = Arc::clone(&records);
        tasks.spawn(async move {
            for number in 0..60 {
                let key = format!("dev/{task}/{number}");
                put(&*records, &key, format!("canary-{key}").as_bytes()).await.unwrap();
                assert_eq!(get(&*records, &key).await.unwrap().unwrap(), format!("canary-{key}").into_bytes());
            }
        });
    }
    for _ in 0..3 {
        records.rotate_data_keys(None).await.unwrap();
        records.rotate_root(None).await.unwrap();
    }
    while let Some(ended) = tasks.join_next().await {
        ended.unwrap();
    }
    assert_eq!(records.verify().await.unwrap(), 480);
    assert!(!contains(&all_bytes(folder.path()), b"canary-"));
    records.rotate_root(Some(&SealKey::passphrase("new"))).await.unwrap();
    drop(records);
    assert!(!contains(&all_bytes(folder.path()), b"canary-"));
    assert!(Sealed::unseal(SqliteRecords::open(folder.path()).unwrap(), &file_key()).await.is_err());
    let records = SqliteRecords::open(folder.path()).unwrap();
    let records = Sealed::unseal(records, &SealKey::passphrase("new")).await.unwrap();
    assert_eq!(records.verify().await.unwrap(), 480);
}

fn contains(bytes: &[u8], what: &[u8]) -> bool {
    bytes.windows(what.len()).any(|window| window == what)
}

#[tokio::test]
#[ignore = "takes a minute"]
async fn a_million_records_open_at_once() {
    let folder = TempDir::new().unwrap();
    let records = SqliteRecords::open(folder.path()).unwrap();
    for page in 0..100 {
        let mut batch = Batch::default();
        for number in 0..10_000 {
            batch.put(RecordKey::new(format!("dev/h/s/name-{:07}", page * 10_000 + number)), vec![7; 500]);
        }
        records.commit(batch).await.unwrap();
    }
    drop(records);
    let start = Instant::now();
    let records = SqliteRecords::open(folder.path()).unwrap();
    let opened = start.elapsed();
    println!("opened in {opened:?}");
    assert!(opened.as_secs() < 2, "{opened:?}");
    assert!(get(&records, "dev/h/s/name-0999999").await.unwrap().is_some());
}
