//! Files that are there whole or not at all.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

/// What a file's name ends with while it is written.
pub(crate) const UNFINISHED: &str = ".new";

/// Writes a file durably, mode 0600. What a killed process left unfinished is removed first.
///
/// # Errors
/// Those of the file system; the file is then as it was.
pub(crate) fn write(file: &Path, content: &[u8]) -> io::Result<()> {
    let mut unfinished = file.as_os_str().to_owned();
    unfinished.push(UNFINISHED);
    drop(fs::remove_file(&unfinished));
    let write = || {
        let mut opened = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&unfinished)?;
        opened.write_all(content)?;
        opened.sync_all()?;
        fs::rename(&unfinished, file)
    };
    write().inspect_err(|_fault| drop(fs::remove_file(&unfinished)))?;
    match file.parent() {
        Some(folder) => File::open(folder)?.sync_all(),
        None => Ok(()),
    }
}
