//! Good practice, checked on real vaults.

use strongroom::practice::{CheckOptions, Practice, check_vaults};
use strongroom_store::vault::{NewAttributes, NewVersion};
use strongroom_store::{Cx, Time, Vault};
use strongroom_wire::ids::ObjectName;

fn cx() -> Cx {
    Cx::system(Time::from_seconds(1_800_000_000))
}

async fn set(vault: &dyn Vault, name: &str, value: &str, tags: &[(&str, &str)]) {
    let tags = tags.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let with = NewAttributes { tags: Some(tags), ..NewAttributes::default() };
    let new = NewVersion::Secret { value: value.to_owned().into(), content_type: None, with };
    vault.put(&cx(), &ObjectName::parse(name).unwrap(), new).await.unwrap();
}

const TAGGED: &[(&str, &str)] = &[("Environment", "prod"), ("application", "shop"), ("rotation-policy", "90d")];

#[tokio::test]
async fn what_is_not_good_practice_is_named_with_its_remedy() {
    let vault = strongroom::open("memory:").await.unwrap();
    set(&*vault, "prod-app1-database-password", "one", TAGGED).await;
    set(&*vault, "prod-password", "two", TAGGED).await;
    set(&*vault, "untagged", "three", &[("env", "prod")]).await;
    for _ in 0..3 {
        set(&*vault, "often", "four", TAGGED).await;
    }
    let options = CheckOptions { versions: 2, ..CheckOptions::default() };
    let found = check_vaults(&[("shop".to_owned(), &*vault)], &cx(), options).await.unwrap();
    let found: Vec<_> = found.iter().map(|finding| (finding.practice, finding.at.as_str())).collect();
    assert_eq!(
        found,
        [
            (Practice::PurgeProtection, "shop"),
            (Practice::VaultPerApplication, "shop/secrets/prod-app1-database-password"),
            (Practice::Tags, "shop/secrets/untagged"),
            (Practice::FewVersions, "shop/secrets/often"),
        ]
    );
}

#[tokio::test]
async fn the_same_value_in_two_environments_is_found_without_being_shown() {
    let (one, other) = (strongroom::open("memory:").await.unwrap(), strongroom::open("memory:").await.unwrap());
    set(&*one, "db", "canary-4711", TAGGED).await;
    set(&*one, "own", "of one", TAGGED).await;
    set(&*other, "database", "canary-4711", TAGGED).await;
    let vaults = [("dev".to_owned(), &*one), ("prod".to_owned(), &*other)];
    let found = check_vaults(&vaults, &cx(), CheckOptions { values: true, ..CheckOptions::default() }).await.unwrap();
    let same: Vec<_> = found.iter().filter(|finding| finding.practice == Practice::OwnValues).collect();
    assert_eq!(same.len(), 1);
    assert_eq!(same[0].at, "dev/secrets/db, prod/secrets/database");
    assert!(!format!("{found:?}").contains("canary"));
    let lists_only = check_vaults(&vaults, &cx(), CheckOptions::default()).await.unwrap();
    assert!(lists_only.iter().all(|finding| finding.practice != Practice::OwnValues));
}
