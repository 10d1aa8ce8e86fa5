//! Signatures and ciphertexts as bytes or as text.

use std::io::IsTerminal as _;
use std::path::Path;

use strongroom_wire::base64url;

use crate::cli::Encoding;
use crate::commands::objects::write_bytes;
use crate::failure::Failure;

/// Writes bytes: as they are, and to a terminal as base64url, unless told otherwise.
pub(super) fn write(bytes: &[u8], encoding: Option<Encoding>, out: Option<&Path>) -> Result<(), Failure> {
    let at_terminal = out.is_none() && std::io::stdout().is_terminal();
    let usual = if at_terminal { Encoding::Base64url } else { Encoding::Binary };
    match encoding.unwrap_or(usual) {
        Encoding::Binary => write_bytes(bytes, out),
        Encoding::Base64url => write_bytes(format!("{}\n", base64url::encode(bytes)).as_bytes(), out),
        Encoding::Hex => write_bytes(format!("{}\n", hex::encode(bytes)).as_bytes(), out),
    }
}

/// Reads what was written so.
pub(super) fn read(bytes: &[u8], encoding: Encoding) -> Result<Vec<u8>, Failure> {
    let text = || std::str::from_utf8(bytes).map(str::trim).ok();
    let decoded = match encoding {
        Encoding::Binary => return Ok(bytes.to_vec()),
        Encoding::Base64url => text().and_then(|text| base64url::decode(text).ok()),
        Encoding::Hex => text().and_then(|text| hex::decode(text).ok()),
    };
    decoded.ok_or_else(|| Failure::usage("what goes in is not in the encoding that --encoding names"))
}

/// A digest of so many bytes, in hexadecimal or base64url.
pub(super) fn digest(text: &str, length: usize) -> Result<Vec<u8>, Failure> {
    let digest = match hex::decode(text) {
        Ok(digest) if digest.len() == length => Some(digest),
        _ => base64url::decode(text).ok().filter(|digest| digest.len() == length),
    };
    digest.ok_or_else(|| {
        Failure::usage(format!("--digest: the algorithm signs a digest of {length} bytes, in hexadecimal or base64url"))
    })
}
