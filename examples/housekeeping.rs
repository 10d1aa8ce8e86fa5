//! Keeping a vault in order: metadata and tags, what was deleted, and why a secret is not found.
//!
//! ```sh
//! set -a; . ~/.local/share/strongroom/strongroom-proxy.env; set +a
//! cargo run --example housekeeping
//! ```
#![allow(clippy::print_stdout, reason = "an example")]

use std::error::Error;

use strongroom::clock::{Clock as _, SystemClock};
use strongroom::credentials::{CredentialConfig, Sources};
use strongroom::secrets::{NewSecret, VaultSecretError, VaultSecrets};
use strongroom::vault::Tags;

/// 90 days, in seconds.
const LIFETIME: i64 = 90 * 86_400;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let config = CredentialConfig::from_variables(&Sources::default());
    let url = config.vault_url()?.to_owned();
    let secrets = VaultSecrets::new(strongroom::open(&url).await?);

    // What it is, to what it belongs, and until when it is good.
    let tags = [("environment", "production"), ("application", "myapp"), ("rotation-policy", "90-days")];
    let api_key = NewSecret {
        content_type: Some("application/password".to_owned()),
        expires: Some(SystemClock.now().seconds() + LIFETIME),
        tags: tags.map(|(name, value)| (name.to_owned(), value.to_owned())).into_iter().collect::<Tags>(),
        ..NewSecret::from("secret-value")
    };
    secrets.set("api-key", api_key).await?;
    secrets.set("no-tags", "secret-value").await?;
    let production: Vec<String> = secrets
        .list()
        .await?
        .into_iter()
        .filter(|secret| secret.tags.get("environment").is_some_and(|value| value == "production"))
        .map(|secret| secret.name)
        .collect();
    println!("Production secrets: {production:?}");

    // Deleted is not gone: it can be brought back, or destroyed, but not both.
    for name in ["deleted-by-mistake", "not-needed"] {
        secrets.set(name, "secret-value").await?;
        secrets.delete(name).await?;
    }
    secrets.recover("deleted-by-mistake").await?;
    println!("Recovered: {}", secrets.get("deleted-by-mistake").await?.info.name);
    secrets.purge("not-needed").await?;
    if let Err(fault) = secrets.recover("not-needed").await {
        println!("Purged: {fault}");
    }

    // Why is there no such secret?
    for name in ["apikey", "database-passwd"] {
        match secrets.get(name).await {
            Ok(found) => println!("{name}: found as {}", found.info.name),
            Err(fault @ VaultSecretError::NotFound(_)) => {
                println!("{fault}");
                let absence = secrets.diagnose(name).await?;
                println!("  Available secrets: {:?}", absence.available);
                println!("  Deleted secrets: {:?}", absence.deleted);
                println!("  Vault URL: {url}");
                if let Some(meant) = absence.did_you_mean {
                    println!("  Did you mean {meant}?");
                }
            }
            Err(fault) => return Err(fault.into()),
        }
    }
    Ok(())
}
