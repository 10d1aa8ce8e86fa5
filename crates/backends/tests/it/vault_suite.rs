//! The vault suite on an engine over sealed SQLite.

use std::sync::Arc;

use strongroom_backends::SqliteRecords;
use strongroom_crypto::AeadKey;
use strongroom_store::conformance::vault::{Harness, all};
use strongroom_store::sealing::{SealKey, Sealed, initialise};
use strongroom_store::{Engine, Installation, SoftwareProvider, Time};
use strongroom_wire::attributes::Recovery;
use strongroom_wire::ids::VaultName;

const NOW: i64 = 1_800_000_000;

#[tokio::test(flavor = "multi_thread")]
async fn sealed_sqlite_and_software() {
    let folder = tempfile::tempdir().unwrap();
    let sqlite = SqliteRecords::open(folder.path()).unwrap();
    let seal = SealKey::file(&[1; 32]);
    initialise(&sqlite, &seal, Time::from_seconds(NOW)).await.unwrap();
    let sealed = Sealed::unseal(sqlite, &seal).await.unwrap();
    let key = AeadKey::from_bytes(&[7; 32]).unwrap();
    let shared = Installation::new(sealed, SoftwareProvider::new().unwrap(), key);
    let vault = |name| Arc::new(Engine::new(Arc::clone(&shared), VaultName::parse(name).unwrap(), Recovery::DEFAULT));
    all(&Harness::new(vault("one"), vault("two"), NOW)).await;
}
