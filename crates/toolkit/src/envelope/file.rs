//! Envelopes in files: the target is written whole or not at all.

use std::path::{Path, PathBuf};

use strongroom_crypto::random_bytes;
use tokio::fs::{File, OpenOptions};
use tokio::io::AsyncWriteExt as _;

use super::{EnvelopeError, decrypt, encrypt, internal};
use crate::keys::VaultKey;

/// A file that comes into being beside its target (mode 0600) and takes its place at the end. When
/// dropped before, it is gone and the target as it was.
#[derive(Debug)]
pub struct NewFile {
    target: PathBuf,
    temporary: Option<PathBuf>,
    file: File,
}

impl NewFile {
    /// Begins to write.
    ///
    /// # Errors
    /// When the target's folder cannot be written to.
    pub async fn create(target: &Path) -> Result<Self, EnvelopeError> {
        let mut name = std::ffi::OsString::from(".");
        name.push(target.file_name().ok_or(EnvelopeError::Malformed("the target has no name"))?);
        let random: [u8; 8] = random_bytes().map_err(internal)?;
        name.push(format!(".{}.new", hex::encode(random)));
        let temporary = target.with_file_name(name);
        let mut options = OpenOptions::new();
        let file = options.write(true).create_new(true).mode(0o600).open(&temporary).await?;
        Ok(Self { target: target.to_owned(), temporary: Some(temporary), file })
    }

    /// Where to write.
    pub const fn file(&mut self) -> &mut File {
        &mut self.file
    }

    /// Takes the target's place, durably.
    ///
    /// # Errors
    /// Those of the file system; the target is then as it was.
    pub async fn finish(mut self) -> Result<(), EnvelopeError> {
        self.file.flush().await?;
        self.file.sync_all().await?;
        if let Some(temporary) = &self.temporary {
            tokio::fs::rename(temporary, &self.target).await?;
        }
        self.temporary = None;
        // The name, too, has to outlive a crash.
        let folder = self.target.parent().filter(|folder| !folder.as_os_str().is_empty());
        File::open(folder.unwrap_or_else(|| Path::new("."))).await?.sync_all().await?;
        // The name, too.
        let folder = self.target.parent().filter(|folder| !folder.as_os_str().is_empty());
        File::open(folder.unwrap_or_else(|| Path::new("."))).await?.sync_all().await?;
        Ok(())
    }
}

impl Drop for NewFile {
    fn drop(&mut self) {
        if let Some(temporary) = &self.temporary {
            drop(std::fs::remove_file(temporary));
        }
    }
}

/// Encrypts a file into another.
///
/// # Errors
/// [`EnvelopeError`]; `to` is then as it was.
pub async fn encrypt_file(
    key: &VaultKey,
    from: &Path,
    to: &Path,
    progress: impl FnMut(u64),
) -> Result<u64, EnvelopeError> {
    let input = File::open(from).await?;
    let mut output = NewFile::create(to).await?;
    let total = encrypt(key, input, output.file(), progress).await?;
    output.finish().await?;
    Ok(total)
}

/// Decrypts a file into another, which appears only when all of it has proved genuine.
///
/// # Errors
/// [`EnvelopeError`]; `to` is then as it was.
pub async fn decrypt_file(
    key: &VaultKey,
    from: &Path,
    to: &Path,
    progress: impl FnMut(u64),
) -> Result<u64, EnvelopeError> {
    let input = File::open(from).await?;
    let mut output = NewFile::create(to).await?;
    let total = decrypt(key, input, output.file(), progress).await?;
    output.finish().await?;
    Ok(total)
}
