//! Keys that stay in their vault: signing, verifying, encrypting, wrapping.
//!
//! ```
//! use strongroom::keys::{Curve, KeySpec, SignatureAlgorithm::ES256, VaultKey};
//!
//! # tokio::runtime::Runtime::new()?.block_on(async {
//! let vault = strongroom::open("memory:").await?;
//! let key = VaultKey::new(vault, "production-api-jwt-v1")?;
//! key.create(KeySpec::Ec(Curve::P256)).await?;
//! let signature = key.sign(ES256, b"what was agreed").await?;
//! assert!(key.verify(b"what was agreed", &signature).await?);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What works offline
//!
//! | call | without the vault |
//! |---|---|
//! | [`VaultKey::verify`], [`VaultKey::verify_digest`] | yes, once the version's public key has been seen |
//! | [`VaultKey::encrypt`], [`VaultKey::wrap`] | yes, once the public key has been seen |
//! | [`VaultKey::public`], [`VaultKey::public_pem`] | yes, once the public key has been seen |
//! | [`Signature::to_der`], [`Signature::from_der`] | yes |
//! | [`crate::jws::verify`], [`crate::http_signatures::Verifier`] | yes: they take the public key |
//! | [`VaultKey::sign`], [`VaultKey::decrypt`], [`VaultKey::unwrap`], all that makes or changes keys | no, unless the vault is on this machine (`memory:`, `file:`, `pkcs11:`, `tpm2:`) |
//!
//! A public key is remembered for ever, since a version never changes; that it has been disabled is
//! not seen by local calls. Which version is the latest is asked again every five minutes
//! ([`VaultKey::with_latest_ttl`]), and when the vault is away, the version known last stays.

mod error;
mod names;
mod public;
mod signature;

use std::sync::Arc;
use std::time::Duration;

use strongroom_store::clock::Clock;
use strongroom_store::provider::{Operation, Output};
use strongroom_store::vault::{Body, NewAttributes, NewVersion, Performed, Target};
use strongroom_store::{Cx, Vault};
use strongroom_wire::Sensitive;
use strongroom_wire::ids::{Kind, ObjectName};
use tokio::task::JoinSet;

pub use error::KeyError;
pub use names::advise_name;
use public::Seen;
pub use signature::{Signature, default_algorithm, digest};
pub use strongroom_crypto::{KeySpec, PublicKey};
pub use strongroom_wire::algorithms::{Curve, EncryptionAlgorithm, SignatureAlgorithm};
pub use strongroom_wire::ids::Version;
pub use strongroom_wire::jwk::PublicJwk;

use crate::clock::SystemClock;

/// How long it is believed which version is the latest: five minutes, in seconds.
const LATEST_TTL: i64 = 300;

/// Signatures asked for at once by [`VaultKey::sign_many`].
const AT_ONCE: usize = 16;

/// What a public-key encryption gave, and for which version of the key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ciphertext {
    /// The version that decrypts it.
    pub version: Version,
    /// How.
    pub algorithm: EncryptionAlgorithm,
    /// As long as the modulus.
    pub bytes: Vec<u8>,
}

/// A key in a vault: its latest version, or one that is named. Clones share what they have seen.
#[derive(Clone)]
pub struct VaultKey {
    vault: Arc<dyn Vault>,
    clock: Arc<dyn Clock>,
    name: ObjectName,
    version: Option<Version>,
    seen: Arc<Seen>,
    latest_ttl: i64,
    vault_uri: Option<Arc<str>>,
}

impl VaultKey {
    /// The latest version of the key of this name, whether it is there or not.
    ///
    /// # Errors
    /// [`KeyError::Invalid`] when that cannot be a key's name.
    pub fn new(vault: Arc<dyn Vault>, name: &str) -> Result<Self, KeyError> {
        let name = ObjectName::parse(name).map_err(|error| KeyError::Invalid(error.message))?;
        let (clock, seen) = (Arc::new(SystemClock), Arc::new(Seen::default()));
        Ok(Self { vault, clock, name, version: None, seen, latest_ttl: LATEST_TTL, vault_uri: None })
    }

    /// Bound to one version.
    #[must_use]
    pub fn at(&self, version: Version) -> Self {
        Self { version: Some(version), ..self.clone() }
    }

    /// With another clock.
    #[must_use]
    pub fn with_clock(self, clock: Arc<dyn Clock>) -> Self {
        Self { clock, ..self }
    }

    /// Which version is the latest is asked again after so many seconds.
    #[must_use]
    pub fn with_latest_ttl(self, seconds: i64) -> Self {
        Self { latest_ttl: seconds, ..self }
    }

    /// Says where the vault is, for [`Self::uri`]. What stands before a host and in the query is left
    /// out: people put passwords and PINs there.
    #[must_use]
    pub fn in_vault(self, uri: &str) -> Self {
        let bare = uri.split(['?', '#']).next().unwrap_or_default();
        let bare = bare.strip_prefix("azure:").unwrap_or(bare).trim_end_matches('/');
        let bare = match (bare.split_once(':'), bare.rsplit_once('@')) {
            (Some((scheme, _)), Some((_login, host))) => format!("{scheme}://{host}"),
            _ => bare.to_owned(),
        };
        Self { vault_uri: Some(Arc::from(bare)), ..self }
    }

    /// Its name.
    #[must_use]
    pub const fn name(&self) -> &ObjectName {
        &self.name
    }

    /// The version it is bound to; `None` is the latest.
    #[must_use]
    pub const fn version(&self) -> Option<Version> {
        self.version
    }

    /// Its clock.
    #[must_use]
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.clock
    }

    /// `NAME/VERSION` of a version, by which tokens and headers name it.
    #[must_use]
    pub fn id(&self, version: Version) -> String {
        format!("{}/{version}", self.name)
    }

    /// `VAULT/keys/NAME/VERSION`: the key identifier of the protocol, where the vault is known.
    #[must_use]
    pub fn uri(&self, version: Version) -> String {
        let name = &self.name;
        match &self.vault_uri {
            Some(vault) => format!("{vault}/keys/{name}/{version}"),
            None => format!("keys/{name}/{version}"),
        }
    }

    /// Makes the key, or a new latest version of it.
    ///
    /// # Errors
    /// [`KeyError`].
    pub async fn create(&self, spec: KeySpec) -> Result<Version, KeyError> {
        self.make(spec, false).await
    }

    /// As [`Self::create`], in the vault's HSM.
    ///
    /// # Errors
    /// [`KeyError`]; [`KeyError::Failed`] when the vault has none, which says so.
    pub async fn create_in_hardware(&self, spec: KeySpec) -> Result<Version, KeyError> {
        self.make(spec, true).await
    }

    /// Forgets which version is the latest: after a rotation that this process knows of.
    pub fn forget_latest(&self) {
        self.seen.forget_latest();
    }

    /// The public key of the version bound to, or of the latest.
    ///
    /// # Errors
    /// [`KeyError`].
    pub async fn public(&self) -> Result<(Version, PublicKey), KeyError> {
        if let Some(version) = self.version {
            return Ok((version, self.public_of(version).await?));
        }
        let known = self.seen.latest();
        if let Some((version, learned)) = known
            && self.clock.now().seconds() - learned.seconds() < self.latest_ttl
            && let Some(key) = self.seen.version(version)
        {
            return Ok((version, key));
        }
        match self.fetch(None).await {
            Ok(fresh) => Ok(fresh),
            Err(fault) if fault.is_outage() => {
                match known.and_then(|(version, _)| Some((version, self.seen.version(version)?))) {
                    Some(old) => Ok(old),
                    None => Err(fault),
                }
            }
            Err(fault) => Err(fault),
        }
    }

    /// The public key in PEM (`BEGIN PUBLIC KEY`), as OpenSSL reads it.
    ///
    /// # Errors
    /// As [`Self::public`].
    pub async fn public_pem(&self) -> Result<String, KeyError> {
        let (_version, key) = self.public().await?;
        Ok(to_pem(&key))
    }

    /// Signs a message, which is hashed here.
    ///
    /// # Errors
    /// [`KeyError`].
    pub async fn sign(&self, algorithm: SignatureAlgorithm, message: &[u8]) -> Result<Signature, KeyError> {
        self.sign_digest(algorithm, &digest(algorithm, message)).await
    }

    /// Signs a digest of the algorithm's length.
    ///
    /// # Errors
    /// [`KeyError`].
    pub async fn sign_digest(&self, algorithm: SignatureAlgorithm, digest: &[u8]) -> Result<Signature, KeyError> {
        let (version, bytes) = self.perform("signing", Operation::Sign(algorithm, digest.to_vec())).await?;
        Ok(Signature { version, algorithm, bytes: bytes.expose().clone() })
    }

    /// Signs several messages, some at a time; answers in the order of the messages.
    pub async fn sign_many(
        &self,
        algorithm: SignatureAlgorithm,
        messages: &[Vec<u8>],
    ) -> Vec<Result<Signature, KeyError>> {
        let mut answers: Vec<_> =
            messages.iter().map(|_| Err(KeyError::Invalid("the call was interrupted".to_owned()))).collect();
        let (mut running, mut waiting) = (JoinSet::new(), messages.iter().enumerate());
        loop {
            while running.len() < AT_ONCE
                && let Some((place, message)) = waiting.next()
            {
                let (key, digest) = (self.clone(), digest(algorithm, message));
                running.spawn(async move { (place, key.sign_digest(algorithm, &digest).await) });
            }
            match running.join_next().await {
                Some(Ok((place, answer))) => {
                    if let Some(slot) = answers.get_mut(place) {
                        *slot = answer;
                    }
                }
                Some(Err(_cancelled)) => {}
                None => return answers,
            }
        }
    }

    /// Whether `signature` is one of `message` by the version that it names. Done here, with the
    /// public key.
    ///
    /// # Errors
    /// [`KeyError`] when the public key cannot be had or the algorithm is not one for it.
    pub async fn verify(&self, message: &[u8], signature: &Signature) -> Result<bool, KeyError> {
        self.verify_digest(&digest(signature.algorithm, message), signature).await
    }

    /// As [`Self::verify`], over a digest.
    ///
    /// # Errors
    /// As [`Self::verify`].
    pub async fn verify_digest(&self, digest: &[u8], signature: &Signature) -> Result<bool, KeyError> {
        if self.version.is_some_and(|bound| bound != signature.version) {
            return Ok(false);
        }
        let key = self.public_of(signature.version).await?;
        Ok(key.verify(signature.algorithm, digest, &signature.bytes)?)
    }

    /// Encrypts with the public key, here. With k bytes of modulus at most k − 66 bytes
    /// (RSA-OAEP-256); more is for [`crate::envelope`].
    ///
    /// # Errors
    /// [`KeyError::Invalid`] for EC keys and what is too long.
    pub async fn encrypt(&self, algorithm: EncryptionAlgorithm, plaintext: &[u8]) -> Result<Ciphertext, KeyError> {
        let (version, key) = self.public().await?;
        Ok(Ciphertext { version, algorithm, bytes: key.encrypt(algorithm, plaintext)? })
    }

    /// Decrypts in the vault, with the version that the ciphertext names.
    ///
    /// # Errors
    /// [`KeyError`].
    pub async fn decrypt(&self, ciphertext: &Ciphertext) -> Result<Sensitive<Vec<u8>>, KeyError> {
        let operation = Operation::Decrypt(ciphertext.algorithm, ciphertext.bytes.clone());
        Ok(self.at(ciphertext.version).perform("decryption", operation).await?.1)
    }

    /// Wraps a data key with the public key, here.
    ///
    /// ```
    /// # tokio::runtime::Runtime::new()?.block_on(async {
    /// # use strongroom::keys::{EncryptionAlgorithm::RsaOaep256, KeySpec, VaultKey};
    /// let key = VaultKey::new(strongroom::open("memory:").await?, "wrapping")?;
    /// key.create(KeySpec::Rsa { bits: 2048 }).await?;
    /// let wrapped = key.wrap(RsaOaep256, &[7; 32]).await?;
    /// assert_eq!(key.unwrap(&wrapped).await?.expose(), &[7; 32]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`Self::encrypt`].
    pub async fn wrap(&self, algorithm: EncryptionAlgorithm, key: &[u8]) -> Result<Ciphertext, KeyError> {
        self.encrypt(algorithm, key).await
    }

    /// Unwraps a data key in the vault.
    ///
    /// # Errors
    /// [`KeyError`].
    pub async fn unwrap(&self, wrapped: &Ciphertext) -> Result<Sensitive<Vec<u8>>, KeyError> {
        let operation = Operation::UnwrapKey(wrapped.algorithm, wrapped.bytes.clone());
        Ok(self.at(wrapped.version).perform("unwrapping", operation).await?.1)
    }

    async fn make(&self, spec: KeySpec, hardware: bool) -> Result<Version, KeyError> {
        let new = NewVersion::Key { spec, hardware, key_ops: None, with: NewAttributes::default() };
        let made = self.vault.put(&self.cx(), &self.name, new).await;
        let made = made.map_err(|fault| self.fault("key creation", fault))?;
        self.remember(made.version, made.body, true)
    }

    async fn public_of(&self, version: Version) -> Result<PublicKey, KeyError> {
        match self.seen.version(version) {
            Some(key) => Ok(key),
            None => Ok(self.fetch(Some(version)).await?.1),
        }
    }

    async fn fetch(&self, version: Option<Version>) -> Result<(Version, PublicKey), KeyError> {
        let target = Target { kind: Kind::Key, name: self.name.clone(), version };
        let found = self.vault.get(&self.cx(), &target).await;
        let found = found.map_err(|fault| self.at_version(version).fault("reading the public key", fault))?;
        let version = self.remember(found.version.or(version), found.body, version.is_none())?;
        let key = self.seen.version(version).ok_or_else(|| KeyError::NotFound(self.id(version)))?;
        Ok((version, key))
    }

    fn remember(&self, version: Option<Version>, body: Body, latest: bool) -> Result<Version, KeyError> {
        let (Some(version), Body::Key { public: Some(public), .. }) = (version, body) else {
            return Err(KeyError::Invalid(format!("the vault did not give the public key of {}", self.name)));
        };
        self.seen.remember(version, PublicKey::from_jwk(&public)?);
        if latest {
            self.seen.set_latest(version, self.clock.now());
        }
        Ok(version)
    }

    async fn perform(
        &self,
        what: &'static str,
        operation: Operation,
    ) -> Result<(Version, Sensitive<Vec<u8>>), KeyError> {
        let target = Target { kind: Kind::Key, name: self.name.clone(), version: self.version };
        let performed = self.vault.perform(&self.cx(), &target, operation).await;
        match performed.map_err(|fault| self.fault(what, fault))? {
            Performed { version, output: Output::Bytes(bytes), .. } => Ok((version, bytes)),
            Performed { .. } => Err(KeyError::Invalid("the vault gave another answer than was asked for".to_owned())),
        }
    }

    fn at_version(&self, version: Option<Version>) -> Self {
        Self { version, ..self.clone() }
    }

    fn fault(&self, operation: &'static str, fault: strongroom_wire::Error) -> KeyError {
        let id = self.version.map_or_else(|| self.name.to_string(), |version| self.id(version));
        KeyError::of(operation, &id, fault)
    }

    fn cx(&self) -> Cx {
        Cx::system(self.clock.now())
    }
}

impl std::fmt::Debug for VaultKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.version {
            Some(version) => write!(f, "VaultKey({}/{version})", self.name),
            None => write!(f, "VaultKey({})", self.name),
        }
    }
}

/// A public key in PEM (`BEGIN PUBLIC KEY`, RFC 7468 section 13).
#[must_use]
pub fn to_pem(key: &PublicKey) -> String {
    let config = pem::EncodeConfig::new().set_line_ending(pem::LineEnding::LF);
    pem::encode_config(&pem::Pem::new("PUBLIC KEY", key.to_spki()), config)
}

/// Reads [`to_pem`].
///
/// # Errors
/// [`KeyError::Invalid`] when it is no public key.
pub fn from_pem(text: &str) -> Result<PublicKey, KeyError> {
    let parsed = pem::parse(text).ok().filter(|parsed| parsed.tag() == "PUBLIC KEY");
    let parsed = parsed.ok_or_else(|| KeyError::Invalid("not a PEM file with a PUBLIC KEY".to_owned()))?;
    Ok(PublicKey::from_spki(parsed.contents())?)
}

/// Gives up waiting after `limit` and drops what was begun. Tokio's clock counts, which tests can
/// pause.
///
/// ```
/// # use std::time::Duration;
/// # use strongroom::keys::{KeyError, with_deadline};
/// # tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build()?.block_on(async {
/// let hangs = std::future::pending::<Result<(), KeyError>>();
/// let late = with_deadline(Duration::from_secs(10), hangs).await;
/// assert_eq!(late, Err(KeyError::Deadline(Duration::from_secs(10))));
/// # });
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// [`KeyError::Deadline`], or those of `call`.
pub async fn with_deadline<T>(limit: Duration, call: impl Future<Output = Result<T, KeyError>>) -> Result<T, KeyError> {
    match tokio::time::timeout(limit, call).await {
        Ok(answer) => answer,
        Err(_elapsed) => Err(KeyError::Deadline(limit)),
    }
}
