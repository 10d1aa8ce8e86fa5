//! `Records`: what a database has to do for us. Ordered keys, opaque bytes, revisions, and
//! all-or-nothing commits.

use std::fmt;

use async_trait::async_trait;

/// The key of a record. Keys are ordered byte by byte. The part before the first `/` is the
/// record's space (a vault's name, or a name that starts with `$`), which chooses its data key.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RecordKey(String);

impl RecordKey {
    /// A key from its text.
    pub fn new(key: impl Into<String>) -> Self {
        Self(key.into())
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The part before the first `/`.
    #[must_use]
    pub fn space(&self) -> &str {
        self.0.split_once('/').map_or(self.0.as_str(), |(space, _)| space)
    }
}

impl fmt::Debug for RecordKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A record as read.
#[derive(Clone, PartialEq, Eq)]
pub struct Record {
    /// Opaque bytes; above the sealing layer they are plaintext, below it ciphertext.
    pub value: zeroize::Zeroizing<Vec<u8>>,
    /// Changes with every write of the record and is never used again for the same key.
    pub revision: u64,
}

impl fmt::Debug for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Record({} bytes, revision {})", self.value.len(), self.revision)
    }
}

/// What a commit takes for granted about a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expected {
    /// There is none.
    Absent,
    /// It has this revision.
    Revision(u64),
}

/// What a commit does to a record.
#[derive(Clone)]
pub enum Write {
    /// Writes this value.
    Put(zeroize::Zeroizing<Vec<u8>>),
    /// Removes it; removing what is absent is no error.
    Delete,
}

impl fmt::Debug for Write {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Put(value) => write!(f, "Put({} bytes)", value.len()),
            Self::Delete => f.write_str("Delete"),
        }
    }
}

/// Expectations and writes that hold and happen together, or not at all. A key is written at most
/// once in a batch.
#[derive(Debug, Clone, Default)]
pub struct Batch {
    /// What must hold.
    pub expect: Vec<(RecordKey, Expected)>,
    /// What then happens.
    pub write: Vec<(RecordKey, Write)>,
}

impl Batch {
    /// Adds an expectation.
    pub fn expect(&mut self, key: RecordKey, expected: Expected) {
        self.expect.push((key, expected));
    }

    /// Adds a write.
    pub fn put(&mut self, key: RecordKey, value: Vec<u8>) {
        self.write.push((key, Write::Put(value.into())));
    }

    /// Adds a removal.
    pub fn delete(&mut self, key: RecordKey) {
        self.write.push((key, Write::Delete));
    }
}

/// Which records to read, in ascending order of their keys.
#[derive(Debug, Clone)]
pub struct Scan {
    /// Only keys that start with this.
    pub prefix: String,
    /// Only keys greater than this.
    pub after: Option<RecordKey>,
    /// Only keys less than this.
    pub before: Option<RecordKey>,
    /// At most so many.
    pub limit: usize,
}

impl Scan {
    /// The first `limit` records under `prefix`.
    pub fn prefix(prefix: impl Into<String>, limit: usize) -> Self {
        Self { prefix: prefix.into(), after: None, before: None, limit }
    }
}

/// Why the store did not do as asked. Nothing was written, unless it says so.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RecordsError {
    /// An expectation did not hold.
    #[error("a record was changed by somebody else in the meantime")]
    Conflict,
    /// No room left on the device.
    #[error("the store's device is full: free some space, nothing has been lost")]
    Full,
    /// The store cannot be written to.
    #[error("the store is read-only: {0}")]
    ReadOnly(String),
    /// Another process has it open.
    #[error("the store is in use by another process: {0}")]
    InUse(String),
    /// What was read is not what was written.
    #[error("the store is damaged: {0}")]
    Corrupt(String),
    /// The store is not opened with the right key.
    #[error("{0}")]
    Sealed(String),
    /// Anything else that may pass.
    #[error("the store is not available: {0}")]
    Unavailable(String),
}

/// What a reader who has seen a record before is given.
#[derive(Debug)]
pub enum Newer {
    /// It is as it was.
    Same,
    /// It is another now, or was not seen before.
    Changed(Record),
    /// There is none.
    Absent,
}

/// A store of records. When `commit` returns, the batch is durable.
#[async_trait]
pub trait Records: Send + Sync + 'static {
    /// One record, or `None`. Sees every commit that has returned.
    async fn read(&self, key: &RecordKey) -> Result<Option<Record>, RecordsError>;

    /// One record, for a reader who knows it at revision `known`: what it costs to open it need not
    /// be paid again. Sees every commit that has returned.
    async fn read_newer(&self, key: &RecordKey, known: Option<u64>) -> Result<Newer, RecordsError> {
        Ok(match self.read(key).await? {
            Some(record) if Some(record.revision) == known => Newer::Same,
            Some(record) => Newer::Changed(record),
            None => Newer::Absent,
        })
    }

    /// Records in order of their keys, as of one moment.
    async fn scan(&self, scan: &Scan) -> Result<Vec<(RecordKey, Record)>, RecordsError>;

    /// Does all of the batch, durably, or nothing of it; returns the revision that all records
    /// written now have. `Conflict` when an expectation does not hold.
    async fn commit(&self, batch: Batch) -> Result<u64, RecordsError>;
}

#[async_trait]
impl<T: Records + ?Sized> Records for std::sync::Arc<T> {
    async fn read(&self, key: &RecordKey) -> Result<Option<Record>, RecordsError> {
        (**self).read(key).await
    }

    async fn read_newer(&self, key: &RecordKey, known: Option<u64>) -> Result<Newer, RecordsError> {
        (**self).read_newer(key, known).await
    }

    async fn scan(&self, scan: &Scan) -> Result<Vec<(RecordKey, Record)>, RecordsError> {
        (**self).scan(scan).await
    }

    async fn commit(&self, batch: Batch) -> Result<u64, RecordsError> {
        (**self).commit(batch).await
    }
}
