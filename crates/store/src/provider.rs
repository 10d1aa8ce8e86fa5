//! `KeyProvider`: what a custodian of keys has to do for us. It knows key material and algorithms,
//! and nothing of names or versions.

use std::sync::Arc;

use async_trait::async_trait;
use strongroom_crypto::KeySpec;
use strongroom_wire::Sensitive;
use strongroom_wire::algorithms::{EncryptionAlgorithm, SignatureAlgorithm};
use strongroom_wire::jwk::{ImportJwk, PublicJwk};

/// A cryptographic operation and its input.
#[derive(Debug)]
pub enum Operation {
    /// Encrypt a plaintext with the public key.
    Encrypt(EncryptionAlgorithm, Sensitive<Vec<u8>>),
    /// Decrypt a ciphertext.
    Decrypt(EncryptionAlgorithm, Vec<u8>),
    /// Sign a digest; EC signatures are r‖s.
    Sign(SignatureAlgorithm, Vec<u8>),
    /// Check a signature over a digest.
    Verify {
        /// By this algorithm.
        algorithm: SignatureAlgorithm,
        /// What was signed.
        digest: Vec<u8>,
        /// The signature.
        signature: Vec<u8>,
    },
    /// Wrap a key with the public key.
    WrapKey(EncryptionAlgorithm, Sensitive<Vec<u8>>),
    /// Unwrap a key.
    UnwrapKey(EncryptionAlgorithm, Vec<u8>),
}

/// What an operation gives.
#[derive(Debug)]
pub enum Output {
    /// A ciphertext, a signature, a plaintext or a key.
    Bytes(Sensitive<Vec<u8>>),
    /// Is the signature genuine.
    Verified(bool),
}

/// A key that a provider made or took in.
#[derive(Debug)]
pub struct ProvidedKey {
    /// What the engine keeps, and gives back to [`KeyProvider::load`]. Opaque.
    pub handle: Sensitive<Vec<u8>>,
    /// The public half.
    pub public: PublicJwk,
    /// A loaded key, so that a new key is not parsed again.
    pub loaded: Arc<dyn LoadedKey>,
}

/// Why a provider did not do as asked. Messages are safe to show to the caller.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProviderError {
    /// It cannot do that; the message says what to use instead.
    #[error("{0}")]
    Unsupported(String),
    /// The input or the key is not right.
    #[error("{0}")]
    Invalid(String),
    /// Too much to do; try again.
    #[error("too many key operations are waiting; try again")]
    Busy,
    /// Gone, for now.
    #[error("the key provider is not available: {0}")]
    Unavailable(String),
    /// A fault of ours.
    #[error("the key provider failed: {0}")]
    Internal(String),
}

/// A key that is ready for use, parsed once.
#[async_trait]
pub trait LoadedKey: Send + Sync + std::fmt::Debug {
    /// Runs an operation.
    async fn perform(&self, operation: Operation) -> Result<Output, ProviderError>;
}

/// A custodian of keys.
#[async_trait]
pub trait KeyProvider: Send + Sync + 'static {
    /// The kinds of key it can make and take in, for display.
    fn offers(&self) -> Vec<KeySpec>;

    /// Does it keep keys in hardware (`RSA-HSM`, `EC-HSM`)?
    fn is_hardware(&self) -> bool;

    /// Makes a key.
    async fn generate(&self, spec: KeySpec) -> Result<ProvidedKey, ProviderError>;

    /// Takes in a key, having checked it.
    async fn import(&self, jwk: ImportJwk) -> Result<ProvidedKey, ProviderError>;

    /// Makes a key ready for use.
    async fn load(&self, handle: &Sensitive<Vec<u8>>) -> Result<Arc<dyn LoadedKey>, ProviderError>;

    /// Destroys the material behind a handle; what is gone already is no error.
    async fn destroy(&self, handle: &Sensitive<Vec<u8>>) -> Result<(), ProviderError>;

    /// What a backup holds of a key, which the engine seals: the handle, unless that only says where
    /// the key lies and the key can leave; then its PKCS#8 document, which other custodians know.
    async fn back_up(&self, handle: &Sensitive<Vec<u8>>) -> Result<Sensitive<Vec<u8>>, ProviderError> {
        Ok(handle.duplicate())
    }

    /// Takes in what [`KeyProvider::back_up`] gave; returns a handle that nothing else refers to.
    async fn restore(&self, backup: &Sensitive<Vec<u8>>) -> Result<Sensitive<Vec<u8>>, ProviderError> {
        Ok(backup.duplicate())
    }
}

#[async_trait]
impl<T: KeyProvider + ?Sized> KeyProvider for Arc<T> {
    fn offers(&self) -> Vec<KeySpec> {
        (**self).offers()
    }

    fn is_hardware(&self) -> bool {
        (**self).is_hardware()
    }

    async fn generate(&self, spec: KeySpec) -> Result<ProvidedKey, ProviderError> {
        (**self).generate(spec).await
    }

    async fn import(&self, jwk: ImportJwk) -> Result<ProvidedKey, ProviderError> {
        (**self).import(jwk).await
    }

    async fn load(&self, handle: &Sensitive<Vec<u8>>) -> Result<Arc<dyn LoadedKey>, ProviderError> {
        (**self).load(handle).await
    }

    async fn destroy(&self, handle: &Sensitive<Vec<u8>>) -> Result<(), ProviderError> {
        (**self).destroy(handle).await
    }

    async fn back_up(&self, handle: &Sensitive<Vec<u8>>) -> Result<Sensitive<Vec<u8>>, ProviderError> {
        (**self).back_up(handle).await
    }

    async fn restore(&self, backup: &Sensitive<Vec<u8>>) -> Result<Sensitive<Vec<u8>>, ProviderError> {
        (**self).restore(backup).await
    }
}
