//! What the commands on secrets and on keys have in common.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::Output;

/// Which vault. The login comes from AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET, or
/// from the Azure CLI.
#[derive(Args)]
pub(crate) struct VaultArgs {
    /// The vault: https://HOST of Strongroom or Azure, or another URI, such as file:DIR
    /// [default: AZURE_KEYVAULT_URL].
    #[arg(long, global = true, value_name = "URI", env = "STRONGROOM_VAULT", hide_env_values = true)]
    pub(crate) vault: Option<String>,
    /// How the answer is printed.
    #[arg(long, short, global = true, value_enum)]
    pub(crate) output: Option<Output>,
}

/// One object, or one version of it.
#[derive(Args)]
pub(crate) struct Which {
    /// Its name.
    pub(crate) name: String,
    /// The version [default: the latest].
    #[arg(long, value_name = "VERSION")]
    pub(crate) version: Option<String>,
}

/// Attributes and tags.
#[derive(Args)]
pub(crate) struct AttributeArgs {
    /// Not from here on: 2027-01-31T12:00:00Z, 2027-01-31, or from now: +90d, +12h, +30m.
    #[arg(long, value_name = "TIME")]
    pub(crate) expires: Option<String>,
    /// Not before: as --expires.
    #[arg(long, value_name = "TIME")]
    pub(crate) not_before: Option<String>,
    /// It may be used.
    #[arg(long, conflicts_with = "disabled")]
    pub(crate) enabled: bool,
    /// It may not be used.
    #[arg(long)]
    pub(crate) disabled: bool,
    /// A tag, name=value; may be given several times. Those of before are replaced.
    #[arg(long, value_name = "TAG")]
    pub(crate) tag: Vec<String>,
}

/// The verbs that secrets and keys share.
#[derive(Subcommand)]
pub(crate) enum ObjectVerb {
    /// List them, by name.
    List,
    /// List all versions of one, oldest first.
    Versions {
        /// Its name.
        name: String,
    },
    /// Delete one with all its versions; it can be recovered for as long as the vault keeps it.
    Delete {
        /// Its name.
        name: String,
    },
    /// List those that are deleted and can be recovered.
    ListDeleted,
    /// Bring a deleted one back as it was.
    Recover {
        /// Its name.
        name: String,
    },
    /// Destroy a deleted one for good.
    Purge {
        /// Its name.
        name: String,
    },
    /// Write an encrypted copy of all versions, which only a vault of the same installation reads.
    Backup {
        /// Its name.
        name: String,
        /// The file; - is standard output.
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
    /// Bring back what a backup holds.
    Restore {
        /// The file; - is standard input.
        #[arg(long, value_name = "FILE")]
        file: PathBuf,
    },
}
