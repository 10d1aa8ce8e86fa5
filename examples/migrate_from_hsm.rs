//! From an HSM to a vault: a key that cannot leave its token is made anew where the programs go, it
//! proves itself, and what the old one signs is signed again. The old key stays until somebody
//! retires it.
//!
//! ```sh
//! set -a; . ~/.local/share/strongroom/strongroom-proxy.env; set +a
//! export HSM_PIN=…
//! cargo run --example migrate_from_hsm -- /usr/lib/softhsm/libsofthsm2.so /var/lib/app/hsm-records
//! ```
#![allow(clippy::print_stdout, reason = "an example")]

use std::error::Error;
use std::sync::Arc;

use strongroom::clock::SystemClock;
use strongroom::credentials::{CredentialConfig, Sources};
use strongroom::keys::{KeySpec, SignatureAlgorithm, VaultKey};
use strongroom::migrate::{Migration, Selection};
use strongroom::vault::{Kind, Sensitive};
use strongroom::{OpenOptions, open, open_with};

const NAME: &str = "migrated-key";

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let usage = "give the library of the HSM and a folder for what is known about its keys";
    let (library, records) = std::env::args().nth(1).zip(std::env::args().nth(2)).ok_or(usage)?;
    let variables = Sources::default();
    let pin = variables.variable("HSM_PIN").ok_or("HSM_PIN is not set")?;

    let uri = format!("pkcs11:token=production?module-path={library}&x-records={records}");
    let hsm = open_with(&uri, OpenOptions { passphrase: Some(Sensitive::new(pin)), ..OpenOptions::default() }).await?;
    let vault = open(CredentialConfig::from_variables(&variables).vault_url()?).await?;

    let old = VaultKey::new(Arc::clone(&hsm), NAME)?;
    old.create(KeySpec::Rsa { bits: 2048 }).await?;

    let selection = Selection { kind: Some(Kind::Key), names: vec![NAME.to_owned()] };
    let migration = Migration::new(hsm, Arc::clone(&vault), Arc::new(SystemClock), selection);
    for item in migration.plan().await? {
        println!("{}: {}", item.name, item.action.word());
    }
    let report = migration.run(false, &mut |_item, _done| {}).await?;
    println!("Keys made anew: {}, proven by their signatures: {}", report.recreated, report.unproven.is_empty());

    // What has to verify with the new key is signed again by it.
    let document = b"signed by the HSM until today";
    let (before, new) = (old.sign(SignatureAlgorithm::RS256, document).await?, VaultKey::new(vault, NAME)?);
    let again = new.sign(SignatureAlgorithm::RS256, document).await?;
    println!("Signature of the old key: {}", old.verify(document, &before).await?);
    println!("Signature of the new key: {}", new.verify(document, &again).await?);
    println!("The old key is still in the HSM; retire it when nothing asks for it any more");
    Ok(())
}
