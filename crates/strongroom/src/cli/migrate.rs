//! `strongroom migrate`.

use clap::{Args, Subcommand, ValueEnum};

use super::Output;

#[derive(Subcommand)]
pub(crate) enum MigrateCommand {
    /// Say what would be done with each secret and key, and what will not be as it was.
    Plan(Ends),
    /// Move what can be moved, make anew what cannot, and prove it; a second run goes on where the first ended.
    Run {
        #[command(flatten)]
        ends: Ends,
        /// Soft-delete what was moved from the source, if all of it is in the target and proven.
        #[arg(long)]
        delete_source: bool,
    },
    /// Compare both vaults, and have every key of the target prove itself; the exit code is 2 if anything differs.
    Verify(Ends),
}

#[derive(Args)]
pub(crate) struct Ends {
    /// The vault to move from: file:FOLDER?vault=NAME, redis://HOST, https://VAULT and so on.
    #[arg(long, value_name = "URI")]
    pub(crate) from: String,
    /// The vault to move to.
    #[arg(long, value_name = "URI")]
    pub(crate) to: String,
    /// Only what has a name like this: * is any text, ? any character; may be given several times.
    #[arg(long, value_name = "GLOB")]
    pub(crate) name: Vec<String>,
    /// Only secrets, or only keys.
    #[arg(long)]
    pub(crate) kind: Option<Kinds>,
    /// How to print the answer.
    #[arg(long, value_enum, default_value = "table")]
    pub(crate) output: Output,
}

#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum Kinds {
    /// Secrets.
    Secrets,
    /// Keys.
    Keys,
}
