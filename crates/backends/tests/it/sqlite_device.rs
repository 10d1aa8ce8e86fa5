//! Devices that are full or read-only. They take a mount, and so root; without, the tests say that
//! they were skipped.

use std::path::{Path, PathBuf};
use std::process::Command;

use strongroom_backends::SqliteRecords;
use strongroom_store::records::{Records as _, RecordsError, Scan};
use tempfile::TempDir;

use crate::sqlite::{get, put};

/// A small device in memory, mounted until it is dropped.
struct Device {
    folder: TempDir,
}

impl Device {
    fn mount() -> Option<Self> {
        let folder = TempDir::new().unwrap();
        if run("mount", &["-t", "tmpfs", "-o", "size=4m", "tmpfs"], folder.path()) {
            return Some(Self { folder });
        }
        strongroom_store::conformance::skipped("full and read-only devices", "none can be mounted here (needs root)");
        None
    }

    fn path(&self) -> PathBuf {
        self.folder.path().to_owned()
    }
}

impl Drop for Device {
    fn drop(&mut self) {
        run("umount", &[], self.folder.path());
    }
}

fn run(program: &str, arguments: &[&str], path: &Path) -> bool {
    Command::new(program).args(arguments).arg(path).output().is_ok_and(|output| output.status.success())
}

#[tokio::test]
async fn a_full_device_is_told_and_nothing_is_lost() {
    let Some(device) = Device::mount() else { return };
    let ballast = device.path().join("ballast");
    std::fs::write(&ballast, vec![7; 1 << 20]).unwrap();
    let folder = device.path().join("data");
    let records = SqliteRecords::open(&folder).unwrap();
    let mut written = 0;
    let fault = loop {
        match put(&records, &format!("dev/{written:03}"), &vec![7; 50_000]).await {
            Ok(_) => written += 1,
            Err(fault) => break fault,
        }
        assert!(written < 200, "the device never became full");
    };
    assert!(matches!(fault, RecordsError::Full), "{fault}");
    // It stays so, reading goes on, and what was acknowledged is there.
    assert!(matches!(put(&records, "dev/more", &vec![7; 500_000]).await, Err(RecordsError::Full)));
    assert_eq!(records.scan(&Scan::prefix("dev/", 1000)).await.unwrap().len(), written);
    // With room again, the same instance serves again.
    std::fs::remove_file(&ballast).unwrap();
    put(&records, "dev/after", b"1").await.unwrap();
    drop(records);
    let records = SqliteRecords::open(&folder).unwrap();
    assert_eq!(records.scan(&Scan::prefix("dev/", 1000)).await.unwrap().len(), written + 1);
    assert_eq!(get(&records, "dev/000").await.unwrap().unwrap().len(), 50_000);
    assert!(get(&records, "dev/more").await.unwrap().is_none());
    drop(records);
}

#[tokio::test]
async fn a_full_device_has_no_room_for_a_new_store() {
    let Some(device) = Device::mount() else { return };
    let filled = std::fs::write(device.path().join("ballast"), vec![7; 5 << 20]);
    assert!(filled.is_err());
    let fault = SqliteRecords::open(&device.path().join("data")).unwrap_err();
    assert!(matches!(fault, RecordsError::Full), "{fault}");
}

#[tokio::test]
async fn a_read_only_folder_is_told() {
    let Some(device) = Device::mount() else { return };
    let records = SqliteRecords::open(&device.path()).unwrap();
    put(&records, "dev/a", b"1").await.unwrap();
    drop(records);
    assert!(run("mount", &["-o", "remount,ro"], &device.path()));
    let fault = SqliteRecords::open(&device.path()).unwrap_err();
    assert!(matches!(fault, RecordsError::ReadOnly(_)), "{fault}");
    assert!(matches!(SqliteRecords::open(&device.path().join("new")), Err(RecordsError::ReadOnly(_))));
    assert!(run("mount", &["-o", "remount,rw"], &device.path()));
    let records = SqliteRecords::open(&device.path()).unwrap();
    assert_eq!(get(&records, "dev/a").await.unwrap().unwrap(), b"1");
    drop(records);
}
