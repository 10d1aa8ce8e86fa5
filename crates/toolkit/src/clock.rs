//! Where the library takes the time from.

use strongroom_store::Time;
pub use strongroom_store::clock::{Clock, ManualClock};

/// The machine's clock.
///
/// ```
/// use strongroom::clock::{Clock as _, SystemClock};
/// assert!(SystemClock.now().seconds() > 1_700_000_000);
/// ```
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the clock that applications hand in")]
    fn now(&self) -> Time {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        Time::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }
}
