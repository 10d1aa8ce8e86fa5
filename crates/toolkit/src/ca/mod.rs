//! A small certificate authority whose key stays in a vault (X.509 v3, RFC 5280).
//!
//! ```
//! use strongroom::ca::{CertificateAuthority, Request, Usage};
//! use strongroom::keys::{Curve, KeySpec, VaultKey};
//!
//! # tokio::runtime::Runtime::new()?.block_on(async {
//! let vault = strongroom::open("memory:").await?;
//! let root_key = VaultKey::new(vault.clone(), "ca-root-p384-2026")?;
//! root_key.create(KeySpec::Ec(Curve::P384)).await?;
//! let ca = CertificateAuthority::create_root(&root_key, "Example Root", 3_650).await?;
//!
//! // For a key in a vault; a request from elsewhere is `Request::from_csr(pem)`.
//! let server_key = VaultKey::new(vault, "tls-example")?;
//! server_key.create(KeySpec::Ec(Curve::P256)).await?;
//! let (_version, public) = server_key.public().await?;
//! let request = Request::new(&public)?.with_name("www.example.com").for_usage(Usage::Server).for_days(90);
//! let certificate = ca.issue(&request).await?;
//! assert!(certificate.pem.starts_with("-----BEGIN CERTIFICATE-----"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! It issues to end entities only, has no intermediates and keeps no list of what it issued: revoke by
//! short lives. Keep the root's certificate and the key's version together: a rotated key is another
//! authority.

mod remote;
mod request;

use rcgen::{
    BasicConstraints, Certificate, CertificateParams, DistinguishedName, DnType, IsCa, Issuer, KeyUsagePurpose,
    SerialNumber,
};
use strongroom_crypto::random_bytes;
use time::{Duration, OffsetDateTime};
use x509_parser::pem::parse_x509_pem;

pub use request::{Request, Usage};

use crate::keys::{KeyError, VaultKey};
use remote::Remote;

/// By how much certificates are valid earlier than now, for clocks that are behind: five minutes.
const EARLIER: Duration = Duration::minutes(5);

/// Longest life of a certificate in days.
const MAX_DAYS: u32 = 36_500;

/// Why a certificate was not issued.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CaError {
    /// The vault or the key.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// What was asked for cannot be certified.
    #[error("{0}")]
    Invalid(String),
    /// The root's certificate and the key do not belong together.
    #[error(
        "the root's certificate is of another key, or of another version of it: name the version that it was made with"
    )]
    OtherKey,
}

impl From<rcgen::Error> for CaError {
    fn from(fault: rcgen::Error) -> Self {
        Self::Invalid(fault.to_string())
    }
}

/// A certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issued {
    /// DER.
    pub der: Vec<u8>,
    /// PEM.
    pub pem: String,
    /// PEM, with the root's after it: what TLS servers are given.
    pub chain_pem: String,
}

/// An authority: a version of a key in a vault, and its certificate.
#[derive(Debug, Clone)]
pub struct CertificateAuthority {
    key: VaultKey,
    der: Vec<u8>,
    pem: String,
    until: OffsetDateTime,
}

impl CertificateAuthority {
    /// Makes the certificate of a new root by the key's version, latest or bound.
    ///
    /// # Errors
    /// [`CaError`]; secp256k1 is none of X.509's curves.
    pub async fn create_root(key: &VaultKey, subject: &str, days: u32) -> Result<Self, CaError> {
        let (version, _public) = key.public().await?;
        let key = key.at(version);
        let mut params = CertificateParams::default();
        (params.not_before, params.not_after) = validity(&key, days)?;
        params.serial_number = Some(serial()?);
        params.distinguished_name = common_name(subject)?;
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let certificate = Remote::sign(&key, |signer| params.self_signed(signer)).await?;
        let (der, pem) = (certificate.der().to_vec(), certificate.pem());
        Ok(Self { key, der, pem, until: params.not_after })
    }

    /// An authority that was made before, by its certificate (PEM).
    ///
    /// # Errors
    /// [`CaError::OtherKey`] when the certificate is not of this key; [`CaError::Invalid`] when it is
    /// none of an authority.
    pub async fn open(key: &VaultKey, certificate_pem: &str) -> Result<Self, CaError> {
        let unreadable = || CaError::Invalid("the root's certificate cannot be read (PEM)".to_owned());
        let (_rest, block) = parse_x509_pem(certificate_pem.as_bytes()).map_err(|_fault| unreadable())?;
        let certificate = block.parse_x509().map_err(|_fault| unreadable())?;
        if !certificate.is_ca() {
            return Err(CaError::Invalid("the certificate is none of an authority (CA:FALSE)".to_owned()));
        }
        let until = certificate.validity().not_after.to_datetime();
        let (version, public) = key.public().await?;
        if public.to_spki() != certificate.public_key().raw {
            return Err(CaError::OtherKey);
        }
        let config = pem::EncodeConfig::new().set_line_ending(pem::LineEnding::LF);
        let pem = pem::encode_config(&pem::Pem::new("CERTIFICATE", block.contents.clone()), config);
        Ok(Self { key: key.at(version), der: block.contents, pem, until })
    }

    /// Its certificate in PEM: what others trust.
    #[must_use]
    pub fn certificate_pem(&self) -> &str {
        &self.pem
    }

    /// Its certificate in DER.
    #[must_use]
    pub fn certificate_der(&self) -> &[u8] {
        &self.der
    }

    /// Issues a certificate to an end entity.
    ///
    /// # Errors
    /// [`CaError::Invalid`] when it asks for a life longer than the root's, has no name, or a name that
    /// is none.
    pub async fn issue(&self, request: &Request) -> Result<Issued, CaError> {
        let mut params = request.params()?;
        (params.not_before, params.not_after) = validity(&self.key, request.days())?;
        if params.not_after > self.until {
            let left = (self.until - params.not_before).whole_days().max(0);
            return Err(CaError::Invalid(format!("the root itself ends in {left} days: ask for fewer days")));
        }
        params.serial_number = Some(serial()?);
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.use_authority_key_identifier_extension = true;
        let root = rustls::pki_types::CertificateDer::from(self.der.as_slice());
        let certificate: Certificate = Remote::sign(&self.key, |signer| {
            params.signed_by(request.public_key(), &Issuer::from_ca_cert_der(&root, signer)?)
        })
        .await?;
        let pem = certificate.pem();
        Ok(Issued { der: certificate.der().to_vec(), chain_pem: format!("{pem}{}", self.pem), pem })
    }
}

fn validity(key: &VaultKey, days: u32) -> Result<(OffsetDateTime, OffsetDateTime), CaError> {
    if !(1..=MAX_DAYS).contains(&days) {
        return Err(CaError::Invalid(format!("a certificate is valid for 1 to {MAX_DAYS} days")));
    }
    let now = OffsetDateTime::from_unix_timestamp(key.clock().now().seconds());
    let now = now.map_err(|_range| CaError::Invalid("the clock is out of range".to_owned()))?;
    Ok((now - EARLIER, now + Duration::days(i64::from(days))))
}

/// 20 octets, the most that RFC 5280 allows: positive, and 158 bits of them random.
fn serial() -> Result<SerialNumber, CaError> {
    let [first, rest @ ..]: [u8; 20] = random_bytes().map_err(KeyError::from)?;
    let first = (first & 0x7f) | 0x40;
    Ok(SerialNumber::from_slice(&[&[first], rest.as_slice()].concat()))
}

fn common_name(text: &str) -> Result<DistinguishedName, CaError> {
    if text.trim().is_empty() || text.chars().count() > 64 || text.chars().any(char::is_control) {
        return Err(CaError::Invalid("a common name has 1 to 64 characters".to_owned()));
    }
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, text);
    Ok(name)
}
