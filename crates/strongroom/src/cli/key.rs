//! The commands on keys.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use super::objects::{AttributeArgs, ObjectVerb, VaultArgs, Which};

#[derive(Args)]
pub(crate) struct KeyCommand {
    #[command(flatten)]
    pub(crate) vault: VaultArgs,
    #[command(subcommand)]
    pub(crate) verb: KeyVerb,
}

#[derive(Subcommand)]
pub(crate) enum KeyVerb {
    /// Make a key: a new version, when there is one of that name.
    Create(KeyCreate),
    /// Take in a private key from a file: PEM (PKCS#8, also encrypted, PKCS#1, SEC1) or JWK.
    Import(KeyImport),
    /// Show a key's public half and attributes.
    #[command(disable_version_flag = true)]
    Show {
        #[command(flatten)]
        which: Which,
        /// One that is deleted.
        #[arg(long, conflicts_with = "version")]
        deleted: bool,
    },
    /// Make a new version with new material, everything else as it is.
    Rotate {
        /// Its name.
        name: String,
    },
    /// The rotation policy of a key.
    #[command(subcommand)]
    Policy(PolicyVerb),
    /// Change a version's attributes, tags or permitted operations.
    #[command(disable_version_flag = true)]
    Update {
        #[command(flatten)]
        which: Which,
        /// What it may be used for, with commas: sign,verify,encrypt,decrypt,wrapKey,unwrapKey.
        #[arg(long, value_name = "OPS", value_delimiter = ',')]
        ops: Option<Vec<String>>,
        #[command(flatten)]
        attributes: AttributeArgs,
    },
    /// Sign a file or a digest.
    #[command(disable_version_flag = true)]
    Sign(SignArgs),
    /// Check a signature: exits with 0 when it is genuine, with 9 when it is not.
    #[command(disable_version_flag = true)]
    Verify(VerifyArgs),
    /// Encrypt a short message with the public key.
    #[command(disable_version_flag = true)]
    Encrypt(EncryptArgs),
    /// Decrypt a short message.
    #[command(disable_version_flag = true)]
    Decrypt(EncryptArgs),
    /// Wrap another key.
    #[command(disable_version_flag = true)]
    Wrap(EncryptArgs),
    /// Unwrap another key.
    #[command(disable_version_flag = true)]
    Unwrap(EncryptArgs),
    /// Print the public key.
    #[command(disable_version_flag = true)]
    Download {
        #[command(flatten)]
        which: Which,
        /// PEM (SubjectPublicKeyInfo, as OpenSSL reads it) or JWK.
        #[arg(long, value_enum, default_value_t = PublicFormat::Pem)]
        format: PublicFormat,
        /// Write it to this file.
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    #[command(flatten)]
    Object(ObjectVerb),
}

#[derive(Args)]
pub(crate) struct KeyCreate {
    /// Its name: letters, digits and hyphens.
    pub(crate) name: String,
    /// RSA or EC.
    #[arg(long = "type", value_enum, ignore_case = true, value_name = "TYPE")]
    pub(crate) kind: KeyType,
    /// Bits of an RSA key: 2048, 3072 or 4096 [default: 2048].
    #[arg(long, value_name = "BITS")]
    pub(crate) size: Option<u32>,
    /// Curve of an EC key [default: P-256].
    #[arg(long, value_enum, ignore_case = true, value_name = "CURVE")]
    pub(crate) curve: Option<Curve>,
    #[command(flatten)]
    pub(crate) with: KeyAlgorithmArgs,
}

#[derive(Args)]
pub(crate) struct KeyImport {
    /// Its name: letters, digits and hyphens.
    pub(crate) name: String,
    /// The private key; - is standard input.
    #[arg(long, value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// A file (mode 0600) whose first line is the passphrase of an encrypted key.
    #[arg(long, value_name = "FILE")]
    pub(crate) passphrase_file: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) with: KeyAlgorithmArgs,
}

/// What new keys are given.
#[derive(Args)]
pub(crate) struct KeyAlgorithmArgs {
    /// In hardware (RSA-HSM, EC-HSM).
    #[arg(long)]
    pub(crate) hsm: bool,
    /// What it may be used for, with commas: sign,verify,encrypt,decrypt,wrapKey,unwrapKey
    /// [default: all that the type can].
    #[arg(long, value_name = "OPS", value_delimiter = ',')]
    pub(crate) ops: Option<Vec<String>>,
    #[command(flatten)]
    pub(crate) attributes: AttributeArgs,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum KeyType {
    #[value(name = "RSA")]
    Rsa,
    #[value(name = "EC")]
    Ec,
}

#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum Curve {
    #[value(name = "P-256")]
    P256,
    #[value(name = "P-384")]
    P384,
    #[value(name = "P-521")]
    P521,
    /// secp256k1
    #[value(name = "P-256K")]
    P256K,
}

#[derive(Subcommand)]
pub(crate) enum PolicyVerb {
    /// Print it.
    Get {
        /// The key's name.
        name: String,
    },
    /// Set it. Durations are years, months and days: P90D, P2Y, P1Y6M.
    #[command(group = clap::ArgGroup::new("what").required(true).multiple(true))]
    Set {
        /// The key's name.
        name: String,
        /// All of it, as JSON in the form of the protocol; - is standard input.
        #[arg(long, group = "what", value_name = "FILE",
              conflicts_with_all = ["rotate_after", "rotate_before_expiry", "notify_before_expiry", "expires_in"])]
        file: Option<PathBuf>,
        /// Rotate so long after the latest version was made.
        #[arg(long, group = "what", value_name = "DURATION", conflicts_with = "rotate_before_expiry")]
        rotate_after: Option<String>,
        /// Rotate so long before the latest version expires.
        #[arg(long, group = "what", value_name = "DURATION")]
        rotate_before_expiry: Option<String>,
        /// Tell so long before a version expires.
        #[arg(long, group = "what", value_name = "DURATION")]
        notify_before_expiry: Option<String>,
        /// How long versions that rotation makes live.
        #[arg(long, group = "what", value_name = "DURATION")]
        expires_in: Option<String>,
    },
}

/// What was signed.
#[derive(Args)]
#[group(required = true, multiple = false)]
pub(crate) struct Signed {
    /// The message, of any size; - is standard input. Its digest is computed here.
    #[arg(long, value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,
    /// The message's digest, in hexadecimal or base64url.
    #[arg(long, value_name = "TEXT")]
    pub(crate) digest: Option<String>,
}

#[derive(Args)]
pub(crate) struct SignArgs {
    #[command(flatten)]
    pub(crate) which: Which,
    /// RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, ES512 or ES256K.
    #[arg(long, value_name = "ALG")]
    pub(crate) alg: String,
    #[command(flatten)]
    pub(crate) signed: Signed,
    /// Of EC signatures: r and s as the protocol has them, or DER as OpenSSL has them.
    #[arg(long, value_enum, default_value_t = SignatureFormat::Raw)]
    pub(crate) signature_format: SignatureFormat,
    /// How the signature is written [default: binary, and at a terminal base64url].
    #[arg(long, value_enum)]
    pub(crate) encoding: Option<Encoding>,
    /// Write it to this file.
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
}

#[derive(Args)]
pub(crate) struct VerifyArgs {
    #[command(flatten)]
    pub(crate) which: Which,
    /// RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, ES512 or ES256K.
    #[arg(long, value_name = "ALG")]
    pub(crate) alg: String,
    #[command(flatten)]
    pub(crate) signed: Signed,
    /// The signature.
    #[arg(long, value_name = "FILE")]
    pub(crate) signature: PathBuf,
    /// Of EC signatures: r and s as the protocol has them, or DER as OpenSSL has them.
    #[arg(long, value_enum, default_value_t = SignatureFormat::Raw)]
    pub(crate) signature_format: SignatureFormat,
    /// How the signature is written.
    #[arg(long, value_enum, default_value_t = Encoding::Binary)]
    pub(crate) encoding: Encoding,
}

#[derive(Args)]
pub(crate) struct EncryptArgs {
    #[command(flatten)]
    pub(crate) which: Which,
    /// RSA-OAEP-256, RSA-OAEP or RSA1_5.
    #[arg(long, value_name = "ALG", default_value = "RSA-OAEP-256")]
    pub(crate) alg: String,
    /// What goes in [default: standard input].
    #[arg(long, value_name = "FILE", default_value = "-", hide_default_value = true)]
    pub(crate) file: PathBuf,
    /// Write what comes out to this file (mode 0600).
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
    /// How the ciphertext is written [default: binary, and at a terminal base64url].
    #[arg(long, value_enum)]
    pub(crate) encoding: Option<Encoding>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum SignatureFormat {
    Raw,
    Der,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Encoding {
    Binary,
    Base64url,
    Hex,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum PublicFormat {
    Pem,
    Jwk,
}
