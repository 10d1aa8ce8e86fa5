//! The envelope: AES-256-GCM (NIST SP 800-38D) with a random nonce.

use std::fmt;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, MAX_TAG_LEN, NONCE_LEN, Nonce, UnboundKey};
use strongroom_wire::sensitive::Sensitive;
use zeroize::Zeroizing;

use crate::error::CryptoError;
use crate::random::random_bytes;

/// A key that seals. The AES key schedule is computed once.
///
/// Nonces are random, so one key should seal no more than 2³² messages.
pub struct AeadKey {
    bytes: Zeroizing<[u8; 32]>,
    cipher: LessSafeKey,
}

impl AeadKey {
    /// A random key.
    ///
    /// # Errors
    /// `Internal` if the generator fails.
    pub fn generate() -> Result<Self, CryptoError> {
        Self::from_bytes(&Zeroizing::new(random_bytes()?))
    }

    /// The key that has these bytes.
    ///
    /// # Errors
    /// `Internal` if aws-lc refuses, which it does for lack of memory only.
    pub fn from_bytes(bytes: &[u8; 32]) -> Result<Self, CryptoError> {
        let unbound = UnboundKey::new(&AES_256_GCM, bytes)
            .map_err(|_unspecified| CryptoError::Internal("AES-256-GCM could not be set up"))?;
        Ok(Self { bytes: Zeroizing::new(*bytes), cipher: LessSafeKey::new(unbound) })
    }

    /// The key itself, to be wrapped by another.
    #[must_use]
    pub fn expose(&self) -> &[u8; 32] {
        &self.bytes
    }

    /// Encrypts `plaintext` and authenticates it together with `aad`.
    ///
    /// Returns nonce (12 bytes) ‖ ciphertext ‖ tag (16 bytes).
    ///
    /// # Errors
    /// `Internal` if the generator or the cipher fails.
    pub fn seal(&self, aad: &[u8], plaintext: &[u8]) -> Result<Vec<u8>, CryptoError> {
        let nonce = random_bytes::<NONCE_LEN>()?;
        let mut sealed = vec![0; NONCE_LEN + plaintext.len() + MAX_TAG_LEN];
        let (nonce_out, rest) = sealed.split_at_mut(NONCE_LEN);
        nonce_out.copy_from_slice(&nonce);
        let (text, tag_out) = rest.split_at_mut(plaintext.len());
        text.copy_from_slice(plaintext);
        let tag = self
            .cipher
            .seal_in_place_separate_tag(Nonce::assume_unique_for_key(nonce), Aad::from(aad), text)
            .map_err(|_unspecified| CryptoError::Internal("AES-256-GCM could not seal"))?;
        tag_out.copy_from_slice(tag.as_ref());
        Ok(sealed)
    }

    /// Undoes [`AeadKey::seal`].
    ///
    /// # Errors
    /// `DecryptionFailed` if the key or `aad` is another, or anything was altered.
    pub fn open(&self, aad: &[u8], sealed: &[u8]) -> Result<Sensitive<Vec<u8>>, CryptoError> {
        let (nonce, rest) = sealed.split_first_chunk::<NONCE_LEN>().ok_or(CryptoError::DecryptionFailed)?;
        let mut text = Zeroizing::new(rest.to_vec());
        let length = self
            .cipher
            .open_in_place(Nonce::assume_unique_for_key(*nonce), Aad::from(aad), &mut text)
            .map_err(|_unspecified| CryptoError::DecryptionFailed)?
            .len();
        text.truncate(length);
        Ok(Sensitive::new(std::mem::take(&mut *text)))
    }
}

impl fmt::Debug for AeadKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AeadKey")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seals_and_opens() {
        let key = AeadKey::generate().unwrap();
        let again = AeadKey::from_bytes(key.expose()).unwrap();
        for length in [0, 1, 15, 16, 17, 1000] {
            let text = vec![7; length];
            let sealed = key.seal(b"where", &text).unwrap();
            assert_eq!(sealed.len(), 12 + length + 16);
            assert_eq!(again.open(b"where", &sealed).unwrap().expose(), &text);
        }
        assert_ne!(key.seal(b"", b"same").unwrap(), key.seal(b"", b"same").unwrap());
        assert_eq!(format!("{key:?}"), "AeadKey");
    }

    /// NIST CAVP gcmDecrypt256: the all-zero key and nonce of McGrew and Viega's test case 14.
    #[test]
    fn opens_a_published_vector() {
        let key = AeadKey::from_bytes(&[0; 32]).unwrap();
        let sealed =
            hex::decode("000000000000000000000000cea7403d4d606b6e074ec5d3baf39d18d0d1c8a799996bf0265b98b5d48ab919")
                .unwrap();
        assert_eq!(key.open(b"", &sealed).unwrap().expose(), &[0; 16]);
    }

    #[test]
    fn any_alteration_is_refused_alike() {
        let key = AeadKey::generate().unwrap();
        let sealed = key.seal(b"where", b"what").unwrap();
        for bit in 0..sealed.len() * 8 {
            let mut altered = sealed.clone();
            altered[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(key.open(b"where", &altered).unwrap_err(), CryptoError::DecryptionFailed);
        }
        for length in 0..sealed.len() {
            assert_eq!(key.open(b"where", &sealed[..length]).unwrap_err(), CryptoError::DecryptionFailed);
        }
        assert_eq!(key.open(b"elsewhere", &sealed).unwrap_err(), CryptoError::DecryptionFailed);
        let other = AeadKey::generate().unwrap();
        assert_eq!(other.open(b"where", &sealed).unwrap_err(), CryptoError::DecryptionFailed);
    }
}
