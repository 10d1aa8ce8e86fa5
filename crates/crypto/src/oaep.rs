//! RSAES-OAEP decoding, for key custodians that offer no more than the raw RSA operation.

use strongroom_wire::algorithms::EncryptionAlgorithm;
use strongroom_wire::sensitive::Sensitive;
use subtle::{Choice, ConditionallySelectable as _, ConstantTimeEq as _};
use zeroize::Zeroizing;

use crate::digest::{sha1, sha256};
use crate::error::CryptoError;

/// The message in an encoded one (RFC 8017 section 7.1.2, step 3, with an empty label): what raw RSA
/// made of a ciphertext, as long as the modulus. MGF1 uses the same digest.
///
/// The time tells whether the encoding is right and, if it is, how long the message is; nothing
/// about why it is not (Manger).
///
/// # Errors
/// `DecryptionFailed`, always alike; `AlgorithmMismatch` for what is not OAEP.
pub fn oaep_decode(algorithm: EncryptionAlgorithm, encoded: &[u8]) -> Result<Sensitive<Vec<u8>>, CryptoError> {
    let hash: fn(&[u8]) -> Vec<u8> = match algorithm {
        EncryptionAlgorithm::RsaOaep => |data| sha1(data).to_vec(),
        EncryptionAlgorithm::RsaOaep256 => |data| sha256(data).to_vec(),
        EncryptionAlgorithm::Rsa15 => {
            return Err(CryptoError::AlgorithmMismatch(format!("{algorithm} is not an OAEP algorithm")));
        }
    };
    let of_label = hash(b"");
    let mut block = Zeroizing::new(encoded.to_vec());
    let (first, rest) = block.split_first_mut().ok_or(CryptoError::DecryptionFailed)?;
    let (seed, data) = rest.split_at_mut_checked(of_label.len()).ok_or(CryptoError::DecryptionFailed)?;
    mask(hash, seed, data);
    mask(hash, data, seed);
    let (label, padded) = data.split_at_checked(of_label.len()).ok_or(CryptoError::DecryptionFailed)?;

    let mut good = first.ct_eq(&0) & label.ct_eq(&of_label);
    // Zeros, then a one, then the message.
    let (mut looking, mut start) = (Choice::from(1), 0u32);
    for (index, byte) in (1u32..).zip(padded) {
        let (zero, one) = (byte.ct_eq(&0), byte.ct_eq(&1));
        start.conditional_assign(&index, looking & one);
        good &= !looking | zero | one;
        looking &= !one;
    }
    good &= !looking;
    if !bool::from(good) {
        return Err(CryptoError::DecryptionFailed);
    }
    let message = usize::try_from(start).ok().and_then(|start| padded.get(start..));
    Ok(Sensitive::new(message.ok_or(CryptoError::DecryptionFailed)?.to_vec()))
}

/// XORs `target` with MGF1 of `seed` (RFC 8017 appendix B.2.1).
fn mask(hash: fn(&[u8]) -> Vec<u8>, target: &mut [u8], seed: &[u8]) {
    let mut input = Zeroizing::new(Vec::with_capacity(seed.len().saturating_add(4)));
    for (counter, block) in (0u32..).zip(target.chunks_mut(hash(b"").len())) {
        input.clear();
        input.extend_from_slice(seed);
        input.extend_from_slice(&counter.to_be_bytes());
        let mask = Zeroizing::new(hash(&input));
        for (byte, mask) in block.iter_mut().zip(mask.iter()) {
            *byte ^= mask;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OAEP256: EncryptionAlgorithm = EncryptionAlgorithm::RsaOaep256;

    /// RFC 8017 section 7.1.1, step 2, with a given data block.
    fn encoded(first: u8, data: &[u8]) -> Vec<u8> {
        let hash: fn(&[u8]) -> Vec<u8> = |data| sha256(data).to_vec();
        let (mut seed, mut data) = (vec![9; 32], data.to_vec());
        mask(hash, &mut data, &seed);
        mask(hash, &mut seed, &data);
        [vec![first], seed, data].concat()
    }

    fn data_block(padding: usize, message: &[u8]) -> Vec<u8> {
        [&sha256(b"")[..], &vec![0; padding], &[1], message].concat()
    }

    #[test]
    fn messages_of_every_length_come_back() {
        for length in 0..=190usize {
            let message: Vec<u8> = (0..length).map(|byte| u8::try_from(byte).unwrap()).collect();
            let block = encoded(0, &data_block(190 - length, &message));
            assert_eq!(block.len(), 256);
            assert_eq!(oaep_decode(OAEP256, &block).unwrap().expose(), &message);
        }
    }

    #[test]
    fn what_is_not_so_encoded_is_refused_alike() {
        let good = encoded(0, &data_block(182, b"messages"));
        let mut wrong = vec![
            encoded(1, &data_block(182, b"messages")),
            encoded(0, &[&sha256(b"")[..], &[0; 191]].concat()),
            encoded(0, &[&sha256(b"")[..], &[0, 2, 1], &[7; 188]].concat()),
            encoded(0, &[&sha256(b"label")[..], &[1], &[7; 190]].concat()),
        ];
        wrong.extend((0..66).map(|length| good[..length].to_vec()));
        for bit in 0..good.len() * 8 {
            let mut altered = good.clone();
            altered[bit / 8] ^= 1 << (bit % 8);
            // In the message, too: the seed depends on it.
            wrong.push(altered);
        }
        for block in wrong {
            assert_eq!(oaep_decode(OAEP256, &block).unwrap_err(), CryptoError::DecryptionFailed);
        }
        assert!(oaep_decode(EncryptionAlgorithm::RsaOaep, &good).is_err());
        assert!(oaep_decode(EncryptionAlgorithm::Rsa15, &good).is_err());
    }
}
