//! Reading: one key-value, lists of them, their revisions, keys and labels; now, or as of a moment.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use strongroom_wire::config::{Filter, KeyValue, KeyValueId, PAGE, Problem, TagFilter};

use super::layout::{CURRENT, REVISIONS, StoredKeyValue, behind_key, behind_revisions, decode, id_text, parse_id};
use super::{CHUNK, ConfigStore, damaged, unavailable};
use crate::records::{Record, RecordKey, Records, Scan};

/// Which key-values.
#[derive(Debug, Clone)]
pub struct ItemQuery {
    /// By key.
    pub key: Filter,
    /// By label.
    pub label: Filter,
    /// By tags: all of them.
    pub tags: Vec<TagFilter>,
    /// As of this moment, unix seconds.
    pub at: Option<i64>,
    /// A cursor from the page before.
    pub after: Option<String>,
}

/// A page of a list.
#[derive(Debug)]
pub struct Page<T> {
    /// At most a hundred.
    pub items: Vec<T>,
    /// The cursor of the next page. There may be one although nothing follows.
    pub next: Option<String>,
}

impl<R: Records> ConfigStore<R> {
    /// A key-value, now or as it was; `None` when there is or was none.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn get(&self, id: &KeyValueId, at: Option<i64>) -> Result<Option<KeyValue>, Problem> {
        let Some(at) = at else {
            let key = self.layout.current(id);
            let found = self.records.read(&key).await.map_err(unavailable)?;
            let stored: Option<StoredKeyValue> = found.map(|record| decode(&key, &record)).transpose()?;
            return Ok(stored.map(|stored| stored.item(id.clone())));
        };
        let mut found = None;
        self.walk(&[self.layout.revisions_of(id)], None, |key, record| {
            let stored: StoredKeyValue = decode(key, record)?;
            if stored.modified > at {
                return Ok(ControlFlow::Continue(()));
            }
            found = Some(stored);
            Ok(ControlFlow::Break(()))
        })
        .await?;
        Ok(found.filter(|stored| !stored.deleted).map(|stored| stored.item(id.clone())))
    }

    /// A page of key-values, by key and label.
    ///
    /// # Errors
    /// `Invalid` for a cursor that is not ours, and those of the store.
    pub async fn list(&self, query: &ItemQuery) -> Result<Page<KeyValue>, Problem> {
        let after = query.after.as_deref().map(|cursor| self.position("kv", cursor)).transpose()?;
        let mut items: Vec<KeyValue> = Vec::new();
        self.walk_live(&query.key, query.at, after, |id, key, record| {
            if !query.key.matches(Some(id.key())) || !query.label.matches(id.label()) {
                return Ok(ControlFlow::Continue(()));
            }
            let stored: StoredKeyValue = decode(key, record)?;
            if query.tags.iter().all(|tag| tag.matches(&stored.tags)) {
                items.push(stored.item(id));
            }
            Ok(until_full(items.len()))
        })
        .await?;
        let last = items.last().map(|item| id_text(&item.id));
        Ok(self.page("kv", items, last))
    }

    /// A page of revisions: by key and label, newest first.
    ///
    /// # Errors
    /// `Invalid` for a cursor that is not ours, and those of the store.
    pub async fn revisions(&self, query: &ItemQuery) -> Result<Page<KeyValue>, Problem> {
        let base = self.layout.prefix(REVISIONS);
        let after = query.after.as_deref().map(|cursor| self.position("revisions", cursor)).transpose()?;
        let after = after.map(|position| RecordKey::new(base.clone() + &position));
        let (mut items, mut last) = (Vec::new(), None);
        self.walk(&self.layout.ranges(REVISIONS, &query.key), after, |key, record| {
            let id = self.layout.id_of(REVISIONS, key)?;
            if !query.key.matches(Some(id.key())) || !query.label.matches(id.label()) {
                return Ok(ControlFlow::Continue(()));
            }
            let stored: StoredKeyValue = decode(key, record)?;
            let wanted = !stored.deleted
                && query.at.is_none_or(|at| stored.modified <= at)
                && query.tags.iter().all(|tag| tag.matches(&stored.tags));
            if wanted {
                items.push(stored.item(id));
                last = key.as_str().strip_prefix(&base).map(str::to_owned);
            }
            Ok(until_full(items.len()))
        })
        .await?;
        Ok(self.page("revisions", items, last))
    }

    /// A page of keys.
    ///
    /// # Errors
    /// `Invalid` for a cursor that is not ours, and those of the store.
    pub async fn keys(&self, name: &Filter, at: Option<i64>, after: Option<&str>) -> Result<Page<String>, Problem> {
        let after = after.map(|cursor| self.position("keys", cursor)).transpose()?;
        let behind = after.as_deref().map(behind_key);
        let mut keys: Vec<String> = Vec::new();
        self.walk_live(name, at, behind, |id, _, _| {
            let known = keys.last().map(String::as_str).or(after.as_deref());
            if name.matches(Some(id.key())) && known != Some(id.key()) {
                keys.push(id.key().to_owned());
            }
            Ok(until_full(keys.len()))
        })
        .await?;
        let last = keys.last().cloned();
        Ok(self.page("keys", keys, last))
    }

    /// A page of labels; `None` is that of key-values without one.
    ///
    /// # Errors
    /// `Invalid` for a cursor that is not ours, and those of the store.
    pub async fn labels(
        &self,
        name: &Filter,
        at: Option<i64>,
        after: Option<&str>,
    ) -> Result<Page<Option<String>>, Problem> {
        let after = after.map(|cursor| self.position("labels", cursor)).transpose()?;
        let mut labels = BTreeSet::new();
        self.walk_live(&Filter::ANY, at, None, |id, _, _| {
            let label = id.label();
            // None stands before all others, and so before every cursor but that of an empty label.
            let follows = after.as_deref().is_none_or(|after| label.is_some_and(|label| label > after));
            if follows && name.matches(label) && !labels.contains(&label.map(str::to_owned)) {
                labels.insert(label.map(str::to_owned));
            }
            Ok(ControlFlow::Continue(()))
        })
        .await?;
        let items: Vec<Option<String>> = labels.into_iter().take(PAGE).collect();
        let last = items.last().map(|label| label.clone().unwrap_or_default());
        Ok(self.page("labels", items, last))
    }

    pub(super) fn page<T>(&self, list: &str, items: Vec<T>, last: Option<String>) -> Page<T> {
        let next = last.filter(|_| items.len() >= PAGE).map(|position| self.cursor(list, &position));
        Page { items, next }
    }

    /// Walks through the key-values that there are or were, in order, from behind the position
    /// `after`. `keys` only narrows what is looked at.
    pub(super) async fn walk_live(
        &self,
        keys: &Filter,
        at: Option<i64>,
        after: Option<String>,
        mut visit: impl FnMut(KeyValueId, &RecordKey, &Record) -> Result<ControlFlow<()>, Problem> + Send,
    ) -> Result<(), Problem> {
        let part = if at.is_some() { REVISIONS } else { CURRENT };
        // A position that is an id stands behind all revisions of it.
        let after = after.map(|text| match (at, parse_id(&text)) {
            (Some(_), Some(_)) => behind_revisions(&text),
            _ => text,
        });
        let after = after.map(|text| RecordKey::new(self.layout.prefix(part) + &text));
        let ranges = self.layout.ranges(part, keys);
        let Some(at) = at else {
            return self.walk(&ranges, after, |key, record| visit(self.layout.id_of(CURRENT, key)?, key, record)).await;
        };
        // Of each id the newest revision that is not too new; what follows of the id is skipped.
        let mut decided: Option<KeyValueId> = None;
        self.walk(&ranges, after, |key, record| {
            let id = self.layout.id_of(REVISIONS, key)?;
            if decided.as_ref() == Some(&id) {
                return Ok(ControlFlow::Continue(()));
            }
            let stored: StoredKeyValue = decode(key, record)?;
            if stored.modified > at {
                return Ok(ControlFlow::Continue(()));
            }
            decided = Some(id.clone());
            if stored.deleted { Ok(ControlFlow::Continue(())) } else { visit(id, key, record) }
        })
        .await
    }

    /// Walks through the records of these ranges until told to stop.
    pub(super) async fn walk(
        &self,
        ranges: &[String],
        after: Option<RecordKey>,
        mut visit: impl FnMut(&RecordKey, &Record) -> Result<ControlFlow<()>, Problem> + Send,
    ) -> Result<(), Problem> {
        for range in ranges {
            let mut after = after.clone();
            // The first portion is about a page.
            let mut limit = PAGE.saturating_add(1);
            loop {
                let scan = Scan { after, ..Scan::prefix(range.as_str(), limit) };
                let found = self.records.scan(&scan).await.map_err(unavailable)?;
                for (key, record) in &found {
                    if visit(key, record)?.is_break() {
                        return Ok(());
                    }
                }
                after = match found.last() {
                    Some((last, _)) if found.len() == limit => Some(last.clone()),
                    _ => break,
                };
                limit = CHUNK;
            }
        }
        Ok(())
    }

    /// A record that was promised by another.
    pub(super) fn promised<T>(key: &RecordKey, found: Option<T>) -> Result<T, Problem> {
        found.ok_or_else(|| damaged(key))
    }
}

const fn until_full(items: usize) -> ControlFlow<()> {
    if items >= PAGE { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
}
