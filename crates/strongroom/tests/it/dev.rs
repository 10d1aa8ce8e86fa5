//! `strongroom dev` and the commands around it.

use std::collections::HashMap;
use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::process::{Dev, fail, mode, run, strongroom, succeed, text, variables};

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_keeps_everything() {
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join("data");
    let first = Dev::start(&folder);
    first.client().await.set_secret("kept", "value").await;
    let (ids, authority) = (first.variables.clone(), fs::read(folder.join("ca.pem")).unwrap());
    let second = first.restart();
    for name in ["AZURE_TENANT_ID", "AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET", "STRONGROOM_OBJECT_ID"] {
        assert_eq!(second.variables[name], ids[name], "{name}");
    }
    assert_eq!(fs::read(folder.join("ca.pem")).unwrap(), authority);
    assert_eq!(second.client().await.secret("kept").await.as_deref(), Some("value"));
    for file in ["strongroom.db", "strongroom.env", "strongroom-proxy.env", "root.key", "strongroom.sock"] {
        assert_eq!(mode(&folder.join(file)) & 0o077, 0, "{file}");
    }
    assert_eq!(mode(&folder), 0o700);
}

#[tokio::test(flavor = "multi_thread")]
async fn reset_starts_anew_and_leaves_strange_files_alone() {
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join("data");
    let first = Dev::start(&folder);
    first.client().await.set_secret("gone", "value").await;
    let tenant = first.variables["AZURE_TENANT_ID"].clone();
    let arguments = ["dev", "--port", "0", "--reset", "--data", text(&folder)];
    fail(&arguments, &["in use"]);
    assert_eq!(first.client().await.secret("gone").await.as_deref(), Some("value"));
    assert!(first.process.stop().success());
    fs::write(folder.join("notes.txt"), "mine").unwrap();
    // Not a development server's: nothing is removed.
    fs::rename(folder.join("truststore.p12"), parent.path().join("p12")).unwrap();
    fail(&arguments, &["not made by `strongroom dev`"]);
    fs::rename(parent.path().join("p12"), folder.join("truststore.p12")).unwrap();
    let second = Dev::start_with(&folder, &["--reset"]);
    assert_ne!(second.variables["AZURE_TENANT_ID"], tenant);
    assert_eq!(second.client().await.secret("gone").await, None);
    assert_eq!(fs::read_to_string(folder.join("notes.txt")).unwrap(), "mine");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_domain_a_vault_and_an_environment_file_of_ones_own() {
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join("data");
    let file = parent.path().join("my.env");
    let arguments = ["--domain", "vaults.test", "--vault", "early", "--env-file", text(&file)];
    let mut command = strongroom();
    command.args(["dev", "--port", "0", "--data", text(&folder)]).args(arguments);
    let process = crate::process::Running::start(command, &folder.with_extension("log"), "Stop with Ctrl-C");
    let variables = variables(&file);
    assert!(variables["AZURE_KEYVAULT_URL"].starts_with("https://dev.vault.vaults.test:"));
    assert!(!folder.join("strongroom.env").exists());
    let client = crate::client::dev_client(&variables).await;
    client.at("early").set_secret("a", "1").await;
    let vaults = succeed(&["vault", "list", "--data", text(&folder)]);
    assert!(vaults.contains("early") && vaults.contains("dev"), "{vaults}");
    assert!(process.stop().success());
}

#[test]
fn a_program_runs_in_the_proxy_environment_and_its_exit_code_counts() {
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join("data");
    let script = "test -n \"$HTTPS_PROXY$AZURE_CLIENT_SECRET\" && printf %s \"$AZURE_KEYVAULT_URL\" && \
                  test -z \"$https_proxy$NO_PROXY\" && exit 7";
    let output = strongroom()
        .args(["dev", "--port", "0", "--data", text(&folder), "--", "sh", "-c", script])
        .env("https_proxy", "http://127.0.0.1:9")
        .env("NO_PROXY", "*")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(7), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.stdout, b"https://dev.vault.azure.net", "nothing but the program writes to its output");
    fail(&["dev", "--port", "0", "--data", text(&folder), "--", "no-such-program"], &["no-such-program"]);
}

/// The whole way in by proxy, by a program that knows nothing but the variables.
#[test]
fn curl_reaches_the_vault_by_its_azure_name() {
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join("data");
    let script = r#"
        set -e
        form="grant_type=client_credentials&client_id=$AZURE_CLIENT_ID"
        form="$form&scope=https%3A%2F%2Fvault.azure.net%2F.default"
        token=$(curl -sS --fail -d "$form" --data-urlencode "client_secret=$AZURE_CLIENT_SECRET" \
            "https://login.microsoftonline.com/$AZURE_TENANT_ID/oauth2/v2.0/token" |
            sed 's/.*"access_token":"\([^"]*\)".*/\1/')
        url="https://some-vault.vault.azure.net/secrets/s?api-version=7.4"
        curl -sS --fail -o /dev/null -X PUT -H "Authorization: Bearer $token" -H "Content-Type: application/json" \
            -d '{"value":"by proxy"}' "$url"
        curl -sS --fail -H "Authorization: Bearer $token" "$url"
        test "$(curl -sS -o /dev/null -w '%{http_connect}' https://example.invalid/ || true)" = 403
    "#;
    let isolated = ["dev", "--isolated", "--port", "0", "--data", text(&folder), "--", "sh", "-c", script];
    let answer = succeed(&isolated);
    assert!(answer.contains(r#""value":"by proxy""#), "{answer}");
    assert!(answer.contains("https://some-vault.vault.azure.net/secrets/s/"), "{answer}");
}

#[test]
fn the_variables_are_printed_for_each_shell() {
    let parent = tempfile::tempdir().unwrap();
    // A space, so that quoting matters.
    let folder = parent.path().join("my data");
    let server = Dev::start(&folder);
    let secret = &server.variables["AZURE_CLIENT_SECRET"];
    let print = |shell, more: &[&str]| succeed(&[&["env", "--data", text(&folder), "--shell", shell], more].concat());
    let bash = print("bash", &[]);
    let script = format!("{bash}\nprintf '%s\\n%s' \"$AZURE_CLIENT_SECRET\" \"$STRONGROOM_CA_FILE\"");
    let output = Command::new("sh").args(["-c", &script]).output().unwrap();
    let seen = String::from_utf8(output.stdout).unwrap();
    assert_eq!(seen, format!("{secret}\n{}", folder.join("ca.pem").display()));
    assert!(print("fish", &[]).contains(&format!("set -gx AZURE_CLIENT_SECRET '{secret}'")));
    assert!(print("powershell", &[]).contains(&format!("$env:AZURE_CLIENT_SECRET = '{secret}'")));
    assert!(print("dotenv", &[]).lines().all(|line| !line.starts_with("export")));
    let proxied = print("dotenv", &["--proxy"]);
    assert!(proxied.contains("HTTPS_PROXY=http://127.0.0.1:") && !proxied.contains("AZURE_AUTHORITY_HOST"));
    fail(&["env", "--data", text(&parent.path().join("none"))], &["strongroom dev"]);
}

/// Every variable that is promised, and bundles that hold more than our own authority.
#[test]
fn the_environment_files_are_complete() {
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join("data");
    let server = Dev::start(&folder);
    let both = [
        "AZURE_TENANT_ID",
        "AZURE_CLIENT_ID",
        "AZURE_CLIENT_SECRET",
        "AZURE_KEYVAULT_URL",
        "AZURE_APPCONFIG_ENDPOINT",
        "AZURE_APPCONFIG_CONNECTION_STRING",
        "AZURE_APPCONFIG_READONLY_CONNECTION_STRING",
        "AZURE_SUBSCRIPTION_ID",
        "REQUESTS_CA_BUNDLE",
        "SSL_CERT_FILE",
        "NODE_EXTRA_CA_CERTS",
        "CURL_CA_BUNDLE",
        "STRONGROOM_CA_FILE",
        "STRONGROOM_OBJECT_ID",
        "STRONGROOM_DOMAIN",
    ];
    let proxied = variables(&folder.join("strongroom-proxy.env"));
    for name in both {
        assert!(!server.variables[name].is_empty() && !proxied[name].is_empty(), "{name}");
    }
    let java = |variables: &HashMap<String, String>| variables["JAVA_TOOL_OPTIONS"].clone();
    assert!(java(&server.variables).contains("truststore.p12") && !java(&server.variables).contains("Proxies"));
    assert!(java(&proxied).contains("useSystemProxies=true"));
    assert!(server.variables.contains_key("AZURE_AUTHORITY_HOST") && !server.variables.contains_key("HTTPS_PROXY"));
    assert!(proxied.contains_key("HTTPS_PROXY") && proxied.contains_key("HTTP_PROXY"));
    assert!(!proxied.contains_key("AZURE_AUTHORITY_HOST"));
    assert_eq!(proxied["AZURE_KEYVAULT_URL"].trim_end_matches('/'), "https://dev.vault.azure.net");
    assert_eq!(proxied["AZURE_APPCONFIG_ENDPOINT"], "https://dev.azconfig.io");
    let connection = &proxied["AZURE_APPCONFIG_CONNECTION_STRING"];
    assert!(connection.starts_with("Endpoint=https://dev.azconfig.io;Id=") && connection.contains(";Secret="));
    let roots = |file: &str| fs::read_to_string(file).unwrap().matches("BEGIN CERTIFICATE").count();
    assert_eq!(roots(&proxied["NODE_EXTRA_CA_CERTS"]), 1);
    assert!(roots(&proxied["SSL_CERT_FILE"]) > 50, "the system's roots are missing");
    assert!(folder.join("truststore.p12").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_clock_moves_and_what_is_due_happens() {
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join("data");
    let server = Dev::start(&folder);
    let client = server.client().await;
    client.set_secret("purged", "value").await;
    assert_eq!(client.call(reqwest::Method::DELETE, "/secrets/purged", json!(null)).await.0, 200);
    assert_eq!(client.post("/keys/turning/create", json!({ "kty": "EC" })).await.0, 200);
    let policy = json!({ "lifetimeActions": [
        { "trigger": { "timeAfterCreate": "P90D" }, "action": { "type": "Rotate" } }] });
    let put = client.call(reqwest::Method::PUT, "/keys/turning/rotationpolicy", policy).await;
    assert_eq!(put.0, 200, "{}", put.1);
    succeed(&["clock", "advance", "91d", "--data", text(&folder)]);
    // The tokens of before expire with it, and their signing key too: logging in goes on.
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        let client = server.client().await;
        // The clock may move between logging in and asking: then the token is refused, and the next is not.
        let (_, page) = client.get("/keys/turning/versions").await;
        let versions = page["value"].as_array().map_or(0, Vec::len);
        let (deleted, _) = client.get("/deletedsecrets/purged").await;
        if (versions, deleted) == (2, 404) {
            break;
        }
        assert!(Instant::now() < deadline, "{versions} versions, {deleted}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    fail(&["clock", "advance", "soon", "--data", text(&folder)], &["90d"]);
    succeed(&["clock", "reset", "--data", text(&folder)]);
}

#[test]
fn names_for_machines_that_do_not_resolve_localhost() {
    let parent = tempfile::tempdir().unwrap();
    let file = parent.path().join("hosts");
    fs::write(&file, "127.0.0.1 localhost\n").unwrap();
    let lines = succeed(&["hosts", "print", "dev.vault.localhost", "login.localhost"]);
    assert!(lines.contains("127.0.0.1") && lines.contains("dev.vault.localhost"), "{lines}");
    let install = ["hosts", "install", "dev.vault.localhost", "--file", text(&file)];
    succeed(&install);
    let once = fs::read_to_string(&file).unwrap();
    assert!(once.starts_with("127.0.0.1 localhost\n") && once.contains("dev.vault.localhost"), "{once}");
    succeed(&install);
    assert_eq!(fs::read_to_string(&file).unwrap(), once, "twice is as once");
    fail(&["hosts", "print", "not a name"], &["not a name"]);
}

#[test]
fn help_says_what_there_is() {
    let help = succeed(&["--help"]);
    for verb in ["dev", "serve", "init", "config", "env", "vault", "role", "application", "seal", "check"] {
        assert!(help.contains(verb), "{verb}");
        assert!(succeed(&[verb, "--help"]).contains("Usage:"));
    }
    assert!(succeed(&["--version"]).starts_with("strongroom "));
    assert_eq!(run(&["devv"]).status.code(), Some(2));
    assert_eq!(run(&["dev", "--prot", "1"]).status.code(), Some(2));
}
