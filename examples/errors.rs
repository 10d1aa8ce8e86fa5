//! Errors by class: what the caller may not do, what is not there, and everything else.
//!
//! The names of a key and of a secret may be given.
//!
//! ```sh
//! set -a; . ~/.local/share/strongroom/strongroom-proxy.env; set +a
//! cargo run --example errors -- no-such-key no-such-secret
//! ```
#![allow(clippy::print_stdout, reason = "an example")]

use std::error::Error;

use strongroom::credentials::{CredentialConfig, Sources};
use strongroom::keys::{KeyError, SignatureAlgorithm, VaultKey};
use strongroom::secrets::{VaultSecretError, VaultSecrets};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut names = std::env::args().skip(1);
    let key = names.next().unwrap_or_else(|| "no-such-key".to_owned());
    let secret = names.next().unwrap_or_else(|| "no-such-secret".to_owned());

    let config = CredentialConfig::from_variables(&Sources::default());
    let vault = strongroom::open(config.vault_url()?)
        .await
        .map_err(|fault| format!("Azure Key Vault initialization failed: {fault}"))?;
    // There is nothing to close: connections end when the last holder of the vault lets it go.

    let signed = VaultKey::new(vault.clone(), &key)?.sign(SignatureAlgorithm::RS256, b"data").await;
    match signed {
        Ok(signature) => println!("signed: {} bytes", signature.bytes.len()),
        // "insufficient permissions: …": ask for a role, trying again will not help.
        Err(fault @ KeyError::Forbidden(_)) => println!("{fault}"),
        // "key not found: NAME": make it, or mend the name.
        Err(fault @ KeyError::NotFound(_)) => println!("{fault}"),
        // "signing failed: …": the vault is away, or the key is of another kind.
        Err(fault) => println!("{fault}"),
    }

    match VaultSecrets::new(vault).get(&secret).await {
        Ok(found) => println!("secret {} has {} bytes", found.info.name, found.value.expose().len()),
        Err(fault @ VaultSecretError::NotFound(_)) => println!("{fault}"),
        Err(fault @ VaultSecretError::Forbidden(_)) => println!("{fault}"),
        // With status and request id: the vault's log has more under that id.
        Err(fault) => println!("{fault}"),
    }
    Ok(())
}
