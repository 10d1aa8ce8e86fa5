//! Steps: each passes, fails, or is skipped by name; in CI a skipped suite is a failure.

use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

enum Outcome {
    Passed,
    Failed,
    Skipped(String),
}

/// The steps of a run, and how each ended.
pub(crate) struct Steps {
    done: Vec<(String, Outcome, Duration)>,
    in_ci: bool,
}

impl Steps {
    pub(crate) fn new() -> Self {
        Self { done: Vec::new(), in_ci: std::env::var_os("CI").is_some() }
    }

    /// Runs a program; true when it succeeded.
    pub(crate) fn command(&mut self, name: &str, program: &str, arguments: &[&str], set: &[(&str, &str)]) -> bool {
        self.check(name, || {
            println!("$ {program} {}", arguments.join(" "));
            let status = Command::new(program).args(arguments).envs(set.iter().copied()).stdin(Stdio::null()).status();
            match status {
                Ok(status) if status.success() => Ok(()),
                Ok(status) => Err(format!("{program} ended with {status}")),
                Err(fault) => Err(format!("{program} could not be started: {fault}")),
            }
        })
    }

    /// Runs a check; true when it succeeded.
    pub(crate) fn check(&mut self, name: &str, check: impl FnOnce() -> Result<(), String>) -> bool {
        println!("\n== {name}");
        let start = Instant::now();
        let outcome = match check() {
            Ok(()) => Outcome::Passed,
            Err(why) => {
                println!("{name}: {why}");
                Outcome::Failed
            }
        };
        let passed = matches!(outcome, Outcome::Passed);
        self.done.push((name.to_owned(), outcome, start.elapsed()));
        passed
    }

    /// Notes that a single test could not be run, for want of a device or a program that the
    /// machine does not give.
    pub(crate) fn note_skipped(&mut self, name: &str, why: &str) {
        self.done.push((name.to_owned(), Outcome::Skipped(why.to_owned()), Duration::ZERO));
    }

    /// Notes that a whole suite could not be run; in CI that is a failure.
    pub(crate) fn skip(&mut self, name: &str, why: impl Into<String>) {
        let why = why.into();
        println!("\n== {name}\nskipped: {why}");
        let outcome = if self.in_ci { Outcome::Failed } else { Outcome::Skipped(why) };
        self.done.push((name.to_owned(), outcome, Duration::ZERO));
    }

    pub(crate) fn finish(self) -> ExitCode {
        println!();
        let (mut passed, mut failed, mut skipped) = (0_usize, 0_usize, 0_usize);
        for (name, outcome, took) in &self.done {
            let seconds = took.as_secs();
            match outcome {
                Outcome::Passed => {
                    passed = passed.saturating_add(1);
                    println!("passed   {name} ({seconds} s)");
                }
                Outcome::Failed => {
                    failed = failed.saturating_add(1);
                    println!("FAILED   {name} ({seconds} s)");
                }
                Outcome::Skipped(why) => {
                    skipped = skipped.saturating_add(1);
                    println!("skipped  {name}: {why}");
                }
            }
        }
        println!("{passed} passed, {failed} failed, {skipped} skipped");
        if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }
}
