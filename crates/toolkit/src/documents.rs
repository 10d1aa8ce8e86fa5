//! Detached signatures of documents, read as a stream.
//!
//! ```
//! use strongroom::documents::DocumentSigner;
//! use strongroom::keys::{Curve, KeySpec, VaultKey};
//!
//! # tokio::runtime::Runtime::new()?.block_on(async {
//! let key = VaultKey::new(strongroom::open("memory:").await?, "document-signing-key")?;
//! key.create(KeySpec::Ec(Curve::P256)).await?;
//! let signer = DocumentSigner::new(key);
//! let signature = signer.sign(&b"%PDF-1.7 a contract"[..], |_bytes| {}).await?;
//! assert!(signer.verify(&b"%PDF-1.7 a contract"[..], &signature).await?);
//! assert!(!signer.verify(&b"%PDF-1.7 another"[..], &signature).await?);
//! // What `openssl dgst -sha256 -verify public.pem -signature contract.sig contract.pdf` takes:
//! let for_openssl = signature.signature.to_der()?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use serde::{Deserialize, Serialize};
use strongroom_crypto::Hasher;
use strongroom_wire::algorithms::SignatureAlgorithm;
use strongroom_wire::base64url::Base64Url;
use tokio::io::{AsyncRead, AsyncReadExt as _};

use crate::keys::{KeyError, Signature, VaultKey, Version, default_algorithm};

/// Read at once.
const PIECE: usize = 65_536;

/// Why a document was not signed or checked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DocumentError {
    /// The key.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The document could not be read.
    #[error("{0}")]
    Io(#[from] std::io::Error),
    /// The sidecar is none.
    #[error("not the signature of a document: {0}")]
    Sidecar(String),
}

/// The signature of a document, and when it was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DocumentSignature {
    /// The signature over the document's digest.
    pub signature: Signature,
    /// The name of the key.
    pub key: String,
    /// The document's digest.
    pub digest: Vec<u8>,
    /// When it was signed, by the signer's word: unix seconds. Not covered by the signature.
    pub signed_at: i64,
}

/// The JSON form of [`DocumentSignature`], to lie beside the document.
#[derive(Serialize, Deserialize)]
struct Sidecar {
    algorithm: SignatureAlgorithm,
    key: String,
    version: Version,
    digest: Base64Url,
    signature: Base64Url,
    signed_at: i64,
}

impl DocumentSignature {
    /// As JSON: algorithm, key, version, digest and signature (base64url; EC as r‖s), time.
    ///
    /// # Errors
    /// [`DocumentError::Sidecar`] if memory runs out.
    pub fn to_json(&self) -> Result<String, DocumentError> {
        let sidecar = Sidecar {
            algorithm: self.signature.algorithm,
            key: self.key.clone(),
            version: self.signature.version,
            digest: Base64Url(self.digest.clone()),
            signature: Base64Url(self.signature.bytes.clone()),
            signed_at: self.signed_at,
        };
        serde_json::to_string_pretty(&sidecar).map_err(|fault| DocumentError::Sidecar(fault.to_string()))
    }

    /// Reads [`Self::to_json`].
    ///
    /// # Errors
    /// [`DocumentError::Sidecar`].
    pub fn from_json(text: &str) -> Result<Self, DocumentError> {
        let read: Sidecar = serde_json::from_str(text).map_err(|fault| DocumentError::Sidecar(fault.to_string()))?;
        let Sidecar { algorithm, key, version, digest, signature, signed_at } = read;
        let signature = Signature { version, algorithm, bytes: signature.0 };
        Ok(Self { signature, key, digest: digest.0, signed_at })
    }
}

/// Signs documents with one key.
#[derive(Debug, Clone)]
pub struct DocumentSigner {
    key: VaultKey,
    algorithm: Option<SignatureAlgorithm>,
}

impl DocumentSigner {
    /// With the usual algorithm of the key: RS256, or the curve's.
    #[must_use]
    pub const fn new(key: VaultKey) -> Self {
        Self { key, algorithm: None }
    }

    /// With this algorithm; its digest is SHA-256, SHA-384 or SHA-512 by its name.
    #[must_use]
    pub fn with_algorithm(self, algorithm: SignatureAlgorithm) -> Self {
        Self { algorithm: Some(algorithm), ..self }
    }

    /// Signs a document to its end. `progress` is told how many bytes have been read so far.
    ///
    /// # Errors
    /// [`DocumentError`].
    pub async fn sign(
        &self,
        document: impl AsyncRead + Unpin,
        progress: impl FnMut(u64),
    ) -> Result<DocumentSignature, DocumentError> {
        let algorithm = match self.algorithm {
            Some(chosen) => chosen,
            None => default_algorithm(self.key.public().await?.1.spec()),
        };
        let digest = digest_of(algorithm, document, progress).await?;
        let signature = self.key.sign_digest(algorithm, &digest).await?;
        let signed_at = self.key.clock().now().seconds();
        Ok(DocumentSignature { signature, key: self.key.name().to_string(), digest, signed_at })
    }

    /// Whether a document is the one that was signed, by the version that signed.
    ///
    /// # Errors
    /// [`DocumentError`].
    pub async fn verify(
        &self,
        document: impl AsyncRead + Unpin,
        signature: &DocumentSignature,
    ) -> Result<bool, DocumentError> {
        let same_key = self.key.name().as_str().eq_ignore_ascii_case(&signature.key);
        Ok(same_key && self.verify_bare(document, &signature.signature).await?)
    }

    /// As [`Self::verify`], for a signature without its sidecar.
    ///
    /// # Errors
    /// [`DocumentError`].
    pub async fn verify_bare(
        &self,
        document: impl AsyncRead + Unpin,
        signature: &Signature,
    ) -> Result<bool, DocumentError> {
        let digest = digest_of(signature.algorithm, document, |_bytes| {}).await?;
        Ok(self.key.verify_digest(&digest, signature).await?)
    }
}

/// The digest of a stream, by the algorithm that will sign it.
async fn digest_of(
    algorithm: SignatureAlgorithm,
    mut document: impl AsyncRead + Unpin,
    mut progress: impl FnMut(u64),
) -> Result<Vec<u8>, DocumentError> {
    let mut hasher = match algorithm.digest_len() {
        32 => Hasher::sha256(),
        48 => Hasher::sha384(),
        _ => Hasher::sha512(),
    };
    let (mut piece, mut total) = (vec![0; PIECE], 0);
    loop {
        let read = document.read(&mut piece).await?;
        let Some(bytes) = piece.get(..read).filter(|bytes| !bytes.is_empty()) else { return Ok(hasher.finish()) };
        hasher.update(bytes);
        total += u64::try_from(read).unwrap_or(u64::MAX);
        progress(total);
    }
}
