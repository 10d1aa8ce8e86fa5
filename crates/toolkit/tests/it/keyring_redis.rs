//! The ring in a real Redis.

use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use strongroom::keyring::{InMemoryKeyStore, KeyRing, KeyStore, RedisKeyStore, RedisSeal, StoreError, TokenError};
use strongroom_store::Time;
use strongroom_store::clock::{Clock, ManualClock};
use strongroom_store::conformance::skipped;
use strongroom_wire::Sensitive;

use crate::keyring_suite::{self as suite, claims, options};

/// A Redis of our own, on a socket.
struct Redis {
    process: Child,
    folder: tempfile::TempDir,
}

impl Redis {
    /// `None`, counted, when there is no Redis to start.
    fn start() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("redis.sock");
        let mut command = Command::new("redis-server");
        command.args(["--port", "0", "--save", "", "--unixsocket", socket.to_str().unwrap()]);
        let command = command.current_dir(folder.path()).stdout(Stdio::null()).stderr(Stdio::null());
        let Ok(process) = command.spawn() else {
            skipped("the key ring in Redis", "redis-server is not installed");
            return None;
        };
        let redis = Self { process, folder };
        while std::os::unix::net::UnixStream::connect(&socket).is_err() {
            std::thread::yield_now();
        }
        Some(redis)
    }

    fn address(&self) -> Sensitive<String> {
        format!("redis+unix://{}", self.folder.path().join("redis.sock").display()).into()
    }

    async fn store(&self) -> RedisKeyStore {
        self.try_store("correct horse battery").await.unwrap()
    }

    async fn try_store(&self, passphrase: &str) -> Result<RedisKeyStore, StoreError> {
        RedisKeyStore::connect(&self.address(), RedisSeal::Passphrase(passphrase.to_owned().into())).await
    }

    async fn stores(&self, count: usize) -> Vec<Arc<dyn KeyStore>> {
        let mut stores: Vec<Arc<dyn KeyStore>> = Vec::new();
        for _ in 0..count {
            let seal = RedisSeal::Key(Sensitive::new([7; 32]));
            stores.push(Arc::new(RedisKeyStore::connect(&self.address(), seal).await.unwrap()));
        }
        stores
    }

    fn cli(&self, arguments: &[&str]) -> String {
        let socket = self.folder.path().join("redis.sock");
        let output = Command::new("redis-cli").args(["-s", socket.to_str().unwrap()]).args(arguments).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

fn clock() -> Arc<dyn Clock> {
    ManualClock::new(Time::from_seconds(1_800_000_000))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_key_is_made_once() {
    let Some(redis) = Redis::start() else { return };
    suite::the_first_key_is_made_once(&redis.stores(20).await, &clock()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_steps() {
    let Some(redis) = Redis::start() else { return };
    suite::ten_steps(&redis.stores(2).await, &clock()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_rotations_lose_nothing() {
    let Some(redis) = Redis::start() else { return };
    suite::concurrent_rotations_lose_nothing(&redis.stores(20).await, &clock(), 20, 50).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_active_key_is_always_in_the_list() {
    let Some(redis) = Redis::start() else { return };
    let stores = redis.stores(4).await;
    suite::ten_steps(&stores, &clock()).await;
    suite::the_active_key_is_always_in_the_list(&stores, &clock(), 50).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_leaves_a_valid_ring() {
    let Some(redis) = Redis::start() else { return };
    suite::a_crash_leaves_a_valid_ring(&redis.stores(1).await, &clock()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn carried_keys_verify_and_do_not_sign() {
    let Some(redis) = Redis::start() else { return };
    let clock = clock();
    let old = InMemoryKeyStore::new(strongroom::open("memory:").await.unwrap(), Arc::clone(&clock));
    let old = KeyRing::new(Arc::new(old), Arc::clone(&clock), options());
    suite::carried_keys_verify_and_do_not_sign(&redis.stores(2).await, &clock, &old).await;
}

/// What lies there, by the names that people know; private keys are sealed.
#[tokio::test(flavor = "multi_thread")]
async fn the_keys_in_redis_are_readable_and_hold_no_private_key() {
    let Some(redis) = Redis::start() else { return };
    let (store, clock) = (redis.store().await, clock());
    let ring = KeyRing::new(Arc::new(store), Arc::clone(&clock), options());
    let kid = ring.ensure_initial_key().await.unwrap();
    let token = ring.sign(claims("a@example.com"), 60).await.unwrap().token;
    assert_eq!(redis.cli(&["GET", "jwt:active:kid"]).trim(), kid.as_str());
    assert_eq!(redis.cli(&["SMEMBERS", "jwt:keys:set"]).trim(), kid.as_str());
    let record: serde_json::Value = serde_json::from_str(&redis.cli(&["GET", &format!("jwt:key:{kid}")])).unwrap();
    assert_eq!((&record["kid"], &record["algorithm"]), (&kid.as_str().into(), &"ES256".into()));
    assert!(record["public"]["x"].is_string() && record["public"].get("d").is_none());
    // Sealed twice over it would never look alike; in the clear it would be the same DER.
    let sealed = redis.cli(&["GET", &format!("jwt:private:{kid}")]);
    let sealed = strongroom_wire::base64url::decode(sealed.trim()).unwrap();
    assert!(strongroom_crypto::PrivateKey::from_pkcs8(&sealed).is_err());

    // Another passphrase does not find an empty ring.
    let wrong = KeyRing::new(Arc::new(redis.try_store("another horse").await.unwrap()), Arc::clone(&clock), options());
    assert!(wrong.ensure_initial_key().await.unwrap_err().to_string().contains("passphrase"));
    let right = KeyRing::new(Arc::new(redis.store().await), Arc::clone(&clock), options());
    right.validate(&token).await.unwrap();

    // A record of a stranger's who can write to Redis is no key.
    let other = InMemoryKeyStore::new(strongroom::open("memory:").await.unwrap(), Arc::clone(&clock));
    let other = KeyRing::new(Arc::new(other), Arc::clone(&clock), options());
    other.ensure_initial_key().await.unwrap();
    let forged = other.sign(claims("evil@example.com"), 60).await.unwrap();
    let mut forged_record = record.clone();
    let public = &other.jwks().await.unwrap().keys[0].public;
    forged_record["kid"] = forged.kid.as_str().into();
    forged_record["public"] = serde_json::to_value(public).unwrap();
    redis.cli(&["SET", &format!("jwt:key:{}", forged.kid), &forged_record.to_string()]);
    redis.cli(&["SADD", "jwt:keys:set", forged.kid.as_str()]);
    right.invalidate();
    assert_eq!(right.validate(&forged.token).await.unwrap_err(), TokenError::UnknownKey);
    right.validate(&token).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_is_told_to_other_instances_at_once() {
    let Some(redis) = Redis::start() else { return };
    let clock = clock();
    let stores = redis.stores(2).await;
    let ring = |at: usize| KeyRing::new(Arc::clone(&stores[at]), Arc::clone(&clock), options());
    let (here, there) = (ring(0), ring(1));
    let first = here.ensure_initial_key().await.unwrap();
    let token = here.sign(claims("a@example.com"), 60).await.unwrap().token;
    there.validate(&token).await.unwrap();
    let following = there.clone();
    let follow = tokio::spawn(async move { following.follow().await });
    here.rotate().await.unwrap();
    here.retire(&first, false).await.unwrap();
    let told = async {
        while there.validate(&token).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    let begin = std::time::Instant::now();
    tokio::time::timeout(Duration::from_secs(5), told).await.expect("told in five seconds, not in five minutes");
    println!("a retirement is known elsewhere after {:?}", begin.elapsed());
    follow.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redis_that_is_not_there_is_said_without_the_password() {
    let address = Sensitive::new("redis://app:hush@127.0.0.1:1/0".to_owned());
    let fault = RedisKeyStore::connect(&address, RedisSeal::Key(Sensitive::new([7; 32]))).await.unwrap_err();
    assert!(matches!(fault, StoreError::Unavailable { .. }) && !fault.to_string().contains("hush"), "{fault}");
    let address = Sensitive::new("redis://app:hush@:x:/".to_owned());
    let fault = RedisKeyStore::connect(&address, RedisSeal::Key(Sensitive::new([7; 32]))).await.unwrap_err();
    assert!(!fault.to_string().contains("hush"), "{fault}");
}
