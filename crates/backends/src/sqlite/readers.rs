//! The threads that read, and what they read.

use std::path::Path;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use crossbeam_channel::{Sender, bounded};
use rusqlite::{Connection, OptionalExtension as _, Row};
use strongroom_store::records::{Record, RecordKey, RecordsError, Scan};
use tokio::sync::{Semaphore, oneshot};

use super::{closed, faults, schema};

/// Reads that may wait before callers are held back.
const WAITING: usize = 1024;

type Job = Box<dyn FnOnce(&Connection, &Path) + Send>;

/// Hands reads to the threads. They end when all clones are gone.
#[derive(Clone)]
pub(super) struct Readers {
    jobs: Sender<Job>,
    /// As many permits as the channel has places, so that sending never blocks.
    places: Arc<Semaphore>,
}

impl Readers {
    /// Starts `count` threads, each with a connection of its own.
    pub(super) fn start(file: &Path, count: usize) -> Result<(Self, Vec<JoinHandle<()>>), RecordsError> {
        let (jobs, queue) = bounded::<Job>(WAITING);
        let threads = (0..count)
            .map(|number| {
                let (queue, connection, file) = (queue.clone(), schema::open_reader(file)?, file.to_owned());
                let run = move || {
                    while let Ok(job) = queue.recv() {
                        job(&connection, &file);
                    }
                };
                thread::Builder::new()
                    .name(format!("records-read-{number}"))
                    .spawn(run)
                    .map_err(|fault| RecordsError::Unavailable(format!("a thread cannot be started: {fault}")))
            })
            .collect::<Result<_, _>>()?;
        Ok((Self { jobs, places: Arc::new(Semaphore::new(WAITING)) }, threads))
    }

    /// Runs `work` on one of the threads.
    pub(super) async fn run<T: Send + 'static>(
        self,
        work: impl FnOnce(&Connection, &Path) -> Result<T, RecordsError> + Send + 'static,
    ) -> Result<T, RecordsError> {
        let place = Arc::clone(&self.places).acquire_owned().await.map_err(|_closed| closed())?;
        let (answer, answered) = oneshot::channel();
        let job: Job = Box::new(move |connection, file| {
            drop(place);
            // A caller that has gone away needs no answer, and the work need not be done.
            if !answer.is_closed() {
                drop(answer.send(work(connection, file)));
            }
        });
        self.jobs.try_send(job).map_err(|_returned| closed())?;
        // Not held while waiting: the threads end when no sender is left.
        drop(self);
        answered.await.map_err(|_dropped| closed())?
    }
}

/// One record.
pub(super) fn read(connection: &Connection, file: &Path, key: &RecordKey) -> Result<Option<Record>, RecordsError> {
    let look = || {
        let mut statement = connection.prepare_cached("SELECT revision, value FROM records WHERE key=?1")?;
        statement.query_row([key.as_str().as_bytes()], |row| record(row, 0)).optional()
    };
    look().map_err(|fault| faults::sqlite(file, &fault))
}

/// A range of records, by one statement and so as of one moment.
pub(super) fn scan(
    connection: &Connection,
    file: &Path,
    scan: &Scan,
) -> Result<Vec<(RecordKey, Record)>, RecordsError> {
    let (from, to) = bounds(scan);
    let look = || {
        let mut statement = connection.prepare_cached(
            "SELECT key, revision, value FROM records WHERE key>=?1 AND key<?2 ORDER BY key LIMIT ?3",
        )?;
        let limit = i64::try_from(scan.limit).unwrap_or(i64::MAX);
        statement
            .query_map((from, to, limit), |row| {
                let key = row.get_ref(0)?.as_blob()?.to_vec();
                Ok((key, record(row, 1)?))
            })?
            .collect::<rusqlite::Result<Vec<_>>>()
    };
    look()
        .map_err(|fault| faults::sqlite(file, &fault))?
        .into_iter()
        .map(|(key, record)| match String::from_utf8(key) {
            Ok(key) => Ok((RecordKey::new(key), record)),
            Err(_not_text) => Err(faults::damaged(file, "a key is not text")),
        })
        .collect()
}

/// The first key that a scan may give, and the first that it may not.
fn bounds(scan: &Scan) -> (Vec<u8>, Vec<u8>) {
    let prefix = scan.prefix.as_bytes();
    let mut from = prefix.to_vec();
    if let Some(after) = &scan.after {
        // What follows a key at once is that key and a zero byte.
        let next = [after.as_str().as_bytes(), &[0]].concat();
        from = from.max(next);
    }
    // What follows all keys with a prefix: its last byte, one higher. No UTF-8 has a byte of 0xff,
    // so that there is no carry, and 0xff follows all keys.
    let mut to = prefix.to_vec();
    match to.last_mut() {
        Some(last) => *last = last.saturating_add(1),
        None => to.push(0xff),
    }
    if let Some(before) = &scan.before {
        to = to.min(before.as_str().as_bytes().to_vec());
    }
    (from, to)
}

fn record(row: &Row<'_>, first: usize) -> rusqlite::Result<Record> {
    let revision: i64 = row.get(first)?;
    let revision =
        u64::try_from(revision).map_err(|_negative| rusqlite::Error::IntegralValueOutOfRange(first, revision))?;
    let value = row.get_ref(first.saturating_add(1))?.as_blob()?.to_vec();
    Ok(Record { value: value.into(), revision })
}
