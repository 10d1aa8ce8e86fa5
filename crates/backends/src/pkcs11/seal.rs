//! The key that seals a vault's records, wrapped by a key that never leaves the token.
//!
//! `seal.p11` beside the records: "STRP", a format byte, the `CKA_ID` (16 bytes) of the wrapping key,
//! a nonce (12 bytes), then AES-256-GCM of 32 random bytes, with all before the nonce as associated
//! data.

use std::path::Path;
use std::{fs, io};

use cryptoki::context::Function;
use cryptoki::error::RvError;
use cryptoki::mechanism::Mechanism;
use cryptoki::mechanism::aead::GcmParams;
use cryptoki::object::{Attribute, AttributeType, KeyType, ObjectClass, ObjectHandle};
use cryptoki::session::Session;
use cryptoki::types::Ulong;
use strongroom_crypto::random_bytes;
use zeroize::Zeroizing;

use crate::whole_file;

use super::fault::Fault;
use super::objects;
use super::token::Token;

const FILE: &str = "seal.p11";
const LABEL: &str = "strongroom-seal";
const MAGIC: &[u8; 5] = b"STRP\x01";
const ID_LEN: usize = 16;
const NONCE_LEN: usize = 12;
const TAG_BITS: usize = 128;
const KEY_LEN: usize = 32;

/// The key that seals the records in `folder`, which the caller holds. With `fresh`, it is made
/// when there is none.
pub(super) fn key(token: &Token, folder: &Path, fresh: bool) -> Result<Zeroizing<[u8; KEY_LEN]>, Fault> {
    let file = folder.join(FILE);
    let io = |fault: io::Error| Fault::Other(format!("{}: {fault}", file.display()));
    match fs::read(&file) {
        Ok(blob) => open(token, &file, &blob),
        Err(fault) if fault.kind() == io::ErrorKind::NotFound && fresh => {
            let key = Zeroizing::new(random_bytes::<KEY_LEN>()?);
            let blob = token.with(|session, _| close(session, &key)).map_err(|fault| match fault {
                Fault::Answer(RvError::MechanismInvalid, _) => Fault::Unsupported(format!(
                    "the token {:?} has no AES-256-GCM, which it takes to seal the records of a vault",
                    token.label()
                )),
                other => other,
            })?;
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

fn close(session: &Session, key: &[u8; KEY_LEN]) -> Result<Vec<u8>, Fault> {
    let (wrapping, id) = wrapping_key(session)?;
    let mut nonce = random_bytes::<NONCE_LEN>()?;
    let head = [&MAGIC[..], &id].concat();
    // A token that insists on a nonce of its own writes it over ours.
    let sealed = session.encrypt(&gcm(&mut nonce, &head)?, wrapping, key)?;
    Ok([&head, &nonce[..], &sealed].concat())
}

fn open(token: &Token, file: &Path, blob: &[u8]) -> Result<Zeroizing<[u8; KEY_LEN]>, Fault> {
    let damaged = || Fault::Other(format!("{} is damaged: restore it from a backup", file.display()));
    let (head, rest) = blob.split_at_checked(MAGIC.len() + ID_LEN).ok_or_else(damaged)?;
    let id = head.strip_prefix(MAGIC).ok_or_else(damaged)?;
    let (nonce, sealed) = rest.split_first_chunk::<NONCE_LEN>().ok_or_else(damaged)?;
    let opened = token.with(|session, _| {
        let found = objects::find(session, ObjectClass::SECRET_KEY, id)?;
        let wrapping = found.first().ok_or_else(|| {
            Fault::Absent(format!(
                "the token {:?} does not hold the key that opens {}: these records belong to another token, or to \
                 one that was initialised again",
                token.label(),
                file.display()
            ))
        })?;
        let mut nonce = *nonce;
        let opened = session.decrypt(&gcm(&mut nonce, head)?, *wrapping, sealed).map(Zeroizing::new);
        opened.map_err(|fault| match Fault::from(fault) {
            Fault::Answer(_, Function::Decrypt) => damaged(),
            other => other,
        })
    })?;
    let key: [u8; KEY_LEN] = opened.as_slice().try_into().map_err(|_fault| damaged())?;
    Ok(Zeroizing::new(key))
}

/// The token's key for seals and its identifier; made at the first use of the token.
fn wrapping_key(session: &Session) -> Result<(ObjectHandle, Vec<u8>), Fault> {
    let known = [
        Attribute::Token(true),
        Attribute::Class(ObjectClass::SECRET_KEY),
        Attribute::Label(LABEL.as_bytes().to_vec()),
        Attribute::Sensitive(true),
        Attribute::Extractable(false),
    ];
    for object in session.find_objects(&known)? {
        for attribute in session.get_attributes(object, &[AttributeType::Id])? {
            if let Attribute::Id(id) = attribute
                && id.len() == ID_LEN
            {
                return Ok((object, id));
            }
        }
    }
    let id = objects::fresh_id()?.to_vec();
    let template = [
        Attribute::Token(true),
        Attribute::Private(true),
        Attribute::Class(ObjectClass::SECRET_KEY),
        Attribute::KeyType(KeyType::AES),
        Attribute::ValueLen(Ulong::try_from(KEY_LEN).map_err(Fault::from)?),
        Attribute::Sensitive(true),
        Attribute::Extractable(false),
        Attribute::Encrypt(true),
        Attribute::Decrypt(true),
        Attribute::Wrap(false),
        Attribute::Unwrap(false),
        Attribute::Id(id.clone()),
        Attribute::Label(LABEL.as_bytes().to_vec()),
    ];
    Ok((session.generate_key(&Mechanism::AesKeyGen, &template)?, id))
}

fn gcm<'a>(nonce: &'a mut [u8; NONCE_LEN], head: &'a [u8]) -> Result<Mechanism<'a>, Fault> {
    Ok(Mechanism::AesGcm(GcmParams::new(nonce, head, Ulong::try_from(TAG_BITS)?)?))
}
