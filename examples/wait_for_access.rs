//! A role that was assigned just now may take a while to count: wait for it, but not for ever.
//!
//! ```sh
//! set -a; . ~/.local/share/strongroom/strongroom-proxy.env; set +a
//! cargo run --example wait_for_access -- test-secret
//! ```
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "an example")]

use std::error::Error;
use std::process::ExitCode;
use std::time::Duration;

use strongroom::credentials::{CredentialConfig, Sources};
use strongroom::secrets::{Secret, VaultSecretError, VaultSecrets};

/// Asked again after this time.
const PAUSE: Duration = Duration::from_secs(1);

async fn wait_for(secrets: &VaultSecrets, name: &str, limit: Duration) -> Result<Secret, Box<dyn Error>> {
    let asking = async {
        loop {
            match secrets.get(name).await {
                Err(VaultSecretError::Forbidden(_)) => {
                    println!("RBAC not propagated yet, wait longer");
                    tokio::time::sleep(PAUSE).await;
                }
                answer => return answer,
            }
        }
    };
    match tokio::time::timeout(limit, asking).await {
        Ok(answer) => Ok(answer?),
        Err(_elapsed) => {
            Err(format!("still no access to secret {name} after {limit:?}: check the role assignment").into())
        }
    }
}

async fn run() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let name = arguments.next().unwrap_or_else(|| "test-secret".to_owned());
    // Azure takes five to ten minutes, at most thirty.
    let limit = arguments.next().map_or(Ok(1_800), |text| text.parse()).map(Duration::from_secs)?;
    let config = CredentialConfig::from_variables(&Sources::default());
    let secrets = VaultSecrets::new(strongroom::open(config.vault_url()?).await?);
    let secret = wait_for(&secrets, &name, limit).await?;
    println!("Access to {}", secret.info.name);
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
