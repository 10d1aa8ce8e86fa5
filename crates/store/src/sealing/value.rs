//! How a value is sealed: version 1, generation (4 bytes, big-endian), then what the AEAD makes.

use strongroom_crypto::AeadKey;
use zeroize::Zeroizing;

use crate::records::{RecordKey, RecordsError};

pub(super) const VERSION: u8 = 1;

/// Seals a value.
pub(super) fn seal(
    data_key: &AeadKey,
    key: &RecordKey,
    generation: u32,
    plain: &[u8],
) -> Result<Vec<u8>, RecordsError> {
    let sealed = data_key
        .seal(&associated_data(key, generation), plain)
        .map_err(|fault| RecordsError::Unavailable(format!("a value cannot be sealed: {fault}")))?;
    let mut value = Vec::with_capacity(sealed.len().saturating_add(5));
    value.push(VERSION);
    value.extend_from_slice(&generation.to_be_bytes());
    value.extend_from_slice(&sealed);
    Ok(value)
}

/// Which generation a value says it is sealed under.
pub(super) fn generation(key: &RecordKey, value: &[u8]) -> Result<u32, RecordsError> {
    parse(value).map(|(generation, _)| generation).ok_or_else(|| damaged(key))
}

/// Opens a value.
pub(super) fn open(data_key: &AeadKey, key: &RecordKey, value: &[u8]) -> Result<Zeroizing<Vec<u8>>, RecordsError> {
    let (generation, sealed) = parse(value).ok_or_else(|| damaged(key))?;
    let opened = data_key.open(&associated_data(key, generation), sealed).map_err(|_forged| damaged(key))?;
    Ok(Zeroizing::new(opened.expose().clone()))
}

/// What is read is not what was written. Names the space and nothing else.
pub(super) fn damaged(key: &RecordKey) -> RecordsError {
    RecordsError::Corrupt(format!("a record of the space {:?} is not what was written", key.space()))
}

fn parse(value: &[u8]) -> Option<(u32, &[u8])> {
    let (version, rest) = value.split_first()?;
    let (generation, sealed) = rest.split_first_chunk()?;
    (*version == VERSION).then_some((u32::from_be_bytes(*generation), sealed))
}

fn associated_data(key: &RecordKey, generation: u32) -> Vec<u8> {
    [b"strongroom.record.v1\0", generation.to_be_bytes().as_slice(), key.as_str().as_bytes()].concat()
}
