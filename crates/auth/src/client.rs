//! Application credentials: client secrets, kept as slow hashes, and certificates whose keys sign
//! assertions (RFC 7523).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use strongroom_crypto::{
    CryptoError, PublicKey, constant_time_eq, hash_secret, random_bytes, sha1, sha256, verify_secret,
};
use strongroom_wire::Sensitive;
use strongroom_wire::algorithms::{Curve, SignatureAlgorithm};
use strongroom_wire::base64url::{self, Base64Url};
use strongroom_wire::jwk::PublicJwk;
use x509_parser::prelude::{FromDer as _, Pem, X509Certificate};
use x509_parser::public_key::PublicKey as X509PublicKey;

use crate::aad_error::AadError;
use crate::federation::FederatedCredential;
use crate::jws::Jws;

/// Clocks may differ by so many seconds.
pub(crate) const SKEW: i64 = 300;

/// An assertion that is good for longer than this is refused: it would be a password. A day, as
/// with Entra.
const LONGEST_ASSERTION: i64 = 86_400;

/// An application: what logs in.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Application {
    /// Client id, a GUID.
    pub app_id: String,
    /// Object id of its service principal, a GUID: what roles are assigned to.
    pub object_id: String,
    /// Display name.
    pub display_name: String,
    /// Client secrets.
    #[serde(default)]
    pub secrets: Vec<ClientSecret>,
    /// Certificates.
    #[serde(default)]
    pub certificates: Vec<ClientCertificate>,
    /// Outside issuers whose tokens stand for it.
    #[serde(default)]
    pub federated: Vec<FederatedCredential>,
}

/// A client secret, as kept: not the secret, but a slow hash of it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ClientSecret {
    /// Its id.
    pub key_id: String,
    /// The first three characters, for people to tell secrets apart.
    pub hint: String,
    /// Argon2id, as a PHC string.
    pub hash: String,
    /// Good from here, unix seconds,
    pub start: i64,
    /// until here.
    pub end: i64,
}

/// A certificate that stands for an application.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ClientCertificate {
    /// Its id: the SHA-1 thumbprint, hexadecimal.
    pub key_id: String,
    /// The certificate, DER in standard base64.
    pub der_base64: String,
    /// Good from here, unix seconds,
    pub start: i64,
    /// until here.
    pub end: i64,
}

/// Why a credential could not be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CredentialFault {
    /// Not a certificate in PEM.
    #[error("not an X.509 certificate in PEM")]
    NotACertificate,
    /// With a key that cannot sign assertions.
    #[error("the certificate's key is not RSA (2048, 3072 or 4096 bits) or EC (P-256, P-384, P-521)")]
    KeyNotSupported,
    /// Hashing or randomness failed.
    #[error(transparent)]
    Crypto(#[from] CryptoError),
}

impl ClientSecret {
    /// Makes a new secret of 240 random bits; returns what is kept, and the secret itself.
    ///
    /// # Errors
    /// When there is no randomness, or no memory for the hash.
    pub fn generate(key_id: String, start: i64, end: i64) -> Result<(Self, Sensitive<String>), CredentialFault> {
        let secret = Sensitive::new(base64url::encode(&random_bytes::<30>()?));
        Ok((Self::from_value(key_id, &secret, start, end)?, secret))
    }

    /// What is kept of a given secret.
    ///
    /// # Errors
    /// When there is no randomness, or no memory for the hash.
    pub fn from_value(
        key_id: String,
        secret: &Sensitive<String>,
        start: i64,
        end: i64,
    ) -> Result<Self, CredentialFault> {
        let hash = hash_secret(secret.expose())?;
        Ok(Self { key_id, hint: secret.expose().chars().take(3).collect(), hash, start, end })
    }

    /// Is it good at this time?
    #[must_use]
    pub const fn is_good(&self, now: i64) -> bool {
        self.start.saturating_sub(SKEW) <= now && now < self.end
    }
}

impl ClientCertificate {
    /// Reads a certificate from PEM (the first one in it).
    ///
    /// # Errors
    /// [`CredentialFault`].
    pub fn from_pem(pem: &str) -> Result<Self, CredentialFault> {
        let mut blocks = Pem::iter_from_buffer(pem.as_bytes()).filter_map(Result::ok);
        let block = blocks.find(|block| block.label == "CERTIFICATE").ok_or(CredentialFault::NotACertificate)?;
        let (_, certificate) =
            X509Certificate::from_der(&block.contents).map_err(|_unreadable| CredentialFault::NotACertificate)?;
        public_key(&certificate).ok_or(CredentialFault::KeyNotSupported)?;
        let validity = certificate.validity();
        Ok(Self {
            key_id: sha1(&block.contents).iter().map(|byte| format!("{byte:02X}")).collect(),
            der_base64: STANDARD.encode(&block.contents),
            start: validity.not_before.timestamp(),
            end: validity.not_after.timestamp(),
        })
    }

    /// Is it the one that an assertion's header names?
    fn is_named(&self, jws: &Jws<'_>, der: &[u8]) -> bool {
        let named = |thumbprint: &Option<String>, own: &[u8]| {
            let bytes = thumbprint.as_deref().and_then(|text| base64url::decode(text).ok());
            bytes.is_some_and(|bytes| constant_time_eq(&bytes, own))
        };
        named(&jws.header.x5t_s256, &sha256(der)) || named(&jws.header.x5t, &sha1(der))
    }
}

/// Checks a client secret; returns what is kept of it. Slow on purpose: tens of milliseconds a
/// secret.
///
/// # Errors
/// AADSTS7000215, or 7000222 when it is right but expired.
pub fn check_client_secret<'a>(
    application: &'a Application,
    presented: &str,
    now: i64,
) -> Result<&'a ClientSecret, AadError> {
    let mut outcome = Err(AadError::invalid_secret(&application.app_id));
    for secret in &application.secrets {
        if verify_secret(presented, &secret.hash).unwrap_or(false) {
            if secret.is_good(now) {
                return Ok(secret);
            }
            outcome = Err(AadError::expired_secret(&application.app_id));
        }
    }
    outcome
}

/// Checks a client assertion against the application's certificates. `audiences` are the token
/// endpoint's own names.
///
/// # Errors
/// AADSTS700027, with the reason.
pub fn check_client_assertion(
    application: &Application,
    assertion: &str,
    audiences: &[String],
    now: i64,
) -> Result<(), AadError> {
    let refused = AadError::invalid_assertion;
    let jws = Jws::parse(assertion).ok_or_else(|| refused("it is not a signed JWT"))?;
    match jws.algorithm() {
        Some(algorithm) if algorithm != SignatureAlgorithm::ES256K => {}
        _ => return Err(refused("its algorithm is not RS256, PS256 or another asymmetric one")),
    }
    let certificates = application.certificates.iter().filter_map(|certificate| {
        let der = STANDARD.decode(&certificate.der_base64).ok()?;
        certificate.is_named(&jws, &der).then_some((certificate, der))
    });
    let (certificate, der) = certificates
        .into_iter()
        .next()
        .ok_or_else(|| refused("its header names (x5t, x5t#S256) no certificate of the application"))?;
    let key = X509Certificate::from_der(&der).ok().and_then(|(_, certificate)| public_key(&certificate));
    if !key.is_some_and(|key| jws.verify(&key)) {
        return Err(refused("its signature is not the certificate's"));
    }
    if now < certificate.start.saturating_sub(SKEW) || now >= certificate.end {
        return Err(refused("the certificate is not valid now"));
    }
    let by_application = |claim| jws.text(claim).is_some_and(|id| id.eq_ignore_ascii_case(&application.app_id));
    if !by_application("iss") || !by_application("sub") {
        return Err(refused("iss and sub are not the client id"));
    }
    if !jws.text("aud").is_some_and(|found| audiences.iter().any(|known| known == found)) {
        return Err(refused("aud is not this token endpoint"));
    }
    let expires = jws.date("exp").ok_or_else(|| refused("it has no exp"))?;
    if now >= expires.saturating_add(SKEW) {
        return Err(refused("it has expired"));
    }
    let starts = jws.date("nbf").or_else(|| jws.date("iat")).unwrap_or(now);
    if now.saturating_add(SKEW) < starts {
        return Err(refused("it is not valid yet"));
    }
    if expires.saturating_sub(now) > LONGEST_ASSERTION {
        return Err(refused("it is good for more than a day"));
    }
    Ok(())
}

fn public_key(certificate: &X509Certificate<'_>) -> Option<PublicKey> {
    let jwk = match certificate.public_key().parsed().ok()? {
        X509PublicKey::RSA(key) => {
            let minimal = |bytes: &[u8]| {
                let start = bytes.iter().position(|byte| *byte != 0).unwrap_or(bytes.len());
                Base64Url(bytes.get(start..).unwrap_or_default().to_vec())
            };
            PublicJwk::Rsa { n: minimal(key.modulus), e: minimal(key.exponent) }
        }
        X509PublicKey::EC(point) => {
            let (form, coordinates) = point.data().split_first()?;
            // SEC 1 section 2.3.3: 4 is "uncompressed".
            if *form != 4 {
                return None;
            }
            let half = coordinates.len() / 2;
            let crv = [Curve::P256, Curve::P384, Curve::P521].into_iter().find(|crv| crv.coordinate_len() == half)?;
            let (x, y) = coordinates.split_at_checked(half)?;
            PublicJwk::Ec { crv, x: Base64Url(x.to_vec()), y: Base64Url(y.to_vec()) }
        }
        _ => return None,
    };
    PublicKey::from_jwk(&jwk).ok()
}
