//! The public files that clients trust the development CA by.

use std::io;
use std::path::{Path, PathBuf};

use p12_keystore::{Certificate, KeyStore, KeyStoreEntry};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use x509_parser::prelude::{FromDer as _, X509Certificate};

use super::atomic;
use super::dev_ca::SUBJECT;

/// The password of the trust store. It holds public certificates only; Java wants one and this is its usual.
pub const TRUSTSTORE_PASSWORD: &str = "changeit";

/// Where systems keep their roots as one file: Debian and its kin, Red Hat, SUSE, Alpine and macOS, FreeBSD.
const SYSTEM_BUNDLES: [&str; 5] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
    "/usr/local/share/certs/ca-root-nss.crt",
];

/// Why the trust files were not written.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    /// What should be the CA's certificate is none.
    #[error("the development CA's certificate is not a PEM certificate")]
    BadCertificate,
    /// The trust store was not made.
    #[error("the trust store was not made: {0}")]
    Store(#[source] p12_keystore::error::Error),
    /// A file was not written.
    #[error("{}: cannot be written: {fault}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        #[source]
        fault: io::Error,
    },
}

/// The files that [`write_trust_files`] wrote.
#[derive(Clone, Debug)]
pub struct TrustFiles {
    /// The development CA alone, PEM: for `NODE_EXTRA_CA_CERTS`, which adds to Node's own roots.
    pub ca: PathBuf,
    /// The system's roots and the development CA, PEM: for variables that replace the roots.
    pub bundle: PathBuf,
    /// The same as the bundle as PKCS#12 for Java, password [`TRUSTSTORE_PASSWORD`].
    pub truststore: PathBuf,
    /// How many system roots the last two hold; 0 when the system has none.
    pub system_roots: usize,
}

/// Writes `ca.pem`, `bundle.pem` and `truststore.p12` into `dir`, which exists: each atomically, readable by all.
///
/// # Errors
/// When `ca_pem` is no certificate, or a file cannot be written.
pub fn write_trust_files(dir: &Path, ca_pem: &str) -> Result<TrustFiles, TrustError> {
    let ca = CertificateDer::from_pem_slice(ca_pem.as_bytes()).map_err(|_malformed| TrustError::BadCertificate)?;
    let roots = system_roots();
    let mut bundle: String = roots.iter().map(to_pem).collect();
    bundle.push_str(&to_pem(&ca));
    let files = TrustFiles {
        ca: dir.join("ca.pem"),
        bundle: dir.join("bundle.pem"),
        truststore: dir.join("truststore.p12"),
        system_roots: roots.len(),
    };
    let store = truststore(&ca, &roots).map_err(TrustError::Store)?;
    write(&files.ca, to_pem(&ca).as_bytes())?;
    write(&files.bundle, bundle.as_bytes())?;
    write(&files.truststore, &store)?;
    Ok(files)
}

/// `certificate` as PEM, lines of 64 characters (RFC 7468).
pub(super) fn to_pem(certificate: &CertificateDer<'_>) -> String {
    let block = pem::Pem::new("CERTIFICATE", certificate.as_ref());
    pem::encode_config(&block, pem::EncodeConfig::new().set_line_ending(pem::LineEnding::LF))
}

/// The roots that this system trusts, without development CAs.
///
/// The system's own file comes first: `SSL_CERT_FILE`, which the other way honours, may name a bundle
/// that an earlier start wrote.
fn system_roots() -> Vec<CertificateDer<'static>> {
    let from_files = SYSTEM_BUNDLES.iter().map(|path| {
        let text = std::fs::read(path).unwrap_or_default();
        CertificateDer::pem_slice_iter(&text).filter_map(Result::ok).filter(is_usable_root).collect::<Vec<_>>()
    });
    from_files
        .into_iter()
        .find(|roots| !roots.is_empty())
        .unwrap_or_else(|| rustls_native_certs::load_native_certs().certs.into_iter().filter(is_usable_root).collect())
}

/// Readable, and not a development CA of this or another data folder.
fn is_usable_root(root: &CertificateDer<'_>) -> bool {
    X509Certificate::from_der(root).is_ok_and(|(_rest, parsed)| common_name(&parsed) != Some(SUBJECT))
}

/// PKCS#12 whose entries Java takes as trusted: each has the attribute `trustedKeyUsage`
/// (2.16.840.1.113894.746875.1.1) with the value `anyExtendedKeyUsage`.
fn truststore(ca: &CertificateDer<'_>, roots: &[CertificateDer<'_>]) -> p12_keystore::Result<Vec<u8>> {
    let mut store = KeyStore::new();
    store.add_entry("strongroom-dev-ca", KeyStoreEntry::Certificate(Certificate::from_der(ca)?));
    for (index, root) in roots.iter().enumerate() {
        // Public; a root that only this library cannot read is left out, as the others still serve.
        if let Ok(certificate) = Certificate::from_der(root) {
            store.add_entry(&format!("system-{index:03}"), KeyStoreEntry::Certificate(certificate));
        }
    }
    store.writer(TRUSTSTORE_PASSWORD).write()
}

fn common_name<'a>(certificate: &'a X509Certificate<'_>) -> Option<&'a str> {
    certificate.subject().iter_common_name().next().and_then(|name| name.as_str().ok())
}

fn write(path: &Path, content: &[u8]) -> Result<(), TrustError> {
    atomic::replace(path, content, 0o644).map_err(|fault| TrustError::Write { path: path.to_owned(), fault })
}
