//! RSA (RFC 8017) by aws-lc: signatures over digests, encryption, decryption.

use std::sync::OnceLock;

use aws_lc_rs::digest::{self, Digest};
use aws_lc_rs::encoding::AsDer as _;
use aws_lc_rs::rsa::{
    KeySize, OAEP_SHA1_MGF1SHA1, OAEP_SHA256_MGF1SHA256, OaepPrivateDecryptingKey, OaepPublicEncryptingKey,
    Pkcs1PrivateDecryptingKey, Pkcs1PublicEncryptingKey, PrivateDecryptingKey, PublicEncryptingKey, RsaParameters,
};
use aws_lc_rs::signature::{self, KeyPair as _, ParsedPublicKey, RsaEncoding, RsaKeyPair, RsaPublicKeyComponents};
use strongroom_wire::algorithms::{EncryptionAlgorithm, SignatureAlgorithm};
use strongroom_wire::base64url::Base64Url;
use strongroom_wire::jwk::{ImportJwk, PublicJwk};
use strongroom_wire::sensitive::Sensitive;
use zeroize::Zeroizing;

use crate::error::CryptoError;
use crate::rsa_import;

/// An RSA private key. What decrypts is set up at the first decryption: most keys never do.
pub(crate) struct RsaPrivate {
    pair: RsaKeyPair,
    decrypting: OnceLock<Decrypting>,
}

struct Decrypting {
    oaep: OaepPrivateDecryptingKey,
    pkcs1: Pkcs1PrivateDecryptingKey,
}

impl RsaPrivate {
    pub(crate) fn generate(bits: u32) -> Result<Self, CryptoError> {
        let size = match bits {
            2048 => KeySize::Rsa2048,
            3072 => KeySize::Rsa3072,
            4096 => KeySize::Rsa4096,
            _ => {
                let message = format!("an RSA key has 2048, 3072 or 4096 bits, not {bits}");
                return Err(CryptoError::Unsupported(message));
            }
        };
        let pair = RsaKeyPair::generate(size)
            .map_err(|_unspecified| CryptoError::Internal("an RSA key could not be generated"))?;
        Ok(Self::new(pair))
    }

    pub(crate) fn from_jwk(jwk: &ImportJwk) -> Result<Self, CryptoError> {
        rsa_import::key_pair(jwk).map(Self::new)
    }

    pub(crate) fn from_pkcs8(der: &[u8]) -> Result<Self, CryptoError> {
        let pair = RsaKeyPair::from_pkcs8(der).map_err(|_rejected| {
            CryptoError::InvalidKey("the PKCS#8 document does not hold a consistent RSA key".to_owned())
        })?;
        Ok(Self::new(pair))
    }

    pub(crate) fn to_pkcs8(&self) -> Result<Sensitive<Vec<u8>>, CryptoError> {
        let document =
            self.pair.as_der().map_err(|_unspecified| CryptoError::Internal("an RSA key could not be encoded"))?;
        Ok(Sensitive::new(document.as_ref().to_vec()))
    }

    pub(crate) fn public(&self) -> Result<RsaPublic, CryptoError> {
        let public = self.pair.public_key();
        RsaPublic::new(
            public.modulus().big_endian_without_leading_zero(),
            public.exponent().big_endian_without_leading_zero(),
        )
    }

    /// The caller has checked that `algorithm` is one of RSA's and fits the digest.
    pub(crate) fn sign(&self, algorithm: SignatureAlgorithm, digest: &[u8]) -> Result<Vec<u8>, CryptoError> {
        let scheme = Scheme::of(algorithm)?;
        let mut signature = vec![0; self.pair.public_modulus_len()];
        self.pair
            .sign_digest(scheme.signing, &scheme.import(digest)?, &mut signature)
            .map_err(|_unspecified| CryptoError::Internal("the RSA key could not sign"))?;
        Ok(signature)
    }

    pub(crate) fn decrypt(
        &self,
        algorithm: EncryptionAlgorithm,
        ciphertext: &[u8],
    ) -> Result<Sensitive<Vec<u8>>, CryptoError> {
        let key = get_or_try_init(&self.decrypting, || self.decrypting())?;
        let size = self.pair.public_modulus_len();
        if ciphertext.len() != size {
            return Err(CryptoError::DecryptionFailed);
        }
        let mut buffer = Zeroizing::new(vec![0; size]);
        let plaintext = match algorithm {
            EncryptionAlgorithm::RsaOaep => key.oaep.decrypt(&OAEP_SHA1_MGF1SHA1, ciphertext, &mut buffer, None),
            EncryptionAlgorithm::RsaOaep256 => key.oaep.decrypt(&OAEP_SHA256_MGF1SHA256, ciphertext, &mut buffer, None),
            EncryptionAlgorithm::Rsa15 => key.pkcs1.decrypt(ciphertext, &mut buffer),
        };
        let length = plaintext.map_err(|_unspecified| CryptoError::DecryptionFailed)?.len();
        buffer.truncate(length);
        Ok(Sensitive::new(std::mem::take(&mut *buffer)))
    }

    const fn new(pair: RsaKeyPair) -> Self {
        Self { pair, decrypting: OnceLock::new() }
    }

    fn decrypting(&self) -> Result<Decrypting, CryptoError> {
        const FAILED: CryptoError = CryptoError::Internal("an RSA key could not be set up to decrypt");
        let document = self.to_pkcs8()?;
        let key = PrivateDecryptingKey::from_pkcs8(document.expose()).map_err(|_rejected| FAILED)?;
        Ok(Decrypting {
            oaep: OaepPrivateDecryptingKey::new(key.clone()).map_err(|_unspecified| FAILED)?,
            pkcs1: Pkcs1PrivateDecryptingKey::new(key).map_err(|_unspecified| FAILED)?,
        })
    }
}

/// An RSA public key. aws-lc binds a parsed key to one algorithm, so there is one for each in use.
pub(crate) struct RsaPublic {
    n: Vec<u8>,
    e: Vec<u8>,
    bits: u32,
    verifying: [OnceLock<ParsedPublicKey>; 6],
    encrypting: OnceLock<Encrypting>,
}

struct Encrypting {
    oaep: OaepPublicEncryptingKey,
    pkcs1: Pkcs1PublicEncryptingKey,
}

impl RsaPublic {
    /// Checks a modulus and an exponent, big-endian.
    pub(crate) fn new(n: &[u8], e: &[u8]) -> Result<Self, CryptoError> {
        let (n, e) = (without_leading_zeros(n), without_leading_zeros(e));
        let bits = check_modulus(n)?;
        check_exponent(e)?;
        Ok(Self {
            n: n.to_vec(),
            e: e.to_vec(),
            bits,
            verifying: [const { OnceLock::new() }; 6],
            encrypting: OnceLock::new(),
        })
    }

    pub(crate) const fn bits(&self) -> u32 {
        self.bits
    }

    pub(crate) fn to_jwk(&self) -> PublicJwk {
        PublicJwk::Rsa { n: Base64Url(self.n.clone()), e: Base64Url(self.e.clone()) }
    }

    /// The caller has checked that `algorithm` is one of RSA's and fits the digest.
    pub(crate) fn verify(
        &self,
        algorithm: SignatureAlgorithm,
        digest: &[u8],
        signature: &[u8],
    ) -> Result<bool, CryptoError> {
        let scheme = Scheme::of(algorithm)?;
        let cell = self.verifying.get(scheme.index).ok_or(CryptoError::Internal("no such RSA scheme"))?;
        let key = get_or_try_init(cell, || {
            self.components()
                .to_parsed_public_key(scheme.verifying)
                .map_err(|_rejected| CryptoError::Internal("an RSA key could not be set up to verify"))
        })?;
        Ok(signature.len() == self.n.len() && key.verify_digest_sig(&scheme.import(digest)?, signature).is_ok())
    }

    pub(crate) fn encrypt(&self, algorithm: EncryptionAlgorithm, plaintext: &[u8]) -> Result<Vec<u8>, CryptoError> {
        let overhead = match algorithm {
            EncryptionAlgorithm::RsaOaep => 42,
            EncryptionAlgorithm::RsaOaep256 => 66,
            EncryptionAlgorithm::Rsa15 => 11,
        };
        let limit = self.n.len() - overhead;
        if plaintext.len() > limit {
            return Err(CryptoError::InvalidInput(format!(
                "{algorithm} with a key of {} bits encrypts at most {limit} bytes, got {}",
                self.bits,
                plaintext.len()
            )));
        }
        let key = get_or_try_init(&self.encrypting, || self.encrypting())?;
        let mut ciphertext = vec![0; self.n.len()];
        let length = match algorithm {
            EncryptionAlgorithm::RsaOaep => key.oaep.encrypt(&OAEP_SHA1_MGF1SHA1, plaintext, &mut ciphertext, None),
            EncryptionAlgorithm::RsaOaep256 => {
                key.oaep.encrypt(&OAEP_SHA256_MGF1SHA256, plaintext, &mut ciphertext, None)
            }
            EncryptionAlgorithm::Rsa15 => key.pkcs1.encrypt(plaintext, &mut ciphertext),
        }
        .map_err(|_unspecified| CryptoError::Internal("the RSA key could not encrypt"))?
        .len();
        ciphertext.truncate(length);
        Ok(ciphertext)
    }

    const fn components(&self) -> RsaPublicKeyComponents<&[u8]> {
        RsaPublicKeyComponents { n: self.n.as_slice(), e: self.e.as_slice() }
    }

    fn encrypting(&self) -> Result<Encrypting, CryptoError> {
        const FAILED: CryptoError = CryptoError::Internal("an RSA key could not be set up to encrypt");
        let key: PublicEncryptingKey = self.components().try_into().map_err(|_unspecified| FAILED)?;
        Ok(Encrypting {
            oaep: OaepPublicEncryptingKey::new(key.clone()).map_err(|_unspecified| FAILED)?,
            pkcs1: Pkcs1PublicEncryptingKey::new(key).map_err(|_unspecified| FAILED)?,
        })
    }
}

/// What aws-lc calls a signature algorithm.
struct Scheme {
    index: usize,
    digest: &'static digest::Algorithm,
    signing: &'static dyn RsaEncoding,
    verifying: &'static RsaParameters,
}

impl Scheme {
    fn of(algorithm: SignatureAlgorithm) -> Result<Self, CryptoError> {
        let (index, digest, signing, verifying): (_, _, &'static dyn RsaEncoding, _) = match algorithm {
            SignatureAlgorithm::RS256 => {
                (0, &digest::SHA256, &signature::RSA_PKCS1_SHA256, &signature::RSA_PKCS1_2048_8192_SHA256)
            }
            SignatureAlgorithm::RS384 => {
                (1, &digest::SHA384, &signature::RSA_PKCS1_SHA384, &signature::RSA_PKCS1_2048_8192_SHA384)
            }
            SignatureAlgorithm::RS512 => {
                (2, &digest::SHA512, &signature::RSA_PKCS1_SHA512, &signature::RSA_PKCS1_2048_8192_SHA512)
            }
            SignatureAlgorithm::PS256 => {
                (3, &digest::SHA256, &signature::RSA_PSS_SHA256, &signature::RSA_PSS_2048_8192_SHA256)
            }
            SignatureAlgorithm::PS384 => {
                (4, &digest::SHA384, &signature::RSA_PSS_SHA384, &signature::RSA_PSS_2048_8192_SHA384)
            }
            SignatureAlgorithm::PS512 => {
                (5, &digest::SHA512, &signature::RSA_PSS_SHA512, &signature::RSA_PSS_2048_8192_SHA512)
            }
            _ => return Err(CryptoError::AlgorithmMismatch(format!("{algorithm} is not an RSA algorithm"))),
        };
        Ok(Self { index, digest, signing, verifying })
    }

    fn import(&self, digest: &[u8]) -> Result<Digest, CryptoError> {
        Digest::import_less_safe(digest, self.digest)
            .map_err(|_unspecified| CryptoError::InvalidInput("the digest has the wrong length".to_owned()))
    }
}

/// The size of a modulus in bits; 2048, 3072 and 4096 are accepted.
fn check_modulus(n: &[u8]) -> Result<u32, CryptoError> {
    let bits = n.first().and_then(|first| u32::try_from(n.len() * 8).ok()?.checked_sub(first.leading_zeros()));
    let bits = bits.unwrap_or_default();
    if !matches!(bits, 2048 | 3072 | 4096) {
        let message = format!("the RSA modulus (n) has {bits} bits; 2048, 3072 and 4096 are accepted");
        return Err(CryptoError::InvalidKey(message));
    }
    if n.last().is_some_and(|last| last % 2 == 0) {
        return Err(CryptoError::InvalidKey("the RSA modulus (n) is even".to_owned()));
    }
    Ok(bits)
}

/// Odd, and from 3 to 2³² − 1.
fn check_exponent(e: &[u8]) -> Result<(), CryptoError> {
    let problem = match e {
        [] => "is missing or zero",
        [1 | 2] => "is less than 3",
        [.., last] if last % 2 == 0 => "is even",
        _ if e.len() > 4 => "is longer than 32 bits",
        _ => return Ok(()),
    };
    Err(CryptoError::InvalidKey(format!("the RSA public exponent (e) {problem}")))
}

pub(crate) fn without_leading_zeros(bytes: &[u8]) -> &[u8] {
    bytes.iter().position(|&byte| byte != 0).and_then(|first| bytes.get(first..)).unwrap_or_default()
}

/// `OnceLock::get_or_try_init`, which is not stable. Two threads may both compute; one result stays.
pub(crate) fn get_or_try_init<T>(
    cell: &OnceLock<T>,
    compute: impl FnOnce() -> Result<T, CryptoError>,
) -> Result<&T, CryptoError> {
    if let Some(value) = cell.get() {
        return Ok(value);
    }
    let value = compute()?;
    Ok(cell.get_or_init(|| value))
}
