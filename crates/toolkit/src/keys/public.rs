//! Public keys that have been seen: per version for ever, and for a while which version is the
//! latest.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use strongroom_crypto::PublicKey;
use strongroom_store::Time;
use strongroom_wire::ids::Version;

/// Versions of one key that are remembered. More than a key has in practice; a bound all the same.
const VERSIONS: usize = 1_000;

#[derive(Default)]
pub(super) struct Seen(Mutex<State>);

#[derive(Default)]
struct State {
    versions: HashMap<Version, PublicKey>,
    latest: Option<(Version, Time)>,
}

impl Seen {
    pub(super) fn version(&self, version: Version) -> Option<PublicKey> {
        self.state().versions.get(&version).cloned()
    }

    /// The latest version and when that was learned.
    pub(super) fn latest(&self) -> Option<(Version, Time)> {
        self.state().latest
    }

    pub(super) fn remember(&self, version: Version, key: PublicKey) {
        let mut state = self.state();
        if state.versions.len() >= VERSIONS {
            state.versions.clear();
        }
        state.versions.insert(version, key);
    }

    pub(super) fn set_latest(&self, version: Version, now: Time) {
        self.state().latest = Some((version, now));
    }

    pub(super) fn forget_latest(&self) {
        self.state().latest = None;
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
