//! A development server, and the commands on its vault from a shell's point of view.

use std::collections::HashMap;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

use crate::process::{Dev, private_file, stderr, strongroom, text, variables};

/// What it takes to log in through the proxy: `*.localhost` does not resolve everywhere.
const LOGIN: [&str; 5] = ["SSL_CERT_FILE", "HTTPS_PROXY", "AZURE_TENANT_ID", "AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET"];

pub(crate) struct Shell {
    pub(crate) dev: Dev,
    pub(crate) variables: HashMap<String, String>,
    pub(crate) folder: tempfile::TempDir,
}

impl Shell {
    pub(crate) fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let dev = Dev::start(&folder.path().join("data"));
        let variables = variables(&dev.folder.join("strongroom-proxy.env"));
        Self { dev, variables, folder }
    }

    /// The command, at the vault `dev`.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = strongroom();
        command.args(arguments).env("STRONGROOM_VAULT", &self.variables["AZURE_KEYVAULT_URL"]);
        for name in LOGIN {
            command.env(name, &self.variables[name]);
        }
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// With this on standard input.
    pub(crate) fn fed(&self, input: &[u8], arguments: &[&str]) -> Output {
        let mut command = self.command(arguments);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        // A command that does not read is not an error of ours.
        drop(child.stdin.take().unwrap().write_all(input));
        child.wait_with_output().unwrap()
    }

    #[track_caller]
    pub(crate) fn bytes(&self, arguments: &[&str]) -> Vec<u8> {
        let output = self.run(arguments);
        assert!(output.status.success(), "{arguments:?}: {}", stderr(&output));
        output.stdout
    }

    #[track_caller]
    pub(crate) fn ok(&self, arguments: &[&str]) -> String {
        String::from_utf8(self.bytes(arguments)).unwrap()
    }

    #[track_caller]
    pub(crate) fn json(&self, arguments: &[&str]) -> Value {
        serde_json::from_str(&self.ok(&[arguments, &["-o", "json"]].concat())).unwrap()
    }

    /// It ends with this exit code, and says this.
    #[track_caller]
    pub(crate) fn refused(&self, code: i32, arguments: &[&str], word: &str) {
        refusal(&self.run(arguments), code, word);
    }

    #[track_caller]
    pub(crate) fn set(&self, name: &str, value: &str) {
        let output = self.fed(value.as_bytes(), &["secret", "set", name]);
        assert!(output.status.success(), "{name}: {}", stderr(&output));
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A file that only its owner may read.
    pub(crate) fn file(&self, name: &str, content: &[u8]) -> String {
        let path = self.path(name);
        private_file(&path, content);
        text(&path).to_owned()
    }
}

#[track_caller]
pub(crate) fn refusal(output: &Output, code: i32, word: &str) {
    let said = stderr(output);
    assert_eq!(output.status.code(), Some(code), "{said}");
    assert!(said.contains(word) && !said.contains("panicked"), "{word:?} is not in: {said}");
    assert!(output.stdout.is_empty(), "a failure prints nothing to standard output");
}

/// Runs another program; it has to succeed.
#[track_caller]
pub(crate) fn openssl(arguments: &[&str]) -> String {
    let output = Command::new("openssl").args(arguments).output().unwrap();
    assert!(output.status.success(), "openssl {arguments:?}: {}", stderr(&output));
    String::from_utf8_lossy(&output.stdout).into_owned()
}
