//! Backup blobs: as they come, and with content under a good seal.
#![no_main]

use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;

use strongroom_crypto::AeadKey;
use strongroom_fuzz::{BACKUP_KEY, Memory, RUNTIME, cx, vault};
use strongroom_store::Vault as _;
use strongroom_wire::ids::Kind;

static VAULT: LazyLock<Memory> = LazyLock::new(vault);

fuzz_target!(|data: &[u8]| {
    for (kind, letter) in [(Kind::Secret, b's'), (Kind::Key, b'k')] {
        assert!(RUNTIME.block_on(VAULT.restore(&cx(), kind, data)).is_err(), "nobody else has the key");
        let header = [b'S', b'T', b'R', b'B', 1, letter];
        let sealed = AeadKey::from_bytes(&BACKUP_KEY).unwrap().seal(&header, data).unwrap();
        let blob = [header.as_slice(), sealed.as_slice()].concat();
        if let Err(error) = RUNTIME.block_on(VAULT.restore(&cx(), kind, &blob)) {
            let (status, _, _) = error.kind.wire();
            assert!((400..500).contains(&status), "{status} {}", error.message);
        }
    }
});
