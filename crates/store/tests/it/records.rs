//! Records in memory, and sealed: the conformance suite, and what sealing must refuse.

use std::sync::Arc;

use strongroom_store::conformance;
use strongroom_store::records::{Batch, Record, RecordKey, Records, RecordsError, Scan};
use strongroom_store::sealing::{SealError, SealKey, initialise};
use strongroom_store::{MemoryRecords, Sealed, Time};

const NOW: Time = Time::from_seconds(1_700_000_000);

pub(crate) fn file_key(byte: u8) -> SealKey {
    SealKey::file(&[byte; 32])
}

/// Memory that is sealed with `file_key(7)`, from both sides.
pub(crate) async fn sealed_memory() -> (Arc<MemoryRecords>, Sealed<Arc<MemoryRecords>>) {
    let memory = Arc::new(MemoryRecords::new());
    initialise(&memory, &file_key(7), NOW).await.unwrap();
    let sealed = Sealed::unseal(Arc::clone(&memory), &file_key(7)).await.unwrap();
    (memory, sealed)
}

pub(crate) async fn put(records: &dyn Records, key: &str, value: &[u8]) -> Result<u64, RecordsError> {
    let mut batch = Batch::default();
    batch.put(RecordKey::new(key), value.to_vec());
    records.commit(batch).await
}

pub(crate) async fn get(records: &dyn Records, key: &str) -> Result<Option<Record>, RecordsError> {
    records.read(&RecordKey::new(key)).await
}

#[tokio::test]
async fn memory_conforms() {
    conformance::records::all(&MemoryRecords::new(), "t").await;
}

#[tokio::test]
async fn sealed_memory_conforms() {
    let (_memory, sealed) = sealed_memory().await;
    conformance::records::all(&sealed, "t").await;
    assert!(sealed.verify().await.unwrap() > 10);
}

#[tokio::test]
async fn only_the_right_key_opens() {
    let memory = Arc::new(MemoryRecords::new());
    let passphrase = SealKey::passphrase("correct horse");
    let fault = Sealed::unseal(Arc::clone(&memory), &passphrase).await.unwrap_err();
    assert_eq!(fault.to_string(), "the store is not initialised: run `strongroom init`");
    initialise(&memory, &passphrase, NOW).await.unwrap();
    assert!(matches!(initialise(&memory, &passphrase, NOW).await, Err(SealError::AlreadySealed)));
    let sealed = Sealed::unseal(Arc::clone(&memory), &passphrase).await.unwrap();
    put(&sealed, "dev/a", b"1").await.unwrap();
    drop(sealed);

    let fault = Sealed::unseal(Arc::clone(&memory), &SealKey::passphrase("battery staple")).await.unwrap_err();
    assert_eq!(fault.to_string(), "the passphrase does not open this store");
    let fault = Sealed::unseal(Arc::clone(&memory), &file_key(1)).await.unwrap_err();
    assert_eq!(fault.to_string(), "this store is sealed with a passphrase, not with a key file");
    let sealed = Sealed::unseal(Arc::clone(&memory), &passphrase).await.unwrap();
    assert_eq!(get(&sealed, "dev/a").await.unwrap().unwrap().value.as_slice(), b"1");

    let (memory, _) = sealed_memory().await;
    let fault = Sealed::unseal(memory, &file_key(8)).await.unwrap_err();
    assert_eq!(fault.to_string(), "the key file does not open this store");
}

#[tokio::test]
async fn records_that_were_not_sealed_are_not_taken_over() {
    let memory = MemoryRecords::new();
    put(&memory, "dev/a", b"plain").await.unwrap();
    assert!(matches!(initialise(&memory, &file_key(7), NOW).await, Err(SealError::NotEmpty)));
}

#[tokio::test]
async fn a_damaged_seal_says_so_and_quotes_nothing() {
    let (memory, _) = sealed_memory().await;
    put(&*memory, "$seal/root", b"{\"version\":1,\"seal\":\"hunter2\"}").await.unwrap();
    let fault = Sealed::unseal(memory, &file_key(7)).await.unwrap_err();
    assert!(matches!(fault, SealError::Damaged(_)));
    assert!(!format!("{fault} {fault:?}").contains("hunter2"));
}

#[tokio::test]
async fn nothing_is_readable_below_the_seal() {
    let (memory, sealed) = sealed_memory().await;
    put(&sealed, "dev/a", b"a canary in the mine").await.unwrap();
    put(&sealed, "dev/b", b"a canary in the mine").await.unwrap();
    let everything = memory.scan(&Scan::prefix("", 100)).await.unwrap();
    assert_eq!(everything.len(), 4, "the root, a data key and two records: {everything:?}");
    for (_, record) in &everything {
        assert!(!record.value.windows(6).any(|window| window == b"canary"));
    }
    assert_ne!(everything[2].1.value, everything[3].1.value);
}

#[tokio::test]
async fn a_value_that_is_not_what_was_written_is_refused() {
    let (memory, sealed) = sealed_memory().await;
    for key in ["dev/a", "dev/b", "other/a"] {
        put(&sealed, key, key.as_bytes()).await.unwrap();
    }
    let original = get(&*memory, "dev/a").await.unwrap().unwrap().value.to_vec();
    // Moved from another key of the space, and from another space.
    for from in ["dev/b", "other/a"] {
        let moved = get(&*memory, from).await.unwrap().unwrap().value;
        put(&*memory, "dev/a", &moved).await.unwrap();
        refused(&sealed).await;
    }
    // Every bit: version, generation, nonce, ciphertext, tag.
    for bit in 0..original.len() * 8 {
        let mut altered = original.clone();
        altered[bit / 8] ^= 1 << (bit % 8);
        put(&*memory, "dev/a", &altered).await.unwrap();
        refused(&sealed).await;
    }
    for length in 0..original.len() {
        put(&*memory, "dev/a", &original[..length]).await.unwrap();
        refused(&sealed).await;
    }
    // Sealed under the key of another generation, which is there.
    sealed.rotate_data_keys(Some("dev")).await.unwrap_err();
    put(&*memory, "dev/a", &original).await.unwrap();
    let mut swapped = original.clone();
    swapped[4] = 2;
    put(&*memory, "dev/a", &swapped).await.unwrap();
    refused(&sealed).await;
    put(&*memory, "dev/a", &original).await.unwrap();
    assert_eq!(sealed.verify().await.unwrap(), 3);
}

async fn refused(sealed: &Sealed<Arc<MemoryRecords>>) {
    let faults = [
        get(sealed, "dev/a").await.unwrap_err(),
        sealed.scan(&Scan::prefix("dev/", 10)).await.unwrap_err(),
        sealed.verify().await.unwrap_err(),
    ];
    for fault in faults {
        assert!(matches!(fault, RecordsError::Corrupt(_)), "{fault}");
        assert!(fault.to_string().contains("dev") && !fault.to_string().contains("dev/a"), "{fault}");
    }
    assert!(get(sealed, "dev/b").await.unwrap().is_some());
}

#[tokio::test]
async fn a_data_key_that_is_not_what_was_written_is_refused() {
    let (memory, sealed) = sealed_memory().await;
    put(&sealed, "dev/a", b"1").await.unwrap();
    put(&sealed, "other/a", b"1").await.unwrap();
    let others = get(&*memory, "$keys/other/00000001").await.unwrap().unwrap().value;
    put(&*memory, "$keys/dev/00000001", &others).await.unwrap();
    let sealed = Sealed::unseal(Arc::clone(&memory), &file_key(7)).await.unwrap();
    assert!(matches!(get(&sealed, "dev/a").await, Err(RecordsError::Corrupt(_))));
    assert!(matches!(put(&sealed, "dev/a", b"2").await, Err(RecordsError::Corrupt(_))));
    assert!(matches!(sealed.verify().await, Err(RecordsError::Corrupt(_))));
    // A key that is gone is not made again in silence: what it sealed cannot be read.
    let mut batch = Batch::default();
    batch.delete(RecordKey::new("$keys/dev/00000001"));
    memory.commit(batch).await.unwrap();
    assert!(matches!(get(&sealed, "dev/a").await, Err(RecordsError::Corrupt(_))));
    assert!(matches!(sealed.scan(&Scan::prefix("dev/", 9)).await, Err(RecordsError::Corrupt(_))));
    assert!(matches!(put(&sealed, "dev/b", b"2").await, Err(RecordsError::Corrupt(_))));
}

#[tokio::test]
async fn the_seals_own_records_are_out_of_reach() {
    let (_memory, sealed) = sealed_memory().await;
    put(&sealed, "$timers/a", b"1").await.unwrap();
    put(&sealed, "dev/a", b"1").await.unwrap();
    for key in ["$seal/root", "$seal", "$keys/dev/00000001", "$keys/x"] {
        assert!(get(&sealed, key).await.is_err(), "{key}");
        assert!(put(&sealed, key, b"x").await.is_err(), "{key}");
        let mut batch = Batch::default();
        batch.delete(RecordKey::new(key));
        assert!(sealed.commit(batch).await.is_err(), "{key}");
    }
    assert!(sealed.scan(&Scan::prefix("$keys/", 10)).await.is_err());
    for (prefix, limit, expected) in [("", 10, 2), ("", 1, 1), ("$", 10, 1), ("$k", 10, 0), ("$keys", 10, 0)] {
        assert_eq!(sealed.scan(&Scan::prefix(prefix, limit)).await.unwrap().len(), expected, "{prefix:?} {limit}");
    }
}

#[tokio::test]
async fn a_scan_over_many_data_keys_still_fills_its_page() {
    let (_memory, sealed) = sealed_memory().await;
    for space in 0..300 {
        put(&sealed, &format!("space{space:03}/a"), b"1").await.unwrap();
    }
    let found = sealed.scan(&Scan::prefix("", 250)).await.unwrap();
    assert_eq!((found.len(), found[249].0.as_str()), (250, "space249/a"));
}
