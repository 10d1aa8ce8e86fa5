//! `strongroom migrate`, from a running server into a folder and on.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

use crate::process::{Dev, mode, stderr, strongroom, variables};

fn folder_uri(folder: &Path, name: &str) -> String {
    let passphrase = folder.join("passphrase");
    std::fs::write(&passphrase, "of tests\n").unwrap();
    format!("file:{}?passphrase-file={}", folder.join(name).display(), passphrase.display())
}

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vault_goes_from_a_server_to_a_folder_and_to_another() {
    let folder = tempfile::tempdir().unwrap();
    let dev = Dev::start(&folder.path().join("data"));
    let client = dev.client().await;
    for value in ["canary-one", "canary-two"] {
        client.set_secret("api-key", value).await;
    }
    client.set_secret("other", "canary-three").await;
    let known = variables(&dev.folder.join("strongroom-proxy.env"));
    let migrate = |verb: &str, from: &str, to: &str, more: &[&str]| {
        let mut command: Command = strongroom();
        command.args(["migrate", verb, "--from", from, "--to", to]).args(more);
        for name in ["SSL_CERT_FILE", "HTTPS_PROXY", "AZURE_TENANT_ID", "AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET"] {
            command.env(name, &known[name]);
        }
        command.output().unwrap()
    };
    let (server, one, two) =
        (known["AZURE_KEYVAULT_URL"].as_str(), folder_uri(folder.path(), "one"), folder_uri(folder.path(), "two"));

    let plan = migrate("plan", server, &one, &["--output", "json"]);
    assert!(plan.status.success(), "{}", stderr(&plan));
    let rows: Value = serde_json::from_str(&stdout(&plan)).unwrap();
    assert_eq!((rows[0]["name"].as_str(), rows[0]["action"].as_str()), (Some("api-key"), Some("copy")));
    assert_eq!((rows[0]["versions"].as_u64(), rows.as_array().unwrap().len()), (Some(2), 2));
    assert_eq!(migrate("verify", server, &one, &[]).status.code(), Some(2));

    let run = migrate("run", server, &one, &["--kind", "secrets", "--output", "json"]);
    assert!(run.status.success(), "{}", stderr(&run));
    let counts: Value = serde_json::from_str(&stdout(&run)).unwrap();
    assert_eq!((counts["copied"].as_u64(), counts["failed"].as_u64()), (Some(2), Some(0)));
    assert!(stderr(&run).contains("secret api-key: copied"), "{}", stderr(&run));
    assert_eq!(mode(&folder.path().join("one")), 0o700);
    let verified = migrate("verify", server, &one, &[]);
    assert!(verified.status.success() && stdout(&verified).contains("same"), "{}", stdout(&verified));
    let again = migrate("run", server, &one, &[]);
    assert!(again.status.success() && stdout(&again).contains("present: 2"), "{}", stdout(&again));

    let run = migrate("run", &one, &two, &["--name", "api-*", "--delete-source"]);
    assert!(run.status.success() && stdout(&run).contains("deleted: 1"), "{}{}", stdout(&run), stderr(&run));
    let left = migrate("plan", &one, &two, &[]);
    assert!(!stdout(&left).contains("api-key") && stdout(&left).contains("other"), "{}", stdout(&left));
    for output in [&plan, &run, &again, &verified] {
        assert!(!stdout(output).contains("canary") && !stderr(output).contains("canary"), "no value is printed");
    }
    let refused = migrate("plan", &one, &one, &[]);
    assert!(refused.status.code() == Some(1) && stderr(&refused).contains("the same vault"), "{}", stderr(&refused));
}
