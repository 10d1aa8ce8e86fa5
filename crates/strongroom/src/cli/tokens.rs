//! The arguments of `strongroom tokens` and `strongroom keystore`.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::Output;

#[derive(Subcommand)]
pub(crate) enum TokensCommand {
    /// Run the token service: it issues and validates tokens, and rotates its keys.
    Serve(ServeTokens),
    /// Make a new signing key, and sign with it from now on.
    Rotate(WithSettings),
    /// Take a signing key out of the ring: its tokens are refused from now on.
    Retire {
        /// The key's id.
        kid: String,
        /// Also if it is the active key: a new one takes its place first.
        #[arg(long)]
        force: bool,
        #[command(flatten)]
        settings: WithSettings,
    },
    /// List the signing keys.
    Keys {
        #[command(flatten)]
        settings: WithSettings,
        /// How to print them.
        #[arg(long, short, value_enum, default_value_t = Output::Table)]
        output: Output,
    },
    /// Print the public keys as a JWK set.
    Jwks(WithSettings),
    /// Make a bearer token for the service: it is printed once, its hash goes into a file that
    /// Admin:Token:File or Issue:Token:File names.
    NewBearer {
        /// The file for the hash (mode 0600).
        #[arg(long, value_name = "FILE")]
        file: PathBuf,
    },
}

/// Settings as .NET writes them: JSON with comments; KeyStore__Type in the environment stands for
/// KeyStore:Type and comes first.
#[derive(Args)]
pub(crate) struct WithSettings {
    /// The settings.
    #[arg(long, value_name = "FILE", env = "STRONGROOM_TOKENS_SETTINGS")]
    pub(crate) settings: PathBuf,
}

#[derive(Args)]
pub(crate) struct ServeTokens {
    #[command(flatten)]
    pub(crate) settings: WithSettings,
    /// Address and port; port 0 takes a free one.
    #[arg(long, default_value = "127.0.0.1:8480", value_name = "ADDR")]
    pub(crate) listen: SocketAddr,
    /// The chain of certificates, PEM, the service's own first.
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    pub(crate) tls_certificate: Option<PathBuf>,
    /// Its private key, PEM.
    #[arg(long, value_name = "FILE", requires = "tls_certificate")]
    pub(crate) tls_key: Option<PathBuf>,
    /// Allow plain HTTP on an address that is not loopback, behind a proxy that does TLS.
    #[arg(long)]
    pub(crate) insecure: bool,
}

#[derive(Subcommand)]
pub(crate) enum KeystoreCommand {
    /// Let two rings validate each other's tokens, so that instances can change over one by one. The
    /// private keys stay where they are; signing moves to the new ring's key.
    Migrate {
        /// The settings of the old ring.
        #[arg(long, value_name = "FILE", required_unless_present = "from_jwks", conflicts_with = "from_jwks")]
        from: Option<PathBuf>,
        /// The JWK set of a running service, for a ring in its memory: the new ring validates its tokens.
        #[arg(long, value_name = "URL")]
        from_jwks: Option<String>,
        /// The settings of the new ring.
        #[arg(long, value_name = "FILE")]
        to: PathBuf,
    },
}
