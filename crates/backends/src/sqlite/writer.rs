//! The thread that writes: it gathers the batches that wait into one durable transaction.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::{self, JoinHandle};

use rusqlite::{Connection, OptionalExtension as _};
use strongroom_store::records::{Batch, Expected, RecordKey, RecordsError, Write};
use tokio::sync::{mpsc, oneshot};

use super::cache::Cache;
use super::faults;
use super::folder::log_of;

/// So many batches, or bytes of values, go into one transaction.
const GROUP_JOBS: usize = 1024;
const GROUP_BYTES: usize = 8 << 20;
/// Above this the log is written back at once, waiting for readers; usually SQLite does so long
/// before, at 1,000 pages.
const LOG_BYTES: u64 = 64 << 20;

type Answer = Result<u64, RecordsError>;

/// Revisions in the transaction under way: many batches expect the same data key.
type Known<'a> = HashMap<&'a RecordKey, Option<u64>>;

/// A batch, and who waits for it.
pub(super) struct Job {
    batch: Batch,
    bytes: usize,
    answer: oneshot::Sender<Answer>,
}

impl Job {
    /// Refuses a batch that writes a record twice.
    pub(super) fn new(batch: Batch, answer: oneshot::Sender<Answer>) -> Result<Self, RecordsError> {
        let mut seen = HashSet::new();
        if !batch.write.iter().all(|(key, _)| seen.insert(key.as_str())) {
            return Err(RecordsError::Unavailable(String::from("a batch writes the same record twice")));
        }
        let bytes = batch.write.iter().map(|(_, write)| if let Write::Put(value) = write { value.len() } else { 0 });
        Ok(Self { bytes: bytes.sum(), batch, answer })
    }
}

/// Starts the thread. It ends when all senders are gone and the queue is empty, having written the
/// log back into the file.
pub(super) fn start(
    connection: Connection,
    file: &Path,
    revision: u64,
    mut queue: mpsc::Receiver<Job>,
    durable: Arc<AtomicU64>,
    cache: Arc<Cache>,
) -> Result<JoinHandle<()>, RecordsError> {
    let mut writer = Writer { connection, file: file.to_owned(), log: log_of(file), revision, durable, cache };
    let run = move || {
        while let Some(group) = gather(&mut queue) {
            writer.perform(group);
        }
        writer.finish();
    };
    thread::Builder::new()
        .name(String::from("records-write"))
        .spawn(run)
        .map_err(|fault| RecordsError::Unavailable(format!("a thread cannot be started: {fault}")))
}

/// Waits for a job, and takes what has gathered behind it meanwhile.
fn gather(queue: &mut mpsc::Receiver<Job>) -> Option<Vec<Job>> {
    let first = queue.blocking_recv()?;
    let mut bytes = first.bytes;
    let mut group = vec![first];
    while group.len() < GROUP_JOBS && bytes < GROUP_BYTES {
        let Ok(job) = queue.try_recv() else { break };
        bytes = bytes.saturating_add(job.bytes);
        group.push(job);
    }
    Some(group)
}

struct Writer {
    connection: Connection,
    file: PathBuf,
    log: PathBuf,
    /// The last revision given out, whether or not its transaction came about.
    revision: u64,
    durable: Arc<AtomicU64>,
    cache: Arc<Cache>,
}

impl Writer {
    /// Does a group in one transaction, and answers when it is durable. A batch whose expectations
    /// do not hold fails alone; when the transaction fails, all do.
    fn perform(&mut self, group: Vec<Job>) {
        let outcome = self.transact(&group);
        // Whatever came of it: nobody is to be told of a write and then read what was before.
        for job in &group {
            self.cache.forget(&job.batch);
        }
        match outcome {
            Ok(answers) => {
                for (job, answer) in group.into_iter().zip(answers) {
                    drop(job.answer.send(answer.ok_or(RecordsError::Conflict)));
                }
                self.bound_log();
            }
            Err(fault) => {
                tracing::error!(%fault, batches = group.len(), "the store could not commit; nothing was acknowledged");
                if !self.connection.is_autocommit()
                    && let Err(fault) = self.connection.execute_batch("ROLLBACK")
                {
                    tracing::error!(%fault, "a transaction could not be rolled back");
                }
                for job in group {
                    drop(job.answer.send(Err(faults::sqlite(&self.file, &fault))));
                }
            }
        }
    }

    /// The revision of each batch, or `None` for one that conflicts.
    fn transact(&mut self, group: &[Job]) -> rusqlite::Result<Vec<Option<u64>>> {
        // A rollback that failed earlier would leave us inside.
        if !self.connection.is_autocommit() {
            self.connection.execute_batch("ROLLBACK")?;
        }
        self.connection.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
        let mut answers = Vec::with_capacity(group.len());
        let mut changed = false;
        let mut known = Known::new();
        for job in group {
            if !self.holds(&job.batch, &mut known)? {
                answers.push(None);
                continue;
            }
            self.revision = self.revision.saturating_add(1);
            let revision = sql_integer(self.revision)?;
            self.write(&job.batch, revision)?;
            for (key, write) in &job.batch.write {
                known.insert(key, matches!(write, Write::Put(_)).then_some(self.revision));
            }
            changed |= !job.batch.write.is_empty();
            answers.push(Some(self.revision));
        }
        if changed {
            let revision = sql_integer(self.revision)?;
            self.connection.prepare_cached("UPDATE meta SET value=?1 WHERE name='revision'")?.execute([revision])?;
        }
        self.connection.prepare_cached("COMMIT")?.execute([])?;
        if changed {
            self.durable.fetch_add(1, Ordering::Relaxed);
        }
        Ok(answers)
    }

    fn holds<'a>(&self, batch: &'a Batch, known: &mut Known<'a>) -> rusqlite::Result<bool> {
        for (key, expected) in &batch.expect {
            let found = match known.get(key) {
                Some(found) => *found,
                None => {
                    let found = self.revision_of(key)?;
                    known.insert(key, found);
                    found
                }
            };
            let holds = match expected {
                Expected::Absent => found.is_none(),
                Expected::Revision(revision) => found == Some(*revision),
            };
            if !holds {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn revision_of(&self, key: &RecordKey) -> rusqlite::Result<Option<u64>> {
        let mut statement = self.connection.prepare_cached("SELECT revision FROM records WHERE key=?1")?;
        let found: Option<i64> = statement.query_row([key.as_str().as_bytes()], |row| row.get(0)).optional()?;
        found
            .map(|found| u64::try_from(found).map_err(|_negative| rusqlite::Error::IntegralValueOutOfRange(0, found)))
            .transpose()
    }

    fn write(&self, batch: &Batch, revision: i64) -> rusqlite::Result<()> {
        for (key, write) in &batch.write {
            let key = key.as_str().as_bytes();
            match write {
                Write::Put(value) => self
                    .connection
                    .prepare_cached(
                        "INSERT INTO records(key, revision, value) VALUES(?1, ?2, ?3)
                         ON CONFLICT(key) DO UPDATE SET revision=excluded.revision, value=excluded.value",
                    )?
                    .execute((key, revision, value.as_slice()))?,
                Write::Delete => self.connection.prepare_cached("DELETE FROM records WHERE key=?1")?.execute([key])?,
            };
        }
        Ok(())
    }

    /// Readers that never pause could keep SQLite from starting the log again.
    fn bound_log(&self) {
        let size = std::fs::metadata(&self.log).map_or(0, |found| found.len());
        if size > LOG_BYTES {
            self.checkpoint();
        }
    }

    fn checkpoint(&self) {
        let outcome = self.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get::<_, i64>(0));
        match outcome {
            Ok(0) => {}
            Ok(_busy) => tracing::warn!("the write-ahead log is in use and could not be written back"),
            // Nothing is lost: it stays in the log.
            Err(fault) => tracing::warn!(%fault, "the write-ahead log could not be written back"),
        }
    }

    fn finish(self) {
        self.checkpoint();
    }
}

fn sql_integer(revision: u64) -> rusqlite::Result<i64> {
    i64::try_from(revision).map_err(|_too_large| rusqlite::Error::IntegralValueOutOfRange(0, i64::MAX))
}
