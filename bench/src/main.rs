//! `cargo xtask bench`: the release binary on one core, the load on another, each number beside a
//! baseline that was taken in the same run on the same core.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::as_conversions,
    reason = "a program that measures: what goes wrong ends it"
)]

mod bare;
mod config;
mod https;
mod load;
mod million;
mod process;
mod raw;
mod report;
mod resolver;
mod storage;
mod strongroom;

use std::time::Duration;

use load::{Load, Request};
use report::Report;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// How long each number is measured.
const SPAN: Duration = Duration::from_secs(6);

/// Connections of the load.
const CONNECTIONS: usize = 64;

/// Bytes in the values that are written and read.
const VALUE: usize = 100;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        // Parts that run in a process of their own, so that they can have a core of their own.
        ["bare"] => bare::run(),
        ["raw"] => raw::run(),
        ["storage", folder] => storage::run(folder),
        ["fill", folder, count] => million::fill(folder, count.parse().unwrap()),
        ["toolkit"] => toolkit(),
        [program] => measure(program, true),
        [program, "--quick"] => measure(program, false),
        _ => {
            eprintln!(
                "usage: strongroom-bench PATH-OF-STRONGROOM [--quick] | toolkit   (--quick: without the million secrets)"
            );
            std::process::exit(2);
        }
    }
}

/// What a program has that links the toolkit: no server is needed.
fn toolkit() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut report = Report::new();
    runtime.block_on(resolver::measure(&mut report));
    report.print();
}

fn measure(program: &str, whole: bool) {
    process::stay_on(process::LOAD_CORE);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut report = Report::new();
    let raw = raw::measure();
    let storage = storage::measure();
    runtime.block_on(async {
        let bare = bare::measure().await;
        let server = strongroom::Strongroom::start(program, None);
        report.most("resident memory when idle", "MB", server.resident_mb(), 30.0);
        let vault = server.login().await;
        vault.prepare().await;

        let get = Load::new(&vault.https, vault.get()).run(CONNECTIONS, SPAN).await;
        report.at_least("GET secret", "requests/s", get.rate, "bare server", bare.rate, 0.5);
        let es256 = Load::new(&vault.https, vault.sign("ec", "ES256")).run(CONNECTIONS, SPAN).await;
        let both = 1.0 / (1.0 / bare.rate + 1.0 / raw.es256);
        report.at_least("ES256 sign", "requests/s", es256.rate, "bare server and raw ES256 in turn", both, 0.7);
        let rs256 = Load::new(&vault.https, vault.sign("rsa", "RS256")).run(CONNECTIONS, SPAN).await;
        report.at_least("RSA-2048 sign", "requests/s", rs256.rate, "raw aws-lc-rs", raw.rs256, 0.9);

        mixed(&mut report, &vault).await;

        let set = Load::new(&vault.https, vault.set()).run(CONNECTIONS, SPAN).await;
        report.at_least("durable SET", "requests/s", set.rate, "the storage engine alone", storage, 0.6);
        config::measure(&mut report, &server, bare.rate).await;
        drop(server);
        resolver::measure(&mut report).await;
        if whole {
            million::measure(&mut report, program).await;
        }
    });
    report.print();
}

/// The latency of reads at the same moderate rate, alone and while a tenth of all requests are
/// RSA signatures.
async fn mixed(report: &mut Report, vault: &strongroom::Vault) {
    const PACE: Duration = Duration::from_millis(20);
    let alone = Load::new(&vault.https, vault.get()).paced(PACE).run(CONNECTIONS / 2, SPAN).await;
    let mix: Vec<Request> =
        (0..10).map(|turn| if turn == 9 { vault.sign("rsa", "RS256") } else { vault.get() }).collect();
    let mixed = Load::mix(&vault.https, mix).paced(PACE).run(CONNECTIONS / 2, SPAN).await;
    report.ratio_at_most(
        "p99 of GET, a tenth of requests RSA signs",
        "µs",
        mixed.p99_of_first.as_secs_f64() * 1e6,
        "p99 of GET alone",
        alone.p99_of_first.as_secs_f64() * 1e6,
        3.0,
    );
}
