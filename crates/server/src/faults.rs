//! What the server says of its own faults: the log has the cause, the caller what to do.

use strongroom_store::records::RecordsError;
use strongroom_wire::{Error, ErrorKind};

/// The store below did not answer.
pub(crate) fn unavailable(fault: &RecordsError) -> Error {
    tracing::error!(%fault, "the store did not answer");
    Error::new(ErrorKind::Unavailable, "The server's store is not available; try again")
}

/// Something that should not happen did.
pub(crate) fn internal(what: &str) -> Error {
    tracing::error!("{what}");
    Error::new(ErrorKind::Internal, "The server met a fault of its own; see its log")
}
