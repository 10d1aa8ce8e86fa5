//! Envelope encryption: files and streams of any size, in bounded memory, under a key that stays in
//! its vault.
//!
//! A random 256-bit data key encrypts the data and is itself wrapped by the vault's key, so the vault
//! sees 32 bytes, however large the file. The key's rotation needs no new encryption: the envelope
//! names the version that opens it.
//!
//! ```
//! use strongroom::envelope;
//! use strongroom::keys::{KeySpec, VaultKey};
//!
//! # tokio::runtime::Runtime::new()?.block_on(async {
//! let key = VaultKey::new(strongroom::open("memory:").await?, "backups")?;
//! key.create(KeySpec::Rsa { bits: 2048 }).await?;
//! let (mut sealed, mut opened) = (Vec::new(), Vec::new());
//! envelope::encrypt(&key, &b"a database dump"[..], &mut sealed, |_bytes| {}).await?;
//! envelope::decrypt(&key, &sealed[..], &mut opened, |_bytes| {}).await?;
//! assert_eq!(opened, b"a database dump");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Format
//!
//! `SRENVEL` and the version 1 (8 bytes), the header's length (4 bytes, big-endian), the header
//! (JSON), then chunks of 64 KiB (the last may be shorter), each with 16 bytes of tag: AES-256-GCM in
//! the STREAM construction ([`strongroom_crypto::ChunkCipher`]), every chunk bound to all bytes before
//! the first. An envelope that was cut off, has chunks moved or added, or another header, is refused.
//!
//! # Elliptic curves
//!
//! Curves do not encrypt in the protocol, so a data key needs an RSA key (RSA-OAEP-256). Where a vault
//! has only EC keys, keep the RSA key for data in another: a `file:` vault or a Strongroom.

mod file;

use serde::{Deserialize, Serialize};
use strongroom_crypto::{ChunkCipher, KeySpec, random_bytes};
use strongroom_wire::algorithms::EncryptionAlgorithm;
use strongroom_wire::base64url::Base64Url;
use strongroom_wire::ids::{ObjectName, Version};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use zeroize::Zeroizing;

pub use file::{NewFile, decrypt_file, encrypt_file};

use crate::keys::{Ciphertext, KeyError, VaultKey};

const MAGIC: &[u8; 8] = b"SRENVEL\x01";

/// Bytes of plaintext in a chunk.
pub const CHUNK: usize = 65_536;

/// How data keys are wrapped.
const WRAP: EncryptionAlgorithm = EncryptionAlgorithm::RsaOaep256;

/// The longest header that is read.
const MAX_HEADER: u32 = 16_384;

/// Why something was not encrypted or decrypted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EnvelopeError {
    /// The vault or the key.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// Data keys are wrapped with RSA.
    #[error(
        "{name} is a key of type {spec}, and only RSA encrypts: use an RSA key (2048 bits or more); where the vault has \
         EC keys only, keep the key for data in a file: vault or a Strongroom"
    )]
    NotRsa {
        /// The key.
        name: String,
        /// Its kind.
        spec: KeySpec,
    },
    /// It is no envelope, or of a later version.
    #[error("not an envelope of strongroom encrypt: {0}")]
    Malformed(&'static str),
    /// It is under another key.
    #[error("it was encrypted with the key {0}: open the vault that has it, and name that key")]
    OtherKey(String),
    /// It was altered, cut off, or put together from several.
    #[error("the data is not what was encrypted: it was altered or cut off")]
    Altered,
    /// Reading or writing.
    #[error("{0}")]
    Io(#[from] std::io::Error),
    /// The random generator or the cipher.
    #[error("{0}")]
    Internal(String),
}

/// What an envelope says about itself. Trusted only when its chunks open.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// The key's identifier with its version: [`VaultKey::uri`].
    pub key: String,
    /// How the data key is wrapped.
    pub alg: EncryptionAlgorithm,
    wrapped: Base64Url,
    prefix: Base64Url,
}

impl Header {
    /// The key's name and version.
    #[must_use]
    pub fn key_version(&self) -> Option<(ObjectName, Version)> {
        let mut parts = self.key.rsplit('/');
        let version = Version::parse(parts.next()?)?;
        Some((ObjectName::parse(parts.next()?).ok()?, version))
    }
}

/// Encrypts `input` to its end with a fresh data key under `key`. `progress` is told how many bytes
/// have been read so far. Returns that number.
///
/// # Errors
/// [`EnvelopeError`]. What was written until then is of no use to anybody.
pub async fn encrypt(
    key: &VaultKey,
    mut input: impl AsyncRead + Unpin,
    mut output: impl AsyncWrite + Unpin,
    mut progress: impl FnMut(u64),
) -> Result<u64, EnvelopeError> {
    let (version, public) = key.public().await?;
    if !matches!(public.spec(), KeySpec::Rsa { .. }) {
        return Err(EnvelopeError::NotRsa { name: key.name().to_string(), spec: public.spec() });
    }
    let data_key: Zeroizing<[u8; 32]> = Zeroizing::new(random_bytes().map_err(internal)?);
    let prefix: [u8; 7] = random_bytes().map_err(internal)?;
    let wrapped = key.at(version).wrap(WRAP, data_key.as_slice()).await?;
    let (wrapped, prefix_text) = (Base64Url(wrapped.bytes), Base64Url(prefix.to_vec()));
    let header = Header { key: key.uri(version), alg: WRAP, wrapped, prefix: prefix_text };
    let head = encode(&header)?;
    output.write_all(&head).await?;
    let mut cipher = ChunkCipher::new(&data_key, prefix, head).map_err(internal)?;
    let mut chunks = Chunks::new(CHUNK);
    let mut total = 0;
    loop {
        let (mut chunk, last) = chunks.next(&mut input).await?;
        total += u64::try_from(chunk.len()).unwrap_or(u64::MAX);
        cipher.seal(&mut chunk, last).map_err(internal)?;
        output.write_all(&chunk).await?;
        progress(total);
        if last {
            output.flush().await?;
            return Ok(total);
        }
    }
}

/// Decrypts an envelope with the version of `key` that it names. Each chunk is written after it has
/// proved genuine; whether there are as many as there were is known only at the end: use nothing of
/// it before this returns. `progress` is told how many bytes have been written so far. Returns that
/// number.
///
/// # Errors
/// [`EnvelopeError`].
pub async fn decrypt(
    key: &VaultKey,
    mut input: impl AsyncRead + Unpin,
    mut output: impl AsyncWrite + Unpin,
    mut progress: impl FnMut(u64),
) -> Result<u64, EnvelopeError> {
    let (header, head) = read_head(&mut input).await?;
    let (name, version) = header.key_version().ok_or(EnvelopeError::Malformed("its header names no key"))?;
    if name != *key.name() || key.version().is_some_and(|bound| bound != version) {
        return Err(EnvelopeError::OtherKey(shown(&header.key)));
    }
    // Not what the header likes: padding of old could be used to ask the vault about other ciphertexts.
    if header.alg != WRAP {
        return Err(EnvelopeError::Malformed("its data key is not wrapped with RSA-OAEP-256"));
    }
    let prefix = header.prefix.0.as_slice().try_into();
    let prefix = prefix.map_err(|_length| EnvelopeError::Malformed("the nonce's prefix"))?;
    let wrapped = Ciphertext { version, algorithm: header.alg, bytes: header.wrapped.0 };
    let data_key = key.unwrap(&wrapped).await?;
    let data_key: Zeroizing<[u8; 32]> =
        Zeroizing::new(data_key.expose().as_slice().try_into().map_err(|_length| EnvelopeError::Altered)?);
    let mut cipher = ChunkCipher::new(&data_key, prefix, head).map_err(internal)?;
    let mut chunks = Chunks::new(CHUNK + ChunkCipher::OVERHEAD);
    let mut total = 0;
    loop {
        let (mut chunk, last) = chunks.next(&mut input).await?;
        cipher.open(&mut chunk, last).map_err(|_failed| EnvelopeError::Altered)?;
        output.write_all(&chunk).await?;
        total += u64::try_from(chunk.len()).unwrap_or(u64::MAX);
        progress(total);
        if last {
            output.flush().await?;
            return Ok(total);
        }
    }
}

/// The header of an envelope, to see which key it needs.
///
/// # Errors
/// [`EnvelopeError::Malformed`] and `Io`.
pub async fn read_header(mut input: impl AsyncRead + Unpin) -> Result<Header, EnvelopeError> {
    Ok(read_head(&mut input).await?.0)
}

/// Pieces of one length, and whether a piece is the last: the next one is read before it is told.
struct Chunks {
    length: usize,
    ahead: Option<Zeroizing<Vec<u8>>>,
}

impl Chunks {
    const fn new(length: usize) -> Self {
        Self { length, ahead: None }
    }

    async fn next(
        &mut self,
        input: &mut (impl AsyncRead + Unpin),
    ) -> Result<(Zeroizing<Vec<u8>>, bool), std::io::Error> {
        let current = match self.ahead.take() {
            Some(chunk) => chunk,
            None => self.read(input).await?,
        };
        if current.len() < self.length {
            return Ok((current, true));
        }
        let ahead = self.read(input).await?;
        let last = ahead.is_empty();
        self.ahead = Some(ahead);
        Ok((current, last))
    }

    async fn read(&self, input: &mut (impl AsyncRead + Unpin)) -> Result<Zeroizing<Vec<u8>>, std::io::Error> {
        // With room for the tag: no reallocation leaves a copy behind.
        let mut chunk = Zeroizing::new(Vec::with_capacity(self.length + ChunkCipher::OVERHEAD));
        let limit = u64::try_from(self.length).unwrap_or(u64::MAX);
        input.take(limit).read_to_end(&mut chunk).await?;
        Ok(chunk)
    }
}

fn encode(header: &Header) -> Result<Vec<u8>, EnvelopeError> {
    let json = serde_json::to_vec(header).map_err(internal)?;
    let length = u32::try_from(json.len()).map_err(internal)?;
    Ok([MAGIC.as_slice(), &length.to_be_bytes(), &json].concat())
}

/// The header and all bytes before the first chunk.
async fn read_head(input: &mut (impl AsyncRead + Unpin)) -> Result<(Header, Vec<u8>), EnvelopeError> {
    const SHORT: EnvelopeError = EnvelopeError::Malformed("it is too short");
    let ended = |fault: std::io::Error| match fault.kind() {
        std::io::ErrorKind::UnexpectedEof => SHORT,
        _ => fault.into(),
    };
    let mut magic = [0; MAGIC.len()];
    input.read_exact(&mut magic).await.map_err(ended)?;
    match (&magic, MAGIC) {
        (found, wanted) if found == wanted => {}
        ([found @ .., _], [wanted @ .., _]) if found == wanted => {
            return Err(EnvelopeError::Malformed("it is of a later version"));
        }
        _ => return Err(EnvelopeError::Malformed("it does not begin like one")),
    }
    let length = input.read_u32().await.map_err(ended)?;
    if length > MAX_HEADER {
        return Err(EnvelopeError::Malformed("its header is too long"));
    }
    let mut json = vec![0; usize::try_from(length).map_err(internal)?];
    input.read_exact(&mut json).await.map_err(ended)?;
    let header = serde_json::from_slice(&json);
    let header = header.map_err(|_fault| EnvelopeError::Malformed("its header cannot be read"))?;
    Ok((header, [magic.as_slice(), &length.to_be_bytes(), &json].concat()))
}

/// What a file says is not printed as it stands: it could move the cursor.
fn shown(text: &str) -> String {
    text.chars().take(300).map(|one| if one.is_control() { '?' } else { one }).collect()
}

fn internal(fault: impl std::fmt::Display) -> EnvelopeError {
    EnvelopeError::Internal(fault.to_string())
}
