//! What expires on its own: revisions that are older than the history, and archived snapshots.

use strongroom_wire::config::{Problem, SnapshotStatus, StoreName};
use strongroom_wire::ids::Version;

use super::layout::{REVISIONS, TIMERS, moment};
use super::{Commit, ConfigStore, length, unavailable};
use crate::cx::Time;
use crate::records::{Batch, Expected, RecordKey, Records, RecordsError, Scan};

/// Something that is due.
#[derive(Debug, Clone)]
pub struct ConfigTimer {
    /// Its record.
    pub key: RecordKey,
    /// In which store.
    pub store: StoreName,
    what: String,
}

impl ConfigTimer {
    /// Is it the store itself that is to be purged?
    #[must_use]
    pub fn is_purge(&self) -> bool {
        self.what == PURGE
    }
}

/// What the timer of a deleted store does.
const PURGE: &str = "p";

/// The timer that purges a deleted store: its record is empty, and there while the store is deleted.
#[must_use]
pub fn purge_timer(at: i64, store: &StoreName) -> RecordKey {
    RecordKey::new(format!("{TIMERS}{}/{store}/{PURGE}", moment(at)))
}

/// What is due at `now`, oldest first.
///
/// # Errors
/// Those of the store.
pub async fn due_timers<R: Records>(
    records: &R,
    now: Time,
    limit: usize,
    after: Option<RecordKey>,
) -> Result<Vec<ConfigTimer>, RecordsError> {
    let before = RecordKey::new(format!("{TIMERS}{}", moment(now.seconds().saturating_add(1))));
    let scan = Scan { before: Some(before), after, ..Scan::prefix(TIMERS, limit) };
    let due = records.scan(&scan).await?;
    let read = |key: &RecordKey| {
        let (_, rest) = key.as_str().strip_prefix(TIMERS)?.split_once('/')?;
        let (store, what) = rest.split_once('/')?;
        Some(ConfigTimer { key: key.clone(), store: StoreName::parse(store).ok()?, what: what.to_owned() })
    };
    Ok(due.iter().filter_map(|(key, _)| read(key)).collect())
}

impl<R: Records> ConfigStore<R> {
    /// Does what timers ask for, all of this store. Safe to call twice.
    ///
    /// # Errors
    /// Those of the store; the timers stay, to be tried again.
    pub async fn fire(&self, timers: &[&ConfigTimer], now: Time) -> Result<(), Problem> {
        let mut batch = Batch::default();
        let mut freed = 0_i64;
        for timer in timers {
            match timer.what.split_once('/') {
                Some(("r", rest)) => {
                    let key = RecordKey::new(self.layout.prefix(REVISIONS) + rest);
                    if let Some(record) = self.records.read(&key).await.map_err(unavailable)? {
                        freed = freed.saturating_add(length(&record.value));
                        batch.delete(key);
                    }
                    batch.delete(timer.key.clone());
                }
                Some(("s", rest)) => self.expire_snapshot(timer, rest, now).await?,
                _ => batch.delete(timer.key.clone()),
            }
        }
        if !batch.write.is_empty() {
            let _nothing_expected = self.commit(batch).await?;
            self.account(freed.saturating_neg()).await;
        }
        Ok(())
    }

    /// Removes an archived snapshot whose time is over, and then its content: what a crash leaves of
    /// it the timer finds again.
    async fn expire_snapshot(&self, timer: &ConfigTimer, rest: &str, now: Time) -> Result<(), Problem> {
        if let Some((content, name)) = rest.split_once('/')
            && let Some(content) = Version::parse(content)
        {
            if let Some((stored, revision)) = self.stored_snapshot(name).await?
                && stored.content == content
            {
                let over = stored.snapshot.expires.is_some_and(|expires| expires <= now.seconds());
                if stored.snapshot.status != SnapshotStatus::Archived || !over {
                    return self.forget(timer).await;
                }
                let key = self.layout.snapshot(name);
                let mut batch = Batch::default();
                batch.expect(key.clone(), Expected::Revision(revision));
                batch.delete(key);
                // Recovered just now: it is looked at again.
                if self.commit(batch).await? == Commit::Conflict {
                    return Ok(());
                }
            }
            self.remove_content(content).await?;
        }
        self.forget(timer).await
    }

    async fn forget(&self, timer: &ConfigTimer) -> Result<(), Problem> {
        let mut batch = Batch::default();
        batch.delete(timer.key.clone());
        let _nothing_expected = self.commit(batch).await?;
        Ok(())
    }
}
