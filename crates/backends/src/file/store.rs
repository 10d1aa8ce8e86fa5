//! The folder of key files: each whole or not there, and readable by its owner only.

use std::fs::{DirBuilder, File};
use std::io::{ErrorKind, Read as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use strongroom_store::provider::ProviderError;
use zeroize::Zeroizing;

use crate::whole_file::{self, UNFINISHED};

/// More than the largest key takes.
const MOST_BYTES: u64 = 64 << 10;

/// Where key files lie.
#[derive(Debug, Clone)]
pub(super) struct KeyFiles(PathBuf);

impl KeyFiles {
    /// Makes the folder (mode 0700) when there is none, and clears away what a crash left unfinished:
    /// nobody else can be writing, since the folder above is locked.
    pub(super) fn open(folder: &Path) -> Result<Self, String> {
        let fault = |fault: std::io::Error| format!("{}: {fault}", folder.display());
        DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(fault)?;
        super::check_folder(folder)?;
        for entry in std::fs::read_dir(folder).map_err(fault)? {
            let entry = entry.map_err(fault)?;
            if entry.file_name().to_str().is_some_and(|name| name.ends_with(UNFINISHED)) {
                std::fs::remove_file(entry.path()).map_err(fault)?;
            }
        }
        Ok(Self(folder.to_owned()))
    }

    /// The file of an id, which is ours: hexadecimal digits.
    pub(super) fn path(&self, id: &str) -> PathBuf {
        self.0.join(format!("{id}.pem"))
    }

    /// Returns when the file and its name are on the disk.
    pub(super) fn write(&self, id: &str, text: &str) -> Result<(), ProviderError> {
        let file = self.path(id);
        whole_file::write(&file, text.as_bytes())
            .map_err(|fault| ProviderError::Unavailable(format!("{} could not be written: {fault}", file.display())))
    }

    pub(super) fn read(&self, id: &str) -> Result<Zeroizing<String>, ProviderError> {
        let file = self.path(id);
        let opened = File::open(&file).and_then(|opened| Ok((opened.metadata()?, opened)));
        let (metadata, opened) = opened.map_err(|fault| match fault.kind() {
            ErrorKind::NotFound => ProviderError::Unavailable(format!(
                "the key's file {} is gone: put it back from a backup of the folder",
                file.display()
            )),
            _ => ProviderError::Unavailable(format!("{}: {fault}", file.display())),
        })?;
        let mode = metadata.mode();
        if mode & 0o077 != 0 {
            let (mode, file) = (mode & 0o7777, file.display());
            return Err(ProviderError::Unavailable(format!(
                "others can read {file} (mode {mode:04o}): run `chmod 600 {file}`, and rotate the key if somebody may \
                 have copied the file and knows the passphrase"
            )));
        }
        let mut text = Zeroizing::new(String::new());
        let read = opened.take(MOST_BYTES).read_to_string(&mut text);
        read.map_err(|fault| ProviderError::Unavailable(format!("{}: {fault}", file.display())))?;
        Ok(text)
    }

    /// What is gone already is no error.
    pub(super) fn remove(&self, id: &str) -> Result<(), ProviderError> {
        let file = self.path(id);
        match std::fs::remove_file(&file).and_then(|()| self.sync()) {
            Err(fault) if fault.kind() != ErrorKind::NotFound => {
                Err(ProviderError::Unavailable(format!("{} could not be removed: {fault}", file.display())))
            }
            _ => Ok(()),
        }
    }

    fn sync(&self) -> std::io::Result<()> {
        File::open(&self.0)?.sync_all()
    }
}
