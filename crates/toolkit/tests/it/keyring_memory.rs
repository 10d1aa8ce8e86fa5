//! The ring, on the store in memory, and what it does with time.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use serde_json::{Value, json};
use strongroom::keyring::{
    InMemoryKeyStore, KeyRing, KeyState, KeyStore, Kid, RingKey, RingOptions, Snapshot, StoreError, TokenError,
};
use strongroom_crypto::{PrivateKey, sha256};
use strongroom_store::Time;
use strongroom_store::clock::{Clock, ManualClock};
use strongroom_wire::algorithms::SignatureAlgorithm;
use strongroom_wire::base64url;
use strongroom_wire::jwk::PublicJwk;

use crate::keyring_suite::{self as suite, claims, options};

const START: i64 = 1_800_000_000;

/// The store in memory, of which every call is counted, can be slow, and can fail.
pub(crate) struct Watched {
    store: InMemoryKeyStore,
    loads: AtomicUsize,
    calls: AtomicUsize,
    away: AtomicBool,
    delay: Duration,
}

impl Watched {
    async fn call(&self) -> Result<(), StoreError> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        if !self.delay.is_zero() {
            tokio::time::sleep(self.delay).await;
        }
        if self.away.load(Ordering::SeqCst) {
            return Err(StoreError::Unavailable { place: "the test", detail: "unplugged".to_owned() });
        }
        Ok(())
    }

    fn loads(&self) -> usize {
        self.loads.swap(0, Ordering::SeqCst)
    }
}

#[async_trait]
impl KeyStore for Watched {
    fn kind(&self) -> &'static str {
        "InMemory"
    }

    async fn load(&self) -> Result<Snapshot, StoreError> {
        self.loads.fetch_add(1, Ordering::SeqCst);
        self.call().await?;
        self.store.load().await
    }

    async fn save_keys(&self, before: &Snapshot, keys: &[RingKey]) -> Result<(), StoreError> {
        self.call().await?;
        self.store.save_keys(before, keys).await
    }

    async fn save_active(&self, before: &Snapshot, kid: &Kid) -> Result<(), StoreError> {
        self.call().await?;
        self.store.save_active(before, kid).await
    }

    async fn make_key(&self, kid: &Kid, algorithm: SignatureAlgorithm) -> Result<PublicJwk, StoreError> {
        self.call().await?;
        self.store.make_key(kid, algorithm).await
    }

    async fn sign(&self, key: &RingKey, digest: Vec<u8>) -> Result<Vec<u8>, StoreError> {
        self.call().await?;
        self.store.sign(key, digest).await
    }

    async fn destroy_key(&self, kid: &Kid) -> Result<(), StoreError> {
        self.call().await?;
        self.store.destroy_key(kid).await
    }

    async fn private_keys(&self, before: Time) -> Result<Vec<Kid>, StoreError> {
        self.call().await?;
        self.store.private_keys(before).await
    }
}

struct World {
    store: Arc<Watched>,
    clock: Arc<ManualClock>,
}

impl World {
    async fn new() -> Self {
        Self::slow(Duration::ZERO).await
    }

    async fn slow(delay: Duration) -> Self {
        let clock = ManualClock::new(Time::from_seconds(START));
        let store = InMemoryKeyStore::new(strongroom::open("memory:").await.unwrap(), clock.clone());
        let (loads, calls, away) = (AtomicUsize::new(0), AtomicUsize::new(0), AtomicBool::new(false));
        Self { store: Arc::new(Watched { store, loads, calls, away, delay }), clock }
    }

    fn ring(&self, options: RingOptions) -> KeyRing {
        KeyRing::new(self.store.clone(), self.clock.clone(), options)
    }

    fn stores(&self) -> (Vec<Arc<dyn KeyStore>>, Arc<dyn Clock>) {
        (vec![self.store.clone()], self.clock.clone())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_key_is_made_once() {
    let (stores, clock) = World::new().await.stores();
    suite::the_first_key_is_made_once(&stores, &clock).await;
}

#[tokio::test]
async fn ten_steps() {
    let (stores, clock) = World::new().await.stores();
    suite::ten_steps(&stores, &clock).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_rotations_lose_nothing() {
    let (stores, clock) = World::new().await.stores();
    suite::concurrent_rotations_lose_nothing(&stores, &clock, 20, 50).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_active_key_is_always_in_the_list() {
    let (stores, clock) = World::new().await.stores();
    suite::ten_steps(&stores, &clock).await;
    suite::the_active_key_is_always_in_the_list(&stores, &clock, 50).await;
}

#[tokio::test]
async fn a_crash_leaves_a_valid_ring() {
    let (stores, clock) = World::new().await.stores();
    suite::a_crash_leaves_a_valid_ring(&stores, &clock).await;
}

#[tokio::test]
async fn carried_keys_verify_and_do_not_sign() {
    let (old, world) = (World::new().await, World::new().await);
    let (stores, clock) = world.stores();
    suite::carried_keys_verify_and_do_not_sign(&stores, &clock, &old.ring(options())).await;
}

#[tokio::test]
async fn all_algorithms_sign_and_verify() {
    for algorithm in SignatureAlgorithm::ALL {
        let world = World::new().await;
        let ring = world.ring(RingOptions { algorithm: *algorithm, ..options() });
        if *algorithm == SignatureAlgorithm::ES256K {
            assert!(ring.ensure_initial_key().await.unwrap_err().to_string().contains("ES256"));
            continue;
        }
        ring.ensure_initial_key().await.unwrap();
        let token = ring.sign(claims("a@example.com"), 60).await.unwrap().token;
        ring.validate(&token).await.unwrap();
        let header: Value =
            serde_json::from_slice(&base64url::decode(token.split('.').next().unwrap()).unwrap()).unwrap();
        assert_eq!(header["alg"], algorithm.as_str());
        let mut altered = token.clone().into_bytes();
        // A letter of the claims.
        let at = token.find('.').unwrap() + 10;
        altered[at] = if altered[at] == b'A' { b'B' } else { b'A' };
        assert!(ring.validate(&String::from_utf8(altered).unwrap()).await.is_err());
    }
}

/// Another library reads the JWK set and the token.
#[tokio::test]
async fn tokens_and_keys_are_those_of_other_libraries() {
    for algorithm in ["ES256", "ES384", "RS256", "RS512", "PS256", "PS384"] {
        let world = World::new().await;
        let ring = world.ring(RingOptions { algorithm: SignatureAlgorithm::parse(algorithm).unwrap(), ..options() });
        ring.ensure_initial_key().await.unwrap();
        ring.rotate().await.unwrap();
        let token = ring.sign(claims("a@example.com"), 3600).await.unwrap().token;
        let set = serde_json::to_string(&ring.jwks().await.unwrap()).unwrap();
        let set: jsonwebtoken::jwk::JwkSet = serde_json::from_str(&set).unwrap();
        let header = jsonwebtoken::decode_header(&token).unwrap();
        let key = set.find(header.kid.as_ref().unwrap()).unwrap();
        let mut checks = jsonwebtoken::Validation::new(header.alg);
        checks.set_issuer(&["https://issuer.test"]);
        checks.set_audience(&["downloads"]);
        let key = jsonwebtoken::DecodingKey::from_jwk(key).unwrap();
        let read = jsonwebtoken::decode::<Value>(&token, &key, &checks).unwrap();
        assert_eq!((read.claims["email"].as_str(), set.keys.len()), (Some("a@example.com"), 2), "{algorithm}");
    }
}

fn token(header: &Value, claims: &Value, key: Option<&PrivateKey>) -> String {
    let part = |value: &Value| base64url::encode(value.to_string().as_bytes());
    let input = format!("{}.{}", part(header), part(claims));
    let signature = key.map(|key| key.sign(SignatureAlgorithm::ES256, &sha256(input.as_bytes())).unwrap());
    format!("{input}.{}", base64url::encode(&signature.unwrap_or_default()))
}

#[tokio::test]
async fn forged_and_foreign_tokens_are_told_apart_and_refused() {
    let world = World::new().await;
    let ring = world.ring(options());
    let kid = ring.ensure_initial_key().await.unwrap();
    let stranger =
        PrivateKey::generate(strongroom_crypto::KeySpec::Ec(strongroom_wire::algorithms::Curve::P256)).unwrap();
    let good = json!({ "iss": "https://issuer.test", "aud": "downloads", "exp": START + 60 });
    for (header, key, wanted) in [
        (json!({ "alg": "none", "kid": kid }), None, TokenError::Algorithm),
        (json!({ "alg": "HS256", "kid": kid }), None, TokenError::Algorithm),
        (json!({ "alg": "RS256", "kid": kid }), None, TokenError::Algorithm),
        (json!({ "alg": "es256", "kid": kid }), Some(&stranger), TokenError::Algorithm),
        (json!({ "alg": "ES256", "kid": kid }), Some(&stranger), TokenError::Signature),
        (json!({ "alg": "ES256", "kid": kid }), None, TokenError::Signature),
        (json!({ "alg": "ES256" }), Some(&stranger), TokenError::UnknownKey),
        (json!({ "alg": "ES256", "kid": "../../etc" }), Some(&stranger), TokenError::UnknownKey),
        (json!({ "alg": "ES256", "kid": kid, "crit": ["exp"] }), Some(&stranger), TokenError::Malformed),
    ] {
        assert_eq!(ring.validate(&token(&header, &good, key)).await.unwrap_err(), wanted, "{header}");
    }
    for odd in ["", ".", "..", "...", "a.b.c", "e30.e30.", "\u{e9}.x.y", &"a".repeat(100_000)] {
        assert!(ring.validate(odd).await.is_err(), "{odd}");
    }
    // A token in another spelling is another token.
    let signed = ring.sign(claims("a@example.com"), 60).await.unwrap().token;
    assert_eq!(ring.validate(&format!("{signed}=")).await.unwrap_err(), TokenError::Malformed);
    ring.validate(&signed).await.unwrap();
}

#[tokio::test]
async fn claims_are_checked_with_thirty_seconds_of_skew() {
    let world = World::new().await;
    let ring = world.ring(options());
    ring.ensure_initial_key().await.unwrap();
    let token = ring.sign(claims("a@example.com"), 60).await.unwrap().token;
    world.clock.advance(60 + 29);
    ring.validate(&token).await.unwrap();
    world.clock.advance(1);
    assert_eq!(ring.validate(&token).await.unwrap_err(), TokenError::Expired);
    world.clock.advance(-90 - 30);
    ring.validate(&token).await.unwrap();
    world.clock.advance(-1);
    assert_eq!(ring.validate(&token).await.unwrap_err(), TokenError::NotYetValid);
    world.clock.advance(31);
    let other = world.ring(RingOptions { issuer: "https://other.test".to_owned(), ..options() });
    assert_eq!(other.validate(&token).await.unwrap_err(), TokenError::Issuer);
    let other = world.ring(RingOptions { audience: "uploads".to_owned(), ..options() });
    assert_eq!(other.validate(&token).await.unwrap_err(), TokenError::Audience);
    for own in ["iss", "aud", "exp", "nbf", "iat", "jti"] {
        let claims = json!({ own: 1 }).as_object().unwrap().clone();
        assert!(ring.sign(claims, 60).await.unwrap_err().to_string().contains(own));
    }
    for life in [0, -1, 86_401] {
        assert!(ring.sign(claims("a@example.com"), life).await.is_err(), "{life}");
    }
}

#[tokio::test]
async fn half_an_hour_of_validation_reads_the_store_once_in_five_minutes() {
    let world = World::new().await;
    world.ring(options()).ensure_initial_key().await.unwrap();
    let rings: Vec<KeyRing> = (0..3).map(|_| world.ring(options())).collect();
    let token = rings[0].sign(claims("a@example.com"), 3600).await.unwrap().token;
    world.store.loads();
    let (mut calls, before) = (0, world.store.calls.load(Ordering::SeqCst));
    for _second in 0..1800 {
        for ring in &rings {
            for _ in 0..5 {
                ring.validate(&token).await.unwrap();
            }
        }
        world.clock.advance(1);
        // A read that is due is made beside this.
        tokio::task::yield_now().await;
        calls += world.store.loads();
    }
    let counters: Vec<_> = rings.iter().map(KeyRing::counters).collect();
    let (hits, misses) = counters.iter().fold((0, 0), |sum, next| (sum.0 + next.hits, sum.1 + next.misses));
    println!("3 instances, 30 minutes: {calls} reads, {hits} hits, {misses} misses");
    assert!(calls <= 3 * 7, "{calls} reads by three instances in 30 minutes");
    assert_eq!(world.store.calls.load(Ordering::SeqCst) - before, calls, "validation calls nothing else");
    assert!(hits * 100 >= (hits + misses) * 99);
}

#[tokio::test(start_paused = true)]
async fn an_unknown_kid_is_fetched_once() {
    let world = World::new().await;
    let (signer, verifier) = (world.ring(options()), world.ring(options()));
    signer.ensure_initial_key().await.unwrap();
    let first = signer.sign(claims("a@example.com"), 60).await.unwrap().token;
    verifier.validate(&first).await.unwrap();
    signer.rotate().await.unwrap();
    let second = signer.sign(claims("a@example.com"), 60).await.unwrap().token;
    world.store.loads();
    // A hundred at once: one of them reads.
    let asked = (0..50).map(|_| {
        let (verifier, token) = (verifier.clone(), second.clone());
        tokio::spawn(async move { verifier.validate(&token).await })
    });
    for asked in asked.collect::<Vec<_>>() {
        asked.await.unwrap().unwrap();
    }
    assert_eq!(world.store.loads(), 1);
    // Strangers' kids: after the first few one read in a second, and none for a kid that was looked for.
    let strange =
        |at: u32| token(&json!({ "alg": "ES256", "kid": format!("{at:032x}") }), &json!({ "exp": START }), None);
    let begin = tokio::time::Instant::now();
    for at in 0..10 {
        assert_eq!(verifier.validate(&strange(at)).await.unwrap_err(), TokenError::UnknownKey);
        assert_eq!(verifier.validate(&strange(at)).await.unwrap_err(), TokenError::UnknownKey);
    }
    assert_eq!(world.store.loads(), 10);
    assert!(begin.elapsed() >= Duration::from_secs(6), "{:?}", begin.elapsed());
    verifier.validate(&second).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_store_that_is_away_stops_nothing_until_the_cache_is_over() {
    let world = World::new().await;
    let strict = world.ring(options());
    let patient = world.ring(RingOptions { stale_if_error: Some(3600), ..options() });
    strict.ensure_initial_key().await.unwrap();
    let token = strict.sign(claims("a@example.com"), 7200).await.unwrap().token;
    patient.validate(&token).await.unwrap();
    world.store.away.store(true, Ordering::SeqCst);
    world.clock.advance(299);
    strict.validate(&token).await.unwrap();
    patient.validate(&token).await.unwrap();
    world.clock.advance(2);
    assert!(matches!(strict.validate(&token).await.unwrap_err(), TokenError::Unavailable(_)));
    for _ in 0..1000 {
        patient.validate(&token).await.unwrap();
    }
    assert!(world.store.loads() < 10, "a store that is away is not asked by every validation");
    world.clock.advance(3600);
    assert!(patient.validate(&token).await.is_err());
    world.store.away.store(false, Ordering::SeqCst);
    tokio::time::sleep(Duration::from_secs(2)).await;
    strict.validate(&token).await.unwrap();
    patient.validate(&token).await.unwrap();
}

#[tokio::test]
async fn a_schedule_publishes_activates_and_retires() {
    let world = World::new().await;
    let options = || RingOptions { rotate_every: Some(30 * 86_400), ..options() };
    let (ring, other) = (world.ring(options()), world.ring(options()));
    let tick = async || {
        ring.tick().await.unwrap();
        other.tick().await.unwrap();
    };
    tick().await;
    let states = async || ring.keys().await.unwrap().iter().map(|key| key.state).collect::<Vec<_>>();
    assert_eq!(states().await, [KeyState::Active]);
    let first = ring.sign(claims("a@example.com"), 86_400).await.unwrap();
    world.clock.advance(30 * 86_400 - 601);
    tick().await;
    assert_eq!(states().await, [KeyState::Active]);
    world.clock.advance(1);
    tick().await;
    assert_eq!(states().await, [KeyState::Active, KeyState::Pending], "published before it signs");
    assert_eq!(ring.jwks().await.unwrap().keys.len(), 2);
    let last = ring.sign(claims("a@example.com"), 86_400).await.unwrap();
    assert_eq!(last.kid, first.kid);
    world.clock.advance(599);
    tick().await;
    assert_eq!(states().await, [KeyState::Active, KeyState::Pending]);
    world.clock.advance(1);
    tick().await;
    assert_eq!(states().await, [KeyState::Retiring, KeyState::Active]);
    assert_ne!(ring.sign(claims("a@example.com"), 60).await.unwrap().kid, first.kid);
    world.clock.advance(86_400 - 600);
    ring.validate(&last.token).await.unwrap();
    tick().await;
    assert_eq!(states().await, [KeyState::Retiring, KeyState::Active]);
    world.clock.advance(600 + 300 + 300 + 30);
    tick().await;
    assert_eq!(states().await, [KeyState::Active], "its last token has expired");
}

#[tokio::test]
async fn keys_that_a_crash_left_are_destroyed() {
    let world = World::new().await;
    let ring = world.ring(options());
    let kid = ring.ensure_initial_key().await.unwrap();
    world.store.make_key(&Kid::random().unwrap(), SignatureAlgorithm::ES256).await.unwrap();
    ring.tick().await.unwrap();
    let far = Time::from_seconds(START + 1_000_000);
    assert_eq!(world.store.private_keys(far).await.unwrap().len(), 2, "it may be on its way into the list");
    world.clock.advance(3601);
    ring.tick().await.unwrap();
    assert_eq!(world.store.private_keys(far).await.unwrap(), [kid]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_vault_does_not_slow_validation() {
    let world = World::slow(Duration::from_millis(200)).await;
    let ring = world.ring(RingOptions { algorithm: SignatureAlgorithm::RS256, ..options() });
    ring.ensure_initial_key().await.unwrap();
    let token = ring.sign(claims("a@example.com"), 86_400).await.unwrap().token;
    let (mut times, calls) = (Vec::new(), world.store.calls.load(Ordering::SeqCst));
    // Fifty minutes, so that the store is read ten times on the way.
    for at in 0..10_000 {
        if at % 20 == 0 {
            world.clock.advance(6);
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let begin = Instant::now();
        ring.validate(&token).await.unwrap();
        times.push(begin.elapsed());
    }
    times.sort();
    let at = |share: usize| times[times.len() * share / 1000];
    println!("200 ms a call: validation p50 {:?}, p99 {:?}, p99.9 {:?}", at(500), at(990), at(999));
    println!("{} calls meanwhile, {:?}", world.store.calls.load(Ordering::SeqCst) - calls, ring.counters());
    assert!(at(990) < Duration::from_millis(1), "{:?}", at(990));
}
