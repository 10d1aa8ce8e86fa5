//! Signatures, and algorithms by what a key can do.

use strongroom_crypto::{KeySpec, ecdsa_from_der, ecdsa_to_der, sha256, sha384, sha512};
use strongroom_wire::algorithms::{Curve, SignatureAlgorithm};
use strongroom_wire::ids::Version;

use super::KeyError;

/// A signature, and by which version of the key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature {
    /// The version that signed.
    pub version: Version,
    /// How.
    pub algorithm: SignatureAlgorithm,
    /// RSA: as long as the modulus. EC: r‖s, each as long as a coordinate (RFC 7518 section 3.4).
    pub bytes: Vec<u8>,
}

impl Signature {
    /// As X.509, TLS and OpenSSL write it: DER for EC (RFC 3279 section 2.2.3), RSA as it is.
    ///
    /// ```
    /// # tokio::runtime::Runtime::new()?.block_on(async {
    /// # use strongroom::keys::{KeySpec, VaultKey, Curve, SignatureAlgorithm::ES256};
    /// let vault = strongroom::open("memory:").await?;
    /// let key = VaultKey::new(vault, "signing")?;
    /// key.create(KeySpec::Ec(Curve::P256)).await?;
    /// let signature = key.sign(ES256, b"message").await?;
    /// assert_eq!(signature.bytes.len(), 64);
    /// let der = signature.to_der()?;
    /// assert_eq!(strongroom::keys::Signature::from_der(signature.version, ES256, &der)?, signature);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`KeyError::Invalid`] when the bytes are none of this algorithm.
    pub fn to_der(&self) -> Result<Vec<u8>, KeyError> {
        match self.algorithm.curve() {
            Some(curve) => Ok(ecdsa_to_der(curve, &self.bytes)?),
            None => Ok(self.bytes.clone()),
        }
    }

    /// The reverse of [`Self::to_der`]; what is not in its one DER form is refused.
    ///
    /// # Errors
    /// [`KeyError::Invalid`].
    pub fn from_der(version: Version, algorithm: SignatureAlgorithm, der: &[u8]) -> Result<Self, KeyError> {
        let bytes = match algorithm.curve() {
            Some(curve) => ecdsa_from_der(curve, der)?,
            None => der.to_vec(),
        };
        Ok(Self { version, algorithm, bytes })
    }
}

/// The digest that an algorithm signs.
#[must_use]
pub fn digest(algorithm: SignatureAlgorithm, message: &[u8]) -> Vec<u8> {
    match algorithm.digest_len() {
        32 => sha256(message).to_vec(),
        48 => sha384(message).to_vec(),
        _ => sha512(message).to_vec(),
    }
}

/// The usual algorithm of a kind of key: RS256 for RSA, since everything can verify it, and the one
/// that a curve has.
#[must_use]
pub const fn default_algorithm(spec: KeySpec) -> SignatureAlgorithm {
    match spec {
        KeySpec::Rsa { .. } => SignatureAlgorithm::RS256,
        KeySpec::Ec(Curve::P256) => SignatureAlgorithm::ES256,
        KeySpec::Ec(Curve::P384) => SignatureAlgorithm::ES384,
        KeySpec::Ec(Curve::P521) => SignatureAlgorithm::ES512,
        KeySpec::Ec(Curve::P256K) => SignatureAlgorithm::ES256K,
    }
}
