//! Threads for work that is too long for an I/O thread: a fixed number of them, and a bounded
//! queue before them. Tokio's blocking pool would start hundreds, and starve everything else.

use std::fmt;
use std::thread;

use crossbeam_channel::{Sender, TrySendError, bounded};
use tokio::sync::oneshot;

/// Does the work; what it returns tells the caller.
type Job = Box<dyn FnOnce() -> Answer + Send>;
type Answer = Box<dyn FnOnce() + Send>;

/// Why a job did not run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PoolError {
    /// The queue is full.
    #[error("too much work is waiting")]
    Full,
    /// The job did not end properly.
    #[error("the work was lost")]
    Lost,
}

/// A fixed pool of threads. The threads end when it is dropped and the queue is empty.
pub struct Pool {
    jobs: Sender<Job>,
}

impl Pool {
    /// Starts `threads` threads with room for `waiting` jobs.
    ///
    /// # Errors
    /// When a thread cannot be started.
    pub fn start(name: &str, threads: usize, waiting: usize) -> std::io::Result<Self> {
        Self::start_grouping(name, threads, waiting, 1)
    }

    /// The same; while more jobs wait, callers are told in groups of `together`. Waking a caller
    /// for each of many short jobs would cost as much as some of them.
    ///
    /// # Errors
    /// When a thread cannot be started.
    pub fn start_grouping(name: &str, threads: usize, waiting: usize, together: usize) -> std::io::Result<Self> {
        let (jobs, queue) = bounded::<Job>(waiting);
        for number in 0..threads.max(1) {
            let queue = queue.clone();
            thread::Builder::new().name(format!("{name}-{number}")).spawn(move || {
                let mut answers: Vec<Answer> = Vec::with_capacity(together);
                while let Ok(job) = queue.recv() {
                    let mut next = Some(job);
                    while let Some(job) = next {
                        // A panic in a job is that caller's error, not the end of the thread.
                        answers.extend(std::panic::catch_unwind(std::panic::AssertUnwindSafe(job)));
                        next = if answers.len() < together { queue.try_recv().ok() } else { None };
                    }
                    answers.drain(..).for_each(|tell| tell());
                }
            })?;
        }
        Ok(Self { jobs })
    }

    /// Runs `work` on one of the threads.
    ///
    /// # Errors
    /// [`PoolError::Full`] at once when the queue is full; [`PoolError::Lost`] when it panicked.
    pub async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, PoolError> {
        let (answer, answered) = oneshot::channel();
        let job: Job = Box::new(move || {
            let done = work();
            // The caller may have gone away; then nobody wants the answer.
            Box::new(move || drop(answer.send(done)))
        });
        self.jobs.try_send(job).map_err(|fault| match fault {
            TrySendError::Full(_) => PoolError::Full,
            TrySendError::Disconnected(_) => PoolError::Lost,
        })?;
        answered.await.map_err(|_dropped| PoolError::Lost)
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pool({} waiting)", self.jobs.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_full_queue_turns_away_and_a_panic_stays_with_its_job() {
        let pool = Pool::start("test", 1, 1).unwrap();
        assert_eq!(pool.run(|| 7).await, Ok(7));
        assert_eq!(pool.run(|| panic!("on purpose")).await, Err::<(), _>(PoolError::Lost));
        let (release, held) = std::sync::mpsc::channel::<()>();
        let (started, running) = oneshot::channel();
        let first = pool.run(move || {
            started.send(()).unwrap();
            held.recv().unwrap();
        });
        let rest = async {
            running.await.unwrap();
            // One waits; the next is turned away.
            let waiting = pool.run(|| ());
            let turned_away = async {
                let outcome = pool.run(|| ()).await;
                release.send(()).unwrap();
                outcome
            };
            let (waited, outcome) = tokio::join!(waiting, turned_away);
            assert_eq!((waited, outcome), (Ok(()), Err(PoolError::Full)));
        };
        let (done, ()) = tokio::join!(first, rest);
        assert_eq!(done, Ok(()));
    }
}
