//! From the vault's objects to the protocol's bodies.

use strongroom_store::vault::{Body, Deletion, Object, ObjectAttributes};
use strongroom_wire::attributes::{Attributes, DeletedFields, Tags};
use strongroom_wire::ids::{Kind, Version, object_id};
use strongroom_wire::keys::{KeyBundle, KeyItem, KeyMember};
use strongroom_wire::secrets::SecretBundle;
use strongroom_wire::{Error, ErrorKind};

/// A `SecretBundle` or `DeletedSecretBundle`: with its version in the id.
///
/// # Errors
/// `Internal` when the object is not a secret.
pub fn secret_bundle(base: &str, object: Object) -> Result<SecretBundle, Error> {
    let version = object.version;
    secret(base, object, version)
}

/// A `SecretItem`: with its version in the id only in lists of versions.
///
/// # Errors
/// `Internal` when the object is not a secret.
pub fn secret_item(base: &str, object: Object, with_version: bool) -> Result<SecretBundle, Error> {
    let version = object.version.filter(|_| with_version);
    let tags = listed(object.tags.clone());
    Ok(SecretBundle { tags, ..secret(base, object, version)? })
}

fn secret(base: &str, object: Object, version: Option<Version>) -> Result<SecretBundle, Error> {
    let Body::Secret { content_type, value } = object.body else { return Err(wrong_kind()) };
    Ok(SecretBundle {
        value,
        id: object_id(base, Kind::Secret.collection(), &object.name, version),
        content_type,
        attributes: attributes(&object.attributes, false),
        deleted: deleted(base, Kind::Secret, object.name.as_str(), object.deletion),
        tags: object.tags,
    })
}

/// A `KeyBundle` or `DeletedKeyBundle`.
///
/// # Errors
/// `Internal` when the object is not a key.
pub fn key_bundle(base: &str, object: Object) -> Result<KeyBundle, Error> {
    let Body::Key { public: Some(public), key_ops, hardware } = object.body else { return Err(wrong_kind()) };
    let kid = object_id(base, Kind::Key.collection(), &object.name, object.version);
    let key_ops = key_ops.into_iter().map(|op| op.to_string()).collect();
    Ok(KeyBundle {
        key: KeyMember::new(kid, &public, hardware, key_ops),
        attributes: attributes(&object.attributes, true),
        deleted: deleted(base, Kind::Key, object.name.as_str(), object.deletion),
        tags: object.tags,
    })
}

/// A `KeyItem`: with its version in the id only in lists of versions.
#[must_use]
pub fn key_item(base: &str, object: Object, with_version: bool) -> KeyItem {
    let version = object.version.filter(|_| with_version);
    KeyItem {
        kid: object_id(base, Kind::Key.collection(), &object.name, version),
        attributes: attributes(&object.attributes, true),
        deleted: deleted(base, Kind::Key, object.name.as_str(), object.deletion),
        tags: listed(object.tags),
    }
}

/// Programs call `tags.get(...)` on every listed item, so items always have the member.
fn listed(tags: Option<Tags>) -> Option<Tags> {
    Some(tags.unwrap_or_default())
}

fn attributes(attributes: &ObjectAttributes, of_key: bool) -> Attributes {
    Attributes {
        enabled: attributes.enabled,
        nbf: attributes.not_before,
        exp: attributes.expires,
        created: attributes.created,
        updated: attributes.updated,
        recovery_level: attributes.recovery.level().to_owned(),
        recoverable_days: attributes.recovery.retention_days,
        exportable: of_key.then_some(false),
        hsm_platform: of_key.then(|| "0".to_owned()),
    }
}

fn deleted(base: &str, kind: Kind, name: &str, deletion: Option<Deletion>) -> Option<DeletedFields> {
    deletion.map(|deletion| DeletedFields {
        recovery_id: format!("{base}/{}/{name}", kind.deleted_collection()),
        deleted_date: deletion.deleted,
        scheduled_purge_date: deletion.scheduled_purge,
    })
}

fn wrong_kind() -> Error {
    Error::new(ErrorKind::Internal, "The server met a fault of its own; see its log")
}
