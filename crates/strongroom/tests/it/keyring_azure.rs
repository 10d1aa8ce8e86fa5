//! The ring in a vault and a configuration store of a running server: its private keys stay there.

use std::sync::Arc;
use std::time::{Duration, Instant};

use azure_core::credentials::{AccessToken, TokenCredential, TokenRequestOptions};
use azure_core::time::OffsetDateTime;
use serde_json::json;
use strongroom::keyring::{AzureKeyStore, AzureNames, InMemoryKeyStore, KeyRing, KeyStore};
use strongroom_backends::appconfig::{Condition, ConfigClient, Setting};
use strongroom_backends::azure::{AzureVault, AzureVaultOptions};
use strongroom_store::Time;
use strongroom_store::clock::{Clock, ManualClock};

use crate::keyring_suite::{self as suite, claims, options};
use crate::process::Dev;

#[derive(Debug)]
struct Fixed(String);

#[async_trait::async_trait]
impl TokenCredential for Fixed {
    async fn get_token(&self, _: &[&str], _: Option<TokenRequestOptions<'_>>) -> azure_core::Result<AccessToken> {
        Ok(AccessToken::new(self.0.clone(), OffsetDateTime::now_utc() + Duration::from_secs(3600)))
    }
}

struct World {
    dev: Dev,
    client: crate::client::Client,
    clock: Arc<ManualClock>,
    _folder: tempfile::TempDir,
}

impl World {
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let dev = Dev::start(&folder.path().join("data"));
        let client = dev.client().await;
        let now = OffsetDateTime::now_utc().unix_timestamp();
        Self { dev, client, clock: ManualClock::new(Time::from_seconds(now)), _folder: folder }
    }

    fn clock(&self) -> Arc<dyn Clock> {
        self.clock.clone()
    }

    fn config(&self) -> ConfigClient {
        let text = &self.dev.variables["AZURE_APPCONFIG_CONNECTION_STRING"];
        ConfigClient::from_connection_string(text, self.client.http.clone()).unwrap()
    }

    /// Instances of a ring of that name, each with clients of its own.
    fn stores(&self, name: &str, count: usize) -> Vec<Arc<dyn KeyStore>> {
        let store = |_| {
            let credential = Arc::new(Fixed(self.client.token.to_string()));
            let (url, http) = (self.client.vault.clone(), self.client.http.clone());
            let vault = AzureVault::new(AzureVaultOptions { url, credential, http }).unwrap();
            let names = AzureNames {
                key_prefix: format!("{name}-key-"),
                active_kid: format!("{name}:ActiveKid"),
                all_keys: format!("{name}:AllKeys"),
            };
            let store = AzureKeyStore::new(Arc::new(vault), Arc::new(self.config()), self.clock.clone(), names);
            Arc::new(store) as Arc<dyn KeyStore>
        };
        (0..count).map(store).collect()
    }

    fn ring(&self, store: &Arc<dyn KeyStore>) -> KeyRing {
        KeyRing::new(Arc::clone(store), self.clock.clone(), options())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_suite_of_key_stores() {
    let world = World::start().await;
    suite::the_first_key_is_made_once(&world.stores("first", 20), &world.clock()).await;
    suite::ten_steps(&world.stores("steps", 2), &world.clock()).await;
    suite::a_crash_leaves_a_valid_ring(&world.stores("crash", 1), &world.clock()).await;
    let old = InMemoryKeyStore::new(strongroom::open("memory:").await.unwrap(), Arc::clone(&world.clock()));
    let old = KeyRing::new(Arc::new(old), Arc::clone(&world.clock()), options());
    suite::carried_keys_verify_and_do_not_sign(&world.stores("carried", 2), &world.clock(), &old).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_rotations_lose_nothing() {
    let world = World::start().await;
    suite::concurrent_rotations_lose_nothing(&world.stores("many", 20), &world.clock(), 20, 3).await;
    let stores = world.stores("list", 4);
    world.ring(&stores[0]).ensure_initial_key().await.unwrap();
    suite::the_active_key_is_always_in_the_list(&stores, &world.clock(), 8).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_lies_there_is_what_the_original_promised() {
    let world = World::start().await;
    let stores = world.stores("Jwt", 2);
    let (here, there) = (world.ring(&stores[0]), world.ring(&stores[1]));
    let first = here.ensure_initial_key().await.unwrap();
    let second = here.rotate().await.unwrap();
    let config = world.config();
    let value = async |key: String| config.get(&key, None).await.unwrap().unwrap().value.unwrap().expose().clone();
    assert_eq!(value("Jwt:ActiveKid".to_owned()).await, second.as_str());
    for (kid, is_active) in [(&first, "false"), (&second, "true")] {
        assert!(value("Jwt:AllKeys".to_owned()).await.contains(kid.as_str()));
        assert_eq!(value(format!("Jwt:Key:{kid}:IsActive")).await, is_active);
        assert!(value(format!("Jwt:Key:{kid}:CreatedOn")).await.ends_with('Z'));
        let (status, key) = world.client.get(&format!("/keys/Jwt-key-{kid}")).await;
        assert_eq!(status, 200, "{key}");
        assert_eq!(key["key"]["key_ops"], json!(["sign", "verify"]));
    }

    // The active kid is the one truth: who sets it by hand decides what all sign with.
    let by_hand =
        Setting { key: "Jwt:ActiveKid".to_owned(), value: Some(first.to_string().into()), ..Setting::default() };
    config.set(&by_hand, Condition::None).await.unwrap();
    for ring in [&here, &there] {
        ring.invalidate();
        assert_eq!(ring.sign(claims("a@example.com"), 60).await.unwrap().kid, first);
    }
    // A key that may be on its way to be active is not retired by others.
    world.clock.advance(61);
    let token = here.sign(claims("a@example.com"), 60).await.unwrap().token;
    here.retire(&second, false).await.unwrap();
    let (status, _) = world.client.get(&format!("/keys/Jwt-key-{second}")).await;
    assert_eq!(status, 404, "a retired key's private half is deleted");
    assert!(config.get(&format!("Jwt:Key:{second}:IsActive"), None).await.unwrap().is_none());
    there.validate(&token).await.unwrap();

    let mut times = Vec::new();
    for _ in 0..30 {
        let begin = Instant::now();
        let kid = here.rotate().await.unwrap();
        times.push(begin.elapsed());
        let last = here.keys().await.unwrap();
        let old = last.iter().find(|key| key.kid != kid && !key.is_active).unwrap();
        here.retire(&old.kid, false).await.unwrap();
    }
    times.sort();
    println!("a rotation: p50 {:?}, p95 {:?}", times[15], times[28]);
    assert!(times[28] < Duration::from_secs(5), "{times:?}");
}
