//! [`open`]: a vault by its URI, from code, configuration or the command line.
//!
//! | URI | what it is |
//! |---|---|
//! | `memory:` | in this process, gone with it |
//! | `file:FOLDER` | in a folder, sealed, private keys as encrypted PEM files; see [`crate::file`] |
//! | `redis://[USER[:PASSWORD]@]HOST[:PORT][/DB]`, `rediss://…` | in Redis, sealed; see [`crate::redis`] |
//! | `pkcs11:token=NAME?module-path=FILE` | keys in a token, the rest in a folder that the token opens |
//! | `tpm2:` | keys with a TPM 2.0, the rest in a folder that the TPM opens |
//! | `azure:https://HOST` or `https://HOST` | Azure Key Vault or a Strongroom |
//!
//! All but `azure:` take `vault=NAME` in their query: several vaults can lie in one place.

mod embedded;
mod uri;

use std::sync::Arc;

use strongroom_store::Vault;
#[cfg(feature = "redis")]
use strongroom_store::{SoftwareProvider, sealing::SealKey};
use strongroom_wire::Sensitive;
use strongroom_wire::ids::VaultName;
use tokio::task::JoinError;

pub use embedded::Embedded;
pub use uri::VaultUri;

/// What a URI can begin with, for messages.
const KNOWN: &str = "a vault's URI begins with memory:, file:, redis:, rediss:, pkcs11:, tpm2:, azure: or https:";

/// The vault that is meant when the URI names none.
const DEFAULT_VAULT: &str = "default";

/// What a URI does not hold.
#[derive(Default)]
pub struct OpenOptions {
    /// Opens what is sealed with a passphrase, or logs in at a token. It comes before what the URI
    /// names; without both, the variable `STRONGROOM_PASSPHRASE` counts.
    pub passphrase: Option<Sensitive<String>>,
    /// Gives tokens for `azure:`. It comes before everything else that could.
    #[cfg(feature = "azure")]
    pub credential: Option<Arc<dyn azure_core::credentials::TokenCredential>>,
    /// The HTTP client for `azure:`; one for a whole process pools connections best.
    #[cfg(feature = "azure")]
    pub http: Option<reqwest::Client>,
}

/// Why a vault could not be opened. The text says what to do, and holds no secret.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The URI or what it names cannot be used.
    #[error("{0}")]
    Uri(String),
    /// The passphrase or PIN is missing.
    #[error("{0}")]
    Passphrase(String),
    /// The passphrase, PIN or credential is not accepted.
    #[error("{0}")]
    Refused(String),
    /// This build was made without it.
    #[error("this build of Strongroom cannot open {0}: vaults; build it with --features {0}")]
    NotBuilt(&'static str),
    /// What is there cannot be read, or there is nothing.
    #[error("{0}")]
    Unavailable(String),
}

impl OpenError {
    pub(crate) fn uri(why: &str) -> Self {
        Self::Uri(why.to_owned())
    }

    /// From whatever lies below.
    pub(crate) fn unavailable(fault: impl std::fmt::Display) -> Self {
        Self::Unavailable(fault.to_string())
    }
}

impl From<JoinError> for OpenError {
    fn from(fault: JoinError) -> Self {
        Self::unavailable(fault)
    }
}

/// Opens a vault by its URI, with what the environment gives.
///
/// # Errors
/// [`OpenError`].
pub async fn open(uri: &str) -> Result<Arc<dyn Vault>, OpenError> {
    open_with(uri, OpenOptions::default()).await
}

/// Opens a vault by its URI.
///
/// # Errors
/// [`OpenError`].
pub async fn open_with(uri: &str, options: OpenOptions) -> Result<Arc<dyn Vault>, OpenError> {
    let parsed = VaultUri::parse(uri)?;
    match parsed.scheme() {
        "azure" | "https" => open_azure(uri, options).await,
        _ => {
            let name = VaultName::parse(parsed.get("vault").unwrap_or(DEFAULT_VAULT));
            let name = name.map_err(|error| OpenError::Uri(error.message))?;
            Ok(open_embedded(&parsed, &options).await?.vault(name))
        }
    }
}

/// Opens the place that a URI names, with all its vaults: everything but `azure:`.
///
/// # Errors
/// [`OpenError`].
pub async fn open_embedded(uri: &VaultUri, options: &OpenOptions) -> Result<Embedded, OpenError> {
    match uri.scheme() {
        "memory" => {
            uri.only(&["vault"])?;
            Embedded::in_memory().await
        }
        #[cfg(feature = "file")]
        "file" => crate::file::open(uri, options).await,
        #[cfg(not(feature = "file"))]
        "file" => Err(OpenError::NotBuilt("file")),
        "redis" | "rediss" => open_redis(uri, options).await,
        #[cfg(feature = "pkcs11")]
        "pkcs11" => crate::pkcs11::open(uri, options).await,
        #[cfg(not(feature = "pkcs11"))]
        "pkcs11" => Err(OpenError::NotBuilt("pkcs11")),
        #[cfg(feature = "tpm2")]
        "tpm2" => crate::tpm2::open(uri).await,
        #[cfg(not(feature = "tpm2"))]
        "tpm2" => Err(OpenError::NotBuilt("tpm2")),
        _ => Err(OpenError::uri(KNOWN)),
    }
}

#[cfg(feature = "redis")]
async fn open_redis(uri: &VaultUri, options: &OpenOptions) -> Result<Embedded, OpenError> {
    use crate::redis::{RedisRecords, RedisSettings};
    let settings = RedisSettings::from_uri(uri)?;
    let seal = SealKey::Passphrase(options.passphrase(uri, "passphrase-file")?);
    let records = RedisRecords::connect(&settings).await.map_err(OpenError::unavailable)?;
    let provider = SoftwareProvider::new().map_err(OpenError::unavailable)?;
    Embedded::open(Arc::new(records), &seal, Arc::new(provider)).await
}

#[cfg(not(feature = "redis"))]
async fn open_redis(_uri: &VaultUri, _options: &OpenOptions) -> Result<Embedded, OpenError> {
    Err(OpenError::NotBuilt("redis"))
}

/// Without a credential or client of its own, by the process's client of that vault, which logs in by
/// the default chain.
#[cfg(feature = "azure")]
async fn open_azure(uri: &str, options: OpenOptions) -> Result<Arc<dyn Vault>, OpenError> {
    use crate::azure::{AzureVault, AzureVaultOptions};
    use crate::credentials::{DefaultChain, Sources, http_client, vault_for};
    let unusable = |fault: crate::credentials::CredentialError| OpenError::Uri(fault.to_string());
    let url = uri.strip_prefix("azure:").unwrap_or(uri).to_owned();
    let (credential, http) = match (options.credential, options.http) {
        (None, None) => return Ok(vault_for(&url).await.map_err(unusable)?),
        (Some(credential), http) => (credential, http.map_or_else(http_client, Ok).map_err(unusable)?),
        (None, Some(http)) => {
            let chain = DefaultChain::with(Sources::default().with_http(http.clone()));
            let chain: Arc<dyn azure_core::credentials::TokenCredential> = Arc::new(chain);
            (chain, http)
        }
    };
    let vault = AzureVault::new(AzureVaultOptions { url, credential, http });
    Ok(Arc::new(vault.map_err(|error| OpenError::Uri(error.message))?))
}

#[cfg(not(feature = "azure"))]
async fn open_azure(_uri: &str, _options: OpenOptions) -> Result<Arc<dyn Vault>, OpenError> {
    Err(OpenError::NotBuilt("azure"))
}

/// Now, for what is written when a place is first used: everything later takes its time from the
/// call's context.
#[expect(clippy::disallowed_methods, reason = "a place is opened without a context")]
pub(crate) fn now() -> strongroom_store::Time {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    strongroom_store::Time::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

impl OpenOptions {
    /// The passphrase or PIN: given in code, or in the file that the query's `from` names
    /// (its first line), or in `STRONGROOM_PASSPHRASE`.
    ///
    /// # Errors
    /// [`OpenError::Passphrase`], which names the ways to give it.
    #[expect(clippy::disallowed_methods, reason = "the one variable that opens vaults")]
    pub(crate) fn passphrase(&self, uri: &VaultUri, from: &str) -> Result<Sensitive<String>, OpenError> {
        if let Some(given) = &self.passphrase {
            return Ok(given.duplicate());
        }
        if let Some(file) = uri.get(from) {
            // RFC 7512 has a file: URI here.
            let file = file.strip_prefix("file:").unwrap_or(file);
            let text = std::fs::read_to_string(file).map(zeroize::Zeroizing::new);
            let text = text.map_err(|fault| OpenError::Passphrase(format!("{file}: {fault}")))?;
            let line = text.lines().next().filter(|line| !line.is_empty());
            let line = line.ok_or_else(|| OpenError::Passphrase(format!("{file}: its first line is empty")))?;
            return Ok(Sensitive::new(line.to_owned()));
        }
        match std::env::var("STRONGROOM_PASSPHRASE") {
            Ok(text) if !text.is_empty() => Ok(Sensitive::new(text)),
            _ => Err(OpenError::Passphrase(format!(
                "{}: needs a passphrase: put it into a file and name that with ?{from}=FILE, or into the variable \
                 STRONGROOM_PASSPHRASE",
                uri.scheme()
            ))),
        }
    }
}

/// Where the records of a vault lie whose keys are elsewhere, when the URI does not say: in the
/// user's data folder.
#[cfg(any(feature = "pkcs11", feature = "tpm2"))]
pub(crate) fn records_folder(name: &str) -> Result<std::path::PathBuf, OpenError> {
    let named = |name: &str| std::env::var_os(name).filter(|path| !path.is_empty()).map(std::path::PathBuf::from);
    let data = named("XDG_DATA_HOME").or_else(|| named("HOME").map(|home| home.join(".local/share")));
    let data = data.ok_or_else(|| {
        OpenError::uri("neither HOME nor XDG_DATA_HOME is set: name a folder for the records with x-records=")
    })?;
    Ok(data.join("strongroom").join(name))
}
