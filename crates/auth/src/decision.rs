//! The decision: may the caller do it there? Denied unless an assignment allows it.

use std::collections::HashMap;

use crate::action::DataAction;
use crate::assignment::RoleAssignment;
use crate::claims::Caller;
use crate::roles::find_role;
use crate::scope::Scope;

/// Role assignments, by principal.
#[derive(Debug, Default)]
pub struct Assignments(HashMap<String, Vec<RoleAssignment>>);

/// What was decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// By the assignment of this id.
    Allowed {
        /// The assignment.
        assignment: String,
    },
    /// By nothing.
    Denied,
}

impl Assignments {
    /// From all there are.
    #[must_use]
    pub fn new(all: Vec<RoleAssignment>) -> Self {
        let mut by_principal: HashMap<String, Vec<RoleAssignment>> = HashMap::new();
        for assignment in all {
            by_principal.entry(assignment.principal_id.to_ascii_lowercase()).or_default().push(assignment);
        }
        Self(by_principal)
    }

    /// All there are, oldest first.
    #[must_use]
    pub fn all(&self) -> Vec<RoleAssignment> {
        let mut all: Vec<RoleAssignment> = self.0.values().flatten().cloned().collect();
        all.sort_by(|a, b| (a.created, &a.id).cmp(&(b.created, &b.id)));
        all
    }

    /// May the caller do `action` on `resource`?
    #[must_use]
    pub fn decide(&self, caller: &Caller, action: DataAction, resource: &Scope) -> Decision {
        let principals = [&caller.object_id].into_iter().chain(&caller.groups);
        let held = principals.filter_map(|id| self.0.get(&id.to_ascii_lowercase())).flatten();
        let mut within = held.filter(|assignment| assignment.scope.contains(resource));
        let allowing = within.find(|assignment| find_role(&assignment.role_id).is_some_and(|role| role.allows(action)));
        allowing.map_or(Decision::Denied, |assignment| Decision::Allowed { assignment: assignment.id.clone() })
    }

    /// May the caller do any of `actions`?
    #[must_use]
    pub fn decide_any(&self, caller: &Caller, actions: &[DataAction], resource: &Scope) -> Decision {
        let mut decisions = actions.iter().map(|action| self.decide(caller, *action, resource));
        decisions.find(|decision| *decision != Decision::Denied).unwrap_or(Decision::Denied)
    }
}

/// The text of a 403 (contract 3.2, `ForbiddenByRbac`).
#[must_use]
pub fn forbidden_message(caller: &Caller, action: &str, resource: &Scope, vault: &str, region: &str) -> String {
    format!(
        "Caller is not authorized to perform action on resource.\r\n\
         If role assignments, deny assignments or role definitions were changed recently, please observe propagation \
         time.\r\n\
         Caller: {}\r\nAction: '{action}'\r\nResource: '{}'\r\nAssignment: (not found)\r\n\
         DenyAssignmentId: null\r\nDecisionReason: 'DeniedWithNoValidRBAC' \r\nVault: {vault};location={region}\r\n",
        caller.describe(),
        resource.to_string().to_ascii_lowercase(),
    )
}
