//! A socket for one user.

use std::fs::{self, DirBuilder, Permissions};
use std::io::{Error, ErrorKind, Result};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use tokio::net::{UnixListener, UnixStream};

/// A Unix socket that only its owner can use; gone when dropped.
#[derive(Debug)]
pub struct AgentSocket {
    listener: UnixListener,
    path: PathBuf,
    owner: u32,
}

impl AgentSocket {
    /// Listens at `path`. Its folder is made (mode 0700) when it is not there, and else has to be one
    /// that only its owner can enter.
    ///
    /// # Errors
    /// When others can enter the folder, or something is at `path` already.
    pub fn bind(path: &Path) -> Result<Self> {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."));
        match DirBuilder::new().mode(0o700).create(folder) {
            Err(fault) if fault.kind() != ErrorKind::AlreadyExists => return Err(fault),
            _ => {}
        }
        let about = fs::metadata(folder)?;
        let mode = about.mode();
        if mode & 0o077 != 0 {
            let message = format!(
                "others can enter {} (mode {:04o}): give the socket a folder of its own, mode 0700",
                folder.display(),
                mode & 0o7777
            );
            return Err(Error::new(ErrorKind::PermissionDenied, message));
        }
        let listener = UnixListener::bind(path)?;
        fs::set_permissions(path, Permissions::from_mode(0o600))?;
        let owner = fs::metadata(path)?.uid();
        if about.uid() != owner {
            drop(fs::remove_file(path));
            let message = format!("{} is another user's: give the socket a folder of its own", folder.display());
            return Err(Error::new(ErrorKind::PermissionDenied, message));
        }
        Ok(Self { listener, path: path.to_owned(), owner })
    }

    /// Where it is: `SSH_AUTH_SOCK`.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The next client that is of the same user; others are hung up on.
    pub(super) async fn accept(&self) -> Result<UnixStream> {
        loop {
            let (stream, _address) = self.listener.accept().await?;
            match stream.peer_cred() {
                Ok(peer) if peer.uid() == self.owner => return Ok(stream),
                _ => tracing::warn!("ssh-agent: a process of another user was turned away"),
            }
        }
    }
}

impl Drop for AgentSocket {
    fn drop(&mut self) {
        drop(fs::remove_file(&self.path));
    }
}
