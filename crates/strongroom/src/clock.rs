//! The clocks: real time, and for development real time plus an offset that a file holds.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use strongroom_server::clock::Clock;
use strongroom_store::Time;

/// The offset's file in a development server's folder: seconds, as text.
pub(crate) const OFFSET_FILE: &str = "clock-offset";

/// The machine's clock. The one place that reads it.
#[derive(Debug, Default)]
pub(crate) struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the clock that all others are told by")]
    fn now(&self) -> Time {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Time::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }
}

/// The machine's clock, moved by the seconds in a file. The file is looked at twice a second.
#[derive(Debug)]
pub(crate) struct MovableClock {
    offset_seconds: AtomicI64,
    file: PathBuf,
}

impl MovableClock {
    /// With the offset in `folder`.
    pub(crate) fn in_folder(folder: &Path) -> Arc<Self> {
        let file = folder.join(OFFSET_FILE);
        Arc::new(Self { offset_seconds: AtomicI64::new(read_offset(&file)), file })
    }

    /// Follows the file, for as long as the runtime lives.
    pub(crate) async fn follow(self: Arc<Self>) {
        loop {
            tokio::time::sleep(Duration::from_millis(500)).await;
            self.offset_seconds.store(read_offset(&self.file), Ordering::SeqCst);
        }
    }
}

impl Clock for MovableClock {
    fn now(&self) -> Time {
        let offset = self.offset_seconds.load(Ordering::SeqCst).saturating_mul(1000);
        Time::from_millis(SystemClock.now().millis().saturating_add(offset))
    }
}

/// The offset in a file; 0 when there is none.
pub(crate) fn read_offset(file: &Path) -> i64 {
    std::fs::read_to_string(file).ok().and_then(|text| text.trim().parse().ok()).unwrap_or(0)
}
