//! Keys of several algorithms in one vault. Size and curve are what was asked for, and every error
//! counts.
//!
//! ```sh
//! set -a; . ~/.local/share/strongroom/strongroom-proxy.env; set +a
//! cargo run --example four_keys
//! ```
#![allow(clippy::print_stdout, reason = "an example")]

use std::error::Error;
use std::sync::Arc;

use strongroom::credentials::{CredentialConfig, Sources};
use strongroom::keys::{Curve, KeySpec, VaultKey};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let config = CredentialConfig::from_variables(&Sources::default());
    let vault = strongroom::open(config.vault_url()?).await?;

    let wanted = [
        ("rsa-2048", KeySpec::Rsa { bits: 2048 }),
        ("rsa-4096", KeySpec::Rsa { bits: 4096 }),
        ("ecdsa-p256", KeySpec::Ec(Curve::P256)),
        ("ecdsa-p384", KeySpec::Ec(Curve::P384)),
    ];
    for (name, spec) in wanted {
        let key = VaultKey::new(Arc::clone(&vault), name)?;
        key.create(spec).await?;
        let (_version, public) = key.public().await?;
        println!("{name}: {}", public.spec());
    }
    println!("Multiple algorithm keys generated");
    Ok(())
}
