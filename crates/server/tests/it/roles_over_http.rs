//! The built-in roles, each tried on every operation: who may, succeeds; who may not, gets 403.

use std::fmt::Write as _;

use serde_json::{Value, json};
use strongroom_auth::{BUILT_IN, RoleDefinition, find_role};
use strongroom_server::admin::{Command, execute};
use strongroom_server::appconfig;
use strongroom_server::routes::{ROUTES, Route};

use crate::calls::{Workshop, path, route};
use crate::support::{Principal, Reply, TestServer, assert_checked_in};

const MATRIX: &str = include_str!("role_operations.txt");

fn allows(role: &RoleDefinition, route: &Route) -> bool {
    route.actions.iter().any(|action| role.allows(*action))
}

/// What the checked-in matrix says; `+` is "may".
fn checked_in(role: &RoleDefinition, route: &Route) -> bool {
    let of_role = MATRIX.split("\n\n").find(|block| block.lines().next() == Some(role.name));
    let of_role = of_role.unwrap_or_else(|| panic!("{} is not in role_operations.txt", role.name));
    let line = of_role.lines().find(|line| line.split_whitespace().nth(1) == Some(route.id));
    line.unwrap_or_else(|| panic!("{} of {} is not in role_operations.txt", route.id, role.name)).starts_with('+')
}

fn assert_forbidden(reply: &Reply, what: &str) {
    assert_eq!(reply.refusal(), (403, "Forbidden", "ForbiddenByRbac"), "{what}: {}", reply.text);
}

#[test]
fn the_matrix_of_roles_and_operations_is_the_checked_in_one() {
    let blocks = BUILT_IN.iter().map(|role| {
        let mut block = format!("{}\n", role.name);
        for route in ROUTES {
            let sign = if allows(role, route) { '+' } else { '-' };
            writeln!(block, "{sign} {} {} {}", route.id, route.method, route.path).unwrap();
        }
        for route in appconfig::ROUTES {
            let sign = if route.actions.iter().all(|action| role.allows(*action)) { '+' } else { '-' };
            let name = if route.named { "/{name}" } else { "" };
            writeln!(block, "{sign} {} {} /{}{name}", route.id, route.method, route.collection).unwrap();
        }
        block
    });
    assert_checked_in("role_operations.txt", &blocks.collect::<Vec<_>>().join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn every_role_may_do_what_the_matrix_says_and_nothing_else() {
    let server = TestServer::start().await;
    let workshop = Workshop::new(&server, "dev", server.token(&server.administrator().await).await).await;
    for (number, role) in BUILT_IN.iter().enumerate() {
        let principal = server.application(role.name).await;
        server.assign(role.name, &principal, "dev").await;
        let token = server.token(&principal).await;
        for route in ROUTES {
            let (path, body) = workshop.prepare(route, &format!("{}-{number}", route.id)).await;
            let reply = workshop.call(&token, route, &path, &body).await;
            let what = format!("{}: {} {path}", role.name, route.id);
            if checked_in(role, route) {
                assert!((200..300).contains(&reply.status), "{what}: {} {}", reply.status, reply.text);
            } else {
                assert_forbidden(&reply, &what);
                // Nothing was done: whoever may, can still do it.
                let retried = workshop.call(&workshop.token, route, &path, &body).await;
                assert!((200..300).contains(&retried.status), "{what}, retried: {}", retried.text);
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_on_one_vault_opens_no_operation_of_another() {
    let server = TestServer::start().await;
    let workshop = Workshop::new(&server, "two", server.token(&server.administrator().await).await).await;
    let principal = server.application("of one").await;
    server.assign("Key Vault Administrator", &principal, "one").await;
    let token = server.token(&principal).await;
    for route in ROUTES {
        let (path, body) = workshop.prepare(route, &format!("x-{}", route.id)).await;
        assert_forbidden(&workshop.call(&token, route, &path, &body).await, route.id);
    }
}

async fn with_role(server: &TestServer, role: &str, scope: &str) -> String {
    let principal = server.application(&format!("{role} of {scope}")).await;
    server.assign(role, &principal, scope).await;
    server.token(&principal).await
}

#[tokio::test]
async fn a_role_on_one_secret_reads_exactly_that_one() {
    let server = TestServer::start().await;
    let workshop = Workshop::new(&server, "dev", server.token(&server.administrator().await).await).await;
    for name in ["mine", "mine-too", "min"] {
        workshop.admin("PUT", &format!("/secrets/{name}"), json!({"value": name})).await;
    }
    workshop.admin("POST", "/keys/mine/create", json!({"kty": "EC"})).await;
    let token = with_role(&server, "Key Vault Secrets User", "dev/secrets/mine").await;
    let get = async |path: &str| server.call("dev", &token, "GET", path, &Value::Null).await;
    let version = workshop.admin("GET", "/secrets/mine", Value::Null).await["id"].as_str().unwrap().to_owned();
    let version = version.rsplit_once('/').unwrap().1;
    for path in ["/secrets/mine", "/secrets/mine/", "/secrets/MINE", "//secrets/mine", "/secrets/%6dine"] {
        assert_eq!(get(path).await.ok()["value"], "mine", "{path}");
    }
    assert_eq!(get(&format!("/secrets/mine/{version}")).await.ok()["value"], "mine");
    assert_eq!(get("/secrets/mine/versions").await.ok()["value"].as_array().unwrap().len(), 1);
    for path in [
        "/secrets",
        "/deletedsecrets",
        "/deletedsecrets/mine-too",
        "/secrets/mine-too",
        "/secrets/min",
        "/secrets/absent",
        "/secrets/mine%2Fx",
        "/secrets/mine%00",
        "/secrets/mine%20",
        "/secrets/..%2Fmine",
        "/keys/mine",
        "/keys",
    ] {
        assert_forbidden(&get(path).await, path);
    }
    for (method, path) in [("DELETE", "/secrets/mine"), ("PATCH", "/secrets/mine"), ("POST", "/secrets/mine/backup")] {
        assert_forbidden(&server.call("dev", &token, method, path, &Value::Null).await, path);
    }
    let elsewhere = server.call("two", &token, "GET", "/secrets/mine", &Value::Null).await;
    assert_forbidden(&elsewhere, "the same name in another vault");
}

#[tokio::test]
async fn an_officer_of_one_secret_makes_deletes_and_recovers_that_one_only() {
    let server = TestServer::start().await;
    let token = with_role(&server, "Key Vault Secrets Officer", "dev/secrets/mine").await;
    let call = async |id: &str, name: &str, body: Value| {
        let route = route(id);
        server.call("dev", &token, route.method.as_str(), &path(route, name), &body).await
    };
    call("S1", "mine", json!({"value": "v"})).await.ok();
    let blob = call("S11", "mine", Value::Null).await.ok();
    call("S2", "mine", Value::Null).await.ok();
    call("S8", "mine", Value::Null).await.ok();
    call("S10", "mine", Value::Null).await.ok();
    call("S2", "mine", Value::Null).await.ok();
    call("S9", "mine", Value::Null).await.ok();
    assert_forbidden(&call("S1", "other", json!({"value": "v"})).await, "another");
    // The name is in the blob, not in the path: a restore needs the role on the vault.
    assert_forbidden(&call("S12", "mine", blob).await, "restore");
}

#[tokio::test]
async fn a_role_on_one_key_uses_exactly_that_one() {
    let server = TestServer::start().await;
    let workshop = Workshop::new(&server, "dev", server.token(&server.administrator().await).await).await;
    workshop.admin("POST", "/keys/other/create", json!({"kty": "RSA"})).await;
    let token = with_role(&server, "Key Vault Crypto User", "dev/keys/rsa").await;
    for id in ["K11", "K12", "K13", "K14", "K15", "K16", "K6", "K9"] {
        let route = route(id);
        let (own, body) = workshop.prepare(route, &format!("unused-{id}")).await;
        let own = own.replace(&format!("unused-{id}"), "rsa");
        workshop.call(&token, route, &own, &body).await.ok();
        assert_forbidden(&workshop.call(&token, route, &own.replace("rsa", "other"), &body).await, id);
    }
    assert_forbidden(&server.call("dev", &token, "GET", "/keys", &Value::Null).await, "list");
    assert_forbidden(&server.call("dev", &token, "GET", "/secrets/rsa", &Value::Null).await, "secret of that name");
}

#[tokio::test]
async fn a_role_counts_from_its_assignment_to_its_removal_for_tokens_already_issued() {
    let server = TestServer::start().await;
    let principal = server.application("late").await;
    let token = server.token(&principal).await;
    let list = async || server.call("dev", &token, "GET", "/secrets", &Value::Null).await;
    assert_forbidden(&list().await, "before");
    server.assign("Key Vault Reader", &principal, "dev").await;
    list().await.ok();
    let assigned = server.execute(Command::RoleList).await;
    let id = assigned[0]["id"].as_str().unwrap().to_owned();
    server.execute(Command::RoleRemove { id: id.clone() }).await;
    assert_forbidden(&list().await, "after");
    assert!(execute(&server.admin, Command::RoleRemove { id }).await.is_err());
}

#[tokio::test]
async fn roles_are_assigned_at_every_kind_of_scope_and_refused_elsewhere() {
    let server = TestServer::start().await;
    let site = server.app.directory.site().clone();
    let group = format!("/subscriptions/{}/resourceGroups/{}", site.subscription, site.resource_group);
    let vault = format!("{group}/providers/Microsoft.KeyVault/vaults/dev");
    for (number, scope) in [
        "*".to_owned(),
        "DEV".into(),
        group.clone(),
        group.to_uppercase().replace("SUBSCRIPTIONS", "subscriptions"),
        vault,
    ]
    .into_iter()
    .enumerate()
    {
        let principal = server.application(&format!("reader {number}")).await;
        server.assign(find_role("key vault reader").unwrap().id, &principal, &scope).await;
        let token = server.token(&principal).await;
        assert_eq!(server.call("dev", &token, "GET", "/keys", &Value::Null).await.status, 200, "{scope}");
    }
    let other_group = format!("/subscriptions/{}/resourceGroups/other", site.subscription);
    let elsewhere = with_role(&server, "Key Vault Administrator", &other_group).await;
    assert_forbidden(&server.call("dev", &elsewhere, "GET", "/keys", &Value::Null).await, &other_group);
    let Principal { object_id, .. } = server.application("nobody").await;
    for (role, principal, scope) in [
        ("Key Vault Emperor", object_id.as_str(), "dev"),
        ("Key Vault Reader", "who?", "dev"),
        ("Key Vault Reader", &object_id, "dev/blobs/x"),
        ("Key Vault Reader", &object_id, "dev/secrets"),
        ("Key Vault Reader", &object_id, "/"),
        ("Key Vault Reader", &object_id, ""),
    ] {
        let command = Command::RoleAssign { role: role.into(), principal: principal.into(), scope: scope.into() };
        assert!(execute(&server.admin, command).await.is_err(), "{role} {principal} {scope}");
    }
}
