//! Attributes, tags, and what the vault promises to keep (REST reference `KeyAttributes`,
//! `SecretAttributes`). Times are unix seconds.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::error::Error;

/// Application metadata, by name.
pub type Tags = BTreeMap<String, String>;

/// Most tags on one object.
pub const MAX_TAGS: usize = 15;

/// Checks tags against the documented limits; `max_chars` bounds each name and each value.
///
/// # Errors
/// `BadParameter` that names the limit.
pub fn check_tags(tags: Option<&Tags>, max_chars: usize) -> Result<(), Error> {
    let Some(tags) = tags else { return Ok(()) };
    if tags.len() > MAX_TAGS {
        return Err(Error::bad_parameter(format!(
            "The object has {} tags; at most {MAX_TAGS} are allowed",
            tags.len()
        )));
    }
    let too_long = |text: &String| text.chars().count() > max_chars;
    if tags.iter().any(|(name, value)| too_long(name) || too_long(value)) {
        return Err(Error::bad_parameter(format!("A tag's name and value have at most {max_chars} characters each")));
    }
    Ok(())
}

/// The attributes that a client may set; absent members stay as they are.
/// Read-only members that clients send along are ignored.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttributesChange {
    /// May the object be used.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub enabled: Option<bool>,
    /// Not to be used before.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub nbf: Option<i64>,
    /// Not to be used from here on.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub exp: Option<i64>,
    /// May the private key be released. Keys only.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub exportable: Option<bool>,
}

/// The attributes in an answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attributes {
    /// May the object be used.
    pub enabled: bool,
    /// Not to be used before.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub nbf: Option<i64>,
    /// Not to be used from here on.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub exp: Option<i64>,
    /// When this version was made.
    pub created: i64,
    /// When this version was last changed; moves with every change.
    pub updated: i64,
    /// What happens on delete.
    #[serde(rename = "recoveryLevel")]
    pub recovery_level: String,
    /// For how many days a deleted object can be recovered.
    #[serde(rename = "recoverableDays")]
    pub recoverable_days: u16,
    /// May the private key be released. Keys only.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub exportable: Option<bool>,
    /// `"0"`: software protected. Keys only.
    #[serde(rename = "hsmPlatform", skip_serializing_if = "Option::is_none", default)]
    pub hsm_platform: Option<String>,
}

/// What a vault promises about deleted objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recovery {
    /// For how many days they are kept: 7 to 90.
    pub retention_days: u16,
    /// May nobody purge them earlier.
    pub purge_protection: bool,
}

impl Recovery {
    /// Azure's default: 90 days, purge allowed.
    pub const DEFAULT: Self = Self { retention_days: 90, purge_protection: false };

    /// Reads a setting.
    ///
    /// # Errors
    /// `BadParameter` when the retention is not 7 to 90 days.
    pub fn new(retention_days: u16, purge_protection: bool) -> Result<Self, Error> {
        if !(7..=90).contains(&retention_days) {
            return Err(Error::bad_parameter("The soft-delete retention is 7 to 90 days"));
        }
        Ok(Self { retention_days, purge_protection })
    }

    /// `recoveryLevel` (REST reference `DeletionRecoveryLevel`).
    #[must_use]
    pub const fn level(self) -> &'static str {
        match (self.retention_days, self.purge_protection) {
            (90.., false) => "Recoverable+Purgeable",
            (90.., true) => "Recoverable",
            (_, false) => "CustomizedRecoverable+Purgeable",
            (_, true) => "CustomizedRecoverable",
        }
    }

    /// Reads it back from an answer's attributes.
    #[must_use]
    pub fn from_wire(level: &str, recoverable_days: u16) -> Self {
        Self { retention_days: recoverable_days, purge_protection: !level.ends_with("+Purgeable") }
    }

    /// The retention in seconds.
    #[must_use]
    pub const fn seconds(self) -> i64 {
        // u16 to i64 is lossless; `From` is not const.
        #[allow(clippy::as_conversions)]
        {
            self.retention_days as i64 * 86_400
        }
    }
}

/// The members that only a soft-deleted object's answer has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeletedFields {
    /// `{vault}/deleted{collection}/{name}`.
    #[serde(rename = "recoveryId")]
    pub recovery_id: String,
    /// When it was deleted.
    #[serde(rename = "deletedDate")]
    pub deleted_date: i64,
    /// When it will be purged.
    #[serde(rename = "scheduledPurgeDate")]
    pub scheduled_purge_date: i64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recovery_levels_follow_the_table() {
        let level = |days, protection| Recovery::new(days, protection).unwrap().level();
        assert_eq!(level(90, false), "Recoverable+Purgeable");
        assert_eq!(level(90, true), "Recoverable");
        assert_eq!(level(7, false), "CustomizedRecoverable+Purgeable");
        assert_eq!(level(89, true), "CustomizedRecoverable");
        assert!(Recovery::new(6, false).is_err() && Recovery::new(91, false).is_err());
    }

    #[test]
    fn tags_are_bounded() {
        let many = |n: usize| (0..n).map(|i| (i.to_string(), String::new())).collect::<Tags>();
        assert!(check_tags(Some(&many(15)), 256).is_ok());
        assert!(check_tags(Some(&many(16)), 256).is_err());
        let long = Tags::from([("é".repeat(257), String::new())]);
        assert!(check_tags(Some(&long), 256).is_err() && check_tags(Some(&long), 512).is_ok());
    }
}
