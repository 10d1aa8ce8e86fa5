//! Logging in as a service principal: tenant, client id and client secret from the environment.
//!
//! All three are needed. When one is missing, the message names it, before anything is sent.
//!
//! ```sh
//! set -a; . ~/.local/share/strongroom/strongroom-proxy.env; set +a
//! cargo run --example service_principal
//! ```
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "an example")]

use std::error::Error;
use std::process::ExitCode;

use strongroom::OpenOptions;
use strongroom::credentials::{CredentialConfig, Sources};
use strongroom::keys::{Curve, KeySpec, VaultKey};
use strongroom::vault::Sensitive;

async fn run() -> Result<(), Box<dyn Error>> {
    let sources = Sources::default();
    let config = CredentialConfig {
        vault_url: sources.variable("AZURE_KEYVAULT_URL"),
        tenant_id: sources.variable("AZURE_TENANT_ID"),
        client_id: sources.variable("AZURE_CLIENT_ID"),
        client_secret: sources.variable("AZURE_CLIENT_SECRET").map(Sensitive::new),
        ..CredentialConfig::default()
    };
    let credential = config.credential(&sources)?;
    let options = OpenOptions { credential: Some(credential), ..OpenOptions::default() };
    let vault = strongroom::open_with(config.vault_url()?, options).await?;

    let key = VaultKey::new(vault, "ecdsa-p256-key")?;
    key.create(KeySpec::Ec(Curve::P256)).await?;
    println!("ECDSA key created with service principal auth");
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
