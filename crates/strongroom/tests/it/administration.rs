//! Vaults, roles and applications from the command line: at a running server, and without one.

use serde_json::json;

use crate::process::{fail, private_file};
use crate::production::{OBJECT_ID, Site};

/// `name: value` in what a command printed.
fn member<'a>(printed: &'a str, name: &str) -> &'a str {
    let line = printed.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
    line.unwrap_or_else(|| panic!("no {name} in {printed}"))
}

/// The id in the row of a table that has `word` in it.
fn id_of<'a>(table: &'a str, word: &str) -> &'a str {
    let row = table.lines().find(|line| line.contains(word)).unwrap_or_else(|| panic!("no {word} in {table}"));
    row.split_whitespace().next().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn roles_are_given_and_taken_while_the_server_runs() {
    let folder = tempfile::tempdir().unwrap();
    let site = Site::new(folder.path(), "");
    site.init();
    let server = site.serve();
    site.client().await.set_secret("one", "1").await;
    site.client().await.set_secret("two", "2").await;

    let made = site.run(&["application", "create", "reader"]);
    let reader = site.client_of(member(&made, "client_id"), member(&made, "client_secret")).await;
    assert_eq!(reader.get("/secrets/one").await.0, 403, "no role, no access");
    let assign = |scope| {
        site.arguments(&[
            "role",
            "assign",
            "--role",
            "Key Vault Secrets User",
            "--principal",
            "reader",
            "--scope",
            scope,
        ])
        .join("\u{1}")
    };
    let run = |words: String| crate::process::succeed(&words.split('\u{1}').collect::<Vec<_>>());
    let assigned = run(assign("production/secrets/one"));
    assert_eq!(run(assign("production/secrets/one")), assigned, "the same again changes nothing");
    assert_eq!(reader.secret("one").await.as_deref(), Some("1"));
    assert_eq!(reader.get("/secrets/two").await.0, 403, "only that one");
    assert_eq!(reader.get("/secrets").await.0, 403);
    run(assign("production"));
    assert_eq!(reader.secret("two").await.as_deref(), Some("2"));

    let roles = site.run(&["role", "list"]);
    assert!(roles.contains("Key Vault Administrator") && roles.contains(OBJECT_ID), "{roles}");
    for word in ["secrets/one", "production"] {
        let roles = site.run(&["role", "list"]);
        let ours = roles.lines().filter(|line| line.contains("Secrets User")).collect::<Vec<_>>().join("\n");
        site.run(&["role", "remove", id_of(&ours, word)]);
    }
    assert_eq!(reader.get("/secrets/one").await.0, 403, "taken away at once");
    fail(&site.arguments(&["role", "remove", "nothing"]), &["role list"]);
    fail(
        &site.arguments(&["role", "assign", "--role", "King", "--principal", "reader", "--scope", "*"]),
        &["King", "Key Vault Reader"],
    );
    fail(
        &site.arguments(&["role", "assign", "--role", "Key Vault Reader", "--principal", "nobody", "--scope", "*"]),
        &["nobody"],
    );
    assert!(server.stop().success());
}

#[tokio::test(flavor = "multi_thread")]
async fn vaults_and_applications_are_made_without_a_server_too() {
    let folder = tempfile::tempdir().unwrap();
    let site = Site::new(folder.path(), "");
    site.init();
    let table = site.run(&["vault", "create", "early", "--retention-days", "7"]);
    assert!(table.contains("early"), "{table}");
    fail(&site.arguments(&["vault", "create", "no"]), &["A vault name"]);
    fail(&site.arguments(&["vault", "create", "short", "--retention-days", "3"]), &["7", "90"]);
    let made = site.run(&["application", "create", "batch"]);
    let (id, secret) = (member(&made, "client_id"), member(&made, "client_secret"));
    site.run(&["role", "assign", "--role", "Key Vault Secrets Officer", "--principal", "batch", "--scope", "early"]);
    fail(&site.arguments(&["application", "create", "batch"]), &["already"]);

    let server = site.serve();
    let client = site.client_of(id, secret).await.at("early");
    client.set_secret("a", "1").await;
    let (_, deleted) = client.call(reqwest::Method::DELETE, "/secrets/a", json!(null)).await;
    let days = deleted["scheduledPurgeDate"].as_i64().unwrap() - deleted["deletedDate"].as_i64().unwrap();
    assert_eq!(days, 7 * 86_400);
    // Purge protection cannot be taken back.
    site.run(&["vault", "set", "early", "--purge-protection"]);
    site.run(&["vault", "set", "early", "--retention-days", "9"]);
    assert!(site.run(&["vault", "list"]).lines().any(|line| line.contains("early") && line.contains("true")));

    // A second secret, then the first one goes.
    let added = site.run(&["application", "add-secret", "batch"]);
    let second = member(&added, "client_secret").to_owned();
    site.client_of(id, &second).await;
    let listed = site.run(&["application", "list"]);
    assert!(listed.contains("batch") && listed.contains("shop") && !listed.contains(&second), "{listed}");
    let secrets: serde_json::Value = serde_json::from_str(member(&added, "secrets")).unwrap();
    let first_key = secrets[0]["key_id"].as_str().unwrap();
    site.run(&["application", "remove-credential", "batch", first_key]);
    let ca = std::fs::read(site.path("ca.pem")).unwrap();
    let login = site.login(&ca, id, secret);
    let (status, answer) = login.token(&login.http()).await;
    assert_eq!((status.as_u16(), &answer["error_codes"][0]), (401, &json!(7_000_215)), "{answer}");
    fail(&site.arguments(&["application", "remove-credential", "batch", "none"]), &["none"]);
    private_file(&site.path("bad.pem"), b"no certificate");
    let bad = site.path("bad.pem");
    fail(&site.arguments(&["application", "add-certificate", "batch", bad.to_str().unwrap()]), &["certificate"]);
    assert!(server.stop().success());
}

#[test]
fn commands_for_an_installation_that_is_not_there_say_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let none = folder.path().join("none");
    fail(&["vault", "list", "--data", none.to_str().unwrap()], &["strongroom dev", "strongroom init"]);
    assert!(!none.exists(), "asking makes nothing");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_that_the_configuration_replaces_no_longer_opens() {
    let folder = tempfile::tempdir().unwrap();
    let site = Site::new(folder.path(), "");
    site.init();
    assert!(site.serve().stop().success());
    let new = "another-secret-of-the-shop";
    private_file(&site.path("shop.secret"), new.as_bytes());
    let server = site.serve();
    let ca = std::fs::read(site.path("ca.pem")).unwrap();
    let (_, secret) = site.shop();
    let login = site.login(&ca, site.shop().0, secret);
    let (status, answer) = login.token(&login.http()).await;
    assert_eq!((status.as_u16(), &answer["error_codes"][0]), (401, &json!(7_000_215)), "{answer}");
    site.client_of(site.shop().0, new).await;
    assert!(server.stop().success());
}
