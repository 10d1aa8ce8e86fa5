//! The project's own tasks. `cargo xtask test` is what the README names and what CI runs.

#![allow(clippy::print_stdout, reason = "a program for the terminal")]

mod chain;
mod conformance;
mod setup;
mod steps;

use std::process::ExitCode;

use steps::Steps;

const USAGE: &str = "\
cargo xtask test                  format, lints, crate chain, documentation, all tests, conformance suites
cargo xtask test --quick          the same without the conformance suites
cargo xtask conformance           the conformance suites alone, against the release binary
cargo xtask integration [FILTER]  the tests against real servers, stores, tokens and programs: azure, redis, pkcs11 …
cargo xtask crash [N]             the crash harness with N cycles (default 200)
cargo xtask bench                 what the server reaches, against the machine's limits (--quick: two minutes)
cargo xtask fuzz [SECONDS]        each fuzz target for so long (default 600), with cargo-fuzz and a nightly toolchain
cargo xtask deny                  licences and sources of dependencies (cargo-deny)
cargo xtask setup                 install what the tests need (Debian, as root)
";

/// Fewer than that, and something has been lost.
const LEAST_INTEGRATION_TESTS: usize = 151;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let mut steps = Steps::new();
    match words.as_slice() {
        ["test"] => {
            setup::packages(&mut steps);
            checks(&mut steps);
            conformance::run(&mut steps);
        }
        ["test", "--quick"] => checks(&mut steps),
        ["conformance"] => conformance::run(&mut steps),
        ["integration", rest @ ..] => {
            // The tests run them.
            steps.command("examples", "cargo", &["build", "--workspace", "--locked", "--examples"], &[]);
            let list = ["test", "--workspace", "--locked", "--test", "it"];
            steps.command("integration tests", "cargo", &[&list[..], rest].concat(), &[]);
        }
        ["crash", rest @ ..] => {
            let cycles = rest.first().copied().unwrap_or("200");
            steps.command(
                "crash harness",
                "cargo",
                &["test", "--release", "-p", "strongroom", "--test", "it", "--", "--nocapture", "crash"],
                &[("STRONGROOM_CRASH_CYCLES", cycles)],
            );
        }
        ["bench", rest @ ..] => bench(&mut steps, rest),
        ["fuzz", rest @ ..] => fuzz(&mut steps, rest.first().copied().unwrap_or("600")),
        ["deny"] => {
            setup::cargo_tool(&mut steps, "cargo-deny");
            steps.command("cargo deny", "cargo", &["deny", "check", "licenses", "bans", "sources"], &[]);
        }
        ["setup"] => setup::packages(&mut steps),
        _ => {
            print!("{USAGE}");
            return ExitCode::from(2);
        }
    }
    steps.finish()
}

fn bench(steps: &mut Steps, arguments: &[&str]) {
    let packages = ["-p", "strongroom", "-p", "strongroom-bench"];
    if steps.command("release build", "cargo", &[&["build", "--release", "--locked"], &packages[..]].concat(), &[]) {
        let arguments = [&["target/release/strongroom"], arguments].concat();
        steps.command("bench", "target/release/strongroom-bench", &arguments, &[]);
    }
}

/// The targets, two at a time on two cores would disturb each other's timeouts: one after another.
fn fuzz(steps: &mut Steps, seconds: &str) {
    setup::cargo_tool(steps, "cargo-fuzz");
    let limit = format!("-max_total_time={seconds}");
    for target in ["jwk", "jwt", "ids", "bodies", "backup", "skiptoken", "config", "toolkit"] {
        let (corpus, seeds) = (format!("target/fuzz-corpus/{target}"), format!("fuzz/seeds/{target}"));
        if let Err(fault) = std::fs::create_dir_all(&corpus) {
            steps.skip(target, fault.to_string());
            continue;
        }
        let run = ["+nightly", "fuzz", "run", "--sanitizer", "none", target, &corpus, &seeds, "--"];
        let limits = [limit.as_str(), "-timeout=10", "-rss_limit_mb=1024", "-max_len=65536", "-print_final_stats=1"];
        steps.command(&format!("fuzz: {target}"), "cargo", &[&run[..], &limits[..]].concat(), &[]);
    }
}

fn checks(steps: &mut Steps) {
    steps.command("format", "cargo", &["fmt", "--all", "--check"], &[]);
    steps.command(
        "lints",
        "cargo",
        &["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"],
        &[],
    );
    steps.check("crate chain", chain::check);
    let strict = [("RUSTDOCFLAGS", "-D warnings")];
    steps.command("documentation", "cargo", &["doc", "--workspace", "--no-deps", "--locked"], &strict);
    tests(steps);
}

/// The tests of `tests/it` of each crate: those that talk to real servers, stores, tokens and
/// programs.
fn integration_tests() -> Result<usize, String> {
    let list = ["test", "--workspace", "--locked", "--quiet", "--test", "it", "--", "--list"];
    let output = std::process::Command::new("cargo").args(list).output().map_err(|fault| fault.to_string())?;
    let text = String::from_utf8_lossy(&output.stdout);
    let count = text.lines().filter(|line| line.ends_with(": test")).count();
    println!("{count} integration tests");
    if count < LEAST_INTEGRATION_TESTS {
        return Err(format!("{count} are fewer than {LEAST_INTEGRATION_TESTS}: have some been left out?"));
    }
    Ok(count)
}

/// All tests; each that said that it could not run here is counted by name.
fn tests(steps: &mut Steps) {
    let folder = std::env::current_dir().unwrap_or_default();
    let file = folder.join("target/skipped-tests");
    drop(std::fs::remove_file(&file));
    let skipped = [("STRONGROOM_SKIPPED", file.to_str().unwrap_or_default())];
    steps.command("tests", "cargo", &["test", "--workspace", "--locked", "--no-fail-fast"], &skipped);
    steps.check("integration tests, counted", || integration_tests().map(drop));
    let lines = std::fs::read_to_string(&file).unwrap_or_default();
    for (what, why) in lines.lines().filter_map(|line| line.split_once(": ")) {
        steps.note_skipped(what, why);
    }
}
