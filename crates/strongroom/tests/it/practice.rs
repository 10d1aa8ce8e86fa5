//! `strongroom compliance`, `lint`, `versions`, `cost`.

use std::collections::HashMap;
use std::process::Output;

use crate::process::{Dev, stderr, strongroom, text, variables};

fn run(arguments: &[&str], login: &HashMap<String, String>) -> Output {
    let mut command = strongroom();
    command.args(arguments);
    for name in ["SSL_CERT_FILE", "HTTPS_PROXY", "AZURE_TENANT_ID", "AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET"] {
        command.envs(login.get(name).map(|value| (name, value)));
    }
    command.output().unwrap()
}

fn printed(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vault_is_checked_and_its_old_versions_are_disabled() {
    let folder = tempfile::tempdir().unwrap();
    let dev = Dev::start(&folder.path().join("data"));
    let client = dev.client().await;
    for value in ["one", "two", "three"] {
        client.set_secret("often", value).await;
        // Versions of one second are not told apart.
        tokio::time::sleep(std::time::Duration::from_millis(1100)).await;
    }
    let login = variables(&dev.folder.join("strongroom-proxy.env")).into_iter().collect();
    let vault = "https://dev.vault.azure.net";
    let check = |versions: &str| {
        run(&["compliance", "check", "--vault", vault, "--versions", versions, "--output", "tsv"], &login)
    };
    let found = check("2");
    assert_eq!(found.status.code(), Some(9), "{}", stderr(&found));
    for practice in ["purge-protection", "tags", "few-versions"] {
        assert!(printed(&found).contains(practice), "{}", printed(&found));
    }
    let prune =
        |more: &[&str]| run(&[&["versions", "prune", "often", "--keep", "1", "--vault", vault], more].concat(), &login);
    let dry = prune(&["--dry-run"]);
    assert_eq!(
        printed(&dry).lines().filter(|line| line.starts_with("would disable often ")).count(),
        2,
        "{}",
        stderr(&dry)
    );
    assert_eq!(printed(&prune(&[])).lines().count(), 2);
    assert_eq!(printed(&prune(&[])), "", "there is nothing left to disable");
    assert_eq!(client.secret("often").await.as_deref(), Some("three"), "the newest stays");
    assert!(!printed(&check("2")).contains("few-versions"));
}

#[test]
fn secrets_in_settings_are_found_by_line_and_not_shown() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("appsettings.json");
    std::fs::write(&file, "{\n  \"ClientId\": \"app\",\n  \"ClientSecret\": \"canary-4711\"\n}\n").unwrap();
    let found = run(&["lint", "config", text(&file)], &HashMap::new());
    assert_eq!(found.status.code(), Some(9), "{}", stderr(&found));
    assert!(printed(&found).contains("line 3: ClientSecret"), "{}", printed(&found));
    assert!(!printed(&found).contains("canary"));
    std::fs::write(&file, "{\n  \"ClientSecret\": \"vault://client-secret\"\n}\n").unwrap();
    let clean = run(&["lint", "config", text(&file)], &HashMap::new());
    assert_eq!((clean.status.code(), printed(&clean).as_str()), (Some(0), "nothing to do\n"));
}

#[test]
fn costs_are_what_the_price_list_says() {
    let total = |arguments: &[&str]| {
        let output = run(
            &[&["cost", "estimate", "--keys", "10", "--operations", "100000"], arguments].concat(),
            &HashMap::new(),
        );
        printed(&output).lines().find(|line| line.starts_with("total")).map(str::to_owned)
    };
    assert_eq!(total(&[]).as_deref(), Some("total: $0.30"));
    assert_eq!(total(&["--hsm"]).as_deref(), Some("total: $20.00"));
}
