//! Not found, delete, recover, purge.

use strongroom_wire::ErrorKind;
use strongroom_wire::ids::{Kind, ObjectName, Version};

use super::{EC, Harness, exact, latest, refused, secret, value};
use crate::vault::{Change, Listing, NewVersion, Object, Target};

fn new(harness: &Harness, kind: Kind) -> NewVersion {
    match kind {
        Kind::Secret => secret("1"),
        Kind::Key => harness.new_key(EC),
    }
}

async fn make(harness: &Harness, kind: Kind, name: &ObjectName) -> Object {
    harness.vault.put(&harness.cx(), name, new(harness, kind)).await.unwrap()
}

pub(super) async fn what_is_not_there_is_not_found(harness: &Harness) {
    let cx = harness.cx();
    let vault = &harness.vault;
    for kind in Kind::ALL.iter().copied() {
        let name = harness.name("missing");
        let not_found = ErrorKind::NotFound(kind);
        refused(vault.get(&cx, &latest(kind, &name)).await, not_found);
        refused(vault.update(&cx, &latest(kind, &name), Change::default()).await, not_found);
        refused(vault.delete(&cx, kind, &name).await, not_found);
        refused(vault.backup(&cx, kind, &name).await, not_found);
        refused(vault.list(&cx, &Listing::Versions(kind, name.clone()), 5, None).await, not_found);
        let deleted_not_found = ErrorKind::DeletedNotFound(kind);
        refused(vault.get_deleted(&cx, kind, &name).await, deleted_not_found);
        refused(vault.recover(&cx, kind, &name).await, deleted_not_found);
        refused(vault.purge(&cx, kind, &name).await, deleted_not_found);
        make(harness, kind, &name).await;
        let other_version = Target { kind, name: name.clone(), version: Some(Version::from_bits(7)) };
        refused(vault.get(&cx, &other_version).await, not_found);
        refused(vault.update(&cx, &other_version, Change::default()).await, not_found);
        refused(vault.purge(&cx, kind, &name).await, deleted_not_found);
    }
    let name = harness.name("missing");
    refused(vault.rotation_policy(&cx, &name).await, ErrorKind::NotFound(Kind::Key));
    refused(vault.put(&cx, &name, NewVersion::RotatedKey).await, ErrorKind::NotFound(Kind::Key));
}

pub(super) async fn delete_hides_and_blocks_the_name(harness: &Harness) {
    let cx = harness.cx();
    for kind in Kind::ALL.iter().copied() {
        let name = harness.name("deleted");
        let made = make(harness, kind, &name).await;
        let deleted = harness.vault.delete(&cx, kind, &name).await.unwrap();
        let deletion = deleted.deletion.unwrap();
        assert_eq!(deleted.version, made.version);
        let kept = i64::from(deleted.attributes.recovery.retention_days) * 86_400;
        assert_eq!(deletion.scheduled_purge - deletion.deleted, kept);
        refused(harness.vault.get(&cx, &latest(kind, &name)).await, ErrorKind::NotFound(kind));
        refused(harness.vault.delete(&cx, kind, &name).await, ErrorKind::NotFound(kind));
        refused(harness.vault.put(&cx, &name, new(harness, kind)).await, ErrorKind::DeletedButRecoverable);
        let shown = harness.vault.get_deleted(&cx, kind, &name).await.unwrap();
        assert_eq!((shown.deletion, shown.version), (Some(deletion), made.version));
        let is_it = |object: &Object| object.name == name;
        assert!(harness.list(&Listing::Deleted(kind), 25).await.iter().any(is_it));
        assert!(!harness.list(&Listing::Live(kind), 25).await.iter().any(is_it));
    }
}

pub(super) async fn recover_brings_all_versions_back(harness: &Harness) {
    let name = harness.name("recovered");
    let cx = harness.cx();
    let first = harness.set(&name, "1").await;
    let second = harness.set(&name, "2").await;
    harness.vault.delete(&cx, Kind::Secret, &name).await.unwrap();
    let recovered = harness.vault.recover(&cx, Kind::Secret, &name).await.unwrap();
    assert_eq!((recovered.version, recovered.deletion), (second.version, None));
    for made in [&first, &second] {
        let read = harness.vault.get(&cx, &exact(Kind::Secret, made)).await.unwrap();
        assert_eq!((value(&read), &read.attributes), (value(made), &made.attributes));
    }
    refused(harness.vault.get_deleted(&cx, Kind::Secret, &name).await, ErrorKind::DeletedNotFound(Kind::Secret));
}

pub(super) async fn purge_is_final(harness: &Harness) {
    let cx = harness.cx();
    for kind in Kind::ALL.iter().copied() {
        let name = harness.name("purged");
        let old = make(harness, kind, &name).await;
        harness.vault.delete(&cx, kind, &name).await.unwrap();
        harness.vault.purge(&cx, kind, &name).await.unwrap();
        refused(harness.vault.get_deleted(&cx, kind, &name).await, ErrorKind::DeletedNotFound(kind));
        refused(harness.vault.recover(&cx, kind, &name).await, ErrorKind::DeletedNotFound(kind));
        make(harness, kind, &name).await;
        assert_eq!(harness.list(&Listing::Versions(kind, name), 25).await.len(), 1);
        refused(harness.vault.get(&cx, &exact(kind, &old)).await, ErrorKind::NotFound(kind));
    }
}
