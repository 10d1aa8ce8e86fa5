//! Why a ring, its store or a token was refused. Messages say what to do and quote neither tokens nor keys.

use super::state::Kid;

/// Why a store did not do as asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// Somebody else changed the ring since it was read: read it again.
    #[error("the ring was changed by another instance in the meantime")]
    Changed,
    /// There is no private key of that id here.
    #[error("the store holds no private key {0}")]
    NotFound(Kid),
    /// The credential may not do it.
    #[error("{place} refuses: the role {role} is missing; assign it to this identity")]
    Forbidden {
        /// Which store.
        place: &'static str,
        /// The role that would allow it.
        role: &'static str,
    },
    /// The credential is not accepted.
    #[error("{place} does not accept the credential: {detail}")]
    Unauthorized {
        /// Which store.
        place: &'static str,
        /// What it says.
        detail: String,
    },
    /// The store or the way to it fails; later it may work.
    #[error("{place} does not answer as it should: {detail}")]
    Unavailable {
        /// Which store.
        place: &'static str,
        /// What happened.
        detail: String,
    },
    /// What was given or found cannot be used; the text says why.
    #[error("{0}")]
    Invalid(String),
}

/// Why a ring did not do as asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RingError {
    /// All attempts met a change by somebody else.
    #[error("Another instance is currently rotating keys")]
    Busy,
    /// The active key is not retired by accident.
    #[error("the key {0} is active: rotate first, or retire it with force")]
    ActiveKey(Kid),
    /// There is no such key in the ring.
    #[error("the ring has no key {0}")]
    UnknownKey(Kid),
    /// The ring has no key to sign with.
    #[error("the ring has no active key: ensure the initial key, or rotate")]
    NoActiveKey,
    /// A token would outlive its key, or its claims are the ring's to set.
    #[error("{0}")]
    Claims(String),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Why a token is not valid. Said to strangers, so it quotes nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TokenError {
    /// It is no JWT in compact form.
    #[error("not a token")]
    Malformed,
    /// Its algorithm is not that of its key.
    #[error("the token's algorithm is not its key's")]
    Algorithm,
    /// Its key is not in the ring: retired, or never there.
    #[error("the token's key is not known")]
    UnknownKey,
    /// The signature is not that of its key.
    #[error("the token's signature is not valid")]
    Signature,
    /// It is over.
    #[error("the token has expired")]
    Expired,
    /// It is not yet valid.
    #[error("the token is not yet valid")]
    NotYetValid,
    /// Another issuer's.
    #[error("the token's issuer is another")]
    Issuer,
    /// For somebody else.
    #[error("the token's audience is another")]
    Audience,
    /// The keys could not be had, so that nothing can be said of the token.
    #[error("the keys cannot be had: {0}")]
    Unavailable(StoreError),
}
