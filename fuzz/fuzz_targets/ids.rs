//! Names, versions, scopes, spans of time, identifiers and paths: what is read is written the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use strongroom_auth::Scope;
use strongroom_server::routes;
use strongroom_wire::ids::{ObjectName, VaultName, Version, object_id, parse_object_id};
use strongroom_wire::rotation::Duration;

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(name) = ObjectName::parse(text) {
        assert!(name.as_str() == text && name.folded().eq_ignore_ascii_case(text));
        let id = object_id("https://v.vault.test", "secrets", &name, None);
        assert_eq!(parse_object_id(&id).unwrap().1.as_str(), text);
    }
    drop(VaultName::parse(text));
    if let Some(version) = Version::parse(text) {
        assert!(version.to_string().eq_ignore_ascii_case(text));
    }
    if let Ok(scope) = Scope::parse(text) {
        assert!(scope.contains(&scope) && Scope::parse(&scope.to_string()).unwrap() == scope);
    }
    if let Ok(span) = Duration::parse(text) {
        assert_eq!(Duration::parse(&span.to_string()).unwrap().nominal_days(), span.nominal_days());
        let (after, before) = (span.after(1_800_000_000), span.before(1_800_000_000));
        assert!(after >= before);
    }
    drop(parse_object_id(text));
    for method in [http::Method::GET, http::Method::PUT, http::Method::POST] {
        drop(routes::find(&method, text));
    }
});
