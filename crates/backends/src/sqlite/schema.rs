//! The database: its tables, how it is made whole or not at all, and how it is checked.

use std::fs;
use std::io::Read as _;
use std::path::Path;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};
use strongroom_store::records::RecordsError;

use super::faults;
use super::folder::{Folder, create_private, log_of};

/// "Stro", in the header of the file.
const APPLICATION_ID: i64 = 0x5374_726f;
/// Raised when older programs could no longer read the file.
const SCHEMA: i64 = 1;
/// Up to this size a file is checked whole when it is opened; a larger one would take seconds.
const CHECKED: u64 = 64 << 20;
const MAGIC: [u8; 16] = *b"SQLite format 3\0";

/// Keys are blobs, so that their order is that of their bytes and bounds need not be text. Without
/// rowid: one tree, one descent per read; at 8 KiB a page, a value of 2 KB still lies in it.
const TABLES: &str = "
    CREATE TABLE records(key BLOB NOT NULL PRIMARY KEY, revision INTEGER NOT NULL, value BLOB NOT NULL) WITHOUT ROWID;
    CREATE TABLE meta(name TEXT NOT NULL PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
    INSERT INTO meta(name, value) VALUES('revision', 0);";

/// Makes the database of a folder under another name and renames it, so that a crash leaves none
/// or a whole one, and an empty or short one is always damage.
pub(super) fn create(folder: &Folder) -> Result<(), RecordsError> {
    let (file, unfinished) = (folder.database(), folder.unfinished());
    let io = |fault: std::io::Error| faults::io(&file, &fault);
    if unfinished.exists() {
        fs::remove_file(&unfinished).map_err(io)?;
    }
    create_private(&unfinished).map_err(io)?;
    let make = || -> rusqlite::Result<()> {
        let connection = Connection::open_with_flags(&unfinished, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        connection.execute_batch("PRAGMA page_size=8192; PRAGMA journal_mode=MEMORY; PRAGMA synchronous=FULL;")?;
        connection.execute_batch(&format!(
            "BEGIN; PRAGMA application_id={APPLICATION_ID}; PRAGMA user_version={SCHEMA}; {TABLES} COMMIT;
             PRAGMA journal_mode=WAL;"
        ))?;
        connection.close().map_err(|(_connection, fault)| fault)
    };
    make().map_err(|fault| faults::sqlite(&unfinished, &fault))?;
    fs::rename(&unfinished, &file).map_err(io)?;
    folder.sync().map_err(io)
}

/// Opens and checks a database for the writer; also gives the last revision that was used.
pub(super) fn open_writer(file: &Path) -> Result<(Connection, u64), RecordsError> {
    let size = check_header(file)?;
    let fault = |fault: rusqlite::Error| faults::sqlite(file, &fault);
    let connection = connect(file, OpenFlags::SQLITE_OPEN_READ_WRITE).map_err(fault)?;
    check_identity(file, &connection)?;
    check_size(file, &connection, size)?;
    if size < CHECKED {
        check_whole(file, &connection)?;
    }
    connection
        .execute_batch(
            "PRAGMA synchronous=FULL; PRAGMA wal_autocheckpoint=1000; PRAGMA journal_size_limit=67108864;
             PRAGMA secure_delete=ON;",
        )
        .map_err(fault)?;
    let mode: String = connection.query_row("PRAGMA journal_mode=WAL", [], |row| row.get(0)).map_err(fault)?;
    if mode != "wal" {
        return Err(RecordsError::Unavailable(format!("{}: no write-ahead log is possible here", file.display())));
    }
    let revision = last_revision(file, &connection)?;
    Ok((connection, revision))
}

/// Opens a database for a reader.
pub(super) fn open_reader(file: &Path) -> Result<Connection, RecordsError> {
    let open = || {
        let connection = connect(file, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        connection.execute_batch("PRAGMA query_only=ON;")?;
        Ok(connection)
    };
    open().map_err(|fault| faults::sqlite(file, &fault))
}

/// Writes all records as of now into a new file.
pub(super) fn copy_to(connection: &Connection, file: &Path, target: &Path) -> Result<(), RecordsError> {
    let Some(name) = target.to_str() else {
        return Err(RecordsError::Unavailable(format!("{}: the name is not UTF-8", target.display())));
    };
    create_private(target).map_err(|fault| faults::io(target, &fault))?;
    let copied = connection.execute_batch("PRAGMA query_only=OFF;").and_then(|()| {
        let copied = connection.execute("VACUUM INTO ?1", [name]);
        connection.execute_batch("PRAGMA query_only=ON;")?;
        copied
    });
    let synced = fs::File::open(target).and_then(|copy| copy.sync_all());
    copied.map_err(|fault| faults::sqlite(file, &fault))?;
    synced.map_err(|fault| faults::io(target, &fault))
}

fn connect(file: &Path, access: OpenFlags) -> rusqlite::Result<Connection> {
    // Never CREATE: an absent file is made by `create`, or is an error. Each connection has one
    // thread, so SQLite need not lock.
    let connection = Connection::open_with_flags(file, access | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    // The last connection would write the log into a file that may just have been found damaged.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    connection.busy_timeout(Duration::from_secs(5))?;
    // No temporary files; no memory map, since a fault in one would be a signal and not an error.
    connection.execute_batch("PRAGMA temp_store=MEMORY; PRAGMA mmap_size=0; PRAGMA cell_size_check=ON;")?;
    connection.set_prepared_statement_cache_capacity(16);
    Ok(connection)
}

/// Looks at the first bytes before SQLite does, which would take an empty file for a new database.
fn check_header(file: &Path) -> Result<u64, RecordsError> {
    let read = || {
        let mut opened = fs::File::open(file)?;
        let size = opened.metadata()?.len();
        let mut magic = [0; MAGIC.len()];
        let whole = match opened.read_exact(&mut magic) {
            Ok(()) => magic == MAGIC,
            Err(fault) if fault.kind() == std::io::ErrorKind::UnexpectedEof => false,
            Err(fault) => return Err(fault),
        };
        Ok((size, whole))
    };
    match read() {
        Ok((size, true)) => Ok(size),
        Ok((_, false)) => Err(faults::damaged(file, "this is not a store, or its beginning is lost")),
        Err(fault) => Err(faults::io(file, &fault)),
    }
}

fn check_identity(file: &Path, connection: &Connection) -> Result<(), RecordsError> {
    let number =
        |sql| connection.query_row(sql, [], |row| row.get::<_, i64>(0)).map_err(|fault| faults::sqlite(file, &fault));
    if number("PRAGMA application_id")? != APPLICATION_ID {
        return Err(faults::damaged(file, "this is a SQLite database, but not a store of Strongroom"));
    }
    match number("PRAGMA user_version")? {
        SCHEMA => Ok(()),
        newer if newer > SCHEMA => Err(RecordsError::Unavailable(format!(
            "{} was written by a newer Strongroom (schema {newer}, this program knows {SCHEMA}): use that version",
            file.display()
        ))),
        _ => Err(faults::damaged(file, "its schema version is not one that ever was")),
    }
}

/// SQLite takes the missing end of a last page for zeros. While there is a log the file may be
/// short for a good reason: the rest is in there.
fn check_size(file: &Path, connection: &Connection, size: u64) -> Result<(), RecordsError> {
    if fs::metadata(log_of(file)).is_ok_and(|log| log.len() > 0) {
        return Ok(());
    }
    let pages: i64 = connection
        .query_row("SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()", [], |row| row.get(0))
        .map_err(|fault| faults::sqlite(file, &fault))?;
    if u64::try_from(pages).is_ok_and(|pages| size >= pages) {
        return Ok(());
    }
    Err(faults::damaged(file, &format!("it has {size} bytes and should have {pages}")))
}

fn check_whole(file: &Path, connection: &Connection) -> Result<(), RecordsError> {
    let found: String = connection
        .query_row("PRAGMA quick_check(1)", [], |row| row.get(0))
        .map_err(|fault| faults::sqlite(file, &fault))?;
    if found != "ok" {
        return Err(faults::damaged(file, &found));
    }
    let highest: i64 = connection
        .query_row("SELECT coalesce(max(revision), 0) FROM records", [], |row| row.get(0))
        .map_err(|fault| faults::sqlite(file, &fault))?;
    if u64::try_from(highest)
        .ok()
        .is_none_or(|highest| last_revision(file, connection).is_ok_and(|last| highest > last))
    {
        return Err(faults::damaged(file, "a record is newer than the store"));
    }
    Ok(())
}

fn last_revision(file: &Path, connection: &Connection) -> Result<u64, RecordsError> {
    let revision: i64 = connection
        .query_row("SELECT value FROM meta WHERE name='revision'", [], |row| row.get(0))
        .map_err(|fault| match fault {
            rusqlite::Error::QueryReturnedNoRows => faults::damaged(file, "its revision is lost"),
            other => faults::sqlite(file, &other),
        })?;
    u64::try_from(revision).map_err(|_negative| faults::damaged(file, "its revision is not a number"))
}
