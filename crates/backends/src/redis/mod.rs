//! [`RedisRecords`]: records in Redis (7.0 or newer), for any number of processes at once.
//!
//! | key | what it is |
//! |---|---|
//! | `{PREFIX}:index` | sorted set of the records' keys, all scores 0: they are ordered byte by byte |
//! | `{PREFIX}:records` | hash of the records: the revision in decimal, a colon, the value |
//! | `{PREFIX}:revision` | the last revision; it only grows |
//!
//! The braces are a hash tag, so that a cluster keeps all three together. A commit is one script,
//! which checks every expectation before its first write; a scan is one script, too, and so sees one
//! moment; a read is one command. A commit is as durable as Redis is configured to be: with
//! `appendonly yes` and `appendfsync always` it is on the disk when it returns.
//!
//! A user of its own needs no more than this:
//!
//! ```text
//! ACL SETUSER strongroom on >PASSWORD resetkeys ~{strongroom}:* resetchannels -@all +hello +ping
//!     +select +info +evalsha +script|load +hget +hmget +hset +hdel +zadd +zrem +zrangebylex +incr
//! ```
//!
//! `+config|get` besides lets a start say when `appendfsync` is too weak.

mod durability;
mod faults;
mod scripts;
mod settings;

use std::collections::HashSet;
use std::fmt;
use std::time::Duration;

use ::redis::aio::{ConnectionManager, ConnectionManagerConfig};
use ::redis::{Cmd, FromRedisValue, RedisError, RedisResult};
use async_trait::async_trait;
use strongroom_store::records::{Batch, Expected, Record, RecordKey, Records, RecordsError, Scan, Write};

use scripts::Scripts;
pub use settings::RedisSettings;

/// How long Redis may take for one answer. Its default persists slower than it answers.
const ANSWER: Duration = Duration::from_secs(10);
const CONNECT: Duration = Duration::from_secs(5);
/// A lost connection is made again so often, with growing pauses: some three seconds in all.
const RECONNECTS: usize = 6;
/// What did not get through, or met a server that is still starting, is asked again after these.
const PAUSES: [u64; 4] = [50, 200, 500, 1000];

/// Records in Redis. Clones share one connection, which is made again when it breaks.
#[derive(Clone)]
pub struct RedisRecords {
    connection: ConnectionManager,
    keys: Keys,
    scripts: Scripts,
    /// For messages: host and port.
    server: String,
}

/// The names in Redis.
#[derive(Clone)]
struct Keys {
    index: String,
    records: String,
    revision: String,
}

impl RedisRecords {
    /// Connects, and warns in the log when Redis does not keep what it acknowledges.
    ///
    /// # Errors
    /// [`RecordsError::Unavailable`] when it cannot be reached or does not accept the login, and when
    /// it is set to throw records away for want of memory.
    pub async fn connect(settings: &RedisSettings) -> Result<Self, RecordsError> {
        let server = settings.server();
        let client = settings.client()?;
        let config = ConnectionManagerConfig::new()
            .set_number_of_retries(RECONNECTS)
            .set_max_delay(Duration::from_secs(1))
            .set_connection_timeout(Some(CONNECT))
            .set_response_timeout(Some(ANSWER));
        let connection = Box::pin(ConnectionManager::new_with_config(client, config)).await;
        let connection = connection.map_err(|fault| faults::records(&server, &fault))?;
        let key = |what: &str| format!("{{{}}}:{what}", settings.prefix());
        let keys = Keys { index: key("index"), records: key("records"), revision: key("revision") };
        let records = Self { connection, keys, scripts: Scripts::new(), server };
        durability::check(&records).await?;
        Ok(records)
    }

    /// Runs a command that changes nothing, again when it did not get through.
    async fn ask<T: FromRedisValue>(&self, command: &Cmd) -> RedisResult<T> {
        let mut pauses = PAUSES.iter();
        loop {
            let answer = command.query_async(&mut self.connection.clone()).await;
            match answer {
                Err(fault) if faults::may_pass(&fault) || faults::is_broken(&fault) => {
                    pause(&mut pauses, fault).await?
                }
                other => return other,
            }
        }
    }
}

async fn pause(pauses: &mut std::slice::Iter<'_, u64>, fault: RedisError) -> RedisResult<()> {
    let millis = pauses.next().ok_or(fault)?;
    tokio::time::sleep(Duration::from_millis(*millis)).await;
    Ok(())
}

impl fmt::Debug for RedisRecords {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RedisRecords({}, {})", self.server, self.keys.records)
    }
}

#[async_trait]
impl Records for RedisRecords {
    async fn read(&self, key: &RecordKey) -> Result<Option<Record>, RecordsError> {
        let mut command = ::redis::cmd("HGET");
        command.arg(&self.keys.records).arg(key.as_str());
        let found: Option<Vec<u8>> = self.ask(&command).await.map_err(|fault| faults::records(&self.server, &fault))?;
        found.map(|stored| record(key.as_str(), &stored)).transpose()
    }

    async fn scan(&self, scan: &Scan) -> Result<Vec<(RecordKey, Record)>, RecordsError> {
        let (low, high) = bounds(scan);
        let limit = i64::try_from(scan.limit).unwrap_or(i64::MAX);
        let mut script = self.scripts.scan.key(&self.keys.index);
        script.key(&self.keys.records).arg(low).arg(high).arg(limit);
        let mut pauses = PAUSES.iter();
        let found: Vec<(String, Option<Vec<u8>>)> = loop {
            match script.invoke_async(&mut self.connection.clone()).await {
                Err(fault) if faults::may_pass(&fault) || faults::is_broken(&fault) => {
                    pause(&mut pauses, fault).await.map_err(|fault| faults::records(&self.server, &fault))?;
                }
                other => break other.map_err(|fault| faults::records(&self.server, &fault))?,
            }
        };
        let found = found.into_iter().map(|(key, stored)| {
            let stored = stored.ok_or_else(|| faults::damaged(&key))?;
            let record = record(&key, &stored)?;
            Ok((RecordKey::new(key), record))
        });
        found.collect()
    }

    async fn commit(&self, batch: Batch) -> Result<u64, RecordsError> {
        let mut seen = HashSet::new();
        if !batch.write.iter().all(|(key, _)| seen.insert(key.as_str())) {
            return Err(RecordsError::Unavailable("a batch writes the same record twice".to_owned()));
        }
        let mut script = self.scripts.commit.key(&self.keys.index);
        script.key(&self.keys.records).key(&self.keys.revision);
        script.arg(batch.expect.len());
        for (key, expected) in &batch.expect {
            script.arg(key.as_str());
            match expected {
                Expected::Absent => script.arg(""),
                Expected::Revision(revision) => script.arg(*revision),
            };
        }
        for (key, write) in &batch.write {
            script.arg(key.as_str());
            match write {
                Write::Put(value) => script.arg("put").arg(value.as_slice()),
                Write::Delete => script.arg("delete").arg(""),
            };
        }
        let mut pauses = PAUSES.iter();
        let revision: Option<u64> = loop {
            match script.invoke_async(&mut self.connection.clone()).await {
                // Only what Redis did not begin is sent again: a commit must not happen twice.
                Err(fault) if faults::may_pass(&fault) => {
                    pause(&mut pauses, fault).await.map_err(|fault| faults::records(&self.server, &fault))?;
                }
                Err(fault) if fault.is_io_error() => {
                    return Err(RecordsError::Unavailable(format!(
                        "the connection to Redis at {} broke during a commit, which has happened or has not; look \
                         before you try again: {fault}",
                        self.server
                    )));
                }
                other => break other.map_err(|fault| faults::records(&self.server, &fault))?,
            }
        };
        revision.ok_or(RecordsError::Conflict)
    }
}

/// What lies in the hash, taken apart.
fn record(key: &str, stored: &[u8]) -> Result<Record, RecordsError> {
    let colon = stored.iter().position(|byte| *byte == b':');
    let (revision, value) = colon.and_then(|at| stored.split_at_checked(at)).ok_or_else(|| faults::damaged(key))?;
    let revision = std::str::from_utf8(revision).ok().and_then(|text| text.parse().ok());
    let revision = revision.ok_or_else(|| faults::damaged(key))?;
    Ok(Record { value: value.get(1..).unwrap_or_default().to_vec().into(), revision })
}

/// A scan as bounds of ZRANGEBYLEX: `[` includes what follows, `(` excludes it.
fn bounds(scan: &Scan) -> (Vec<u8>, Vec<u8>) {
    let with = |mark: u8, key: &[u8]| [&[mark], key].concat();
    let low = match &scan.after {
        Some(after) if after.as_str() >= scan.prefix.as_str() => with(b'(', after.as_str().as_bytes()),
        _ => with(b'[', scan.prefix.as_bytes()),
    };
    // The first key that does not start with the prefix; text holds no byte 255.
    let mut end = scan.prefix.clone().into_bytes();
    if let Some(last) = end.last_mut() {
        *last = last.saturating_add(1);
    }
    let high = match &scan.before {
        Some(before) if end.is_empty() || before.as_str().as_bytes() < end.as_slice() => {
            with(b'(', before.as_str().as_bytes())
        }
        _ if end.is_empty() => b"+".to_vec(),
        _ => with(b'(', &end),
    };
    (low, high)
}
