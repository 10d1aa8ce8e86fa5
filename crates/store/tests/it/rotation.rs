//! Rotation of root and data keys: under load, broken off, and by two at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use async_trait::async_trait;
use strongroom_store::records::{Batch, Expected, Record, RecordKey, Records, RecordsError, Scan};
use strongroom_store::sealing::{SealKey, initialise};
use strongroom_store::{MemoryRecords, Sealed, Time};

use crate::records::{file_key, get, put, sealed_memory};

async fn generations(memory: &MemoryRecords, space: &str) -> Vec<String> {
    let prefix = format!("$keys/{space}/");
    let found = memory.scan(&Scan::prefix(&prefix, 100)).await.unwrap();
    found.iter().map(|(key, _)| key.as_str().trim_start_matches(&prefix).to_owned()).collect()
}

#[tokio::test]
async fn after_a_new_passphrase_the_old_one_no_longer_opens() {
    let (memory, sealed) = sealed_memory().await;
    put(&sealed, "dev/a", b"1").await.unwrap();
    let before = get(&*memory, "$keys/dev/00000001").await.unwrap().unwrap().value;
    sealed.rotate_root(Some(&SealKey::passphrase("new"))).await.unwrap();
    assert_ne!(get(&*memory, "$keys/dev/00000001").await.unwrap().unwrap().value, before);
    assert!(Sealed::unseal(Arc::clone(&memory), &file_key(7)).await.is_err());
    // The same instance goes on, and makes data keys under the new root.
    put(&sealed, "dev/b", b"2").await.unwrap();
    put(&sealed, "more/c", b"3").await.unwrap();
    sealed.rotate_root(None).await.unwrap();
    put(&sealed, "dev/d", b"4").await.unwrap();
    let again = Sealed::unseal(Arc::clone(&memory), &SealKey::passphrase("new")).await.unwrap();
    assert_eq!(again.verify().await.unwrap(), 4);
    again.rotate_root(Some(&SealKey::passphrase("newer"))).await.unwrap();
    assert!(Sealed::unseal(Arc::clone(&memory), &SealKey::passphrase("new")).await.is_err());
    assert_eq!(Sealed::unseal(memory, &SealKey::passphrase("newer")).await.unwrap().verify().await.unwrap(), 4);
    // The first instance was overtaken: it cannot make a data key that nobody could unwrap.
    assert!(matches!(put(&sealed, "fresh/a", b"5").await, Err(RecordsError::Sealed(_))));
}

#[tokio::test]
async fn after_rotation_nothing_is_under_the_old_data_key() {
    let (memory, sealed) = sealed_memory().await;
    for number in 0..300 {
        put(&sealed, &format!("dev/{number:03}"), &[7; 100]).await.unwrap();
    }
    put(&sealed, "dev", b"a key without a slash").await.unwrap();
    put(&sealed, "device/a", b"another space").await.unwrap();
    let rotated = sealed.rotate_data_keys(Some("dev")).await.unwrap();
    assert_eq!((rotated.spaces, rotated.records), (1, 301));
    assert_eq!(generations(&memory, "dev").await, ["00000002"]);
    assert_eq!(generations(&memory, "device").await, ["00000001"]);
    assert_eq!(sealed.rotate_data_keys(None).await.unwrap().records, 302);
    assert_eq!(generations(&memory, "dev").await, ["00000003"]);
    assert_eq!(sealed.resume_rotation().await.unwrap().spaces, 0);
    assert_eq!(sealed.verify().await.unwrap(), 302);
    assert_eq!(Sealed::unseal(memory, &file_key(7)).await.unwrap().verify().await.unwrap(), 302);
}

/// Two instances over the same records, as two processes on one database would be.
#[tokio::test]
async fn an_instance_that_was_overtaken_catches_up() {
    let (memory, one) = sealed_memory().await;
    let two = Sealed::unseal(Arc::clone(&memory), &file_key(7)).await.unwrap();
    put(&one, "dev/a", b"1").await.unwrap();
    put(&two, "dev/b", b"2").await.unwrap();
    one.rotate_data_keys(None).await.unwrap();
    // The other still has only the first key, which is gone.
    assert_eq!(get(&two, "dev/a").await.unwrap().unwrap().value.as_slice(), b"1");
    let three = Sealed::unseal(Arc::clone(&memory), &file_key(7)).await.unwrap();
    assert!(get(&three, "dev/a").await.unwrap().is_some());
    one.rotate_data_keys(None).await.unwrap();
    put(&three, "dev/c", b"3").await.unwrap();
    let raw = get(&*memory, "dev/c").await.unwrap().unwrap();
    assert_eq!(raw.value[..5], [1, 0, 0, 0, 3], "sealed under the third generation");
    // Expectations of the caller are still told apart from those of the seal.
    let mut batch = Batch::default();
    batch.expect(RecordKey::new("dev/a"), Expected::Absent);
    batch.put(RecordKey::new("dev/a"), b"x".to_vec());
    assert!(matches!(two.commit(batch).await, Err(RecordsError::Conflict)));
    assert_eq!(one.verify().await.unwrap(), 3);
}

/// Counters are counted up by compare and set, values are read and scanned, while keys rotate.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn rotation_under_load_loses_nothing() {
    const TASKS: usize = 8;
    let (memory, sealed) = sealed_memory().await;
    let sealed = Arc::new(sealed);
    for number in 0..500 {
        put(&*sealed, &format!("dev/still/{number:03}"), format!("{number}").as_bytes()).await.unwrap();
    }
    let stop = Arc::new(AtomicBool::new(false));
    let mut tasks = tokio::task::JoinSet::new();
    for task in 0..TASKS {
        let (sealed, stop) = (Arc::clone(&sealed), Arc::clone(&stop));
        tasks.spawn(async move {
            let key = RecordKey::new(format!("dev/counter/{task}"));
            let mut count = 0_u64;
            while !stop.load(Ordering::Relaxed) {
                let mut batch = Batch::default();
                match sealed.read(&key).await.unwrap() {
                    None => batch.expect(key.clone(), Expected::Absent),
                    Some(record) => {
                        assert_eq!(record.value.as_slice(), count.to_string().as_bytes());
                        batch.expect(key.clone(), Expected::Revision(record.revision));
                    }
                }
                batch.put(key.clone(), (count + 1).to_string().into_bytes());
                match sealed.commit(batch).await {
                    Ok(_) => count += 1,
                    Err(RecordsError::Conflict) => {}
                    Err(fault) => panic!("{fault}"),
                }
                put(&*sealed, &format!("space{task}/{count}"), b"x").await.unwrap();
                let number = (count * 37) % 500;
                let read = get(&*sealed, &format!("dev/still/{number:03}")).await.unwrap().unwrap();
                assert_eq!(read.value.as_slice(), number.to_string().as_bytes());
                assert_eq!(sealed.scan(&Scan::prefix("dev/still/", 50)).await.unwrap().len(), 50);
                tokio::task::yield_now().await;
            }
            (key, count)
        });
    }
    for _ in 0..8 {
        sealed.rotate_data_keys(None).await.unwrap();
        sealed.rotate_root(None).await.unwrap();
        sealed.rotate_data_keys(Some("dev")).await.unwrap();
    }
    stop.store(true, Ordering::Relaxed);
    let mut total = 0;
    while let Some(ended) = tasks.join_next().await {
        let (key, count) = ended.unwrap();
        assert_eq!(sealed.read(&key).await.unwrap().unwrap().value.as_slice(), count.to_string().as_bytes());
        total += count;
    }
    assert!(total > 100, "only {total} counted: writers were held up");
    sealed.verify().await.unwrap();
    assert_eq!(generations(&memory, "dev").await, ["00000011"]);
    Sealed::unseal(memory, &file_key(7)).await.unwrap().verify().await.unwrap();
}

/// Memory that stops taking commits after a number of them, as a process that is killed would.
struct Dying {
    memory: Arc<MemoryRecords>,
    commits_left: AtomicI64,
}

#[async_trait]
impl Records for Dying {
    async fn read(&self, key: &RecordKey) -> Result<Option<Record>, RecordsError> {
        self.memory.read(key).await
    }

    async fn scan(&self, scan: &Scan) -> Result<Vec<(RecordKey, Record)>, RecordsError> {
        self.memory.scan(scan).await
    }

    async fn commit(&self, batch: Batch) -> Result<u64, RecordsError> {
        if self.commits_left.fetch_sub(1, Ordering::Relaxed) <= 0 {
            return Err(RecordsError::Unavailable(String::from("dead")));
        }
        self.memory.commit(batch).await
    }
}

/// Whatever the commit before which the process dies, all is readable after, and the rotation can
/// be ended.
#[tokio::test]
async fn rotation_can_be_broken_off_anywhere() {
    let mut broken_off = 0;
    for commits in 0.. {
        let memory = Arc::new(MemoryRecords::new());
        initialise(&memory, &file_key(7), Time::from_seconds(0)).await.unwrap();
        let sealed = Sealed::unseal(Arc::clone(&memory), &file_key(7)).await.unwrap();
        for number in 0..150 {
            put(&sealed, &format!("dev/{number:03}"), b"value").await.unwrap();
        }
        put(&sealed, "other/a", b"value").await.unwrap();
        drop(sealed);

        let dying = Dying { memory: Arc::clone(&memory), commits_left: AtomicI64::new(commits) };
        let sealed = Sealed::unseal(dying, &file_key(7)).await.unwrap();
        let ended = sealed.rotate_data_keys(None).await.is_ok() && sealed.rotate_root(None).await.is_ok();
        drop(sealed);

        let sealed = Sealed::unseal(Arc::clone(&memory), &file_key(7)).await.unwrap();
        assert_eq!(sealed.verify().await.unwrap(), 151);
        put(&sealed, "dev/new", b"value").await.unwrap();
        sealed.resume_rotation().await.unwrap();
        assert_eq!(sealed.verify().await.unwrap(), 152);
        assert_eq!(generations(&memory, "dev").await.len(), 1);
        assert_eq!(sealed.resume_rotation().await.unwrap().records, 0);
        if ended {
            break;
        }
        broken_off += 1;
    }
    assert!(broken_off >= 6, "there were only {broken_off} places");
}
