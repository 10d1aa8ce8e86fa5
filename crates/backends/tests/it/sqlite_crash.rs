//! `kill -9`: whatever was acknowledged is there afterwards.

use std::collections::HashMap;
use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};
use std::sync::Arc;

use strongroom_backends::SqliteRecords;
use strongroom_store::records::{Batch, RecordKey, Records as _, Scan};
use tempfile::TempDir;

const FOLDER: &str = "STRONGROOM_TEST_FOLDER";
const CYCLES: usize = 10;
const TASKS: usize = 16;

/// What is written under a key: two records in one batch, so that half a batch would show.
fn value(key: &str) -> Vec<u8> {
    key.bytes().cycle().take(100 + key.bytes().map(usize::from).sum::<usize>() % 3000).collect()
}

#[tokio::test]
async fn nothing_acknowledged_is_lost_when_the_process_is_killed() {
    let folder = TempDir::new().unwrap();
    let mut acknowledged: HashMap<String, u64> = HashMap::new();
    for cycle in 0..CYCLES {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "sqlite_crash::writer", "--ignored", "--nocapture", "--test-threads=1"])
            .env(FOLDER, folder.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        // Killed after a number of answers that differs each time, in the middle of others.
        let wanted = acknowledged.len() + 50 + cycle * 73;
        // The next answer; `None` at the end.
        let mut answer = || {
            lines.by_ref().map_while(Result::ok).find_map(|line| {
                let (revision, key) = line.split_once("ACK ")?.1.split_once(' ')?;
                Some((key.to_owned(), revision.parse::<u64>().unwrap()))
            })
        };
        while acknowledged.len() < wanted {
            let (key, revision) = answer().expect("the writer ended by itself");
            assert!(acknowledged.insert(key, revision).is_none(), "a key was written twice");
        }
        child.kill().unwrap();
        // What it had said before it died counts too.
        while let Some((key, revision)) = answer() {
            acknowledged.insert(key, revision);
        }
        child.wait().unwrap();

        let records = SqliteRecords::open_existing(folder.path()).unwrap();
        for (key, revision) in &acknowledged {
            let record = records.read(&RecordKey::new(format!("a/{key}"))).await.unwrap().unwrap();
            assert_eq!((record.value.as_slice(), record.revision), (value(key).as_slice(), *revision));
        }
        let first = records.scan(&Scan::prefix("a/", usize::MAX)).await.unwrap();
        let second = records.scan(&Scan::prefix("b/", usize::MAX)).await.unwrap();
        assert_eq!(first.len(), second.len(), "half a batch was written");
        assert!(first.iter().zip(&second).all(|(one, other)| one.1 == other.1));
        assert!(first.len() >= acknowledged.len());
    }
    println!("{} acknowledged writes, {CYCLES} kills", acknowledged.len());
}

/// The process that is killed: writes for ever and says what was acknowledged.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "run by the test above"]
async fn writer() {
    let Some(folder) = std::env::var_os(FOLDER) else { return };
    let records = Arc::new(SqliteRecords::open(folder.as_ref()).unwrap());
    let run = std::process::id();
    let mut tasks = tokio::task::JoinSet::new();
    for task in 0..TASKS {
        let records = Arc::clone(&records);
        tasks.spawn(async move {
            for number in 0_u64.. {
                let key = format!("{run}-{task}-{number}");
                let mut batch = Batch::default();
                batch.put(RecordKey::new(format!("a/{key}")), value(&key));
                batch.put(RecordKey::new(format!("b/{key}")), value(&key));
                let revision = records.commit(batch).await.unwrap();
                println!("ACK {revision} {key}");
            }
        });
    }
    tasks.join_next().await;
}
