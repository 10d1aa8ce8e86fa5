//! What the tests need from the machine.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::steps::Steps;

/// Debian packages, and what shows that each is there: a file, or a program of any origin.
const PACKAGES: &[(&str, Shows)] = &[
    ("build-essential", Shows::Program("cc")),
    ("ca-certificates", Shows::File("/etc/ssl/certs/ca-certificates.crt")),
    ("curl", Shows::Program("curl")),
    ("openssl", Shows::Program("openssl")),
    ("python3-venv", Shows::File("/usr/share/doc/python3-venv")),
    // *.localhost resolves to loopback with it, as it does on Ubuntu and Fedora.
    ("libnss-myhostname", Shows::File("/usr/share/doc/libnss-myhostname")),
    // Where keys and secrets can live.
    ("redis-server", Shows::Program("redis-server")),
    ("softhsm2", Shows::Program("softhsm2-util")),
    ("opensc", Shows::Program("pkcs11-tool")),
    ("swtpm", Shows::Program("swtpm")),
    ("swtpm-tools", Shows::Program("swtpm_setup")),
    ("tpm2-tools", Shows::Program("tpm2_getcap")),
    ("openssh-client", Shows::Program("ssh-add")),
    ("openssh-server", Shows::File("/usr/sbin/sshd")),
    // Shells whose completions are tried, and another reader of tokens.
    ("zsh", Shows::Program("zsh")),
    ("fish", Shows::Program("fish")),
    ("python3-jwt", Shows::File("/usr/share/doc/python3-jwt")),
    // The conformance suites. A JDK has keytool, too, which reads the trust store for Java.
    ("nodejs", Shows::Program("node")),
    ("npm", Shows::Program("npm")),
    ("golang-go", Shows::Program("go")),
    ("default-jdk-headless", Shows::Program("javac")),
    ("maven", Shows::Program("mvn")),
];

enum Shows {
    File(&'static str),
    Program(&'static str),
}

impl Shows {
    fn is_there(&self) -> bool {
        match self {
            Self::File(path) => Path::new(path).exists(),
            Self::Program(name) => has(name),
        }
    }
}

/// Installs what is missing when root; says how when not.
pub(crate) fn packages(steps: &mut Steps) {
    let missing: Vec<&str> =
        PACKAGES.iter().filter(|(_, shows)| !shows.is_there()).map(|(package, _)| *package).collect();
    if missing.is_empty() {
        return;
    }
    if !is_root() {
        steps.skip("packages", format!("run: sudo apt-get update && sudo apt-get install -y {}", missing.join(" ")));
        return;
    }
    let quiet = [("DEBIAN_FRONTEND", "noninteractive")];
    steps.command("package lists", "apt-get", &["update", "-q"], &quiet);
    let arguments = ["install", "-y", "-q", "--no-install-recommends"];
    steps.command("packages", "apt-get", &[&arguments, missing.as_slice()].concat(), &quiet);
}

/// Installs a cargo subcommand when it is missing.
pub(crate) fn cargo_tool(steps: &mut Steps, name: &str) {
    if !has(name) {
        steps.command(name, "cargo", &["install", "--locked", name], &[]);
    }
}

fn has(program: &str) -> bool {
    let found = Command::new("sh").args(["-c", &format!("command -v {program}")]).stdout(Stdio::null()).status();
    found.is_ok_and(|status| status.success())
}

fn is_root() -> bool {
    let id = Command::new("id").arg("-u").output();
    id.is_ok_and(|output| output.stdout.trim_ascii() == b"0")
}
