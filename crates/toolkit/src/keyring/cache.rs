//! What is known of the ring here. Validation reads it and nothing else: a read of the store is started
//! shortly before the time is over, by whoever comes, in the background.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use strongroom_store::clock::Clock;
use tokio::sync::{Mutex, Semaphore};
use tokio::time::Instant;

use super::error::{StoreError, TokenError};
use super::options::RingOptions;
use super::state::{Kid, RingKey, Snapshot};
use super::store::KeyStore;
use super::token::Verifier;

/// Validations that may wait at once for a kid that nobody knows.
const WAITING: usize = 64;

/// Kids that are known not to exist; more push older ones out.
const ABSENT: usize = 10_000;

/// So many reads for unknown kids may follow each other without the interval between them.
const BURST: u32 = 5;

/// A failure is the answer to all for so long.
const FAILURE_TIME: Duration = Duration::from_secs(1);

/// The ring as it was read, its public keys ready for use.
pub(super) struct View {
    pub(super) snapshot: Snapshot,
    verifiers: HashMap<Kid, Arc<Verifier>>,
    fetched: i64,
    number: u64,
}

impl View {
    pub(super) fn verifier(&self, kid: &Kid) -> Option<&Arc<Verifier>> {
        self.verifiers.get(kid)
    }
}

/// What happened so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counters {
    /// Validations that found their key here.
    pub hits: u64,
    /// Validations that had to wait for the store.
    pub misses: u64,
    /// Reads of the store.
    pub fetches: u64,
    /// Reads that failed.
    pub failures: u64,
}

/// The reads so far.
#[derive(Default)]
struct Reads {
    /// How the last one failed, and when.
    fault: Option<(Instant, StoreError)>,
    /// Until when those for unknown kids use up the interval between them.
    used_up: Option<Instant>,
}

#[derive(Default)]
struct Counts {
    hits: AtomicU64,
    misses: AtomicU64,
    fetches: AtomicU64,
    failures: AtomicU64,
}

pub(super) struct KeyCache {
    store: Arc<dyn KeyStore>,
    clock: Arc<dyn Clock>,
    ttl: i64,
    stale: Option<i64>,
    interval: Duration,
    current: ArcSwapOption<View>,
    /// Reads that were begun.
    begun: AtomicU64,
    /// Reads that were begun when what is known was said to count no more.
    forgotten: AtomicU64,
    /// Held by the one who reads.
    reading: Mutex<Reads>,
    /// Did the last read fail?
    failing: AtomicBool,
    refreshing: AtomicBool,
    waiting: Semaphore,
    /// Kids that were looked for in vain, and when.
    absent: quick_cache::sync::Cache<Kid, Instant>,
    counts: Counts,
}

impl KeyCache {
    pub(super) fn new(store: Arc<dyn KeyStore>, clock: Arc<dyn Clock>, options: &RingOptions) -> Arc<Self> {
        Arc::new(Self {
            store,
            clock,
            ttl: options.cache_ttl.saturating_mul(1000),
            stale: options.stale_if_error.map(|stale| stale.saturating_mul(1000)),
            interval: options.unknown_kid_interval,
            current: ArcSwapOption::empty(),
            begun: AtomicU64::new(0),
            forgotten: AtomicU64::new(0),
            failing: AtomicBool::new(false),
            reading: Mutex::default(),
            refreshing: AtomicBool::new(false),
            waiting: Semaphore::new(WAITING),
            absent: quick_cache::sync::Cache::new(ABSENT),
            counts: Counts::default(),
        })
    }

    pub(super) fn counters(&self) -> Counters {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        Counters {
            hits: read(&self.counts.hits),
            misses: read(&self.counts.misses),
            fetches: read(&self.counts.fetches),
            failures: read(&self.counts.failures),
        }
    }

    /// The key of a token: known here, or in the store since.
    pub(super) async fn verifier(self: &Arc<Self>, kid: &Kid) -> Result<Arc<Verifier>, TokenError> {
        let known = self.fresh();
        if let Some(verifier) = known.as_ref().and_then(|view| view.verifier(kid)) {
            count(&self.counts.hits);
            return Ok(Arc::clone(verifier));
        }
        if known.is_some() && self.is_absent(kid) {
            count(&self.counts.hits);
            return Err(TokenError::UnknownKey);
        }
        count(&self.counts.misses);
        let view = if known.is_some() {
            // A stranger can name any kid: few may wait, and all of them for one read.
            let _place = self.waiting.try_acquire().map_err(|_full| TokenError::UnknownKey)?;
            self.read_after(self.begun.load(Ordering::Acquire), self.interval).await
        } else {
            self.view().await
        };
        let view = view.map_err(TokenError::Unavailable)?;
        view.verifier(kid).cloned().ok_or_else(|| {
            self.absent.insert(kid.clone(), Instant::now());
            TokenError::UnknownKey
        })
    }

    /// The ring, read no longer ago than the cache's time; older only when the store does not answer.
    pub(super) async fn view(self: &Arc<Self>) -> Result<Arc<View>, StoreError> {
        if let Some(view) = self.fresh() {
            return Ok(view);
        }
        if self.failing.load(Ordering::Acquire)
            && let Some(view) = self.stale()
        {
            self.read_ahead(view.number);
            return Ok(view);
        }
        let number = self.current.load().as_ref().map_or(0, |view| view.number);
        let read = self.read_after(number.max(self.forgotten.load(Ordering::Acquire)), Duration::ZERO).await;
        read.or_else(|fault| {
            let view = self.stale().ok_or_else(|| fault.clone())?;
            tracing::warn!("the key store does not answer, using older keys: {fault}");
            Ok(view)
        })
    }

    /// The ring as it is in the store now.
    pub(super) async fn read_now(self: &Arc<Self>) -> Result<Arc<View>, StoreError> {
        self.read_after(self.begun.load(Ordering::Acquire), Duration::ZERO).await
    }

    /// The ring was changed: reads it, or sees to it that the next who asks does.
    pub(super) async fn changed(self: &Arc<Self>) {
        if let Err(fault) = self.read_now().await {
            tracing::warn!("the ring was changed and cannot be read: {fault}");
            self.forget();
        }
    }

    /// What is known counts no more.
    pub(super) fn forget(&self) {
        self.forgotten.fetch_max(self.begun.load(Ordering::Acquire), Ordering::AcqRel);
        self.absent.clear();
    }

    /// It may have been carried over from another ring since, so this does not hold for long.
    fn is_absent(&self, kid: &Kid) -> bool {
        self.absent.get(kid).is_some_and(|asked| asked.elapsed() < self.interval.saturating_mul(10))
    }

    fn fresh(self: &Arc<Self>) -> Option<Arc<View>> {
        let view = self.current.load_full()?;
        let age = self.age(&view);
        if age >= self.ttl || view.number <= self.forgotten.load(Ordering::Acquire) {
            return None;
        }
        // The last part of the time, ten seconds at most, is for reading again unhurriedly.
        if age >= self.ttl.saturating_sub((self.ttl / 20).min(10_000)) {
            self.read_ahead(view.number);
        }
        Some(view)
    }

    /// What may be used when the store does not answer.
    fn stale(&self) -> Option<Arc<View>> {
        let until = self.ttl.saturating_add(self.stale?);
        self.current.load_full().filter(|view| self.age(view) < until)
    }

    /// Reads in the background, once at a time.
    fn read_ahead(self: &Arc<Self>, number: u64) {
        if self.refreshing.swap(true, Ordering::AcqRel) {
            return;
        }
        let cache = Arc::clone(self);
        tokio::spawn(async move {
            if let Err(fault) = cache.read_after(number, Duration::ZERO).await {
                tracing::warn!("the key store does not answer: {fault}");
                tokio::time::sleep(FAILURE_TIME).await;
            }
            cache.refreshing.store(false, Ordering::Release);
        });
    }

    fn age(&self, view: &View) -> i64 {
        self.clock.now().millis().saturating_sub(view.fetched)
    }

    /// A view from a read that began after the one of that number: of several who ask, one reads.
    async fn read_after(self: &Arc<Self>, number: u64, interval: Duration) -> Result<Arc<View>, StoreError> {
        let mut reads = self.reading.lock().await;
        if let Some(view) = self.current.load_full().filter(|view| view.number > number) {
            return Ok(view);
        }
        if let Some((_, fault)) = reads.fault.as_ref().filter(|(when, _)| when.elapsed() < FAILURE_TIME) {
            return Err(fault.clone());
        }
        if !interval.is_zero() {
            let now = Instant::now();
            let used_up = reads.used_up.map_or(now, |until| until.max(now)).checked_add(interval).unwrap_or(now);
            reads.used_up = Some(used_up);
            // A rotation or two bring new kids at once; strangers do so all the time.
            tokio::time::sleep_until(used_up.checked_sub(interval.saturating_mul(BURST)).unwrap_or(now)).await;
        }
        let fetched = self.clock.now().millis();
        let number = self.begun.fetch_add(1, Ordering::AcqRel).saturating_add(1);
        count(&self.counts.fetches);
        let loaded = self.store.load().await;
        self.failing.store(loaded.is_err(), Ordering::Release);
        reads.fault = loaded.as_ref().err().map(|fault| (Instant::now(), fault.clone()));
        let snapshot = loaded.inspect_err(|_fault| count(&self.counts.failures))?;
        let verifiers = self.verifiers(&snapshot);
        let view = Arc::new(View { snapshot, verifiers, fetched, number });
        let before = self.current.swap(Some(Arc::clone(&view)));
        for gone in before.iter().flat_map(|before| before.snapshot.keys.iter()) {
            if view.verifier(&gone.kid).is_none() {
                self.absent.insert(gone.kid.clone(), Instant::now());
            }
        }
        Ok(view)
    }

    /// Keys that were ready before are not parsed again: a kid's key never changes.
    fn verifiers(&self, snapshot: &Snapshot) -> HashMap<Kid, Arc<Verifier>> {
        let before = self.current.load_full();
        let known =
            |key: &RingKey| before.as_ref()?.verifier(&key.kid).filter(|verifier| verifier.is_for(key)).cloned();
        let ready = snapshot.keys.iter().filter_map(|key| {
            let verifier = known(key).map_or_else(|| Verifier::new(key).map(Arc::new), Ok);
            let verifier = verifier.inspect_err(|fault| tracing::error!(kid = %key.kid, "an unusable key: {fault}"));
            Some((key.kid.clone(), verifier.ok()?))
        });
        ready.collect()
    }
}

fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}
