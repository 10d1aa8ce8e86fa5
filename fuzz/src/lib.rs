//! What the fuzz targets share: a vault in memory.

use std::sync::{Arc, LazyLock};

use strongroom_crypto::AeadKey;
use strongroom_store::memory::MemoryRecords;
use strongroom_store::{Cx, Engine, Installation, SoftwareProvider, Time};
use strongroom_wire::attributes::Recovery;
use strongroom_wire::ids::VaultName;
use tokio::runtime::Runtime;

/// A vault in memory.
pub type Memory = Engine<Arc<MemoryRecords>, SoftwareProvider>;

/// Runs futures to their end.
pub static RUNTIME: LazyLock<Runtime> =
    LazyLock::new(|| tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap());

/// The key that seals backups.
pub const BACKUP_KEY: [u8; 32] = [7; 32];

/// A new, empty vault. Its key threads are shared: threads for each would be too many.
pub fn vault() -> Memory {
    let key = AeadKey::from_bytes(&BACKUP_KEY).unwrap();
    let provider = SoftwareProvider::new().unwrap();
    let shared = Installation::new(Arc::new(MemoryRecords::default()), provider, key);
    Engine::new(shared, VaultName::parse("fuzz").unwrap(), Recovery::DEFAULT)
}

/// A fixed moment.
pub fn cx() -> Cx {
    Cx::system(Time::from_seconds(1_800_000_000))
}
