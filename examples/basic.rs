//! The first steps: make a key in a vault, sign with it, and get its public half.
//!
//! The vault is the one that `AZURE_KEYVAULT_URL` names. The program logs in as the machine's managed
//! identity where there is one, and otherwise as the environment says; nothing of it is in the code.
//!
//! ```sh
//! set -a; . ~/.local/share/strongroom/strongroom-proxy.env; set +a
//! cargo run --example basic
//! ```
#![allow(clippy::print_stdout, reason = "an example")]

use std::error::Error;

use strongroom::credentials::{CredentialConfig, Sources};
use strongroom::keys::{KeySpec, SignatureAlgorithm, VaultKey};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let config = CredentialConfig::from_variables(&Sources::default());
    let vault = strongroom::open(config.vault_url()?).await?;

    let key = VaultKey::new(vault, "api-signing-key")?;
    key.create(KeySpec::Rsa { bits: 2048 }).await?;
    println!("RSA key generated in Azure Key Vault");

    // The message is hashed here; only the digest goes to the vault, and the key never leaves it.
    let signature = key.sign(SignatureAlgorithm::RS256, b"Hello, Azure Key Vault!").await?;
    println!("Signature created: {} bytes", signature.bytes.len());

    let (_version, public) = key.public().await?;
    println!("Public key retrieved: {}", public.spec());

    // Verifying needs the public key alone, so it is done here.
    println!("Signature valid: {}", key.verify(b"Hello, Azure Key Vault!", &signature).await?);
    Ok(())
}
