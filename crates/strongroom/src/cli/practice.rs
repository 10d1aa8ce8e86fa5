//! The commands on good practice.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::Output;

#[derive(Subcommand)]
pub(crate) enum ComplianceCommand {
    /// Check vaults, and hold them against each other. Exits with 9 when there is something to do.
    Check {
        /// A vault's URI; may be given several times.
        #[arg(long, value_name = "URI", env = "STRONGROOM_VAULT", required = true)]
        vault: Vec<String>,
        /// Read values, too, to see which are the same; they are compared as keyed hashes.
        #[arg(long)]
        values: bool,
        /// More enabled versions than that of one secret are too many.
        #[arg(long, default_value_t = 25)]
        versions: usize,
        #[arg(long, short, value_enum, default_value_t = Output::Table)]
        output: Output,
    },
}

#[derive(Subcommand)]
pub(crate) enum VersionsCommand {
    /// Disable all but the newest versions of a secret. (Key Vault cannot delete versions.)
    Prune(Prune),
}

#[derive(Args)]
pub(crate) struct Prune {
    /// Secrets [default: all].
    pub(crate) name: Vec<String>,
    /// How many stay enabled, the current one among them.
    #[arg(long, default_value_t = 25, value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) keep: u16,
    /// Only say what would be disabled.
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// The vault's URI.
    #[arg(long, value_name = "URI", env = "STRONGROOM_VAULT")]
    pub(crate) vault: String,
}

#[derive(Subcommand)]
pub(crate) enum LintCommand {
    /// Say which names of keys will not be understood later. Exits with 9 when there are any.
    Names {
        /// Names.
        #[arg(required = true, value_name = "NAME")]
        name: Vec<String>,
    },
    /// Find secrets that stand in files of settings. Exits with 9 when there are any.
    Config {
        /// JSON, YAML, TOML, properties or .env.
        #[arg(required = true)]
        file: Vec<PathBuf>,
        #[arg(long, short, value_enum, default_value_t = Output::Table)]
        output: Output,
    },
}

#[derive(Subcommand)]
pub(crate) enum CostCommand {
    /// What keys and operations would cost in Azure in a month, in US dollars.
    Estimate {
        /// Keys.
        #[arg(long, default_value_t = 0)]
        keys: u64,
        /// Operations in a month.
        #[arg(long, default_value_t = 0)]
        operations: u64,
        /// Keys in hardware.
        #[arg(long)]
        hsm: bool,
    },
}
