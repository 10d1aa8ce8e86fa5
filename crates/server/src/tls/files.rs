//! The operator's own certificate, from two PEM files that can be renewed while the server runs.

use std::fmt;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arc_swap::ArcSwap;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use strongroom_wire::Sensitive;
use zeroize::Zeroize as _;

/// A certificate or key file is larger than this only by mistake.
const MAX_FILE: u64 = 1024 * 1024;

/// Why the certificate files cannot be used; each names its file.
#[derive(Debug, thiserror::Error)]
pub enum TlsFileError {
    /// The file cannot be read.
    #[error("{}: cannot be read: {fault}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        #[source]
        fault: io::Error,
    },
    /// Others than the owner can read the private key.
    #[error("{0}: the private key is readable by others than its owner; run: chmod 600 '{0}'", path.display())]
    Exposed {
        /// The key file.
        path: PathBuf,
    },
    /// There is no certificate in the chain file, or one that is malformed.
    #[error("{}: is not a chain of PEM certificates, the server's own first", path.display())]
    BadChain {
        /// The chain file.
        path: PathBuf,
    },
    /// There is no private key in the key file, or an encrypted or malformed one.
    #[error("{}: is not an unencrypted private key in PEM (PKCS#8, SEC1 or PKCS#1)", path.display())]
    BadKey {
        /// The key file.
        path: PathBuf,
    },
    /// Certificate and key are not a pair.
    #[error("{}: the private key does not belong to the certificate in {}", key.display(), chain.display())]
    NotAPair {
        /// The chain file.
        chain: PathBuf,
        /// The key file.
        key: PathBuf,
    },
}

/// One certificate for every name, from files.
pub struct StaticResolver {
    chain: PathBuf,
    key: PathBuf,
    current: ArcSwap<CertifiedKey>,
}

impl StaticResolver {
    /// Reads the certificate chain (the server's own certificate first) and its private key, both PEM.
    ///
    /// # Errors
    /// When a file cannot be read or understood, the two do not match, or group or others can read
    /// (or write) the key file.
    pub fn load(chain: impl Into<PathBuf>, key: impl Into<PathBuf>) -> Result<Self, TlsFileError> {
        let (chain, key) = (chain.into(), key.into());
        let current = ArcSwap::from_pointee(read(&chain, &key)?);
        Ok(Self { chain, key, current })
    }

    /// Reads both files again. New handshakes get the new certificate; open connections stay.
    ///
    /// # Errors
    /// As [`Self::load`]; the certificate in use then stays.
    pub fn reload(&self) -> Result<(), TlsFileError> {
        self.current.store(Arc::new(read(&self.chain, &self.key)?));
        Ok(())
    }

    /// The certificate in use.
    #[must_use]
    pub fn current(&self) -> Arc<CertifiedKey> {
        self.current.load_full()
    }
}

impl ResolvesServerCert for StaticResolver {
    fn resolve(&self, _client_hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.current())
    }
}

impl fmt::Debug for StaticResolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StaticResolver").field("chain", &self.chain).field("key", &self.key).finish_non_exhaustive()
    }
}

fn read(chain_path: &Path, key_path: &Path) -> Result<CertifiedKey, TlsFileError> {
    let bad_chain = || TlsFileError::BadChain { path: chain_path.to_owned() };
    let chain_pem = open(chain_path).and_then(|file| read_bounded(&file)).map_err(|fault| unread(chain_path, fault))?;
    let chain = CertificateDer::pem_slice_iter(chain_pem.expose())
        .collect::<Result<Vec<_>, _>>()
        .map_err(|_malformed| bad_chain())?;
    if chain.is_empty() {
        return Err(bad_chain());
    }

    let file = open(key_path).map_err(|fault| unread(key_path, fault))?;
    // Of the open file, so that it is the same file that is read.
    if is_exposed(&file).map_err(|fault| unread(key_path, fault))? {
        return Err(TlsFileError::Exposed { path: key_path.to_owned() });
    }
    let bad_key = || TlsFileError::BadKey { path: key_path.to_owned() };
    let key_pem = read_bounded(&file).map_err(|fault| unread(key_path, fault))?;
    let mut key = PrivateKeyDer::from_pem_slice(key_pem.expose()).map_err(|_malformed| bad_key())?;
    let signer = rustls::crypto::aws_lc_rs::sign::any_supported_type(&key);
    key.zeroize();

    let certified = CertifiedKey::new(chain, signer.map_err(|_unsupported| bad_key())?);
    match certified.keys_match() {
        Ok(()) => Ok(certified),
        Err(rustls::Error::InconsistentKeys(_)) => {
            Err(TlsFileError::NotAPair { chain: chain_path.to_owned(), key: key_path.to_owned() })
        }
        Err(_malformed) => Err(bad_chain()),
    }
}

fn unread(path: &Path, fault: io::Error) -> TlsFileError {
    TlsFileError::Read { path: path.to_owned(), fault }
}

fn open(path: &Path) -> io::Result<File> {
    let file = File::open(path)?;
    if file.metadata()?.len() > MAX_FILE {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, "the file is larger than 1 MiB"));
    }
    Ok(file)
}

fn read_bounded(file: &File) -> io::Result<Sensitive<Vec<u8>>> {
    let mut content = Vec::new();
    let outcome = file.take(MAX_FILE).read_to_end(&mut content);
    let content = Sensitive::new(content);
    outcome.map(|_length| content)
}

#[cfg(unix)]
fn is_exposed(file: &File) -> io::Result<bool> {
    use std::os::unix::fs::PermissionsExt as _;
    Ok(file.metadata()?.permissions().mode() & 0o077 != 0)
}

#[cfg(not(unix))]
fn is_exposed(_file: &File) -> io::Result<bool> {
    Ok(false)
}
