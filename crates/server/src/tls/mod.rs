//! TLS: the development CA and its leaves, certificate files for production, and the public trust
//! files that clients need.

mod atomic;
pub mod dev_ca;
pub mod files;
pub mod hosts;
pub mod names;
pub mod resolver;
pub mod trust;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use rustls::ServerConfig;
use rustls::server::ResolvesServerCert;

pub use dev_ca::{DevCa, DevCaError};
pub use files::{StaticResolver, TlsFileError};
pub use names::{BadDomain, DevNames};
pub use resolver::MintingResolver;
pub use trust::{TrustError, TrustFiles, write_trust_files};

/// A server configuration: TLS 1.2 and 1.3 only, by aws-lc-rs; HTTP/2 and HTTP/1.1 by ALPN; stateless
/// session tickets, so that resumption costs no memory; certificates from `resolver`.
///
/// # Errors
/// When no random numbers can be had for the ticket key.
pub fn server_config(resolver: Arc<dyn ResolvesServerCert>) -> Result<ServerConfig, rustls::Error> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])?
        .with_no_client_auth()
        .with_cert_resolver(resolver);
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    config.ticketer = rustls::crypto::aws_lc_rs::Ticketer::new()?;
    Ok(config)
}
