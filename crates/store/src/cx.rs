//! The context that every call carries: who asks, when, and under which request id.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// A moment: milliseconds since 1970 UTC. Given by the binary's clock, never read below it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Time(i64);

impl Time {
    /// From unix milliseconds.
    #[must_use]
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// From unix seconds.
    #[must_use]
    pub const fn from_seconds(seconds: i64) -> Self {
        Self(seconds.saturating_mul(1000))
    }

    /// Unix milliseconds.
    #[must_use]
    pub const fn millis(self) -> i64 {
        self.0
    }

    /// Unix seconds, rounded down.
    #[must_use]
    pub const fn seconds(self) -> i64 {
        self.0.div_euclid(1000)
    }
}

/// Context of one call.
#[derive(Debug, Clone)]
pub struct Cx {
    /// Identifies the request in logs and answers.
    pub request_id: Arc<str>,
    /// When the call is made.
    pub now: Time,
    /// On whose behalf, for the record: not looked at by any decision below the server.
    pub caller: Arc<str>,
}

impl Cx {
    /// A context for work that no request asked for: jobs, start-up, tests.
    #[must_use]
    pub fn system(now: Time) -> Self {
        Self { request_id: Arc::from("system"), now, caller: Arc::from("system") }
    }
}
