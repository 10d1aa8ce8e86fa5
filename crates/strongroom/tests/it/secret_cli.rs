//! `strongroom secret`, as it is used.

use std::io::{Read as _, Write as _};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::process::{mode, stderr, strongroom, succeed, text};
use crate::vaults::{Shell, refusal};

#[test]
fn a_value_comes_back_byte_for_byte_from_files_and_standard_input() {
    let shell = Shell::start();
    let value = "line one\nline two é\n";
    shell.ok(&["secret", "set", "from-file", "--file", &shell.file("value", value.as_bytes())]);
    assert_eq!(shell.ok(&["secret", "get", "from-file"]), value, "no line break is added or lost");
    shell.set("from-stdin", "piped");
    assert_eq!(shell.ok(&["secret", "get", "from-stdin"]), "piped");
    shell.fed(b"dashed\r\n", &["secret", "set", "from-stdin", "--file", "-", "--trim"]);
    assert_eq!(shell.ok(&["secret", "get", "from-stdin"]), "dashed");
    let out = shell.path("out");
    assert!(shell.ok(&["secret", "get", "from-file", "--out", text(&out)]).is_empty());
    assert_eq!((std::fs::read_to_string(&out).unwrap().as_str(), mode(&out)), (value, 0o600));
    refusal(&shell.fed(b"\xff\xfe", &["secret", "set", "binary"]), 2, "not UTF-8");
    shell.refused(1, &["secret", "set", "x", "--file", "/no/such/file"], "/no/such/file");
    shell.refused(2, &["secret", "set", "not_legal", "--file", &shell.file("v", b"v")], "hyphen");
}

#[test]
fn a_value_on_the_command_line_is_refused_and_not_repeated() {
    for arguments in [
        &["secret", "set", "x", "--value", "canary-on-the-line"][..],
        &["secret", "set", "x", "--value=canary-on-the-line"],
        &["secret", "set", "x", "canary-on-the-line"],
        &["secret", "set", "x", "canary-on-the-line", "more"],
        &["secret", "set", "x", "--vaule", "canary-on-the-line"],
        &["secret", "set", "x", "--vaule=canary-on-the-line", "--trim"],
    ] {
        let output = strongroom().args(arguments).output().unwrap();
        refusal(&output, 2, "--file FILE");
        assert!(!stderr(&output).contains("canary"), "{}", stderr(&output));
    }
}

#[test]
fn attributes_are_set_shown_and_changed() {
    let shell = Shell::start();
    let set = [
        "secret",
        "set",
        "a",
        "--content-type",
        "text/plain",
        "--tag",
        "team=a",
        "--tag",
        "env=x=y",
        "--expires",
        "+90d",
        "--not-before",
        "2026-01-01",
        "--disabled",
    ];
    let set = shell.fed(b"v", &[&set[..], &["-o", "json"]].concat());
    assert!(set.status.success(), "{}", stderr(&set));
    assert!(!String::from_utf8_lossy(&set.stdout).contains("\"value\""));
    shell.refused(5, &["secret", "get", "a"], "disabled");
    shell.ok(&["secret", "update", "a", "--enabled", "--expires", "2030-01-31T00:00:00Z", "--content-type", "x/y"]);
    let shown = shell.json(&["secret", "show", "a"]);
    assert_eq!(shown["not_before"], "2026-01-01T00:00:00Z");
    assert_eq!(shown["expires"], "2030-01-31T00:00:00Z");
    assert_eq!((&shown["enabled"], &shown["content_type"]), (&Value::Bool(true), &Value::from("x/y")));
    assert_eq!((shown["tags"]["team"].as_str(), shown["tags"]["env"].as_str()), (Some("a"), Some("x=y")));
    assert!(shown.get("value").is_none(), "show shows no value");
    assert_eq!(shell.json(&["secret", "get", "a"])["value"], "v");
    shell.refused(2, &["secret", "update", "a", "--expires", "tomorrow"], "2027-01-31");
    shell.refused(2, &["secret", "update", "a", "--tag", "nothing"], "name=value");
    shell.refused(2, &["secret", "update", "a", "--enabled", "--disabled"], "--disabled");
}

#[test]
fn lists_have_three_forms_and_all_pages() {
    let shell = Shell::start();
    for number in 0..30 {
        shell.set(&format!("name-{number:02}"), "v");
    }
    let tsv = shell.ok(&["secret", "list", "-o", "tsv"]);
    assert_eq!(tsv.lines().count(), 30);
    assert_eq!(tsv.lines().next().unwrap().split('\t').take(2).collect::<Vec<_>>(), ["name-00", "true"]);
    let table = shell.ok(&["secret", "list"]);
    assert!(table.starts_with("name ") && table.lines().count() == 31, "{table}");
    let all = shell.json(&["secret", "list"]);
    assert_eq!((all.as_array().unwrap().len(), &all[29]["name"]), (30, &Value::from("name-29")));
    let row = shell.ok(&["secret", "get", "name-00", "-o", "tsv"]);
    assert_eq!(row.trim_end().split('\t').next_back(), Some("v"));
    assert!(shell.ok(&["secret", "get", "name-00", "-o", "table"]).contains("value"));
}

#[test]
fn versions_are_listed_and_read_each() {
    let shell = Shell::start();
    for value in ["one", "two", "three"] {
        shell.set("v", value);
    }
    let versions = shell.json(&["secret", "versions", "v"]);
    let version = |at: usize| versions[at]["version"].as_str().unwrap().to_owned();
    assert_eq!(versions.as_array().unwrap().len(), 3);
    assert_eq!(shell.ok(&["secret", "get", "v", "--version", &version(0)]), "one");
    assert_eq!(shell.ok(&["secret", "get", "v"]), "three");
    shell.ok(&["secret", "update", "v", "--version", &version(1), "--tag", "which=second"]);
    assert_eq!(shell.json(&["secret", "show", "v", "--version", &version(1)])["tags"]["which"], "second");
    shell.refused(2, &["secret", "get", "v", "--version", "1"], "32 hexadecimal");
    shell.refused(3, &["secret", "get", "v", "--version", &"0".repeat(32)], "not found");
    shell.refused(3, &["secret", "versions", "none"], "not found");
}

#[test]
fn deleted_ones_are_listed_recovered_and_purged() {
    let shell = Shell::start();
    shell.set("gone", "v");
    assert!(
        shell.ok(&["secret", "delete", "gone"]).contains("`strongroom secret recover gone` brings it back until 20")
    );
    shell.refused(3, &["secret", "get", "gone"], "`strongroom secret recover gone` brings it back");
    refusal(&shell.fed(b"v", &["secret", "set", "gone"]), 6, "`strongroom secret recover gone`");
    assert!(shell.ok(&["secret", "list-deleted", "-o", "tsv"]).starts_with("gone\t"));
    assert!(shell.json(&["secret", "show", "gone", "--deleted"])["scheduled_purge"].is_string());
    shell.ok(&["secret", "recover", "gone"]);
    assert_eq!(shell.ok(&["secret", "get", "gone"]), "v");
    shell.ok(&["secret", "delete", "gone"]);
    shell.ok(&["secret", "purge", "gone"]);
    shell.refused(3, &["secret", "recover", "gone"], "not found");
    shell.refused(3, &["secret", "purge", "gone"], "not found");
}

#[test]
fn a_backup_is_restored_with_all_versions_and_tells_nothing() {
    let shell = Shell::start();
    shell.set("b", "canary-in-a-backup-1");
    shell.set("b", "canary-in-a-backup-2");
    let file = shell.path("backup");
    shell.ok(&["secret", "backup", "b", "--out", text(&file)]);
    let blob = std::fs::read(&file).unwrap();
    assert!(mode(&file) == 0o600 && !blob.windows(6).any(|window| window == b"canary"));
    shell.refused(6, &["secret", "restore", "--file", text(&file)], "");
    shell.ok(&["secret", "delete", "b"]);
    shell.ok(&["secret", "purge", "b"]);
    assert_eq!(shell.ok(&["secret", "restore", "--file", text(&file)]), "b is back, with all its versions\n");
    assert_eq!(shell.json(&["secret", "versions", "b"]).as_array().unwrap().len(), 2);
    assert_eq!(shell.ok(&["secret", "get", "b"]), "canary-in-a-backup-2");
    shell.refused(2, &["secret", "restore", "--file", &shell.file("bad", b"nonsense")], "");
}

#[test]
fn a_mistyped_name_is_recognised_by_who_may_list_alone() {
    let shell = Shell::start();
    shell.set("database-password", "v");
    shell.refused(3, &["secret", "get", "databse-pasword"], "Did you mean database-password?");
    let far = shell.run(&["secret", "get", "something-else"]);
    assert!(!stderr(&far).contains("Did you mean"), "{}", stderr(&far));
    // One that may read this one name learns nothing of others.
    let data = text(&shell.dev.folder).to_owned();
    let made = succeed(&["application", "create", "reader", "--data", &data]);
    let of = |name: &str| made.lines().find_map(|line| line.strip_prefix(&format!("{name}: "))).unwrap().to_owned();
    let scope = "dev/secrets/databse-password";
    let role = "Key Vault Secrets User";
    succeed(&["role", "assign", "--role", role, "--principal", "reader", "--scope", scope, "--data", &data]);
    let reader = shell
        .command(&["secret", "get", "databse-password"])
        .env("AZURE_CLIENT_ID", of("client_id"))
        .env("AZURE_CLIENT_SECRET", of("client_secret"))
        .output()
        .unwrap();
    refusal(&reader, 3, "not found");
    assert!(!stderr(&reader).contains("Did you mean"), "{}", stderr(&reader));
}

#[test]
fn each_class_of_failure_has_its_exit_code() {
    let shell = Shell::start();
    shell.set("a", "v");
    let with =
        |arguments: &[&str], name: &str, value: &str| shell.command(arguments).env(name, value).output().unwrap();
    shell.refused(3, &["secret", "get", "nothing"], "not found");
    let wrong = with(&["secret", "list"], "AZURE_CLIENT_SECRET", "canary-wrong-secret");
    refusal(&wrong, 4, "AZURE_CLIENT_SECRET");
    assert!(!stderr(&wrong).contains("canary"), "{}", stderr(&wrong));
    let data = text(&shell.dev.folder).to_owned();
    let made = succeed(&["application", "create", "nobody", "--data", &data]);
    let of = |name: &str| made.lines().find_map(|line| line.strip_prefix(&format!("{name}: "))).unwrap().to_owned();
    let nobody = shell
        .command(&["secret", "get", "a"])
        .env("AZURE_CLIENT_ID", of("client_id"))
        .env("AZURE_CLIENT_SECRET", of("client_secret"))
        .output()
        .unwrap();
    refusal(&nobody, 5, "");
    shell.ok(&["secret", "delete", "a"]);
    refusal(&shell.fed(b"v", &["secret", "set", "a"]), 6, "recover");
    let closed = with(&["secret", "recover", "a"], "HTTPS_PROXY", "http://127.0.0.1:9");
    refusal(&closed, 8, "strongroom doctor");
    let nowhere = strongroom().args(["secret", "list"]).output().unwrap();
    refusal(&nowhere, 2, "STRONGROOM_VAULT");
    refusal(&shell.run(&["secret", "lst"]), 2, "list");
    let help = succeed(&["secret", "--help"]);
    assert!(help.contains("Exit codes:") && help.contains("  4  not authenticated"), "{help}");
}

/// A server that asks each of its callers to slow down.
#[test]
fn a_vault_that_is_overrun_has_an_exit_code_of_its_own() {
    let certified = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = rustls::pki_types::PrivateKeyDer::try_from(certified.signing_key.serialize_der()).unwrap();
    let provider = rustls::crypto::aws_lc_rs::default_provider().into();
    let config = rustls::ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = config.with_no_client_auth().with_single_cert(vec![certified.cert.der().clone()], key).unwrap();
    let config = Arc::new(config);
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for socket in listener.incoming() {
            let mut stream =
                rustls::StreamOwned::new(rustls::ServerConnection::new(Arc::clone(&config)).unwrap(), socket.unwrap());
            let answer =
                b"HTTP/1.1 429 Too Many Requests\r\nretry-after: 0\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
            let mut request = [0; 4096];
            if stream.read(&mut request).is_ok() {
                drop(stream.write_all(answer));
                stream.conn.send_close_notify();
                drop(stream.flush());
            }
        }
    });
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ca.pem");
    std::fs::write(&file, certified.cert.pem()).unwrap();
    let mut command = strongroom();
    command.args(["secret", "get", "a", "--vault", &format!("https://localhost:{port}")]).env("SSL_CERT_FILE", &file);
    for name in ["AZURE_TENANT_ID", "AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET"] {
        command.env(name, "11111111-1111-1111-1111-111111111111");
    }
    refusal(&command.output().unwrap(), 7, "Try again later");
}

#[test]
fn a_terminal_is_asked_and_does_not_show_the_answer() {
    let shell = Shell::start();
    // A pseudo-terminal for the program's three streams; what it shows is printed.
    let script = "import pty, sys, os, time\n\
        pid, fd = pty.fork()\n\
        if pid == 0:\n    os.execv(sys.argv[1], sys.argv[1:])\n\
        shown = b''\n\
        while b'Value of' not in shown:\n    shown += os.read(fd, 1024)\n\
        time.sleep(0.3)\n\
        os.write(fd, b'typed-canary\\n')\n\
        try:\n    while True:\n        more = os.read(fd, 1024)\n        if not more: break\n        shown += more\n\
        except OSError: pass\n\
        sys.stdout.write(shown.decode())\n\
        sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))\n";
    let mut command = Command::new("python3");
    command.args(["-c", script, env!("CARGO_BIN_EXE_strongroom"), "secret", "set", "typed"]);
    for (name, value) in shell.command(&[]).get_envs() {
        if let Some(value) = value {
            command.env(name, value);
        }
    }
    let output = command.output().unwrap();
    let shown = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{shown}{}", stderr(&output));
    assert!(shown.contains("Value of typed: ") && !shown.contains("canary"), "{shown}");
    assert_eq!(shell.ok(&["secret", "get", "typed"]), "typed-canary");
}

#[test]
fn no_value_is_in_logs_errors_or_the_process_list() {
    let shell = Shell::start();
    let canary = "canary-of-the-command-line-0123456789";
    let mut seen = Vec::new();
    let set = shell.fed(canary.as_bytes(), &["--log", "trace", "secret", "set", "c"]);
    let get = shell.run(&["--log", "trace", "secret", "get", "c", "--out", text(&shell.path("out"))]);
    seen.extend([set.stdout, set.stderr, get.stdout, get.stderr]);
    seen.push(shell.run(&["--log", "trace", "secret", "show", "c"]).stderr);
    seen.push(shell.fed(canary.as_bytes(), &["--log", "trace", "secret", "set", "c_d"]).stderr);
    seen.push(std::fs::read(&shell.dev.process.log).unwrap());
    // While it waits for more of the value: its arguments and environment.
    let mut command = shell.command(&["secret", "set", "c"]);
    let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
    child.stdin.as_mut().unwrap().write_all(canary.as_bytes()).unwrap();
    let start = Instant::now();
    while start.elapsed() < Duration::from_millis(300) {
        for file in ["cmdline", "environ"] {
            seen.push(std::fs::read(format!("/proc/{}/{file}", child.id())).unwrap());
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(child.wait().unwrap().success());
    for bytes in seen {
        let text = String::from_utf8_lossy(&bytes);
        assert!(!text.contains(canary), "{text}");
    }
}
