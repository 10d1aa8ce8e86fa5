//! The baseline of all writes: the storage engine alone, 64 writers whose commits it gathers, each
//! one durable, each of one value as large as a sealed secret.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use strongroom_backends::sqlite::SqliteRecords;
use strongroom_store::records::{Batch, RecordKey, Records as _};

use crate::process::numbers;
use crate::{CONNECTIONS, SPAN, VALUE};

/// What sealing and attributes add to a value.
const AROUND: usize = 150;

/// Commits per second.
pub(crate) fn measure() -> f64 {
    let folder = crate::strongroom::folder();
    numbers(&["storage", folder.path().to_str().unwrap()])[0]
}

/// Prints the rate.
pub(crate) fn run(folder: &str) {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let records = Arc::new(SqliteRecords::open(Path::new(folder)).unwrap());
        let done = Arc::new(AtomicU64::new(0));
        let start = Instant::now();
        let writers: Vec<_> = (0..CONNECTIONS)
            .map(|writer| {
                let (records, done) = (Arc::clone(&records), Arc::clone(&done));
                tokio::spawn(async move {
                    for number in 0_u64.. {
                        if start.elapsed() >= SPAN {
                            return;
                        }
                        let mut batch = Batch::default();
                        batch.put(RecordKey::new(format!("bench/{writer}/{number}")), vec![7; VALUE + AROUND]);
                        records.commit(batch).await.unwrap();
                        done.fetch_add(1, Ordering::Relaxed);
                    }
                })
            })
            .collect();
        for writer in writers {
            writer.await.unwrap();
        }
        println!("{}", done.load(Ordering::Relaxed) as f64 / start.elapsed().as_secs_f64());
        records.close();
    });
}
