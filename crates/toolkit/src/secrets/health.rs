//! Is the vault there? One request for a list, which reads no secret and leaves none read in the
//! vault's log.

use strongroom_store::vault::Listing;
use strongroom_store::{Cx, Vault};
use strongroom_wire::ErrorKind;
use strongroom_wire::ids::Kind;

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Health {
    /// In one word.
    pub status: HealthStatus,
    /// In a few.
    pub message: String,
}

/// In one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HealthStatus {
    /// It answers.
    Healthy,
    /// It answers, and does not let us list: secrets may still be read.
    Degraded,
    /// It does not answer, or not to us.
    Unhealthy,
}

impl HealthStatus {
    /// `healthy`, `degraded` or `unhealthy`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Healthy => "healthy",
            Self::Degraded => "degraded",
            Self::Unhealthy => "unhealthy",
        }
    }
}

pub(super) async fn check(vault: &dyn Vault, cx: &Cx) -> Health {
    let (status, message) = match vault.list(cx, &Listing::Live(Kind::Secret), 1, None).await {
        Ok(_) => (HealthStatus::Healthy, "Connected".to_owned()),
        Err(fault) => match fault.kind {
            ErrorKind::ForbiddenByRbac => (HealthStatus::Degraded, "Connected, but not allowed to list".to_owned()),
            ErrorKind::Unauthorized => (HealthStatus::Unhealthy, "Auth failed".to_owned()),
            ErrorKind::Throttled => (HealthStatus::Degraded, "Connected, but throttled".to_owned()),
            _ => (HealthStatus::Unhealthy, format!("Not reachable: {}", fault.message)),
        },
    };
    Health { status, message }
}
