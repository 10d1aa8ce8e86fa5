//! Why a secret is not there, by class. Messages name secret, scope and remedy, and never a value.

use strongroom_wire::{Error, ErrorKind};

use super::SecretName;

/// The action that reads a value.
pub(super) const READ: &str = "secrets/getSecret";

/// The action that lists names.
pub(super) const LIST: &str = "secrets/readMetadata";

/// Why there is no secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SecretError {
    /// Nowhere is there such a secret.
    #[error("{message}")]
    NotFound {
        /// Where it was looked for.
        message: String,
    },
    /// The vault does not accept the credential.
    #[error("{secret}: the vault does not accept the credential: {detail}. Check tenant, client id and client secret")]
    Authentication {
        /// The name in the vault.
        secret: String,
        /// What the vault says.
        detail: String,
    },
    /// The credential may not read it.
    #[error("{secret}: permission denied: the action {action} is missing; the role {} grants it", role(.action))]
    Forbidden {
        /// The name in the vault.
        secret: String,
        /// What would have to be allowed.
        action: &'static str,
    },
    /// The vault wants fewer requests.
    #[error("{secret}: the vault asks to slow down, and did so until the retries were over: try again later")]
    Throttled {
        /// The name in the vault.
        secret: String,
    },
    /// The vault cannot be reached, or does not answer as it should.
    #[error("{secret}: the vault does not answer: {detail}. Check its URL, the network and the proxy")]
    Network {
        /// The name in the vault.
        secret: String,
        /// What happened.
        detail: String,
    },
    /// There is one, but it cannot be used.
    #[error("{secret}: {detail}")]
    Invalid {
        /// The name in the vault.
        secret: String,
        /// Why.
        detail: String,
    },
    /// Vaults are one for each organisation, and this one has none.
    #[error("there is no vault for org '{org}': add it to the map of vaults")]
    NoVault {
        /// The organisation.
        org: String,
    },
    /// The task that asked was stopped.
    #[error("the question was interrupted")]
    Interrupted,
}

impl SecretError {
    /// Would it help to look elsewhere: is the vault away?
    #[must_use]
    pub const fn is_outage(&self) -> bool {
        matches!(self, Self::Network { .. } | Self::Throttled { .. } | Self::Authentication { .. })
    }

    pub(super) fn not_found(org: &str, key: &str, tried: &[SecretName]) -> Self {
        let tried: Vec<&str> = tried.iter().map(SecretName::as_str).collect();
        let message = format!("Secret '{key}' not found for org '{org}'. Tried: {}", tried.join(", "));
        Self::NotFound { message }
    }

    pub(super) fn nowhere(key: &str) -> Self {
        Self::NotFound { message: format!("Secret '{key}' not found in Key Vault or local config") }
    }

    pub(super) fn unexpected(name: &SecretName) -> Self {
        let secret = name.as_str().to_owned();
        Self::Invalid { secret, detail: "the vault answered without a value".to_owned() }
    }

    pub(super) const fn is_absence(fault: &Error) -> bool {
        matches!(fault.kind, ErrorKind::NotFound(_))
    }

    pub(super) fn from_vault(name: &SecretName, fault: &Error) -> Self {
        Self::from_action(name, READ, fault)
    }

    /// Of something else than reading.
    pub(super) fn from_action(name: &SecretName, action: &'static str, fault: &Error) -> Self {
        let secret = name.as_str().to_owned();
        let detail = fault.message.clone();
        match fault.kind {
            ErrorKind::Unauthorized => Self::Authentication { secret, detail },
            // A 403 without a reason is one of Azure's access policies; secrets are not purged here.
            ErrorKind::ForbiddenByRbac | ErrorKind::PurgeProtected => Self::Forbidden { secret, action },
            ErrorKind::SecretDisabled => {
                Self::Invalid { secret, detail: "the secret is disabled: enable it".to_owned() }
            }
            ErrorKind::Throttled => Self::Throttled { secret },
            ErrorKind::Unavailable | ErrorKind::Internal | ErrorKind::Timeout | ErrorKind::VaultNotFound => {
                Self::Network { secret, detail }
            }
            _ => Self::Invalid { secret, detail },
        }
    }
}

/// The least role that allows an action.
fn role(action: &str) -> &'static str {
    if action == READ || action == LIST { "Key Vault Secrets User" } else { "Key Vault Secrets Officer" }
}
