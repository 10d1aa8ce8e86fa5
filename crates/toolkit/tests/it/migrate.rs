//! Migrations between real vaults: in memory, in folders, in Redis.

use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use strongroom::migrate::{Action, Migration, Report, Selection, open_pair};
use strongroom::{OpenOptions, open};
use strongroom_crypto::{AeadKey, KeySpec};
use strongroom_store::clock::ManualClock;
use strongroom_store::conformance::skipped;
use strongroom_store::vault::{Body, Change, Listing, NewAttributes, NewVersion, Object, Target};
use strongroom_store::{Cx, Engine, Installation, MemoryRecords, SoftwareProvider, Time, Vault};
use strongroom_wire::Sensitive;
use strongroom_wire::algorithms::{Curve, KeyOp};
use strongroom_wire::attributes::{AttributesChange, Recovery};
use strongroom_wire::ids::{Kind, ObjectName, VaultName};
use strongroom_wire::rotation::{Duration, RotateWhen, RotationPolicy};
use tempfile::TempDir;

const NOW: i64 = 1_800_000_000;

fn cx() -> Cx {
    Cx::system(Time::from_seconds(NOW))
}

fn name(name: &str) -> ObjectName {
    ObjectName::parse(name).unwrap()
}

/// A vault in memory; those with the same backup key open each other's backups.
fn memory(backup_key: u8) -> Arc<dyn Vault> {
    let key = AeadKey::from_bytes(&[backup_key; 32]).unwrap();
    let shared = Installation::new(MemoryRecords::new(), SoftwareProvider::new().unwrap(), key);
    Arc::new(Engine::new(shared, VaultName::parse("one").unwrap(), Recovery::DEFAULT))
}

fn migration(source: &Arc<dyn Vault>, target: &Arc<dyn Vault>, names: &[&str]) -> Migration {
    let selection = Selection { kind: None, names: names.iter().map(|name| (*name).to_owned()).collect() };
    let clock: Arc<ManualClock> = ManualClock::new(Time::from_seconds(NOW));
    Migration::new(Arc::clone(source), Arc::clone(target), clock, selection)
}

async fn run(migration: &Migration, delete: bool) -> Report {
    migration.run(delete, &mut |_item, _told| ()).await.unwrap()
}

async fn set(vault: &dyn Vault, called: &str, value: &str, attributes: AttributesChange) -> Object {
    let tags = Some([("of".to_owned(), value.to_owned())].into());
    let new = NewVersion::Secret {
        value: Sensitive::new(value.to_owned()),
        content_type: Some(format!("text/{value}")),
        with: NewAttributes { attributes, tags },
    };
    vault.put(&cx(), &name(called), new).await.unwrap()
}

async fn key(vault: &dyn Vault, called: &str, spec: KeySpec, ops: Option<&[KeyOp]>, attributes: AttributesChange) {
    let tags = Some([("team".to_owned(), "red".to_owned())].into());
    let with = NewAttributes { attributes, tags };
    let new = NewVersion::Key { spec, hardware: false, key_ops: ops.map(<[_]>::to_vec), with };
    vault.put(&cx(), &name(called), new).await.unwrap();
}

/// Secrets with versions, and keys of several kinds, some of which cannot be used now.
async fn furnish(vault: &dyn Vault) {
    let free = AttributesChange::default;
    for value in ["one", "two", "three"] {
        set(vault, "Db-Password", value, free()).await;
    }
    let limited = AttributesChange { nbf: Some(NOW - 5), exp: Some(NOW + 500), ..free() };
    set(vault, "limited", "x", limited.clone()).await;
    key(vault, "signer", KeySpec::Ec(Curve::P384), None, free()).await;
    vault.put(&cx(), &name("signer"), NewVersion::RotatedKey).await.unwrap();
    let rotate = Some(RotateWhen::AfterCreate(Duration::days(90)));
    vault.set_rotation_policy(&cx(), &name("signer"), RotationPolicy { rotate, ..Default::default() }).await.unwrap();
    key(vault, "opener", KeySpec::Rsa { bits: 2048 }, Some(&[KeyOp::UnwrapKey]), limited).await;
    key(vault, "off", KeySpec::Ec(Curve::P256K), None, AttributesChange { enabled: Some(false), ..free() }).await;
}

async fn versions(vault: &dyn Vault, called: &str) -> Vec<(String, Object)> {
    let page = vault.list(&cx(), &Listing::Versions(Kind::Secret, name(called)), 25, None).await.unwrap();
    let mut all = Vec::new();
    for item in page.items {
        let target = Target { kind: Kind::Secret, name: name(called), version: item.version };
        let object = vault.get(&cx(), &target).await.unwrap();
        let Body::Secret { value: Some(value), .. } = &object.body else { panic!("no value") };
        all.push((value.expose().clone(), object));
    }
    all
}

/// Moves all that [`furnish`] made, looks at it, and goes on as if interrupted.
async fn moves_everything(source: Arc<dyn Vault>, target: Arc<dyn Vault>) {
    furnish(&*source).await;
    let it = migration(&source, &target, &[]);
    let plan = it.plan().await.unwrap();
    let action = |called: &str| plan.iter().find(|item| item.name.as_str() == called).unwrap();
    assert_eq!((action("Db-Password").action.clone(), action("Db-Password").versions), (Action::Copy, 3));
    let signer = action("signer");
    assert_eq!((signer.action.clone(), signer.versions), (Action::MoveOrRecreate, 2));
    assert!(signer.remarks.iter().any(|remark| remark.starts_with("1 earlier versions cannot")));
    assert!(it.verify().await.unwrap().iter().all(|one| one.difference.is_some()), "a plan does nothing");

    let report = run(&it, false).await;
    let counts = (report.moved, report.copied, report.recreated, report.present, report.deleted);
    assert_eq!((counts, report.failed.len(), report.unproven.len()), ((0, 2, 3, 0, 0), 0, 0), "{report:?}");
    let moved = versions(&*target, "db-password").await;
    let values: Vec<&str> = moved.iter().map(|(value, _)| value.as_str()).collect();
    assert_eq!((values, moved[0].1.name.as_str()), (vec!["one", "two", "three"], "Db-Password"));
    assert_eq!(moved[1].1.tags.as_ref().unwrap()["of"], "two");
    assert!(matches!(&moved[1].1.body, Body::Secret { content_type: Some(of), .. } if of == "text/two"));
    let (_, limited) = &versions(&*target, "limited").await[0];
    assert_eq!((limited.attributes.not_before, limited.attributes.expires), (Some(NOW - 5), Some(NOW + 500)));
    let opener = target.get(&cx(), &Target::latest(Kind::Key, name("opener"))).await.unwrap();
    assert!(matches!(&opener.body, Body::Key { key_ops, .. } if key_ops == &[KeyOp::UnwrapKey]));
    assert_eq!((opener.attributes.expires, opener.tags.unwrap()["team"].as_str()), (Some(NOW + 500), "red"));
    let off = target.get(&cx(), &Target::latest(Kind::Key, name("off"))).await.unwrap();
    assert!(!off.attributes.enabled);
    let policy = target.rotation_policy(&cx(), &name("signer")).await.unwrap();
    assert_eq!(policy.rotate, Some(RotateWhen::AfterCreate(Duration::days(90))));

    // Again: nothing to do. The disabled key has shown itself when it was made, and cannot now.
    let again = run(&it, true).await;
    assert_eq!((again.present, again.failed.len(), again.unproven.len(), again.deleted), (5, 0, 1, 0), "{again:?}");
    assert!(it.verify().await.unwrap().iter().all(|one| one.difference.is_none()));
    assert!(it.plan().await.unwrap().iter().all(|item| item.action == Action::Present));
    // One more version is all that the next run copies.
    set(&*source, "db-password", "four", AttributesChange::default()).await;
    assert_eq!(migration(&source, &target, &["db-*"]).plan().await.unwrap()[0].action, Action::Continue(3));
    assert_eq!(run(&it, false).await.copied, 1);
    assert_eq!(versions(&*target, "db-password").await.len(), 4);

    // Told to delete, it does so once everything that was selected is proven.
    let it = migration(&source, &target, &["db-*", "limited", "signer", "opener"]);
    assert_eq!(run(&it, true).await.deleted, 4);
    assert!(source.get(&cx(), &Target::latest(Kind::Secret, name("limited"))).await.is_err());
    assert!(source.get_deleted(&cx(), Kind::Secret, &name("limited")).await.is_ok(), "it can be recovered");
    assert!(source.get(&cx(), &Target::latest(Kind::Key, name("off"))).await.is_ok(), "it was not selected");
}

fn uri(folder: &TempDir, of: &str) -> String {
    let passphrase = folder.path().join("passphrase");
    std::fs::write(&passphrase, "of tests").unwrap();
    format!("{of}passphrase-file={}", passphrase.display())
}

#[tokio::test(flavor = "multi_thread")]
async fn from_memory_to_a_folder() {
    let folder = TempDir::new().unwrap();
    let to = uri(&folder, &format!("file:{}?", folder.path().join("vault").display()));
    moves_everything(memory(1), open(&to).await.unwrap()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn from_a_folder_to_redis_and_back_to_memory() {
    let folder = TempDir::new().unwrap();
    let Some(redis) = Redis::start(&folder) else { return };
    let from = uri(&folder, &format!("file:{}?", folder.path().join("vault").display()));
    let to = uri(&folder, &format!("redis://127.0.0.1:{}?", redis.port));
    let target = open(&to).await.unwrap();
    moves_everything(open(&from).await.unwrap(), Arc::clone(&target)).await;
    let back = memory(1);
    let report = run(&migration(&target, &back, &[]), false).await;
    assert_eq!((report.copied, report.recreated, report.failed.len()), (2, 3, 0), "{report:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn with_a_shared_backup_key_keys_move_with_their_material_and_all_versions() {
    let (source, target) = (memory(1), memory(1));
    furnish(&*source).await;
    let disabled = set(&*source, "half", "1", AttributesChange { enabled: Some(false), ..Default::default() }).await;
    set(&*source, "half", "2", AttributesChange::default()).await;
    let it = migration(&source, &target, &[]);
    let report = run(&it, false).await;
    assert_eq!((report.moved, report.failed.len(), report.unproven.len()), (6, 0, 1), "{report:?}");
    let page = target.list(&cx(), &Listing::Versions(Kind::Key, name("signer")), 25, None).await.unwrap();
    assert_eq!(page.items.len(), 2);
    let both =
        [&source, &target].map(|vault| async { vault.get(&cx(), &Target::latest(Kind::Key, name("signer"))).await });
    let [one, other] = both;
    assert_eq!(format!("{:?}", one.await.unwrap().body), format!("{:?}", other.await.unwrap().body));
    let page = target.list(&cx(), &Listing::Versions(Kind::Secret, name("half")), 25, None).await.unwrap();
    assert_eq!((page.items.len(), page.items[0].version), (2, disabled.version));
    assert!(it.verify().await.unwrap().iter().all(|one| one.difference.is_none()));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_stands_in_the_way_is_named_and_left_alone() {
    let (source, target) = (memory(1), memory(2));
    let free = AttributesChange::default;
    set(&*source, "taken", "mine", free()).await;
    set(&*target, "taken", "theirs", free()).await;
    set(&*source, "deleted", "1", free()).await;
    set(&*target, "deleted", "1", free()).await;
    target.delete(&cx(), Kind::Secret, &name("deleted")).await.unwrap();
    set(&*source, "off", "1", free()).await;
    set(&*source, "off", "2", AttributesChange { enabled: Some(false), ..free() }).await;
    let first = set(&*source, "gap", "1", free()).await;
    set(&*source, "gap", "2", free()).await;
    let change = Change { attributes: AttributesChange { enabled: Some(false), ..free() }, ..Change::default() };
    let target_of = Target { kind: Kind::Secret, name: name("gap"), version: first.version };
    source.update(&cx(), &target_of, change).await.unwrap();
    key(&*source, "shape", KeySpec::Ec(Curve::P256), None, free()).await;
    key(&*target, "shape", KeySpec::Ec(Curve::P521), None, free()).await;
    set(&*source, "plain", "1", free()).await;

    let it = migration(&source, &target, &[]);
    let plan = it.plan().await.unwrap();
    let blocked = |called: &str| match &plan.iter().find(|item| item.name.as_str() == called).unwrap().action {
        Action::Blocked(why) => why.clone(),
        other => panic!("{called}: {other:?}"),
    };
    assert!(blocked("taken").contains("the value of version 1 differs"));
    assert!(blocked("deleted").contains("recover it there, or purge it"));
    assert!(blocked("off").contains("disabled"));
    assert!(blocked("shape").contains("EC P-521"));
    let gap = plan.iter().find(|item| item.name.as_str() == "gap").unwrap();
    assert_eq!((gap.action.clone(), gap.remarks.len()), (Action::Copy, 1));
    for word in ["mine", "theirs"] {
        assert!(!format!("{plan:?}").contains(word), "no value in a plan");
    }

    let report = run(&it, true).await;
    assert_eq!((report.copied, report.failed.len(), report.deleted), (2, 4, 0), "{report:?}");
    assert_eq!(versions(&*target, "taken").await[0].0, "theirs");
    assert_eq!(versions(&*target, "gap").await.len(), 1);
    assert!(source.get(&cx(), &Target::latest(Kind::Secret, name("plain"))).await.is_ok(), "nothing was deleted");
    let wrong = it.verify().await.unwrap().into_iter().filter(|one| one.difference.is_some()).count();
    assert_eq!(wrong, 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_was_left_unfinished_is_finished_and_not_made_twice() {
    let (source, target) = (memory(1), memory(2));
    let ops: &[KeyOp] = &[KeyOp::Verify];
    key(&*source, "k", KeySpec::Ec(Curve::P256), Some(ops), AttributesChange::default()).await;
    // As after an end between making and limiting it.
    key(&*target, "k", KeySpec::Ec(Curve::P256), None, AttributesChange::default()).await;
    let it = migration(&source, &target, &[]);
    assert_eq!(it.plan().await.unwrap()[0].action, Action::Finish);
    let report = run(&it, false).await;
    assert_eq!((report.recreated, report.failed.len()), (1, 0), "{report:?}");
    let page = target.list(&cx(), &Listing::Versions(Kind::Key, name("k")), 25, None).await.unwrap();
    assert_eq!(page.items.len(), 1);
    assert_eq!(it.plan().await.unwrap()[0].action, Action::Present);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_vaults_of_one_folder_are_opened_together_and_one_is_not_moved_to_itself() {
    let folder = TempDir::new().unwrap();
    let of = |vault: &str| uri(&folder, &format!("file:{}?vault={vault}&", folder.path().join("v").display()));
    let (one, two) = (of("one"), of("two"));
    let pair = open_pair((&one, OpenOptions::default()), (&two, OpenOptions::default())).await;
    let (source, target) = pair.unwrap();
    furnish(&*source).await;
    // One installation has one backup key.
    assert_eq!(run(&migration(&source, &target, &[]), false).await.moved, 5);
    drop((source, target));
    assert!(open_pair((&one, OpenOptions::default()), (&one, OpenOptions::default())).await.is_err());
}

struct Redis {
    child: Child,
    port: u16,
}

impl Redis {
    fn start(folder: &TempDir) -> Option<Self> {
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut command = Command::new("redis-server");
        command.args(["--bind", "127.0.0.1", "--save", "", "--port", &port.to_string(), "--dir"]).arg(folder.path());
        let Ok(child) = command.stdout(Stdio::null()).spawn() else {
            skipped("migrate", "there is no redis-server");
            return None;
        };
        // Opening a vault waits for it.
        Some(Self { child, port })
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
