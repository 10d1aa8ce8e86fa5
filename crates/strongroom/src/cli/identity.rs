//! `strongroom identity`.

use clap::Subcommand;

use super::Which;

#[derive(Subcommand)]
pub(crate) enum IdentityCommand {
    /// Make an identity. It has no secret: programs are it under `strongroom identity run`.
    Create {
        /// 3 to 128 letters, digits, hyphens and underscores.
        name: String,
        #[command(flatten)]
        which: Which,
    },
    /// List identities.
    List {
        #[command(flatten)]
        which: Which,
    },
    /// Run a program as an identity: it finds a managed identity endpoint, as on App Service, for as
    /// long as it runs. The server has to run.
    Run {
        /// The identity.
        name: String,
        /// An endpoint as virtual machines have it (AZURE_POD_IDENTITY_AUTHORITY_HOST) instead: it
        /// has no secret, so that every program on this machine can have the identity's tokens.
        #[arg(long)]
        imds: bool,
        #[command(flatten)]
        which: Which,
        /// The program and its arguments.
        #[arg(last = true, required = true, value_name = "CMD")]
        command: Vec<String>,
    },
}
