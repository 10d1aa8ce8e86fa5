//! `--reset`: removes what a development server made, and nothing else.

use std::fs;
use std::path::Path;

use strongroom_server::admin::SOCKET_FILE;

use super::{KEY_FILE, env_files};
use crate::clock::OFFSET_FILE;

/// Only a development server writes this one.
const MARK: &str = "truststore.p12";

const OURS: &[&str] = &[
    "strongroom.db",
    "strongroom.db-wal",
    "strongroom.db-shm",
    "strongroom.lock",
    "ca.pem",
    "bundle.pem",
    "truststore.p12",
    KEY_FILE,
    OFFSET_FILE,
    SOCKET_FILE,
    env_files::DIRECT,
    env_files::PROXY,
];

/// Removes the files of a development server from `folder`.
pub(super) fn reset(folder: &Path) -> Result<(), String> {
    if !folder.exists() {
        return Ok(());
    }
    if folder.join("strongroom.db").exists() {
        if !folder.join(MARK).exists() {
            return Err(format!(
                "{} was not made by `strongroom dev` (there is no {MARK}), so it is not reset",
                folder.display()
            ));
        }
        // Refused while another process runs on it.
        let held = strongroom_backends::sqlite::SqliteRecords::open_existing(folder);
        if let Err(strongroom_store::records::RecordsError::InUse(who)) = held {
            return Err(format!("the store is in use, so it is not reset: {who}"));
        }
    }
    for name in OURS {
        let file = folder.join(name);
        match fs::remove_file(&file) {
            Ok(()) => {}
            Err(fault) if fault.kind() == std::io::ErrorKind::NotFound => {}
            Err(fault) => return Err(format!("{} could not be removed: {fault}", file.display())),
        }
    }
    Ok(())
}
