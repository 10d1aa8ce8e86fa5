//! The commands that use keys for everyday jobs.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

/// Which key.
#[derive(Args)]
pub(crate) struct JobKey {
    /// The vault's URI.
    #[arg(long, value_name = "URI", env = "STRONGROOM_VAULT")]
    pub(crate) vault: String,
    /// The key: NAME, or NAME/VERSION.
    #[arg(long, value_name = "NAME")]
    pub(crate) key: String,
}

/// Encrypts or decrypts in bounded memory. A file appears only when all of it is done (mode 0600).
#[derive(Args)]
pub(crate) struct Envelope {
    #[command(flatten)]
    pub(crate) key: JobKey,
    /// The file to read; - is standard input.
    #[arg(long = "in", value_name = "FILE", default_value = "-")]
    pub(crate) input: PathBuf,
    /// The file to write; - is standard output. To standard output decrypt writes each chunk as soon as
    /// that chunk has proved genuine: use what came only when the exit code is 0.
    #[arg(long = "out", value_name = "FILE", default_value = "-")]
    pub(crate) output: PathBuf,
}

#[derive(Args)]
pub(crate) struct SignFile {
    #[command(flatten)]
    pub(crate) key: JobKey,
    /// The file to sign; - is standard input.
    pub(crate) file: PathBuf,
    /// The algorithm, such as ES256 or PS384 [default: RS256, or the curve's].
    #[arg(long)]
    pub(crate) alg: Option<String>,
    /// Where to write the signature; - is standard output [default: FILE.sig].
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
    /// The form of the signature.
    #[arg(long, value_enum, default_value_t = DocumentFormat::Der)]
    pub(crate) format: DocumentFormat,
}

#[derive(Args)]
pub(crate) struct VerifyFile {
    #[command(flatten)]
    pub(crate) key: JobKey,
    /// The file that was signed; - is standard input.
    pub(crate) file: PathBuf,
    /// The signature [default: FILE.sig].
    #[arg(long, value_name = "FILE")]
    pub(crate) signature: Option<PathBuf>,
    /// The algorithm [default: RS256, or the curve's; in JSON it is named].
    #[arg(long)]
    pub(crate) alg: Option<String>,
    /// The form of the signature.
    #[arg(long, value_enum, default_value_t = DocumentFormat::Der)]
    pub(crate) format: DocumentFormat,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum DocumentFormat {
    /// What `openssl dgst -verify` takes.
    Der,
    /// As in JWS: for elliptic curves r and s, one behind the other.
    Raw,
    /// With algorithm, key, version, digest and time.
    Json,
}

#[derive(Subcommand)]
pub(crate) enum JwtCommand {
    /// Sign claims; prints the token.
    Sign {
        #[command(flatten)]
        key: JobKey,
        /// A file with a JSON object; - is standard input.
        #[arg(long, value_name = "FILE", default_value = "-")]
        claims: PathBuf,
        /// The algorithm [default: RS256, or the curve's].
        #[arg(long)]
        alg: Option<String>,
        /// Sets iat to now and exp to so many seconds later.
        #[arg(long, value_name = "SECONDS")]
        expires_in: Option<u32>,
    },
    /// Check a token; prints its claims.
    Verify {
        #[command(flatten)]
        key: JobKey,
        /// A file with the token; - is standard input.
        #[arg(default_value = "-")]
        token: PathBuf,
        /// Who it has to be from.
        #[arg(long)]
        issuer: Option<String>,
        /// Who it has to be for.
        #[arg(long)]
        audience: Option<String>,
        /// Accept a token that does not say when it expires.
        #[arg(long)]
        no_expiry: bool,
    },
}

#[derive(Subcommand)]
pub(crate) enum CaCommand {
    /// Make the root certificate of a key (PEM).
    Init {
        #[command(flatten)]
        key: JobKey,
        /// The common name.
        #[arg(long, value_name = "NAME")]
        subject: String,
        /// For how long.
        #[arg(long, default_value_t = 3_650)]
        days: u32,
        /// Where to write it; - is standard output.
        #[arg(long, value_name = "FILE", default_value = "-")]
        out: PathBuf,
    },
    /// Issue a certificate (PEM).
    Issue {
        #[command(flatten)]
        key: JobKey,
        /// The root's certificate, from init.
        #[arg(long, value_name = "FILE")]
        root: PathBuf,
        /// The request (PEM): its public key and subject are taken, nothing else.
        #[arg(long, value_name = "FILE", conflicts_with = "public_key")]
        csr: Option<PathBuf>,
        /// A public key (PEM) instead of a request.
        #[arg(long, value_name = "FILE", required_unless_present = "csr")]
        public_key: Option<PathBuf>,
        /// The common name [default: the request's, or the first of --san].
        #[arg(long, value_name = "NAME")]
        subject: Option<String>,
        /// A DNS name or IP address; may be given several times.
        #[arg(long, value_name = "NAME")]
        san: Vec<String>,
        /// What it is for.
        #[arg(long, value_enum, default_value = "server")]
        usage: Vec<CertificateUsage>,
        /// For how long.
        #[arg(long, default_value_t = 90)]
        days: u32,
        /// Where to write it; - is standard output.
        #[arg(long, value_name = "FILE", default_value = "-")]
        out: PathBuf,
        /// Write the root's certificate after it.
        #[arg(long)]
        chain: bool,
    },
}

#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum CertificateUsage {
    /// A TLS server.
    Server,
    /// A TLS client.
    Client,
    /// Signed code.
    Code,
}

/// Goes into the background and prints what a shell needs, as ssh-agent does:
/// eval "$(strongroom ssh-agent)"; kill $SSH_AGENT_PID stops it.
#[derive(Args)]
pub(crate) struct SshAgent {
    /// The vault's URI.
    #[arg(long, value_name = "URI", env = "STRONGROOM_VAULT")]
    pub(crate) vault: String,
    /// A key to offer; may be given several times [default: all that can sign].
    #[arg(long, value_name = "NAME")]
    pub(crate) key: Vec<String>,
    /// The socket, in a folder of its own [default: one in a new private folder].
    #[arg(long, value_name = "PATH")]
    pub(crate) socket: Option<PathBuf>,
    /// Stay in the foreground.
    #[arg(long, short = 'D', conflicts_with = "command")]
    pub(crate) foreground: bool,
    /// Run this program with SSH_AUTH_SOCK, then stop with its exit code.
    #[arg(last = true, value_name = "CMD")]
    pub(crate) command: Vec<String>,
}
