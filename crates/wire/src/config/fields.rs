//! `$select`: which members of a resource an answer has.

use super::Problem;

/// Members of a key-value or snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fields(u32);

const KEY_VALUE: &[&str] =
    &["etag", "key", "label", "content_type", "value", "tags", "locked", "last_modified", "description"];
const SNAPSHOT: &[&str] = &[
    "etag",
    "name",
    "status",
    "filters",
    "composition_type",
    "created",
    "expires",
    "size",
    "items_count",
    "tags",
    "retention_period",
    "description",
];

impl Fields {
    /// All members.
    pub const ALL: Self = Self(u32::MAX);

    /// Reads `$select` for key-values; absent or empty selects all.
    ///
    /// # Errors
    /// `Invalid` for an unknown member.
    pub fn of_key_value(select: Option<&str>) -> Result<Self, Problem> {
        Self::parse(KEY_VALUE, select)
    }

    /// Reads `$select` for snapshots.
    ///
    /// # Errors
    /// `Invalid` for an unknown member.
    pub fn of_snapshot(select: Option<&str>) -> Result<Self, Problem> {
        Self::parse(SNAPSHOT, select)
    }

    fn parse(members: &[&str], select: Option<&str>) -> Result<Self, Problem> {
        let names = select.unwrap_or_default().split(',').map(str::trim).filter(|name| !name.is_empty());
        let mut bits = 0_u32;
        for name in names {
            let known = members.iter().position(|member| member.eq_ignore_ascii_case(name));
            let bit = known.and_then(|at| u32::try_from(at).ok()).and_then(|at| 1_u32.checked_shl(at));
            bits |= bit.ok_or_else(|| Problem::invalid("$select", "It names a member that there is not."))?;
        }
        Ok(if bits == 0 { Self::ALL } else { Self(bits) })
    }

    pub(super) fn has_of_key_value(self, member: &str) -> bool {
        self.has(KEY_VALUE, member)
    }

    pub(super) fn has_of_snapshot(self, member: &str) -> bool {
        self.has(SNAPSHOT, member)
    }

    fn has(self, members: &[&str], member: &str) -> bool {
        let at = members.iter().position(|known| *known == member).and_then(|at| u32::try_from(at).ok());
        at.and_then(|at| 1_u32.checked_shl(at)).is_some_and(|bit| self.0 & bit != 0)
    }
}
