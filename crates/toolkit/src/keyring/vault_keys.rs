//! Private keys of a ring as keys in a vault, where they stay.

use std::sync::Arc;

use strongroom_store::clock::Clock;
use strongroom_store::provider::{Operation, Output};
use strongroom_store::vault::{Body, Listing, NewAttributes, NewVersion, Target, list_all};
use strongroom_store::{Cx, Time, Vault};
use strongroom_wire::algorithms::{KeyOp, SignatureAlgorithm};
use strongroom_wire::attributes::Tags;
use strongroom_wire::ids::{Kind, ObjectName};
use strongroom_wire::jwk::PublicJwk;
use strongroom_wire::{Error, ErrorKind};

use super::error::StoreError;
use super::state::{Kid, spec_of};

/// What errors call it.
const PLACE: &str = "the vault of the signing keys";

/// Makes, uses and deletes all of them.
const ROLE: &str = "Key Vault Crypto Officer";

/// Keys of a vault whose names begin alike.
#[derive(Clone)]
pub(super) struct VaultKeys {
    vault: Arc<dyn Vault>,
    clock: Arc<dyn Clock>,
    prefix: String,
}

impl VaultKeys {
    pub(super) fn new(vault: Arc<dyn Vault>, clock: Arc<dyn Clock>, prefix: &str) -> Self {
        Self { vault, clock, prefix: prefix.to_owned() }
    }

    pub(super) async fn make(&self, kid: &Kid, algorithm: SignatureAlgorithm) -> Result<PublicJwk, StoreError> {
        let tags = Tags::from([("alg".to_owned(), algorithm.to_string())]);
        let new = NewVersion::Key {
            spec: spec_of(algorithm)?,
            hardware: false,
            key_ops: Some(vec![KeyOp::Sign, KeyOp::Verify]),
            with: NewAttributes { tags: Some(tags), ..NewAttributes::default() },
        };
        let made = self.vault.put(&self.cx(), &self.name(kid)?, new).await.map_err(|error| fault(kid, error))?;
        public_of(made.body)
    }

    pub(super) async fn public(&self, kid: &Kid) -> Result<PublicJwk, StoreError> {
        let object = self.vault.get(&self.cx(), &self.target(kid)?).await.map_err(|error| fault(kid, error))?;
        public_of(object.body)
    }

    pub(super) async fn sign(
        &self,
        kid: &Kid,
        algorithm: SignatureAlgorithm,
        digest: Vec<u8>,
    ) -> Result<Vec<u8>, StoreError> {
        let operation = Operation::Sign(algorithm, digest);
        let performed = self.vault.perform(&self.cx(), &self.target(kid)?, operation).await;
        match performed.map_err(|error| fault(kid, error))?.output {
            Output::Bytes(signature) => Ok(signature.expose().clone()),
            Output::Verified(_) => Err(StoreError::Invalid(format!("{PLACE} answered without a signature"))),
        }
    }

    pub(super) async fn destroy(&self, kid: &Kid) -> Result<(), StoreError> {
        match self.vault.delete(&self.cx(), Kind::Key, &self.name(kid)?).await {
            Ok(_) => Ok(()),
            Err(error) if matches!(error.kind, ErrorKind::NotFound(_)) => Ok(()),
            Err(error) => Err(fault(kid, error)),
        }
    }

    /// The kids of all keys made before `before`.
    pub(super) async fn list(&self, before: Time) -> Result<Vec<Kid>, StoreError> {
        let all = list_all(&*self.vault, &self.cx(), &Listing::Live(Kind::Key)).await.map_err(vault_fault)?;
        let old = all.into_iter().filter(|item| item.attributes.created < before.seconds());
        Ok(old.filter_map(|item| Kid::parse(item.name.as_str().strip_prefix(&self.prefix)?)).collect())
    }

    /// Asks for what cannot be, so that nothing changes: who may not is refused before that is seen.
    pub(super) async fn check_access(&self) -> Result<(), StoreError> {
        let kid = Kid::random().map_err(|fault| StoreError::Invalid(fault.to_string()))?;
        match self.sign(&kid, SignatureAlgorithm::ES256, vec![0; 32]).await {
            Ok(_) | Err(StoreError::NotFound(_)) => {}
            Err(fault) => return Err(fault),
        }
        self.destroy(&kid).await
    }

    fn target(&self, kid: &Kid) -> Result<Target, StoreError> {
        Ok(Target::latest(Kind::Key, self.name(kid)?))
    }

    fn name(&self, kid: &Kid) -> Result<ObjectName, StoreError> {
        ObjectName::parse(&format!("{}{kid}", self.prefix)).map_err(|_unusable| {
            StoreError::Invalid("Azure:KeyVault:KeyPrefix: at most 95 letters, digits and hyphens".to_owned())
        })
    }

    fn cx(&self) -> Cx {
        Cx::system(self.clock.now())
    }
}

fn public_of(body: Body) -> Result<PublicJwk, StoreError> {
    match body {
        Body::Key { public: Some(public), .. } => Ok(public),
        _ => Err(StoreError::Invalid(format!("{PLACE} answered without a public key"))),
    }
}

fn fault(kid: &Kid, error: Error) -> StoreError {
    match error.kind {
        ErrorKind::NotFound(_) => StoreError::NotFound(kid.clone()),
        _ => vault_fault(error),
    }
}

fn vault_fault(error: Error) -> StoreError {
    match error.kind {
        ErrorKind::ForbiddenByRbac => StoreError::Forbidden { place: PLACE, role: ROLE },
        ErrorKind::Unauthorized => StoreError::Unauthorized { place: PLACE, detail: error.message },
        ErrorKind::Throttled
        | ErrorKind::Unavailable
        | ErrorKind::Internal
        | ErrorKind::Timeout
        | ErrorKind::VaultNotFound => StoreError::Unavailable { place: PLACE, detail: error.message },
        _ => StoreError::Invalid(format!("{PLACE}: {}", error.message)),
    }
}
