//! Secrets by organisation: its own first, then the one for all; kept for a while; and, for
//! development without a vault, from the environment.
//!
//! ```sh
//! set -a; . ~/.local/share/strongroom/strongroom-proxy.env; set +a
//! ORG123__LOCAL_KEY=from-the-environment cargo run --example tenant_secrets
//! ```
#![allow(clippy::print_stdout, reason = "an example")]

use std::error::Error;
use std::sync::Arc;

use strongroom::clock::SystemClock;
use strongroom::credentials::{CredentialConfig, Sources};
use strongroom::secrets::{LocalSecrets, ResolverOptions, SecretResolver, VaultSecrets};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let config = CredentialConfig::from_variables(&Sources::default());
    let vault = strongroom::open(config.vault_url()?).await?;
    let secrets = VaultSecrets::new(vault.clone());
    secrets.set("org123--api-key", "of org123").await?;
    secrets.set("GLOBAL--api-key", "for all").await?;

    // Values are kept for an hour, that there is none for half a minute; the memory has a bound.
    let options = ResolverOptions { ttl: 3_600, negative_ttl: 30, capacity: 10_000, stale_if_error: None };
    let resolver = SecretResolver::new(vault.clone(), Arc::new(SystemClock), options);
    // Its own, and the one for all. What is printed ends in logs, so it is the size and not the value.
    println!("org123: {} bytes", resolver.get("org123", "api-key").await?.expose().len());
    println!("org456: {} bytes", resolver.get("org456", "api-key").await?.expose().len());
    if let Err(fault) = resolver.get("org123", "smtp-password").await {
        println!("{fault}");
    }

    // What is kept is given without asking the vault, until it is too old or said to be.
    secrets.set("org123--api-key", "a longer one").await?;
    println!("kept: {} bytes", resolver.get("org123", "api-key").await?.expose().len());
    resolver.invalidate("org123", "api-key");
    println!("asked again: {} bytes", resolver.get("org123", "api-key").await?.expose().len());

    // For development: the vault first, then ORG123__LOCAL_KEY, then GLOBAL__LOCAL_KEY.
    let resolver = SecretResolver::new(vault, Arc::new(SystemClock), options).with_local(LocalSecrets::of_process());
    match resolver.get("org123", "local-key").await {
        Ok(value) => println!("local: {} bytes", value.expose().len()),
        Err(fault) => println!("{fault}"),
    }
    Ok(())
}
