//! HTTP message signatures (RFC 9421) by a key that stays in its vault, with the body's digest (RFC 9530).
//!
//! ```
//! use std::sync::Arc;
//! use strongroom::clock::SystemClock;
//! use strongroom::http_signatures::{Message, Signer, Verifier};
//! use strongroom::keys::{Curve, KeySpec, VaultKey};
//!
//! # tokio::runtime::Runtime::new()?.block_on(async {
//! let key = VaultKey::new(strongroom::open("memory:").await?, "api-client-ecdsa")?;
//! key.create(KeySpec::Ec(Curve::P256)).await?;
//! let request = Message::request("POST", "https://api.example.com/api/v1/resource?x=1")?.with_body(b"{}");
//! let signed = Signer::new(key.clone()).sign(&request).await?;
//! // Send these with the request: Content-Digest, Signature-Input, Signature.
//! let headers = signed.headers();
//!
//! // The receiver:
//! let (_version, public) = key.public().await?;
//! let verifier = Verifier::new(Arc::new(SystemClock)).with_key("api-client-ecdsa", public)?;
//! let mut received = Message::request("POST", "https://api.example.com/api/v1/resource?x=1")?.with_body(b"{}");
//! for (name, value) in &headers {
//!     received = received.with_field(name, value);
//! }
//! assert_eq!(verifier.verify(&received)?.keyid, "api-client-ecdsa");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Components: `@method`, `@target-uri`, `@scheme`, `@authority`, `@path`, `@query`, `@query-param` by
//! name, `@request-target`, `@status`, and fields as they are; the parameters `sf`, `key`, `bs`, `tr` and
//! `req` are refused. Algorithms: `ecdsa-p256-sha256`, `ecdsa-p384-sha384`, `rsa-pss-sha512`,
//! `rsa-v1_5-sha256`.

mod base;
mod message;
mod structured;

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use strongroom_store::clock::Clock;

use crate::keys::{Curve, KeyError, KeySpec, PublicKey, SignatureAlgorithm, VaultKey, digest};
use base::{Component, signature_base};
pub use message::{Message, content_digest};
use structured::{Bare, inner_list, parse_dictionary, quoted};

/// Good for so long after it was signed: five minutes, in seconds.
const MAX_AGE: i64 = 300;

/// By how much clocks may differ, in seconds.
const SKEW: i64 = 30;

/// What a request is covered by unless told otherwise; its body's digest comes to it.
const DEFAULT: [&str; 4] = ["@method", "@authority", "@path", "@query"];

/// Why a message was not signed or not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HttpSignatureError {
    /// The key.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The message lacks what is to be signed, or its fields cannot be read.
    #[error("{0}")]
    Malformed(String),
    /// There is no signature by a known key.
    #[error("the message is not signed by a known key")]
    Unsigned,
    /// Something that has to be signed is not.
    #[error("the signature does not cover {0}")]
    NotCovered(String),
    /// Too old, from the future, or of no known time.
    #[error("the signature is not of now: {0}")]
    Time(&'static str),
    /// The body is not the one whose digest was signed.
    #[error("the body is not the one that was signed")]
    Body,
    /// The signature is not the key's, over this message.
    #[error("the signature is not valid")]
    Signature,
}

/// An algorithm of the registry (RFC 9421 section 3.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    /// RSASSA-PSS with SHA-512.
    RsaPssSha512,
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    RsaV15Sha256,
    /// ECDSA on P-256 with SHA-256.
    EcdsaP256Sha256,
    /// ECDSA on P-384 with SHA-384.
    EcdsaP384Sha384,
}

impl Algorithm {
    /// Its registered name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::RsaPssSha512 => "rsa-pss-sha512",
            Self::RsaV15Sha256 => "rsa-v1_5-sha256",
            Self::EcdsaP256Sha256 => "ecdsa-p256-sha256",
            Self::EcdsaP384Sha384 => "ecdsa-p384-sha384",
        }
    }

    const fn signature(self) -> SignatureAlgorithm {
        match self {
            Self::RsaPssSha512 => SignatureAlgorithm::PS512,
            Self::RsaV15Sha256 => SignatureAlgorithm::RS256,
            Self::EcdsaP256Sha256 => SignatureAlgorithm::ES256,
            Self::EcdsaP384Sha384 => SignatureAlgorithm::ES384,
        }
    }

    /// The usual one of a key: PSS for RSA.
    fn of(key: &PublicKey) -> Result<Self, KeyError> {
        match key.spec() {
            KeySpec::Rsa { .. } => Ok(Self::RsaPssSha512),
            KeySpec::Ec(Curve::P256) => Ok(Self::EcdsaP256Sha256),
            KeySpec::Ec(Curve::P384) => Ok(Self::EcdsaP384Sha384),
            KeySpec::Ec(curve) => {
                Err(KeyError::Invalid(format!("HTTP message signatures know no {curve}: use P-256, P-384 or RSA")))
            }
        }
    }
}

/// The fields that a signature adds to a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedFields {
    /// `Content-Digest`, when the message has a body.
    pub content_digest: Option<String>,
    /// `Signature-Input`.
    pub signature_input: String,
    /// `Signature`.
    pub signature: String,
}

impl SignedFields {
    /// Names and values.
    #[must_use]
    pub fn headers(&self) -> Vec<(&'static str, &str)> {
        let digest = self.content_digest.as_deref().map(|digest| ("content-digest", digest));
        let rest = [("signature-input", self.signature_input.as_str()), ("signature", self.signature.as_str())];
        digest.into_iter().chain(rest).collect()
    }
}

/// Signs messages with one key.
#[derive(Debug, Clone)]
pub struct Signer {
    key: VaultKey,
    keyid: String,
    algorithm: Option<Algorithm>,
    components: Vec<String>,
}

impl Signer {
    /// Under the key's name, covering method, authority, path, query, and the body's digest.
    #[must_use]
    pub fn new(key: VaultKey) -> Self {
        let keyid = key.name().to_string();
        Self { key, keyid, algorithm: None, components: DEFAULT.map(str::to_owned).to_vec() }
    }

    /// Under another `keyid`: what the receiver knows the key by.
    #[must_use]
    pub fn with_keyid(self, keyid: &str) -> Self {
        Self { keyid: keyid.to_owned(), ..self }
    }

    /// With this algorithm.
    #[must_use]
    pub fn with_algorithm(self, algorithm: Algorithm) -> Self {
        Self { algorithm: Some(algorithm), ..self }
    }

    /// Covering these components, and the digest of a body always.
    #[must_use]
    pub fn covering(self, components: &[&str]) -> Self {
        Self { components: components.iter().map(|&component| component.to_owned()).collect(), ..self }
    }

    /// Signs a message.
    ///
    /// # Errors
    /// [`HttpSignatureError::Malformed`] when it lacks a component; `Key`.
    pub async fn sign(&self, message: &Message) -> Result<SignedFields, HttpSignatureError> {
        let (version, public) = self.key.public().await?;
        let algorithm = match self.algorithm {
            Some(chosen) => chosen,
            None => Algorithm::of(&public)?,
        };
        let digest_field = message.body().map(content_digest);
        let digested = digest_field.as_ref().map(|value| message.clone().with_only("content-digest", value));
        let message = digested.as_ref().unwrap_or(message);
        let mut names: Vec<&str> = self.components.iter().map(String::as_str).collect();
        if digest_field.is_some() && !names.contains(&"content-digest") {
            names.push("content-digest");
        }
        let components: Result<Vec<_>, _> = names.into_iter().map(Component::parse).collect();
        let components = components?;
        let list: Vec<_> = components.iter().map(ToString::to_string).collect();
        let created = self.key.clock().now().seconds();
        let keyid = quoted(&self.keyid)?;
        let params = format!("({});created={created};keyid={keyid};alg=\"{}\"", list.join(" "), algorithm.as_str());
        let text = signature_base(message, &components, &params)?;
        let signature = self.key.at(version).sign(algorithm.signature(), text.as_bytes()).await?;
        Ok(SignedFields {
            content_digest: digest_field,
            signature_input: format!("sig={params}"),
            signature: format!("sig={}", structured::bytes(&signature.bytes)),
        })
    }
}

/// A signature that was accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// By which key.
    pub keyid: String,
    /// When, unix seconds.
    pub created: i64,
    /// What it covers.
    pub components: Vec<String>,
}

/// Accepts messages that are signed by known keys, cover what they have to, and are of now.
#[derive(Clone)]
pub struct Verifier {
    clock: Arc<dyn Clock>,
    keys: HashMap<String, (PublicKey, Algorithm)>,
    required: Vec<String>,
    max_age: i64,
}

impl Verifier {
    /// Knows no key yet; method, authority, path, query and the digest of a body have to be covered;
    /// good for five minutes after signing, within which a message can be sent again: what must not happen
    /// twice needs an id of its own.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, keys: HashMap::new(), required: DEFAULT.map(str::to_owned).to_vec(), max_age: MAX_AGE }
    }

    /// Knows this key, with its usual algorithm.
    ///
    /// # Errors
    /// [`KeyError::Invalid`] for a curve that has none.
    pub fn with_key(self, keyid: &str, key: PublicKey) -> Result<Self, KeyError> {
        let algorithm = Algorithm::of(&key)?;
        Ok(self.with_key_for(keyid, key, algorithm))
    }

    /// Knows this key, for this algorithm alone.
    #[must_use]
    pub fn with_key_for(mut self, keyid: &str, key: PublicKey, algorithm: Algorithm) -> Self {
        self.keys.insert(keyid.to_owned(), (key, algorithm));
        self
    }

    /// These components have to be covered; `@target-uri` stands for scheme, authority, path and query.
    #[must_use]
    pub fn requiring(self, components: &[&str]) -> Self {
        Self { required: components.iter().map(|&component| component.to_owned()).collect(), ..self }
    }

    /// Good for so many seconds after signing.
    #[must_use]
    pub fn with_max_age(self, seconds: i64) -> Self {
        Self { max_age: seconds, ..self }
    }

    /// Checks a message: the first of its signatures that names a known key counts.
    ///
    /// # Errors
    /// [`HttpSignatureError`].
    pub fn verify(&self, message: &Message) -> Result<Verified, HttpSignatureError> {
        let field = |name: &str| message.field(name).ok_or(HttpSignatureError::Unsigned);
        let (inputs, signatures) = (field("signature-input")?, field("signature")?);
        for (label, raw) in parse_dictionary(&inputs)? {
            let (items, params) = inner_list(raw)?;
            let text = |name: &str| match params.iter().find(|(known, _)| known == name) {
                Some((_, Bare::Text(text))) => Some(text.as_str()),
                _ => None,
            };
            let Some(keyid) = text("keyid") else { continue };
            let Some((key, algorithm)) = self.keys.get(keyid) else { continue };
            if text("alg").is_some_and(|named| named != algorithm.as_str()) {
                return Err(HttpSignatureError::Signature);
            }
            let components: Result<Vec<_>, _> = items.into_iter().map(Component::of_item).collect();
            let components = components?;
            self.check_coverage(message, &components)?;
            let created = self.check_time(&params)?;
            let signature = parse_dictionary(&signatures)?.into_iter().find(|(known, _)| *known == label);
            let signature = signature.and_then(|(_, raw)| structured::read_bytes(raw));
            let signature = signature.ok_or(HttpSignatureError::Unsigned)?;
            let base = signature_base(message, &components, raw)?;
            let algorithm = algorithm.signature();
            match key.verify(algorithm, &digest(algorithm, base.as_bytes()), &signature) {
                Ok(true) => {}
                _ => return Err(HttpSignatureError::Signature),
            }
            message.check_body()?;
            let components = components.iter().map(ToString::to_string).collect();
            return Ok(Verified { keyid: keyid.to_owned(), created, components });
        }
        Err(HttpSignatureError::Unsigned)
    }

    fn check_coverage(&self, message: &Message, components: &[Component]) -> Result<(), HttpSignatureError> {
        let covers = |name: &str| {
            let whole = ["@scheme", "@authority", "@path", "@query"].contains(&name);
            components.iter().any(|component| component.is(name) || (whole && component.is("@target-uri")))
        };
        let body = message.body().map(|_| "content-digest");
        match self.required.iter().map(String::as_str).chain(body).find(|name| !covers(name)) {
            None => Ok(()),
            Some(missing) => Err(HttpSignatureError::NotCovered(missing.to_owned())),
        }
    }

    fn check_time(&self, params: &[(String, Bare)]) -> Result<i64, HttpSignatureError> {
        let number = |name: &str| match params.iter().find(|(known, _)| known == name) {
            Some((_, Bare::Integer(number))) => Ok(Some(*number)),
            Some(_) => Err(HttpSignatureError::Time("a time that is no number")),
            None => Ok(None),
        };
        let now = self.clock.now().seconds();
        let created =
            number("created")?.ok_or(HttpSignatureError::Time("it does not say when it was made (created)"))?;
        if created > now.saturating_add(SKEW) {
            return Err(HttpSignatureError::Time("it was made in the future"));
        }
        if now.saturating_sub(created) > self.max_age {
            return Err(HttpSignatureError::Time("it is too old"));
        }
        if number("expires")?.is_some_and(|expires| now >= expires) {
            return Err(HttpSignatureError::Time("it has expired"));
        }
        Ok(created)
    }
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verifier").field("required", &self.required).field("max_age", &self.max_age).finish()
    }
}

/// What cannot be read.
fn malformed(why: &str) -> HttpSignatureError {
    HttpSignatureError::Malformed(why.to_owned())
}
