//! A server with keys in a PKCS#11 token.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::json;
use strongroom_store::conformance::skipped;

use crate::process::{assert_refusal, strongroom};
use crate::production::Site;

const MODULE: &str = "/usr/lib/softhsm/libsofthsm2.so";
const PIN: &str = "hush-1234";

fn with_token(mut command: Command, site: &Site) -> Command {
    command.env("SOFTHSM2_CONF", site.path("softhsm2.conf"));
    command
}

/// A token of its own, and a configuration that names it.
fn site_with_token(folder: &Path) -> Site {
    let site = Site::new(folder, "");
    fs::create_dir(site.path("tokens")).unwrap();
    let conf = format!("directories.tokendir = {}\n", site.path("tokens").display());
    fs::write(site.path("softhsm2.conf"), conf).unwrap();
    fs::write(site.path("pin"), PIN).unwrap();
    let arguments = ["--init-token", "--free", "--label", "shop", "--pin", PIN, "--so-pin", "hush-5678"];
    let made = with_token(Command::new("softhsm2-util"), &site).args(arguments).output().unwrap();
    assert!(made.status.success());
    let pin = site.path("pin");
    let uri = format!("pkcs11:token=shop?module-path={MODULE}&pin-source=file:{}", pin.display());
    site.edit("[seal]", &format!("[hsm]\nuri = \"{uri}\"\n[seal]"));
    site
}

#[tokio::test(flavor = "multi_thread")]
async fn hardware_keys_are_made_in_the_servers_token_and_stay_there() {
    if !Path::new(MODULE).exists() {
        return skipped("hardware_keys_are_made_in_the_servers_token_and_stay_there", "softhsm2 is not installed");
    }
    let folder = tempfile::tempdir().unwrap();
    let site = site_with_token(folder.path());
    let init = with_token(strongroom(), &site).args(site.arguments(&["init"])).output().unwrap();
    assert!(init.status.success(), "{}", String::from_utf8_lossy(&init.stderr));
    let digest = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8";
    let server = site.serve_by(with_token(strongroom(), &site));
    let client = site.client().await;
    let (status, made) = client.post("/keys/order/create", json!({"kty": "EC-HSM", "crv": "P-256"})).await;
    assert_eq!((status, &made["key"]["kty"]), (200, &json!("EC-HSM")), "{made}");
    // As in a premium vault, keys in software are beside those in hardware.
    let (status, made) = client.post("/keys/soft/create", json!({"kty": "EC", "crv": "P-256"})).await;
    assert_eq!((status, &made["key"]["kty"]), (200, &json!("EC")), "{made}");
    let listed = Command::new("pkcs11-tool")
        .args(["--module", MODULE, "--login", "--pin", PIN, "-O", "--type", "privkey"])
        .env("SOFTHSM2_CONF", site.path("softhsm2.conf"))
        .output()
        .unwrap();
    let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
    assert_eq!(listed.matches("Private Key Object").count(), 1, "{listed}");
    assert!(server.stop().success());
    // Another process finds it again.
    let server = site.serve_by(with_token(strongroom(), &site));
    let client = site.client().await;
    let (status, signed) = client.post("/keys/order/sign", json!({"alg": "ES256", "value": digest})).await;
    assert_eq!(status, 200, "{signed}");
    let verify = json!({"alg": "ES256", "digest": digest, "value": signed["value"]});
    assert_eq!(client.post("/keys/order/verify", verify).await.1, json!({"value": true}));
    let log = server.log();
    assert!(!log.contains("hush"), "{log}");
    assert!(server.stop().success());
    // A server without the token would have keys that it cannot use.
    let config = fs::read_to_string(&site.config).unwrap();
    let without = config.lines().filter(|line| !line.contains("[hsm]") && !line.contains("uri = \"pkcs11"));
    fs::write(&site.config, without.collect::<Vec<_>>().join("\n")).unwrap();
    let refused = with_token(strongroom(), &site).args(site.arguments(&["serve"])).output().unwrap();
    assert_refusal(&refused, &["keeps keys in the token", "hsm.uri"]);
}
