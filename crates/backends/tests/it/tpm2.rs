//! The `tpm2:` vault on swtpm.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use strongroom_backends::open::{OpenError, VaultUri};
use strongroom_crypto::{KeySpec, PublicKey, sha256, sha384, sha512};
use strongroom_store::conformance::vault;
use strongroom_wire::ErrorKind;
use strongroom_wire::algorithms::{Curve, EncryptionAlgorithm, SignatureAlgorithm};
use strongroom_wire::ids::VaultName;
use strongroom_wire::jwk::PublicJwk;

use crate::tpm2_bench::{Bench, NOW, Place, installed, public};

const RSA: KeySpec = KeySpec::Rsa { bits: 2048 };
const EC: KeySpec = KeySpec::Ec(Curve::P256);
const ES256: SignatureAlgorithm = SignatureAlgorithm::ES256;

#[tokio::test(flavor = "multi_thread")]
async fn the_vault_suite() {
    if !installed("tpm2: the vault suite") {
        return;
    }
    let bench = Bench::new();
    let place = bench.open_at(&bench.path("records"), "").await.unwrap();
    let [one, two] = ["one", "two"].map(|name| place.vault(VaultName::parse(name).unwrap()));
    vault::all(&vault::Harness::new(one, two, NOW)).await;
}
