//! Software keys: private keys in memory, used on threads of their own.

use std::sync::Arc;

use async_trait::async_trait;
use strongroom_crypto::{CryptoError, KeySpec, PrivateKey};
use strongroom_wire::Sensitive;
use strongroom_wire::algorithms::{Curve, SignatureAlgorithm};
use strongroom_wire::jwk::ImportJwk;

use crate::pool::{Pool, PoolError};
use crate::provider::{KeyProvider, LoadedKey, Operation, Output, ProvidedKey, ProviderError};

/// Operations that may wait for a thread before callers are turned away.
const WAITING_OPERATIONS: usize = 1024;

/// Callers that are told together while others wait: at most a millisecond of RSA.
const TOLD_TOGETHER: usize = 4;

/// Keys that may wait to be made.
const WAITING_GENERATIONS: usize = 256;

/// Keeps keys in software. The handle is the key's PKCS#8 (RFC 5958), which the store seals.
pub struct SoftwareProvider {
    uses: Arc<Pool>,
    // RSA generation takes up to a second; it must not hold up signatures.
    makes: Arc<Pool>,
}

impl SoftwareProvider {
    /// A provider with a thread per core for using keys, and one for making them.
    ///
    /// # Errors
    /// When threads cannot be started.
    pub fn new() -> std::io::Result<Self> {
        let cores = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
        Ok(Self {
            uses: Arc::new(Pool::start_grouping("key-use", cores, WAITING_OPERATIONS, TOLD_TOGETHER)?),
            makes: Arc::new(Pool::start("key-make", 1, WAITING_GENERATIONS)?),
        })
    }

    fn provided(&self, key: PrivateKey) -> Result<ProvidedKey, ProviderError> {
        let handle = key.to_pkcs8().map_err(crypto_error)?;
        let public = key.public().to_jwk();
        Ok(ProvidedKey { handle, public, loaded: self.loaded(key) })
    }

    fn loaded(&self, key: PrivateKey) -> Arc<dyn LoadedKey> {
        Arc::new(SoftwareKey { key: Arc::new(key), uses: Arc::clone(&self.uses) })
    }
}

#[async_trait]
impl KeyProvider for SoftwareProvider {
    fn offers(&self) -> Vec<KeySpec> {
        let rsa = [2048, 3072, 4096].map(|bits| KeySpec::Rsa { bits });
        rsa.into_iter().chain(Curve::ALL.iter().map(|curve| KeySpec::Ec(*curve))).collect()
    }

    fn is_hardware(&self) -> bool {
        false
    }

    async fn generate(&self, spec: KeySpec) -> Result<ProvidedKey, ProviderError> {
        let key = self.makes.run(move || PrivateKey::generate(spec)).await.map_err(pool_error)?;
        self.provided(key.map_err(crypto_error)?)
    }

    async fn import(&self, jwk: ImportJwk) -> Result<ProvidedKey, ProviderError> {
        let key = self.uses.run(move || PrivateKey::from_jwk(&jwk)).await.map_err(pool_error)?;
        self.provided(key.map_err(crypto_error)?)
    }

    async fn load(&self, handle: &Sensitive<Vec<u8>>) -> Result<Arc<dyn LoadedKey>, ProviderError> {
        let handle = handle.duplicate();
        let key = self.uses.run(move || PrivateKey::from_pkcs8(handle.expose())).await.map_err(pool_error)?;
        Ok(self.loaded(key.map_err(crypto_error)?))
    }

    async fn destroy(&self, _handle: &Sensitive<Vec<u8>>) -> Result<(), ProviderError> {
        // The handle was the key; it went with its record.
        Ok(())
    }
}

#[derive(Debug)]
struct SoftwareKey {
    key: Arc<PrivateKey>,
    uses: Arc<Pool>,
}

#[async_trait]
impl LoadedKey for SoftwareKey {
    async fn perform(&self, operation: Operation) -> Result<Output, ProviderError> {
        // Some ten microseconds: cheaper here than on another thread.
        let short = match &operation {
            Operation::Encrypt(..) | Operation::WrapKey(..) => true,
            Operation::Sign(algorithm, _) => *algorithm == SignatureAlgorithm::ES256,
            _ => false,
        };
        if short {
            return perform(&self.key, operation);
        }
        let key = Arc::clone(&self.key);
        self.uses.run(move || perform(&key, operation)).await.map_err(pool_error)?
    }
}

fn perform(key: &PrivateKey, operation: Operation) -> Result<Output, ProviderError> {
    let bytes = |bytes: Vec<u8>| Output::Bytes(Sensitive::new(bytes));
    let output = match operation {
        Operation::Encrypt(algorithm, plaintext) | Operation::WrapKey(algorithm, plaintext) => {
            key.public().encrypt(algorithm, plaintext.expose()).map(bytes)
        }
        Operation::Decrypt(algorithm, ciphertext) | Operation::UnwrapKey(algorithm, ciphertext) => {
            key.decrypt(algorithm, &ciphertext).map(Output::Bytes)
        }
        Operation::Sign(algorithm, digest) => key.sign(algorithm, &digest).map(bytes),
        Operation::Verify { algorithm, digest, signature } => {
            key.public().verify(algorithm, &digest, &signature).map(Output::Verified)
        }
    };
    output.map_err(crypto_error)
}

fn crypto_error(fault: CryptoError) -> ProviderError {
    match fault {
        CryptoError::Unsupported(message) => ProviderError::Unsupported(message),
        CryptoError::Internal(_) => ProviderError::Internal(fault.to_string()),
        other => ProviderError::Invalid(other.to_string()),
    }
}

fn pool_error(fault: PoolError) -> ProviderError {
    match fault {
        PoolError::Full => ProviderError::Busy,
        PoolError::Lost => ProviderError::Internal("a key thread ended early".to_owned()),
    }
}
