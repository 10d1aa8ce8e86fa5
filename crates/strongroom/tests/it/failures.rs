//! What goes wrong around a store: each a clear message and a non-zero exit or a 5xx, and nothing
//! lost.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::json;

use crate::process::{Dev, assert_refusal, fail, private_file, run, strongroom, text};
use crate::production::Site;

const SECRETS: usize = 20;

fn value(number: usize) -> String {
    format!("value {number} ").repeat(20)
}

/// A stopped development server with known secrets in it; its folder.
async fn filled(parent: &Path) -> PathBuf {
    let folder = parent.join("data");
    let server = Dev::start(&folder);
    let client = server.client().await;
    for number in 0..SECRETS {
        client.set_secret(&format!("s{number}"), &value(number)).await;
    }
    assert!(server.process.stop().success());
    folder
}

async fn assert_nothing_lost(folder: &Path) {
    let server = Dev::start(folder);
    let client = server.client().await;
    for number in 0..SECRETS {
        assert_eq!(client.secret(&format!("s{number}")).await, Some(value(number)));
    }
    assert!(server.process.stop().success());
}

#[track_caller]
fn refuses_to_start(folder: &Path, words: &[&str]) {
    fail(&["dev", "--port", "0", "--data", text(folder)], words);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_missing_or_readable_key_file() {
    use std::os::unix::fs::PermissionsExt as _;
    let parent = tempfile::tempdir().unwrap();
    let folder = filled(parent.path()).await;
    let key = folder.join("root.key");
    let right = fs::read(&key).unwrap();
    private_file(&key, &[1; 32]);
    refuses_to_start(&folder, &["key"]);
    private_file(&key, b"short");
    refuses_to_start(&folder, &["root.key", "exactly 32"]);
    fs::remove_file(&key).unwrap();
    refuses_to_start(&folder, &["root.key", "missing", "--reset"]);
    private_file(&key, &right);
    fs::set_permissions(&key, fs::Permissions::from_mode(0o640)).unwrap();
    refuses_to_start(&folder, &["root.key", "0640", "chmod 600"]);
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    assert_nothing_lost(&folder).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_that_others_can_write_into() {
    use std::os::unix::fs::PermissionsExt as _;
    let parent = tempfile::tempdir().unwrap();
    let folder = filled(parent.path()).await;
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o770)).unwrap();
    refuses_to_start(&folder, &["0770", "chmod 700"]);
    fail(&["vault", "list", "--data", text(&folder)], &["0770", "chmod 700"]);
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).unwrap();
    assert_nothing_lost(&folder).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_passphrase() {
    let folder = tempfile::tempdir().unwrap();
    let site = Site::new(folder.path(), "");
    site.init();
    let right = fs::read(site.path("passphrase")).unwrap();
    private_file(&site.path("passphrase"), b"correct horse batterY\n");
    fail(&site.arguments(&["serve"]), &["passphrase"]);
    fail(&site.arguments(&["check"]), &["passphrase"]);
    private_file(&site.path("passphrase"), b"short\n");
    fail(&site.arguments(&["serve"]), &["shorter than 12"]);
    private_file(&site.path("passphrase"), &right);
    let server = site.serve();
    site.client().await.set_secret("a", "1").await;
    assert!(server.stop().success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_truncated_or_overwritten_store() {
    let parent = tempfile::tempdir().unwrap();
    let folder = filled(parent.path()).await;
    let file = folder.join("strongroom.db");
    let whole = fs::read(&file).unwrap();
    for length in [0, 100, 4096, whole.len() / 2, whole.len() - 4096, whole.len() - 1] {
        fs::write(&file, &whole[..length]).unwrap();
        let output = run(&["dev", "--port", "0", "--data", text(&folder), "--", "true"]);
        assert!(!output.status.success(), "truncated to {length} bytes, and it started");
        assert_refusal(&output, &["store"]);
    }
    fs::write(&file, vec![0x5a; whole.len()]).unwrap();
    refuses_to_start(&folder, &["store"]);
    fs::write(&file, &whole).unwrap();
    assert_nothing_lost(&folder).await;
}

/// A flipped bit is found at the start, or where it is read; no wrong value is ever given out.
#[tokio::test(flavor = "multi_thread")]
async fn a_flipped_bit() {
    let parent = tempfile::tempdir().unwrap();
    let folder = filled(parent.path()).await;
    let file = folder.join("strongroom.db");
    let whole = fs::read(&file).unwrap();
    let (mut refused, mut harmless) = (0, 0);
    for step in 0..24 {
        let place = whole.len() * step / 24 + step * 7;
        let mut damaged = whole.clone();
        damaged[place] ^= 1 << (step % 8);
        fs::write(&file, &damaged).unwrap();
        let output = run(&["check", "--data", text(&folder)]);
        if output.status.success() {
            // In a part of the file that holds nothing: all the values have to be right.
            assert_nothing_lost(&folder).await;
            harmless += 1;
        } else {
            assert_refusal(&output, &["store"]);
            refused += 1;
        }
    }
    assert!(refused > 0, "no damage was found");
    println!("{refused} refused, {harmless} harmless");
    fs::write(&file, &whole).unwrap();
    assert_nothing_lost(&folder).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_process() {
    let parent = tempfile::tempdir().unwrap();
    let folder = filled(parent.path()).await;
    let first = Dev::start(&folder);
    refuses_to_start(&folder, &["in use"]);
    assert_eq!(first.client().await.secret("s1").await, Some(value(1)));
    assert!(first.process.stop().success());
    assert_nothing_lost(&folder).await;
}

/// A small device in memory; unmounted when dropped.
struct Device(tempfile::TempDir);

impl Device {
    fn mount() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let mount = ["-t", "tmpfs", "-o", "size=6m", "tmpfs"];
        let mounted = Command::new("mount").args(mount).arg(folder.path()).output();
        if mounted.is_ok_and(|output| output.status.success()) {
            return Some(Self(folder));
        }
        strongroom_store::conformance::skipped("a full device, a read-only folder", "no device can be mounted here");
        None
    }

    fn remount(&self, how: &str) {
        let options = format!("remount,{how}");
        assert!(Command::new("mount").args(["-o", &options]).arg(self.0.path()).status().unwrap().success());
    }
}

impl Drop for Device {
    fn drop(&mut self) {
        drop(Command::new("umount").arg(self.0.path()).status());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_device() {
    let Some(device) = Device::mount() else { return };
    let folder = device.0.path().join("data");
    let ballast = device.0.path().join("ballast");
    fs::write(&ballast, vec![1; 1 << 20]).unwrap();
    let mut command = strongroom();
    command.args(["dev", "--port", "0", "--data", text(&folder)]);
    let logs = tempfile::tempdir().unwrap();
    let process = crate::process::Running::start(command, &logs.path().join("log"), "Stop with Ctrl-C");
    let client = crate::client::dev_client(&crate::process::variables(&folder.join("strongroom.env"))).await;
    let big = "x".repeat(25_000);
    let mut written = 0;
    loop {
        let name = format!("/secrets/full-{written}");
        let (status, answer) = client.call(reqwest::Method::PUT, &name, json!({ "value": big })).await;
        match status {
            200 => written += 1,
            _ => {
                assert!((500..600).contains(&status), "{status}: {answer}");
                assert!(answer["error"]["message"].is_string(), "{answer}");
                break;
            }
        }
        assert!(written < 400, "the device never became full");
    }
    for number in 0..written {
        assert_eq!(client.secret(&format!("full-{number}")).await.as_ref(), Some(&big), "reading goes on");
    }
    // With room again, the same process writes again.
    fs::remove_file(&ballast).unwrap();
    client.set_secret("after", "1").await;
    assert!(process.stop().success());
    let mut command = strongroom();
    command.args(["check", "--data", text(&folder)]);
    assert!(command.status().unwrap().success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_only_folder() {
    let Some(device) = Device::mount() else { return };
    let parent = tempfile::tempdir().unwrap();
    let filled = filled(parent.path()).await;
    let folder = device.0.path().join("data");
    let copied = Command::new("cp").arg("-a").args([&filled, &folder]).status().unwrap();
    assert!(copied.success());
    device.remount("ro");
    let output = run(&["dev", "--port", "0", "--data", text(&folder)]);
    assert_refusal(&output, &["read-only"]);
    device.remount("rw");
    let output = run(&["check", "--data", text(&folder)]);
    assert!(output.status.success());
}
