//! Validation under load while everything around it changes.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::sync::RwLock;

use crate::process::{Dev, text};
use crate::tokens::{Place, Redis, Service};

/// What balances the load between the instances that are up.
struct Balancer {
    urls: RwLock<Vec<String>>,
    tokens: RwLock<Vec<String>>,
    http: reqwest::Client,
    valid: AtomicU64,
    refused: AtomicU64,
    elsewhere: AtomicU64,
    slow: AtomicU64,
    stop: AtomicBool,
}

impl Balancer {
    /// One validation; an instance that does not answer is passed over, as balancers do.
    async fn validate(&self, number: u64) {
        let token = {
            let tokens = self.tokens.read().await;
            tokens[usize::try_from(number).unwrap() % tokens.len()].clone()
        };
        for at in 0..6 {
            let urls = self.urls.read().await.clone();
            let url = &urls[(usize::try_from(number / 7).unwrap() + at) % urls.len()];
            let begin = Instant::now();
            let request = self.http.post(format!("{url}/api/tokens/validate")).json(&json!({ "token": token }));
            match request.send().await {
                Ok(response) if response.status() == 200 => {
                    self.valid.fetch_add(1, Ordering::Relaxed);
                    self.slow.fetch_max(u64::try_from(begin.elapsed().as_millis()).unwrap(), Ordering::Relaxed);
                    return;
                }
                Ok(response) => {
                    println!("{url} refused: {:?}", response.text().await);
                    self.refused.fetch_add(1, Ordering::Relaxed);
                    return;
                }
                Err(_) => {
                    self.elsewhere.fetch_add(1, Ordering::Relaxed);
                }
            }
        }
        self.refused.fetch_add(1, Ordering::Relaxed);
    }

    async fn run(self: Arc<Self>) {
        let mut interval = tokio::time::interval(Duration::from_millis(10));
        let mut number = 0;
        // Ten at a time, a hundred times a second; never more at once than the machine answers.
        let room = Arc::new(tokio::sync::Semaphore::new(64));
        while !self.stop.load(Ordering::Relaxed) {
            interval.tick().await;
            for _ in 0..10 {
                let permit = Arc::clone(&room).acquire_owned().await.unwrap();
                let balancer = Arc::clone(&self);
                number += 1;
                tokio::spawn(async move {
                    balancer.validate(number).await;
                    drop(permit);
                });
            }
        }
        drop(room.acquire_many(64).await);
    }
}

/// InMemory, then three instances on Redis, then three on Azure's services, one killed on the way,
/// rotations all along: no valid token is refused at any time.
#[tokio::test(flavor = "multi_thread")]
async fn no_valid_token_is_refused_through_rotations_a_crash_and_two_migrations() {
    let folder = tempfile::tempdir().unwrap();
    let Some(redis) = Redis::start(folder.path()) else { return };
    let dev = Dev::start(&folder.path().join("data"));
    let mut place = Place::new(folder.path());
    let azure = place.in_azure(&dev);
    let (memory, in_redis) = (place.in_memory(), place.in_redis(&redis));
    let (admin, issuer) = (place.bearer.clone(), place.issuer.clone());
    let alone = place.serve(&memory, "memory");
    let balancer = Arc::new(Balancer {
        urls: RwLock::new(vec![alone.url.clone()]),
        tokens: RwLock::new(vec![alone.link(&issuer).await]),
        http: reqwest::Client::builder().no_proxy().build().unwrap(),
        valid: AtomicU64::new(0),
        refused: AtomicU64::new(0),
        elsewhere: AtomicU64::new(0),
        slow: AtomicU64::new(0),
        stop: AtomicBool::new(false),
    });
    let (begin, load) = (Instant::now(), tokio::spawn(Arc::clone(&balancer).run()));
    let pause = || tokio::time::sleep(Duration::from_millis(1000));
    let issue = async |service: &Service| {
        let token = service.link(&issuer).await;
        balancer.tokens.write().await.push(token);
    };
    let rotate = async |service: &Service| {
        let (status, answer) = service.post("/api/admin/rotate-key", &admin, Value::Null).await;
        assert_eq!(status, 200, "{answer}");
        issue(service).await;
    };
    rotate(&alone).await;
    pause().await;

    // To Redis: the keys first, then the instances.
    let jwks = format!("{}/.well-known/jwks.json", alone.url);
    place.succeed(&["keystore", "migrate", "--from-jwks", &jwks, "--to", text(&in_redis)]);
    let mut on_redis: Vec<Service> = (0..3).map(|at| place.serve(&in_redis, &format!("redis-{at}"))).collect();
    *balancer.urls.write().await = on_redis.iter().map(|service| service.url.clone()).collect();
    assert!(alone.process.stop().success());
    for at in 0..6 {
        rotate(&on_redis[at % 3]).await;
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
    on_redis[2].process.kill();
    pause().await;
    rotate(&on_redis[0]).await;
    balancer.urls.write().await.truncate(2);
    on_redis.truncate(2);

    // To the vault: both rings know each other's keys, so instances change over one by one.
    place.succeed(&["keystore", "migrate", "--from", text(&in_redis), "--to", text(&azure)]);
    let mut on_azure = Vec::new();
    for at in 0..3 {
        let service = place.serve(&azure, &format!("azure-{at}"));
        issue(&service).await;
        balancer.urls.write().await.insert(0, service.url.clone());
        if let Some(old) = on_redis.pop() {
            issue(&old).await;
            pause().await;
            balancer.urls.write().await.retain(|url| *url != old.url);
            assert!(old.process.stop().success());
        }
        on_azure.push(service);
    }
    for at in 0..4 {
        rotate(&on_azure[at % 3]).await;
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
    tokio::time::sleep(Duration::from_secs(4)).await;
    balancer.stop.store(true, Ordering::Relaxed);
    load.await.unwrap();
    let (valid, refused) = (balancer.valid.load(Ordering::Relaxed), balancer.refused.load(Ordering::Relaxed));
    let elapsed = begin.elapsed();
    println!(
        "{valid} validations in {elapsed:?} ({}/s), {refused} refused, {} sent to another instance, slowest {} ms, {} tokens",
        u128::from(valid) * 1000 / elapsed.as_millis(),
        balancer.elsewhere.load(Ordering::Relaxed),
        balancer.slow.load(Ordering::Relaxed),
        balancer.tokens.read().await.len(),
    );
    assert_eq!(refused, 0);
    assert!(valid > 1000);
    let (mut hits, mut misses) = (0, 0);
    for service in &on_azure {
        let (_, answer) = service.get("/api/admin/keys", &admin).await;
        println!("{}", answer["cache"]);
        hits += answer["cache"]["hits"].as_u64().unwrap();
        misses += answer["cache"]["misses"].as_u64().unwrap();
    }
    assert!(hits * 100 >= (hits + misses) * 99, "{hits} hits, {misses} misses, through four rotations in seconds");
}
