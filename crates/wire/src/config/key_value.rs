//! Key-values: what names one, what clients send, and what they get.

use std::collections::BTreeMap;

use serde::ser::SerializeMap as _;
use serde::{Deserialize, Serialize, Serializer};

use super::{Fields, Problem, check_controls, check_text, rfc3339};
use crate::Sensitive;

/// Tags of a key-value; values may be null.
pub type ConfigTags = BTreeMap<String, Option<String>>;

/// Most bytes in a key-value: key, label, content type, value, tags and description together.
pub const MAX_ITEM_BYTES: usize = 10_000;

/// What names a key-value: a key, and a label or none. Both compare by case.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyValueId {
    key: String,
    label: Option<String>,
}

impl KeyValueId {
    /// Checks key and label; an empty label is none.
    ///
    /// # Errors
    /// `Invalid`.
    pub fn new(key: &str, label: Option<&str>) -> Result<Self, Problem> {
        if matches!(key, "" | "." | "..") {
            return Err(Problem::invalid("key", "It cannot be empty, '.' or '..'."));
        }
        check_text("key", key)?;
        let label = label.filter(|label| !label.is_empty() && *label != "\0");
        if let Some(label) = label {
            check_text("label", label)?;
        }
        Ok(Self { key: key.to_owned(), label: label.map(str::to_owned) })
    }

    /// The key.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }

    /// The label.
    #[must_use]
    pub fn label(&self) -> Option<&str> {
        self.label.as_deref()
    }
}

/// What a client sends to set a key-value. Other members (`key`, `etag`, …) are ignored.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct NewKeyValue {
    /// What the value is.
    pub content_type: Option<String>,
    /// The value.
    pub value: Option<Sensitive<String>>,
    /// Tags; absent is none.
    pub tags: Option<ConfigTags>,
    /// A description, since 2026-04-01.
    pub description: Option<String>,
}

impl NewKeyValue {
    /// Checks the limits.
    ///
    /// # Errors
    /// `Invalid`.
    pub fn check(&self, id: &KeyValueId) -> Result<(), Problem> {
        if let Some(content_type) = &self.content_type {
            check_controls("content_type", content_type)?;
        }
        for (name, value) in self.tags.iter().flatten() {
            check_text("tags", name)?;
            check_text("tags", value.as_deref().unwrap_or_default())?;
        }
        let bytes = self.bytes(id);
        if bytes > MAX_ITEM_BYTES {
            let detail = format!(
                "The key-value has {bytes} bytes (key, label, content type, value, tags and description together); at \
                 most {MAX_ITEM_BYTES} are allowed."
            );
            return Err(Problem::invalid("value", detail));
        }
        Ok(())
    }

    fn bytes(&self, id: &KeyValueId) -> usize {
        let tags = self.tags.iter().flatten();
        let tags = tags.map(|(name, value)| name.len().saturating_add(value.as_ref().map_or(0, String::len)));
        let members = [
            id.key.len(),
            id.label.as_ref().map_or(0, String::len),
            self.content_type.as_ref().map_or(0, String::len),
            self.value.as_ref().map_or(0, |value| value.expose().len()),
            self.description.as_ref().map_or(0, String::len),
        ];
        members.into_iter().chain(tags).fold(0, usize::saturating_add)
    }
}

/// A key-value as it is.
#[derive(Debug)]
pub struct KeyValue {
    /// Changes with every change.
    pub etag: String,
    /// What names it.
    pub id: KeyValueId,
    /// What the value is.
    pub content_type: Option<String>,
    /// The value.
    pub value: Option<Sensitive<String>>,
    /// Tags.
    pub tags: ConfigTags,
    /// Is it read-only?
    pub locked: bool,
    /// Unix seconds.
    pub last_modified: i64,
    /// A description.
    pub description: Option<String>,
}

impl KeyValue {
    /// For an answer: these members, in the order of the service. Nulls are written. Versions
    /// before 2026-04-01 know no description.
    #[must_use]
    pub const fn shown(&self, fields: Fields, description: bool) -> ShownKeyValue<'_> {
        ShownKeyValue { item: self, fields, description }
    }
}

/// A key-value in an answer.
pub struct ShownKeyValue<'a> {
    item: &'a KeyValue,
    fields: Fields,
    description: bool,
}

impl Serialize for ShownKeyValue<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { item, fields, description } = self;
        let has = |member| fields.has_of_key_value(member);
        let mut map = serializer.serialize_map(None)?;
        if has("etag") {
            map.serialize_entry("etag", &item.etag)?;
        }
        if has("key") {
            map.serialize_entry("key", item.id.key())?;
        }
        if has("label") {
            map.serialize_entry("label", &item.id.label())?;
        }
        if has("content_type") {
            map.serialize_entry("content_type", &item.content_type)?;
        }
        if has("value") {
            map.serialize_entry("value", &item.value.as_ref().map(Sensitive::expose))?;
        }
        if has("tags") {
            map.serialize_entry("tags", &item.tags)?;
        }
        if has("locked") {
            map.serialize_entry("locked", &item.locked)?;
        }
        if has("last_modified") {
            map.serialize_entry("last_modified", &rfc3339(item.last_modified))?;
        }
        if *description && has("description") {
            map.serialize_entry("description", &item.description)?;
        }
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_stand_in_the_services_order_with_nulls() {
        let item = KeyValue {
            etag: "e".into(),
            id: KeyValueId::new("k", None).unwrap(),
            content_type: None,
            value: None,
            tags: [("a".to_owned(), None)].into(),
            locked: false,
            last_modified: 0,
            description: None,
        };
        assert_eq!(
            serde_json::to_string(&item.shown(Fields::ALL, true)).unwrap(),
            r#"{"etag":"e","key":"k","label":null,"content_type":null,"value":null,"tags":{"a":null},"locked":false,"last_modified":"1970-01-01T00:00:00+00:00","description":null}"#
        );
        let some = Fields::of_key_value(Some("Locked,key")).unwrap();
        assert_eq!(serde_json::to_string(&item.shown(some, false)).unwrap(), r#"{"key":"k","locked":false}"#);
        assert!(Fields::of_key_value(Some("keys")).is_err());
    }

    #[test]
    fn ids_and_sizes_have_limits() {
        for bad in ["", ".", "..", "a\0", "a\n", &"k".repeat(257)] {
            assert!(KeyValueId::new(bad, None).is_err(), "{bad:?}");
        }
        for good in ["...", "a/b c", "ü", &"ü".repeat(256)] {
            KeyValueId::new(good, Some("")).unwrap();
        }
        assert!(KeyValueId::new("k", Some("l\u{7f}")).is_err());
        assert_eq!(KeyValueId::new("k", Some("\0")).unwrap().label(), None);
        let of = |bytes: usize| NewKeyValue { value: Some(Sensitive::new("x".repeat(bytes))), ..Default::default() };
        let id = KeyValueId::new("key", Some("label")).unwrap();
        of(9_992).check(&id).unwrap();
        assert!(of(9_993).check(&id).is_err());
    }
}
