//! Secrets for a TPM: sent to one of its storage keys, and what is derived from them (TPM 2.0
//! Library, part 1, annexes B and C, sections 11.4.10 and 23.3).

use aws_lc_rs::agreement::{ECDH_P256, EphemeralPrivateKey, UnparsedPublicKey, agree_ephemeral};
use aws_lc_rs::cipher::{
    AES_128, AES_256, DecryptingKey, DecryptionContext, EncryptingKey, EncryptionContext, UnboundCipherKey,
};
use aws_lc_rs::iv::FixedLength;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{OAEP_SHA256_MGF1SHA256, OaepPublicEncryptingKey, PublicEncryptingKey};
use aws_lc_rs::signature::RsaPublicKeyComponents;
use strongroom_crypto::{hmac_sha256, random_bytes, sha256};
use strongroom_wire::jwk::PublicJwk;
use zeroize::{Zeroize as _, Zeroizing};

use super::fault::Fault;
use super::public::{self, Storage};
use super::wire::Writer;

/// What only the TPM and we know.
pub(super) type Secret = Zeroizing<[u8; 32]>;

const FAILED: Fault = Fault::Malformed("its storage key cannot be used");

/// A new secret, and what to send so that the TPM of `parent` has it too. The label says what for.
pub(super) fn shared_with(parent: &Storage, label: &[u8]) -> Result<(Secret, Zeroizing<Vec<u8>>), Fault> {
    match &parent.key {
        PublicJwk::Ec { x, y, .. } => {
            let failed = |_fault| FAILED;
            let own = EphemeralPrivateKey::generate(&ECDH_P256, &SystemRandom::new()).map_err(failed)?;
            let point = own.compute_public_key().map_err(failed)?;
            let (own_x, own_y) = point.as_ref().get(1..).and_then(|both| both.split_at_checked(32)).ok_or(FAILED)?;
            let theirs = UnparsedPublicKey::new(&ECDH_P256, [&[4], x.0.as_slice(), &y.0].concat());
            let seed = agree_ephemeral(own, theirs, FAILED, |z| Ok(kdfe(z, label, own_x, &x.0)))?;
            Ok((seed, Writer::new().sized(own_x).sized(own_y).finish()?))
        }
        PublicJwk::Rsa { n, e } => {
            let failed = |_fault| FAILED;
            let seed = Zeroizing::new(random_bytes::<32>()?);
            let key: PublicEncryptingKey =
                RsaPublicKeyComponents { n: n.0.as_slice(), e: e.0.as_slice() }.try_into().map_err(failed)?;
            let key = OaepPublicEncryptingKey::new(key).map_err(failed)?;
            let mut out = Zeroizing::new(vec![0; key.ciphertext_size()]);
            let label = [label, &[0]].concat();
            key.encrypt(&OAEP_SHA256_MGF1SHA256, seed.as_slice(), &mut out, Some(&label)).map_err(failed)?;
            Ok((seed, out))
        }
    }
}

/// `KDFa` with SHA-256, for at most 256 bits.
pub(super) fn kdfa(key: &[u8], label: &[u8], context: [&[u8]; 2], bits: u32) -> Secret {
    let [first, second] = context;
    let input = [&1u32.to_be_bytes(), label, &[0], first, second, &bits.to_be_bytes()].concat();
    Zeroizing::new(hmac_sha256(key, &input))
}

/// `KDFe` with SHA-256, for 256 bits.
fn kdfe(z: &[u8], label: &[u8], ours: &[u8], theirs: &[u8]) -> Secret {
    let input = Zeroizing::new([&1u32.to_be_bytes(), z, label, &[0], ours, theirs].concat());
    Zeroizing::new(sha256(&input))
}

/// AES-CFB, 128 or 256 bits of key, in place.
pub(super) fn encrypt(key: &[u8], iv: [u8; 16], data: &mut [u8]) -> Result<(), Fault> {
    let key = EncryptingKey::cfb128(aes(key)?).map_err(|_fault| FAILED)?;
    let context = EncryptionContext::Iv128(FixedLength::from(iv));
    key.less_safe_encrypt(data, context).map(drop).map_err(|_fault| FAILED)
}

/// The way back.
pub(super) fn decrypt(key: &[u8], iv: [u8; 16], data: &mut [u8]) -> Result<(), Fault> {
    let key = DecryptingKey::cfb128(aes(key)?).map_err(|_fault| FAILED)?;
    let context = DecryptionContext::Iv128(FixedLength::from(iv));
    key.decrypt(data, context).map(drop).map_err(|_fault| FAILED)
}

fn aes(key: &[u8]) -> Result<UnboundCipherKey, Fault> {
    let algorithm = if key.len() == 16 { &AES_128 } else { &AES_256 };
    UnboundCipherKey::new(algorithm, key).map_err(|_fault| FAILED)
}

/// A private half, wrapped for import under `parent`: what `TPM2_Import` takes as `duplicate` and
/// `inSymSeed`.
pub(super) struct Wrapped {
    pub(super) duplicate: Zeroizing<Vec<u8>>,
    pub(super) seed: Zeroizing<Vec<u8>>,
}

/// Wraps the private half of the key whose public area is `area`: a prime of RSA, or the scalar.
pub(super) fn wrap(parent: &Storage, area: &[u8], private: &[u8]) -> Result<Wrapped, Fault> {
    let kind = area.get(..2).ok_or(FAILED)?;
    let sensitive = Writer::new().raw(kind).sized(&[]).sized(&[]).sized(private).finish()?;
    let mut sensitive = Writer::new().sized(&sensitive).finish()?;
    let name = public::name(area);
    let (seed, encrypted_seed) = shared_with(parent, b"DUPLICATE")?;
    let bytes = usize::from(parent.aes_bits / 8);
    let storage = kdfa(seed.as_slice(), b"STORAGE", [&name, &[]], u32::from(parent.aes_bits));
    let key = storage.get(..bytes).filter(|_| bytes == 16 || bytes == 32).ok_or(FAILED)?;
    encrypt(key, [0; 16], &mut sensitive)?;
    let mut integrity = kdfa(seed.as_slice(), b"INTEGRITY", [&[], &[]], 256);
    let outer = hmac_sha256(integrity.as_slice(), &[sensitive.as_slice(), &name].concat());
    integrity.zeroize();
    let duplicate = Writer::new().sized(&outer).raw(&sensitive).finish()?;
    Ok(Wrapped { duplicate, seed: encrypted_seed })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cfb_gives_back_what_it_was_given() {
        for key in [&[7; 16][..], &[7; 32]] {
            let mut data = *b"thirty-seven bytes, which is no block";
            encrypt(key, [9; 16], &mut data).unwrap();
            assert_ne!(&data, b"thirty-seven bytes, which is no block");
            decrypt(key, [9; 16], &mut data).unwrap();
            assert_eq!(&data, b"thirty-seven bytes, which is no block");
        }
        assert!(encrypt(&[1; 7], [0; 16], &mut [1]).is_err());
    }
}
