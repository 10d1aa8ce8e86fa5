//! Foreign programs that the library has to agree with, and keys to try them on.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use strongroom::keys::{Curve, KeySpec, VaultKey};

/// A new key in a new vault in memory.
pub(crate) async fn key(name: &str, spec: KeySpec) -> VaultKey {
    let key = VaultKey::new(strongroom::open("memory:").await.unwrap(), name).unwrap();
    key.create(spec).await.unwrap();
    key
}

pub(crate) const RSA: KeySpec = KeySpec::Rsa { bits: 2048 };
pub(crate) const P256: KeySpec = KeySpec::Ec(Curve::P256);
pub(crate) const P384: KeySpec = KeySpec::Ec(Curve::P384);
pub(crate) const P521: KeySpec = KeySpec::Ec(Curve::P521);

/// A file in `folder`.
pub(crate) fn file(folder: &Path, name: &str, content: impl AsRef<[u8]>) -> String {
    let path = folder.join(name);
    std::fs::write(&path, content).unwrap();
    path.to_str().unwrap().to_owned()
}

/// Runs a program to its end with this on its standard input.
pub(crate) fn run(program: &str, arguments: &[&str], input: &[u8]) -> Output {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap_or_else(|fault| panic!("{program}: {fault}"));
    // It may end without having read all of it.
    drop(child.stdin.take().unwrap().write_all(input));
    child.wait_with_output().unwrap()
}

/// As [`run`]; it has to succeed. What it printed.
#[track_caller]
pub(crate) fn succeed(program: &str, arguments: &[&str], input: &[u8]) -> String {
    let output = run(program, arguments, input);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{program} {arguments:?}: {said}{}", String::from_utf8_lossy(&output.stdout));
    String::from_utf8_lossy(&output.stdout).into_owned()
}
