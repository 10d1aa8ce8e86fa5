//! Bodies of all operations, through their handlers, into a vault.
#![no_main]

use std::sync::{Arc, LazyLock};

use libfuzzer_sys::fuzz_target;
use strongroom_fuzz::{Memory, RUNTIME, cx, vault};
use strongroom_server::data_plane::call::{Call, Query};
use strongroom_server::routes::ROUTES;

static VAULT: LazyLock<Arc<Memory>> = LazyLock::new(|| Arc::new(vault()));

fuzz_target!(|data: &[u8]| {
    let Some((&which, body)) = data.split_first() else { return };
    // Making RSA keys takes too long for a fuzzer, and says nothing about bodies.
    if body.windows(3).any(|window| window.eq_ignore_ascii_case(b"rsa")) {
        return;
    }
    let route = &ROUTES[usize::from(which) % ROUTES.len()];
    let call = Call {
        vault: VAULT.clone(),
        base: "https://fuzz.vault.test".to_owned(),
        cx: cx(),
        name: route.path.contains("{name}").then(|| "fuzzed".to_owned()),
        version: None,
        query: Query::parse(Some("api-version=7.4")),
        body: zeroize::Zeroizing::new(body.to_vec()),
    };
    if let Err(error) = RUNTIME.block_on((route.handler)(call)) {
        let (status, _, _) = error.kind.wire();
        assert!((400..500).contains(&status), "{}: {status} {}", route.id, error.message);
    }
});
