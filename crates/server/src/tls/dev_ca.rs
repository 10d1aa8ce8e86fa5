//! The development CA: it can vouch for the development server's names and for no other.
//!
//! Nothing here writes a file. The caller keeps [`DevCa::key_pem`] in the sealed store, and hands the
//! certificate to [`super::write_trust_files`].

use std::collections::BTreeSet;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use rcgen::{
    BasicConstraints, CertificateParams, CidrSubnet, DistinguishedName, DnType, ExtendedKeyUsagePurpose,
    GeneralSubtree, IsCa, Issuer, KeyPair, KeyUsagePurpose, NameConstraints, PKCS_ECDSA_P256_SHA256, PublicKeyData,
    SigningKey,
};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::sign::CertifiedKey;
use strongroom_wire::Sensitive;
use time::OffsetDateTime;
use x509_parser::prelude::{FromDer as _, GeneralName, X509Certificate};
use zeroize::Zeroize as _;

use super::names::DevNames;

/// The CA's subject, by which it is recognized among other roots.
pub const SUBJECT: &str = "Strongroom development CA";

const DAY: i64 = 24 * 60 * 60;
const CA_DAYS: i64 = 3652;

/// Clients refuse leaves of more than 398 days; the day before now counts.
const LEAF_DAYS: i64 = 397;

/// Why the development CA cannot be used. Never shows key material.
#[derive(Debug, thiserror::Error)]
pub enum DevCaError {
    /// The certificate is no certificate, or not of such a CA.
    #[error("the stored development CA certificate cannot be read: {0}")]
    BadCertificate(&'static str),
    /// The private key is no PKCS#8 P-256 key in PEM.
    #[error("the stored development CA key cannot be read")]
    BadKey,
    /// Certificate and key are not a pair.
    #[error("the stored development CA certificate and key do not belong together")]
    NotAPair,
    /// The CA's ten years are over.
    #[error("the development CA has expired: make a new one with --reset, or use another --data folder")]
    Expired,
    /// The CA is confined to other names.
    #[error(
        "the development CA in this data folder is not for the domain {0:?}: make a new one with --reset, or use \
         another --data folder for this domain"
    )]
    OtherDomain(String),
    /// A time that no certificate can hold.
    #[error("{0} is not a time that a certificate can hold")]
    BadTime(i64),
    /// The certificate was not made.
    #[error("a certificate was not made: {0}")]
    Make(#[source] rcgen::Error),
    /// The TLS library refuses the leaf's key.
    #[error("a leaf key was refused: {0}")]
    Leaf(#[source] rustls::Error),
}

/// A CA with an ECDSA P-256 key, confined by critical name constraints (RFC 5280, 4.2.1.10).
pub struct DevCa {
    issuer: Issuer<'static, WipedKey>,
    certificate: CertificateDer<'static>,
    permitted_dns: BTreeSet<String>,
    not_after: i64,
}

/// A minted leaf and its validity, unix seconds.
pub(super) struct Leaf {
    pub(super) key: CertifiedKey,
    pub(super) not_before: i64,
    pub(super) not_after: i64,
}

impl DevCa {
    /// A new CA for `names`, valid for ten years from the day before `now` (unix seconds).
    ///
    /// # Errors
    /// When key or certificate cannot be made.
    pub fn create(now: i64, names: &DevNames) -> Result<Self, DevCaError> {
        let key = WipedKey(KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(DevCaError::Make)?);
        let mut params = CertificateParams::default();
        params.distinguished_name = subject(SUBJECT);
        params.not_before = moment(now.saturating_sub(DAY))?;
        params.not_after = moment(now.saturating_add((CA_DAYS - 1) * DAY))?;
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let addresses = permitted_addresses().map(GeneralSubtree::IpAddress);
        let permitted = names.permitted_dns().into_iter().map(GeneralSubtree::DnsName).chain(addresses);
        params.name_constraints =
            Some(NameConstraints { permitted_subtrees: permitted.collect(), excluded_subtrees: Vec::new() });
        let certificate = params.self_signed(&key).map_err(DevCaError::Make)?;
        Self::new(certificate.der().clone(), key)
    }

    /// The CA that [`Self::cert_pem`] and [`Self::key_pem`] gave.
    ///
    /// # Errors
    /// When either cannot be read, or they are not a pair.
    pub fn from_pem(cert_pem: &str, key_pem: &Sensitive<String>) -> Result<Self, DevCaError> {
        let certificate = CertificateDer::from_pem_slice(cert_pem.as_bytes())
            .map_err(|_fault| DevCaError::BadCertificate("it is not PEM"))?;
        // The library's reason could quote the key's text.
        let key = KeyPair::from_pem(key_pem.expose()).map_err(|_fault| DevCaError::BadKey)?;
        if key.algorithm() != &PKCS_ECDSA_P256_SHA256 {
            return Err(DevCaError::BadKey);
        }
        Self::new(certificate, WipedKey(key))
    }

    fn new(certificate: CertificateDer<'static>, key: WipedKey) -> Result<Self, DevCaError> {
        let (permitted_dns, not_after) = {
            let (_rest, parsed) = X509Certificate::from_der(&certificate)
                .map_err(|_fault| DevCaError::BadCertificate("it is not X.509"))?;
            if parsed.public_key().subject_public_key.data != key.der_bytes() {
                return Err(DevCaError::NotAPair);
            }
            (constraints(&parsed)?, parsed.validity().not_after.timestamp())
        };
        let issuer = Issuer::from_ca_cert_der(&certificate, key).map_err(DevCaError::Make)?;
        Ok(Self { issuer, certificate, permitted_dns, not_after })
    }

    /// The certificate, public.
    #[must_use]
    pub fn cert_pem(&self) -> String {
        super::trust::to_pem(&self.certificate)
    }

    /// The private key, PKCS#8.
    #[must_use]
    pub fn key_pem(&self) -> Sensitive<String> {
        Sensitive::new(self.issuer.key().0.serialize_pem())
    }

    /// Whether the name constraints allow all of `names`.
    #[must_use]
    pub fn covers(&self, names: &DevNames) -> bool {
        names.permitted_dns().iter().all(|name| self.permits(name))
    }

    /// As [`Self::covers`], as an error that names the way out.
    ///
    /// # Errors
    /// [`DevCaError::OtherDomain`] when it does not.
    pub fn check(&self, names: &DevNames) -> Result<(), DevCaError> {
        if self.covers(names) { Ok(()) } else { Err(DevCaError::OtherDomain(names.domain().to_owned())) }
    }

    /// A leaf for `names` (host names, wildcards, IP addresses) with a key of its own, followed by the CA
    /// certificate. Valid from the day before `now` (unix seconds) for 397 days, or to the CA's end.
    ///
    /// A name that the constraints do not allow is not refused here: clients refuse it.
    ///
    /// # Errors
    /// When the CA has expired, or a name is no DNS name.
    pub fn mint(&self, names: &[String], now: i64) -> Result<CertifiedKey, DevCaError> {
        self.mint_leaf(names, now).map(|leaf| leaf.key)
    }

    pub(super) fn mint_leaf(&self, names: &[String], now: i64) -> Result<Leaf, DevCaError> {
        let not_before = now.saturating_sub(DAY);
        let not_after = not_before.saturating_add(LEAF_DAYS * DAY).min(self.not_after);
        if not_after <= now {
            return Err(DevCaError::Expired);
        }
        let key = WipedKey(KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(DevCaError::Make)?);
        let mut params = CertificateParams::new(names).map_err(DevCaError::Make)?;
        params.distinguished_name = subject("Strongroom development server");
        params.not_before = moment(not_before)?;
        params.not_after = moment(not_after)?;
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        let certificate = params.signed_by(&key, &self.issuer).map_err(DevCaError::Make)?;
        let mut der = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.0.serialize_der()));
        let signer = rustls::crypto::aws_lc_rs::sign::any_ecdsa_type(&der);
        der.zeroize();
        let chain = vec![certificate.der().clone(), self.certificate.clone()];
        let key = CertifiedKey::new(chain, signer.map_err(DevCaError::Leaf)?);
        Ok(Leaf { key, not_before, not_after })
    }

    fn permits(&self, name: &str) -> bool {
        self.permitted_dns.contains(name)
            || name
                .match_indices('.')
                .any(|(dot, _)| name.get(dot + 1..).is_some_and(|s| self.permitted_dns.contains(s)))
    }
}

impl fmt::Debug for DevCa {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DevCa")
            .field("permitted_dns", &self.permitted_dns)
            .field("not_after", &self.not_after)
            .finish_non_exhaustive()
    }
}

/// The key pair, whose serialized form is wiped when it is dropped.
struct WipedKey(KeyPair);

impl Drop for WipedKey {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl PublicKeyData for WipedKey {
    fn der_bytes(&self) -> &[u8] {
        self.0.der_bytes()
    }

    fn algorithm(&self) -> &'static rcgen::SignatureAlgorithm {
        self.0.algorithm()
    }
}

impl SigningKey for WipedKey {
    fn sign(&self, msg: &[u8]) -> Result<Vec<u8>, rcgen::Error> {
        self.0.sign(msg)
    }
}

/// The permitted DNS subtrees of a CA certificate whose name constraints are as [`DevCa::create`] sets them.
fn constraints(certificate: &X509Certificate<'_>) -> Result<BTreeSet<String>, DevCaError> {
    let extension = certificate
        .name_constraints()
        .map_err(|_fault| DevCaError::BadCertificate("its extensions are malformed"))?
        .filter(|extension| extension.critical && certificate.is_ca())
        .ok_or(DevCaError::BadCertificate("it is not a CA with critical name constraints"))?;
    let permitted = extension.value.permitted_subtrees.as_deref().unwrap_or_default();
    let names = permitted.iter().filter_map(|subtree| match &subtree.base {
        GeneralName::DNSName(name) => Some((*name).to_owned()),
        _ => None,
    });
    Ok(names.collect())
}

/// Loopback, and the address of Azure's instance metadata.
fn permitted_addresses() -> impl Iterator<Item = CidrSubnet> {
    [
        CidrSubnet::from_addr_prefix(IpAddr::V4(Ipv4Addr::new(127, 0, 0, 0)), 8),
        CidrSubnet::from_addr_prefix(IpAddr::V6(Ipv6Addr::LOCALHOST), 128),
        CidrSubnet::from_addr_prefix(IpAddr::V4(Ipv4Addr::new(169, 254, 169, 254)), 32),
    ]
    .into_iter()
}

fn subject(common_name: &str) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, common_name);
    name
}

fn moment(unix_seconds: i64) -> Result<OffsetDateTime, DevCaError> {
    OffsetDateTime::from_unix_timestamp(unix_seconds).map_err(|_range| DevCaError::BadTime(unix_seconds))
}
