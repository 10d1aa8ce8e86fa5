//! Secrets: kept, read, rotated, and what becomes of them.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{World, example, prints, refuses, stdout};
use crate::process::{stderr, until};

#[tokio::test(flavor = "multi_thread")]
async fn secrets_are_kept_read_and_found_by_tenant() {
    let world = World::new();
    let printed = world.prints("secrets", &[]);
    for line in [
        "healthy: Connected",
        "latest is the second: true",
        "the first is kept: true",
        "read 50 secrets",
        "secret batch-none not found",
    ] {
        assert!(printed.lines().any(|printed| printed == line), "{line}: {printed}");
    }
    assert_eq!(printed.lines().filter(|line| line.starts_with("Version: ")).count(), 2, "{printed}");
    let value = world.dev.client().await.secret("database-password").await;
    assert_eq!(value.as_deref(), Some("password-of-today"));
    let unknown = world.with("AZURE_CLIENT_SECRET", "wrong");
    assert!(prints_or_refuses("secrets", &unknown).contains("unhealthy: Auth failed"));

    let missing = "Secret 'smtp-password' not found for org 'org123'. Tried: org123--smtp-password, \
                   GLOBAL--smtp-password";
    let wanted = |last: &str| {
        format!("org123: 9 bytes\norg456: 7 bytes\n{missing}\nkept: 9 bytes\nasked again: 12 bytes\n{last}\n")
    };
    let nowhere = "Secret 'local-key' not found in Key Vault or local config";
    assert_eq!(prints("tenant_secrets", &[], &world.at("other")), wanted(nowhere));
    for (variable, value) in [("ORG123__LOCAL_KEY", "of the org"), ("GLOBAL__LOCAL_KEY", "of all")] {
        let printed = prints("tenant_secrets", &[], &world.with(variable, value));
        assert_eq!(printed, wanted(&format!("local: {} bytes", value.len())));
    }
}

/// Both streams, however it ends.
fn prints_or_refuses(name: &str, environment: &[(String, String)]) -> String {
    let output = example(name, &[], environment).output().unwrap();
    stdout(&output) + &stderr(&output)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rotation_leaves_the_new_version_and_disables_the_old_one() {
    let world = World::new();
    let client = world.dev.client().await;
    client.set_secret("database-password", "of old").await;
    let start = Instant::now();
    let printed = world.prints("rotation", &["1", "1"]);
    assert!(start.elapsed() >= Duration::from_secs(2), "it waits");
    assert!(printed.contains("\nSecret rotation completed\n"), "{printed}");
    let new = client.secret("database-password").await.unwrap();
    assert_eq!(new.len(), 32);
    assert!(!printed.contains(&new), "a password is told");
    let (_, versions) = client.get("/secrets/database-password/versions").await;
    let of = |state: bool| {
        let all = versions["value"].as_array().unwrap().iter();
        all.filter(|one| one["attributes"]["enabled"] == state)
            .map(|one| one["id"].as_str().unwrap())
            .collect::<Vec<_>>()
    };
    let id = |start: &str| printed.lines().find_map(|line| line.strip_prefix(start)).unwrap();
    assert!(of(true).len() == 1 && of(true)[0].ends_with(id("New version: ")), "{versions} {printed}");
    assert!(of(false).len() == 1 && of(false)[0].ends_with(id("Disabled version: ")), "{versions} {printed}");
    let (_, policy) = client.get("/keys/my-key/rotationpolicy").await;
    assert_eq!(policy["lifetimeActions"][0]["trigger"]["timeAfterCreate"], "P90D", "{policy}");
    assert_eq!(policy["lifetimeActions"][0]["action"]["type"], "Rotate", "{policy}");
    assert_eq!(policy["attributes"]["expiryTime"], "P2Y", "{policy}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vault_is_kept_in_order() {
    let world = World::new();
    let client = world.dev.client().await;
    client.set_secret("database-password", "value").await;
    client.set_secret("gone", "value").await;
    assert_eq!(client.call(reqwest::Method::DELETE, "/secrets/gone", Value::Null).await.0, 200);
    let wanted = r#"Production secrets: ["api-key"]
Recovered: deleted-by-mistake
Purged: secret not-needed not found
secret apikey not found
  Available secrets: ["api-key", "database-password", "deleted-by-mistake", "no-tags"]
  Deleted secrets: ["gone"]
  Vault URL: https://dev.vault.azure.net
  Did you mean api-key?
secret database-passwd not found
  Available secrets: ["api-key", "database-password", "deleted-by-mistake", "no-tags"]
  Deleted secrets: ["gone"]
  Vault URL: https://dev.vault.azure.net
  Did you mean database-password?
"#;
    assert_eq!(world.prints("housekeeping", &[]), wanted);
    let (_, secret) = client.get("/secrets/api-key").await;
    let lifetime = secret["attributes"]["exp"].as_i64().unwrap() - secret["attributes"]["created"].as_i64().unwrap();
    assert!((lifetime - 90 * 86_400).abs() < 10, "{secret}");
    assert_eq!(
        (&secret["contentType"], &secret["tags"]["application"]),
        (&json!("application/password"), &json!("myapp"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_web_application_starts_with_its_secrets_and_not_without() {
    let world = World::new();
    let client = world.dev.client().await;
    client.set_secret("FLASK-SECRET-KEY", "key-4711").await;
    client.set_secret("DB-USERNAME", "user-4711").await;
    assert_eq!(refuses("web_config", &[], &world.environment), "secret DB-PASSWORD not found\n");
    client.set_secret("DB-PASSWORD", "password-4711").await;
    let errors = fs::File::create(world.folder.path().join("web.log")).unwrap();
    let mut command = example("web_config", &[], &world.environment);
    let mut child = command.stdout(Stdio::piped()).stderr(errors).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let url = line.trim().strip_prefix("Listening on ").unwrap_or_else(|| panic!("{line}")).to_owned();
    let page = until("it answers", || {
        let output = Command::new("curl").args(["-sS", "--noproxy", "*", &url]).output().unwrap();
        output.status.success().then(|| stdout(&output))
    });
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(page, "SECRET_KEY set, DB_USERNAME set, DB_PASSWORD set\n");
    let log = world.folder.path().join("web.log");
    assert_eq!(fs::read_to_string(log).unwrap(), "");
}
