//! How a program logs in at a vault, and the client that it does it with.
//!
//! ```
//! use strongroom::credentials::{CredentialConfig, Sources};
//!
//! let variables = [("AZURE_TENANT_ID", "t"), ("AZURE_CLIENT_ID", "c")];
//! let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
//! let config = CredentialConfig::from_variables(&Sources::default().with_variables(variables));
//! assert!(config.check().unwrap_err().to_string().starts_with("client_secret is missing"));
//! ```

pub use azure_core::credentials::{AccessToken, TokenCredential};
pub use strongroom_backends::azure::{AzureVault, AzureVaultOptions};
pub use strongroom_backends::credentials::{
    Attempt, ClientPool, CredentialConfig, CredentialError, DefaultChain, Environments, Login, Outcome, Sources, Step,
    http_client, vault_for,
};
pub use strongroom_backends::retry::{Pause, Retry};
