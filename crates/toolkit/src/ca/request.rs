//! What a certificate is asked for.

use std::net::IpAddr;

use rcgen::{CertificateParams, DistinguishedName, ExtendedKeyUsagePurpose, SanType, SubjectPublicKeyInfo};
use x509_parser::certification_request::X509CertificationRequest;
use x509_parser::prelude::FromDer as _;

use super::{CaError, common_name};
use crate::keys::PublicKey;

/// What a certificate is for (extended key usage).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Usage {
    /// A TLS server.
    Server,
    /// A TLS client.
    Client,
    /// Signed code.
    Code,
}

/// A request for a certificate: a public key, and what it is to be called. For 90 days unless it says
/// otherwise.
#[derive(Debug, Clone)]
pub struct Request {
    public_key: SubjectPublicKeyInfo,
    subject: Option<String>,
    names: Vec<String>,
    usages: Vec<Usage>,
    days: u32,
}

impl Request {
    /// For a public key.
    ///
    /// # Errors
    /// [`CaError::Invalid`] for a key on secp256k1.
    pub fn new(public_key: &PublicKey) -> Result<Self, CaError> {
        Self::of_spki(&public_key.to_spki())
    }

    /// For a certificate signing request (PEM, RFC 2986), whose signature is checked. Its public key and
    /// common name are taken; which other names and usages it gets, the authority decides.
    ///
    /// # Errors
    /// [`CaError::Invalid`] when it is none, or not signed by its own key.
    pub fn from_csr(pem: &str) -> Result<Self, CaError> {
        let wrong = |why: &str| CaError::Invalid(format!("the certificate signing request {why}"));
        let block = pem::parse(pem).map_err(|_fault| wrong("is not PEM"))?;
        let (rest, csr) =
            X509CertificationRequest::from_der(block.contents()).map_err(|_fault| wrong("cannot be read"))?;
        if !rest.is_empty() {
            return Err(wrong("has something behind it"));
        }
        csr.verify_signature().map_err(|_fault| wrong("is not signed by its own key"))?;
        let info = &csr.certification_request_info;
        let subject = info.subject.iter_common_name().next().and_then(|name| name.as_str().ok()).map(str::to_owned);
        Ok(Self { subject, ..Self::of_spki(info.subject_pki.raw)? })
    }

    /// With this common name, instead of the request's or the first of its names.
    #[must_use]
    pub fn with_subject(self, common_name: &str) -> Self {
        Self { subject: Some(common_name.to_owned()), ..self }
    }

    /// With a DNS name (`*.` may stand before it), an IP address or a URI as an alternative name.
    #[must_use]
    pub fn with_name(mut self, name: &str) -> Self {
        self.names.push(name.to_owned());
        self
    }

    /// For this, too.
    #[must_use]
    pub fn for_usage(mut self, usage: Usage) -> Self {
        self.usages.push(usage);
        self
    }

    /// For so long.
    #[must_use]
    pub const fn for_days(mut self, days: u32) -> Self {
        self.days = days;
        self
    }

    pub(super) const fn days(&self) -> u32 {
        self.days
    }

    pub(super) const fn public_key(&self) -> &SubjectPublicKeyInfo {
        &self.public_key
    }

    pub(super) fn params(&self) -> Result<CertificateParams, CaError> {
        let mut params = CertificateParams::default();
        let short = |name: &&String| name.chars().count() <= 64;
        params.distinguished_name = match self.subject.as_ref().or_else(|| self.names.first().filter(short)) {
            Some(subject) => common_name(subject)?,
            None if self.names.is_empty() => {
                return Err(CaError::Invalid("a certificate has a subject or an alternative name".to_owned()));
            }
            None => DistinguishedName::new(),
        };
        if self.usages.contains(&Usage::Server) && self.names.is_empty() {
            return Err(CaError::Invalid("a server's certificate needs a DNS name or IP address".to_owned()));
        }
        for name in &self.names {
            params.subject_alt_names.push(alternative(name)?);
        }
        for usage in &self.usages {
            params.insert_extended_key_usage(match usage {
                Usage::Server => ExtendedKeyUsagePurpose::ServerAuth,
                Usage::Client => ExtendedKeyUsagePurpose::ClientAuth,
                Usage::Code => ExtendedKeyUsagePurpose::CodeSigning,
            });
        }
        Ok(params)
    }

    fn of_spki(der: &[u8]) -> Result<Self, CaError> {
        // Read by our own reader, too: it knows which keys are sound.
        PublicKey::from_spki(der).map_err(|fault| CaError::Invalid(fault.to_string()))?;
        let public_key = SubjectPublicKeyInfo::from_der(der).map_err(|_fault| {
            CaError::Invalid("this kind of public key gets no certificate: use P-256 or RSA".to_owned())
        })?;
        Ok(Self { public_key, subject: None, names: Vec::new(), usages: Vec::new(), days: 90 })
    }
}

fn alternative(name: &str) -> Result<SanType, CaError> {
    if let Ok(address) = name.parse::<IpAddr>() {
        return Ok(SanType::IpAddress(address));
    }
    if name.contains("://") && name.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Ok(SanType::URI(name.try_into()?));
    }
    let host = name.strip_prefix("*.").unwrap_or(name);
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    if host.len() <= 253 && host.split('.').all(label) {
        return Ok(SanType::DnsName(name.try_into()?));
    }
    Err(CaError::Invalid("an alternative name is a DNS name, an IP address or a URI".to_owned()))
}
