//! The toolkit's secret resolver: a read of what is remembered.

use std::sync::Arc;
use std::time::{Duration, Instant};

use strongroom::secrets::{ResolverOptions, SecretResolver};
use strongroom_crypto::AeadKey;
use strongroom_store::clock::ManualClock;
use strongroom_store::vault::NewVersion;
use strongroom_store::{Cx, Engine, Installation, MemoryRecords, SoftwareProvider, Time, Vault};
use strongroom_wire::attributes::Recovery;
use strongroom_wire::ids::{ObjectName, VaultName};

use crate::report::Report;

const READS: usize = 1_000_000;

/// Secrets that are read in turn.
const SECRETS: usize = 1_000;

pub(crate) async fn measure(report: &mut Report) {
    let now = Time::from_seconds(1_800_000_000);
    let shared =
        Installation::new(MemoryRecords::new(), SoftwareProvider::new().unwrap(), AeadKey::generate().unwrap());
    let vault = Engine::new(shared, VaultName::parse("bench").unwrap(), Recovery::DEFAULT);
    let keys: Vec<String> = (0..SECRETS).map(|number| format!("secret-{number}")).collect();
    for key in &keys {
        let name = ObjectName::parse(&format!("org-1--{key}")).unwrap();
        let new = NewVersion::Secret { value: "v".repeat(100).into(), content_type: None, with: Default::default() };
        vault.put(&Cx::system(now), &name, new).await.unwrap();
    }
    let resolver = SecretResolver::new(Arc::new(vault), ManualClock::new(now), ResolverOptions::default());
    let mut times = Vec::with_capacity(READS);
    for turn in 0..READS + SECRETS {
        let key = &keys[turn * 7 % SECRETS];
        let start = Instant::now();
        resolver.get("org-1", key).await.unwrap();
        // The first round comes from the vault.
        if turn >= SECRETS {
            times.push(start.elapsed());
        }
    }
    times.sort_unstable();
    let p99: Duration = times[times.len() * 99 / 100];
    report.most("p99 of a cached secret in the toolkit", "µs", p99.as_secs_f64() * 1e6, 1.0);
}
