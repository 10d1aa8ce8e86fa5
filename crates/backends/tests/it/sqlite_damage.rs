//! Damaged files: told when opened or verified, never read as something else, never replaced.

use std::fs;
use std::path::{Path, PathBuf};

use strongroom_backends::SqliteRecords;
use strongroom_store::Sealed;
use strongroom_store::records::{Records as _, RecordsError, Scan};
use tempfile::TempDir;

use crate::sqlite::{file_key, get, put, sealed};

const RECORDS: usize = 250;

fn expected(number: usize) -> Vec<u8> {
    format!("value {number} ").into_bytes().into_iter().cycle().take(100 + number * 20).collect()
}

/// The bytes of a sealed store with a few hundred records.
async fn original() -> Vec<u8> {
    let folder = TempDir::new().unwrap();
    let records = sealed(folder.path()).await;
    for number in 0..RECORDS {
        put(&records, &format!("dev/{number:03}"), &expected(number)).await.unwrap();
    }
    drop(records);
    fs::read(folder.path().join("strongroom.db")).unwrap()
}

fn folder_with(bytes: &[u8]) -> (TempDir, PathBuf) {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("strongroom.db");
    fs::write(&file, bytes).unwrap();
    (folder, file)
}

/// Does anybody notice? Panics when wrong data comes out.
async fn noticed(folder: &Path) -> bool {
    let records = match SqliteRecords::open(folder) {
        Ok(records) => records,
        Err(fault) => {
            let message = fault.to_string();
            assert!(message.contains("strongroom.db"), "{message}");
            return true;
        }
    };
    let Ok(records) = Sealed::unseal(records, &file_key()).await else { return true };
    let verified = records.verify().await;
    let mut noticed = verified.is_err();
    let mut missing = 0;
    for number in 0..RECORDS {
        match get(&records, &format!("dev/{number:03}")).await {
            Ok(Some(value)) => assert!(value == expected(number), "wrong data under {number}"),
            Ok(None) => missing += 1,
            Err(_) => noticed = true,
        }
    }
    match records.scan(&Scan::prefix("dev/", RECORDS * 2)).await {
        Ok(found) => assert!(noticed || found.len() == RECORDS, "only {} found", found.len()),
        Err(_) => noticed = true,
    }
    assert!(noticed || missing == 0, "{missing} records are gone and nobody noticed: {verified:?}");
    noticed
}

#[tokio::test]
async fn flipped_bits_are_noticed_or_harmless() {
    let original = original().await;
    let (mut seen, flips) = (0, 300);
    // A fixed sequence (xorshift), so that a failure can be repeated.
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    for _ in 0..flips {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        let bit = usize::try_from(random % (original.len() as u64 * 8)).unwrap();
        let mut altered = original.clone();
        altered[bit / 8] ^= 1 << (bit % 8);
        let (folder, _) = folder_with(&altered);
        seen += usize::from(noticed(folder.path()).await);
    }
    println!("{seen} of {flips} flipped bits were noticed, the others were harmless");
    // At least the flips within values must be among them; the rest of the file is mostly the unused
    // ends of pages. A fifth less, since the places are random.
    let values: usize = (0..RECORDS).map(|number| expected(number).len()).sum();
    assert!(seen * original.len() >= flips * values * 4 / 5, "only {seen} of {flips} were noticed");
}

#[tokio::test]
async fn flipped_bits_in_the_header_are_noticed_or_harmless() {
    let original = original().await;
    for bit in (0..100 * 8).step_by(3) {
        let mut altered = original.clone();
        altered[bit / 8] ^= 1 << (bit % 8);
        let (folder, _) = folder_with(&altered);
        noticed(folder.path()).await;
    }
}

#[tokio::test]
async fn a_truncated_or_foreign_file_is_refused_and_left_as_it_is() {
    let original = original().await;
    let half = original.len() / 2;
    let mut cases: Vec<(&str, Vec<u8>)> =
        [0, 1, 15, 16, 99, 100, 4096, half, original.len() - 8192, original.len() - 1]
            .into_iter()
            .map(|length| ("truncated", original[..length].to_vec()))
            .collect();
    cases.push(("garbage", (0..50_000_u32).map(|number| (number.wrapping_mul(2_654_435_761) >> 24) as u8).collect()));
    cases.push(("zeros", vec![0; 50_000]));
    cases.push(("text", b"# a configuration file\n".to_vec()));
    for (name, bytes) in cases {
        let (folder, file) = folder_with(&bytes);
        let fault = SqliteRecords::open(folder.path()).unwrap_err();
        assert!(matches!(fault, RecordsError::Corrupt(_)), "{name}, {} bytes: {fault}", bytes.len());
        let message = fault.to_string();
        assert!(message.contains("strongroom.db") && message.contains("backup"), "{message}");
        assert!(fs::read(&file).unwrap() == bytes, "{name}: the file was changed");
    }
}

#[tokio::test]
async fn a_log_without_its_database_is_damage() {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("strongroom.db-wal"), b"x").unwrap();
    assert!(matches!(SqliteRecords::open(folder.path()), Err(RecordsError::Corrupt(_))));
    assert!(!folder.path().join("strongroom.db").exists());
}

#[tokio::test]
async fn what_another_program_or_version_wrote_is_refused() {
    let folder = TempDir::new().unwrap();
    drop(SqliteRecords::open(folder.path()).unwrap());
    let file = folder.path().join("strongroom.db");
    let mut bytes = fs::read(&file).unwrap();
    // The header's user version (60) and application id (68).
    bytes[63] = 2;
    fs::write(&file, &bytes).unwrap();
    let fault = SqliteRecords::open(folder.path()).unwrap_err();
    assert!(matches!(fault, RecordsError::Unavailable(_)) && fault.to_string().contains("newer"), "{fault}");
    bytes[63] = 1;
    bytes[68] = 0;
    fs::write(&file, &bytes).unwrap();
    assert!(matches!(SqliteRecords::open(folder.path()), Err(RecordsError::Corrupt(_))));
}

#[tokio::test]
async fn an_unfinished_store_is_made_anew_and_an_absent_one_is_not_made_unasked() {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("strongroom.db.new"), b"half").unwrap();
    let fault = SqliteRecords::open_existing(folder.path()).unwrap_err();
    assert!(fault.to_string().contains("strongroom init"), "{fault}");
    assert!(SqliteRecords::open_existing(&folder.path().join("nowhere")).is_err());
    let records = SqliteRecords::open(folder.path()).unwrap();
    put(&records, "dev/a", b"1").await.unwrap();
    assert!(!folder.path().join("strongroom.db.new").exists());
}
