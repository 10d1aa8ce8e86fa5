//! The folder of a store: its modes, its names, and the lock that keeps other processes out.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use strongroom_store::records::RecordsError;

use super::faults;

const DATABASE: &str = "strongroom.db";
const LOCK: &str = "strongroom.lock";

/// A folder that this process has locked, until this is dropped.
pub(super) struct Folder {
    path: PathBuf,
    _lock: File,
}

impl Folder {
    /// Locks a folder, having made it (mode 0700) when there is none.
    pub(super) fn lock_or_create(path: &Path) -> Result<Self, RecordsError> {
        DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(|fault| faults::io(path, &fault))?;
        Self::lock(path)
    }

    /// Locks a folder.
    pub(super) fn lock(path: &Path) -> Result<Self, RecordsError> {
        if !path.is_dir() {
            return Err(RecordsError::Unavailable(format!("there is no folder {}", path.display())));
        }
        let name = path.join(LOCK);
        // The kernel lets go of the lock when the process ends, however it ends.
        let mut lock = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&name)
            .map_err(|fault| faults::io(&name, &fault))?;
        match lock.try_lock() {
            Ok(()) => {
                // For the message of who comes next; the lock is what counts.
                drop(lock.set_len(0).and_then(|()| write!(lock, "{}", std::process::id())));
                Ok(Self { path: path.to_owned(), _lock: lock })
            }
            Err(TryLockError::WouldBlock) => Err(RecordsError::InUse(holder(path, &mut lock))),
            Err(TryLockError::Error(fault)) => Err(faults::io(&name, &fault)),
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn database(&self) -> PathBuf {
        self.path.join(DATABASE)
    }

    /// Where a new database is made, to be renamed when it is whole.
    pub(super) fn unfinished(&self) -> PathBuf {
        self.path.join("strongroom.db.new")
    }

    /// Is there a database? A log without its database is not an empty store but a damaged one.
    pub(super) fn has_database(&self) -> Result<bool, RecordsError> {
        let database = self.database();
        if database.try_exists().map_err(|fault| faults::io(&database, &fault))? {
            return Ok(true);
        }
        let log = log_of(&database);
        if log.exists() {
            return Err(faults::damaged(&database, &format!("the file is gone, but {} is there", log.display())));
        }
        Ok(false)
    }

    /// Makes the renaming or making of a file in the folder durable.
    pub(super) fn sync(&self) -> io::Result<()> {
        File::open(&self.path)?.sync_all()
    }
}

/// Who has the folder locked, as far as can be known.
fn holder(path: &Path, lock: &mut File) -> String {
    let mut text = String::new();
    let read = lock.take(20).read_to_string(&mut text).ok();
    match read.and_then(|_length| text.parse::<u32>().ok()) {
        Some(id) => {
            let program = std::fs::read_to_string(format!("/proc/{id}/comm")).unwrap_or_default();
            let program = if program.is_empty() { String::new() } else { format!(" ({})", program.trim_end()) };
            format!("{}, by process {id}{program}", path.display())
        }
        None => path.display().to_string(),
    }
}

/// The write-ahead log of a database.
pub(super) fn log_of(database: &Path) -> PathBuf {
    let mut name = database.as_os_str().to_owned();
    name.push("-wal");
    PathBuf::from(name)
}

/// Makes an empty file, mode 0600 whatever the umask, that must not be there yet. SQLite gives its
/// other files the mode of this one.
pub(super) fn create_private(path: &Path) -> io::Result<()> {
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map(drop)
}
