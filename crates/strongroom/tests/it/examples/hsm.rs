//! Examples that need an HSM: SoftHSM, with a token of the test's own.

use std::fs;
use std::path::Path;
use std::process::Command;

use strongroom_store::conformance::skipped;

use super::{World, prints};
use crate::process::text;

const MODULE: &str = "/usr/lib/softhsm/libsofthsm2.so";
const PIN: &str = "hush-1234";

/// Variables for a token `production` in a folder of its own.
fn with_token(world: &World) -> Vec<(String, String)> {
    let (tokens, conf) = (world.folder.path().join("tokens"), world.folder.path().join("softhsm2.conf"));
    fs::create_dir(&tokens).unwrap();
    fs::write(&conf, format!("directories.tokendir = {}\n", tokens.display())).unwrap();
    let arguments = ["--init-token", "--free", "--label", "production", "--pin", PIN, "--so-pin", "hush-5678"];
    let made = Command::new("softhsm2-util").args(arguments).env("SOFTHSM2_CONF", &conf).output().unwrap();
    assert!(made.status.success());
    let mut environment = world.with("SOFTHSM2_CONF", text(&conf));
    environment.push(("HSM_PIN".to_owned(), PIN.to_owned()));
    environment.push(("STRONGROOM_PASSPHRASE".to_owned(), PIN.to_owned()));
    environment
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_made_in_the_hsm_and_another_moves_on_to_a_vault() {
    if !Path::new(MODULE).exists() {
        return skipped("a_key_is_made_in_the_hsm_and_another_moves_on_to_a_vault", "softhsm2 is not installed");
    }
    let world = World::new();
    let environment = with_token(&world);
    let records = world.folder.path().join("records");
    let uri = format!("pkcs11:token=production?module-path={MODULE}&x-records={}", records.display());
    assert_eq!(
        prints("hsm_key", &[&uri], &environment),
        "HSM-protected key generated in managed HSM\nSignature created: 512 bytes\n"
    );
    let printed = prints("migrate_from_hsm", &[MODULE, text(&records)], &environment);
    assert!(printed.contains("Keys made anew: 1, proven by their signatures: true"), "{printed}");
    assert!(printed.contains("Signature of the old key: true\nSignature of the new key: true"), "{printed}");
    let (status, key) = world.dev.client().await.get("/keys/migrated-key").await;
    assert_eq!((status, &key["key"]["kty"]), (200, &serde_json::json!("RSA")), "{key}");
}
