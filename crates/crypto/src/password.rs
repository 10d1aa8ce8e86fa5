//! Argon2id (RFC 9106): client secrets at rest, and the root key from a passphrase.

use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{self, PasswordHasher, PasswordVerifier};
use argon2::{Algorithm, Argon2, Params, Version};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use strongroom_wire::base64url;
use zeroize::Zeroizing;

use crate::aead::AeadKey;
use crate::error::CryptoError;
use crate::random::random_bytes;

/// OWASP's first choice for Argon2id. Client secrets are random, and are checked for each token.
const SECRET_MEMORY_KIB: u32 = 19_456;
const SECRET_ITERATIONS: u32 = 2;

/// No parameters read from a file make us take more than this: 4 GiB, and a minute or so.
const MAX_MEMORY_KIB: u32 = 4 * 1024 * 1024;
const MAX_ITERATIONS: u32 = 256;
const MAX_PARALLELISM: u32 = 64;

/// Hashes a client secret: a PHC string, Argon2id with 19 MiB, 2 passes and a random salt.
///
/// # Errors
/// `Internal` if the generator fails or memory runs out.
pub fn hash_secret(secret: &str) -> Result<String, CryptoError> {
    let salt = random_bytes::<16>()?;
    argon2id(SECRET_MEMORY_KIB, SECRET_ITERATIONS, 1)?
        .hash_password_with_salt(secret.as_bytes(), &salt)
        .map(|hash| hash.to_string())
        .map_err(|_error| CryptoError::Internal("Argon2id could not hash"))
}

/// Whether `secret` is the one that `phc` was made from; the hashes are compared in constant time.
///
/// # Errors
/// `InvalidInput` if `phc` is not a PHC string of Argon2 with parameters of sensible size.
pub fn verify_secret(secret: &str, phc: &str) -> Result<bool, CryptoError> {
    let malformed = || CryptoError::InvalidInput("the stored hash is not an Argon2 PHC string".to_owned());
    let hash = PasswordHash::new(phc).map_err(|_error| malformed())?;
    if hash.salt.is_none() || hash.hash.is_none() {
        return Err(malformed());
    }
    let params = Params::try_from(&hash).map_err(|_error| malformed())?;
    check_cost(params.m_cost(), params.t_cost(), params.p_cost())?;
    match Argon2::default().verify_password(secret.as_bytes(), &hash) {
        Ok(()) => Ok(true),
        Err(password_hash::Error::PasswordInvalid) => Ok(false),
        Err(_error) => Err(malformed()),
    }
}

/// How a root key is derived from a passphrase. Not secret; kept beside the store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KdfParams {
    /// Memory, in KiB.
    pub memory_kib: u32,
    /// Passes over the memory.
    pub iterations: u32,
    /// Lanes.
    pub parallelism: u32,
    /// Random salt; base64url in the file.
    #[serde(serialize_with = "write_salt", deserialize_with = "read_salt")]
    pub salt: [u8; 16],
}

impl KdfParams {
    /// 64 MiB, 3 passes, one lane, a random salt (cf. RFC 9106 section 4, second recommendation).
    ///
    /// # Errors
    /// `Internal` if the generator fails.
    pub fn generate() -> Result<Self, CryptoError> {
        Ok(Self { memory_kib: 65_536, iterations: 3, parallelism: 1, salt: random_bytes()? })
    }
}

/// Derives the root key from a passphrase with Argon2id.
///
/// # Errors
/// `InvalidInput` if the passphrase is empty or the parameters are out of range.
pub fn derive_root_key(passphrase: &str, params: &KdfParams) -> Result<AeadKey, CryptoError> {
    if passphrase.is_empty() {
        return Err(CryptoError::InvalidInput("the passphrase is empty".to_owned()));
    }
    check_cost(params.memory_kib, params.iterations, params.parallelism)?;
    let mut bytes = Zeroizing::new([0; 32]);
    argon2id(params.memory_kib, params.iterations, params.parallelism)?
        .hash_password_into(passphrase.as_bytes(), &params.salt, bytes.as_mut())
        .map_err(|_error| CryptoError::Internal("Argon2id could not derive the root key"))?;
    AeadKey::from_bytes(&bytes)
}

fn argon2id(memory_kib: u32, iterations: u32, parallelism: u32) -> Result<Argon2<'static>, CryptoError> {
    let params = Params::new(memory_kib, iterations, parallelism, None)
        .map_err(|error| CryptoError::InvalidInput(format!("Argon2id parameters: {error}")))?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

fn check_cost(memory_kib: u32, iterations: u32, parallelism: u32) -> Result<(), CryptoError> {
    if memory_kib > MAX_MEMORY_KIB || iterations > MAX_ITERATIONS || parallelism > MAX_PARALLELISM {
        return Err(CryptoError::InvalidInput(format!(
            "Argon2id parameters: at most {MAX_MEMORY_KIB} KiB, {MAX_ITERATIONS} iterations and {MAX_PARALLELISM} \
             lanes are accepted"
        )));
    }
    Ok(())
}

fn write_salt<S: Serializer>(salt: &[u8; 16], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&base64url::encode(salt))
}

fn read_salt<'de, D: Deserializer<'de>>(deserializer: D) -> Result<[u8; 16], D::Error> {
    let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
    let bytes = base64url::decode(&text).map_err(serde::de::Error::custom)?;
    <[u8; 16]>::try_from(bytes).map_err(|_bytes| serde::de::Error::custom("the salt has 16 bytes"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_verifies_against_its_hash_only() {
        let phc = hash_secret("correct horse").unwrap();
        assert!(phc.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{phc}");
        assert_eq!(verify_secret("correct horse", &phc), Ok(true));
        assert_eq!(verify_secret("correct horsf", &phc), Ok(false));
        assert_eq!(verify_secret("", &phc), Ok(false));
        assert_ne!(hash_secret("correct horse").unwrap(), phc);
    }

    #[test]
    fn malformed_hashes_are_errors() {
        for phc in [
            "",
            "correct horse",
            "$argon2id$v=19$m=19456,t=2,p=1",
            "$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHRzYWx0",
            "$scrypt$ln=16,r=8,p=1$aM15713r3Xsvxbi31lqr1Q$nFNh2CVHVjNldFVKDHDlm4CbdRSCdEBsjjJxD+iCs5E",
            "$argon2id$v=19$m=4294967295,t=2,p=1$c2FsdHNhbHRzYWx0$nFNh2CVHVjNldFVKDHDlm4CbdRSCdEBsjjJxD+iCs5E",
        ] {
            assert!(matches!(verify_secret("x", phc), Err(CryptoError::InvalidInput(_))), "{phc}");
        }
    }

    #[test]
    fn root_key_depends_on_passphrase_and_salt() {
        let params = KdfParams { memory_kib: 64, iterations: 1, parallelism: 1, salt: [1; 16] };
        let key = derive_root_key("passphrase", &params).unwrap();
        assert_eq!(derive_root_key("passphrase", &params).unwrap().expose(), key.expose());
        assert_ne!(derive_root_key("Passphrase", &params).unwrap().expose(), key.expose());
        let other = KdfParams { salt: [2; 16], ..params };
        assert_ne!(derive_root_key("passphrase", &other).unwrap().expose(), key.expose());
        assert!(derive_root_key("", &params).is_err());
        assert!(derive_root_key("passphrase", &KdfParams { memory_kib: u32::MAX, ..params }).is_err());
        assert!(derive_root_key("passphrase", &KdfParams { iterations: 0, ..params }).is_err());
    }

    #[test]
    fn params_survive_json() {
        let params = KdfParams::generate().unwrap();
        assert!(params.memory_kib >= 65_536 && params.iterations >= 3);
        let text = serde_json::to_string(&params).unwrap();
        assert_eq!(serde_json::from_str::<KdfParams>(&text).unwrap(), params);
        assert!(serde_json::from_str::<KdfParams>(&text.replace("salt\":\"", "salt\":\"AAAA")).is_err());
    }
}
