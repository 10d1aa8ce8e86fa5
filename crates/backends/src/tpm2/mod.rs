//! `tpm2:`: a vault whose keys a TPM 2.0 makes, and that only this TPM can use.
//!
//! | URI | which TPM |
//! |---|---|
//! | `tpm2:` | the machine's: `/dev/tpmrm0`, else `/dev/tpm0` |
//! | `tpm2:/dev/tpmrm0` | that device |
//! | `tpm2://HOST:PORT`, `tpm2:swtpm:host=HOST,port=PORT` | the TCP socket of a TPM in software |
//! | `tpm2:unix:/SOCKET` | its Unix socket |
//!
//! In the query: `vault`; `x-records`, the folder for all but the TPM's own secrets (without it,
//! `strongroom/tpm2` in the user's data folder); `owner-auth-file`, a file whose first line is the
//! authorisation of the TPM's storage hierarchy, if it has one; `persistent=0x81000001`, the handle
//! at which the storage root key stays, or is put when there is none. Without `persistent` it is
//! made each time from the well-known template, which gives the same key from the same TPM.
//!
//! A key is kept as the TPM gives it out: encrypted under its storage root key. The folder's records
//! are sealed under a key that the TPM unseals. So a copy of the folder is of no use elsewhere, and
//! after the TPM was cleared **nothing of it opens again**: what has to survive that needs another
//! place, too.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let vault = strongroom_backends::open::open("tpm2:?x-records=/var/lib/app/vault").await?;
//! assert!(vault.offers().hardware_keys);
//! # Ok(())
//! # }
//! ```
//!
//! Keys are `RSA-HSM` and `EC-HSM`; which sizes and curves, the TPM is asked. Authorisations are
//! empty: who may use the TPM and read the folder may use the keys.

mod commands;
mod fault;
mod link;
mod padding;
mod provider;
mod public;
mod seal;
mod seed;
mod session;
mod tpm;
mod wire;
mod worker;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use strongroom_crypto::KeySpec;
use strongroom_store::records::{Records, Scan};
use strongroom_store::sealing::SealKey;
use strongroom_wire::Sensitive;
use strongroom_wire::algorithms::Curve;
use tokio::task::spawn_blocking;
use zeroize::Zeroizing;

use crate::SqliteRecords;
use crate::open::{Embedded, OpenError, VaultUri, records_folder};

pub use provider::Tpm2Provider;

use fault::Fault;
use link::Address;
use tpm::{Settings, Tpm};
use worker::Worker;

/// What the query may hold.
const QUERY: [&str; 4] = ["vault", "x-records", "owner-auth-file", "persistent"];
/// Handles that the owner's objects may have (TCG Registry of Reserved Handles).
const PERSISTENT: std::ops::RangeInclusive<u32> = 0x8100_0000..=0x817f_ffff;

/// Opens the place that a `tpm2:` URI names.
///
/// # Errors
/// [`OpenError`].
pub async fn open(uri: &VaultUri) -> Result<Embedded, OpenError> {
    let (worker, provider) = connect(uri).await?;
    let folder = match uri.get("x-records") {
        Some(folder) => PathBuf::from(folder),
        None => records_folder("tpm2")?,
    };
    let place = folder.clone();
    // The folder is this process's from here on.
    let records = spawn_blocking(move || SqliteRecords::open(&place)).await?.map_err(OpenError::unavailable)?;
    let empty = records.scan(&Scan::prefix("", 1)).await.map_err(OpenError::unavailable)?.is_empty();
    let key = worker.run(move |tpm| seal::key(tpm, &folder, empty)).await?;
    Embedded::open(Arc::new(records), &SealKey::file(&key), Arc::new(provider)).await
}

/// The keys of the TPM that a `tpm2:` URI names, without a place for anything else.
///
/// # Errors
/// [`OpenError`].
pub async fn provider(uri: &VaultUri) -> Result<Tpm2Provider, OpenError> {
    connect(uri).await.map(|(_, provider)| provider)
}

async fn connect(uri: &VaultUri) -> Result<(Arc<Worker>, Tpm2Provider), OpenError> {
    uri.only(&QUERY)?;
    let settings = Settings {
        address: Address::parse(uri)?,
        owner: uri.get("owner-auth-file").map_or_else(|| Ok(Sensitive::new(Vec::new())), owner_auth)?,
        persistent: uri.get("persistent").map(persistent_handle).transpose()?,
    };
    let worker = Arc::new(Worker::start(Tpm::new(settings)).map_err(OpenError::unavailable)?);
    let offers = worker.run(offers).await?;
    let provider = Tpm2Provider::new(Arc::clone(&worker), offers);
    Ok((worker, provider))
}

/// What the TPM takes, from its own mouth; and its storage root key is made or found.
fn offers(tpm: &mut Tpm) -> Result<Vec<KeySpec>, Fault> {
    let rsa = [2048, 3072, 4096].map(|bits| KeySpec::Rsa { bits });
    let mut offers = Vec::new();
    for spec in rsa.into_iter().chain(Curve::ALL.iter().map(|curve| KeySpec::Ec(*curve))) {
        if tpm.takes(spec)? {
            offers.push(spec);
        }
    }
    tpm.parent()?;
    Ok(offers)
}

fn owner_auth(file: &str) -> Result<Sensitive<Vec<u8>>, OpenError> {
    let text = std::fs::read(Path::new(file)).map(Zeroizing::new);
    let text = text.map_err(|fault| OpenError::Passphrase(format!("{file}: {fault}")))?;
    let line = text.split(|byte| *byte == b'\n').next().unwrap_or_default();
    // TPMs drop zeros at the end of an authorisation.
    let length = line.iter().rposition(|byte| *byte != 0 && *byte != b'\r').map_or(0, |last| last.saturating_add(1));
    match line.get(..length) {
        Some(auth) if (1..=32).contains(&length) => Ok(Sensitive::new(auth.to_vec())),
        _ => Err(OpenError::Passphrase(format!("{file}: its first line has to have 1 to 32 bytes"))),
    }
}

fn persistent_handle(text: &str) -> Result<u32, OpenError> {
    let handle = text.strip_prefix("0x").and_then(|digits| u32::from_str_radix(digits, 16).ok());
    handle.filter(|handle| PERSISTENT.contains(handle)).ok_or_else(|| {
        OpenError::Uri("tpm2: takes persistent=0x81000000 to 0x817fffff, as in persistent=0x81000001".to_owned())
    })
}
