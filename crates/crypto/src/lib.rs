//! Pure functions on keys in memory: signing and encryption with RSA and elliptic curves, the
//! AES-256-GCM envelope, passphrases, digests, randomness. No I/O and no clock.
//!
//! aws-lc does the work, except on secp256k1 (`k256`) and for Argon2id (`argon2`).

mod aead;
mod der;
mod digest;
mod ec;
mod error;
mod key;
mod oaep;
mod password;
mod random;
mod rsa;
mod rsa_import;
mod spki;
mod stream;

pub use aead::AeadKey;
pub use der::element as der_element;
pub use digest::{Hasher, constant_time_eq, hmac_sha256, sha1, sha256, sha384, sha512};
pub use error::CryptoError;
pub use key::{KeySpec, PrivateKey, PublicKey};
pub use oaep::oaep_decode;
pub use password::{KdfParams, derive_root_key, hash_secret, verify_secret};
pub use random::{random_bytes, random_u128};
pub use spki::{ecdsa_from_der, ecdsa_to_der};
pub use stream::ChunkCipher;
