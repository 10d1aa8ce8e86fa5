//! Paddings of RSA signatures (RFC 8017 sections 9.1.1 and 9.2), for TPMs that lack a hash or choose
//! another length of salt than the digest's: the TPM then does the raw operation only.

use strongroom_crypto::{random_bytes, sha256, sha384, sha512};
use strongroom_wire::algorithms::SignatureAlgorithm;

use super::fault::Fault;

/// What the private key has to be applied to, as long as the modulus.
pub(super) fn encode(algorithm: SignatureAlgorithm, digest: &[u8], length: usize) -> Result<Vec<u8>, Fault> {
    use SignatureAlgorithm::{PS256, PS384, PS512, RS256, RS384, RS512};
    match algorithm {
        RS256 | RS384 | RS512 => pkcs1(digest, length),
        PS256 => pss(|data| sha256(data).to_vec(), digest, length),
        PS384 => pss(|data| sha384(data).to_vec(), digest, length),
        PS512 => pss(|data| sha512(data).to_vec(), digest, length),
        _ => Err(Fault::Unsupported(format!("{algorithm} is no algorithm of RSA"))),
    }
}

const SHORT: Fault = Fault::Malformed("the key is too short for the digest");

/// EMSA-PKCS1-v1_5.
fn pkcs1(digest: &[u8], length: usize) -> Result<Vec<u8>, Fault> {
    // DigestInfo of SHA-256, SHA-384 and SHA-512 differ in three bytes.
    let (total, identifier, octets) = match digest.len() {
        32 => (0x31, 1, 32),
        48 => (0x41, 2, 48),
        _ => (0x51, 3, 64),
    };
    let info = [
        &[0x30, total, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, identifier][..],
        &[0x05, 0x00, 0x04, octets],
        digest,
    ]
    .concat();
    let filling = length.checked_sub(info.len().saturating_add(3)).filter(|filling| *filling >= 8).ok_or(SHORT)?;
    Ok([&[0, 1], vec![0xff; filling].as_slice(), &[0], &info].concat())
}

/// EMSA-PSS with MGF1 of the same hash and a salt as long as the digest. The modulus has a multiple
/// of eight bits.
fn pss(hash: fn(&[u8]) -> Vec<u8>, digest: &[u8], length: usize) -> Result<Vec<u8>, Fault> {
    let random = random_bytes::<64>()?;
    let salt = random.get(..digest.len()).ok_or(SHORT)?;
    let hashed = hash(&[&[0; 8], digest, salt].concat());
    let data_len = length.checked_sub(hashed.len().saturating_add(1)).ok_or(SHORT)?;
    let zeros = data_len.checked_sub(salt.len().saturating_add(1)).ok_or(SHORT)?;
    let mut data = [vec![0; zeros].as_slice(), &[1], salt].concat();
    let blocks = (0u32..).map(|counter| hash(&[hashed.as_slice(), &counter.to_be_bytes()].concat()));
    for (byte, mask) in data.iter_mut().zip(blocks.flatten()) {
        *byte ^= mask;
    }
    if let Some(first) = data.first_mut() {
        *first &= 0x7f;
    }
    Ok([data.as_slice(), &hashed, &[0xbc]].concat())
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::process::Command;

    use strongroom_crypto::PrivateKey;

    use super::*;

    fn openssl(folder: &Path, arguments: &[&str]) {
        let ran = Command::new("openssl").args(arguments).current_dir(folder).output().unwrap();
        assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    }

    #[test]
    fn raw_rsa_over_it_is_a_signature() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        if Command::new("openssl").arg("version").output().is_err() {
            strongroom_store::conformance::skipped("tpm2: paddings", "openssl is not installed");
            return;
        }
        openssl(folder, &["genpkey", "-algorithm", "RSA", "-out", "pem"]);
        openssl(folder, &["pkcs8", "-topk8", "-nocrypt", "-in", "pem", "-outform", "DER", "-out", "key"]);
        let key = PrivateKey::from_pkcs8(&std::fs::read(folder.join("key")).unwrap()).unwrap();
        for algorithm in SignatureAlgorithm::ALL.iter().copied().filter(|algorithm| algorithm.curve().is_none()) {
            let digest = vec![7; algorithm.digest_len()];
            std::fs::write(folder.join("in"), encode(algorithm, &digest, 256).unwrap()).unwrap();
            let raw = ["pkeyutl", "-decrypt", "-inkey", "key", "-keyform", "DER", "-in", "in", "-out", "out"];
            openssl(folder, &[&raw[..], &["-pkeyopt", "rsa_padding_mode:none"]].concat());
            let signature = std::fs::read(folder.join("out")).unwrap();
            assert!(key.public().verify(algorithm, &digest, &signature).unwrap(), "{algorithm}");
            assert!(encode(algorithm, &digest, 40).is_err());
        }
        assert!(encode(SignatureAlgorithm::ES256, &[0; 32], 256).is_err());
    }
}
