//! Using keys.

use std::sync::Arc;

use strongroom_wire::algorithms::KeyOp;
use strongroom_wire::ids::{Kind, Version};
use strongroom_wire::{Error, ErrorKind, Sensitive};

use super::layout::{StoredBody, StoredKey, StoredVersion};
use super::{Engine, internal, provider_error};
use crate::cx::{Cx, Time};
use crate::provider::{KeyProvider, LoadedKey, Operation};
use crate::records::Records;
use crate::vault::{Performed, Target};

impl Operation {
    /// The `key_ops` value that permits it.
    #[must_use]
    pub const fn key_op(&self) -> KeyOp {
        match self {
            Self::Encrypt(..) => KeyOp::Encrypt,
            Self::Decrypt(..) => KeyOp::Decrypt,
            Self::Sign(..) => KeyOp::Sign,
            Self::Verify { .. } => KeyOp::Verify,
            Self::WrapKey(..) => KeyOp::WrapKey,
            Self::UnwrapKey(..) => KeyOp::UnwrapKey,
        }
    }
}

impl<R: Records, P: KeyProvider> Engine<R, P> {
    pub(super) async fn use_key(&self, cx: &Cx, target: &Target, operation: Operation) -> Result<Performed, Error> {
        let target = Target { kind: Kind::Key, ..target.clone() };
        let (head, version, stored) = self.look_at_key(&target).await?;
        check_use(&stored, operation.key_op(), cx.now)?;
        let StoredBody::Key(key) = &stored.body else {
            return Err(internal("a key's record holds no key", &target.name));
        };
        let loaded = self.loaded(&target, version, key).await?;
        let output = loaded.perform(operation).await.map_err(provider_error)?;
        Ok(Performed { name: head.name.clone(), version, output })
    }

    async fn loaded(&self, target: &Target, version: Version, key: &StoredKey) -> Result<Arc<dyn LoadedKey>, Error> {
        let id = (self.vault.clone(), target.name.folded(), version);
        if let Some(loaded) = self.shared.loaded.get(&id) {
            return Ok(loaded);
        }
        let handle = Sensitive::new(key.handle.expose().0.clone());
        let loaded = self.custodian(key.hardware)?.0.load(&handle).await.map_err(provider_error)?;
        self.shared.loaded.insert(id, Arc::clone(&loaded));
        Ok(loaded)
    }
}

/// `enabled`, `nbf`, `exp` and `key_ops`. Outside its time a key still decrypts, unwraps and
/// verifies: what was made with it stays readable.
fn check_use(stored: &StoredVersion, operation: KeyOp, now: Time) -> Result<(), Error> {
    if !stored.enabled {
        return Err(Error::new(
            ErrorKind::KeyDisabled,
            format!("Operation {operation} is not allowed on a disabled key."),
        ));
    }
    let now = now.seconds();
    if matches!(operation, KeyOp::Encrypt | KeyOp::Sign | KeyOp::WrapKey) {
        if stored.nbf.is_some_and(|nbf| now < nbf) {
            return Err(Error::new(
                ErrorKind::KeyNotYetValid,
                format!("Operation {operation} is not allowed on a key that is not yet valid."),
            ));
        }
        if stored.exp.is_some_and(|exp| now >= exp) {
            return Err(Error::new(
                ErrorKind::KeyExpired,
                format!("Operation {operation} is not allowed on an expired key."),
            ));
        }
    }
    match &stored.body {
        StoredBody::Key(key) if key.key_ops.contains(&operation) => Ok(()),
        _ => Err(Error::new(
            ErrorKind::KeyOperationForbidden,
            format!("Operation {operation} is not permitted on this key."),
        )),
    }
}
