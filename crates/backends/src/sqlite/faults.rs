//! What SQLite and the file system say, as [`RecordsError`].

use std::io;
use std::path::Path;

use rusqlite::ErrorCode;
use strongroom_store::records::RecordsError;

/// `SQLITE_IOERR_SHMSIZE`: no room for the index of the write-ahead log.
const IOERR_SHMSIZE: i32 = 10 | (19 << 8);
/// `SQLITE_IOERR_SHORT_READ`: less in the file than there must be.
const IOERR_SHORT_READ: i32 = 10 | (2 << 8);
/// `SQLITE_IOERR_DATA`: a checksum of the file system does not match.
const IOERR_DATA: i32 = 10 | (32 << 8);
/// `SQLITE_IOERR_CORRUPTFS`: the file system is damaged.
const IOERR_CORRUPTFS: i32 = 10 | (33 << 8);

/// Translates an error of SQLite on `file`.
pub(super) fn sqlite(file: &Path, fault: &rusqlite::Error) -> RecordsError {
    let name = file.display();
    let Some(code) = fault.sqlite_error() else {
        // A column that does not have its type: values never come from elsewhere.
        return damaged(file, &fault.to_string());
    };
    match (code.code, code.extended_code) {
        (ErrorCode::DiskFull, _) | (ErrorCode::SystemIoFailure, IOERR_SHMSIZE) => RecordsError::Full,
        (ErrorCode::ReadOnly, _) => RecordsError::ReadOnly(name.to_string()),
        (ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase, _)
        | (ErrorCode::SystemIoFailure, IOERR_SHORT_READ | IOERR_DATA | IOERR_CORRUPTFS) => {
            damaged(file, &fault.to_string())
        }
        (ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked, _) => {
            RecordsError::InUse(format!("{name} is locked by another program"))
        }
        _ => RecordsError::Unavailable(format!("{name}: {fault}")),
    }
}

/// The file is not what we wrote.
pub(super) fn damaged(file: &Path, how: &str) -> RecordsError {
    RecordsError::Corrupt(format!(
        "{}: {how}. The file has been left as it is; keep it, and restore a backup into a new folder",
        file.display()
    ))
}

/// Translates an error of the file system on `path`.
pub(super) fn io(path: &Path, fault: &io::Error) -> RecordsError {
    let name = path.display();
    match fault.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => RecordsError::Full,
        io::ErrorKind::ReadOnlyFilesystem => RecordsError::ReadOnly(name.to_string()),
        io::ErrorKind::PermissionDenied => {
            RecordsError::ReadOnly(format!("{name}: permission denied; check its owner and mode"))
        }
        _ => RecordsError::Unavailable(format!("{name}: {fault}")),
    }
}
