//! Vaults in a folder, for one process at a time: `strongroom.db` holds their records, sealed by a
//! passphrase, and `keys/ID.pem` every private key, encrypted under the same passphrase so that
//! OpenSSL opens it:
//!
//! ```text
//! openssl pkey -in keys/ID.pem -passin file:PASSPHRASE-FILE
//! ```
//!
//! A key's file is on the disk before the record that names it. A crash in between leaves a file
//! that nothing names: it is encrypted like the others and does no harm, and it is not removed,
//! because a file of the same look may be one that somebody put back.

mod pem;
mod provider;
mod store;

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use strongroom_store::records::RecordsError;
use strongroom_store::sealing::SealKey;

use crate::SqliteRecords;
use crate::open::{Embedded, OpenError, OpenOptions, VaultUri};

pub use pem::Kdf;
pub use provider::PemProvider;

/// So long a second process waits for the first to let go of the folder.
const PATIENCE: Duration = Duration::from_secs(5);
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// Opens the folder that a `file:` URI names; makes it (mode 0700) when there is none.
pub(crate) async fn open(uri: &VaultUri, options: &OpenOptions) -> Result<Embedded, OpenError> {
    uri.only(&["vault", "passphrase-file", "kdf"])?;
    let folder = uri.file_path()?;
    let kdf = match uri.get("kdf") {
        None | Some("scrypt") => Kdf::Scrypt,
        Some("pbkdf2") => Kdf::Pbkdf2,
        Some(_) => return Err(OpenError::Uri("file: knows kdf=scrypt and kdf=pbkdf2".to_owned())),
    };
    let passphrase = options.passphrase(uri, "passphrase-file")?;
    if folder.exists() {
        check_folder(&folder).map_err(OpenError::Unavailable)?;
    }
    let records = lock(&folder).await?;
    let provider = PemProvider::open(&folder.join("keys"), passphrase.duplicate(), kdf);
    let provider = provider.map_err(OpenError::unavailable)?;
    Embedded::open(Arc::new(records), &SealKey::Passphrase(passphrase), Arc::new(provider)).await
}

/// Waits for another process that is about to end, and then says which one it is.
async fn lock(folder: &Path) -> Result<SqliteRecords, OpenError> {
    let looks = PATIENCE.as_millis().checked_div(LOOK_AGAIN.as_millis()).unwrap_or_default();
    let mut look = 0;
    loop {
        let at = folder.to_owned();
        match tokio::task::spawn_blocking(move || SqliteRecords::open(&at)).await? {
            Err(RecordsError::InUse(_)) if look < looks => {}
            Err(RecordsError::InUse(who)) => {
                return Err(OpenError::Unavailable(format!(
                    "the folder is in use: {who}; one process at a time may have it open: stop that one, or use a \
                     redis: vault, which several can share"
                )));
            }
            other => return other.map_err(OpenError::unavailable),
        }
        look = look.saturating_add(1);
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

/// Refuses a folder in which others could look or put files.
fn check_folder(folder: &Path) -> Result<(), String> {
    let mode = std::fs::metadata(folder).map_err(|fault| format!("{}: {fault}", folder.display()))?.mode();
    if mode & 0o077 == 0 {
        return Ok(());
    }
    let (mode, folder) = (mode & 0o7777, folder.display());
    Err(format!("others can get at {folder} (mode {mode:04o}): run `chmod 700 {folder}`"))
}
