//! What the engine does over time, and under concurrency.

use std::sync::Arc;

use strongroom_crypto::{AeadKey, KeySpec};
use strongroom_store::engine::due_timers;
use strongroom_store::memory::MemoryRecords;
use strongroom_store::vault::{Change, Listing, NewAttributes, NewVersion, Object, Target};
use strongroom_store::{Cx, Engine, Installation, SoftwareProvider, Time, Vault};
use strongroom_wire::algorithms::Curve;
use strongroom_wire::attributes::{AttributesChange, Recovery};
use strongroom_wire::ids::{Kind, ObjectName, VaultName};
use strongroom_wire::rotation::{Duration, RotateWhen, RotationPolicy};
use strongroom_wire::{ErrorKind, Sensitive};

const START: i64 = 1_800_000_000;
const DAY: i64 = 86_400;

type Memory = Engine<Arc<MemoryRecords>, SoftwareProvider>;

struct World {
    records: Arc<MemoryRecords>,
    engine: Arc<Memory>,
    now: i64,
}

impl World {
    fn new(recovery: Recovery) -> Self {
        let records = Arc::new(MemoryRecords::default());
        let engine = open(&records, recovery);
        Self { records, engine, now: START }
    }

    fn cx(&self) -> Cx {
        Cx::system(Time::from_seconds(self.now))
    }

    /// Moves the clock and does what is due, as the server's job does.
    async fn advance(&mut self, seconds: i64) -> usize {
        self.now += seconds;
        let due = due_timers(&*self.records, Time::from_seconds(self.now), 100, None).await.unwrap();
        for timer in &due {
            // Twice: a second node may have seen the same timer.
            self.engine.fire(&self.cx(), timer).await.unwrap();
            self.engine.fire(&self.cx(), timer).await.unwrap();
        }
        due.len()
    }

    fn restart(&mut self) {
        self.engine = open(&self.records, self.engine.recovery());
    }

    async fn versions(&self, name: &ObjectName) -> Vec<Object> {
        let listing = Listing::Versions(Kind::Key, name.clone());
        self.engine.list(&self.cx(), &listing, 25, None).await.unwrap().items
    }
}

fn open(records: &Arc<MemoryRecords>, recovery: Recovery) -> Arc<Memory> {
    let key = AeadKey::from_bytes(&[7; 32]).unwrap();
    let shared = Installation::new(Arc::clone(records), SoftwareProvider::new().unwrap(), key);
    Arc::new(Engine::new(shared, VaultName::parse("dev").unwrap(), recovery))
}

fn name(text: &str) -> ObjectName {
    ObjectName::parse(text).unwrap()
}

fn secret(value: &str) -> NewVersion {
    let value = Sensitive::new(value.to_owned());
    NewVersion::Secret { value, content_type: None, with: NewAttributes::default() }
}

fn ec_key() -> NewVersion {
    NewVersion::Key { spec: KeySpec::Ec(Curve::P256), hardware: false, key_ops: None, with: NewAttributes::default() }
}

#[tokio::test]
async fn a_due_key_is_rotated_exactly_once_and_across_restarts() {
    let mut world = World::new(Recovery::DEFAULT);
    let key = name("k");
    world.engine.put(&world.cx(), &key, ec_key()).await.unwrap();
    let policy = RotationPolicy {
        expiry_time: Some(Duration::parse("P2Y").unwrap()),
        rotate: Some(RotateWhen::AfterCreate(Duration::days(90))),
        ..RotationPolicy::default()
    };
    world.engine.set_rotation_policy(&world.cx(), &key, policy).await.unwrap();

    assert_eq!(world.advance(90 * DAY - 1).await, 0);
    assert_eq!(world.versions(&key).await.len(), 1);
    world.restart();
    assert_eq!(world.advance(1).await, 1);
    let versions = world.versions(&key).await;
    assert_eq!(versions.len(), 2);
    let made = world.now;
    assert_eq!(versions[1].attributes.created, made);
    assert_eq!(versions[1].attributes.expires, Some(Duration::parse("P2Y").unwrap().after(made)));
    assert_eq!(world.advance(90 * DAY).await, 1);
    assert_eq!(world.versions(&key).await.len(), 3);

    let events = world.engine.events(10).await.unwrap();
    assert_eq!(events.len(), 2);
    assert!(events.iter().all(|event| event.event_type == "Microsoft.KeyVault.KeyNewVersionCreated"));
}

#[tokio::test]
async fn a_deleted_key_is_not_rotated_and_a_recovered_one_is_again() {
    let mut world = World::new(Recovery::new(90, false).unwrap());
    let key = name("k");
    world.engine.put(&world.cx(), &key, ec_key()).await.unwrap();
    let rotate = Some(RotateWhen::AfterCreate(Duration::days(30)));
    let policy = RotationPolicy { rotate, ..RotationPolicy::default() };
    world.engine.set_rotation_policy(&world.cx(), &key, policy).await.unwrap();
    world.engine.delete(&world.cx(), Kind::Key, &key).await.unwrap();
    assert_eq!(world.advance(40 * DAY).await, 0);
    world.engine.recover(&world.cx(), Kind::Key, &key).await.unwrap();
    assert_eq!(world.advance(0).await, 1);
    assert_eq!(world.versions(&key).await.len(), 2);
}

#[tokio::test]
async fn nearing_expiry_is_recorded_once() {
    let mut world = World::new(Recovery::DEFAULT);
    let key = name("k");
    let made = world.engine.put(&world.cx(), &key, ec_key()).await.unwrap();
    let expires = START + 100 * DAY;
    let attributes = AttributesChange { exp: Some(expires), ..AttributesChange::default() };
    let change = Change { attributes, ..Change::default() };
    world.engine.update(&world.cx(), &Target::latest(Kind::Key, key), change).await.unwrap();
    assert_eq!(world.advance(70 * DAY - 1).await, 0);
    assert_eq!(world.advance(1).await, 1);
    assert_eq!(world.advance(10 * DAY).await, 0);
    let events = world.engine.events(10).await.unwrap();
    assert_eq!(events.len(), 1);
    assert_eq!(events[0].event_type, "Microsoft.KeyVault.KeyNearExpiry");
    assert_eq!((Some(events[0].version), events[0].expires), (made.version, Some(expires)));
}

#[tokio::test]
async fn what_was_deleted_is_purged_when_its_retention_ends_and_not_before() {
    for recovery in [Recovery::DEFAULT, Recovery::new(7, true).unwrap()] {
        let mut world = World::new(recovery);
        let secret_name = name("s");
        world.engine.put(&world.cx(), &secret_name, secret("1")).await.unwrap();
        world.engine.put(&world.cx(), &secret_name, secret("2")).await.unwrap();
        let deleted = world.engine.delete(&world.cx(), Kind::Secret, &secret_name).await.unwrap();
        let deletion = deleted.deletion.unwrap();
        assert_eq!(deletion.scheduled_purge - deletion.deleted, recovery.seconds());
        // A shorter or longer promise later changes nothing for what is deleted already.
        world.engine.set_recovery(Recovery::new(30, recovery.purge_protection).unwrap());
        assert_eq!(world.advance(recovery.seconds() - 1).await, 0);
        assert!(world.engine.get_deleted(&world.cx(), Kind::Secret, &secret_name).await.is_ok());
        assert_eq!(world.advance(1).await, 1);
        let gone = world.engine.get_deleted(&world.cx(), Kind::Secret, &secret_name).await.unwrap_err();
        assert_eq!(gone.kind, ErrorKind::DeletedNotFound(Kind::Secret));
        world.engine.put(&world.cx(), &secret_name, secret("3")).await.unwrap();
        let listing = Listing::Versions(Kind::Secret, secret_name);
        let versions = world.engine.list(&world.cx(), &listing, 25, None).await.unwrap();
        assert_eq!(versions.items.len(), 1, "no version of the old life is left");
    }
}

#[tokio::test]
async fn purge_protection_refuses_to_purge() {
    let world = World::new(Recovery::new(90, true).unwrap());
    let secret_name = name("s");
    world.engine.put(&world.cx(), &secret_name, secret("1")).await.unwrap();
    world.engine.delete(&world.cx(), Kind::Secret, &secret_name).await.unwrap();
    let refused = world.engine.purge(&world.cx(), Kind::Secret, &secret_name).await.unwrap_err();
    assert_eq!(refused.kind, ErrorKind::PurgeProtected);
    assert!(world.engine.recover(&world.cx(), Kind::Secret, &secret_name).await.is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_writers_of_one_name_lose_nothing() {
    let world = World::new(Recovery::DEFAULT);
    let mut writers = Vec::new();
    for number in 0..64 {
        let (engine, cx) = (Arc::clone(&world.engine), world.cx());
        writers.push(tokio::spawn(async move { engine.put(&cx, &name("s"), secret(&number.to_string())).await }));
    }
    for writer in writers {
        writer.await.unwrap().unwrap();
    }
    let (mut seen, mut after) = (0, None);
    loop {
        let listing = Listing::Versions(Kind::Secret, name("s"));
        let page = world.engine.list(&world.cx(), &listing, 25, after.as_ref()).await.unwrap();
        seen += page.items.len();
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(seen, 64);
}

/// Two years and 24 months differ in nominal days and are the same by the calendar.
#[tokio::test]
async fn a_policy_that_the_calendar_makes_empty_does_not_rotate_without_end() {
    let mut world = World::new(Recovery::DEFAULT);
    let key = name("calendar");
    world.engine.put(&world.cx(), &key, ec_key()).await.unwrap();
    let policy = RotationPolicy {
        expiry_time: Some(Duration::parse("P2Y").unwrap()),
        rotate: Some(RotateWhen::BeforeExpiry(Duration::parse("P24M").unwrap())),
        ..RotationPolicy::default()
    };
    world.engine.set_rotation_policy(&world.cx(), &key, policy).await.unwrap();
    for _ in 0..20 {
        world.advance(60).await;
    }
    assert_eq!(world.versions(&key).await.len(), 1);
    world.advance(7 * DAY).await;
    for _ in 0..20 {
        world.advance(60).await;
    }
    assert_eq!(world.versions(&key).await.len(), 2);
}

#[tokio::test]
async fn a_nearing_expiry_is_told_once_whatever_else_changes() {
    let mut world = World::new(Recovery::DEFAULT);
    let key = name("told");
    let expires = |days| AttributesChange { exp: Some(START + days * DAY), ..AttributesChange::default() };
    let with = NewAttributes { attributes: expires(60), tags: None };
    let new = NewVersion::Key { spec: KeySpec::Ec(Curve::P256), hardware: false, key_ops: None, with };
    world.engine.put(&world.cx(), &key, new).await.unwrap();
    world.advance(31 * DAY).await;
    let target = Target { kind: Kind::Key, name: key.clone(), version: None };
    let told = async |world: &World| world.engine.events(10).await.unwrap().len();
    assert_eq!(told(&world).await, 1);
    world.engine.update(&world.cx(), &target, Change::default()).await.unwrap();
    world.engine.delete(&world.cx(), Kind::Key, &key).await.unwrap();
    world.engine.recover(&world.cx(), Kind::Key, &key).await.unwrap();
    world.advance(DAY).await;
    assert_eq!(told(&world).await, 1);
    // Another expiry is news.
    let change = Change { attributes: expires(70), ..Change::default() };
    world.engine.update(&world.cx(), &target, change).await.unwrap();
    world.advance(10 * DAY).await;
    assert_eq!(told(&world).await, 2);
}
