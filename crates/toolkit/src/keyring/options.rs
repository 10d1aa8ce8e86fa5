//! How a ring behaves.

use std::time::Duration;

use strongroom_wire::algorithms::SignatureAlgorithm;

/// How a ring behaves. Times are seconds where nothing else is said.
#[derive(Debug, Clone)]
pub struct RingOptions {
    /// What new keys are for.
    pub algorithm: SignatureAlgorithm,
    /// `iss` of its tokens.
    pub issuer: String,
    /// `aud` of its tokens.
    pub audience: String,
    /// How far clocks may be apart.
    pub skew: i64,
    /// No token lives longer: how long a key has to be kept depends on it.
    pub max_token_life: i64,
    /// How long what was read of the ring counts.
    pub cache_ttl: i64,
    /// How much longer when the store does not answer; `None`: not at all.
    pub stale_if_error: Option<i64>,
    /// Unknown kids make the ring be read no more often than this, after the first few.
    pub unknown_kid_interval: Duration,
    /// A new key becomes active by schedule every so often; `None`: never.
    pub rotate_every: Option<i64>,
    /// A key is published so long before it becomes active by schedule.
    pub publish_lead: i64,
    /// A key is retired so long after its last token must have expired.
    pub retire_margin: i64,
    /// Attempts at a change before another instance is said to be rotating.
    pub attempts: u32,
    /// The wait before the second attempt is up to this, and twice as long each time.
    pub backoff: Duration,
}

impl RingOptions {
    /// RS256, tokens of a day at most, a cache of five minutes, no schedule.
    #[must_use]
    pub fn new(issuer: impl Into<String>, audience: impl Into<String>) -> Self {
        Self {
            algorithm: SignatureAlgorithm::RS256,
            issuer: issuer.into(),
            audience: audience.into(),
            skew: 30,
            max_token_life: 86_400,
            cache_ttl: 300,
            stale_if_error: None,
            unknown_kid_interval: Duration::from_secs(1),
            rotate_every: None,
            publish_lead: 600,
            retire_margin: 300,
            attempts: 12,
            backoff: Duration::from_millis(50),
        }
    }

    /// How long after a key's last day as the active one its tokens may still be about: another instance
    /// may sign with it as long as its cache counts.
    pub(super) const fn overlap(&self) -> i64 {
        self.max_token_life.saturating_add(self.cache_ttl).saturating_add(self.skew).saturating_add(self.retire_margin)
    }
}
