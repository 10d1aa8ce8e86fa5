//! Cores and child processes.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

use nix::sched::{CpuSet, sched_setaffinity};
use nix::unistd::Pid;

/// What is measured runs here.
pub(crate) const SERVER_CORE: usize = 0;

/// What asks it runs here.
pub(crate) const LOAD_CORE: usize = 1;

/// Keeps this thread, and the threads it starts from now on, on one core.
pub(crate) fn stay_on(core: usize) {
    let mut set = CpuSet::new();
    set.set(core).unwrap();
    sched_setaffinity(Pid::from_raw(0), &set).expect("two cores are needed");
}

/// A command that will run on the server's core.
pub(crate) fn on_server_core(program: &str) -> Command {
    let mut command = Command::new("taskset");
    command.args(["-c", &SERVER_CORE.to_string(), program]);
    command
}

/// This program, with another task, on the server's core.
pub(crate) fn part(arguments: &[&str]) -> Command {
    let own = std::env::current_exe().unwrap();
    let mut command = on_server_core(own.to_str().unwrap());
    command.args(arguments);
    command
}

/// The numbers that a part prints, one a line.
pub(crate) fn numbers(arguments: &[&str]) -> Vec<f64> {
    let output = part(arguments).stderr(Stdio::inherit()).output().unwrap();
    assert!(output.status.success(), "{arguments:?} failed");
    String::from_utf8(output.stdout).unwrap().lines().map(|line| line.parse().unwrap()).collect()
}

/// A child that is ended with its parent's interest in it.
pub(crate) struct Running(pub(crate) Child);

impl Running {
    /// Starts it and waits for a line with `ready` in it, which is returned.
    pub(crate) fn start(mut command: Command, ready: &str) -> (Self, String) {
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let running = Self(child);
        let line = lines.by_ref().map(Result::unwrap).find(|line| line.contains(ready));
        let line = line.expect("the process ended before it was ready");
        // Kept open: the process may say more.
        std::mem::forget(lines);
        (running, line)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(Command::new("kill").arg(self.0.id().to_string()).status());
        drop(self.0.wait());
    }
}
