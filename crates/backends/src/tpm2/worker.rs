//! The thread that talks to the TPM: a TPM does one thing at a time.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, TrySendError, bounded};
use tokio::sync::oneshot;

use super::fault::Fault;
use super::tpm::Tpm;

/// Operations that may wait before callers are turned away.
const WAITING: usize = 1024;
/// When nobody asks for so long, slots and connection are given back.
const IDLE: Duration = Duration::from_millis(50);
/// So long at most is a TPM held that serves one connection at a time: others wait for it.
const TURN: Duration = Duration::from_millis(500);

type Job = Box<dyn FnOnce(&mut Tpm) + Send>;

/// The way to the thread. Dropping it waits until the TPM has its slots back, where no resource
/// manager would take them.
pub(super) struct Worker {
    jobs: Option<Sender<Job>>,
    /// If it has to be waited for.
    thread: Option<JoinHandle<()>>,
}

impl Worker {
    pub(super) fn start(tpm: Tpm) -> std::io::Result<Self> {
        let (jobs, queue) = bounded(WAITING);
        let exclusive = tpm.settings.address.exclusive();
        let thread = std::thread::Builder::new().name("tpm2".to_owned()).spawn(move || serve(tpm, &queue))?;
        Ok(Self { jobs: Some(jobs), thread: exclusive.then_some(thread) })
    }

    /// Runs `work` on the thread, again when the TPM asks for it.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        work: impl Fn(&mut Tpm) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, Fault> {
        let (answer, answered) = oneshot::channel();
        let job: Job = Box::new(move |tpm| {
            // A caller who has gone away gets no answer.
            if !answer.is_closed() {
                drop(answer.send(tpm.attempt(work)));
            }
        });
        let sent = self.jobs.as_ref().map(|jobs| jobs.try_send(job));
        match sent {
            Some(Ok(())) => answered.await.map_err(|_dropped| ended())?,
            Some(Err(TrySendError::Full(_))) => Err(Fault::Busy),
            Some(Err(TrySendError::Disconnected(_))) | None => Err(ended()),
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

impl std::fmt::Debug for Worker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Worker")
    }
}

fn ended() -> Fault {
    Fault::Other("the thread of the TPM ended early".to_owned())
}

fn serve(mut tpm: Tpm, queue: &Receiver<Job>) {
    let exclusive = tpm.settings.address.exclusive();
    let mut turn = Instant::now();
    loop {
        // A resource manager takes slots away by itself when others need them.
        let next = if tpm.holds() && exclusive {
            queue.recv_timeout(IDLE)
        } else {
            queue.recv().map_err(|_closed| RecvTimeoutError::Disconnected)
        };
        match next {
            Ok(job) => {
                if !tpm.holds() {
                    turn = Instant::now();
                }
                // A panic is that caller's error, not the end of the thread.
                if catch_unwind(AssertUnwindSafe(|| job(&mut tpm))).is_err() {
                    tpm.close();
                }
                if exclusive && turn.elapsed() > TURN {
                    tpm.close();
                }
            }
            Err(RecvTimeoutError::Timeout) => tpm.close(),
            Err(RecvTimeoutError::Disconnected) => return tpm.close(),
        }
    }
}
