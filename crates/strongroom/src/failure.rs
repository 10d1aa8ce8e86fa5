//! Why a command failed: the exit code tells scripts the class, the message tells people what to do.

use std::process::ExitCode;

use strongroom::OpenError;
use strongroom::envelope::EnvelopeError;
use strongroom::jws::JwsError;
use strongroom::keys::KeyError;
use strongroom_wire::{Error, ErrorKind};

/// The exit codes, as every command's help shows them.
pub(crate) const EXIT_CODES: &str = "Exit codes:
  0  done
  1  another failure
  2  the command line is wrong
  3  not found
  4  not authenticated
  5  forbidden
  6  conflict, or a condition is not met
  7  throttled
  8  no connection, or the service is unavailable
  9  verification failed, or something was found that should not be so";

/// The class of a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Class {
    Other,
    Usage,
    NotFound,
    NotAuthenticated,
    Forbidden,
    Conflict,
    Throttled,
    Unavailable,
    NotVerified,
}

impl Class {
    pub(crate) const fn code(self) -> u8 {
        match self {
            Self::Other => 1,
            Self::Usage => 2,
            Self::NotFound => 3,
            Self::NotAuthenticated => 4,
            Self::Forbidden => 5,
            Self::Conflict => 6,
            Self::Throttled => 7,
            Self::Unavailable => 8,
            Self::NotVerified => 9,
        }
    }

    /// The class that another run of this program ended with.
    pub(crate) fn of_code(code: Option<i32>) -> Self {
        let classes = [
            Self::Usage,
            Self::NotFound,
            Self::NotAuthenticated,
            Self::Forbidden,
            Self::Conflict,
            Self::Throttled,
            Self::Unavailable,
            Self::NotVerified,
        ];
        let found = classes.into_iter().find(|class| code == Some(i32::from(class.code())));
        found.unwrap_or(Self::Other)
    }

    /// The class of what a vault answers.
    pub(crate) const fn of(kind: ErrorKind) -> Self {
        match kind {
            ErrorKind::BadParameter | ErrorKind::TooLarge => Self::Usage,
            ErrorKind::NotFound(_) | ErrorKind::DeletedNotFound(_) | ErrorKind::VaultNotFound => Self::NotFound,
            ErrorKind::Unauthorized => Self::NotAuthenticated,
            ErrorKind::ForbiddenByRbac
            | ErrorKind::PurgeProtected
            | ErrorKind::SecretDisabled
            | ErrorKind::KeyDisabled
            | ErrorKind::KeyNotYetValid
            | ErrorKind::KeyExpired
            | ErrorKind::KeyOperationForbidden => Self::Forbidden,
            ErrorKind::DeletedButRecoverable | ErrorKind::Conflict => Self::Conflict,
            ErrorKind::Throttled => Self::Throttled,
            ErrorKind::Timeout | ErrorKind::Unavailable => Self::Unavailable,
            ErrorKind::Internal => Self::Other,
        }
    }

    /// What helps, when the class alone tells.
    const fn advice(self) -> &'static str {
        match self {
            Self::NotAuthenticated => {
                "\nCheck AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET, or run `az login`; \
                 `strongroom doctor` looks at each step"
            }
            Self::Throttled => "\nTry again later",
            Self::Unavailable => "\n`strongroom doctor` tells where the way to the vault ends",
            _ => "",
        }
    }
}

/// A failure.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) class: Class,
    pub(crate) message: String,
}

impl Failure {
    pub(crate) fn new(class: Class, message: impl Into<String>) -> Self {
        Self { class, message: message.into() }
    }

    /// The command line is wrong.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::new(Class::Usage, message)
    }

    /// With more to read.
    pub(crate) fn and(mut self, more: &str) -> Self {
        self.message.push_str(more);
        self
    }

    /// About something that has a name.
    pub(crate) fn of(mut self, what: &str) -> Self {
        self.message = format!("{what}: {}", self.message);
        self
    }

    pub(crate) fn code(&self) -> ExitCode {
        ExitCode::from(self.class.code())
    }
}

impl From<String> for Failure {
    fn from(message: String) -> Self {
        Self::new(Class::Other, message)
    }
}

impl From<&str> for Failure {
    fn from(message: &str) -> Self {
        Self::new(Class::Other, message)
    }
}

impl From<KeyError> for Failure {
    fn from(fault: KeyError) -> Self {
        let class = match &fault {
            KeyError::Forbidden(_) => Class::Forbidden,
            KeyError::NotFound(_) => Class::NotFound,
            KeyError::Failed { fault, .. } => Class::of(fault.kind),
            KeyError::Deadline(_) => Class::Unavailable,
            _ => Class::Usage,
        };
        Self::new(class, fault.to_string())
    }
}

impl From<JwsError> for Failure {
    fn from(fault: JwsError) -> Self {
        match fault {
            JwsError::Key(fault) => fault.into(),
            other => Self::new(Class::NotVerified, other.to_string()),
        }
    }
}

impl From<EnvelopeError> for Failure {
    fn from(fault: EnvelopeError) -> Self {
        match fault {
            EnvelopeError::Key(fault) => fault.into(),
            EnvelopeError::Altered => Self::new(Class::NotVerified, fault.to_string()),
            other => other.to_string().into(),
        }
    }
}

impl From<OpenError> for Failure {
    fn from(fault: OpenError) -> Self {
        let class = match &fault {
            OpenError::Uri(_) | OpenError::Passphrase(_) => Class::Usage,
            OpenError::Refused(_) => Class::NotAuthenticated,
            OpenError::Unavailable(_) => Class::Unavailable,
            _ => Class::Other,
        };
        Self::new(class, fault.to_string())
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let class = Class::of(error.kind);
        Self::new(class, error.message).and(class.advice())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_in_the_help() {
        use Class::*;
        let all = [Other, Usage, NotFound, NotAuthenticated, Forbidden, Conflict, Throttled, Unavailable, NotVerified];
        for (class, expected) in all.iter().zip(1_u8..) {
            assert_eq!(class.code(), expected);
            assert!(EXIT_CODES.contains(&format!("\n  {expected}  ")), "{class:?}");
        }
    }
}
