//! Backup and restore.

use strongroom_wire::ErrorKind;
use strongroom_wire::algorithms::SignatureAlgorithm;
use strongroom_wire::ids::Kind;
use strongroom_wire::rotation::{Duration, RotateWhen, RotationPolicy};

use super::{EC, Harness, exact, latest, refused, value};
use crate::provider::{Operation, Output};
use crate::vault::NewVersion;

pub(super) async fn restored_in_another_vault_it_is_the_same(harness: &Harness) {
    let cx = harness.cx();
    let name = harness.name("backup-secret");
    let versions = [harness.set(&name, "1").await, harness.set(&name, "2").await];
    let blob = harness.vault.backup(&cx, Kind::Secret, &name).await.unwrap();
    let restored = harness.other.restore(&cx, Kind::Secret, &blob).await.unwrap();
    assert_eq!((restored.name.as_str(), restored.version), (name.as_str(), versions[1].version));
    for made in &versions {
        let read = harness.other.get(&cx, &exact(Kind::Secret, made)).await.unwrap();
        assert_eq!((value(&read), read.attributes.created), (value(made), made.attributes.created));
    }
    refused(harness.other.restore(&cx, Kind::Secret, &blob).await, ErrorKind::Conflict);
    harness.other.delete(&cx, Kind::Secret, &name).await.unwrap();
    refused(harness.other.restore(&cx, Kind::Secret, &blob).await, ErrorKind::DeletedButRecoverable);

    let name = harness.name("backup-key");
    let first = harness.key(&name, EC).await;
    let digest = [5; 32].to_vec();
    let sign = Operation::Sign(SignatureAlgorithm::ES256, digest.clone());
    let signed = harness.vault.perform(&cx, &exact(Kind::Key, &first), sign).await.unwrap();
    let Output::Bytes(signature) = signed.output else { panic!("not a signature") };
    harness.vault.put(&cx, &name, NewVersion::RotatedKey).await.unwrap();
    let rotate = Some(RotateWhen::AfterCreate(Duration::days(30)));
    let policy = RotationPolicy { rotate, ..RotationPolicy::default() };
    harness.vault.set_rotation_policy(&cx, &name, policy).await.unwrap();
    let blob = harness.vault.backup(&cx, Kind::Key, &name).await.unwrap();
    harness.other.restore(&cx, Kind::Key, &blob).await.unwrap();
    let verify =
        Operation::Verify { algorithm: SignatureAlgorithm::ES256, digest, signature: signature.expose().clone() };
    let verdict = harness.other.perform(&cx, &exact(Kind::Key, &first), verify).await.unwrap();
    assert!(matches!(verdict.output, Output::Verified(true)), "the old version came along");
    assert_eq!(harness.other.rotation_policy(&cx, &name).await.unwrap().rotate, rotate);
}

pub(super) async fn what_is_not_a_backup_is_refused(harness: &Harness) {
    let cx = harness.cx();
    let name = harness.name("tampered");
    harness.set(&name, "1").await;
    let blob = harness.vault.backup(&cx, Kind::Secret, &name).await.unwrap();
    assert!(!blob.windows(name.as_str().len()).any(|part| part == name.as_str().as_bytes()), "the blob is sealed");
    for place in [0, 5, 6, 20, blob.len() / 2, blob.len() - 1] {
        let mut altered = blob.clone();
        altered[place] ^= 1;
        refused(harness.other.restore(&cx, Kind::Secret, &altered).await, ErrorKind::BadParameter);
    }
    for cut in [0, 1, 6, blob.len() - 1] {
        refused(harness.other.restore(&cx, Kind::Secret, &blob[..cut]).await, ErrorKind::BadParameter);
    }
    refused(harness.other.restore(&cx, Kind::Key, &blob).await, ErrorKind::BadParameter);
    refused(harness.other.get(&cx, &latest(Kind::Secret, &name)).await, ErrorKind::NotFound(Kind::Secret));
}
