//! Load: a number of connections, each asking again as soon as it has its answer, or at a pace.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::{Duration, Instant};

use tokio::task::LocalSet;

use crate::https::Https;

/// A request, made anew each time so that it can differ. The argument counts up.
pub(crate) type Request = Rc<dyn Fn(u64) -> Vec<u8>>;

/// What is asked of which server.
pub(crate) struct Load {
    https: Https,
    turns: Vec<Request>,
    pace: Option<Duration>,
}

/// What came of it.
pub(crate) struct Outcome {
    /// Answers per second.
    pub(crate) rate: f64,
    /// Of the requests that the first turn makes.
    pub(crate) p99_of_first: Duration,
}

impl Load {
    pub(crate) fn new(https: &Https, request: Request) -> Self {
        Self::mix(https, vec![request])
    }

    /// Each connection makes these requests in turn.
    pub(crate) fn mix(https: &Https, turns: Vec<Request>) -> Self {
        Self { https: https.clone(), turns, pace: None }
    }

    /// Each connection asks no oftener than this.
    pub(crate) fn paced(mut self, pace: Duration) -> Self {
        self.pace = Some(pace);
        self
    }

    /// Runs for `span`, after a second to get warm.
    pub(crate) async fn run(self, connections: usize, span: Duration) -> Outcome {
        let load = Rc::new(self);
        let counter = Rc::new(Cell::new(0));
        let latencies = Rc::new(RefCell::new(Vec::with_capacity(1 << 20)));
        let begin = Instant::now() + Duration::from_secs(1);
        let end = begin + span;
        let local = LocalSet::new();
        for number in 0..connections {
            let (load, counter, latencies) = (Rc::clone(&load), Rc::clone(&counter), Rc::clone(&latencies));
            local.spawn_local(async move {
                load.one((number, connections), &counter, &latencies, begin, end).await;
            });
        }
        // The load never sleeps: to wake it would cost the server more than to answer it.
        local.spawn_local(async move {
            while Instant::now() < end {
                tokio::task::yield_now().await;
            }
        });
        local.await;
        Outcome { rate: counter.get() as f64 / span.as_secs_f64(), p99_of_first: typical_p99(latencies.take()) }
    }

    async fn one(
        &self,
        (number, connections): (usize, usize),
        answers: &Cell<u64>,
        latencies: &RefCell<Vec<(u64, Duration)>>,
        begin: Instant,
        end: Instant,
    ) {
        thread_local!(static NEXT: Cell<u64> = const { Cell::new(0) });
        let mut connection = self.https.connect().await;
        if let Some(pace) = self.pace {
            // Evenly over the pace, not all at once.
            tokio::time::sleep(pace.mul_f64(number as f64 / connections as f64)).await;
        }
        // Connections do not all take the same turn at the same time.
        let mut turn = number;
        loop {
            let asked = NEXT.replace(NEXT.get() + 1);
            let which = turn % self.turns.len();
            let request = self.turns[which](asked);
            let start = Instant::now();
            let (status, body) = connection.ask(&request).await;
            assert_eq!(status, 200, "{}", String::from_utf8_lossy(body));
            let now = Instant::now();
            if now >= end {
                return;
            }
            if start >= begin {
                answers.set(answers.get() + 1);
                // A mix has its other request at the end.
                if which + 1 < self.turns.len() || self.turns.len() == 1 {
                    latencies.borrow_mut().push((start.duration_since(begin).as_secs(), now - start));
                }
            }
            turn += 1;
            if let Some(pace) = self.pace {
                tokio::time::sleep_until((start + pace).into()).await;
            }
        }
    }
}

/// The p99 of each second, and of those the median: on a virtual machine a second is lost now and
/// then to something else.
fn typical_p99(mut latencies: Vec<(u64, Duration)>) -> Duration {
    latencies.sort_unstable();
    let mut of_seconds: Vec<Duration> =
        latencies.chunk_by(|a, b| a.0 == b.0).map(|second| second[(second.len() - 1) * 99 / 100].1).collect();
    of_seconds.sort_unstable();
    of_seconds.get(of_seconds.len() / 2).copied().unwrap_or_default()
}
