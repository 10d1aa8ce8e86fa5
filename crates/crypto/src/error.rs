//! What can go wrong.

/// Why a cryptographic operation was refused. Every message is safe to show to the caller.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CryptoError {
    /// A key type, size or curve that is not offered.
    #[error("{0}")]
    Unsupported(String),
    /// The algorithm is not one for this key.
    #[error("{0}")]
    AlgorithmMismatch(String),
    /// Key material that is malformed or contradicts itself.
    #[error("{0}")]
    InvalidKey(String),
    /// An input of the wrong length or form.
    #[error("{0}")]
    InvalidInput(String),
    /// Wrong key, wrong algorithm or altered ciphertext; which of them is never told.
    #[error("the ciphertext could not be decrypted with this key and algorithm")]
    DecryptionFailed,
    /// The library beneath failed where it should not have.
    #[error("internal cryptographic failure: {0}")]
    Internal(&'static str),
}
