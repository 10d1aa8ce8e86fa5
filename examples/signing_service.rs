//! A signing service, and what it is good for: messages, certificates, API requests, documents.
//!
//! With a folder as argument it leaves there what it signed, the signatures (DER) and the public keys
//! (PEM), for `openssl dgst -sha256 -verify NAME.pem -signature NAME.sig NAME`.
//!
//! ```sh
//! set -a; . ~/.local/share/strongroom/strongroom-proxy.env; set +a
//! cargo run --example signing_service -- /tmp
//! ```
#![allow(clippy::print_stdout, reason = "an example")]

use std::error::Error;
use std::path::PathBuf;
use std::sync::Arc;

use strongroom::credentials::{CredentialConfig, Sources};
use strongroom::documents::DocumentSigner;
use strongroom::keys::{Curve, KeyError, KeySpec, Signature, SignatureAlgorithm, VaultKey};
use strongroom::vault::Vault;

/// Signs with one key, as often as it is asked.
struct SigningService {
    key: VaultKey,
    algorithm: SignatureAlgorithm,
}

impl SigningService {
    /// The key is made when it is not there yet.
    async fn new(vault: &Arc<dyn Vault>, key: &str, spec: KeySpec) -> Result<Self, KeyError> {
        let key = VaultKey::new(Arc::clone(vault), key)?;
        match key.public().await {
            Ok(_) => {}
            Err(KeyError::NotFound(_)) => drop(key.create(spec).await?),
            Err(fault) => return Err(fault),
        }
        Ok(Self { key, algorithm: strongroom::keys::default_algorithm(spec) })
    }

    async fn sign(&self, data: &[u8]) -> Result<Signature, KeyError> {
        self.key.sign(self.algorithm, data).await
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let folder = std::env::args().nth(1).map(PathBuf::from);
    let config = CredentialConfig::from_variables(&Sources::default());
    let vault =
        strongroom::open(config.vault_url()?).await.map_err(|fault| format!("Azure Key Vault init failed: {fault}"))?;
    let leave = async |name: &str, data: &[u8], key: &VaultKey, signature: &Signature| -> Result<(), Box<dyn Error>> {
        if let Some(folder) = &folder {
            std::fs::write(folder.join(name), data)?;
            std::fs::write(folder.join(format!("{name}.sig")), signature.to_der()?)?;
            std::fs::write(folder.join(format!("{name}.pem")), key.public_pem().await?)?;
        }
        Ok(())
    };

    let service = SigningService::new(&vault, "primary-signer", KeySpec::Rsa { bits: 2048 }).await?;
    let data = b"Important message";
    let signature = service.sign(data).await?;
    println!("Signed: {} bytes", signature.bytes.len());
    leave("message", data, &service.key, &signature).await?;

    // A root key is large, since it is used seldom and for long.
    let root = SigningService::new(&vault, "root-ca-key", KeySpec::Rsa { bits: 4096 }).await?;
    let certificate = b"certificate to sign";
    let signature = root.sign(certificate).await?;
    println!("Certificate signed: {} bytes", signature.bytes.len());
    leave("certificate", certificate, &root.key, &signature).await?;

    let api = SigningService::new(&vault, "api-auth-key", KeySpec::Ec(Curve::P256)).await?;
    let request = b"GET /api/v1/resource";
    let signature = api.sign(request).await?;
    println!("API request signed: {} bytes", signature.bytes.len());
    leave("request", request, &api.key, &signature).await?;
    let altered = api.key.verify(b"GET /api/v1/another", &signature).await?;
    println!("Another request with that signature: {}", if altered { "accepted" } else { "refused" });

    let documents = SigningService::new(&vault, "document-signing-key", KeySpec::Rsa { bits: 2048 }).await?;
    let signer = DocumentSigner::new(documents.key.clone());
    let document = b"Important document";
    // Anything that can be read: of a file, only a piece at a time is in memory.
    let signed = signer.sign(&document[..], |_bytes| {}).await?;
    println!("Document signed: {} bytes", signed.signature.bytes.len());
    leave("document", document, &documents.key, &signed.signature).await?;
    Ok(())
}
