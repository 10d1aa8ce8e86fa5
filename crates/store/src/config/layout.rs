//! How a configuration store lies in the records.
//!
//! | key | value |
//! |---|---|
//! | `$config.{store}/k/{id}` | [`StoredKeyValue`] as it is now |
//! | `$config.{store}/r/{id}␂{inverted revision}` | [`StoredKeyValue`] as it was; newest first |
//! | `$config.{store}/s/{name}` | [`StoredSnapshot`] |
//! | `$config.{store}/c/{content}/{page}` | a page of a snapshot's [`StoredItem`]s |
//! | `$config-timers/{seconds}/{store}/{what}` | empty: something is due then |
//!
//! `{id}` is the key, U+0001 and, when there is a label, U+0003 and the label. Keys and labels have
//! no control characters, so records lie in the order of the service: by key, then label, none first.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use strongroom_wire::Sensitive;
use strongroom_wire::config::{ConfigTags, Filter, KeyValue, KeyValueId, Pattern, Problem, Snapshot, StoreName};
use strongroom_wire::ids::Version;
use strongroom_wire::sensitive::expose_option;

use super::{damaged, internal};
use crate::records::{Record, RecordKey};

pub(super) const CURRENT: &str = "k/";
pub(super) const REVISIONS: &str = "r/";
pub(super) const SNAPSHOTS: &str = "s/";
pub(super) const CONTENTS: &str = "c/";

/// The space of the timers of all stores.
pub(super) const TIMERS: &str = "$config-timers/";

const AFTER_KEY: char = '\u{1}';
const AFTER_ID: char = '\u{2}';
const BEFORE_LABEL: char = '\u{3}';

/// A key-value, or the mark that it was deleted.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct StoredKeyValue {
    pub(super) etag: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) content_type: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none", serialize_with = "expose_option")]
    pub(super) value: Option<Sensitive<String>>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) tags: ConfigTags,
    #[serde(default)]
    pub(super) locked: bool,
    /// Unix seconds.
    pub(super) modified: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) description: Option<String>,
    pub(super) revision: Version,
    #[serde(default)]
    pub(super) deleted: bool,
}

impl StoredKeyValue {
    pub(super) fn item(self, id: KeyValueId) -> KeyValue {
        KeyValue {
            etag: self.etag,
            id,
            content_type: self.content_type,
            value: self.value,
            tags: self.tags,
            locked: self.locked,
            last_modified: self.modified,
            description: self.description,
        }
    }
}

/// A key-value within a snapshot.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct StoredItem {
    pub(super) id: String,
    pub(super) item: StoredKeyValue,
}

/// A snapshot, and where its content is.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct StoredSnapshot {
    pub(super) snapshot: Snapshot,
    pub(super) content: Version,
}

/// Builds the record keys of one store.
#[derive(Debug, Clone)]
pub(super) struct Layout {
    store: StoreName,
    space: String,
}

impl Layout {
    pub(super) fn new(store: StoreName) -> Self {
        Self { space: format!("$config.{store}/"), store }
    }

    /// All records of a part.
    pub(super) fn prefix(&self, part: &str) -> String {
        [&self.space, part].concat()
    }

    pub(super) fn current(&self, id: &KeyValueId) -> RecordKey {
        RecordKey::new([&self.space, CURRENT, &id_text(id)].concat())
    }

    /// All revisions of one key-value.
    pub(super) fn revisions_of(&self, id: &KeyValueId) -> String {
        format!("{}{REVISIONS}{}{AFTER_ID}", self.space, id_text(id))
    }

    pub(super) fn revision(&self, id: &KeyValueId, revision: Version) -> RecordKey {
        RecordKey::new(format!("{}{:032x}", self.revisions_of(id), !revision.bits()))
    }

    pub(super) fn snapshot(&self, name: &str) -> RecordKey {
        RecordKey::new([&self.space, SNAPSHOTS, name].concat())
    }

    pub(super) fn contents(&self, content: Version) -> String {
        format!("{}{CONTENTS}{content}/", self.space)
    }

    pub(super) fn content_page(&self, content: Version, page: usize) -> RecordKey {
        RecordKey::new(format!("{}{page:08}", self.contents(content)))
    }

    /// The timer that removes a revision.
    pub(super) fn revision_timer(&self, at: i64, id: &KeyValueId, revision: Version) -> RecordKey {
        let text = id_text(id);
        self.timer(at, &format!("r/{text}{AFTER_ID}{:032x}", !revision.bits()))
    }

    /// The timer that removes a snapshot's content, and the snapshot when it is archived.
    pub(super) fn snapshot_timer(&self, at: i64, name: &str, content: Version) -> RecordKey {
        self.timer(at, &format!("s/{content}/{name}"))
    }

    fn timer(&self, at: i64, what: &str) -> RecordKey {
        RecordKey::new(format!("{TIMERS}{}/{}/{what}", moment(at), self.store))
    }

    /// Where to look for the keys that a filter lets through: prefixes of record keys in order,
    /// none within another.
    pub(super) fn ranges(&self, part: &str, keys: &Filter) -> Vec<String> {
        let base = self.prefix(part);
        let Some(patterns) = keys.patterns() else { return vec![base] };
        let mut ranges: Vec<String> = patterns
            .iter()
            .filter_map(|pattern| match pattern {
                Pattern::Null => None,
                Pattern::Exact(key) => Some(format!("{base}{key}{AFTER_KEY}")),
                Pattern::Prefix(prefix) => Some(format!("{base}{prefix}")),
            })
            .collect();
        ranges.sort();
        ranges.dedup_by(|later, earlier| later.starts_with(earlier.as_str()));
        ranges
    }

    /// The id in the key of a current record or of a revision.
    pub(super) fn id_of(&self, part: &str, key: &RecordKey) -> Result<KeyValueId, Problem> {
        let text = key.as_str().strip_prefix(&self.space).and_then(|rest| rest.strip_prefix(part));
        let text = text.map(|text| text.split_once(AFTER_ID).map_or(text, |(id, _)| id));
        text.and_then(parse_id).ok_or_else(|| damaged(key))
    }
}

/// Behind all labels of a key.
pub(super) fn behind_key(key: &str) -> String {
    format!("{key}{AFTER_ID}")
}

/// Behind all revisions of an id.
pub(super) fn behind_revisions(id_text: &str) -> String {
    // Revisions are hexadecimal digits.
    format!("{id_text}{AFTER_ID}~")
}

pub(super) fn id_text(id: &KeyValueId) -> String {
    match id.label() {
        None => format!("{}{AFTER_KEY}", id.key()),
        Some(label) => format!("{}{AFTER_KEY}{BEFORE_LABEL}{label}", id.key()),
    }
}

pub(super) fn parse_id(text: &str) -> Option<KeyValueId> {
    let (key, rest) = text.split_once(AFTER_KEY)?;
    let label = if rest.is_empty() { None } else { Some(rest.strip_prefix(BEFORE_LABEL)?) };
    KeyValueId::new(key, label).ok()
}

/// Seconds as they stand in the keys of timers: their order is that of time.
pub(super) fn moment(seconds: i64) -> String {
    format!("{:012}", seconds.max(0))
}

pub(super) fn decode<T: DeserializeOwned>(key: &RecordKey, record: &Record) -> Result<T, Problem> {
    serde_json::from_slice(&record.value).map_err(|_unreadable| damaged(key))
}

pub(super) fn encode<T: Serialize>(value: &T) -> Result<Vec<u8>, Problem> {
    serde_json::to_vec(value).map_err(|fault| internal("a record could not be written", &fault))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_lie_in_the_order_of_keys_then_labels_none_first() {
        let layout = Layout::new(StoreName::parse("dev").unwrap());
        let id = |key: &str, label: Option<&str>| KeyValueId::new(key, label).unwrap();
        let ids = [
            id("a", None),
            id("a", Some(" ")),
            id("a", Some("b")),
            id("a", Some("bc")),
            id("a b", None),
            id("ab", None),
        ];
        let current: Vec<RecordKey> = ids.iter().map(|id| layout.current(id)).collect();
        let revisions: Vec<RecordKey> = ids
            .iter()
            .flat_map(|id| [9, 7].map(|revision| layout.revision(id, Version::from_bits(revision))))
            .collect();
        assert!(current.is_sorted() && revisions.is_sorted());
        for id in &ids {
            assert_eq!(layout.id_of(CURRENT, &layout.current(id)).unwrap(), *id);
            assert_eq!(layout.id_of(REVISIONS, &layout.revision(id, Version::from_bits(1))).unwrap(), *id);
        }
        let behind = RecordKey::new(layout.prefix(REVISIONS) + &behind_revisions(&id_text(&ids[1])));
        assert!(behind > revisions[3] && behind < revisions[4]);
        let behind = RecordKey::new(layout.prefix(CURRENT) + &behind_key("a"));
        assert!(behind > current[3] && behind < current[4]);
    }

    #[test]
    fn ranges_are_in_order_and_apart() {
        let layout = Layout::new(StoreName::parse("dev").unwrap());
        let ranges = |text: &str| layout.ranges(CURRENT, &Filter::parse("key", text).unwrap());
        assert_eq!(ranges("*"), ["$config.dev/k/"]);
        assert_eq!(ranges("b,a*,ab*,b,abc"), ["$config.dev/k/a", "$config.dev/k/b\u{1}"]);
        assert!(ranges("\0").is_empty());
    }
}
