//! Strongroom: Azure Key Vault, run by yourself.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program for the terminal")]

mod cli;
mod clock;
mod commands;
mod dev;
mod failure;
mod files;
mod installation;
mod serve;
mod span;
mod tasks;

use std::process::ExitCode;

use clap::Parser as _;

use cli::{Cli, Verb};
use failure::Failure;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// What a command gives: the exit code, or a message for the person who ran it.
type Outcome = Result<ExitCode, Failure>;

fn main() -> ExitCode {
    let cli = Cli::parse();
    start_log(&cli);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let outcome = match runtime {
        Ok(runtime) => runtime.block_on(run(cli.verb)),
        Err(fault) => Err(format!("the runtime could not be started: {fault}").into()),
    };
    match outcome {
        Ok(code) => code,
        Err(failure) => {
            eprintln!("strongroom: {}", failure.message);
            failure.code()
        }
    }
}

async fn run(verb: Verb) -> Outcome {
    match verb {
        Verb::Dev(arguments) => dev::run(arguments).await,
        Verb::Serve(arguments) => serve::run(&arguments.config).await,
        Verb::Init(arguments) => serve::init(&arguments.config).await,
        Verb::Config(command) => commands::config::run(command).await,
        Verb::Env(arguments) => dev::print_env(&arguments),
        Verb::Secret(arguments) => commands::secret::run(arguments).await,
        Verb::Key(arguments) => commands::key::run(arguments).await,
        Verb::Doctor(arguments) => commands::doctor::run(arguments).await,
        Verb::Completion { shell } => commands::pages::completion(shell),
        Verb::Man { out } => commands::pages::man(out.as_deref()),
        Verb::Run(arguments) => commands::run::run(arguments).await,
        Verb::Render { file, vault, output } => commands::render::run(&file, vault, output.as_deref()).await,
        Verb::Encrypt(arguments) => commands::encrypt::run(arguments).await,
        Verb::Decrypt(arguments) => commands::encrypt::run_decrypt(arguments).await,
        Verb::Sign(arguments) => commands::sign::run(arguments).await,
        Verb::Verify(arguments) => commands::sign::run_verify(arguments).await,
        Verb::Jwt(command) => commands::jwt::run(command).await,
        Verb::Ca(command) => commands::ca::run(command).await,
        Verb::SshAgent(arguments) => commands::agent::run(arguments).await,
        Verb::Migrate(command) => commands::migrate::run(command).await,
        Verb::Clock(command) => dev::clock_command(command),
        Verb::Hosts(command) => commands::hosts(command),
        Verb::Vault(command) => commands::vault(command).await,
        Verb::ConfigStore(command) => commands::config_store(command).await,
        Verb::Role(command) => commands::role(command).await,
        Verb::Application(command) => commands::application(command).await,
        Verb::Identity(command) => commands::identity::run(command).await,
        Verb::Seal(command) => commands::seal(command).await,
        Verb::Compliance(command) => commands::practice::compliance(command).await,
        Verb::Lint(command) => commands::practice::lint(command),
        Verb::Versions(command) => commands::practice::versions(command).await,
        Verb::Cost(command) => commands::practice::cost(command),
        Verb::Tokens(command) => commands::tokens::run(command).await,
        Verb::Keystore(command) => commands::tokens::keystore(command).await,
        Verb::Check(which) => commands::check(which).await,
    }
}

/// Logs go to standard error. `STRONGROOM_LOG` takes the filter syntax of `tracing`.
fn start_log(cli: &Cli) {
    use tracing_subscriber::EnvFilter;
    let filter = cli.log.clone().unwrap_or_else(|| String::from(cli.verb.default_log()));
    let filter = EnvFilter::try_new(&filter).unwrap_or_else(|fault| {
        eprintln!("strongroom: the log filter {filter:?} is not valid ({fault}); using info");
        EnvFilter::new("info")
    });
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    if cli.log_json { log.json().init() } else { log.init() }
}
