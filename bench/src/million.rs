//! A million secrets: how long the server takes to start, the first page, and its memory.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::Value;
use strongroom_backends::sqlite::SqliteRecords;
use strongroom_crypto::AeadKey;
use strongroom_store::engine::Engine;
use strongroom_store::sealing::{SealKey, Sealed};
use strongroom_store::vault::{NewAttributes, NewVersion};
use strongroom_store::{Cx, Installation, KeyProvider, Records, SoftwareProvider, Time, Vault as _};
use strongroom_wire::Sensitive;
use strongroom_wire::attributes::Recovery;
use strongroom_wire::ids::{ObjectName, VaultName};

use crate::load::Load;
use crate::process::part;
use crate::report::Report;
use crate::strongroom::{Strongroom, folder};
use crate::{CONNECTIONS, SPAN, VALUE};

const COUNT: u32 = 1_000_000;

pub(crate) async fn measure(report: &mut Report, program: &str) {
    let folder = folder();
    let data = folder.path().join("data");
    // Makes the store, its seal and the vault.
    drop(Strongroom::start(program, Some(&data)));
    eprintln!("writing {COUNT} secrets");
    let filled = part(&["fill", data.to_str().unwrap(), &COUNT.to_string()]).status().unwrap();
    assert!(filled.success());
    let start = Instant::now();
    let server = Strongroom::start(program, Some(&data));
    report.most("start with a million secrets", "s", start.elapsed().as_secs_f64(), 2.0);
    let vault = server.login().await;
    let mut connection = vault.https.connect().await;
    let page = vault.request("GET", "/secrets", &Value::Null);
    let start = Instant::now();
    let (status, _) = connection.ask(&page).await;
    assert_eq!(status, 200);
    report.most("first page of a million secrets", "ms", start.elapsed().as_secs_f64() * 1e3, 5.0);
    // Names all over the vault, so that no cache of a few holds them.
    let text = String::from_utf8(vault.request("GET", "/secrets/s0000000000", &Value::Null)).unwrap();
    let spread: crate::load::Request = std::rc::Rc::new(move |number| {
        let name = number.wrapping_mul(2_654_435_761) % u64::from(COUNT);
        text.replacen("0000000000", &format!("{name:010}"), 1).into_bytes()
    });
    Load::new(&vault.https, spread).run(CONNECTIONS, SPAN + Duration::from_secs(10)).await;
    report.most("resident memory after reading all over them", "MB", server.resident_mb(), 150.0);
}

/// Writes secrets into the development vault of a stopped server.
pub(crate) fn fill(folder: &str, count: u32) {
    let folder = Path::new(folder);
    let key: [u8; 32] = std::fs::read(folder.join("root.key")).unwrap().try_into().unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let sqlite: Arc<dyn Records> = Arc::new(SqliteRecords::open_existing(folder).unwrap());
        let records: Arc<dyn Records> = Arc::new(Sealed::unseal(sqlite, &SealKey::file(&key)).await.unwrap());
        let provider: Arc<dyn KeyProvider> = Arc::new(SoftwareProvider::new().unwrap());
        let installation = Installation::new(records, provider, AeadKey::generate().unwrap());
        let engine = Arc::new(Engine::new(installation, VaultName::parse("dev").unwrap(), Recovery::DEFAULT));
        let tasks: Vec<_> = (0..512)
            .map(|task| {
                let engine = Arc::clone(&engine);
                tokio::spawn(async move {
                    for number in (task..count).step_by(512) {
                        let name = ObjectName::parse(&format!("s{number:010}")).unwrap();
                        let value = Sensitive::new("v".repeat(VALUE));
                        let new = NewVersion::Secret { value, content_type: None, with: NewAttributes::default() };
                        engine.put(&Cx::system(Time::from_seconds(1_800_000_000)), &name, new).await.unwrap();
                    }
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
    });
}
