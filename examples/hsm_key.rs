//! A key that is made in an HSM and cannot leave it.
//!
//! The vault has to have one: a Managed HSM or a premium vault of Azure's, or a Strongroom with a
//! PKCS#11 token. Any other vault refuses, and says so. The vault's URI may be given.
//!
//! ```sh
//! set -a; . ~/.local/share/strongroom/strongroom-proxy.env; set +a
//! cargo run --example hsm_key
//! ```
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "an example")]

use std::error::Error;
use std::process::ExitCode;

use strongroom::credentials::{CredentialConfig, Sources};
use strongroom::keys::{KeySpec, SignatureAlgorithm, VaultKey};

async fn run() -> Result<(), Box<dyn Error>> {
    let uri = match std::env::args().nth(1) {
        Some(uri) => uri,
        None => CredentialConfig::from_variables(&Sources::default()).vault_url()?.to_owned(),
    };
    let key = VaultKey::new(strongroom::open(&uri).await?, "hsm-root-ca-key")?;
    key.create_in_hardware(KeySpec::Rsa { bits: 4096 }).await?;
    println!("HSM-protected key generated in managed HSM");
    let signature = key.sign(SignatureAlgorithm::RS256, b"the root's first words").await?;
    println!("Signature created: {} bytes", signature.bytes.len());
    Ok(())
}

#[tokio::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => {
            eprintln!("{fault}");
            ExitCode::FAILURE
        }
    }
}
