//! The App Configuration protocol as data (contract 2.8): key-values, filters, snapshots, dates,
//! conditions, and its refusals (`problem+json`).

mod conditions;
mod dates;
mod fields;
mod filter;
mod key_value;
mod problem;
mod snapshot;

use std::fmt;

use serde::{Deserialize, Serialize};

pub use conditions::{Conditions, ReadOutcome};
pub use dates::{http_date, parse_date, rfc3339};
pub use fields::Fields;
pub use filter::{Filter, MAX_PATTERNS, Pattern, TagFilter};
pub use key_value::{ConfigTags, KeyValue, KeyValueId, MAX_ITEM_BYTES, NewKeyValue, ShownKeyValue};
pub use problem::Problem;
pub use snapshot::{
    CompositionType, MAX_FILTERS, NewSnapshot, ShownSnapshot, Snapshot, SnapshotChange, SnapshotFilter, SnapshotStatus,
    StatusFilter,
};

/// Most characters in a key, a label, a tag's name and value, and a snapshot's name.
pub const MAX_NAME_CHARS: usize = 256;

/// Items on a page.
pub const PAGE: usize = 100;

/// The name of a configuration store: 3 to 50 letters, digits and hyphens, folded to lower case.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct StoreName(String);

/// Not the name of a configuration store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a configuration store's name has 3 to 50 letters, digits and hyphens, and neither begins nor ends with one")]
pub struct NotAStoreName;

impl StoreName {
    /// Reads a name.
    ///
    /// # Errors
    /// [`NotAStoreName`].
    pub fn parse(name: &str) -> Result<Self, NotAStoreName> {
        let legal = (3..=50).contains(&name.len())
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && !name.starts_with('-')
            && !name.ends_with('-');
        if legal { Ok(Self(name.to_ascii_lowercase())) } else { Err(NotAStoreName) }
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for StoreName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for StoreName {
    type Error = NotAStoreName;

    fn try_from(name: String) -> Result<Self, NotAStoreName> {
        Self::parse(&name)
    }
}

impl From<StoreName> for String {
    fn from(name: StoreName) -> Self {
        name.0
    }
}

/// Checks the length and characters of a key, label, tag or name.
fn check_text(parameter: &str, text: &str) -> Result<(), Problem> {
    if text.chars().count() > MAX_NAME_CHARS {
        return Err(Problem::invalid(parameter, format!("It has at most {MAX_NAME_CHARS} characters.")));
    }
    check_controls(parameter, text)
}

fn check_controls(parameter: &str, text: &str) -> Result<(), Problem> {
    if text.chars().any(char::is_control) {
        return Err(Problem::invalid(parameter, "Control characters are not allowed."));
    }
    Ok(())
}
