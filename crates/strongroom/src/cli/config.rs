//! The commands on configuration.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use super::{Which, WithConfig};
use crate::commands::config::{Format, StoreArgs};

#[derive(Subcommand)]
pub(crate) enum ConfigCommand {
    /// Print a setting's value.
    Get {
        #[command(flatten)]
        at: KeyArgs,
        /// All of it, and not the bare value.
        #[arg(long, short, value_enum)]
        output: Option<Output>,
        #[command(flatten)]
        store: StoreArgs,
    },
    /// Set a setting.
    Set {
        #[command(flatten)]
        at: KeyArgs,
        /// The value.
        value: Option<String>,
        /// Read the value from this file; - is standard input.
        #[arg(long, value_name = "FILE", conflicts_with = "value")]
        value_file: Option<PathBuf>,
        /// What the value is, such as application/json.
        #[arg(long)]
        content_type: Option<String>,
        /// A tag, name=value; may be given several times.
        #[arg(long, value_name = "TAG")]
        tag: Vec<String>,
        /// Refer to this secret of a vault, instead of a value.
        #[arg(long, value_name = "URL", conflicts_with_all = ["value", "value_file", "content_type"])]
        secret_uri: Option<String>,
        /// Only if there is none yet.
        #[arg(long)]
        if_absent: bool,
        #[command(flatten)]
        store: StoreArgs,
    },
    /// Delete a setting.
    Delete {
        #[command(flatten)]
        at: KeyArgs,
        #[command(flatten)]
        store: StoreArgs,
    },
    /// Make a setting read-only.
    Lock {
        #[command(flatten)]
        at: KeyArgs,
        #[command(flatten)]
        store: StoreArgs,
    },
    /// Make a setting writable again.
    Unlock {
        #[command(flatten)]
        at: KeyArgs,
        #[command(flatten)]
        store: StoreArgs,
    },
    /// List settings.
    List {
        /// Which keys: app/*, or several with commas.
        #[arg(long, default_value = "*")]
        key: String,
        /// Which labels; an empty one is that of settings without one [default: all].
        #[arg(long)]
        label: Option<String>,
        #[arg(long, short, value_enum, default_value_t = Output::Table)]
        output: Output,
        #[command(flatten)]
        store: StoreArgs,
    },
    /// Say what importing a file would change. Exits with 2 when they differ.
    Diff(FileArgs),
    /// Set what a file holds.
    Import {
        #[command(flatten)]
        from: FileArgs,
        /// Delete what the file does not hold (under the prefix and label).
        #[arg(long)]
        strict: bool,
        /// Only say what would be done.
        #[arg(long)]
        dry_run: bool,
    },
    /// Write settings and feature flags to a file; - is standard output.
    Export(FileArgs),
    /// Feature flags.
    #[command(subcommand)]
    Feature(FeatureCommand),
    /// Say whether a server's configuration file is valid.
    Check(WithConfig),
    /// Print a server's configuration file with every key explained.
    Example,
}

#[derive(Args)]
pub(crate) struct KeyArgs {
    /// The key; of a feature flag, its name.
    pub(crate) key: String,
    /// The label [default: none].
    #[arg(long)]
    pub(crate) label: Option<String>,
}

#[derive(Args)]
pub(crate) struct FileArgs {
    /// The file: .json, .yaml, .properties or .env.
    pub(crate) file: PathBuf,
    /// Its format, when its name does not tell.
    #[arg(long, value_enum)]
    pub(crate) format: Option<Format>,
    /// The label of all settings [default: none].
    #[arg(long)]
    pub(crate) label: Option<String>,
    /// What the keys begin with in the store, and not in the file.
    #[arg(long, default_value = "")]
    pub(crate) prefix: String,
    /// Joins the names of nested settings [default: a colon when reading; no nesting when writing].
    #[arg(long)]
    pub(crate) separator: Option<String>,
    /// The content type of all settings.
    #[arg(long)]
    pub(crate) content_type: Option<String>,
    #[command(flatten)]
    pub(crate) store: StoreArgs,
}

#[derive(Subcommand)]
pub(crate) enum FeatureCommand {
    /// List feature flags.
    List {
        /// Which labels; an empty one is that of flags without one [default: all].
        #[arg(long)]
        label: Option<String>,
        #[arg(long, short, value_enum, default_value_t = Output::Table)]
        output: Output,
        #[command(flatten)]
        store: StoreArgs,
    },
    /// Turn a flag on; it is made when there is none.
    On {
        #[command(flatten)]
        at: KeyArgs,
        #[command(flatten)]
        store: StoreArgs,
    },
    /// Turn a flag off; it is made when there is none.
    Off {
        #[command(flatten)]
        at: KeyArgs,
        #[command(flatten)]
        store: StoreArgs,
    },
}

/// How answers are printed.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Output {
    /// Columns, for people.
    Table,
    /// JSON, for programs.
    Json,
    /// Tab-separated values without a head, for scripts.
    Tsv,
}

#[derive(Subcommand)]
pub(crate) enum ConfigStoreCommand {
    /// Make a configuration store.
    Create {
        /// 3 to 50 letters, digits and hyphens.
        name: String,
        /// free: 10 MB, revisions for 7 days; standard: 1 GB, 30 days.
        #[arg(long, value_enum, default_value_t = StoreTier::Standard)]
        tier: StoreTier,
        /// How long it can be recovered once it is deleted: 1 to 7 days.
        #[arg(long, default_value_t = 7)]
        retention_days: u8,
        /// Nobody can purge it before that ends. Cannot be undone.
        #[arg(long)]
        purge_protection: bool,
        /// Accept tokens only, no access keys.
        #[arg(long)]
        no_local_auth: bool,
        #[command(flatten)]
        which: Which,
    },
    /// Change its settings.
    Set {
        /// The store.
        name: String,
        /// free: 10 MB, revisions for 7 days; standard: 1 GB, 30 days.
        #[arg(long, value_enum)]
        tier: Option<StoreTier>,
        /// How long it can be recovered once it is deleted: 1 to 7 days.
        #[arg(long)]
        retention_days: Option<u8>,
        /// Nobody can purge it before that ends. Cannot be undone.
        #[arg(long)]
        purge_protection: bool,
        /// Accept access keys, or tokens only.
        #[arg(long, value_name = "BOOL")]
        local_auth: Option<bool>,
        #[command(flatten)]
        which: Which,
    },
    /// List them.
    List {
        #[command(flatten)]
        which: Which,
    },
    /// Show the connection strings of a store.
    Keys {
        /// The store.
        name: String,
        #[command(flatten)]
        which: Which,
    },
    /// Make an access key anew; the old one is refused from then on.
    RegenerateKey {
        /// The store.
        name: String,
        /// Primary, Secondary, "Primary Read Only", "Secondary Read Only", or an id.
        key: String,
        #[command(flatten)]
        which: Which,
    },
    /// Delete a store; it can be recovered for as long as its settings say.
    Delete {
        /// The store.
        name: String,
        #[command(flatten)]
        which: Which,
    },
    /// Bring a deleted store back.
    Recover {
        /// The store.
        name: String,
        #[command(flatten)]
        which: Which,
    },
    /// Destroy a deleted store for good.
    Purge {
        /// The store.
        name: String,
        #[command(flatten)]
        which: Which,
    },
}

#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum StoreTier {
    Free,
    Standard,
}
