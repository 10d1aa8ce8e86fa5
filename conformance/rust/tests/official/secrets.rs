//! The secret operations.

use std::collections::HashMap;

use azure_core::time::{Duration, OffsetDateTime};
use azure_security_keyvault_secrets::models::*;
use azure_security_keyvault_secrets::{ResourceExt as _, SecretClient};
use futures::TryStreamExt as _;

use crate::clients::{name, other_vault, secrets, secrets_of};

fn of(value: &str) -> SetSecretParameters {
    SetSecretParameters { value: Some(value.to_owned()), ..Default::default() }
}

async fn set(client: &SecretClient, name: &str, value: &str) -> Secret {
    client.set_secret(name, of(value).try_into().unwrap(), None).await.unwrap().into_model().unwrap()
}

async fn get(client: &SecretClient, name: &str, version: Option<String>) -> Secret {
    let options = SecretClientGetSecretOptions { secret_version: version, ..Default::default() };
    client.get_secret(name, Some(options)).await.unwrap().into_model().unwrap()
}

pub async fn set_get_and_versions() {
    let (client, name) = (secrets(), name("versions"));
    let first = set(&client, &name, "1").await;
    let second = set(&client, &name, "2").await;
    let version = |secret: &Secret| secret.resource_id().unwrap().version.unwrap();
    assert_ne!(version(&first), version(&second));
    assert_eq!(get(&client, &name, None).await.value.as_deref(), Some("2"));
    assert_eq!(get(&client, &name, Some(version(&first))).await.value.as_deref(), Some("1"));
    let listed: Vec<SecretProperties> =
        client.list_secret_properties_versions(&name, None).unwrap().try_collect().await.unwrap();
    let mut versions: Vec<String> = listed.iter().map(|item| item.resource_id().unwrap().version.unwrap()).collect();
    versions.sort();
    let mut wanted = vec![version(&first), version(&second)];
    wanted.sort();
    assert_eq!(versions, wanted);
    assert_eq!(second.attributes.unwrap().recoverable_days, Some(90));
}

pub async fn update_properties() {
    let (client, name) = (secrets(), name("update"));
    let made = set(&client, &name, "kept").await;
    let expires = OffsetDateTime::now_utc().replace_nanosecond(0).unwrap() + Duration::days(90);
    let change = UpdateSecretPropertiesParameters {
        content_type: Some("application/password".into()),
        secret_attributes: Some(SecretAttributes { expires: Some(expires), ..Default::default() }),
        tags: Some(HashMap::from([("environment".into(), "production".into())])),
    };
    let changed: Secret =
        client.update_secret_properties(&name, change.try_into().unwrap(), None).await.unwrap().into_model().unwrap();
    assert_eq!(changed.value, None);
    let read = get(&client, &name, None).await;
    assert_eq!(read.value.as_deref(), Some("kept"));
    assert_eq!(read.content_type.as_deref(), Some("application/password"));
    assert_eq!(read.tags.unwrap()["environment"], "production");
    let attributes = read.attributes.unwrap();
    assert_eq!(attributes.expires, Some(expires));
    assert!(attributes.updated > made.attributes.unwrap().updated);
}

pub async fn pages() {
    let client = secrets_of(&other_vault());
    let mut wanted = Vec::new();
    for number in 0..30 {
        let name = format!("listed-{number}");
        set(&client, &name, "hidden").await;
        wanted.push(name);
    }
    let options = SecretClientListSecretPropertiesOptions { maxresults: Some(7), ..Default::default() };
    let mut pages = client.list_secret_properties(Some(options)).unwrap().into_pages();
    let (mut seen, mut count) = (Vec::new(), 0);
    while let Some(page) = pages.try_next().await.unwrap() {
        let page: ListSecretPropertiesResult = page.into_model().unwrap();
        assert!(page.value.len() <= 7);
        count += 1;
        for item in page.value {
            let id = item.resource_id().unwrap();
            assert_eq!(id.version, None, "lists give base ids");
            seen.push(id.name);
        }
    }
    seen.sort();
    wanted.sort();
    assert_eq!((seen, count), (wanted, 5));
}

pub async fn delete_recover_purge() {
    let (client, name) = (secrets(), name("deleted"));
    set(&client, &name, "1").await;
    let deleted: DeletedSecret = client.delete_secret(&name, None).await.unwrap().into_model().unwrap();
    assert!(deleted.recovery_id.unwrap().ends_with(&format!("/deletedsecrets/{name}")));
    assert_eq!(deleted.scheduled_purge_date.unwrap() - deleted.deleted_date.unwrap(), Duration::days(90));
    assert!(client.get_secret(&name, None).await.is_err());
    let shown: DeletedSecret = client.get_deleted_secret(&name, None).await.unwrap().into_model().unwrap();
    assert_eq!(shown.value, None);
    let all: Vec<DeletedSecretProperties> =
        client.list_deleted_secret_properties(None).unwrap().try_collect().await.unwrap();
    assert!(all.iter().any(|item| item.resource_id().unwrap().name == name));
    client.recover_deleted_secret(&name, None).await.unwrap();
    assert_eq!(get(&client, &name, None).await.value.as_deref(), Some("1"));
    client.delete_secret(&name, None).await.unwrap();
    client.purge_deleted_secret(&name, None).await.unwrap();
    assert!(client.get_deleted_secret(&name, None).await.is_err());
    set(&client, &name, "2").await;
}

pub async fn backup_and_restore() {
    let (client, name) = (secrets(), name("backup"));
    let first = set(&client, &name, "1").await;
    set(&client, &name, "2").await;
    let blob: BackupSecretResult = client.backup_secret(&name, None).await.unwrap().into_model().unwrap();
    let blob = blob.value.unwrap();
    let other = secrets_of(&other_vault());
    let restore = |blob: Vec<u8>| RestoreSecretParameters { secret_backup: Some(blob) };
    other.restore_secret(restore(blob.clone()).try_into().unwrap(), None).await.unwrap();
    assert_eq!(get(&other, &name, None).await.value.as_deref(), Some("2"));
    let version = first.resource_id().unwrap().version;
    assert_eq!(get(&other, &name, version).await.value.as_deref(), Some("1"));
    let mut tampered = blob;
    *tampered.last_mut().unwrap() ^= 1;
    assert!(other.restore_secret(restore(tampered).try_into().unwrap(), None).await.is_err());
}

pub async fn values_are_exact() {
    let (client, name) = (secrets(), name("exact"));
    for value in ["", "\"quotes\"\r\n\t\\", "Zoë — 日本語 🔑", &"x".repeat(25_600)] {
        set(&client, &name, value).await;
        assert_eq!(get(&client, &name, None).await.value.as_deref(), Some(value));
    }
}
