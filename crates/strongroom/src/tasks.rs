//! The parts of a running server, and their end.

use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::Instant;

/// All parts together get so long to end. Requests in flight have less than that.
const PATIENCE: Duration = Duration::from_secs(30);

/// Tasks that run until the server stops, each with its name.
#[derive(Default)]
pub(crate) struct Tasks(Vec<(&'static str, JoinHandle<()>)>);

impl Tasks {
    /// Starts one.
    pub(crate) fn start(&mut self, name: &'static str, task: impl Future<Output = ()> + Send + 'static) {
        self.0.push((name, tokio::spawn(task)));
    }

    /// Waits for the end of all, which have been told to stop. One that does not end is left behind:
    /// what was acknowledged is durable already.
    pub(crate) async fn end(self) {
        let deadline = Instant::now() + PATIENCE;
        for (name, task) in self.0 {
            let abort = task.abort_handle();
            match tokio::time::timeout_at(deadline, task).await {
                Ok(Ok(())) => tracing::debug!(part = name, "ended"),
                Ok(Err(fault)) => tracing::error!(part = name, %fault, "ended badly"),
                Err(_elapsed) => {
                    abort.abort();
                    tracing::error!(part = name, "did not end in time, and is left behind");
                }
            }
        }
    }
}
