//! `strongroom config` and `strongroom config-store`, as they are used.

use std::collections::HashMap;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

use crate::process::{Dev, mode, private_file, stderr, strongroom, succeed, text, variables};

/// Runs `strongroom config` with the variables of a development server, those for the real Azure
/// names: `*.localhost` does not resolve everywhere.
struct Shell {
    dev: Dev,
    variables: HashMap<String, String>,
    folder: tempfile::TempDir,
}

impl Shell {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let dev = Dev::start(&folder.path().join("data"));
        let variables = variables(&dev.folder.join("strongroom-proxy.env"));
        Self { dev, variables, folder }
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = strongroom();
        command.arg("config").args(arguments);
        for name in ["SSL_CERT_FILE", "HTTPS_PROXY", "AZURE_APPCONFIG_CONNECTION_STRING"] {
            command.env(name, &self.variables[name]);
        }
        command
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    #[track_caller]
    fn ok(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert!(output.status.success(), "{arguments:?}: {}", stderr(&output));
        String::from_utf8(output.stdout).unwrap()
    }

    #[track_caller]
    fn refused(&self, arguments: &[&str], word: &str) {
        let output = self.run(arguments);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}");
        assert!(stderr(&output).contains(word), "{arguments:?}: {}", stderr(&output));
    }

    fn file(&self, name: &str, content: &str) -> String {
        let path = self.folder.path().join(name);
        fs::write(&path, content).unwrap();
        text(&path).to_owned()
    }
}

#[test]
fn settings_are_set_read_locked_and_deleted() {
    let shell = Shell::start();
    shell.ok(&["set", "app/name", "shop", "--label", "prod", "--tag", "team=a"]);
    shell.ok(&["set", "app/name", "--value-file", &shell.file("value", "from a file")]);
    assert_eq!(shell.ok(&["get", "app/name"]), "from a file\n");
    assert_eq!(shell.ok(&["get", "app/name", "--label", "prod"]), "shop\n");
    shell.refused(&["set", "app/name", "x", "--if-absent"], "already");
    shell.refused(&["get", "nothing"], "there is no nothing with no label");
    let all: Value = serde_json::from_str(&shell.ok(&["list", "--key", "app/*", "-o", "json"])).unwrap();
    assert_eq!((all[0]["label"].clone(), all[1]["tags"]["team"].clone()), (Value::Null, "a".into()));
    assert_eq!(shell.ok(&["list", "--label", "", "-o", "tsv"]).lines().count(), 1);
    shell.ok(&["lock", "app/name"]);
    shell.refused(&["set", "app/name", "x"], "unlock it first");
    shell.ok(&["unlock", "app/name"]);
    shell.ok(&["delete", "app/name"]);
    shell.refused(&["get", "app/name"], "there is no");
    shell.ok(&["set", "db", "--secret-uri", "https://dev.vault.azure.net/secrets/db"]);
    assert_eq!(shell.ok(&["get", "db"]), "{\"uri\":\"https://dev.vault.azure.net/secrets/db\"}\n");
}

#[test]
fn files_are_imported_compared_and_exported_again() {
    let shell = Shell::start();
    let yaml = shell.file(
        "app.yaml",
        "app:\n  name: shop\n  port: 8080\n  hosts: [a, b]\ndb: '@Microsoft.KeyVault(SecretUri=https://v/secrets/s)'\n\
         feature_management:\n  feature_flags:\n    - {id: Beta, enabled: true}\n",
    );
    let label = ["--label", "prod"];
    let import = |more: &[&str]| shell.ok(&[&["import", &yaml], &label[..], more].concat());
    assert!(import(&["--dry-run"]).contains("6 would be set, 0 deleted, 0 are the same"));
    assert!(shell.ok(&["list"]).lines().count() == 1, "a dry run writes nothing");
    assert_eq!(import(&[]), "6 set, 0 deleted, 0 were the same\n");
    assert_eq!(import(&[]), "0 set, 0 deleted, 6 were the same\n");
    let diff = |file: &str| {
        let output = shell.run(&[&["diff", file], &label[..]].concat());
        (output.status.code(), String::from_utf8(output.stdout).unwrap())
    };
    assert_eq!(diff(&yaml), (Some(0), String::new()));

    for (name, more) in
        [("out.json", &["--separator", ":"][..]), ("flat.json", &[]), ("out.yml", &["--separator", ":"])]
    {
        let file = shell.folder.path().join(name);
        shell.ok(&[&["export", text(&file)], &label[..], more].concat());
        assert_eq!(mode(&file), 0o600);
        assert_eq!(diff(text(&file)), (Some(0), String::new()), "{name}");
    }
    let properties = shell.ok(&["export", "-", "--format", "properties", "--label", "prod"]);
    assert!(properties.contains("app\\:port=8080\n") && !properties.contains("Beta"), "{properties}");
    let env = shell.ok(&["export", "-", "--format", "env", "--label", "prod", "--prefix", "app:"]);
    assert!(env.contains("port=8080\n") && env.contains("hosts__0=a\n"), "{env}");

    shell.ok(&["set", "app:port", "9090", "--label", "prod"]);
    shell.ok(&["set", "extra", "x", "--label", "prod"]);
    let (code, told) = diff(&yaml);
    assert_eq!((code, told.as_str()), (Some(2), "~ app:port = 9090 -> 8080\n- extra = x\n"));
    assert_eq!(import(&["--strict"]), "1 set, 1 deleted, 5 were the same\n");
    assert_eq!(diff(&yaml).0, Some(0));
    shell.refused(&["import", &shell.file("bad.json", "{\"secret\": \"hush\"")], "line 1");
    let output = shell.run(&["import", &shell.file("bad.yaml", "a: [hush")]);
    assert!(output.status.code() == Some(1) && !stderr(&output).contains("hush"), "{}", stderr(&output));
    shell.refused(&["import", &shell.file("unknown", "")], "--format");
}

#[test]
fn flags_are_switched_and_keep_their_conditions() {
    let shell = Shell::start();
    shell.ok(&["feature", "on", "Beta"]);
    assert_eq!(shell.ok(&["feature", "list", "-o", "tsv"]).split('\t').nth(2), Some("true"));
    let key = ".appconfig.featureflag/Beta";
    let conditions = r#"{"client_filters":[{"name":"Microsoft.Percentage","parameters":{"Value":50}}]}"#;
    let flag = format!("{{\"id\":\"Beta\",\"enabled\":false,\"conditions\":{conditions}}}");
    let content_type = "application/vnd.microsoft.appconfig.ff+json;charset=utf-8";
    shell.ok(&["set", key, &flag, "--content-type", content_type]);
    shell.ok(&["feature", "on", "Beta"]);
    let after: Value = serde_json::from_str(&shell.ok(&["get", key])).unwrap();
    let conditions: Value = serde_json::from_str(conditions).unwrap();
    assert_eq!((after["enabled"].clone(), after["conditions"].clone()), (true.into(), conditions));
    shell.ok(&["feature", "off", "Beta"]);
    assert!(shell.ok(&["feature", "list"]).contains("Microsoft.Percentage"));
}

#[test]
fn a_store_is_named_by_variable_file_or_endpoint_and_no_secret_is_shown() {
    let shell = Shell::start();
    shell.ok(&["set", "k", "v"]);
    let connection = shell.variables["AZURE_APPCONFIG_CONNECTION_STRING"].clone();
    let file = shell.folder.path().join("connection");
    private_file(&file, connection.as_bytes());
    let mut from_file = shell.command(&["get", "k", "--connection-string-file", text(&file)]);
    let from_file = from_file.env_remove("AZURE_APPCONFIG_CONNECTION_STRING").output().unwrap();
    assert_eq!(String::from_utf8(from_file.stdout).unwrap(), "v\n");

    let mut by_token = shell.command(&["get", "k", "--endpoint", &shell.variables["AZURE_APPCONFIG_ENDPOINT"]]);
    for name in ["AZURE_TENANT_ID", "AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET"] {
        by_token.env(name, &shell.variables[name]);
    }
    let by_token = by_token.output().unwrap();
    assert_eq!(String::from_utf8(by_token.stdout.clone()).unwrap(), "v\n", "{}", stderr(&by_token));

    let mut nowhere = shell.command(&["list"]);
    let nowhere = nowhere.env_remove("AZURE_APPCONFIG_CONNECTION_STRING").output().unwrap();
    assert!(stderr(&nowhere).contains("AZURE_APPCONFIG_CONNECTION_STRING"), "{}", stderr(&nowhere));
    let secret = connection.split("Secret=").nth(1).unwrap();
    let wrong = connection.replace(secret, "aHVzaC1odXNo");
    let refused = shell.command(&["list"]).env("AZURE_APPCONFIG_CONNECTION_STRING", wrong).output().unwrap();
    assert!(stderr(&refused).contains("Invalid Signature") && !stderr(&refused).contains("aHVzaC1odXNo"));
    let read_only = &shell.variables["AZURE_APPCONFIG_READONLY_CONNECTION_STRING"];
    let refused = shell.command(&["set", "k", "x"]).env("AZURE_APPCONFIG_CONNECTION_STRING", read_only).output();
    assert!(stderr(&refused.unwrap()).contains("read-only access key"));
}

#[test]
fn stores_are_made_deleted_recovered_and_purged() {
    let shell = Shell::start();
    let data = shell.dev.folder.clone();
    let store = |arguments: &[&str]| succeed(&[&["config-store"], arguments, &["--data", text(&data)]].concat());
    assert!(store(&["create", "shop", "--tier", "free"]).contains("https://shop.azconfig.localhost"));
    let keys = store(&["keys", "shop"]);
    let of = |keys: &str, name: &str| {
        let line = keys.lines().find(|line| line.starts_with(name)).unwrap().to_owned();
        // The names that the command prints are the direct ones.
        let direct = line.rsplit_once("  ").unwrap().1;
        let (_, rest) = direct.split_once(";Id=").unwrap();
        format!("Endpoint=https://shop.azconfig.io;Id={rest}")
    };
    let (primary, secondary) = (of(&keys, "Primary  "), of(&keys, "Secondary  "));
    let get = |connection: &str| {
        let output = shell.command(&["list"]).env("AZURE_APPCONFIG_CONNECTION_STRING", connection).output().unwrap();
        (output.status.success(), stderr(&output))
    };
    assert!(get(&primary).0 && get(&secondary).0);
    let renewed = store(&["regenerate-key", "shop", "primary"]);
    assert!(!get(&primary).0 && get(&secondary).0 && get(&of(&renewed, "Primary  ")).0);
    store(&["set", "shop", "--local-auth", "false"]);
    assert!(get(&secondary).1.contains("Authentication scheme disabled"), "{:?}", get(&secondary));
    store(&["set", "shop", "--local-auth", "true"]);
    store(&["delete", "shop"]);
    assert!(get(&secondary).1.contains("Invalid Credential"));
    refuse(&data, &["create", "shop"], "recover it, or purge it first");
    store(&["recover", "shop"]);
    assert!(get(&secondary).0);
    refuse(&data, &["purge", "shop"], "is not deleted");
    store(&["delete", "shop"]);
    assert!(!store(&["purge", "shop"]).contains("shop"));
    refuse(&data, &["keys", "shop"], "There is no configuration store shop");
    refuse(&data, &["create", "x"], "3 to 50");
}

#[track_caller]
fn refuse(data: &Path, arguments: &[&str], word: &str) {
    crate::process::fail(&[&["config-store"], arguments, &["--data", text(data)]].concat(), &[word]);
}
