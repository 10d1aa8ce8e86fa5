//! [`SqliteRecords`]: the embedded system of record. One folder, one process, SQLite in WAL mode
//! with `synchronous=FULL`.
//!
//! One thread writes: it gathers the batches that wait into one durable transaction and answers
//! after the commit. A few threads read, each with a connection of its own. No call blocks the
//! thread of its caller.

mod cache;
mod faults;
mod folder;
mod readers;
mod schema;
mod writer;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::thread::JoinHandle;

use async_trait::async_trait;
use strongroom_store::records::{Batch, Newer, Record, RecordKey, Records, RecordsError, Scan};
use tokio::sync::{mpsc, oneshot};

use cache::Cache;
use folder::Folder;
use readers::Readers;
use writer::Job;

/// Batches that may wait for the writer before callers are held back.
const WAITING: usize = 4096;

/// How much memory is given to records that were read lately, unless told otherwise.
pub const CACHE_BYTES: u64 = 32 << 20;

/// Records in a SQLite file, `strongroom.db` in a folder that belongs to one process at a time.
///
/// A commit whose future is dropped may still happen. Dropping the store closes it.
pub struct SqliteRecords {
    file: PathBuf,
    open: RwLock<Option<Open>>,
    cache: Arc<Cache>,
    durable: Arc<AtomicU64>,
}

/// What an open store holds, in the order in which it is let go.
struct Open {
    jobs: mpsc::Sender<Job>,
    readers: Readers,
    threads: Vec<JoinHandle<()>>,
    /// Keeps the lock on the folder.
    folder: Folder,
}

impl SqliteRecords {
    /// Opens the store in `folder`; makes folder (mode 0700) and store (mode 0600) when there is
    /// none. Files of less than 64 MiB are checked whole.
    ///
    /// # Errors
    /// [`RecordsError::InUse`] at once when another process has it, [`RecordsError::Corrupt`] when
    /// it is damaged (it is left as it is), [`RecordsError::ReadOnly`], [`RecordsError::Full`].
    pub fn open(folder: &Path) -> Result<Self, RecordsError> {
        Self::start(Folder::lock_or_create(folder)?, true, CACHE_BYTES)
    }

    /// Opens the store in `folder`, which must be there.
    ///
    /// # Errors
    /// As for [`SqliteRecords::open`]; [`RecordsError::Unavailable`] when there is no store.
    pub fn open_existing(folder: &Path) -> Result<Self, RecordsError> {
        Self::open_cached(folder, CACHE_BYTES)
    }

    /// The same with another bound to the memory for records that were read lately.
    ///
    /// # Errors
    /// As for [`SqliteRecords::open_existing`].
    pub fn open_cached(folder: &Path, cache_bytes: u64) -> Result<Self, RecordsError> {
        Self::start(Folder::lock(folder)?, false, cache_bytes)
    }

    fn start(folder: Folder, create: bool, cache_bytes: u64) -> Result<Self, RecordsError> {
        let file = folder.database();
        if !folder.has_database()? {
            if !create {
                return Err(RecordsError::Unavailable(format!(
                    "there is no store in {}: run `strongroom init`",
                    folder.path().display()
                )));
            }
            schema::create(&folder)?;
        }
        let (connection, revision) = schema::open_writer(&file)?;
        let readers = std::thread::available_parallelism().map_or(2, usize::from);
        let (readers, mut threads) = Readers::start(&file, readers)?;
        let durable = Arc::new(AtomicU64::new(0));
        let cache = Arc::new(Cache::new(cache_bytes));
        let (jobs, queue) = mpsc::channel(WAITING);
        threads.push(writer::start(connection, &file, revision, queue, Arc::clone(&durable), Arc::clone(&cache))?);
        Ok(Self { file, open: RwLock::new(Some(Open { jobs, readers, threads, folder })), cache, durable })
    }

    /// How many durable transactions this instance has made: fewer than commits, since commits
    /// are gathered.
    #[must_use]
    pub fn durable_transactions(&self) -> u64 {
        self.durable.load(Ordering::Relaxed)
    }

    /// Writes a copy of the store as of one moment to `target`, which must not exist (mode 0600).
    /// Reading and writing go on meanwhile. The values stay as sealed as they are.
    ///
    /// # Errors
    /// When the target cannot be written, or the store not be read.
    pub async fn backup_to(&self, target: &Path) -> Result<(), RecordsError> {
        let target = target.to_owned();
        let readers = self.with(|open| open.readers.clone())?;
        readers.run(move |connection, file| schema::copy_to(connection, file, &target)).await
    }

    /// Finishes what waits, empties the write-ahead log into the file and lets go of the folder.
    /// Blocks for that long; calls that come later are refused. Closing twice is no error.
    pub fn close(&self) {
        let open = self.open.write().unwrap_or_else(PoisonError::into_inner).take();
        let Some(Open { jobs, readers, threads, folder }) = open else { return };
        // Without senders the threads end, once their queues are empty.
        drop((jobs, readers));
        for thread in threads {
            if thread.join().is_err() {
                tracing::error!("a thread of the store did not end properly");
            }
        }
        drop(folder);
    }

    fn with<T>(&self, look: impl FnOnce(&Open) -> T) -> Result<T, RecordsError> {
        let open = self.open.read().unwrap_or_else(PoisonError::into_inner);
        open.as_ref().map(look).ok_or_else(closed)
    }
}

impl Drop for SqliteRecords {
    fn drop(&mut self) {
        self.close();
    }
}

impl fmt::Debug for SqliteRecords {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SqliteRecords({})", self.file.display())
    }
}

#[async_trait]
impl Records for SqliteRecords {
    async fn read(&self, key: &RecordKey) -> Result<Option<Record>, RecordsError> {
        Ok(match self.read_newer(key, None).await? {
            Newer::Changed(record) => Some(record),
            Newer::Same | Newer::Absent => None,
        })
    }

    async fn read_newer(&self, key: &RecordKey, known: Option<u64>) -> Result<Newer, RecordsError> {
        let given = |record: &Record| match known {
            Some(revision) if record.revision == revision => Newer::Same,
            _ => Newer::Changed(record.clone()),
        };
        // Asked even when it is in the cache: a closed store answers nothing.
        let cached = self.with(|_open| self.cache.get(key))?;
        if let Some(record) = cached {
            return Ok(given(&record));
        }
        let readers = self.with(|open| open.readers.clone())?;
        let reading = self.cache.begin(key);
        let wanted = key.clone();
        let found = readers.run(move |connection, file| readers::read(connection, file, &wanted)).await?;
        let Some(record) = found else { return Ok(Newer::Absent) };
        self.cache.keep(key.clone(), &record, reading);
        Ok(given(&record))
    }

    async fn scan(&self, scan: &Scan) -> Result<Vec<(RecordKey, Record)>, RecordsError> {
        let (readers, scan) = (self.with(|open| open.readers.clone())?, scan.clone());
        readers.run(move |connection, file| readers::scan(connection, file, &scan)).await
    }

    async fn commit(&self, batch: Batch) -> Result<u64, RecordsError> {
        let jobs = self.with(|open| open.jobs.clone())?;
        let (answer, answered) = oneshot::channel();
        let job = Job::new(batch, answer)?;
        jobs.send(job).await.map_err(|_returned| closed())?;
        // Not held while waiting: the writer ends when no sender is left.
        drop(jobs);
        answered.await.map_err(|_dropped| closed())?
    }
}

fn closed() -> RecordsError {
    RecordsError::Unavailable(String::from("the store is closed"))
}
