//! Files with secrets in them: made with mode 0600, refused when others can read them.

use std::fs::{self, File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use strongroom_wire::Sensitive;
use zeroize::Zeroizing;

/// Makes a folder, mode 0700, with its parents; one that is there is checked.
pub(crate) fn make_private_folder(folder: &Path) -> Result<(), String> {
    let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(folder);
    made.map_err(|fault| format!("the folder {} could not be made: {fault}", folder.display()))?;
    check_folder(folder)
}

/// Refuses a folder in which others could put files: a socket of theirs could pass for the server's.
pub(crate) fn check_folder(folder: &Path) -> Result<(), String> {
    let mode = fs::metadata(folder).map_err(|fault| format!("{}: {fault}", folder.display()))?.mode();
    if mode & 0o022 == 0 {
        return Ok(());
    }
    let (mode, folder) = (mode & 0o7777, folder.display());
    Err(format!("others can write into {folder} (mode {mode:04o}): run `chmod 700 {folder}`"))
}

/// Reads a file that only its owner may read.
pub(crate) fn read_private(file: &Path) -> Result<Zeroizing<Vec<u8>>, String> {
    let fault = |fault: std::io::Error| format!("{} could not be read: {fault}", file.display());
    let mut opened = File::open(file).map_err(fault)?;
    let mode = opened.metadata().map_err(fault)?.mode();
    if mode & 0o077 != 0 {
        return Err(format!(
            "{} can be read by others (mode {:04o}): run `chmod 600 {}`",
            file.display(),
            mode & 0o7777,
            file.display()
        ));
    }
    let mut content = Zeroizing::new(Vec::new());
    opened.read_to_end(&mut content).map_err(fault)?;
    Ok(content)
}

/// Writes a file that only its owner may read: whole, or as it was.
pub(crate) fn write_private(file: &Path, content: &[u8]) -> Result<(), String> {
    let fault = |fault: std::io::Error| format!("{} could not be written: {fault}", file.display());
    let mut name = file.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    let temporary = file.with_file_name(name);
    // Left behind by a process that was killed.
    drop(fs::remove_file(&temporary));
    let opened = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&temporary);
    let mut opened = opened.map_err(fault)?;
    opened.write_all(content).and_then(|()| opened.sync_all()).map_err(fault)?;
    fs::rename(&temporary, file).map_err(fault)
}

/// A key file: exactly 32 bytes, readable by its owner only.
pub(crate) fn read_key(file: &Path) -> Result<Sensitive<[u8; 32]>, String> {
    let content = read_private(file)?;
    let key: Result<[u8; 32], _> = content.as_slice().try_into();
    key.map(Sensitive::new).map_err(|_wrong_length| {
        format!(
            "{} holds {} bytes; a key file holds exactly 32 (make one with `head -c 32 /dev/urandom`)",
            file.display(),
            content.len()
        )
    })
}

/// A passphrase: the first line of a file that only its owner may read.
pub(crate) fn read_passphrase(file: &Path) -> Result<Sensitive<String>, String> {
    let content = read_private(file)?;
    let text = std::str::from_utf8(&content).map_err(|_unreadable| format!("{} is not UTF-8", file.display()))?;
    let line = text.lines().next().unwrap_or_default();
    if line.chars().count() < 12 {
        return Err(format!("the passphrase in {} is shorter than 12 characters", file.display()));
    }
    Ok(Sensitive::new(line.to_owned()))
}

/// Where `dev` keeps its data unless told otherwise.
#[expect(clippy::disallowed_methods, reason = "the program's configuration")]
pub(crate) fn default_data_folder() -> Result<PathBuf, String> {
    let named = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty()).map(PathBuf::from);
    let base = named("XDG_DATA_HOME").or_else(|| named("HOME").map(|home| home.join(".local/share")));
    base.map(|base| base.join("strongroom"))
        .ok_or_else(|| "neither HOME nor XDG_DATA_HOME is set: name a folder with --data".to_owned())
}
