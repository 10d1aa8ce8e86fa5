//! A program's own configuration of vault and credential, from a file or from the environment.
//!
//! A file is YAML or JSON: `vault_url`; for a managed identity `use_managed_identity` and, for a
//! user-assigned one, `managed_identity_client_id`; for a service principal `tenant_id`, `client_id`
//! and `certificate_path`, or a secret, which is taken from `AZURE_CLIENT_SECRET`: a file with a secret
//! in it is refused. With the URL alone, the default chain looks for a credential in Azure's order, and
//! tells what it tried.
//!
//! ```sh
//! set -a; . ~/.local/share/strongroom/strongroom-proxy.env; set +a
//! cargo run --example credentials                # from the environment, by the default chain
//! cargo run --example credentials -- vault.yaml  # as the file says
//! ```
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "an example")]

use std::error::Error;
use std::process::ExitCode;
use std::sync::Arc;

use strongroom::OpenOptions;
use strongroom::credentials::{CredentialConfig, DefaultChain, Sources, Step, TokenCredential};
use strongroom::practice::settings_findings;
use strongroom::secrets::VaultSecrets;
use strongroom::vault::Sensitive;

/// The configuration in a file, unless secrets stand in it.
fn read(file: &str, sources: &Sources) -> Result<CredentialConfig, Box<dyn Error>> {
    let text = std::fs::read_to_string(file)?;
    if let Some(found) = settings_findings(&text).first() {
        return Err(format!("{file}, {}: {}", found.at, found.remedy).into());
    }
    let mut config: CredentialConfig = serde_saphyr::from_str(&text)?;
    if config.client_id.is_some() && config.certificate_path.is_none() {
        config.client_secret = sources.variable("AZURE_CLIENT_SECRET").map(Sensitive::new);
    }
    // All or none, and only what fits together.
    config.check()?;
    Ok(config)
}

async fn run() -> Result<(), Box<dyn Error>> {
    let sources = Sources::default();
    let file = std::env::args().nth(1);
    let (url, credential, chain): (_, Arc<dyn TokenCredential>, _) = match file {
        Some(file) => {
            let config = read(&file, &sources)?;
            (config.vault_url()?.to_owned(), config.credential(&sources)?, None)
        }
        None => {
            let order: Vec<String> = Step::ORDER.iter().map(ToString::to_string).collect();
            println!("The default chain: {}", order.join(", "));
            let chain = Arc::new(DefaultChain::with(sources.clone()));
            let config = CredentialConfig { vault_url: sources.variable("AZURE_KEYVAULT_URL"), ..Default::default() };
            (config.vault_url()?.to_owned(), chain.clone(), Some(chain))
        }
    };
    let options = OpenOptions { credential: Some(credential), ..OpenOptions::default() };
    let vault = strongroom::open_with(&url, options).await?;
    let answer = VaultSecrets::new(vault).list().await;
    for attempt in chain.iter().flat_map(|chain| chain.trace()) {
        println!("Tried {attempt}");
    }
    println!("Logged in; the vault has {} secrets", answer?.len());
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
