//! One program, several environments: `ENVIRONMENT` says whose vault is used.
//!
//! ```sh
//! set -a; . ~/.local/share/strongroom/strongroom-proxy.env; set +a
//! ENVIRONMENT=prod cargo run --example environments
//! ```
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "an example")]

use std::error::Error;
use std::process::ExitCode;
use std::sync::Arc;

use strongroom::credentials::{Environments, Sources};
use strongroom::secrets::VaultSecrets;
use strongroom::vault::Vault;

async fn vault_of(environment: &str) -> Result<Arc<dyn Vault>, Box<dyn Error>> {
    let environments = Environments::new([
        ("dev", "https://dev-vault.vault.azure.net/"),
        ("staging", "https://staging-vault.vault.azure.net/"),
        ("prod", "https://prod-vault.vault.azure.net/"),
    ]);
    Ok(strongroom::open(environments.url(environment)?).await?)
}

async fn run() -> Result<(), Box<dyn Error>> {
    let environment = Sources::default().variable("ENVIRONMENT").unwrap_or_else(|| "dev".to_owned());
    let vault = vault_of(&environment).await?;
    println!("Using {environment} environment vault");
    println!("It has {} secrets", VaultSecrets::new(vault).list().await?.len());
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
