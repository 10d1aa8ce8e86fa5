//! What happens on a connection, and so how long it may go on: clients that trickle or fall silent
//! must not keep a place that others need.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;

/// A client gets so long for the TLS handshake, and for the head of a request.
pub(crate) const HEAD_TIME: Duration = Duration::from_secs(10);

/// A connection on which nothing happens is closed after this time.
const IDLE_TIME: Duration = Duration::from_secs(240);

/// The activity on one connection.
pub(crate) struct Activity(Mutex<State>);

struct State {
    /// Requests whose answers are not made yet.
    under_way: usize,
    /// The head of a request has begun to arrive, or has to.
    in_head: bool,
    since: Instant,
}

impl Activity {
    /// Of a new connection. HTTP/2 has its own pings, so a client of it may be silent at first.
    pub(crate) fn new(is_http2: bool) -> Self {
        Self(Mutex::new(State { under_way: 0, in_head: !is_http2, since: Instant::now() }))
    }

    /// A request is under way until the guard is dropped.
    pub(crate) fn begin(&self) -> UnderWay<'_> {
        let mut state = self.state();
        state.under_way = state.under_way.saturating_add(1);
        state.in_head = false;
        UnderWay(self)
    }

    /// How long the connection may stay as it is; zero when that time is over.
    pub(crate) fn time_left(&self) -> Duration {
        let state = self.state();
        match (state.under_way, state.in_head) {
            (0, true) => HEAD_TIME.saturating_sub(state.since.elapsed()),
            (0, false) => IDLE_TIME.saturating_sub(state.since.elapsed()),
            // Requests have limits of their own.
            _ => HEAD_TIME,
        }
    }

    /// Bytes have arrived.
    fn arrived(&self) {
        let mut state = self.state();
        if state.under_way == 0 && !state.in_head {
            state.in_head = true;
            state.since = Instant::now();
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A request that is under way.
pub(crate) struct UnderWay<'a>(&'a Activity);

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        let mut state = self.0.state();
        state.under_way = state.under_way.saturating_sub(1);
        state.since = Instant::now();
    }
}

/// A stream whose reads count as activity.
pub(crate) struct Watched<S> {
    pub(crate) stream: S,
    pub(crate) activity: Arc<Activity>,
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buffer))?;
        if buffer.filled().len() > before {
            self.activity.arrived();
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_head_has_less_time_than_a_pause_between_requests() {
        let activity = Activity::new(false);
        assert_eq!(activity.time_left(), HEAD_TIME, "the first head has to come");
        tokio::time::advance(HEAD_TIME).await;
        assert!(activity.time_left().is_zero());
        drop(activity.begin());
        assert_eq!(activity.time_left(), IDLE_TIME);
        tokio::time::advance(IDLE_TIME / 2).await;
        activity.arrived();
        tokio::time::advance(HEAD_TIME / 2).await;
        activity.arrived();
        assert_eq!(activity.time_left(), HEAD_TIME / 2, "a trickle does not start it again");
        let request = activity.begin();
        tokio::time::advance(IDLE_TIME).await;
        assert!(!activity.time_left().is_zero(), "a request under way is not idle");
        drop(request);
        tokio::time::advance(IDLE_TIME).await;
        assert!(activity.time_left().is_zero());
        assert_eq!(Activity::new(true).time_left(), IDLE_TIME);
    }
}
