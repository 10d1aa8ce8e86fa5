//! What Redis says when it does not do as asked.

use ::redis::{ErrorKind, RedisError, ServerErrorKind};
use strongroom_store::records::RecordsError;

/// Redis said, before it began, that it will be able to; or could not be reached at all.
pub(super) fn may_pass(fault: &RedisError) -> bool {
    fault.is_connection_refusal() || fault.kind() == ErrorKind::Server(ServerErrorKind::BusyLoading)
}

/// The connection broke under a command. One that got no answer in time is not asked again.
pub(super) fn is_broken(fault: &RedisError) -> bool {
    fault.is_io_error() && !fault.is_timeout()
}

pub(super) fn records(server: &str, fault: &RedisError) -> RecordsError {
    let unavailable = |what: String| RecordsError::Unavailable(format!("Redis at {server}: {what}"));
    match (fault.kind(), fault.code().unwrap_or_default()) {
        (_, "OOM") => RecordsError::Full,
        (_, "READONLY") => RecordsError::ReadOnly(format!("Redis at {server} is a replica: name the primary")),
        (_, "MISCONF") => RecordsError::ReadOnly(format!(
            "Redis at {server} cannot write to its disk and takes nothing until it can: see its log"
        )),
        (_, "NOPERM") => unavailable(format!(
            "the user may not run a command that is needed, or not on these keys ({}): give it the rules in the \
             documentation of redis: vaults",
            fault.detail().unwrap_or_default()
        )),
        (ErrorKind::AuthenticationFailed, _) | (_, "WRONGPASS" | "NOAUTH") => unavailable(
            "the user or password is not accepted: give them in the URI (redis://user@host) and in \
             password-file=FILE"
                .to_owned(),
        ),
        (_, "WRONGTYPE") => {
            unavailable("the prefix is in use for something else: choose another with prefix=".to_owned())
        }
        _ => unavailable(fault.to_string()),
    }
}

pub(super) fn damaged(key: &str) -> RecordsError {
    RecordsError::Corrupt(format!("the record {key} in Redis is not as it was written"))
}
