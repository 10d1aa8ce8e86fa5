//! What can go wrong with a token, and what of it a new session or login mends.

use cryptoki::context::Function;
use cryptoki::error::{Error, RvError};
use strongroom_store::pool::PoolError;
use strongroom_store::provider::ProviderError;

use crate::open::OpenError;

/// The texts tell the operator what to do; none holds a PIN.
#[derive(Debug, Clone, thiserror::Error)]
pub(super) enum Fault {
    /// The module cannot be loaded or started.
    #[error("{0}")]
    Module(String),
    /// There is no such token, or no longer.
    #[error("{0}")]
    Absent(String),
    /// The PIN is not accepted.
    #[error("{0}")]
    Pin(String),
    /// There is no PIN.
    #[error("{0}")]
    NoPin(String),
    /// The token answers, but without this key.
    #[error("the key is not in the token {0:?}: it was deleted there, or the token is a new one of the old name")]
    NoKey(String),
    /// All sessions or threads are in use.
    #[error("too many key operations are waiting; try again")]
    Busy,
    /// It cannot do that.
    #[error("{0}")]
    Unsupported(String),
    /// What was given is not right.
    #[error("{0}")]
    Invalid(String),
    /// An answer of the token.
    #[error("the token answered {0:?} to {1:?}")]
    Answer(RvError, Function),
    /// Anything else.
    #[error("{0}")]
    Other(String),
}

/// What an answer says about the session that it came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Aftermath {
    /// Nothing.
    Fine,
    /// Better to close it.
    Doubtful,
    /// Nobody is logged in any more.
    LoggedOut,
    /// All sessions are gone, or the token is.
    Lost,
}

impl Fault {
    pub(super) const fn aftermath(&self) -> Aftermath {
        let Self::Answer(answer, _) = self else { return Aftermath::Fine };
        match answer {
            RvError::UserNotLoggedIn => Aftermath::LoggedOut,
            RvError::SessionHandleInvalid
            | RvError::SessionClosed
            | RvError::DeviceRemoved
            | RvError::TokenNotPresent
            | RvError::TokenNotRecognized
            | RvError::SlotIdInvalid
            | RvError::CryptokiNotInitialized => Aftermath::Lost,
            RvError::GeneralError
            | RvError::FunctionFailed
            | RvError::DeviceError
            | RvError::OperationActive
            | RvError::HostMemory => Aftermath::Doubtful,
            _ => Aftermath::Fine,
        }
    }

    /// Is the token gone, as far as the module can see?
    pub(super) fn of_absence(&self) -> bool {
        matches!(self, Self::Absent(_)) || self.aftermath() == Aftermath::Lost
    }

    /// Is the object not where it was?
    pub(super) const fn moved(&self) -> bool {
        matches!(self, Self::Answer(RvError::KeyHandleInvalid | RvError::ObjectHandleInvalid, _))
    }
}

impl From<Error> for Fault {
    fn from(fault: Error) -> Self {
        match fault {
            Error::Pkcs11(RvError::SessionCount, _) => Self::Busy,
            Error::Pkcs11(answer, function) => Self::Answer(answer, function),
            Error::LibraryLoading(fault) => Self::Module(fault.to_string()),
            other => Self::Other(format!("the PKCS#11 module misbehaves: {other}")),
        }
    }
}

impl From<strongroom_crypto::CryptoError> for Fault {
    fn from(fault: strongroom_crypto::CryptoError) -> Self {
        use strongroom_crypto::CryptoError;
        match fault {
            CryptoError::Unsupported(message) => Self::Unsupported(message),
            CryptoError::Internal(_) => Self::Other(fault.to_string()),
            other => Self::Invalid(other.to_string()),
        }
    }
}

impl From<PoolError> for Fault {
    fn from(fault: PoolError) -> Self {
        match fault {
            PoolError::Full => Self::Busy,
            PoolError::Lost => Self::Other("a thread of the token ended early".to_owned()),
        }
    }
}

impl From<Fault> for ProviderError {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Unsupported(message) => Self::Unsupported(message),
            Fault::Invalid(message) => Self::Invalid(message),
            Fault::Busy => Self::Busy,
            Fault::Other(message) => Self::Internal(message),
            Fault::Module(_) | Fault::Absent(_) | Fault::Pin(_) | Fault::NoPin(_) | Fault::NoKey(_) => {
                Self::Unavailable(fault.to_string())
            }
            Fault::Answer(..) if fault.aftermath() == Aftermath::Fine => Self::Internal(fault.to_string()),
            Fault::Answer(..) => Self::Unavailable(fault.to_string()),
        }
    }
}

impl From<Fault> for OpenError {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Pin(message) => Self::Refused(message),
            Fault::NoPin(message) => Self::Passphrase(message),
            other => Self::Unavailable(other.to_string()),
        }
    }
}
