//! The secrets of one vault, by their names.

use std::collections::HashSet;
use std::sync::Arc;

use strongroom::secrets::{NewSecret, VaultSecretError, VaultSecrets, generate_password};
use strongroom::vault::{Error, ErrorKind, Tags, Time};
use strongroom_store::clock::ManualClock;

async fn secrets() -> (VaultSecrets, Arc<ManualClock>) {
    let clock = ManualClock::new(Time::from_seconds(1_800_000_000));
    let vault = strongroom::open("memory:").await.unwrap();
    (VaultSecrets::new(vault).with_clock(clock.clone()), clock)
}

#[tokio::test]
async fn a_new_value_is_a_new_version_and_the_old_one_can_be_disabled() {
    let (secrets, clock) = secrets().await;
    let tags: Tags = [("environment".to_owned(), "production".to_owned())].into();
    let old = NewSecret {
        content_type: Some("text/plain".to_owned()),
        expires: Some(1_900_000_000),
        tags: tags.clone(),
        ..NewSecret::from("old")
    };
    let first = secrets.set("password", old).await.unwrap();
    assert_eq!((&first.tags, first.expires), (&tags, Some(1_900_000_000)));
    assert_eq!(secrets.previous_version("password").await.unwrap(), None);
    clock.advance(60);
    let second = secrets.set("password", "new").await.unwrap();
    assert!(second.tags.is_empty() && second.content_type.is_none(), "nothing is inherited");

    assert_eq!(secrets.get("password").await.unwrap().value.expose(), "new");
    let version = first.version.unwrap();
    assert_eq!(secrets.get_version("password", version).await.unwrap().value.expose(), "old");
    assert_eq!(secrets.previous_version("password").await.unwrap(), Some(version));
    let versions = secrets.versions("password").await.unwrap();
    assert_eq!(versions.iter().map(|one| one.version).collect::<Vec<_>>(), [first.version, second.version]);

    secrets.set_enabled("password", version, false).await.unwrap();
    let disabled = secrets.get_version("password", version).await.unwrap_err();
    assert!(disabled.to_string().starts_with("failed to get secret: "), "{disabled}");
    assert_eq!(secrets.get("password").await.unwrap().value.expose(), "new");
    secrets.set_enabled("password", version, true).await.unwrap();
    assert!(secrets.get_version("password", version).await.is_ok());
}

#[tokio::test]
async fn what_was_deleted_is_recovered_or_purged() {
    let (secrets, _clock) = secrets().await;
    for name in ["kept", "destroyed"] {
        secrets.set(name, "value").await.unwrap();
        secrets.delete(name).await.unwrap();
    }
    let absence = secrets.diagnose("Kept").await.unwrap();
    assert!(absence.was_deleted && absence.available.is_empty() && absence.did_you_mean.is_none(), "{absence:?}");
    secrets.recover("kept").await.unwrap();
    secrets.purge("destroyed").await.unwrap();
    assert_eq!(secrets.get("kept").await.unwrap().value.expose(), "value");
    for fault in [secrets.recover("destroyed").await, secrets.purge("kept").await, secrets.delete("none").await] {
        assert!(matches!(fault, Err(VaultSecretError::NotFound(_))), "{fault:?}");
    }
    assert!(secrets.deleted().await.unwrap().is_empty());
}

#[tokio::test]
async fn several_are_read_at_once_and_the_missing_one_is_named() {
    let (secrets, _clock) = secrets().await;
    let names: Vec<String> = (0..40).map(|number| format!("s-{number}")).collect();
    for name in &names {
        secrets.set(name, &**name).await.unwrap();
    }
    let mut names: Vec<&str> = names.iter().map(String::as_str).collect();
    let found = secrets.get_all(&names).await.unwrap();
    assert!(found.len() == 40 && found.iter().all(|(name, value)| name == value.expose()));
    names.push("absent");
    assert_eq!(secrets.get_all(&names).await.unwrap_err(), VaultSecretError::NotFound("absent".to_owned()));
    assert!(secrets.get_all(&[]).await.unwrap().is_empty());
    assert!(matches!(secrets.get("no_name").await, Err(VaultSecretError::Invalid(_))));
}

#[test]
fn errors_say_what_happened_and_under_which_request() {
    let fault = Error::new(ErrorKind::Throttled, "slow down").with_request_id(Some("4711"));
    let failed = VaultSecretError::Failed { operation: "get", fault };
    assert_eq!(failed.to_string(), "failed to get secret (status=429, request_id=4711): slow down");
    assert_eq!(VaultSecretError::NotFound("X".to_owned()).to_string(), "secret X not found");
    assert_eq!(VaultSecretError::Forbidden("X".to_owned()).to_string(), "access denied to secret X (check RBAC)");
}

#[test]
fn passwords_are_as_long_as_asked_and_never_the_same() {
    for length in [0, 1, 32, 1_000] {
        assert_eq!(generate_password(length).unwrap().expose().chars().count(), length);
    }
    let many: HashSet<String> = (0..100).map(|_| generate_password(32).unwrap().expose().clone()).collect();
    assert_eq!(many.len(), 100);
    let letters: HashSet<char> = many.iter().flat_map(|password| password.chars()).collect();
    assert_eq!(letters.len(), 70, "each character has its chance");
}
