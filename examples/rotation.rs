//! A new password without downtime, and keys that their vault rotates by itself.
//!
//! Between a new version and the end of the old one lies as long as it takes until every instance
//! reads the new one: ten minutes and two days here, or the seconds that are given.
//!
//! ```sh
//! set -a; . ~/.local/share/strongroom/strongroom-proxy.env; set +a
//! cargo run --example rotation -- 1 2
//! ```
#![allow(clippy::print_stdout, reason = "an example")]

use std::error::Error;
use std::time::Duration;

use strongroom::credentials::{CredentialConfig, Sources};
use strongroom::keys::{Curve, KeySpec, VaultKey};
use strongroom::secrets::{VaultSecrets, generate_password};
use strongroom::vault::{ObjectName, RotationPolicy, RotationPolicyBody, context};

/// The policy of keys, as the service takes it.
const POLICY: &str = r#"{
    "lifetimeActions": [{
        "trigger": {"timeAfterCreate": "P90D"},
        "action": {"type": "rotate"}
    }],
    "attributes": {"expiryTime": "P2Y"}
}"#;

/// How long to wait: until the new version has spread, and until nobody uses the old one.
struct Waits {
    propagation: Duration,
    overlap: Duration,
}

async fn rotate(secrets: &VaultSecrets, name: &str, waits: &Waits) -> Result<(), Box<dyn Error>> {
    // 1: a new version. Who asks for the latest has it from now on.
    let new = secrets.set(name, generate_password(32)?).await?;
    println!("New version: {}", new.version.map(|version| version.to_string()).unwrap_or_default());
    // 2: until every region has it.
    tokio::time::sleep(waits.propagation).await;
    // 3 and 4: applications take it up, the old one is still good.
    tokio::time::sleep(waits.overlap).await;
    // 5: the old one is not deleted: it can be let in again.
    if let Some(old) = secrets.previous_version(name).await? {
        secrets.set_enabled(name, old, false).await?;
        println!("Disabled version: {old}");
    }
    Ok(())
}

fn send_notification(text: &str) {
    println!("{text}");
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut seconds = std::env::args().skip(1).map(|text| text.parse().map(Duration::from_secs));
    let propagation = seconds.next().transpose()?.unwrap_or(Duration::from_secs(600));
    let overlap = seconds.next().transpose()?.unwrap_or(Duration::from_secs(48 * 3600));
    let config = CredentialConfig::from_variables(&Sources::default());
    let vault = strongroom::open(config.vault_url()?).await?;

    rotate(&VaultSecrets::new(vault.clone()), "database-password", &Waits { propagation, overlap }).await?;
    send_notification("Secret rotation completed");

    // Keys need no program: the vault rotates them when their policy says so.
    VaultKey::new(vault.clone(), "my-key")?.create(KeySpec::Ec(Curve::P256)).await?;
    let policy: RotationPolicyBody = serde_json::from_str(POLICY)?;
    let policy = RotationPolicy::from_wire(&policy)?;
    let kept = vault.set_rotation_policy(&context(), &ObjectName::parse("my-key")?, policy).await?;
    println!("{}", serde_json::to_string(&kept.to_wire(None))?);
    Ok(())
}
