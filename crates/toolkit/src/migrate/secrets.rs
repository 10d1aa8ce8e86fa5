//! Secrets: what both vaults have of one, and copying its versions in order.

use strongroom_store::vault::{Body, Listing, NewAttributes, NewVersion, Object, Target};
use strongroom_wire::attributes::AttributesChange;
use strongroom_wire::ids::{Kind, ObjectName, Version};
use strongroom_wire::{Error, ErrorKind, Sensitive};

use super::{Action, Item, MigrateError, Migration, fault};

/// A version that can be read.
pub(super) struct Readable {
    object: Object,
}

/// All of a secret in one vault, oldest first.
#[derive(Default)]
pub(super) struct Secret {
    pub(super) readable: Vec<Readable>,
    /// Disabled ones.
    disabled: Vec<Option<Version>>,
    latest_disabled: bool,
}

/// What the target has of it.
pub(super) enum SecretState {
    Absent,
    /// The first so many versions.
    Begun(usize),
    Equal,
    /// Something else; what.
    Other(String),
}

impl Migration {
    pub(super) async fn plan_secret(&self, name: &ObjectName) -> Result<Item, MigrateError> {
        let (here, state) = self.secret_state(name).await?;
        let versions = here.readable.len().saturating_add(here.disabled.len());
        let mut remarks = Vec::new();
        if !here.disabled.is_empty() && !matches!(state, SecretState::Equal) {
            remarks.push(format!("{} disabled versions cannot be read and are left out", here.disabled.len()));
        }
        let action = match state {
            SecretState::Equal => Action::Present,
            SecretState::Other(how) => Action::Blocked(format!("the target has another secret of that name: {how}")),
            _ if here.latest_disabled => Action::Blocked(
                "its latest version is disabled and cannot be read: enable it, or leave the secret out with --name"
                    .to_owned(),
            ),
            SecretState::Absent => Action::Copy,
            SecretState::Begun(there) => Action::Continue(there),
        };
        Ok(Item { kind: Kind::Secret, name: name.clone(), versions, action, remarks })
    }

    pub(super) async fn secret_state(&self, name: &ObjectName) -> Result<(Secret, SecretState), MigrateError> {
        let here = self.secret(false, name).await?;
        let there = self.secret(true, name).await?;
        let state = compare(&here, &there);
        Ok((here, state))
    }

    /// Copies what the target does not have yet.
    pub(super) async fn copy(&self, name: &ObjectName, there: usize) -> Result<(), MigrateError> {
        for version in self.secret(false, name).await?.readable.iter().skip(there) {
            let Body::Secret { value: Some(value), content_type } = &version.object.body else { continue };
            let attributes = &version.object.attributes;
            let attributes = AttributesChange {
                enabled: Some(attributes.enabled),
                nbf: attributes.not_before,
                exp: attributes.expires,
                exportable: None,
            };
            let new = NewVersion::Secret {
                value: Sensitive::new(value.expose().clone()),
                content_type: content_type.clone(),
                with: NewAttributes { attributes, tags: version.object.tags.clone() },
            };
            let done = self.target.put(&self.cx(), &version.object.name, new).await;
            done.map_err(|error| fault(true, name.as_str(), error))?;
        }
        Ok(())
    }

    async fn secret(&self, in_target: bool, name: &ObjectName) -> Result<Secret, MigrateError> {
        let mut secret = Secret::default();
        let listed = match self.list(in_target, Listing::Versions(Kind::Secret, name.clone())).await {
            Err(MigrateError { error: Error { kind: ErrorKind::NotFound(_), .. }, .. }) if in_target => Vec::new(),
            other => other?,
        };
        for version in listed {
            secret.latest_disabled = !version.attributes.enabled;
            if !version.attributes.enabled {
                secret.disabled.push(version.version);
                continue;
            }
            let exact = Target { kind: Kind::Secret, name: name.clone(), version: version.version };
            // Gone since it was listed: the whole secret was deleted meanwhile.
            if let Some(object) = self.find(in_target, &exact).await? {
                secret.readable.push(Readable { object });
            }
        }
        Ok(secret)
    }
}

fn compare(here: &Secret, there: &Secret) -> SecretState {
    // Restored ones have the numbers that they had; others were disabled in the target.
    let unknown = there.disabled.iter().any(|version| !here.disabled.contains(version));
    if unknown {
        return SecretState::Other("a version of it is disabled".to_owned());
    }
    if there.readable.is_empty() && there.disabled.is_empty() {
        return SecretState::Absent;
    }
    let differing = here.readable.iter().zip(&there.readable).position(|(one, other)| one.differs(other).is_some());
    if let Some(at) = differing {
        let pair = here.readable.get(at).zip(there.readable.get(at));
        let what = pair.and_then(|(one, other)| one.differs(other)).unwrap_or("content");
        return SecretState::Other(format!("the {what} of version {} differs", at.saturating_add(1)));
    }
    match there.readable.len().cmp(&here.readable.len()) {
        std::cmp::Ordering::Greater => SecretState::Other("it has more versions".to_owned()),
        std::cmp::Ordering::Equal if there.latest_disabled == here.latest_disabled => SecretState::Equal,
        std::cmp::Ordering::Equal => SecretState::Other("the latest version here is disabled".to_owned()),
        std::cmp::Ordering::Less => SecretState::Begun(there.readable.len()),
    }
}

impl Readable {
    /// The first thing in which two versions differ.
    fn differs(&self, other: &Self) -> Option<&'static str> {
        let (one, other) = (&self.object, &other.object);
        let (Body::Secret { value: a, content_type: at }, Body::Secret { value: b, content_type: bt }) =
            (&one.body, &other.body)
        else {
            return Some("kind");
        };
        let bytes = |value: &Option<Sensitive<String>>| {
            value.as_ref().map(|value| strongroom_crypto::sha256(value.expose().as_bytes()))
        };
        let same_value = match (bytes(a), bytes(b)) {
            (Some(a), Some(b)) => strongroom_crypto::constant_time_eq(&a, &b),
            _ => false,
        };
        let tags = |object: &Object| object.tags.clone().unwrap_or_default();
        [
            (!same_value, "value"),
            (at.as_deref().unwrap_or_default() != bt.as_deref().unwrap_or_default(), "content type"),
            (tags(one) != tags(other), "tags"),
            (one.attributes.not_before != other.attributes.not_before, "not-before time"),
            (one.attributes.expires != other.attributes.expires, "expiry"),
            (one.name.as_str() != other.name.as_str(), "name's case"),
        ]
        .into_iter()
        .find_map(|(differs, what)| differs.then_some(what))
    }
}
