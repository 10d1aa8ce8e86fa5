//! ECDSA (FIPS 186-5) over digests: the NIST curves by aws-lc, secp256k1 by `k256`.

use aws_lc_rs::digest::{self, Digest};
use aws_lc_rs::signature::{
    self, EcdsaKeyPair, EcdsaSigningAlgorithm, EcdsaVerificationAlgorithm, KeyPair as _, ParsedPublicKey,
};
use crypto_bigint::BoxedUint;
use k256::ecdsa::signature::hazmat::{PrehashSigner as _, PrehashVerifier as _};
use k256::ecdsa::{Signature, SigningKey, VerifyingKey};
use k256::elliptic_curve::pkcs8::{DecodePrivateKey as _, EncodePrivateKey as _};
use strongroom_wire::algorithms::Curve;
use strongroom_wire::base64url::Base64Url;
use strongroom_wire::jwk::{ImportJwk, PublicJwk};
use strongroom_wire::sensitive::Sensitive;
use zeroize::Zeroizing;

use crate::error::CryptoError;
use crate::random::random_bytes;
use crate::rsa::without_leading_zeros;

/// An EC private key.
pub(crate) enum EcPrivate {
    /// On a NIST curve.
    Nist(&'static Nist, EcdsaKeyPair),
    /// On secp256k1.
    K256(Box<SigningKey>),
}

impl EcPrivate {
    pub(crate) fn generate(curve: Curve) -> Result<Self, CryptoError> {
        let Some(nist) = Nist::of(curve) else { return generate_k256() };
        let pair = EcdsaKeyPair::generate(nist.signing)
            .map_err(|_unspecified| CryptoError::Internal("an EC key could not be generated"))?;
        Ok(Self::Nist(nist, pair))
    }

    pub(crate) fn from_jwk(jwk: &ImportJwk) -> Result<Self, CryptoError> {
        let curve = curve(jwk.crv.as_deref())?;
        let public = EcPublic::new(curve, member(jwk.x.as_ref(), "x")?, member(jwk.y.as_ref(), "y")?)?;
        let d = jwk.d.as_ref().ok_or_else(|| lacks("d"))?;
        let d = Zeroizing::new(padded(curve, "d", &d.expose().0)?);
        check_scalar(curve, &d)?;
        match &public {
            EcPublic::Nist { nist, .. } => {
                EcdsaKeyPair::from_private_key_and_public_key(nist.signing, &d, &public.point())
                    .map(|pair| Self::Nist(nist, pair))
                    .map_err(|_rejected| mismatch())
            }
            EcPublic::K256(key) => {
                let private = SigningKey::from_slice(&d).map_err(|_error| mismatch())?;
                if private.verifying_key() != &**key {
                    return Err(mismatch());
                }
                Ok(Self::K256(Box::new(private)))
            }
        }
    }

    pub(crate) fn from_pkcs8(curve: Curve, der: &[u8]) -> Result<Self, CryptoError> {
        let invalid = || CryptoError::InvalidKey("the PKCS#8 document does not hold a consistent EC key".to_owned());
        match Nist::of(curve) {
            Some(nist) => EcdsaKeyPair::from_pkcs8(nist.signing, der)
                .map(|pair| Self::Nist(nist, pair))
                .map_err(|_rejected| invalid()),
            None => SigningKey::from_pkcs8_der(der).map(Box::new).map(Self::K256).map_err(|_error| invalid()),
        }
    }

    pub(crate) fn to_pkcs8(&self) -> Result<Sensitive<Vec<u8>>, CryptoError> {
        const FAILED: CryptoError = CryptoError::Internal("an EC key could not be encoded");
        let document = match self {
            Self::Nist(_, pair) => pair.to_pkcs8v1().map_err(|_unspecified| FAILED)?.as_ref().to_vec(),
            Self::K256(key) => key.to_pkcs8_der().map_err(|_error| FAILED)?.as_bytes().to_vec(),
        };
        Ok(Sensitive::new(document))
    }

    pub(crate) fn public(&self) -> Result<EcPublic, CryptoError> {
        match self {
            Self::Nist(nist, pair) => EcPublic::nist(nist, pair.public_key().as_ref()),
            Self::K256(key) => Ok(EcPublic::K256(Box::new(*key.verifying_key()))),
        }
    }

    /// r‖s. The caller has checked that the algorithm is the curve's and fits the digest.
    pub(crate) fn sign(&self, digest: &[u8]) -> Result<Vec<u8>, CryptoError> {
        const FAILED: CryptoError = CryptoError::Internal("the EC key could not sign");
        match self {
            Self::Nist(nist, pair) => pair
                .sign_digest(&nist.import(digest)?)
                .map(|signature| signature.as_ref().to_vec())
                .map_err(|_unspecified| FAILED),
            // Deterministic, RFC 6979.
            Self::K256(key) => {
                let signature: Signature = key.sign_prehash(digest).map_err(|_error| FAILED)?;
                Ok(signature.to_vec())
            }
        }
    }
}

/// An EC public key: a point that is on its curve.
pub(crate) enum EcPublic {
    /// On a NIST curve; x and y padded.
    Nist { nist: &'static Nist, key: ParsedPublicKey, x: Vec<u8>, y: Vec<u8> },
    /// On secp256k1.
    K256(Box<VerifyingKey>),
}

impl EcPublic {
    /// Checks a point, big-endian. Shorter coordinates are padded, leading zeros tolerated.
    pub(crate) fn new(curve: Curve, x: &[u8], y: &[u8]) -> Result<Self, CryptoError> {
        let (x, y) = (padded(curve, "x", x)?, padded(curve, "y", y)?);
        let point = uncompressed(&x, &y);
        match Nist::of(curve) {
            Some(nist) => Self::nist(nist, &point),
            None => VerifyingKey::from_sec1_bytes(&point)
                .map(|key| Self::K256(Box::new(key)))
                .map_err(|_error| off_curve(curve)),
        }
    }

    pub(crate) const fn curve(&self) -> Curve {
        match self {
            Self::Nist { nist, .. } => nist.curve,
            Self::K256(_) => Curve::P256K,
        }
    }

    pub(crate) fn to_jwk(&self) -> PublicJwk {
        let point = self.point();
        let (x, y) = coordinates(self.curve(), &point).unwrap_or_default();
        PublicJwk::Ec { crv: self.curve(), x: Base64Url(x.to_vec()), y: Base64Url(y.to_vec()) }
    }

    /// The caller has checked that the algorithm is the curve's and fits the digest.
    pub(crate) fn verify(&self, digest: &[u8], signature: &[u8]) -> Result<bool, CryptoError> {
        match self {
            Self::Nist { nist, key, .. } => {
                let long_enough = signature.len() == 2 * nist.curve.coordinate_len();
                Ok(long_enough && key.verify_digest_sig(&nist.import(digest)?, signature).is_ok())
            }
            // Others need not have chosen the lower s: normalizing accepts either.
            Self::K256(key) => Ok(Signature::from_slice(signature)
                .is_ok_and(|signature| key.verify_prehash(digest, &signature.normalize_s()).is_ok())),
        }
    }

    /// From an uncompressed point.
    fn nist(nist: &'static Nist, point: &[u8]) -> Result<Self, CryptoError> {
        let (x, y) = coordinates(nist.curve, point).ok_or(CryptoError::Internal("a point of the wrong length"))?;
        let key = ParsedPublicKey::new(nist.verifying, point).map_err(|_rejected| off_curve(nist.curve))?;
        Ok(Self::Nist { nist, key, x: x.to_vec(), y: y.to_vec() })
    }

    /// 4‖x‖y (SEC 1 section 2.3.3).
    fn point(&self) -> Vec<u8> {
        match self {
            Self::Nist { x, y, .. } => uncompressed(x, y),
            Self::K256(key) => key.to_sec1_point(false).as_bytes().to_vec(),
        }
    }
}

/// What aws-lc calls a NIST curve and the digest that goes with it.
pub(crate) struct Nist {
    curve: Curve,
    digest: &'static digest::Algorithm,
    signing: &'static EcdsaSigningAlgorithm,
    verifying: &'static EcdsaVerificationAlgorithm,
}

impl Nist {
    const fn of(curve: Curve) -> Option<&'static Self> {
        const P256: &Nist = &Nist {
            curve: Curve::P256,
            digest: &digest::SHA256,
            signing: &signature::ECDSA_P256_SHA256_FIXED_SIGNING,
            verifying: &signature::ECDSA_P256_SHA256_FIXED,
        };
        const P384: &Nist = &Nist {
            curve: Curve::P384,
            digest: &digest::SHA384,
            signing: &signature::ECDSA_P384_SHA384_FIXED_SIGNING,
            verifying: &signature::ECDSA_P384_SHA384_FIXED,
        };
        const P521: &Nist = &Nist {
            curve: Curve::P521,
            digest: &digest::SHA512,
            signing: &signature::ECDSA_P521_SHA512_FIXED_SIGNING,
            verifying: &signature::ECDSA_P521_SHA512_FIXED,
        };
        match curve {
            Curve::P256 => Some(P256),
            Curve::P384 => Some(P384),
            Curve::P521 => Some(P521),
            Curve::P256K => None,
        }
    }

    fn import(&self, digest: &[u8]) -> Result<Digest, CryptoError> {
        Digest::import_less_safe(digest, self.digest)
            .map_err(|_unspecified| CryptoError::InvalidInput("the digest has the wrong length".to_owned()))
    }
}

fn generate_k256() -> Result<EcPrivate, CryptoError> {
    // All but one in 2^128 random strings are private keys.
    for _ in 0..4 {
        if let Ok(key) = SigningKey::from_slice(Zeroizing::new(random_bytes::<32>()?).as_slice()) {
            return Ok(EcPrivate::K256(Box::new(key)));
        }
    }
    Err(CryptoError::Internal("an EC key could not be generated"))
}

/// The curve of a JWK, by Azure's name or, for secp256k1, by RFC 8812's.
fn curve(crv: Option<&str>) -> Result<Curve, CryptoError> {
    match crv {
        None => Err(lacks("crv")),
        Some("secp256k1" | "SECP256K1") => Ok(Curve::P256K),
        Some(name) => Curve::parse(name).map_err(|error| CryptoError::Unsupported(error.message)),
    }
}

fn member<'a>(member: Option<&'a Base64Url>, name: &str) -> Result<&'a [u8], CryptoError> {
    member.map(|member| member.0.as_slice()).ok_or_else(|| lacks(name))
}

fn padded(curve: Curve, name: &str, bytes: &[u8]) -> Result<Vec<u8>, CryptoError> {
    let length = curve.coordinate_len();
    let bytes = without_leading_zeros(bytes);
    let zeros = length.checked_sub(bytes.len()).ok_or_else(|| {
        CryptoError::InvalidKey(format!("the EC member {name} has {} bytes; {curve} takes {length}", bytes.len()))
    })?;
    let mut out = vec![0; zeros];
    // The whole length at once: no reallocation leaves a copy of `d` behind.
    out.reserve_exact(length);
    out.extend_from_slice(bytes);
    Ok(out)
}

/// `d` has to be from 1 to the order of the curve less 1.
fn check_scalar(curve: Curve, d: &[u8]) -> Result<(), CryptoError> {
    // FIPS 186-5, SP 800-186 section 3.2.1; SEC 2 section 2.4.1.
    let order = match curve {
        Curve::P256 => "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551",
        Curve::P384 => {
            "ffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973"
        }
        Curve::P521 => concat!(
            "00000000000001ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
            "fa51868783bf2f966b7fcc0148f709a5d03bb5c9b8899c47aebb6fb71e91386409"
        ),
        Curve::P256K => "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141",
    };
    let wrong = || CryptoError::Internal("the order of a curve could not be read");
    let bits = u32::try_from(order.len() * 4).map_err(|_overflow| wrong())?;
    let order = BoxedUint::from_be_hex(order, bits).into_option().ok_or_else(wrong)?;
    let d = Zeroizing::new(BoxedUint::from_be_slice(d, bits).map_err(|_too_long| wrong())?);
    if d.is_zero().to_bool() || *d >= order {
        return Err(CryptoError::InvalidKey(format!("the EC private key (d) is out of range for {curve}")));
    }
    Ok(())
}

fn uncompressed(x: &[u8], y: &[u8]) -> Vec<u8> {
    [&[4], x, y].concat()
}

/// x and y of an uncompressed point.
fn coordinates(curve: Curve, point: &[u8]) -> Option<(&[u8], &[u8])> {
    let length = curve.coordinate_len();
    match point.split_first() {
        Some((4, both)) if both.len() == 2 * length => both.split_at_checked(length),
        _ => None,
    }
}

fn lacks(name: &str) -> CryptoError {
    CryptoError::InvalidKey(format!("the EC key lacks {name}; crv, x, y and d are required"))
}

fn mismatch() -> CryptoError {
    CryptoError::InvalidKey("the EC private key (d) does not belong to the point (x, y)".to_owned())
}

fn off_curve(curve: Curve) -> CryptoError {
    CryptoError::InvalidKey(format!("the point (x, y) is not on {curve}"))
}
