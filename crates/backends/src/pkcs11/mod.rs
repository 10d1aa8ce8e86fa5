//! `pkcs11:`: a vault whose keys are made in a PKCS#11 token (an HSM, a smart card, SoftHSM) and
//! never leave it.
//!
//! The URI names the token (RFC 7512): by `token`, `serial`, `manufacturer`, `model`, `slot-id`. In
//! its query: `module-path` or `module-name`, `pin-source` (a file) or `pin-value`, `vault`, and
//! `x-records`, the folder for all but the keys: names, attributes, secrets. Those are sealed under
//! a key that only the token unwraps, so that a copy of the folder is of no use without the token.
//! Without `x-records` the folder is `strongroom/pkcs11-SERIAL` in the user's data folder.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let uri = "pkcs11:token=prod?module-path=/usr/lib/softhsm/libsofthsm2.so&pin-source=file:/run/hsm.pin";
//! let vault = strongroom_backends::open::open(uri).await?;
//! assert!(vault.offers().hardware_keys);
//! # Ok(())
//! # }
//! ```
//!
//! Keys are `RSA-HSM` and `EC-HSM`. What was lost (a token that was taken out and put back, a
//! logout) is logged in to again; a PIN that was refused is not tried again. A key that is purged is
//! destroyed in the token, unless it was backed up: a backup holds no key, only what it is called
//! there, so that purging leaves in the token what a backup refers to.

mod fault;
mod import;
mod key;
mod login;
mod module;
mod objects;
mod offers;
mod provider;
mod seal;
mod token;
mod uri;

use std::path::PathBuf;
use std::sync::Arc;

use cryptoki::slot::TokenInfo;
use strongroom_store::records::{Records, Scan};
use strongroom_store::sealing::SealKey;
use strongroom_wire::Sensitive;
use tokio::task::spawn_blocking;

use crate::SqliteRecords;
use crate::open::{Embedded, OpenError, OpenOptions, VaultUri, records_folder};

pub use provider::Pkcs11Provider;

use fault::Fault;
use module::Module;
use token::Token;
use uri::TokenUri;

/// Opens the place that a `pkcs11:` URI names.
///
/// # Errors
/// [`OpenError`].
pub async fn open(uri: &VaultUri, options: &OpenOptions) -> Result<Embedded, OpenError> {
    let (token, wanted) = open_token(uri, options).await?;
    let folder = match wanted.records {
        Some(folder) => folder,
        None => default_folder(&token)?,
    };
    let (place, opening) = (folder.clone(), Arc::clone(&token));
    // The folder is this process's from here on.
    let records = spawn_blocking(move || SqliteRecords::open(&place)).await?.map_err(OpenError::unavailable)?;
    let empty = records.scan(&Scan::prefix("", 1)).await.map_err(OpenError::unavailable)?.is_empty();
    let key = spawn_blocking(move || seal::key(&opening, &folder, empty)).await??;
    Embedded::open(Arc::new(records), &SealKey::file(&key), Arc::new(Pkcs11Provider::new(token))).await
}

/// The keys of the token that a `pkcs11:` URI names, without a place for anything else.
///
/// # Errors
/// [`OpenError`].
pub async fn provider(uri: &VaultUri, options: &OpenOptions) -> Result<Pkcs11Provider, OpenError> {
    Ok(Pkcs11Provider::new(open_token(uri, options).await?.0))
}

async fn open_token(uri: &VaultUri, options: &OpenOptions) -> Result<(Arc<Token>, TokenUri), OpenError> {
    let wanted = TokenUri::parse(uri)?;
    let (pin, asked) = (pin(uri, options), wanted.clone());
    let token = spawn_blocking(move || {
        let module = Module::load(&asked.module)?;
        Token::open(&module, &asked, |info| for_token(pin, info))
    });
    Ok((token.await??, wanted))
}

/// In code, `pin-source`, `pin-value`, `STRONGROOM_PASSPHRASE`: the first of them counts.
fn pin(uri: &VaultUri, options: &OpenOptions) -> Result<Sensitive<String>, OpenError> {
    match uri.get("pin-value") {
        Some(pin) if options.passphrase.is_none() => Ok(Sensitive::new(pin.to_owned())),
        _ => options.passphrase(uri, "pin-source"),
    }
}

/// A token with a keypad of its own asks for the PIN itself.
fn for_token(pin: Result<Sensitive<String>, OpenError>, info: &TokenInfo) -> Result<Option<Sensitive<String>>, Fault> {
    match pin {
        Ok(pin) => Ok(Some(pin)),
        Err(_) if info.protected_authentication_path() => Ok(None),
        Err(missing) => Err(Fault::NoPin(missing.to_string())),
    }
}

fn default_folder(token: &Token) -> Result<PathBuf, OpenError> {
    let number = if token.serial().is_empty() { token.label() } else { token.serial() };
    let number = percent_encoding::utf8_percent_encode(number, percent_encoding::NON_ALPHANUMERIC);
    records_folder(&format!("pkcs11-{number}"))
}
