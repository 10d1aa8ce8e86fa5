//! Snapshots: made in one go from one look at the store, archived, recovered, listed and read.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use strongroom_wire::config::{
    CompositionType, Conditions, Filter, KeyValue, KeyValueId, NewSnapshot, PAGE, Problem, Snapshot, SnapshotFilter,
    SnapshotStatus, StatusFilter, TagFilter,
};

use super::layout::{
    CURRENT, SNAPSHOTS, StoredItem, StoredKeyValue, StoredSnapshot, decode, encode, id_text, parse_id,
};
use super::read::Page;
use super::{Commit, ConfigStore, TRIES, contended, internal, length, new_etag, unavailable};
use crate::cx::Cx;
use crate::engine::next_version;
use crate::records::{Batch, Expected, RecordKey, Records, Scan};

/// Pages of content in one commit.
const PAGES_AT_ONCE: usize = 64;

/// Content that no snapshot refers to by then is removed: seconds.
const UNFINISHED: i64 = 3_600;

impl<R: Records> ConfigStore<R> {
    /// Makes a snapshot. When this returns, it is whole and durable.
    ///
    /// # Errors
    /// `Invalid`, `AlreadyExists`, `Quota`, and those of the store.
    pub async fn create_snapshot(&self, cx: &Cx, name: &str, new: NewSnapshot) -> Result<Snapshot, Problem> {
        let (composition_type, retention_period) = new.check(name)?;
        let key = self.layout.snapshot(name);
        if self.records.read(&key).await.map_err(unavailable)?.is_some() {
            return Err(Problem::AlreadyExists);
        }
        let filters = new.filters.unwrap_or_default();
        let items = self.compose(&filters, composition_type).await?;
        let content = next_version(cx.now, None).map_err(|fault| internal("no content id", &fault))?;
        let items_count = u64::try_from(items.len()).unwrap_or(u64::MAX);
        let pages = items.chunks(PAGE).map(encode_page).collect::<Result<Vec<_>, _>>()?;
        drop(items);
        let size = pages.iter().fold(0_usize, |sum, page| sum.saturating_add(page.len()));
        self.require_room(size).await?;

        let stored = StoredSnapshot {
            snapshot: Snapshot {
                etag: new_etag()?,
                name: name.to_owned(),
                status: SnapshotStatus::Ready,
                filters,
                composition_type,
                created: cx.now.seconds(),
                expires: None,
                size: u64::try_from(size).unwrap_or(u64::MAX),
                items_count,
                tags: new.tags.unwrap_or_default(),
                retention_period,
                description: new.description,
            },
            content,
        };
        // A large content is written before the snapshot that refers to it; the timer finds what a
        // crash leaves without one.
        let abandoned = self.layout.snapshot_timer(cx.now.seconds().saturating_add(UNFINISHED), name, content);
        let several = pages.len() > PAGES_AT_ONCE;
        let mut batch = Batch::default();
        if several {
            batch.put(abandoned.clone(), Vec::new());
        }
        for (number, page) in pages.into_iter().enumerate() {
            batch.put(self.layout.content_page(content, number), page);
            if several && batch.write.len() >= PAGES_AT_ONCE {
                let _nothing_expected = self.commit(std::mem::take(&mut batch)).await?;
            }
        }
        if several {
            batch.delete(abandoned);
        }
        batch.expect(key.clone(), Expected::Absent);
        batch.put(key, encode(&stored)?);
        match self.commit(batch).await? {
            Commit::Done => {
                self.account(i64::try_from(size).unwrap_or(i64::MAX)).await;
                Ok(stored.snapshot)
            }
            Commit::Conflict => {
                self.remove_content(content).await?;
                Err(Problem::AlreadyExists)
            }
        }
    }

    /// What goes into a snapshot, by key and label, from one look at the store.
    async fn compose(
        &self,
        filters: &[SnapshotFilter],
        composition: CompositionType,
    ) -> Result<Vec<(KeyValueId, StoredKeyValue)>, Problem> {
        let filters = filters.iter().enumerate().map(|(number, filter)| filter.parse(number));
        let filters = filters.collect::<Result<Vec<(Filter, Filter, Vec<TagFilter>)>, _>>()?;
        // One scan is one moment; several would not be.
        let prefix = match filters.as_slice() {
            [(key, _, _)] => match self.layout.ranges(CURRENT, key).as_slice() {
                [range] => range.clone(),
                _ => self.layout.prefix(CURRENT),
            },
            _ => self.layout.prefix(CURRENT),
        };
        let found = self.records.scan(&Scan::prefix(prefix, usize::MAX)).await.map_err(unavailable)?;
        let mut chosen: BTreeMap<(String, Option<String>), (usize, KeyValueId, StoredKeyValue)> = BTreeMap::new();
        for (key, record) in &found {
            let id = self.layout.id_of(CURRENT, key)?;
            let named = |(keys, labels, _): &(Filter, Filter, Vec<TagFilter>)| {
                keys.matches(Some(id.key())) && labels.matches(id.label())
            };
            if !filters.iter().any(named) {
                continue;
            }
            let stored: StoredKeyValue = decode(key, record)?;
            let by = filters
                .iter()
                .rposition(|filter| named(filter) && filter.2.iter().all(|tag| tag.matches(&stored.tags)));
            let Some(by) = by else { continue };
            let place = match composition {
                CompositionType::Key => (id.key().to_owned(), None),
                CompositionType::KeyLabel => (id.key().to_owned(), id.label().map(str::to_owned)),
            };
            // Of two by the same filter the first stays: that without a label.
            if chosen.get(&place).is_none_or(|(earlier, _, _)| by > *earlier) {
                chosen.insert(place, (by, id, stored));
            }
        }
        Ok(chosen.into_values().map(|(_, id, stored)| (id, stored)).collect())
    }

    /// A snapshot.
    ///
    /// # Errors
    /// `NotFound`, and those of the store.
    pub async fn snapshot(&self, name: &str) -> Result<Snapshot, Problem> {
        self.stored_snapshot(name).await?.map(|(stored, _)| stored.snapshot).ok_or(Problem::NotFound)
    }

    /// A page of snapshots, by name.
    ///
    /// # Errors
    /// `Invalid` for a cursor that is not ours, and those of the store.
    pub async fn snapshots(
        &self,
        name: &Filter,
        status: &StatusFilter,
        after: Option<&str>,
    ) -> Result<Page<Snapshot>, Problem> {
        let base = self.layout.prefix(SNAPSHOTS);
        let after = after.map(|cursor| self.position("snapshots", cursor)).transpose()?;
        let after = after.map(|position| RecordKey::new(base.clone() + &position));
        let mut items: Vec<Snapshot> = Vec::new();
        self.walk(&[base], after, |key, record| {
            let StoredSnapshot { snapshot, .. } = decode(key, record)?;
            if name.matches(Some(&snapshot.name)) && status.matches(snapshot.status) {
                items.push(snapshot);
            }
            Ok(if items.len() >= PAGE { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
        })
        .await?;
        let last = items.last().map(|snapshot| snapshot.name.clone());
        Ok(self.page("snapshots", items, last))
    }

    /// Archives a snapshot, or recovers an archived one.
    ///
    /// # Errors
    /// `NotFound`, `PreconditionFailed`, `InvalidState`, and those of the store.
    pub async fn set_snapshot_status(
        &self,
        cx: &Cx,
        name: &str,
        wanted: SnapshotStatus,
        conditions: &Conditions,
    ) -> Result<Snapshot, Problem> {
        let key = self.layout.snapshot(name);
        for _ in 0..TRIES {
            let Some((mut stored, revision)) = self.stored_snapshot(name).await? else { return Err(Problem::NotFound) };
            let snapshot = &mut stored.snapshot;
            conditions.for_write(Some(&snapshot.etag))?;
            let mut batch = Batch::default();
            match (snapshot.status, wanted) {
                (now, wanted) if now == wanted => return Ok(stored.snapshot),
                (SnapshotStatus::Ready, SnapshotStatus::Archived) => {
                    let expires = cx.now.seconds().saturating_add(snapshot.retention_period);
                    snapshot.expires = Some(expires);
                    batch.put(self.layout.snapshot_timer(expires, name, stored.content), Vec::new());
                }
                (SnapshotStatus::Archived, SnapshotStatus::Ready) => {
                    if let Some(expires) = snapshot.expires.take() {
                        batch.delete(self.layout.snapshot_timer(expires, name, stored.content));
                    }
                }
                _ => return Err(Problem::InvalidState),
            }
            snapshot.status = wanted;
            snapshot.etag = new_etag()?;
            batch.expect(key.clone(), Expected::Revision(revision));
            batch.put(key.clone(), encode(&stored)?);
            if self.commit(batch).await? == Commit::Done {
                return Ok(stored.snapshot);
            }
        }
        Err(contended())
    }

    /// A page of the key-values in a snapshot. One that is not there or not ready has none.
    ///
    /// # Errors
    /// `Invalid` for a cursor that is not ours, and those of the store.
    pub async fn snapshot_items(&self, name: &str, after: Option<&str>) -> Result<Page<KeyValue>, Problem> {
        let empty = || Page { items: Vec::new(), next: None };
        let list = format!("snapshot {name}");
        let position = after.map(|cursor| self.position(&list, cursor)).transpose()?;
        let Some((stored, _)) = self.stored_snapshot(name).await? else { return Ok(empty()) };
        if !matches!(stored.snapshot.status, SnapshotStatus::Ready | SnapshotStatus::Archived) {
            return Ok(empty());
        }
        let number = position.and_then(|position| position.parse::<usize>().ok()).unwrap_or(0);
        let key = self.layout.content_page(stored.content, number);
        // Behind the last page, or of a snapshot that expires just now.
        let Some(record) = self.records.read(&key).await.map_err(unavailable)? else { return Ok(empty()) };
        let items: Vec<StoredItem> = decode(&key, &record)?;
        let items = items.into_iter().map(|StoredItem { id, item }| {
            let id = Self::promised(&key, parse_id(&id))?;
            Ok(item.item(id))
        });
        let items = items.collect::<Result<Vec<_>, Problem>>()?;
        Ok(self.page(&list, items, Some(number.saturating_add(1).to_string())))
    }

    pub(super) async fn stored_snapshot(&self, name: &str) -> Result<Option<(StoredSnapshot, u64)>, Problem> {
        let key = self.layout.snapshot(name);
        let found = self.records.read(&key).await.map_err(unavailable)?;
        found.map(|record| Ok((decode(&key, &record)?, record.revision))).transpose()
    }

    /// Removes the pages of a content.
    pub(super) async fn remove_content(&self, content: strongroom_wire::ids::Version) -> Result<(), Problem> {
        loop {
            let scan = Scan::prefix(self.layout.contents(content), PAGES_AT_ONCE);
            let found = self.records.scan(&scan).await.map_err(unavailable)?;
            if found.is_empty() {
                return Ok(());
            }
            let bytes = found.iter().fold(0_i64, |sum, (_, record)| sum.saturating_add(length(&record.value)));
            let mut batch = Batch::default();
            found.into_iter().for_each(|(key, _)| batch.delete(key));
            let _nothing_expected = self.commit(batch).await?;
            self.account(bytes.saturating_neg()).await;
        }
    }
}

fn encode_page(items: &[(KeyValueId, StoredKeyValue)]) -> Result<Vec<u8>, Problem> {
    #[derive(serde::Serialize)]
    struct Item<'a> {
        id: String,
        item: &'a StoredKeyValue,
    }
    let items: Vec<Item<'_>> = items.iter().map(|(id, item)| Item { id: id_text(id), item }).collect();
    encode(&items)
}
