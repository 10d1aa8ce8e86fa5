//! What goes wrong with keys, by class.

use std::time::Duration;

use strongroom_crypto::CryptoError;
use strongroom_wire::{Error, ErrorKind};

/// Why a key could not be used. The text says what to do, and holds no secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// The caller may not do that, or the key's attributes forbid it.
    #[error("insufficient permissions: {0}")]
    Forbidden(String),
    /// There is no such key, or no such version.
    #[error("key not found: {0}")]
    NotFound(String),
    /// The vault refused or failed; what was asked for is the first word.
    #[error("{operation} failed: {fault}")]
    Failed {
        /// `signing`, `decryption`, …
        operation: &'static str,
        /// What the vault said.
        fault: Error,
    },
    /// The algorithm, the input or a name is not right.
    #[error("{0}")]
    Invalid(String),
    /// It took too long.
    #[error("no answer within {0:?}")]
    Deadline(Duration),
}

impl KeyError {
    /// Is the vault away, or busy: would it help to try again?
    #[must_use]
    pub fn is_outage(&self) -> bool {
        let passing = |kind| matches!(kind, ErrorKind::Unavailable | ErrorKind::Throttled | ErrorKind::Timeout);
        match self {
            Self::Failed { fault, .. } => passing(fault.kind),
            Self::Deadline(_) => true,
            _ => false,
        }
    }

    /// From what a vault said about `id`.
    pub(crate) fn of(operation: &'static str, id: &str, fault: Error) -> Self {
        match fault.kind {
            ErrorKind::ForbiddenByRbac
            | ErrorKind::KeyDisabled
            | ErrorKind::KeyNotYetValid
            | ErrorKind::KeyExpired
            | ErrorKind::KeyOperationForbidden
            | ErrorKind::Unauthorized => Self::Forbidden(fault.message),
            ErrorKind::NotFound(_) | ErrorKind::VaultNotFound => Self::NotFound(id.to_owned()),
            _ => Self::Failed { operation, fault },
        }
    }
}

impl From<CryptoError> for KeyError {
    fn from(fault: CryptoError) -> Self {
        Self::Invalid(fault.to_string())
    }
}
