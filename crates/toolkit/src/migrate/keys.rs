//! Keys: what both vaults have of one, making it anew, and having it prove itself.

use strongroom_crypto::{CryptoError, KeySpec, PublicKey, random_bytes};
use strongroom_store::provider::{Operation, Output};
use strongroom_store::vault::{Body, Change, Listing, NewAttributes, NewVersion, Object, ObjectAttributes, Target};
use strongroom_wire::algorithms::{EncryptionAlgorithm, KeyOp, SignatureAlgorithm};
use strongroom_wire::attributes::AttributesChange;
use strongroom_wire::ids::{Kind, ObjectName};
use strongroom_wire::rotation::RotationPolicy;
use strongroom_wire::{Error, ErrorKind};

use super::{Action, Item, MigrateError, Migration, fault};

/// What the target has of a key.
pub(super) enum KeyState {
    Absent,
    /// The same but for operations, times and whether it is enabled, which come last.
    Unfinished(Box<Object>),
    /// Of the same kind and with the same attributes; the material may be another.
    Equal(Box<Object>),
    /// Something else; what.
    Other(String),
}

/// What a key showed of itself.
pub(super) enum Proof {
    Proven,
    /// It may not be used that way, or not now; why.
    Impossible(String),
    /// It is not what it should be; how.
    Wrong(String),
}

impl Migration {
    pub(super) async fn plan_key(&self, name: &ObjectName) -> Result<Item, MigrateError> {
        let (here, state) = self.key_state(name).await?;
        let versions = self.list(false, Listing::Versions(Kind::Key, name.clone())).await?.len();
        let mut remarks = Vec::new();
        let action = match state {
            KeyState::Equal(there) => {
                if public(&there)?.to_jwk() != public(&here)?.to_jwk() {
                    remarks.push("the target's key has material of its own".to_owned());
                }
                Action::Present
            }
            KeyState::Other(how) => Action::Blocked(format!("the target has another key of that name: {how}")),
            KeyState::Absent if !self.target.offers().keys.contains(&public(&here)?.spec()) => {
                Action::Blocked(format!("the target cannot make {} keys", public(&here)?.spec()))
            }
            KeyState::Unfinished(_) => Action::Finish,
            KeyState::Absent if is_hardware(&here) || !self.source.offers().backup => Action::Recreate,
            KeyState::Absent => Action::MoveOrRecreate,
        };
        if matches!(action, Action::MoveOrRecreate | Action::Recreate | Action::Finish) {
            let made_anew =
                "made anew, it has other material: what the old key signed or encrypted stays with the old key";
            remarks.push(made_anew.to_owned());
            if versions > 1 {
                let earlier = versions.saturating_sub(1);
                remarks.push(format!("{earlier} earlier versions cannot be made again with their material"));
            }
            if is_hardware(&here) && !self.target.offers().hardware_keys {
                remarks.push("it lies in hardware, and in the target it will not".to_owned());
            }
        }
        Ok(Item { kind: Kind::Key, name: name.clone(), versions, action, remarks })
    }

    /// The source's key, and what the target has.
    pub(super) async fn key_state(&self, name: &ObjectName) -> Result<(Object, KeyState), MigrateError> {
        let target = Target::latest(Kind::Key, name.clone());
        let gone = || fault(false, name.as_str(), Error::not_found(Kind::Key, name.as_str()));
        let here = self.find(false, &target).await?.ok_or_else(gone)?;
        let Some(there) = self.find(true, &target).await? else { return Ok((here, KeyState::Absent)) };
        let (wanted, found) = (public(&here)?.spec(), public(&there)?.spec());
        let tags = |object: &Object| object.tags.clone().unwrap_or_default();
        let state = if wanted != found {
            KeyState::Other(format!("it is {found}, not {wanted}"))
        } else if tags(&here) != tags(&there) {
            KeyState::Other("its tags differ".to_owned())
        } else if here.name.as_str() != there.name.as_str() {
            KeyState::Other("its name's case differs".to_owned())
        } else if !(same_use(&here, &there) && self.same_policy(name).await?) {
            // Only what nobody has touched since it was made can be ours.
            let untouched = there.attributes.enabled
                && there.attributes.not_before.is_none()
                && there.attributes.expires.is_none()
                && ops(&there).contains(&KeyOp::Sign);
            if untouched || same_use(&here, &there) {
                KeyState::Unfinished(Box::new(there))
            } else {
                KeyState::Other("its operations, times or state differ".to_owned())
            }
        } else {
            KeyState::Equal(Box::new(there))
        };
        Ok((here, state))
    }

    /// Makes a key like the source's, has it prove itself while it may do everything, and then limits
    /// it to what the source's may do.
    pub(super) async fn recreate(&self, name: &ObjectName) -> Result<Result<(), String>, MigrateError> {
        let (here, state) = self.key_state(name).await?;
        let made = match state {
            KeyState::Unfinished(made) => *made,
            KeyState::Absent => {
                let new = NewVersion::Key {
                    spec: public(&here)?.spec(),
                    hardware: self.target.offers().hardware_keys,
                    key_ops: None,
                    with: NewAttributes { attributes: AttributesChange::default(), tags: here.tags.clone() },
                };
                let made = self.target.put(&self.cx(), &here.name, new).await;
                made.map_err(|error| fault(true, name.as_str(), error))?
            }
            KeyState::Equal(_) => return Ok(Ok(())),
            KeyState::Other(how) => return Ok(Err(how)),
        };
        match self.prove(&made).await? {
            Proof::Proven => {}
            Proof::Impossible(why) | Proof::Wrong(why) => return Ok(Err(why)),
        }
        if !same_use(&here, &made) {
            let ObjectAttributes { enabled, not_before, expires, .. } = here.attributes;
            let attributes =
                AttributesChange { enabled: Some(enabled), nbf: not_before, exp: expires, exportable: None };
            let change = Change { attributes, key_ops: Some(ops(&here).to_vec()), ..Change::default() };
            let target = Target { kind: Kind::Key, name: name.clone(), version: made.version };
            let done = self.target.update(&self.cx(), &target, change).await;
            done.map_err(|error| fault(true, name.as_str(), error))?;
        }
        if !self.same_policy(name).await? {
            let policy = self.policy(false, name).await?;
            let done = self.target.set_rotation_policy(&self.cx(), name, policy).await;
            done.map_err(|error| fault(true, name.as_str(), error))?;
        }
        Ok(Ok(()))
    }

    /// Has the target's key sign, or open, something new, and checks it here with its public key.
    pub(super) async fn prove(&self, made: &Object) -> Result<Proof, MigrateError> {
        let public = public(made)?;
        let wrong = |fault: CryptoError| Proof::Wrong(format!("its public key cannot be used: {fault}"));
        let Ok(random) = random_bytes::<64>() else {
            return Ok(Proof::Impossible("there is no randomness".to_owned()));
        };
        let mut random = random.to_vec();
        let permitted = ops(made);
        let target = Target { kind: Kind::Key, name: made.name.clone(), version: made.version };
        if permitted.contains(&KeyOp::Sign) {
            let algorithm = signature_algorithm(public.spec());
            random.truncate(algorithm.digest_len());
            let signature = match self.performed(&target, Operation::Sign(algorithm, random.clone())).await? {
                Ok(signature) => signature,
                Err(why) => return Ok(why),
            };
            return Ok(match public.verify(algorithm, &random, &signature) {
                Ok(true) => Proof::Proven,
                Ok(false) => Proof::Wrong("its signature does not verify with its public key".to_owned()),
                Err(fault) => wrong(fault),
            });
        }
        let open = if permitted.contains(&KeyOp::Decrypt) {
            Operation::Decrypt
        } else if permitted.contains(&KeyOp::UnwrapKey) {
            Operation::UnwrapKey
        } else {
            return Ok(Proof::Impossible("its operations allow neither signing nor opening".to_owned()));
        };
        random.truncate(32);
        let algorithm = EncryptionAlgorithm::RsaOaep256;
        let closed = match public.encrypt(algorithm, &random) {
            Ok(closed) => closed,
            Err(fault) => return Ok(wrong(fault)),
        };
        Ok(match self.performed(&target, open(algorithm, closed)).await? {
            Ok(opened) if opened == random => Proof::Proven,
            Ok(_) => Proof::Wrong("it opens what its public key closed as something else".to_owned()),
            Err(why) => why,
        })
    }

    async fn performed(&self, key: &Target, operation: Operation) -> Result<Result<Vec<u8>, Proof>, MigrateError> {
        match self.target.perform(&self.cx(), key, operation).await {
            Ok(done) => Ok(match done.output {
                Output::Bytes(bytes) => Ok(bytes.expose().clone()),
                Output::Verified(_) => Err(Proof::Wrong("the target answered something else than asked".to_owned())),
            }),
            Err(error) => match error.kind {
                ErrorKind::KeyDisabled | ErrorKind::KeyNotYetValid | ErrorKind::KeyExpired => {
                    Ok(Err(Proof::Impossible(error.message)))
                }
                _ => Err(fault(true, key.name.as_str(), error)),
            },
        }
    }

    async fn same_policy(&self, name: &ObjectName) -> Result<bool, MigrateError> {
        if !self.target.offers().rotation || !self.source.offers().rotation {
            return Ok(true);
        }
        let (here, there) = (self.policy(false, name).await?, self.policy(true, name).await?);
        let without_times = |policy: RotationPolicy| RotationPolicy { created: None, updated: None, ..policy };
        Ok(without_times(here) == without_times(there))
    }

    async fn policy(&self, in_target: bool, name: &ObjectName) -> Result<RotationPolicy, MigrateError> {
        let vault = if in_target { &self.target } else { &self.source };
        let policy = vault.rotation_policy(&self.cx(), name).await;
        policy.map_err(|error| fault(in_target, name.as_str(), error))
    }
}

fn same_use(one: &Object, other: &Object) -> bool {
    let used = |object: &Object| {
        let mut names: Vec<&str> = ops(object).iter().map(|op| op.as_str()).collect();
        names.sort_unstable();
        let ObjectAttributes { enabled, not_before, expires, .. } = object.attributes;
        (names.join(" "), enabled, not_before, expires)
    };
    used(one) == used(other)
}

fn ops(object: &Object) -> &[KeyOp] {
    match &object.body {
        Body::Key { key_ops, .. } => key_ops,
        Body::Secret { .. } => &[],
    }
}

const fn is_hardware(object: &Object) -> bool {
    matches!(object.body, Body::Key { hardware: true, .. })
}

fn public(object: &Object) -> Result<PublicKey, MigrateError> {
    let wrong = |why: String| MigrateError {
        vault: "a vault",
        what: object.name.to_string(),
        error: Error::new(ErrorKind::Internal, why),
    };
    let Body::Key { public: Some(jwk), .. } = &object.body else {
        return Err(wrong("the key came without its public half".to_owned()));
    };
    PublicKey::from_jwk(jwk).map_err(|fault| wrong(fault.to_string()))
}

fn signature_algorithm(spec: KeySpec) -> SignatureAlgorithm {
    let fits = |algorithm: &&SignatureAlgorithm| match spec {
        KeySpec::Rsa { .. } => **algorithm == SignatureAlgorithm::PS256,
        KeySpec::Ec(curve) => algorithm.curve() == Some(curve),
    };
    SignatureAlgorithm::ALL.iter().find(fits).copied().unwrap_or(SignatureAlgorithm::PS256)
}
