//! The commands on secrets.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::objects::{AttributeArgs, ObjectVerb, VaultArgs, Which};

#[derive(Args)]
pub(crate) struct SecretCommand {
    #[command(flatten)]
    pub(crate) vault: VaultArgs,
    #[command(subcommand)]
    pub(crate) verb: SecretVerb,
}

#[derive(Subcommand)]
#[command(disable_version_flag = true)]
pub(crate) enum SecretVerb {
    /// Set a secret: a new version. The value comes from a file, standard input or a prompt, as it is.
    #[command(disable_version_flag = true)]
    Set(SecretSet),
    /// Print a secret's value.
    #[command(disable_version_flag = true)]
    Get {
        #[command(flatten)]
        which: Which,
        /// Write the bare value to this file (mode 0600) instead.
        #[arg(long, value_name = "FILE", conflicts_with = "output")]
        out: Option<PathBuf>,
    },
    /// Show everything but the value.
    #[command(disable_version_flag = true)]
    Show {
        #[command(flatten)]
        which: Which,
        /// One that is deleted.
        #[arg(long, conflicts_with = "version")]
        deleted: bool,
    },
    /// Change a version's attributes, tags or content type.
    #[command(disable_version_flag = true)]
    Update {
        #[command(flatten)]
        which: Which,
        /// What the value is, such as application/json.
        #[arg(long)]
        content_type: Option<String>,
        #[command(flatten)]
        attributes: AttributeArgs,
    },
    #[command(flatten)]
    Object(ObjectVerb),
}

#[derive(Args)]
pub(crate) struct SecretSet {
    /// Its name: letters, digits and hyphens.
    pub(crate) name: String,
    /// Read the value from this file; - is standard input.
    #[arg(long, value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,
    /// Without the line break at the value's end, if it has one.
    #[arg(long)]
    pub(crate) trim: bool,
    /// What the value is, such as application/json.
    #[arg(long)]
    pub(crate) content_type: Option<String>,
    #[command(flatten)]
    pub(crate) attributes: AttributeArgs,
    // Values given as arguments, also behind options that are not there (--value): taken only to be
    // refused without being repeated, as the parser's own message would.
    #[arg(hide = true, allow_hyphen_values = true)]
    pub(crate) surplus: Vec<String>,
}
