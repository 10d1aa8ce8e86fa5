//! What a TPM says when it does not do as asked, and what that means to the caller.

use std::fmt;

use strongroom_crypto::CryptoError;
use strongroom_store::provider::ProviderError;

use crate::open::OpenError;

/// Why a TPM did not do as asked. The text holds no secret.
#[derive(Debug, thiserror::Error)]
pub(super) enum Fault {
    /// There is no connection.
    #[error("the TPM at {0} does not answer: {1}")]
    Away(String, String),
    /// The connection broke.
    #[error("the connection to the TPM at {0} broke: {1}")]
    Gone(String, String),
    /// No answer in time.
    #[error("the TPM at {0} took too long")]
    Slow(String),
    /// The TPM's own answer.
    #[error("{0}")]
    Answer(Code),
    /// The answer cannot be read, or was altered on its way.
    #[error("what the TPM sent cannot be used: {0}")]
    Malformed(&'static str),
    /// It cannot do that; the text says what to use instead.
    #[error("{0}")]
    Unsupported(String),
    /// Not this TPM, not this authorisation.
    #[error("{0}")]
    Refused(String),
    /// Too many callers wait.
    #[error("too many operations are waiting for the TPM; try again")]
    Busy,
    /// From the software beside it.
    #[error(transparent)]
    Crypto(#[from] CryptoError),
    /// Anything else.
    #[error("{0}")]
    Other(String),
}

impl Fault {
    pub(super) const fn code(&self) -> Option<Code> {
        match self {
            Self::Answer(code) => Some(*code),
            _ => None,
        }
    }

    /// Is it this code, of whichever parameter, handle or session?
    pub(super) fn is(&self, code: Code) -> bool {
        self.code().is_some_and(|own| own.bare() == code)
    }
}

/// A response code (TPM 2.0 Library, part 2, section 6.6).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Code(u32);

impl Code {
    pub(super) const SUCCESS: Self = Self(0);
    pub(super) const ATTRIBUTES: Self = Self(0x082);
    pub(super) const HASH: Self = Self(0x083);
    pub(super) const VALUE: Self = Self(0x084);
    pub(super) const HANDLE: Self = Self(0x08b);
    pub(super) const AUTH_FAIL: Self = Self(0x08e);
    pub(super) const SCHEME: Self = Self(0x092);
    pub(super) const SIZE: Self = Self(0x095);
    pub(super) const INTEGRITY: Self = Self(0x09f);
    pub(super) const BAD_AUTH: Self = Self(0x0a2);
    pub(super) const INITIALIZE: Self = Self(0x100);
    pub(super) const NV_DEFINED: Self = Self(0x14c);
    pub(super) const FAILURE: Self = Self(0x101);
    pub(super) const COMMAND_CODE: Self = Self(0x143);
    pub(super) const OBJECT_MEMORY: Self = Self(0x902);
    pub(super) const SESSION_MEMORY: Self = Self(0x903);
    pub(super) const SESSION_HANDLES: Self = Self(0x905);
    pub(super) const OBJECT_HANDLES: Self = Self(0x906);
    pub(super) const YIELDED: Self = Self(0x908);
    pub(super) const TESTING: Self = Self(0x90a);
    pub(super) const NV_RATE: Self = Self(0x920);
    pub(super) const LOCKOUT: Self = Self(0x921);
    pub(super) const RETRY: Self = Self(0x922);

    /// From an answer; what a resource manager puts in front is dropped.
    pub(super) const fn new(answer: u32) -> Self {
        Self(answer & 0xfff)
    }

    /// Without the number of the parameter, handle or session that it is about.
    const fn bare(self) -> Self {
        if self.0 & 0x080 == 0 { self } else { Self(self.0 & 0x0bf) }
    }

    /// The TPM asks to send the command again.
    pub(super) fn again(self) -> bool {
        [Self::RETRY, Self::YIELDED, Self::TESTING, Self::NV_RATE].contains(&self)
    }

    /// No slot is left for objects or sessions.
    pub(super) fn full(self) -> bool {
        [Self::OBJECT_MEMORY, Self::SESSION_MEMORY, Self::SESSION_HANDLES, Self::OBJECT_HANDLES].contains(&self)
    }

    /// A handle of ours means nothing to the TPM any more: it was started again.
    pub(super) fn stale(self) -> bool {
        (0x910..=0x91e).contains(&self.0) || self.bare() == Self::HANDLE
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let meaning = match self.bare() {
            Self::LOCKOUT => {
                "the TPM is in lockout after wrong authorisations: wait, or end it with tpm2_dictionarylockout \
                 --clear-lockout"
            }
            Self::AUTH_FAIL | Self::BAD_AUTH => {
                "the TPM does not accept the authorisation: name a file with that of the storage hierarchy with \
                 owner-auth-file="
            }
            Self::INTEGRITY => "this was made by another TPM, or by this one before it was cleared",
            Self::FAILURE => "the TPM failed its self-test: the machine has to be started again",
            Self::COMMAND_CODE => "the TPM does not know the command",
            code if code.full() => {
                "the TPM has no free slot for keys or sessions: use /dev/tpmrm0, which has enough for everybody, or \
                 free those that programs left behind with tpm2_flushcontext -t"
            }
            code if code.again() => "the TPM is busy: try again",
            _ => "the TPM refused",
        };
        write!(f, "{meaning} (response code {:#05x})", self.0)
    }
}

impl From<Fault> for ProviderError {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Unsupported(message) => Self::Unsupported(message),
            Fault::Busy => Self::Busy,
            Fault::Crypto(CryptoError::Unsupported(message)) => Self::Unsupported(message),
            Fault::Crypto(fault @ CryptoError::Internal(_)) => Self::Internal(fault.to_string()),
            Fault::Crypto(fault) => Self::Invalid(fault.to_string()),
            Fault::Answer(code) if code == Code::LOCKOUT || code.full() || code.again() => {
                Self::Unavailable(code.to_string())
            }
            fault if fault.is(Code::INTEGRITY) || fault.is(Code::FAILURE) => Self::Unavailable(fault.to_string()),
            Fault::Away(..) | Fault::Gone(..) | Fault::Slow(_) | Fault::Refused(_) => {
                Self::Unavailable(fault.to_string())
            }
            Fault::Answer(_) | Fault::Malformed(_) | Fault::Other(_) => Self::Internal(fault.to_string()),
        }
    }
}

impl From<Fault> for OpenError {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Refused(message) => Self::Refused(message),
            fault if fault.is(Code::AUTH_FAIL) || fault.is(Code::BAD_AUTH) => Self::Refused(fault.to_string()),
            fault => Self::Unavailable(fault.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_told_apart() {
        // TPM_RC_VALUE of parameter 1, TPM_RC_HANDLE of handle 1, TPM_RC_AUTH_FAIL of session 1.
        let is = |answer, code| Fault::Answer(Code::new(answer)).is(code);
        assert!(is(0x1c4, Code::VALUE) && is(0x18b, Code::HANDLE) && is(0x98e, Code::AUTH_FAIL));
        assert!(Code::new(0x918).stale() && Code::new(0x18b).stale() && !Code::new(0x1c4).stale());
        assert!(Code::new(0xb_0902).full() && Code::new(0x922).again());
    }
}
