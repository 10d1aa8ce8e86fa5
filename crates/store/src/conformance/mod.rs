//! What every store of records and every vault must do, as functions that any backend can run.

pub mod records;
pub mod vault;

/// Notes that a test could not run here, and why: on standard output, and as a line in the file
/// that `STRONGROOM_SKIPPED` names, from which `cargo xtask test` counts.
#[expect(clippy::print_stdout, reason = "called by tests only")]
pub fn skipped(what: &str, why: &str) {
    use std::io::Write as _;
    println!("SKIPPED: {what}: {why}");
    if let Some(file) = std::env::var_os("STRONGROOM_SKIPPED") {
        let file = std::fs::OpenOptions::new().create(true).append(true).open(file);
        // A count that cannot be written does not fail the test.
        drop(file.and_then(|mut file| writeln!(file, "{what}: {why}")));
    }
}
