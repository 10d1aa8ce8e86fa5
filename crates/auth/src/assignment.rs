//! Role assignments.

use serde::{Deserialize, Serialize};

use crate::scope::Scope;

/// A principal has a role at a scope, and at all within it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoleAssignment {
    /// Its id, a GUID.
    pub id: String,
    /// GUID of the role.
    pub role_id: String,
    /// Object id of a user, group or service principal.
    pub principal_id: String,
    /// Where.
    pub scope: Scope,
    /// When it was made, unix seconds.
    pub created: i64,
}
