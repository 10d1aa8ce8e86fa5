//! A stream cipher with authenticated chunks: STREAM (Hoang, Reyhanitabar, Rogaway, Vizár 2015) over
//! AES-256-GCM. The nonce is prefix (7 bytes) ‖ chunk's number (4) ‖ 1 for the last chunk, else 0:
//! chunks that are missing, moved, repeated or added do not open.

use std::fmt;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, MAX_TAG_LEN, Nonce, UnboundKey};

use crate::error::CryptoError;

/// One direction of a stream. A key and prefix make one stream and no more: take a random key for
/// each.
pub struct ChunkCipher {
    cipher: LessSafeKey,
    prefix: [u8; 7],
    aad: Vec<u8>,
    next: Option<u32>,
}

impl ChunkCipher {
    /// By how much a chunk grows.
    pub const OVERHEAD: usize = MAX_TAG_LEN;

    /// A stream whose every chunk is bound to `aad`.
    ///
    /// # Errors
    /// `Internal` if aws-lc refuses, which it does for lack of memory only.
    pub fn new(key: &[u8; 32], prefix: [u8; 7], aad: Vec<u8>) -> Result<Self, CryptoError> {
        let unbound = UnboundKey::new(&AES_256_GCM, key)
            .map_err(|_unspecified| CryptoError::Internal("AES-256-GCM could not be set up"))?;
        Ok(Self { cipher: LessSafeKey::new(unbound), prefix, aad, next: Some(0) })
    }

    /// Encrypts the next chunk in place; it grows by [`Self::OVERHEAD`].
    ///
    /// # Errors
    /// `InvalidInput` after the last chunk, and after 2³² of them.
    pub fn seal(&mut self, chunk: &mut Vec<u8>, last: bool) -> Result<(), CryptoError> {
        let nonce = self.nonce(last)?;
        self.cipher
            .seal_in_place_append_tag(nonce, Aad::from(&self.aad), chunk)
            .map_err(|_unspecified| CryptoError::Internal("AES-256-GCM could not seal"))
    }

    /// Decrypts the next chunk in place; it shrinks by [`Self::OVERHEAD`]. After an error the chunk
    /// is empty.
    ///
    /// # Errors
    /// `DecryptionFailed` if it is not the next one, or not the last one as told, or altered.
    pub fn open(&mut self, chunk: &mut Vec<u8>, last: bool) -> Result<(), CryptoError> {
        let nonce = self.nonce(last)?;
        let opened = self.cipher.open_in_place(nonce, Aad::from(&self.aad), chunk).map(|text| text.len());
        chunk.truncate(opened.unwrap_or(0));
        opened.map(drop).map_err(|_unspecified| CryptoError::DecryptionFailed)
    }

    fn nonce(&mut self, last: bool) -> Result<Nonce, CryptoError> {
        let over = || CryptoError::InvalidInput("the stream has ended".to_owned());
        let number = self.next.ok_or_else(over)?;
        self.next = if last { None } else { number.checked_add(1) };
        let [a, b, c, d, e, f, g] = self.prefix;
        let [h, i, j, k] = number.to_be_bytes();
        Ok(Nonce::assume_unique_for_key([a, b, c, d, e, f, g, h, i, j, k, u8::from(last)]))
    }
}

impl fmt::Debug for ChunkCipher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ChunkCipher")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cipher(aad: &[u8]) -> ChunkCipher {
        ChunkCipher::new(&[7; 32], [1; 7], aad.to_vec()).unwrap()
    }

    #[test]
    fn only_the_same_chunks_in_the_same_order_open() {
        let mut sealing = cipher(b"head");
        let mut chunks = [b"one".to_vec(), b"two".to_vec(), Vec::new()];
        for (number, chunk) in chunks.iter_mut().enumerate() {
            sealing.seal(chunk, number == 2).unwrap();
        }
        assert!(sealing.seal(&mut Vec::new(), false).is_err(), "nothing comes after the last");
        let opens = |aad: &[u8], order: &[(usize, bool)]| {
            let mut opening = cipher(aad);
            order.iter().all(|&(number, last)| opening.open(&mut chunks[number].clone(), last).is_ok())
        };
        assert!(opens(b"head", &[(0, false), (1, false), (2, true)]));
        assert!(!opens(b"other", &[(0, false)]));
        assert!(!opens(b"head", &[(1, false)]));
        assert!(!opens(b"head", &[(0, false), (1, true)]), "cut off");
        assert!(!opens(b"head", &[(0, false), (0, false)]), "repeated");
        assert!(!opens(b"head", &[(0, false), (1, false), (2, false)]), "the last is not the last");
    }
}
