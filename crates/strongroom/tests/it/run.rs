//! `strongroom run`: programs with secrets in their environment.

use std::process::Command;

use crate::process::{Dev, stderr, strongroom, variables};

#[tokio::test(flavor = "multi_thread")]
async fn a_program_has_the_secrets_of_a_vault_and_its_own_exit_code() {
    let folder = tempfile::tempdir().unwrap();
    let dev = Dev::start(&folder.path().join("data"));
    let client = dev.client().await;
    for (name, value) in [
        ("GLOBAL--api-key", "of all"),
        ("org-1--api-key", "own"),
        ("GLOBAL--smtp-password", "two\nlines"),
        ("plain-one", "plain"),
    ] {
        client.set_secret(name, value).await;
    }
    // More than a page of them.
    for number in 0..30 {
        client.set_secret(&format!("many-{number}"), "v").await;
    }
    let known = variables(&dev.folder.join("strongroom-proxy.env"));
    let run = |arguments: &[&str], without: &[&str]| {
        let mut command: Command = strongroom();
        command.arg("run").args(arguments);
        for name in [
            "SSL_CERT_FILE",
            "HTTPS_PROXY",
            "AZURE_KEYVAULT_URL",
            "AZURE_TENANT_ID",
            "AZURE_CLIENT_ID",
            "AZURE_CLIENT_SECRET",
        ] {
            command.env(name, &known[name]);
        }
        for name in without {
            command.env_remove(name);
        }
        command.output().unwrap()
    };
    let script = "printf '%s|%s|%s' \"$API_KEY\" \"$SMTP_PASSWORD\" \"$PLAIN_ONE\"; exit 7";
    let output = run(&["--org", "org-1", "--", "sh", "-c", script], &[]);
    assert_eq!(String::from_utf8_lossy(&output.stdout), "own|two\nlines|", "{}", stderr(&output));
    assert_eq!(output.status.code(), Some(7));
    let all = run(&["--", "sh", "-c", "printf '%s|%s|%s' \"$PLAIN_ONE\" \"$GLOBAL__API_KEY\" \"$MANY_29\""], &[]);
    assert_eq!(String::from_utf8_lossy(&all.stdout), "plain|of all|v", "{}", stderr(&all));

    let refused = run(&["--", "no-such-program-anywhere"], &[]);
    assert!(stderr(&refused).contains("no-such-program-anywhere could not be started"), "{}", stderr(&refused));
    let refused = run(&["--", "true"], &["AZURE_KEYVAULT_URL"]);
    assert!(!refused.status.success() && stderr(&refused).contains("--env-from"), "{}", stderr(&refused));
    let refused = run(&["--env-from", "http://dev.vault.azure.net", "--", "true"], &[]);
    assert!(stderr(&refused).contains("https"), "{}", stderr(&refused));
}
