//! `strongroom run`: programs with secrets in their environment.

use std::process::Command;

use crate::process::{Dev, mode, stderr, strongroom, text, variables};

/// What it takes to log in through the proxy.
const LOGIN: [&str; 6] =
    ["SSL_CERT_FILE", "HTTPS_PROXY", "AZURE_KEYVAULT_URL", "AZURE_TENANT_ID", "AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET"];

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
    let command = |verb: &str, arguments: &[&str], without: &[&str]| {
        let mut command: Command = strongroom();
        command.arg(verb).args(arguments);
        for name in LOGIN.iter().filter(|name| !without.contains(name)) {
            command.env(name, &known[*name]);
        }
        command.output().unwrap()
    };
    let run = |arguments: &[&str], without: &[&str]| command("run", arguments, without);
    let script = "printf '%s|%s|%s' \"$API_KEY\" \"$SMTP_PASSWORD\" \"$PLAIN_ONE\"; exit 7";
    let output = run(&["--org", "org-1", "--", "sh", "-c", script], &[]);
    assert_eq!(String::from_utf8_lossy(&output.stdout), "own|two\nlines|", "{}", stderr(&output));
    assert_eq!(output.status.code(), Some(7));
    let all = run(&["--", "sh", "-c", "printf '%s|%s|%s' \"$PLAIN_ONE\" \"$GLOBAL__API_KEY\" \"$MANY_29\""], &[]);
    assert_eq!(String::from_utf8_lossy(&all.stdout), "plain|of all|v", "{}", stderr(&all));

    // Files with references to the same secrets.
    let file = folder.path().join("template");
    let reference = "@Microsoft.KeyVault(SecretUri=https://dev.vault.azure.net/secrets/org-1--api-key)";
    std::fs::write(&file, format!("a=vault://plain-one\nb=\"{reference}\"\nc={reference},vault://plain-one.\n"))
        .unwrap();
    let render = |arguments: &[&str]| command("render", arguments, &[]);
    let rendered = render(&[text(&file)]);
    let wanted = "a=plain\nb=\"own\"\nc=own,plain.\n";
    assert_eq!(String::from_utf8_lossy(&rendered.stdout), wanted, "{}", stderr(&rendered));
    let output = folder.path().join("rendered");
    assert!(render(&[text(&file), "-o", text(&output)]).status.success());
    assert_eq!((std::fs::read_to_string(&output).unwrap().as_str(), mode(&output)), (wanted, 0o600));
    std::fs::write(&file, "x=vault://absent").unwrap();
    let refused = render(&[text(&file)]);
    assert!(!refused.status.success() && stderr(&refused).contains("vault://absent"), "{}", stderr(&refused));
    assert!(refused.stdout.is_empty(), "nothing half-made is printed");

    let refused = run(&["--", "no-such-program-anywhere"], &[]);
    assert!(stderr(&refused).contains("no-such-program-anywhere could not be started"), "{}", stderr(&refused));
    let refused = run(&["--", "true"], &["AZURE_KEYVAULT_URL"]);
    assert!(!refused.status.success() && stderr(&refused).contains("--env-from"), "{}", stderr(&refused));
    let refused = run(&["--env-from", "http://dev.vault.azure.net", "--", "true"], &[]);
    assert!(stderr(&refused).contains("https"), "{}", stderr(&refused));
}
