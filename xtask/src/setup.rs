//! What the tests need from the machine.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::steps::Steps;

/// Debian packages, and a file that shows each is there.
const PACKAGES: &[(&str, &str)] = &[
    ("build-essential", "/usr/bin/cc"),
    ("ca-certificates", "/etc/ssl/certs/ca-certificates.crt"),
    ("curl", "/usr/bin/curl"),
    ("openssl", "/usr/bin/openssl"),
    ("python3-venv", "/usr/share/doc/python3-venv"),
    // *.localhost resolves to loopback with it, as it does on Ubuntu and Fedora.
    ("libnss-myhostname", "/usr/share/doc/libnss-myhostname"),
    // keytool, which reads the trust store for Java.
    ("default-jre-headless", "/usr/bin/keytool"),
];

/// Installs what is missing when root; says how when not.
pub(crate) fn packages(steps: &mut Steps) {
    let missing: Vec<&str> = PACKAGES
        .iter()
        .filter(|(package, file)| !(Path::new(file).exists() || *package == "default-jre-headless" && has("keytool")))
        .map(|(package, _)| *package)
        .collect();
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

/// Installs cargo-deny when it is missing.
pub(crate) fn cargo_deny(steps: &mut Steps) {
    if !has("cargo-deny") {
        steps.command("cargo-deny", "cargo", &["install", "--locked", "cargo-deny"], &[]);
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
