//! [`PemProvider`]: private keys as encrypted PEM files, used in software.

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use strongroom_crypto::{KeySpec, PrivateKey, random_bytes, sha256};
use strongroom_store::SoftwareProvider;
use strongroom_store::pool::{Pool, PoolError};
use strongroom_store::provider::{KeyProvider, LoadedKey, ProvidedKey, ProviderError};
use strongroom_wire::Sensitive;
use strongroom_wire::jwk::{ImportJwk, PublicJwk};

use super::pem::{Kdf, decrypt, encrypt};
use super::store::KeyFiles;

/// Key files that may wait to be written or read.
const WAITING: usize = 256;

/// Keeps keys in files. The handle is `ID FINGERPRINT`: which file, and a digest of the public key
/// that must be in it, so that neither an altered file nor another one of the same passphrase passes
/// for it. A file may be encrypted anew, by whatever program.
pub struct PemProvider {
    files: KeyFiles,
    passphrase: Arc<Sensitive<String>>,
    kdf: Kdf,
    software: SoftwareProvider,
    // Deriving a key from the passphrase takes some hundred milliseconds.
    works: Pool,
}

impl PemProvider {
    /// Keys in `folder`, which is made (mode 0700) when there is none. Only one process may have it
    /// open; the caller sees to that.
    ///
    /// # Errors
    /// When the folder cannot be made or others can get at it, and when threads cannot be started.
    pub fn open(folder: &Path, passphrase: Sensitive<String>, kdf: Kdf) -> Result<Self, ProviderError> {
        let fault = |fault: std::io::Error| ProviderError::Unavailable(fault.to_string());
        Ok(Self {
            files: KeyFiles::open(folder).map_err(ProviderError::Unavailable)?,
            passphrase: Arc::new(passphrase),
            kdf,
            software: SoftwareProvider::new().map_err(fault)?,
            works: Pool::start("key-files", 2, WAITING).map_err(fault)?,
        })
    }

    /// Writes the file of a key that the software provider made or took in.
    async fn keep(&self, made: ProvidedKey) -> Result<ProvidedKey, ProviderError> {
        let handle = self.write(&made.public, made.handle).await?;
        Ok(ProvidedKey { handle, ..made })
    }

    async fn write(&self, public: &PublicJwk, der: Sensitive<Vec<u8>>) -> Result<Sensitive<Vec<u8>>, ProviderError> {
        let id = hex::encode(random_bytes::<16>().map_err(internal)?);
        let handle = Sensitive::new(format!("{id} {}", fingerprint(public)).into_bytes());
        let (files, passphrase, kdf) = (self.files.clone(), Arc::clone(&self.passphrase), self.kdf);
        let work = move || {
            let text = encrypt(der.expose(), passphrase.expose(), kdf).map_err(internal)?;
            files.write(&id, &text)
        };
        self.works.run(work).await.map_err(pool)??;
        Ok(handle)
    }

    /// The PKCS#8 document behind a handle.
    async fn read(&self, handle: &Sensitive<Vec<u8>>) -> Result<Sensitive<Vec<u8>>, ProviderError> {
        let (id, expected) = parse(handle)?;
        let (files, passphrase) = (self.files.clone(), Arc::clone(&self.passphrase));
        let work = move || {
            let refuse = |why: &str| {
                let file = files.path(&id);
                ProviderError::Unavailable(format!(
                    "the key's file {} cannot be used: {why}; put it back from a backup of the folder",
                    file.display()
                ))
            };
            let text = files.read(&id)?;
            let der = decrypt(&text, passphrase.expose()).map_err(&refuse)?;
            let key = PrivateKey::from_pkcs8(&der);
            let key = key.map_err(|_fault| refuse("it was altered, or is under another passphrase"))?;
            if fingerprint(&key.public().to_jwk()) != expected {
                return Err(refuse("it holds another key"));
            }
            Ok(Sensitive::new(der.to_vec()))
        };
        self.works.run(work).await.map_err(pool)?
    }
}

#[async_trait]
impl KeyProvider for PemProvider {
    fn offers(&self) -> Vec<KeySpec> {
        self.software.offers()
    }

    fn is_hardware(&self) -> bool {
        false
    }

    async fn generate(&self, spec: KeySpec) -> Result<ProvidedKey, ProviderError> {
        self.keep(self.software.generate(spec).await?).await
    }

    async fn import(&self, jwk: ImportJwk) -> Result<ProvidedKey, ProviderError> {
        self.keep(self.software.import(jwk).await?).await
    }

    async fn load(&self, handle: &Sensitive<Vec<u8>>) -> Result<Arc<dyn LoadedKey>, ProviderError> {
        self.software.load(&self.read(handle).await?).await
    }

    async fn destroy(&self, handle: &Sensitive<Vec<u8>>) -> Result<(), ProviderError> {
        let (id, _) = parse(handle)?;
        let files = self.files.clone();
        self.works.run(move || files.remove(&id)).await.map_err(pool)?
    }

    async fn back_up(&self, handle: &Sensitive<Vec<u8>>) -> Result<Sensitive<Vec<u8>>, ProviderError> {
        self.read(handle).await
    }

    async fn restore(&self, backup: &Sensitive<Vec<u8>>) -> Result<Sensitive<Vec<u8>>, ProviderError> {
        let key = PrivateKey::from_pkcs8(backup.expose()).map_err(|fault| ProviderError::Invalid(fault.to_string()))?;
        self.write(&key.public().to_jwk(), backup.duplicate()).await
    }
}

/// A digest of everything that makes a public key, members apart by their lengths.
fn fingerprint(public: &PublicJwk) -> String {
    let parts: [&[u8]; 3] = match public {
        PublicJwk::Rsa { n, e } => [b"RSA", &n.0, &e.0],
        PublicJwk::Ec { crv, x, y } => [crv.as_str().as_bytes(), &x.0, &y.0],
    };
    let mut all = Vec::new();
    for part in parts {
        all.extend(part.len().to_be_bytes());
        all.extend(part);
    }
    hex::encode(sha256(&all))
}

fn parse(handle: &Sensitive<Vec<u8>>) -> Result<(String, String), ProviderError> {
    let text = std::str::from_utf8(handle.expose()).ok();
    let parts = text.and_then(|text| text.split_once(' '));
    let parts = parts.filter(|(id, _)| id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit()));
    let (id, fingerprint) =
        parts.ok_or_else(|| ProviderError::Invalid("the key does not lie in this folder's files".to_owned()))?;
    Ok((id.to_owned(), fingerprint.to_owned()))
}

fn internal(fault: impl std::fmt::Display) -> ProviderError {
    ProviderError::Internal(fault.to_string())
}

fn pool(fault: PoolError) -> ProviderError {
    match fault {
        PoolError::Full => ProviderError::Busy,
        PoolError::Lost => ProviderError::Internal("a key thread ended early".to_owned()),
    }
}

impl std::fmt::Debug for PemProvider {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "PemProvider({:?})", self.files)
    }
}
