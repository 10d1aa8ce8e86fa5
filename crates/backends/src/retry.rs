//! Trying again: how often, how long between, what for, and when it ends at the latest. The waits
//! are those of azure-core: 0, 1.6, 3.2, 6.4 and 12.8 s, 24 s in all.

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use reqwest::StatusCode;
use reqwest::header::{DATE, HeaderMap, RETRY_AFTER};
use strongroom_wire::config::parse_date;

/// Waits between tries. Tests put their own in place of the machine's time.
#[async_trait]
pub trait Pause: Send + Sync {
    /// Comes back after that time.
    async fn pause(&self, time: Duration);
}

/// By Tokio's timer.
struct Timer;

#[async_trait]
impl Pause for Timer {
    async fn pause(&self, time: Duration) {
        tokio::time::sleep(time).await;
    }
}

/// How requests are tried again.
#[derive(Clone)]
pub struct Retry {
    /// Tries after the first: 5.
    pub retries: u32,
    /// The n-th retry waits `factor * 2^(n-1)`, the first not at all: 0.8 s.
    pub factor: Duration,
    /// No wait is longer, whatever the server asks for: 120 s.
    pub cap: Duration,
    /// One try ends after this time, and counts as a lost connection: 30 s.
    pub one_try: Duration,
    /// A request with all its tries and waits ends after this time. By default 240 s: six tries
    /// that all hang, and the waits between.
    pub deadline: Duration,
    pauses: Arc<dyn Pause>,
}

impl Default for Retry {
    fn default() -> Self {
        Self {
            retries: 5,
            factor: Duration::from_millis(800),
            cap: Duration::from_secs(120),
            one_try: Duration::from_secs(30),
            deadline: Duration::from_secs(240),
            pauses: Arc::new(Timer),
        }
    }
}

impl fmt::Debug for Retry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { retries, factor, cap, one_try, deadline, .. } = self;
        write!(f, "Retry({retries} × {factor:?}, at most {cap:?}, a try {one_try:?}, all {deadline:?})")
    }
}

impl Retry {
    /// With another deadline.
    #[must_use]
    pub fn with_deadline(self, deadline: Duration) -> Self {
        Self { deadline, ..self }
    }

    /// With waits of another kind.
    #[must_use]
    pub fn with_pauses(self, pauses: Arc<dyn Pause>) -> Self {
        Self { pauses, ..self }
    }

    /// The wait before the n-th retry, which counts from 1.
    #[must_use]
    pub fn backoff(&self, retry: u32) -> Duration {
        match retry {
            0 | 1 => Duration::ZERO,
            _ => {
                let doubled = 2_u32.saturating_pow(retry.saturating_sub(1).min(31));
                self.factor.saturating_mul(doubled).min(self.cap)
            }
        }
    }

    /// Begins to count.
    pub(crate) const fn attempts(&self) -> Attempts<'_> {
        Attempts { retry: self, made: 0, waited: Duration::ZERO }
    }

    /// Ends `tries` at the deadline; `None` when they did not end before.
    pub(crate) async fn within_deadline<T>(&self, tries: impl Future<Output = T>) -> Option<T> {
        tokio::time::timeout(self.deadline, tries).await.ok()
    }
}

/// The tries of one request.
pub(crate) struct Attempts<'a> {
    retry: &'a Retry,
    made: u32,
    waited: Duration,
}

impl Attempts<'_> {
    /// One try; `None` when it took too long.
    pub(crate) async fn one<T>(&self, once: impl Future<Output = T>) -> Option<T> {
        tokio::time::timeout(self.retry.one_try, once).await.ok()
    }

    /// Waits until it is time for another try. False, at once, when there is none: all are made, or
    /// the wait would last beyond the deadline.
    pub(crate) async fn another(&mut self, asked: Option<Duration>) -> bool {
        if self.made >= self.retry.retries {
            return false;
        }
        self.made = self.made.saturating_add(1);
        let wait = asked.map_or_else(|| self.retry.backoff(self.made), |asked| asked.min(self.retry.cap));
        self.waited = self.waited.saturating_add(wait);
        if self.waited >= self.retry.deadline {
            return false;
        }
        if !wait.is_zero() {
            self.retry.pauses.pause(wait).await;
        }
        true
    }
}

/// May a request be sent again?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Repeat {
    /// Whatever happened: it changes nothing.
    Freely,
    /// Only when the server did nothing: it said so (429, 503), or it was never reached. Twice would
    /// be two changes.
    WhenRefused,
}

impl Repeat {
    /// After an answer with this status.
    pub(crate) fn after(self, status: StatusCode) -> bool {
        match status.as_u16() {
            429 | 503 => true,
            408 | 500 | 502 | 504 => self == Self::Freely,
            _ => false,
        }
    }

    /// After no answer; `reached` when the request may have arrived.
    pub(crate) fn after_silence(self, reached: bool) -> bool {
        self == Self::Freely || !reached
    }
}

/// How long the server asks to wait: `retry-after-ms`, `x-ms-retry-after-ms`, or `Retry-After` as
/// seconds or as a date (RFC 9110 section 10.2.3). The date counts from the answer's own `Date`, so
/// that the two clocks need not agree.
pub(crate) fn asked_to_wait(headers: &HeaderMap) -> Option<Duration> {
    let text = |name: &str| headers.get(name)?.to_str().ok().map(str::trim);
    let millis = ["retry-after-ms", "x-ms-retry-after-ms"].into_iter().find_map(|name| text(name)?.parse().ok());
    if let Some(millis) = millis {
        return Some(Duration::from_millis(millis));
    }
    let asked = text(RETRY_AFTER.as_str())?;
    if let Ok(seconds) = asked.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let (until, now) = (parse_date(asked)?, text(DATE.as_str()).and_then(parse_date).unwrap_or_else(now));
    Some(Duration::from_secs(u64::try_from(until.saturating_sub(now)).unwrap_or(0)))
}

/// A fault with what lies below it: "error sending request" alone helps nobody.
pub(crate) fn why(fault: &dyn std::error::Error) -> String {
    let mut text = fault.to_string();
    let mut below = fault.source();
    while let Some(fault) = below {
        text = format!("{text}: {fault}");
        below = fault.source();
    }
    text
}

/// Unix seconds. Signatures are dated by it, too: the server compares with its own.
#[expect(clippy::disallowed_methods, reason = "a client has no other clock")]
pub(crate) fn now() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use reqwest::header::HeaderValue;

    #[test]
    fn the_waits_are_those_of_azure_core() {
        let retry = Retry::default();
        let waits: Vec<_> = (1..=5).map(|number| retry.backoff(number).as_millis()).collect();
        assert_eq!(waits, [0, 1_600, 3_200, 6_400, 12_800]);
        assert_eq!(waits.iter().sum::<u128>(), 24_000);
        assert_eq!((retry.backoff(9), retry.backoff(u32::MAX)), (retry.cap, retry.cap));
    }

    #[test]
    fn the_deadline_has_room_for_all_tries_and_waits() {
        let retry = Retry::default();
        let waits: Duration = (1..=retry.retries).map(|number| retry.backoff(number)).sum();
        assert!(waits + retry.one_try * (retry.retries + 1) <= retry.deadline);
    }

    #[test]
    fn only_what_changes_nothing_is_sent_again_freely() {
        let status = |code| StatusCode::from_u16(code).unwrap();
        for code in [429, 503] {
            assert!(Repeat::Freely.after(status(code)) && Repeat::WhenRefused.after(status(code)));
        }
        for code in [408, 500, 502, 504] {
            assert!(Repeat::Freely.after(status(code)) && !Repeat::WhenRefused.after(status(code)));
        }
        for code in [400, 401, 403, 404, 409, 501] {
            assert!(!Repeat::Freely.after(status(code)), "{code}");
        }
        assert!(Repeat::WhenRefused.after_silence(false) && !Repeat::WhenRefused.after_silence(true));
    }

    #[test]
    fn the_server_may_set_the_wait() {
        let wait = |given: &[(&'static str, &'static str)]| {
            let pairs = given.iter().map(|(name, value)| (name.parse().unwrap(), HeaderValue::from_static(value)));
            asked_to_wait(&pairs.collect())
        };
        assert_eq!(wait(&[]), None);
        assert_eq!(wait(&[("retry-after", "3")]), Some(Duration::from_secs(3)));
        assert_eq!(wait(&[("retry-after", "3"), ("retry-after-ms", "20")]), Some(Duration::from_millis(20)));
        assert_eq!(wait(&[("x-ms-retry-after-ms", "30")]), Some(Duration::from_millis(30)));
        let date = ("date", "Wed, 21 Oct 2026 07:28:00 GMT");
        assert_eq!(wait(&[date, ("retry-after", "Wed, 21 Oct 2026 07:28:05 GMT")]), Some(Duration::from_secs(5)));
        assert_eq!(wait(&[date, ("retry-after", "Wed, 21 Oct 2026 07:27:00 GMT")]), Some(Duration::ZERO));
        assert_eq!(wait(&[("retry-after", "soon")]), None);
    }
}
