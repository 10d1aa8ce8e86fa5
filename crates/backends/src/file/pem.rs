//! PKCS#8 under a passphrase (RFC 8018, PBES2), as OpenSSL reads it.

use pkcs8::der::asn1::OctetStringRef;
use pkcs8::der::{Decode as _, SecretDocument};
use pkcs8::pkcs5::EncryptionScheme;
use pkcs8::pkcs5::pbes2::{Kdf as Stored, Parameters};
use pkcs8::pkcs5::scrypt::Params;
use pkcs8::{EncryptedPrivateKeyInfoRef, LineEnding};
use strongroom_crypto::random_bytes;
use zeroize::Zeroizing;

const LABEL: &str = "ENCRYPTED PRIVATE KEY";

/// 16 MiB and five passes, one of OWASP's choices. OpenSSL takes no more than 32 MiB unless told to.
const LOG_N: u8 = 14;
const BLOCK_SIZE: u32 = 8;
const PASSES: u32 = 5;
/// OWASP's number for HMAC-SHA256.
const ITERATIONS: u32 = 600_000;
/// No parameters read from a file make us take more than this.
const MOST_MEMORY: u64 = 256 << 20;
const MOST_PASSES: u16 = 16;
const MOST_ITERATIONS: u32 = 10_000_000;

/// How a key is derived from the passphrase.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kdf {
    /// scrypt (RFC 7914), 16 MiB.
    Scrypt,
    /// PBKDF2 with HMAC-SHA256, 600,000 iterations, for where FIPS asks for it.
    Pbkdf2,
}

/// Encrypts a PKCS#8 document with AES-256-CBC; salt and IV are random. PEM.
pub(super) fn encrypt(der: &[u8], passphrase: &str, kdf: Kdf) -> Result<Zeroizing<String>, String> {
    let fault = |fault: &dyn std::fmt::Display| format!("a key could not be encrypted: {fault}");
    let salt = random_bytes::<16>().map_err(|error| fault(&error))?;
    let iv = random_bytes::<16>().map_err(|error| fault(&error))?;
    let parameters = match kdf {
        Kdf::Scrypt => {
            let params = Params::new(LOG_N, BLOCK_SIZE, PASSES).map_err(|error| fault(&error))?;
            Parameters::generate_scrypt_aes256cbc(params, &salt, iv)
        }
        Kdf::Pbkdf2 => Parameters::generate_pbkdf2_sha256_aes256cbc(ITERATIONS, &salt, iv),
    };
    let parameters = parameters.map_err(|error| fault(&error))?;
    let encrypted = parameters.encrypt(passphrase, der).map_err(|error| fault(&error))?;
    let info = EncryptedPrivateKeyInfoRef {
        encryption_algorithm: EncryptionScheme::from(parameters),
        encrypted_data: OctetStringRef::new(&encrypted).map_err(|error| fault(&error))?,
    };
    let document = SecretDocument::try_from(info).map_err(|error| fault(&error))?;
    document.to_pem(LABEL, LineEnding::LF).map_err(|error| fault(&error))
}

/// Decrypts what [`encrypt`] or OpenSSL wrote. CBC does not tell an altered file from a right one:
/// the caller compares the key with what it must be.
pub(super) fn decrypt(text: &str, passphrase: &str) -> Result<Zeroizing<Vec<u8>>, &'static str> {
    let (label, document) = SecretDocument::from_pem(text).map_err(|_fault| "it is not a PEM file")?;
    if label != LABEL {
        return Err("it is not an ENCRYPTED PRIVATE KEY");
    }
    let info = EncryptedPrivateKeyInfoRef::from_der(document.as_bytes()).map_err(|_fault| "it is damaged")?;
    let EncryptionScheme::Pbes2(parameters) = &info.encryption_algorithm else {
        return Err("it is encrypted by an old method; use PBES2 (openssl pkcs8 -topk8 -v2 aes256)");
    };
    let bearable = match &parameters.kdf {
        Stored::Scrypt(scrypt) => {
            let memory = scrypt.cost_parameter.saturating_mul(u64::from(scrypt.block_size)).saturating_mul(128);
            memory <= MOST_MEMORY && scrypt.parallelization <= MOST_PASSES
        }
        Stored::Pbkdf2(pbkdf2) => pbkdf2.iteration_count <= MOST_ITERATIONS,
        _ => false,
    };
    if !bearable {
        return Err("opening it would take too much memory or time");
    }
    let mut bytes = Zeroizing::new(info.encrypted_data.as_bytes().to_vec());
    let length = parameters.decrypt_in_place(passphrase, &mut bytes).map(<[u8]>::len);
    let length = length.map_err(|_fault| "it was altered, or is under another passphrase")?;
    bytes.truncate(length);
    Ok(bytes)
}
