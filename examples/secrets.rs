//! The secrets of a vault: is it there, set and get, several at once, versions.
//!
//! ```sh
//! set -a; . ~/.local/share/strongroom/strongroom-proxy.env; set +a
//! cargo run --example secrets
//! ```
#![allow(clippy::print_stdout, reason = "an example")]

use std::error::Error;
use std::sync::Arc;

use strongroom::clock::SystemClock;
use strongroom::credentials::{CredentialConfig, Sources};
use strongroom::secrets::{ResolverOptions, SecretResolver, VaultSecrets};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let config = CredentialConfig::from_variables(&Sources::default());
    let vault = strongroom::open(config.vault_url()?).await?;

    // One request for a list: no value is read, and none stands as read in the vault's log.
    let health = SecretResolver::new(vault.clone(), Arc::new(SystemClock), ResolverOptions::default());
    let health = health.health().await;
    println!("{}: {}", health.status.as_str(), health.message);

    // Setting a secret again makes a new version.
    let secrets = VaultSecrets::new(vault);
    let first = secrets.set("database-password", "password-of-yesterday").await?;
    let second = secrets.set("database-password", "password-of-today").await?;

    // The latest, or a named one.
    let latest = secrets.get("database-password").await?;
    println!("latest is the second: {}", latest.info.version == second.version);
    if let Some(version) = first.version {
        let earlier = secrets.get_version("database-password", version).await?;
        println!("the first is kept: {}", earlier.value.expose() == "password-of-yesterday");
    }
    for one in secrets.versions("database-password").await? {
        let version = one.version.map(|version| version.to_string()).unwrap_or_default();
        println!("Version: {version}, Created: {}", one.created);
    }

    // Several at once, some at a time.
    let names: Vec<String> = (0..50).map(|number| format!("batch-{number}")).collect();
    for name in &names {
        secrets.set(name, name.as_str()).await?;
    }
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    println!("read {} secrets", secrets.get_all(&names).await?.len());

    // Many at once, and the first that is missing is named.
    if let Err(fault) = secrets.get_all(&["batch-1", "batch-none"]).await {
        println!("{fault}");
    }
    Ok(())
}
