//! The key operations that do not use a key.

use std::collections::HashMap;

use azure_core::time::{Duration, OffsetDateTime};
use azure_security_keyvault_keys::models::*;
use azure_security_keyvault_keys::{KeyClient, ResourceExt as _};
use futures::TryStreamExt as _;

use crate::clients::{keys, keys_of, name, other_vault};
use crate::independent;

pub async fn create(client: &KeyClient, name: &str, parameters: CreateKeyParameters) -> Key {
    client.create_key(name, parameters.try_into().unwrap(), None).await.unwrap().into_model().unwrap()
}

pub fn ec(curve: CurveName) -> CreateKeyParameters {
    CreateKeyParameters { kty: Some(KeyType::Ec), curve: Some(curve), ..Default::default() }
}

pub fn rsa(size: i32) -> CreateKeyParameters {
    CreateKeyParameters { kty: Some(KeyType::Rsa), key_size: Some(size), ..Default::default() }
}

pub fn version(key: &Key) -> String {
    key.resource_id().unwrap().version.unwrap()
}

async fn get(client: &KeyClient, name: &str, version: Option<String>) -> Key {
    let options = KeyClientGetKeyOptions { key_version: version, ..Default::default() };
    client.get_key(name, Some(options)).await.unwrap().into_model().unwrap()
}

pub async fn create_get_update() {
    let (client, name) = (keys(), name("create"));
    let tags = HashMap::from([("a".to_owned(), "b".to_owned())]);
    let made = create(&client, &name, CreateKeyParameters { tags: Some(tags), ..rsa(2048) }).await;
    let jwk = made.key.clone().unwrap();
    assert_eq!(jwk.n.as_ref().unwrap().len(), 256);
    assert_eq!(jwk.e.as_deref(), Some(&[1, 0, 1][..]));
    assert!(jwk.d.is_none() && jwk.p.is_none());
    assert_eq!(jwk.key_ops.as_ref().unwrap().len(), 6);
    let read = get(&client, &name, None).await;
    assert_eq!((version(&read), read.key.unwrap().n), (version(&made), jwk.n));
    let expires = OffsetDateTime::now_utc().replace_nanosecond(0).unwrap() + Duration::days(30);
    let change = UpdateKeyPropertiesParameters {
        key_ops: Some(vec![KeyOperation::Verify]),
        key_attributes: Some(KeyAttributes { expires: Some(expires), ..Default::default() }),
        ..Default::default()
    };
    client.update_key_properties(&name, change.try_into().unwrap(), None).await.unwrap();
    let changed = get(&client, &name, Some(version(&made))).await;
    assert_eq!(changed.key.unwrap().key_ops, Some(vec!["verify".to_owned()]));
    assert_eq!(changed.attributes.unwrap().expires, Some(expires));
    assert_eq!(changed.tags.unwrap()["a"], "b");
}

pub async fn import() {
    let (client, name) = (keys(), name("import"));
    let own = independent::p256_key();
    let parameters = ImportKeyParameters { key: Some(independent::p256_jwk(&own)), ..Default::default() };
    client.import_key(&name, parameters.try_into().unwrap(), None).await.unwrap();
    let digest = independent::digest(32, b"imported");
    let sign = SignParameters { algorithm: Some(SignatureAlgorithm::Es256), value: Some(digest.clone()) };
    let signed: KeyOperationResult =
        client.sign(&name, sign.try_into().unwrap(), None).await.unwrap().into_model().unwrap();
    independent::verify_p256(&own, &digest, &signed.result.unwrap());
    let own = rsa::RsaPrivateKey::new(&mut rand::thread_rng(), 2048).unwrap();
    let parameters = ImportKeyParameters { key: Some(independent::rsa_jwk(&own)), ..Default::default() };
    let imported: Key =
        client.import_key(&name, parameters.try_into().unwrap(), None).await.unwrap().into_model().unwrap();
    assert_eq!(imported.key.unwrap().n, independent::rsa_jwk(&own).n);
}

pub async fn versions_and_pages() {
    let client = keys_of(&other_vault());
    for number in 0..12 {
        create(&client, &format!("k{number}"), ec(CurveName::P256)).await;
    }
    create(&client, "k0", ec(CurveName::P384)).await;
    let options = KeyClientListKeyPropertiesOptions { maxresults: Some(5), ..Default::default() };
    let listed: Vec<KeyProperties> = client.list_key_properties(Some(options)).unwrap().try_collect().await.unwrap();
    assert_eq!(listed.len(), 12);
    assert!(listed.iter().all(|item| item.resource_id().unwrap().version.is_none()));
    let versions: Vec<KeyProperties> =
        client.list_key_properties_versions("k0", None).unwrap().try_collect().await.unwrap();
    assert_eq!(versions.len(), 2);
    assert!(versions.iter().all(|item| item.resource_id().unwrap().version.is_some()));
}

pub async fn delete_recover_purge() {
    let (client, name) = (keys(), name("deleted"));
    let made = create(&client, &name, ec(CurveName::P256)).await;
    let deleted: DeletedKey = client.delete_key(&name, None).await.unwrap().into_model().unwrap();
    assert_eq!(deleted.scheduled_purge_date.unwrap() - deleted.deleted_date.unwrap(), Duration::days(90));
    assert!(client.get_key(&name, None).await.is_err());
    client.get_deleted_key(&name, None).await.unwrap();
    let all: Vec<DeletedKeyProperties> = client.list_deleted_key_properties(None).unwrap().try_collect().await.unwrap();
    assert!(all.iter().any(|item| item.resource_id().unwrap().name == name));
    client.recover_deleted_key(&name, None).await.unwrap();
    assert_eq!(version(&get(&client, &name, None).await), version(&made));
    client.delete_key(&name, None).await.unwrap();
    client.purge_deleted_key(&name, None).await.unwrap();
    assert!(client.get_deleted_key(&name, None).await.is_err());
}

pub async fn backup_and_restore() {
    let (client, name) = (keys(), name("backup"));
    let first = create(&client, &name, ec(CurveName::P256)).await;
    let second = create(&client, &name, ec(CurveName::P256)).await;
    let blob: BackupKeyResult = client.backup_key(&name, None).await.unwrap().into_model().unwrap();
    let other = keys_of(&other_vault());
    let restore = || RestoreKeyParameters { key_backup: blob.value.clone() };
    other.restore_key(restore().try_into().unwrap(), None).await.unwrap();
    for made in [&first, &second] {
        let read = get(&other, &name, Some(version(made))).await;
        assert_eq!(read.key.unwrap().x, made.key.as_ref().unwrap().x);
    }
    assert!(other.restore_key(restore().try_into().unwrap(), None).await.is_err());
}

pub async fn rotate_and_policy() {
    let (client, name) = (keys(), name("rotate"));
    let first = create(&client, &name, ec(CurveName::P521)).await;
    let unset: KeyRotationPolicy = client.get_key_rotation_policy(&name, None).await.unwrap().into_model().unwrap();
    assert!(unset.id.unwrap().ends_with(&format!("/keys/{name}/rotationpolicy")));
    let action = |action, after: Option<&str>, before: Option<&str>| LifetimeAction {
        action: Some(LifetimeActionType { type_prop: Some(action) }),
        trigger: Some(LifetimeActionTrigger {
            time_after_create: after.map(str::to_owned),
            time_before_expiry: before.map(str::to_owned),
        }),
    };
    let policy = KeyRotationPolicy {
        attributes: Some(KeyRotationPolicyAttributes { expiry_time: Some("P2Y".into()), ..Default::default() }),
        lifetime_actions: Some(vec![
            action(KeyRotationPolicyAction::Rotate, Some("P90D"), None),
            action(KeyRotationPolicyAction::Notify, None, Some("P30D")),
        ]),
        ..Default::default()
    };
    client.update_key_rotation_policy(&name, policy.try_into().unwrap(), None).await.unwrap();
    let kept: KeyRotationPolicy = client.get_key_rotation_policy(&name, None).await.unwrap().into_model().unwrap();
    assert_eq!(kept.attributes.unwrap().expiry_time.as_deref(), Some("P2Y"));
    assert_eq!(kept.lifetime_actions.unwrap().len(), 2);
    let second: Key = client.rotate_key(&name, None).await.unwrap().into_model().unwrap();
    assert_ne!(version(&first), version(&second));
    let days = (second.attributes.unwrap().expires.unwrap() - OffsetDateTime::now_utc()).whole_days();
    assert!((728..=731).contains(&days), "{days}");
}
