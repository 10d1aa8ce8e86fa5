//! The key that seals a vault's records, as a sealed data object of the TPM.
//!
//! `seal.tpm2` beside the records: "STRT", a format byte, the name of the storage root key, and the
//! object's public and private areas, each behind two bytes of length. It is of no use without the
//! TPM.

use std::path::Path;
use std::{fs, io};

use strongroom_crypto::random_bytes;
use zeroize::Zeroizing;

use crate::whole_file;

use super::commands::Object;
use super::fault::{Code, Fault};
use super::tpm::Tpm;
use super::wire::{Reader, Writer};

const FILE: &str = "seal.tpm2";
const MAGIC: &[u8; 5] = b"STRT\x01";
const KEY_LEN: usize = 32;

/// The key that seals the records in `folder`, which the caller holds. With `fresh`, it is made
/// when there is none.
pub(super) fn key(tpm: &mut Tpm, folder: &Path, fresh: bool) -> Result<Zeroizing<[u8; KEY_LEN]>, Fault> {
    let file = folder.join(FILE);
    let io = |fault: io::Error| Fault::Other(format!("{}: {fault}", file.display()));
    match fs::read(&file) {
        Ok(blob) => open(tpm, &file, &blob),
        Err(fault) if fault.kind() == io::ErrorKind::NotFound && fresh => {
            let key = Zeroizing::new(random_bytes::<KEY_LEN>()?);
            let object = tpm.seal(key.as_slice())?;
            let parent = tpm.parent()?.storage.name;
            let blob = Writer::new().raw(MAGIC).sized(&parent).raw(&object.to_blob()?).finish()?;
            whole_file::write(&file, &blob).map_err(io)?;
            Ok(key)
        }
        Err(fault) if fault.kind() == io::ErrorKind::NotFound => Err(Fault::Other(format!(
            "{} is gone, without which the records beside it do not open: restore it from a backup",
            file.display()
        ))),
        Err(fault) => Err(io(fault)),
    }
}

fn open(tpm: &mut Tpm, file: &Path, blob: &[u8]) -> Result<Zeroizing<[u8; KEY_LEN]>, Fault> {
    let damaged = || Fault::Other(format!("{} is damaged: restore it from a backup", file.display()));
    let other = || {
        Fault::Refused(format!(
            "the TPM does not open {}: these records belong to another TPM, to this one before it was cleared, or to \
             another storage root key of it (persistent=)",
            file.display()
        ))
    };
    let mut reader = Reader::new(blob.strip_prefix(MAGIC).ok_or_else(damaged)?);
    let name = reader.sized().map_err(|_short| damaged())?;
    let object = reader.rest();
    Object::from_blob(object).map_err(|_short| damaged())?;
    if tpm.parent()?.storage.name != name {
        return Err(other());
    }
    let opened = tpm.unseal(object).map_err(|fault| match fault {
        fault if [Code::INTEGRITY, Code::SIZE, Code::ATTRIBUTES].into_iter().any(|code| fault.is(code)) => damaged(),
        fault => fault,
    })?;
    let key: [u8; KEY_LEN] = opened.as_slice().try_into().map_err(|_length| damaged())?;
    Ok(Zeroizing::new(key))
}
