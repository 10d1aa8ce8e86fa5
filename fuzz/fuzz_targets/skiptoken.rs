//! Queries, and `$skiptoken`s in lists of all sorts.
#![no_main]

use std::sync::{Arc, LazyLock};

use libfuzzer_sys::fuzz_target;
use strongroom_fuzz::{Memory, RUNTIME, cx, vault};
use strongroom_server::data_plane::call::{Call, Query};
use strongroom_server::routes::ROUTES;
use strongroom_wire::base64url;

static VAULT: LazyLock<Arc<Memory>> = LazyLock::new(|| Arc::new(vault()));

fuzz_target!(|data: &[u8]| {
    let token = base64url::encode(data);
    let raw = String::from_utf8_lossy(data);
    for query in [format!("$skiptoken={token}"), format!("maxresults=3&{raw}")] {
        for route in ROUTES.iter().filter(|route| matches!(route.id, "S5" | "S6" | "S7" | "K7" | "K8" | "K18")) {
            let call = Call {
                vault: VAULT.clone(),
                base: "https://fuzz.vault.test".to_owned(),
                cx: cx(),
                name: route.path.contains("{name}").then(|| "fuzzed".to_owned()),
                version: None,
                query: Query::parse(Some(&query)),
                body: zeroize::Zeroizing::default(),
            };
            if let Err(error) = RUNTIME.block_on((route.handler)(call)) {
                let (status, _, _) = error.kind.wire();
                assert!((400..500).contains(&status), "{}: {status} {}", route.id, error.message);
            }
        }
    }
});
