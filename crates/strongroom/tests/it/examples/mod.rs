//! The programs under `examples/`, as people run them: in the environment that `strongroom dev`
//! writes, against its server. Each test has a server of its own, which ends with it and leaves
//! nothing; examples that make objects of the same names have vaults of their own in it.

mod hsm;
mod keys;
mod logins;
mod patience;
mod secrets;

use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use crate::process::{Dev, stderr, succeed, text, variables};

/// A server, and who logs in there.
struct World {
    folder: tempfile::TempDir,
    dev: Dev,
    environment: Vec<(String, String)>,
}

impl World {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let dev = Dev::start(&folder.path().join("data"));
        let environment = variables(&dev.folder.join("strongroom-proxy.env")).into_iter().collect();
        Self { folder, dev, environment }
    }

    /// At another vault of the server. It is made when it is first used.
    fn at(&self, vault: &str) -> Vec<(String, String)> {
        self.with("AZURE_KEYVAULT_URL", &format!("https://{vault}.vault.azure.net"))
    }

    fn with(&self, name: &str, value: &str) -> Vec<(String, String)> {
        let mut environment = self.without(&[name]);
        environment.push((name.to_owned(), value.to_owned()));
        environment
    }

    fn without(&self, names: &[&str]) -> Vec<(String, String)> {
        self.environment.iter().filter(|(name, _)| !names.contains(&name.as_str())).cloned().collect()
    }

    /// Logged in as an application that has no role yet.
    fn as_newcomer(&self, name: &str) -> Vec<(String, String)> {
        let made = succeed(&["application", "create", name, "--data", text(&self.dev.folder)]);
        let member = |name: &str| {
            let line = made.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
            line.unwrap().to_owned()
        };
        let mut environment = self.without(&["AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET"]);
        environment.push(("AZURE_CLIENT_ID".to_owned(), member("client_id")));
        environment.push(("AZURE_CLIENT_SECRET".to_owned(), member("client_secret")));
        environment
    }

    fn assign(&self, role: &str, principal: &str, scope: &str) {
        let data = text(&self.dev.folder);
        succeed(&["role", "assign", "--role", role, "--principal", principal, "--scope", scope, "--data", data]);
    }

    /// What an example prints, which succeeds.
    #[track_caller]
    fn prints(&self, name: &str, arguments: &[&str]) -> String {
        prints(name, arguments, &self.environment)
    }
}

/// An example, with these variables alone.
fn example(name: &str, arguments: &[&str], environment: &[(String, String)]) -> Command {
    let program = Path::new(env!("CARGO_BIN_EXE_strongroom")).parent().unwrap().join("examples").join(name);
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples").join(name).with_extension("rs");
    let changed = |path: &Path| fs::metadata(path).and_then(|file| file.modified()).ok();
    // Cargo leaves examples alone when a test is named.
    let current = changed(&program).zip(changed(&source)).is_some_and(|(built, written)| built >= written);
    assert!(
        current,
        "{name} is not built, or is older than its source: build the examples first: cargo build --examples"
    );
    let mut command = Command::new(program);
    command.args(arguments).env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command.envs(environment.iter().map(|(name, value)| (name, value))).stdin(Stdio::null());
    command
}

#[track_caller]
fn prints(name: &str, arguments: &[&str], environment: &[(String, String)]) -> String {
    let output = example(name, arguments, environment).output().unwrap();
    assert!(output.status.success(), "{name}: {} {}", stdout(&output), stderr(&output));
    stdout(&output)
}

/// What an example says that fails as it should.
#[track_caller]
fn refuses(name: &str, arguments: &[&str], environment: &[(String, String)]) -> String {
    let output = example(name, arguments, environment).output().unwrap();
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(1), "{name}: {} {said}", stdout(&output));
    assert!(!said.contains("panicked"), "{said}");
    said
}

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[track_caller]
fn openssl_verifies(key: &Path, signature: &Path, data: &Path) {
    let arguments = ["dgst", "-sha256", "-verify", text(key), "-signature", text(signature), text(data)];
    let output = Command::new("openssl").args(arguments).output().unwrap();
    assert!(output.status.success() && stdout(&output).contains("Verified OK"), "{}", stderr(&output));
}
