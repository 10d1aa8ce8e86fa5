//! Who may do what: the decision, and the checked-in matrix of roles and data actions.

use std::fmt::Write as _;

use strongroom_auth::{
    Assignments, BUILT_IN, Caller, DataAction, Decision, Installation, RoleAssignment, Scope, find_role,
    forbidden_message,
};

fn caller(object_id: &str, groups: &[&str]) -> Caller {
    Caller {
        tenant: "t".into(),
        object_id: object_id.into(),
        app_id: Some("a".into()),
        groups: groups.iter().map(|group| (*group).to_owned()).collect(),
        issuer: "i".into(),
        expires: 0,
        audiences: vec![],
        any_service: false,
        scopes: None,
    }
}

fn site() -> Installation {
    Installation { subscription: "sub".into(), resource_group: "rg".into() }
}

fn assignment(role: &str, principal: &str, scope: Scope) -> RoleAssignment {
    let role_id = find_role(role).unwrap().id.to_owned();
    RoleAssignment { id: "1".into(), role_id, principal_id: principal.into(), scope, created: 0 }
}

#[test]
fn the_matrix_of_roles_and_data_actions_is_the_checked_in_one() {
    let mut matrix = String::new();
    for role in BUILT_IN {
        writeln!(matrix, "{} {}", role.id, role.name).unwrap();
        for action in DataAction::ALL {
            writeln!(matrix, "  {} {}", if role.allows(*action) { '+' } else { '-' }, action.as_str()).unwrap();
        }
    }
    let checked_in = include_str!("role_matrix.txt");
    if matrix != checked_in {
        let file = concat!(env!("CARGO_TARGET_TMPDIR"), "/role_matrix.txt");
        std::fs::write(file, matrix).unwrap();
        panic!(
            "who may do what has changed: compare {file} with crates/auth/tests/it/role_matrix.txt, and copy it there if it is meant"
        );
    }
}

#[test]
fn denied_unless_assigned_at_the_scope_or_above() {
    let site = site();
    let secret = site.object_scope("a", "secrets", "x");
    let read = DataAction::SecretsGet;
    let alice = caller("ALICE", &[]);
    assert_eq!(Assignments::default().decide(&alice, read, &secret), Decision::Denied);
    for scope in [secret.clone(), site.vault_scope("a"), site.subscription_scope()] {
        let held = Assignments::new(vec![assignment("Key Vault Secrets User", "alice", scope)]);
        assert_eq!(held.decide(&alice, read, &secret), Decision::Allowed { assignment: "1".into() });
        assert_eq!(held.decide(&alice, DataAction::SecretsSet, &secret), Decision::Denied);
        assert_eq!(held.decide(&caller("bob", &[]), read, &secret), Decision::Denied);
    }
    let elsewhere =
        [site.vault_scope("ab"), site.object_scope("a", "secrets", "xy"), site.object_scope("a", "keys", "x")];
    for scope in elsewhere {
        let held = Assignments::new(vec![assignment("Key Vault Administrator", "alice", scope)]);
        assert_eq!(held.decide(&alice, read, &secret), Decision::Denied);
    }
}

#[test]
fn groups_count_and_one_of_several_actions_is_enough() {
    let site = site();
    let key = site.object_scope("a", "keys", "k");
    let held = Assignments::new(vec![assignment("Key Vault Reader", "Group", site.vault_scope("a"))]);
    let member = caller("alice", &["other", "group"]);
    assert_eq!(held.decide(&member, DataAction::KeysEncrypt, &key), Decision::Denied);
    let either = [DataAction::KeysEncrypt, DataAction::KeysRead];
    assert!(held.decide_any(&member, &either, &key) != Decision::Denied);
    assert_eq!(held.decide_any(&member, &[], &key), Decision::Denied);
}

#[test]
fn the_refusal_is_azures_text() {
    let scope = site().object_scope("Dev", "secrets", "X");
    let text = forbidden_message(&caller("o", &[]), DataAction::SecretsGet.as_str(), &scope, "dev", "local");
    let wanted = "Caller is not authorized to perform action on resource.\r\n\
        If role assignments, deny assignments or role definitions were changed recently, please observe propagation time.\r\n\
        Caller: appid=a;oid=o;iss=i\r\n\
        Action: 'Microsoft.KeyVault/vaults/secrets/getSecret/action'\r\n\
        Resource: '/subscriptions/sub/resourcegroups/rg/providers/microsoft.keyvault/vaults/dev/secrets/x'\r\n\
        Assignment: (not found)\r\nDenyAssignmentId: null\r\nDecisionReason: 'DeniedWithNoValidRBAC' \r\n\
        Vault: dev;location=local\r\n";
    assert_eq!(text, wanted);
}
