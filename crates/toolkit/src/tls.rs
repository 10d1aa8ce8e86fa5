//! TLS servers whose key stays in a vault: a `rustls` signer and certificate resolver.
//!
//! rustls asks for signatures synchronously. They are made on a thread of their own with its own
//! runtime, so that a server on one thread does not wait for itself, and with a deadline, so that a
//! vault that hangs ends handshakes and not the server. With a remote vault on a current-thread runtime
//! take [`VaultTlsKey::open`], which opens the vault on that thread: connections that your runtime drives
//! stand still while it waits. (Not for use within a `LocalSet` of a multi-thread runtime, where Tokio
//! does not let a task wait.)
//!
//! ```
//! use std::{sync::Arc, time::Duration};
//! use strongroom::ca::{CertificateAuthority, Request, Usage};
//! use strongroom::keys::{Curve, KeySpec, VaultKey};
//! use strongroom::tls::{VaultResolver, VaultTlsKey};
//!
//! # tokio::runtime::Runtime::new()?.block_on(async {
//! # let vault = strongroom::open("memory:").await?;
//! # let root = VaultKey::new(vault.clone(), "root")?;
//! # root.create(KeySpec::Ec(Curve::P256)).await?;
//! # let ca = CertificateAuthority::create_root(&root, "Root", 30).await?;
//! let key = VaultKey::new(vault, "tls-example")?;
//! # key.create(KeySpec::Ec(Curve::P256)).await?;
//! # let request = Request::new(&key.public().await?.1)?.with_name("localhost").for_usage(Usage::Server).for_days(7);
//! # let chain_pem = ca.issue(&request).await?.chain_pem;
//! let tls_key = VaultTlsKey::new(&key, &chain_pem, Duration::from_secs(5)).await?;
//! let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
//! let config = rustls::ServerConfig::builder_with_provider(provider)
//!     .with_safe_default_protocol_versions()?
//!     .with_no_client_auth()
//!     .with_cert_resolver(Arc::new(VaultResolver::new([tls_key])));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use std::sync::{Arc, mpsc as answers};
use std::time::Duration;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, SubjectPublicKeyInfoDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::{CertifiedKey, Signer, SigningKey};
use rustls::{SignatureAlgorithm as Family, SignatureScheme};
use tokio::runtime::{Builder, Handle, RuntimeFlavor};
use tokio::sync::{mpsc, oneshot};

use crate::keys::{Curve, KeyError, KeySpec, PublicKey, SignatureAlgorithm, VaultKey};

/// Signatures that wait for the thread; more are refused.
const WAITING: usize = 1_024;

/// Why a key cannot serve TLS.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// The vault or the key.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The vault could not be opened.
    #[error("{0}")]
    Open(String),
    /// The certificates.
    #[error("{0}")]
    Certificate(String),
    /// The thread that signs could not be started.
    #[error("the thread that signs could not be started: {0}")]
    Thread(#[from] std::io::Error),
}

/// A key in a vault and its certificate chain.
#[derive(Debug)]
pub struct VaultTlsKey(Arc<CertifiedKey>);

impl VaultTlsKey {
    /// With a chain in PEM, the end entity's first. Each signature may take `deadline`.
    ///
    /// # Errors
    /// [`TlsError::Certificate`] when the first certificate is not of the key's version, latest or bound.
    pub async fn new(key: &VaultKey, chain_pem: &str, deadline: Duration) -> Result<Self, TlsError> {
        let key = key.clone();
        Self::open(|| async { Ok(key) }, chain_pem, deadline).await
    }

    /// As [`Self::new`], with a key whose vault is opened on the thread that signs.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use strongroom::{keys::VaultKey, tls::{TlsError, VaultTlsKey}};
    /// # async fn example(chain_pem: &str) -> Result<(), TlsError> {
    /// let open = || async {
    ///     let vault = strongroom::open("azure:https://dev.vault.azure.net").await;
    ///     let vault = vault.map_err(|fault| TlsError::Open(fault.to_string()))?;
    ///     Ok(VaultKey::new(vault, "tls-example")?)
    /// };
    /// let tls_key = VaultTlsKey::open(open, chain_pem, Duration::from_secs(5)).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`Self::new`], and what `open` gives.
    pub async fn open<F, O>(open: O, chain_pem: &str, deadline: Duration) -> Result<Self, TlsError>
    where
        O: FnOnce() -> F + Send + 'static,
        F: Future<Output = Result<VaultKey, TlsError>>,
    {
        let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(chain_pem.as_bytes()).collect();
        let chain = chain.map_err(|_fault| TlsError::Certificate("the certificates are not PEM".to_owned()))?;
        let (bridge, id, public) = Bridge::start(open, deadline).await?;
        let spki = public.to_spki();
        let own = chain.first().and_then(|der| x509_parser::parse_x509_certificate(der).ok());
        let (_rest, own) = own.ok_or_else(|| TlsError::Certificate("there is no certificate".to_owned()))?;
        if own.public_key().raw != spki {
            return Err(TlsError::Certificate(format!(
                "the first certificate is not of the key {id}: issue one for it, or name the version"
            )));
        }
        let signing = VaultSigningKey { bridge, schemes: schemes(&public)?, spki };
        Ok(Self(Arc::new(CertifiedKey::new(chain, Arc::new(signing)))))
    }

    /// As rustls takes it.
    #[must_use]
    pub fn certified_key(&self) -> Arc<CertifiedKey> {
        Arc::clone(&self.0)
    }
}

/// Gives each client the first of several keys that it can verify: elliptic first, RSA for the old ones.
#[derive(Debug)]
pub struct VaultResolver(Vec<Arc<CertifiedKey>>);

impl VaultResolver {
    /// In this order.
    pub fn new(keys: impl IntoIterator<Item = VaultTlsKey>) -> Self {
        Self(keys.into_iter().map(|key| key.0).collect())
    }
}

impl ResolvesServerCert for VaultResolver {
    fn resolve(&self, client: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let fits = |key: &&Arc<CertifiedKey>| key.key.choose_scheme(client.signature_schemes()).is_some();
        self.0.iter().find(fits).cloned()
    }
}

#[derive(Debug)]
struct VaultSigningKey {
    bridge: Arc<Bridge>,
    schemes: Vec<(SignatureScheme, SignatureAlgorithm)>,
    spki: Vec<u8>,
}

impl SigningKey for VaultSigningKey {
    fn choose_scheme(&self, offered: &[SignatureScheme]) -> Option<Box<dyn Signer>> {
        let (scheme, algorithm) = *self.schemes.iter().find(|(scheme, _)| offered.contains(scheme))?;
        Some(Box::new(VaultSigner { bridge: Arc::clone(&self.bridge), scheme, algorithm }))
    }

    fn public_key(&self) -> Option<SubjectPublicKeyInfoDer<'_>> {
        Some(SubjectPublicKeyInfoDer::from(self.spki.as_slice()))
    }

    fn algorithm(&self) -> Family {
        match self.schemes.first() {
            Some((_, algorithm)) if algorithm.curve().is_some() => Family::ECDSA,
            _ => Family::RSA,
        }
    }
}

#[derive(Debug)]
struct VaultSigner {
    bridge: Arc<Bridge>,
    scheme: SignatureScheme,
    algorithm: SignatureAlgorithm,
}

impl Signer for VaultSigner {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rustls::Error> {
        self.bridge.sign(self.algorithm, message).map_err(|fault| {
            tracing::warn!("a TLS handshake failed for want of a signature: {fault}");
            rustls::Error::General(fault.to_string())
        })
    }

    fn scheme(&self) -> SignatureScheme {
        self.scheme
    }
}

struct Job {
    algorithm: SignatureAlgorithm,
    message: Vec<u8>,
    answer: answers::SyncSender<Result<Vec<u8>, KeyError>>,
}

/// The way to the thread that signs. It ends when the last key does.
#[derive(Debug)]
struct Bridge {
    jobs: mpsc::Sender<Job>,
    deadline: Duration,
}

impl Bridge {
    /// The way, and which key it leads to.
    async fn start<F, O>(open: O, deadline: Duration) -> Result<(Arc<Self>, String, PublicKey), TlsError>
    where
        O: FnOnce() -> F + Send + 'static,
        F: Future<Output = Result<VaultKey, TlsError>>,
    {
        let (jobs, mut waiting) = mpsc::channel::<Job>(WAITING);
        let (tell, told) = oneshot::channel::<Result<_, TlsError>>();
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let work = move || {
            runtime.block_on(async {
                let found = async {
                    let key = open().await?;
                    let (version, public) = key.public().await?;
                    Ok::<_, TlsError>((key.at(version), key.id(version), public))
                };
                let key = match found.await {
                    Ok((key, id, public)) => {
                        drop(tell.send(Ok((id, public))));
                        key
                    }
                    Err(fault) => return drop(tell.send(Err(fault))),
                };
                while let Some(Job { algorithm, message, answer }) = waiting.recv().await {
                    let key = key.clone();
                    tokio::spawn(async move {
                        let signing = async { key.sign(algorithm, &message).await?.to_der() };
                        let signed = crate::keys::with_deadline(deadline, signing).await;
                        // Whoever asked may have given up.
                        drop(answer.try_send(signed));
                    });
                }
            });
        };
        std::thread::Builder::new().name("strongroom-tls".to_owned()).spawn(work)?;
        let ended = |_gone| TlsError::Open("the thread that signs has ended".to_owned());
        let (id, public) = told.await.map_err(ended)??;
        Ok((Arc::new(Self { jobs, deadline }), id, public))
    }

    fn sign(&self, algorithm: SignatureAlgorithm, message: &[u8]) -> Result<Vec<u8>, KeyError> {
        let (answer, signed) = answers::sync_channel(1);
        let job = Job { algorithm, message: message.to_vec(), answer };
        let busy = |_full| KeyError::Invalid("too many TLS signatures are waiting".to_owned());
        self.jobs.try_send(job).map_err(busy)?;
        let wait = || match signed.recv_timeout(self.deadline) {
            Ok(answer) => answer,
            Err(_late) => Err(KeyError::Deadline(self.deadline)),
        };
        // Elsewhere this thread's other tasks would wait, too.
        match Handle::try_current().map(|runtime| runtime.runtime_flavor()) {
            Ok(RuntimeFlavor::MultiThread) => tokio::task::block_in_place(wait),
            _ => wait(),
        }
    }
}

/// What a key can sign in TLS (RFC 8446 section 4.2.3), the best first.
fn schemes(public: &PublicKey) -> Result<Vec<(SignatureScheme, SignatureAlgorithm)>, TlsError> {
    use SignatureAlgorithm as Alg;
    Ok(match public.spec() {
        KeySpec::Rsa { .. } => vec![
            (SignatureScheme::RSA_PSS_SHA256, Alg::PS256),
            (SignatureScheme::RSA_PSS_SHA384, Alg::PS384),
            (SignatureScheme::RSA_PSS_SHA512, Alg::PS512),
            (SignatureScheme::RSA_PKCS1_SHA256, Alg::RS256),
            (SignatureScheme::RSA_PKCS1_SHA384, Alg::RS384),
            (SignatureScheme::RSA_PKCS1_SHA512, Alg::RS512),
        ],
        KeySpec::Ec(Curve::P256) => vec![(SignatureScheme::ECDSA_NISTP256_SHA256, Alg::ES256)],
        KeySpec::Ec(Curve::P384) => vec![(SignatureScheme::ECDSA_NISTP384_SHA384, Alg::ES384)],
        KeySpec::Ec(Curve::P521) => vec![(SignatureScheme::ECDSA_NISTP521_SHA512, Alg::ES512)],
        KeySpec::Ec(Curve::P256K) => {
            return Err(TlsError::Certificate("P-256K is no curve of TLS: use P-256 or RSA".to_owned()));
        }
    })
}
