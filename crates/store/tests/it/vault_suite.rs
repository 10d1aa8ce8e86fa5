//! The vault suite on an engine over memory, sealed and not.

use std::sync::Arc;

use strongroom_crypto::AeadKey;
use strongroom_store::conformance::vault::{Harness, all};
use strongroom_store::memory::MemoryRecords;
use strongroom_store::sealing::{SealKey, Sealed, initialise};
use strongroom_store::{Engine, Installation, Records, SoftwareProvider, Time};
use strongroom_wire::attributes::Recovery;
use strongroom_wire::ids::VaultName;

const NOW: i64 = 1_800_000_000;

async fn run(records: impl Records) {
    let key = AeadKey::from_bytes(&[7; 32]).unwrap();
    let shared = Installation::new(records, SoftwareProvider::new().unwrap(), key);
    let vault = |name| Arc::new(Engine::new(Arc::clone(&shared), VaultName::parse(name).unwrap(), Recovery::DEFAULT));
    all(&Harness::new(vault("one"), vault("two"), NOW)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn memory_and_software() {
    run(MemoryRecords::default()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sealed_memory_and_software() {
    let seal = SealKey::file(&[1; 32]);
    let records = MemoryRecords::default();
    initialise(&records, &seal, Time::from_seconds(NOW)).await.unwrap();
    run(Sealed::unseal(records, &seal).await.unwrap()).await;
}
