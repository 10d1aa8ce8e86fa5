//! Snapshots: a set of key-values as they were at one moment (contract 2.8.10).

use serde::ser::SerializeMap as _;
use serde::{Deserialize, Serialize, Serializer};

use super::{ConfigTags, Fields, Filter, Problem, TagFilter, check_text, rfc3339};

/// Most filters of a snapshot.
pub const MAX_FILTERS: usize = 3;

/// An archived snapshot is kept so long, unless told otherwise: seconds.
const DEFAULT_RETENTION: i64 = 30 * 86_400;

/// Where it is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SnapshotStatus {
    /// Being made.
    Provisioning,
    /// Made.
    Ready,
    /// Put away; it will expire.
    Archived,
    /// Could not be made.
    Failed,
}

impl SnapshotStatus {
    const ALL: [(&'static str, Self); 4] = [
        ("provisioning", Self::Provisioning),
        ("ready", Self::Ready),
        ("archived", Self::Archived),
        ("failed", Self::Failed),
    ];
}

/// Which of several key-values of one key a snapshot keeps.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CompositionType {
    /// One of each key: that of the last filter that has it.
    #[default]
    Key,
    /// One of each key and label.
    KeyLabel,
}

/// Which key-values go into a snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SnapshotFilter {
    /// A filter on keys.
    #[serde(default)]
    pub key: Option<String>,
    /// A filter on labels.
    #[serde(default)]
    pub label: Option<String>,
    /// Tag filters, `name=value`.
    #[serde(default)]
    pub tags: Option<Vec<String>>,
}

impl SnapshotFilter {
    /// The filters, read. `number` counts from 0.
    ///
    /// # Errors
    /// `Invalid`.
    pub fn parse(&self, number: usize) -> Result<(Filter, Filter, Vec<TagFilter>), Problem> {
        let parameter = |member: &str| format!("filters[{number}].{member}");
        let key = self.key.as_deref().filter(|key| !key.is_empty());
        let key = key.ok_or_else(|| Problem::invalid(parameter("key"), "It is required."))?;
        let tags = self.tags.as_deref().unwrap_or_default();
        if tags.len() > super::MAX_PATTERNS {
            let detail = format!("There are at most {} tag filters.", super::MAX_PATTERNS);
            return Err(Problem::invalid(parameter("tags"), detail));
        }
        let tags = tags.iter().map(|tag| TagFilter::parse(&parameter("tags"), tag)).collect::<Result<_, _>>()?;
        let label = Filter::parse(&parameter("label"), self.label.as_deref().unwrap_or_default())?;
        Ok((Filter::parse(&parameter("key"), key)?, label, tags))
    }
}

/// What a client sends to make a snapshot.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct NewSnapshot {
    /// One to three.
    pub filters: Option<Vec<SnapshotFilter>>,
    /// `key` or `key_label`; `key` when absent.
    pub composition_type: Option<String>,
    /// Seconds to keep it once it is archived: an hour to 90 days, 30 days when absent.
    pub retention_period: Option<i64>,
    /// Tags.
    pub tags: Option<ConfigTags>,
    /// A description.
    pub description: Option<String>,
}

impl NewSnapshot {
    /// Checks all of it; how it is composed, and the retention period in seconds.
    ///
    /// # Errors
    /// `Invalid`.
    pub fn check(&self, name: &str) -> Result<(CompositionType, i64), Problem> {
        if name.is_empty() {
            return Err(Problem::invalid("name", "It cannot be empty."));
        }
        check_text("name", name)?;
        let filters = self.filters.as_deref().unwrap_or_default();
        if filters.is_empty() || filters.len() > MAX_FILTERS {
            return Err(Problem::invalid("filters", format!("A snapshot has 1 to {MAX_FILTERS} filters.")));
        }
        for (number, filter) in filters.iter().enumerate() {
            filter.parse(number)?;
        }
        for (name, value) in self.tags.iter().flatten() {
            check_text("tags", name)?;
            check_text("tags", value.as_deref().unwrap_or_default())?;
        }
        let composition = match self.composition_type.as_deref() {
            None | Some("key") => CompositionType::Key,
            Some("key_label") => CompositionType::KeyLabel,
            Some(_) => return Err(Problem::invalid("composition_type", "It is 'key' or 'key_label'.")),
        };
        match self.retention_period {
            None => Ok((composition, DEFAULT_RETENTION)),
            Some(seconds @ 3_600..=7_776_000) => Ok((composition, seconds)),
            Some(_) => Err(Problem::invalid("retention_period", "It is 3600 to 7776000 seconds.")),
        }
    }
}

/// What a client sends to archive or recover a snapshot.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct SnapshotChange {
    /// `archived` or `ready`.
    pub status: Option<String>,
}

impl SnapshotChange {
    /// The status that is wanted.
    ///
    /// # Errors
    /// `Invalid`.
    pub fn wanted(&self) -> Result<SnapshotStatus, Problem> {
        match self.status.as_deref() {
            Some("archived") => Ok(SnapshotStatus::Archived),
            Some("ready") => Ok(SnapshotStatus::Ready),
            _ => Err(Problem::invalid("status", "It can be set to 'archived' or 'ready'.")),
        }
    }
}

/// A filter on the status of snapshots.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatusFilter(Option<Vec<SnapshotStatus>>);

impl StatusFilter {
    /// Reads one: names with commas between them; absent, empty or `*` lets all through.
    ///
    /// # Errors
    /// `Invalid`.
    pub fn parse(text: Option<&str>) -> Result<Self, Problem> {
        let Some(text) = text.filter(|text| !matches!(*text, "" | "*")) else { return Ok(Self(None)) };
        let known = |name: &str| SnapshotStatus::ALL.into_iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        let statuses: Option<Vec<_>> = text.split(',').map(|name| known(name.trim()).map(|(_, it)| it)).collect();
        let statuses = statuses
            .ok_or_else(|| Problem::invalid("status", "It is a list of provisioning, ready, archived and failed."))?;
        Ok(Self(Some(statuses)))
    }

    /// Does it let this one through?
    #[must_use]
    pub fn matches(&self, status: SnapshotStatus) -> bool {
        self.0.as_ref().is_none_or(|statuses| statuses.contains(&status))
    }
}

/// A snapshot as it is. Times are unix seconds.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Snapshot {
    /// Changes with every change.
    pub etag: String,
    /// Its name.
    pub name: String,
    /// Where it is in its life.
    pub status: SnapshotStatus,
    /// What went into it.
    pub filters: Vec<SnapshotFilter>,
    /// How.
    pub composition_type: CompositionType,
    /// When it was made.
    pub created: i64,
    /// When it will be gone; only while it is archived.
    pub expires: Option<i64>,
    /// Bytes.
    pub size: u64,
    /// Key-values in it.
    pub items_count: u64,
    /// Tags.
    pub tags: ConfigTags,
    /// Seconds that it is kept once it is archived.
    pub retention_period: i64,
    /// A description.
    #[serde(default)]
    pub description: Option<String>,
}

impl Snapshot {
    /// For an answer: these members, in the order of the service.
    #[must_use]
    pub const fn shown(&self, fields: Fields, description: bool) -> ShownSnapshot<'_> {
        ShownSnapshot { snapshot: self, fields, description }
    }
}

/// A snapshot in an answer.
pub struct ShownSnapshot<'a> {
    snapshot: &'a Snapshot,
    fields: Fields,
    description: bool,
}

impl Serialize for ShownSnapshot<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { snapshot, fields, description } = self;
        let has = |member| fields.has_of_snapshot(member);
        let mut map = serializer.serialize_map(None)?;
        macro_rules! entries {
            ($($member:ident = $value:expr,)+) => {
                $(if has(stringify!($member)) {
                    map.serialize_entry(stringify!($member), &$value)?;
                })+
            };
        }
        entries! {
            etag = snapshot.etag,
            name = snapshot.name,
            status = snapshot.status,
            filters = snapshot.filters,
            composition_type = snapshot.composition_type,
            created = rfc3339(snapshot.created),
        }
        if let Some(expires) = snapshot.expires {
            entries! { expires = rfc3339(expires), }
        }
        entries! {
            size = snapshot.size,
            items_count = snapshot.items_count,
            tags = snapshot.tags,
            retention_period = snapshot.retention_period,
        }
        if *description {
            entries! { description = snapshot.description, }
        }
        map.end()
    }
}
