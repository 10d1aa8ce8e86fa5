//! Private and public keys of either type, behind one face.

use std::fmt;
use std::sync::Arc;

use strongroom_wire::algorithms::{Curve, EncryptionAlgorithm, SignatureAlgorithm};
use strongroom_wire::jwk::{ImportJwk, PublicJwk};
use strongroom_wire::sensitive::Sensitive;

use crate::der::{Pkcs8Kind, pkcs8_kind};
use crate::ec::{EcPrivate, EcPublic};
use crate::error::CryptoError;
use crate::rsa::{RsaPrivate, RsaPublic};

/// Type and size of an asymmetric key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeySpec {
    /// RSA.
    Rsa {
        /// Length of the modulus: 2048, 3072 or 4096.
        bits: u32,
    },
    /// Elliptic curve.
    Ec(Curve),
}

impl fmt::Display for KeySpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rsa { bits } => write!(f, "RSA {bits}"),
            Self::Ec(curve) => write!(f, "EC {curve}"),
        }
    }
}

impl KeySpec {
    /// Can a key like this sign `digest` by `algorithm`?
    ///
    /// # Errors
    /// `AlgorithmMismatch` unless `algorithm` is one for this key, `InvalidInput` unless the digest
    /// is as long as it has to be.
    pub fn check_signature(self, algorithm: SignatureAlgorithm, digest: &[u8]) -> Result<(), CryptoError> {
        match (self, algorithm.curve()) {
            (Self::Rsa { .. }, None) => {}
            (Self::Ec(own), Some(curve)) if own == curve => {}
            (_, None) => {
                return Err(CryptoError::AlgorithmMismatch(format!(
                    "{algorithm} needs an RSA key; this key is {self}"
                )));
            }
            (_, Some(curve)) => {
                let message = format!("{algorithm} needs an EC key on {curve}; this key is {self}");
                return Err(CryptoError::AlgorithmMismatch(message));
            }
        }
        if digest.len() != algorithm.digest_len() {
            return Err(CryptoError::InvalidInput(format!(
                "{algorithm} signs a digest of exactly {} bytes, got {}",
                algorithm.digest_len(),
                digest.len()
            )));
        }
        Ok(())
    }

    /// The refusal of an elliptic curve's key, which encrypts nothing.
    #[must_use]
    pub fn no_encryption(self, algorithm: EncryptionAlgorithm) -> CryptoError {
        CryptoError::AlgorithmMismatch(format!("{algorithm} needs an RSA key; this key is {self}"))
    }
}

/// A private key, parsed and checked once, cheap to use many times and from many threads.
pub struct PrivateKey {
    material: PrivateMaterial,
    public: PublicKey,
}

enum PrivateMaterial {
    Rsa(RsaPrivate),
    Ec(EcPrivate),
}

impl PrivateKey {
    /// Makes a new key.
    ///
    /// # Errors
    /// `Unsupported` for an RSA size other than 2048, 3072 and 4096.
    pub fn generate(spec: KeySpec) -> Result<Self, CryptoError> {
        match spec {
            KeySpec::Rsa { bits } => RsaPrivate::generate(bits).and_then(Self::from_rsa),
            KeySpec::Ec(curve) => EcPrivate::generate(curve).and_then(Self::from_ec),
        }
    }

    /// Takes in a JSON Web Key: RSA with `n`, `e`, `d`, `p` and `q` (`dp`, `dq` and `qi` are checked
    /// if present and computed if absent), or EC with `crv`, `x`, `y` and `d`. All members have to
    /// agree with each other. An `-HSM` suffix of `kty` is taken for the plain type.
    ///
    /// # Errors
    /// `Unsupported` for other key types, curves and BYOK blobs, `InvalidKey` naming what is wrong.
    pub fn from_jwk(jwk: &ImportJwk) -> Result<Self, CryptoError> {
        if jwk.key_hsm.is_some() {
            return Err(CryptoError::Unsupported(
                "key_hsm (a BYOK transfer blob) has to be unwrapped by the key provider; send the members of the key"
                    .to_owned(),
            ));
        }
        match jwk.kty.as_str() {
            "RSA" | "RSA-HSM" => RsaPrivate::from_jwk(jwk).and_then(Self::from_rsa),
            "EC" | "EC-HSM" => EcPrivate::from_jwk(jwk).and_then(Self::from_ec),
            "OKP" => Err(CryptoError::Unsupported(
                "OKP keys (Ed25519, X25519) are not supported; use EC with ES256 / P-256".to_owned(),
            )),
            "oct" | "oct-HSM" => Err(CryptoError::Unsupported(
                "oct keys are not supported: symmetric keys live in a Managed HSM; use RSA or EC".to_owned(),
            )),
            "" => Err(CryptoError::InvalidKey("the key lacks kty (the key type); use RSA or EC".to_owned())),
            _ => Err(CryptoError::Unsupported("the key type (kty) is not supported; use RSA or EC".to_owned())),
        }
    }

    /// Takes in an unencrypted PKCS#8 document (DER): RSA, or EC on any of the curves.
    ///
    /// # Errors
    /// `Unsupported` for other keys, `InvalidKey` for a malformed or inconsistent document.
    pub fn from_pkcs8(der: &[u8]) -> Result<Self, CryptoError> {
        match pkcs8_kind(der)? {
            Pkcs8Kind::Rsa => RsaPrivate::from_pkcs8(der).and_then(Self::from_rsa),
            Pkcs8Kind::Ec(curve) => EcPrivate::from_pkcs8(curve, der).and_then(Self::from_ec),
        }
    }

    /// The key as an unencrypted PKCS#8 document (DER).
    ///
    /// # Errors
    /// `Internal` if memory runs out.
    pub fn to_pkcs8(&self) -> Result<Sensitive<Vec<u8>>, CryptoError> {
        match &self.material {
            PrivateMaterial::Rsa(key) => key.to_pkcs8(),
            PrivateMaterial::Ec(key) => key.to_pkcs8(),
        }
    }

    /// Type and size.
    #[must_use]
    pub fn spec(&self) -> KeySpec {
        self.public.spec()
    }

    /// The public half.
    #[must_use]
    pub const fn public(&self) -> &PublicKey {
        &self.public
    }

    /// Signs a digest of exactly `alg.digest_len()` bytes. RSA signatures are as long as the
    /// modulus; EC signatures are r‖s, each padded to the curve's length.
    ///
    /// # Errors
    /// `AlgorithmMismatch` if the algorithm is not for this key, `InvalidInput` for a digest of
    /// another length.
    pub fn sign(&self, alg: SignatureAlgorithm, digest: &[u8]) -> Result<Vec<u8>, CryptoError> {
        self.spec().check_signature(alg, digest)?;
        match &self.material {
            PrivateMaterial::Rsa(key) => key.sign(alg, digest),
            PrivateMaterial::Ec(key) => key.sign(digest),
        }
    }

    /// Decrypts an RSA ciphertext.
    ///
    /// `RSA1_5` tells a valid padding from an invalid one (Bleichenbacher), as the service does: who
    /// may call it may decrypt anyway.
    ///
    /// # Errors
    /// `AlgorithmMismatch` for EC keys; `DecryptionFailed`, always alike, for everything else.
    pub fn decrypt(&self, alg: EncryptionAlgorithm, ciphertext: &[u8]) -> Result<Sensitive<Vec<u8>>, CryptoError> {
        match &self.material {
            PrivateMaterial::Rsa(key) => key.decrypt(alg, ciphertext),
            PrivateMaterial::Ec(_) => Err(self.spec().no_encryption(alg)),
        }
    }

    fn from_rsa(key: RsaPrivate) -> Result<Self, CryptoError> {
        let public = PublicKey::new(PublicMaterial::Rsa(key.public()?));
        let key = Self { material: PrivateMaterial::Rsa(key), public };
        key.check_pair()?;
        Ok(key)
    }

    fn from_ec(key: EcPrivate) -> Result<Self, CryptoError> {
        let public = PublicKey::new(PublicMaterial::Ec(key.public()?));
        Ok(Self { material: PrivateMaterial::Ec(key), public })
    }

    /// Signs and verifies once. The arithmetic checks on an RSA key leave one thing out, whether its
    /// factors are prime, and with factors that are not it computes nonsense.
    fn check_pair(&self) -> Result<(), CryptoError> {
        let digest = [0x5a; 32];
        let sound = match self.sign(SignatureAlgorithm::RS256, &digest) {
            Ok(signature) => self.public.verify(SignatureAlgorithm::RS256, &digest, &signature)?,
            Err(_failure) => false,
        };
        if sound {
            Ok(())
        } else {
            Err(CryptoError::InvalidKey("the RSA key does not work: are p and q prime?".to_owned()))
        }
    }
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PrivateKey({})", self.spec())
    }
}

/// A public key, checked once. Clones share what is computed for later uses.
#[derive(Clone)]
pub struct PublicKey(Arc<PublicMaterial>);

#[expect(clippy::large_enum_variant, reason = "it is always behind an Arc")]
enum PublicMaterial {
    Rsa(RsaPublic),
    Ec(EcPublic),
}

impl PublicKey {
    /// Takes in a JSON Web Key.
    ///
    /// # Errors
    /// `InvalidKey`, naming what is wrong with it.
    pub fn from_jwk(jwk: &PublicJwk) -> Result<Self, CryptoError> {
        let material = match jwk {
            PublicJwk::Rsa { n, e } => PublicMaterial::Rsa(RsaPublic::new(&n.0, &e.0)?),
            PublicJwk::Ec { crv, x, y } => PublicMaterial::Ec(EcPublic::new(*crv, &x.0, &y.0)?),
        };
        Ok(Self::new(material))
    }

    /// The key as a JSON Web Key: `n` and `e` without leading zero bytes, `x` and `y` padded to the
    /// curve's length.
    #[must_use]
    pub fn to_jwk(&self) -> PublicJwk {
        match &*self.0 {
            PublicMaterial::Rsa(key) => key.to_jwk(),
            PublicMaterial::Ec(key) => key.to_jwk(),
        }
    }

    /// Type and size.
    #[must_use]
    pub fn spec(&self) -> KeySpec {
        match &*self.0 {
            PublicMaterial::Rsa(key) => KeySpec::Rsa { bits: key.bits() },
            PublicMaterial::Ec(key) => KeySpec::Ec(key.curve()),
        }
    }

    /// Whether `signature` is one of `digest` by this key. A signature of any wrong form or length
    /// is just not one. EC signatures verify with either s (low or high).
    ///
    /// # Errors
    /// `AlgorithmMismatch` if the algorithm is not for this key, `InvalidInput` for a digest of
    /// another length.
    pub fn verify(&self, alg: SignatureAlgorithm, digest: &[u8], signature: &[u8]) -> Result<bool, CryptoError> {
        self.spec().check_signature(alg, digest)?;
        match &*self.0 {
            PublicMaterial::Rsa(key) => key.verify(alg, digest, signature),
            PublicMaterial::Ec(key) => key.verify(digest, signature),
        }
    }

    /// Encrypts with RSA. With k bytes of modulus the plaintext may have k − 42 bytes (RSA-OAEP),
    /// k − 66 (RSA-OAEP-256) or k − 11 (`RSA1_5`).
    ///
    /// # Errors
    /// `AlgorithmMismatch` for EC keys, `InvalidInput` if the plaintext is too long.
    pub fn encrypt(&self, alg: EncryptionAlgorithm, plaintext: &[u8]) -> Result<Vec<u8>, CryptoError> {
        match &*self.0 {
            PublicMaterial::Rsa(key) => key.encrypt(alg, plaintext),
            PublicMaterial::Ec(_) => Err(self.spec().no_encryption(alg)),
        }
    }

    fn new(material: PublicMaterial) -> Self {
        Self(Arc::new(material))
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({})", self.spec())
    }
}
