//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

mod config;
mod identity;
mod jobs;
mod key;
mod migrate;
mod objects;
mod practice;
mod secret;
mod tokens;

pub(crate) use config::{ConfigCommand, ConfigStoreCommand, FeatureCommand, FileArgs, KeyArgs, Output, StoreTier};
pub(crate) use identity::IdentityCommand;
pub(crate) use jobs::{
    CaCommand, CertificateUsage, DocumentFormat, Envelope, JobKey, JwtCommand, SignFile, SshAgent, VerifyFile,
};
pub(crate) use key::{
    Curve, Encoding, EncryptArgs, KeyCommand, KeyCreate, KeyImport, KeyType, KeyVerb, PolicyVerb, PublicFormat,
    SignArgs, SignatureFormat, Signed, VerifyArgs,
};
pub(crate) use migrate::{Ends, Kinds, MigrateCommand};
pub(crate) use objects::{AttributeArgs, ObjectVerb, VaultArgs, Which as WhichObject};
pub(crate) use practice::{ComplianceCommand, CostCommand, LintCommand, Prune, VersionsCommand};
pub(crate) use secret::{SecretCommand, SecretSet, SecretVerb};
pub(crate) use tokens::{KeystoreCommand, ServeTokens, TokensCommand, WithSettings};

/// Azure Key Vault, run by yourself.
#[derive(Parser)]
#[command(name = "strongroom", version, about, long_about = None, propagate_version = true,
          after_help = crate::failure::EXIT_CODES)]
pub(crate) struct Cli {
    /// What to log to standard error: error, warn, info, debug, trace, or a tracing filter.
    #[arg(long, global = true, env = "STRONGROOM_LOG", value_name = "FILTER")]
    pub(crate) log: Option<String>,
    /// Log as JSON, a line an event.
    #[arg(long, global = true)]
    pub(crate) log_json: bool,
    #[command(subcommand)]
    pub(crate) verb: Verb,
}

#[derive(Subcommand)]
pub(crate) enum Verb {
    /// Start a server for development: one command, everything made on first use.
    Dev(Dev),
    /// Start a server for production, as its configuration says.
    Serve(WithConfig),
    /// Create and seal the store that the configuration names.
    Init(WithConfig),
    /// Settings and feature flags of a configuration store; and the server's own configuration file.
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Print the variables that point programs at the development server.
    Env(Env),
    /// Secrets of any vault.
    #[command(after_help = crate::failure::EXIT_CODES)]
    Secret(SecretCommand),
    /// Keys of any vault, and what they are used for.
    #[command(after_help = crate::failure::EXIT_CODES)]
    Key(KeyCommand),
    /// Look at each step of the way to a vault: name, connection, TLS, token, rights.
    #[command(after_help = crate::failure::EXIT_CODES)]
    Doctor(VaultArgs),
    /// Print what completes commands in a shell: source <(strongroom completion bash).
    Completion {
        /// For which shell.
        #[arg(value_enum)]
        shell: CompletionShell,
    },
    /// Print the manual page; with --out, write one for each command.
    Man {
        /// The folder, such as /usr/local/share/man/man1.
        #[arg(long, value_name = "DIR")]
        out: Option<PathBuf>,
    },
    /// Run a program with the secrets of a vault in its environment.
    Run(Run),
    /// Print a file with its references to secrets filled in: vault://NAME, and
    /// @Microsoft.KeyVault(SecretUri=https://VAULT/secrets/NAME).
    Render {
        /// The file; - is standard input.
        file: PathBuf,
        /// The vault of vault://NAME.
        #[arg(long, value_name = "URL", env = "AZURE_KEYVAULT_URL")]
        vault: Option<String>,
        /// Write to this file (mode 0600) instead of standard output.
        #[arg(long, short, value_name = "FILE")]
        output: Option<PathBuf>,
    },
    /// Encrypt a file or stream of any size under an RSA key of a vault.
    Encrypt(Envelope),
    /// Decrypt what encrypt made.
    Decrypt(Envelope),
    /// Sign a file; the signature lies beside it.
    Sign(SignFile),
    /// Check the signature of a file.
    Verify(VerifyFile),
    /// JSON Web Tokens by a key of a vault.
    #[command(subcommand)]
    Jwt(JwtCommand),
    /// A small certificate authority by a key of a vault.
    #[command(subcommand)]
    Ca(CaCommand),
    /// An ssh-agent that signs with keys of a vault.
    SshAgent(SshAgent),
    /// Advice on what is easily got wrong.
    #[command(subcommand)]
    Lint(LintCommand),
    /// Move secrets and keys from one vault to another.
    #[command(subcommand)]
    Migrate(MigrateCommand),
    /// Move the development server's clock.
    #[command(subcommand)]
    Clock(ClockCommand),
    /// Names for machines where *.localhost does not resolve.
    #[command(subcommand)]
    Hosts(HostsCommand),
    /// Vaults.
    #[command(subcommand)]
    Vault(VaultCommand),
    /// Configuration stores: their settings and access keys.
    #[command(subcommand)]
    ConfigStore(ConfigStoreCommand),
    /// Role assignments: who may do what.
    #[command(subcommand)]
    Role(RoleCommand),
    /// Applications: who can log in.
    #[command(subcommand)]
    Application(ApplicationCommand),
    /// Managed identities: who logs in without a credential of its own.
    #[command(subcommand)]
    Identity(IdentityCommand),
    /// The keys that seal the store.
    #[command(subcommand)]
    Seal(SealCommand),
    /// Do vaults keep to good practice?
    #[command(subcommand)]
    Compliance(ComplianceCommand),
    /// Versions of secrets.
    #[command(subcommand)]
    Versions(VersionsCommand),
    /// What Azure would charge.
    #[command(subcommand)]
    Cost(CostCommand),
    /// A ring of JWT signing keys, and its token service.
    #[command(subcommand)]
    Tokens(TokensCommand),
    /// Where a ring of signing keys lies.
    #[command(subcommand)]
    Keystore(KeystoreCommand),
    /// Read every record of the store and say whether any is damaged.
    Check(Which),
}

impl Verb {
    pub(crate) const fn default_log(&self) -> &'static str {
        match self {
            Self::Serve(_) | Self::Tokens(TokensCommand::Serve(_)) => "info",
            _ => "warn",
        }
    }
}

#[derive(Args)]
pub(crate) struct Dev {
    /// Folder for the store, certificates and environment files. It is kept between runs.
    #[arg(long, value_name = "DIR", env = "STRONGROOM_DATA")]
    pub(crate) data: Option<PathBuf>,
    /// HTTPS port on loopback; 0 takes a free one.
    #[arg(long, default_value_t = 8443)]
    pub(crate) port: u16,
    /// Port of the proxy for the real Azure names; 0 takes a free one [default: port + 1].
    #[arg(long)]
    pub(crate) proxy_port: Option<u16>,
    /// Vaults are NAME.vault.DOMAIN, tokens come from login.DOMAIN.
    #[arg(long, default_value = "localhost")]
    pub(crate) domain: String,
    /// Where to write the variables for direct use [default: DATA/strongroom.env].
    #[arg(long, value_name = "FILE")]
    pub(crate) env_file: Option<PathBuf>,
    /// Make this vault at the start (others are made when they are first used).
    #[arg(long, value_name = "NAME")]
    pub(crate) vault: Vec<String>,
    /// The proxy refuses every host that is not Azure's, instead of passing it through.
    #[arg(long)]
    pub(crate) isolated: bool,
    /// Delete everything under the data folder first: vaults, keys and certificates.
    #[arg(long)]
    pub(crate) reset: bool,
    /// Run this program in the proxy environment, then stop with its exit code.
    #[arg(last = true, value_name = "CMD")]
    pub(crate) command: Vec<String>,
}

/// The credential is the first that there is: of AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET
/// (or AZURE_CLIENT_CERTIFICATE_PATH), of workload identity, of a managed identity, of the Azure CLI or
/// the Azure Developer CLI.
#[derive(Args)]
pub(crate) struct Run {
    /// The vault, Strongroom's or Azure's: api-key becomes API_KEY.
    #[arg(long, value_name = "URL", env = "AZURE_KEYVAULT_URL")]
    pub(crate) env_from: String,
    /// Only the secrets of this organisation (ORG--name) and those for all (GLOBAL--name), by their
    /// bare names.
    #[arg(long)]
    pub(crate) org: Option<String>,
    /// The program and its arguments.
    #[arg(last = true, required = true, value_name = "CMD")]
    pub(crate) command: Vec<String>,
}

#[derive(Args)]
pub(crate) struct WithConfig {
    /// The configuration file.
    #[arg(long, value_name = "FILE", env = "STRONGROOM_CONFIG")]
    pub(crate) config: PathBuf,
}

#[derive(Args)]
pub(crate) struct Env {
    /// The development server's folder.
    #[arg(long, value_name = "DIR", env = "STRONGROOM_DATA")]
    pub(crate) data: Option<PathBuf>,
    /// For the real Azure names, through the proxy.
    #[arg(long)]
    pub(crate) proxy: bool,
    /// For which shell.
    #[arg(long, value_enum, default_value_t = Shell::Bash)]
    pub(crate) shell: Shell,
}

#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum Shell {
    /// eval "$(strongroom env)"
    Bash,
    /// strongroom env --shell fish | source
    Fish,
    /// strongroom env --shell powershell | Invoke-Expression
    Powershell,
    /// KEY=value lines
    Dotenv,
}

#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum CompletionShell {
    Bash,
    Zsh,
    Fish,
    Powershell,
}

#[derive(Subcommand)]
pub(crate) enum ClockCommand {
    /// Move it forward: 90d, 12h, 30m, 10s.
    Advance {
        /// By how much.
        by: String,
        /// The development server's folder.
        #[arg(long, value_name = "DIR", env = "STRONGROOM_DATA")]
        data: Option<PathBuf>,
    },
    /// Set it back to real time.
    Reset {
        /// The development server's folder.
        #[arg(long, value_name = "DIR", env = "STRONGROOM_DATA")]
        data: Option<PathBuf>,
    },
}

#[derive(Subcommand)]
pub(crate) enum HostsCommand {
    /// Print the lines for /etc/hosts.
    Print {
        /// Host names, such as dev.vault.localhost.
        #[arg(required = true, value_name = "NAME")]
        names: Vec<String>,
    },
    /// Write them into /etc/hosts (as root).
    Install {
        /// Host names, such as dev.vault.localhost.
        #[arg(required = true, value_name = "NAME")]
        names: Vec<String>,
        /// The file to edit.
        #[arg(long, default_value = "/etc/hosts")]
        file: PathBuf,
    },
}

/// Which installation a command is for. It goes to the server that runs there; when none does, the
/// store is opened for the length of the command.
#[derive(Args)]
pub(crate) struct Which {
    /// A production installation, by its configuration file.
    #[arg(long, value_name = "FILE", env = "STRONGROOM_CONFIG")]
    pub(crate) config: Option<PathBuf>,
    /// A development installation, by its folder [default: the user's].
    #[arg(long, value_name = "DIR", env = "STRONGROOM_DATA", conflicts_with = "config")]
    pub(crate) data: Option<PathBuf>,
}

#[derive(Subcommand)]
pub(crate) enum VaultCommand {
    /// Make a vault.
    Create {
        /// 3 to 24 letters, digits and hyphens.
        name: String,
        /// How long deleted objects are kept: 7 to 90 days.
        #[arg(long, default_value_t = 90)]
        retention_days: u16,
        /// Nobody can purge before the retention ends. Cannot be undone.
        #[arg(long)]
        purge_protection: bool,
        #[command(flatten)]
        which: Which,
    },
    /// Change a vault's retention, or turn purge protection on.
    Set {
        /// The vault.
        name: String,
        /// How long deleted objects are kept: 7 to 90 days.
        #[arg(long)]
        retention_days: Option<u16>,
        /// Nobody can purge before the retention ends. Cannot be undone.
        #[arg(long)]
        purge_protection: bool,
        #[command(flatten)]
        which: Which,
    },
    /// List vaults.
    List {
        #[command(flatten)]
        which: Which,
    },
}

#[derive(Subcommand)]
pub(crate) enum RoleCommand {
    /// Give a principal a role.
    Assign {
        /// Name or GUID of a built-in role, such as "Key Vault Secrets User".
        #[arg(long)]
        role: String,
        /// Object id of the principal, or the name of an application or identity.
        #[arg(long)]
        principal: String,
        /// VAULT, VAULT/secrets/NAME, VAULT/keys/NAME, appconfig/STORE, '*' for all, or an ARM scope.
        #[arg(long)]
        scope: String,
        #[command(flatten)]
        which: Which,
    },
    /// List role assignments.
    List {
        #[command(flatten)]
        which: Which,
    },
    /// Take a role assignment away.
    Remove {
        /// Its id, from `strongroom role list`.
        id: String,
        #[command(flatten)]
        which: Which,
    },
    /// List the built-in roles and what they allow.
    Definitions,
}

#[derive(Subcommand)]
pub(crate) enum ApplicationCommand {
    /// Make an application.
    Create {
        /// Display name.
        name: String,
        /// Without a client secret: it will log in with a certificate or an outside issuer's tokens.
        #[arg(long)]
        no_secret: bool,
        #[command(flatten)]
        which: Which,
    },
    /// Add a client secret; it is shown once.
    AddSecret {
        /// Client id or display name.
        application: String,
        #[command(flatten)]
        which: Which,
    },
    /// Let a certificate stand for the application.
    AddCertificate {
        /// Client id or display name.
        application: String,
        /// The certificate, PEM.
        #[arg(value_name = "FILE")]
        certificate: PathBuf,
        #[command(flatten)]
        which: Which,
    },
    /// Let the tokens of an outside issuer (a Kubernetes cluster, a CI service) stand for the
    /// application: workload identity federation.
    AddFederated {
        /// Client id or display name.
        application: String,
        /// The iss of the tokens: an https URL with a discovery document.
        #[arg(long, value_name = "URL")]
        issuer: String,
        /// Their sub.
        #[arg(long)]
        subject: String,
        /// What is among their aud.
        #[arg(long, default_value = strongroom_auth::federation::TOKEN_EXCHANGE)]
        audience: String,
        #[command(flatten)]
        which: Which,
    },
    /// Remove a client secret, certificate or federated credential.
    RemoveCredential {
        /// Client id or display name.
        application: String,
        /// Its key id, from `strongroom application list`.
        key_id: String,
        #[command(flatten)]
        which: Which,
    },
    /// List applications.
    List {
        #[command(flatten)]
        which: Which,
    },
}

#[derive(Subcommand)]
pub(crate) enum SealCommand {
    /// Make a new root key; the server goes on meanwhile.
    Rotate {
        /// Make new data keys, too, and seal every record anew.
        #[arg(long)]
        data_keys: bool,
        /// Change to the passphrase in this file (its first line).
        #[arg(long, value_name = "FILE")]
        new_passphrase_file: Option<PathBuf>,
        /// Change to this key file (32 random bytes).
        #[arg(long, value_name = "FILE", conflicts_with = "new_passphrase_file")]
        new_key_file: Option<PathBuf>,
        #[command(flatten)]
        which: Which,
    },
}
