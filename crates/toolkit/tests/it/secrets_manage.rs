//! Secrets as people manage them.

use std::collections::HashMap;
use std::sync::Arc;

use strongroom::secrets::{
    ConfigResolver, GLOBAL, HealthStatus, ManageError, OrgVaults, ResolverOptions, SecretError, SecretManager,
    SecretResolver, SettingKind, StaticSettings,
};
use strongroom_wire::Sensitive;

use crate::support::World;

fn value(text: &str) -> Sensitive<String> {
    Sensitive::new(text.to_owned())
}

fn managed(world: &World) -> (Arc<SecretResolver>, SecretManager) {
    let resolver = Arc::new(world.resolver(ResolverOptions::default()));
    (Arc::clone(&resolver), SecretManager::new(resolver))
}

#[tokio::test]
async fn secrets_are_made_changed_and_deleted_and_the_resolver_knows_at_once() {
    for world in [World::new(), World::per_org()] {
        let (resolver, manager) = managed(&world);
        resolver.get("org-1", "api-key").await.unwrap_err();
        let made = manager.create("org-1", "api-key", value("one")).await.unwrap();
        assert_eq!((made.name.as_str(), made.enabled), ("org-1--api-key", true));
        assert_eq!(resolver.get("org-1", "api-key").await.unwrap().expose(), "one", "the absence was remembered");
        let again = manager.create("org-1", "api-key", value("x")).await.unwrap_err();
        assert_eq!(
            (again.status(), again.to_string().as_str()),
            (409, "Secret 'api-key' of org-1 is there already: update it")
        );
        world.clock.advance(60);
        let changed = manager.update("org-1", "api-key", value("two")).await.unwrap();
        assert!(changed.updated > made.updated);
        assert_eq!(resolver.get("org-1", "api-key").await.unwrap().expose(), "two");
        assert_eq!(manager.get("org-1", "api-key").await.unwrap(), changed);
        manager.delete("org-1", "api-key").await.unwrap();
        resolver.get("org-1", "api-key").await.unwrap_err();
        let deleted = manager.set("org-1", "api-key", value("x")).await.unwrap_err();
        assert!(
            deleted.status() == 409 && deleted.to_string().contains("recover or purge org-1--api-key"),
            "{deleted}"
        );
    }
}

#[tokio::test]
async fn what_is_not_there_is_not_changed() {
    let world = World::new();
    let (_, manager) = managed(&world);
    world.set("GLOBAL--key", "of all").await;
    let answers = [
        manager.get("org", "key").await.map(drop),
        manager.update("org", "key", value("v")).await.map(drop),
        manager.delete("org", "key").await,
    ];
    for answer in answers {
        let fault = answer.unwrap_err();
        assert_eq!(fault.status(), 404);
        assert_eq!(fault.to_string(), "Secret 'key' not found for org 'org'. Tried: org--key");
    }
    assert_eq!(manager.get(GLOBAL, "key").await.unwrap().name, "GLOBAL--key");
}

#[tokio::test]
async fn keys_and_values_are_checked_and_never_quoted() {
    let world = World::new();
    let (_, manager) = managed(&world);
    for key in ["", "a b", "a.b", "a/b", "ä", "a\n", &"k".repeat(101)] {
        let fault = manager.set("org", key, value("canary")).await.unwrap_err();
        assert!(fault.status() == 400 && fault.to_string().contains("^[a-zA-Z0-9_-]+$"), "{key:?}: {fault}");
        assert_eq!(manager.delete("org", key).await.unwrap_err().status(), 400);
    }
    for wrong in [String::new(), "canary".repeat(5_000)] {
        let fault = manager.set("org", "k", value(&wrong)).await.unwrap_err();
        assert!(fault.status() == 400 && !format!("{fault}{fault:?}").contains("canary"), "{fault}");
    }
    assert_eq!(manager.set("", "k", value("v")).await.unwrap_err().status(), 400);
    let most = "K".repeat(100);
    assert_eq!(manager.set("org", &most, value("v")).await.unwrap().key, most);
}

#[tokio::test]
async fn an_organisation_sees_its_own_and_those_for_all_by_their_own_names() {
    for world in [World::new(), World::per_org()] {
        let (_, manager) = managed(&world);
        for (scope, key) in [
            ("org-1", "API_KEY"),
            ("org-1", "api-key"),
            ("org-2", "other"),
            (GLOBAL, "smtp-password"),
            (GLOBAL, "API_KEY"),
            ("ORG", "shout"),
        ] {
            manager.create(scope, key, value("hidden")).await.unwrap();
        }
        // More than a page of them, and one that somebody else made.
        for number in 10..50 {
            world.set(&format!("GLOBAL--n{number}"), "v").await;
        }
        let listed = async |org: &str| {
            let all = manager.list(org).await.unwrap();
            assert!(!format!("{all:?}").contains("hidden"));
            all.iter().map(|info| format!("{}/{}", info.scope, info.key)).collect::<Vec<_>>()
        };
        let first = listed("org-1").await;
        assert_eq!(first[..3], ["org-1/API_KEY", "org-1/api-key", "GLOBAL/API_KEY"]);
        assert_eq!((first.len(), first.last().unwrap().as_str()), (44, "GLOBAL/smtp-password"));
        assert_eq!(listed("ORG").await[0], "ORG/shout");
        assert_eq!(listed(GLOBAL).await.len(), 42);
        assert_eq!(listed("org-3").await.len(), 42);
    }
}

#[tokio::test]
async fn a_secret_that_settings_refer_to_is_not_deleted_unless_another_takes_its_place() {
    let world = World::new();
    let (resolver, manager) = managed(&world);
    let source = StaticSettings::default()
        .with("org", "password", SettingKind::SecretRef, "db")
        .with(GLOBAL, "mail", SettingKind::SecretRef, "smtp")
        .with("org", "plain", SettingKind::String, "free");
    let manager = manager.with_settings(Arc::new(ConfigResolver::new(Arc::new(source), resolver)));
    for (scope, key) in [("org", "db"), ("other", "db"), ("org", "smtp"), (GLOBAL, "smtp"), ("org", "free")] {
        manager.set(scope, key, value("v")).await.unwrap();
    }
    let used = manager.delete("org", "db").await.unwrap_err();
    assert_eq!(used.to_string(), "Secret 'db' of org is used by 'password' of org: change these settings first");
    assert!(matches!(used, ManageError::InUse { .. }) && used.status() == 409);
    manager.delete("other", "db").await.unwrap();
    manager.delete("org", "free").await.unwrap();
    // The one for all takes its place; the one for all itself is needed.
    manager.delete("org", "smtp").await.unwrap();
    assert!(manager.delete(GLOBAL, "smtp").await.unwrap_err().to_string().contains("'mail' of GLOBAL"));
    manager.set(GLOBAL, "db", value("v")).await.unwrap();
    manager.delete("org", "db").await.unwrap();
}

#[tokio::test]
async fn an_outage_is_not_taken_for_an_absence() {
    let world = World::new();
    let (_, manager) = managed(&world);
    world.away(true);
    let answers = [
        manager.create("org", "k", value("v")).await.map(drop),
        manager.get("org", "k").await.map(drop),
        manager.delete("org", "k").await,
        manager.list("org").await.map(drop),
    ];
    assert!(answers.into_iter().all(|answer| answer.unwrap_err().status() == 503));
}

#[tokio::test]
async fn organisations_with_vaults_of_their_own_are_kept_apart() {
    let (one, two, all) = (World::new(), World::new(), World::new());
    one.set("org-1--key", "of one").await;
    two.set("org-2--key", "of two").await;
    // Misplaced: in the wrong vault it is not found.
    two.set("org-1--misplaced", "leaked").await;
    all.set("GLOBAL--key", "of all").await;
    let map: HashMap<_, _> =
        [("org-1", &one), ("org-2", &two)].map(|(org, world)| (org.to_owned(), Arc::clone(&world.vault))).into();
    let vaults = OrgVaults::new(Arc::clone(&all.vault), map);
    let resolver = Arc::new(SecretResolver::per_org(vaults, all.clock.clone(), ResolverOptions::default()));
    assert_eq!(resolver.get("org-1", "key").await.unwrap().expose(), "of one");
    assert_eq!(resolver.get("org-2", "key").await.unwrap().expose(), "of two");
    assert!(matches!(resolver.get("org-1", "misplaced").await, Err(SecretError::NotFound { .. })));
    // One that nobody gave a vault is refused, and not served with what is for all.
    let unknown = resolver.get("org-3", "key").await.unwrap_err();
    assert_eq!(unknown, SecretError::NoVault { org: "org-3".to_owned() });
    assert!(unknown.to_string().contains("add it to the map"));
    // One vault away is the outage of its organisation alone.
    one.away(true);
    resolver.clear();
    assert!(matches!(resolver.get("org-1", "key").await, Err(SecretError::Network { .. })));
    assert_eq!(resolver.get("org-2", "key").await.unwrap().expose(), "of two");
    assert_eq!(resolver.health_of("org-1").await.status, HealthStatus::Unhealthy);
    assert_eq!(resolver.health_of("org-2").await.status, HealthStatus::Healthy);
    assert_eq!(resolver.health_of("org-3").await.status, HealthStatus::Unhealthy);
    assert_eq!(resolver.health().await.status, HealthStatus::Healthy);
    let manager = SecretManager::new(Arc::clone(&resolver));
    let seen = manager.list("org-2").await.unwrap();
    assert_eq!(seen.iter().map(|info| info.name.as_str()).collect::<Vec<_>>(), ["org-2--key", "GLOBAL--key"]);
}
