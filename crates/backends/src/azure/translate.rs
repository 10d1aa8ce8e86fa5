//! Between the protocol's bodies and the vault's objects, both ways, and from statuses to errors.

use strongroom_crypto::KeySpec;
use strongroom_store::vault::{
    Body, Change, Cursor, Deletion, NewAttributes, NewVersion, Object, ObjectAttributes, Target,
};
use strongroom_wire::algorithms::{Curve, KeyOp};
use strongroom_wire::attributes::{Attributes, AttributesChange, DeletedFields, Recovery};
use strongroom_wire::error::ErrorBody;
use strongroom_wire::ids::{Kind, parse_object_id};
use strongroom_wire::jwk::PublicJwk;
use strongroom_wire::keys::{KeyBundle, KeyCreate, KeyImport, KeyItem, KeyMember, KeyUpdate};
use strongroom_wire::rotation::{RotationPolicy, RotationPolicyBody};
use strongroom_wire::secrets::{SecretBundle, SecretSet, SecretUpdate};
use strongroom_wire::{Error, ErrorKind};

/// What a request is about: tells errors with the same code apart.
#[derive(Debug, Clone, Copy)]
pub(super) struct Subject {
    pub(super) kind: Kind,
    pub(super) in_deleted: bool,
}

impl Subject {
    pub(super) const fn live(target: &Target) -> Self {
        Self { kind: target.kind, in_deleted: false }
    }

    pub(super) const fn deleted(kind: Kind) -> Self {
        Self { kind, in_deleted: true }
    }
}

/// The error that an answer stands for.
pub(super) fn error(status: u16, answer: &[u8], subject: Subject) -> Error {
    let body: Option<ErrorBody> = serde_json::from_slice(answer).ok();
    let detail = body.map(|body| body.error);
    let inner = detail.as_ref().and_then(|detail| detail.innererror.as_ref()).map_or("", |inner| inner.code.as_str());
    let kind = match (status, inner) {
        (400, _) => ErrorKind::BadParameter,
        (401, _) => ErrorKind::Unauthorized,
        (403, "SecretDisabled") => ErrorKind::SecretDisabled,
        (403, "KeyDisabled") => ErrorKind::KeyDisabled,
        (403, "KeyNotYetValid") => ErrorKind::KeyNotYetValid,
        (403, "KeyExpired") => ErrorKind::KeyExpired,
        (403, "KeyOperationForbidden") => ErrorKind::KeyOperationForbidden,
        (403, "") => ErrorKind::PurgeProtected,
        (403, _) => ErrorKind::ForbiddenByRbac,
        (404, _) => match detail.as_ref().map(|detail| detail.code.as_str()) {
            Some("VaultNotFound") => ErrorKind::VaultNotFound,
            _ if subject.in_deleted => ErrorKind::DeletedNotFound(subject.kind),
            _ => ErrorKind::NotFound(subject.kind),
        },
        (409, "ObjectIsDeletedButRecoverable") => ErrorKind::DeletedButRecoverable,
        (409, _) => ErrorKind::Conflict,
        (413, _) => ErrorKind::TooLarge,
        (429, _) => ErrorKind::Throttled,
        (408 | 502 | 503 | 504, _) => ErrorKind::Unavailable,
        _ => ErrorKind::Internal,
    };
    let message = detail.map_or_else(|| format!("The vault answered with status {status}"), |detail| detail.message);
    Error::new(kind, message)
}

/// The server did what the protocol does not know.
pub(super) fn unexpected(what: &str) -> Error {
    Error::new(ErrorKind::Internal, format!("The vault sent {what}"))
}

/// Where a next link leads: its query, without the api-version, which is ours to say.
pub(super) fn cursor(next_link: &str) -> Option<Cursor> {
    let (_, query) = next_link.split_once('?')?;
    let kept = query.split('&').filter(|pair| !pair.to_ascii_lowercase().starts_with("api-version="));
    Some(Cursor(kept.collect::<Vec<_>>().join("&")))
}

pub(super) fn secret_object(bundle: SecretBundle) -> Result<Object, Error> {
    let (_, name, version) = parse_object_id(&bundle.id)?;
    Ok(Object {
        name,
        version,
        attributes: attributes(&bundle.attributes),
        tags: bundle.tags,
        body: Body::Secret { content_type: bundle.content_type, value: bundle.value },
        deletion: bundle.deleted.as_ref().map(deletion),
    })
}

pub(super) fn key_object(bundle: KeyBundle) -> Result<Object, Error> {
    let (_, name, version) = parse_object_id(&bundle.key.kid)?;
    let hardware = bundle.key.kty.ends_with("-HSM");
    let key_ops = bundle.key.key_ops.iter().map(|op| KeyOp::parse(op)).collect::<Result<_, _>>()?;
    Ok(Object {
        name,
        version,
        attributes: attributes(&bundle.attributes),
        tags: bundle.tags,
        body: Body::Key { public: Some(public(bundle.key)?), key_ops, hardware },
        deletion: bundle.deleted.as_ref().map(deletion),
    })
}

pub(super) fn key_item(item: KeyItem) -> Result<Object, Error> {
    let (_, name, version) = parse_object_id(&item.kid)?;
    Ok(Object {
        name,
        version,
        attributes: attributes(&item.attributes),
        tags: item.tags,
        body: Body::Key { public: None, key_ops: Vec::new(), hardware: false },
        deletion: item.deleted.as_ref().map(deletion),
    })
}

fn public(key: KeyMember) -> Result<PublicJwk, Error> {
    let incomplete = || unexpected("a key without its public half");
    match key.kty.strip_suffix("-HSM").unwrap_or(&key.kty) {
        "RSA" => Ok(PublicJwk::Rsa { n: key.n.ok_or_else(incomplete)?, e: key.e.ok_or_else(incomplete)? }),
        "EC" => Ok(PublicJwk::Ec {
            crv: Curve::parse(key.crv.as_deref().unwrap_or_default())?,
            x: key.x.ok_or_else(incomplete)?,
            y: key.y.ok_or_else(incomplete)?,
        }),
        _ => Err(unexpected("a key of an unknown type")),
    }
}

fn attributes(attributes: &Attributes) -> ObjectAttributes {
    ObjectAttributes {
        enabled: attributes.enabled,
        not_before: attributes.nbf,
        expires: attributes.exp,
        created: attributes.created,
        updated: attributes.updated,
        recovery: Recovery::from_wire(&attributes.recovery_level, attributes.recoverable_days),
    }
}

const fn deletion(fields: &DeletedFields) -> Deletion {
    Deletion { deleted: fields.deleted_date, scheduled_purge: fields.scheduled_purge_date }
}

/// The request for a new version.
#[expect(clippy::large_enum_variant, reason = "one a request")]
pub(super) enum Put {
    Secret(SecretSet),
    Create(KeyCreate),
    Import(KeyImport),
    Rotate,
}

pub(super) fn to_wire(new: NewVersion) -> Result<Put, Error> {
    let typed = |family: &str, hardware: bool| if hardware { format!("{family}-HSM") } else { family.to_owned() };
    Ok(match new {
        NewVersion::Secret { value, content_type, with: NewAttributes { attributes, tags } } => {
            Put::Secret(SecretSet { value: Some(value), content_type, attributes: sent(attributes), tags })
        }
        NewVersion::Key { spec, hardware, key_ops, with: NewAttributes { attributes, tags } } => {
            let (family, key_size, crv) = match spec {
                KeySpec::Rsa { bits } => ("RSA", Some(bits), None),
                KeySpec::Ec(curve) => ("EC", None, Some(curve.to_string())),
            };
            Put::Create(KeyCreate {
                kty: Some(typed(family, hardware)),
                key_size,
                crv,
                key_ops: names(key_ops),
                attributes: sent(attributes),
                tags,
                ..KeyCreate::default()
            })
        }
        NewVersion::ImportedKey { mut jwk, hardware, key_ops, with: NewAttributes { attributes, tags } } => {
            jwk.key_ops = names(key_ops);
            Put::Import(KeyImport {
                key: Some(jwk),
                hsm: hardware.then_some(true),
                attributes: sent(attributes),
                tags,
                release_policy: None,
            })
        }
        NewVersion::RotatedKey => Put::Rotate,
    })
}

pub(super) fn secret_update(change: Change) -> SecretUpdate {
    SecretUpdate { content_type: change.content_type, attributes: sent(change.attributes), tags: change.tags }
}

pub(super) fn key_update(change: Change) -> KeyUpdate {
    KeyUpdate {
        key_ops: names(change.key_ops),
        attributes: sent(change.attributes),
        tags: change.tags,
        release_policy: None,
    }
}

/// A policy as the server tells it. What it says of times is taken over, not judged.
pub(super) fn policy(body: &RotationPolicyBody) -> Result<RotationPolicy, Error> {
    let times = body.attributes.clone().unwrap_or_default();
    Ok(RotationPolicy { created: times.created, updated: times.updated, ..RotationPolicy::from_wire(body)? })
}

fn names(key_ops: Option<Vec<KeyOp>>) -> Option<Vec<String>> {
    key_ops.map(|ops| ops.into_iter().map(|op| op.to_string()).collect())
}

fn sent(attributes: AttributesChange) -> Option<AttributesChange> {
    (attributes != AttributesChange::default()).then_some(attributes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursors_never_name_a_host() {
        let cursor = cursor("https://evil.example/keys?api-version=7.4&$skiptoken=YQ&maxresults=3").unwrap();
        assert_eq!(cursor.0, "$skiptoken=YQ&maxresults=3");
    }

    #[test]
    fn statuses_and_codes_become_kinds() {
        let of = |status, inner: &str, in_deleted| {
            let body = format!(r#"{{"error":{{"code":"X","message":"m","innererror":{{"code":"{inner}"}}}}}}"#);
            error(status, body.as_bytes(), Subject { kind: Kind::Key, in_deleted }).kind
        };
        assert_eq!(of(404, "", false), ErrorKind::NotFound(Kind::Key));
        assert_eq!(of(404, "", true), ErrorKind::DeletedNotFound(Kind::Key));
        assert_eq!(of(409, "ObjectIsDeletedButRecoverable", false), ErrorKind::DeletedButRecoverable);
        assert_eq!(of(403, "ForbiddenByRbac", false), ErrorKind::ForbiddenByRbac);
        assert_eq!(of(403, "KeyDisabled", false), ErrorKind::KeyDisabled);
        assert_eq!(error(500, b"<html>", Subject::deleted(Kind::Key)).kind, ErrorKind::Internal);
    }
}
