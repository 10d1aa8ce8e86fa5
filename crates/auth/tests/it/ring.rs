//! The issuer's keys over time.

use strongroom_auth::{RotationSchedule, SigningKey, SigningKeyRing};

const DAY: i64 = 86_400;
const START: i64 = 1_800_000_000;

fn follow(ring: SigningKeyRing, now: i64) -> SigningKeyRing {
    let plan = ring.plan(now, &RotationSchedule::default());
    let mut keys = ring.into_keys();
    keys.retain(|key| !plan.drop.contains(&key.kid().to_owned()));
    keys.extend(plan.generate.map(|times| SigningKey::generate(&times).unwrap()));
    let ring = SigningKeyRing::new(keys);
    assert!(ring.plan(now, &RotationSchedule::default()).is_empty(), "a plan that was followed leaves nothing to do");
    ring
}

fn published(ring: &SigningKeyRing, now: i64) -> Vec<String> {
    let jwks = ring.jwks(now);
    jwks["keys"].as_array().unwrap().iter().map(|key| key["kid"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_key_is_published_a_day_before_it_signs_and_an_hour_and_more_after() {
    let mut ring = SigningKeyRing::default();
    let mut yesterday: Vec<String> = Vec::new();
    let mut signers = Vec::new();
    for day in 0..95 {
        let now = START + day * DAY;
        ring = follow(ring, now);
        let signer = ring.active(now).expect("there is always a key that signs").kid().to_owned();
        let today = published(&ring, now);
        assert!(today.contains(&signer));
        // Who fetched the keys a day ago knows today's signer; who fetches now knows yesterday's.
        assert!(day == 0 || yesterday.contains(&signer), "day {day}");
        assert!(signers.last().is_none_or(|last| today.contains(last)), "day {day}");
        assert!(today.len() <= 3);
        yesterday = today;
        signers.push(signer);
    }
    signers.dedup();
    assert_eq!(signers.len(), 4, "one signer every 30 days");
}

#[test]
fn after_a_long_time_off_a_new_key_signs_at_once() {
    let ring = follow(SigningKeyRing::default(), START);
    let later = START + 400 * DAY;
    assert!(ring.active(later).is_none());
    let ring = follow(ring, later);
    assert!(ring.active(later).is_some());
    assert_eq!(published(&ring, later).len(), 1);
}

#[test]
fn a_clock_that_is_set_back_finds_a_key_too() {
    let ring = follow(follow(SigningKeyRing::default(), START + 90 * DAY), START);
    let now = ring.active(START).expect("a key for the earlier time").kid().to_owned();
    let later = ring.active(START + 91 * DAY).expect("a key for the later time").kid().to_owned();
    assert_ne!(now, later);
}

#[test]
fn a_key_survives_being_stored() {
    let ring = follow(SigningKeyRing::default(), START);
    let keys = ring.into_keys();
    let stored = serde_json::to_string(&keys[0].to_stored().unwrap()).unwrap();
    let read = SigningKey::from_stored(serde_json::from_str(&stored).unwrap()).unwrap();
    assert_eq!(read.kid(), keys[0].kid());
    assert_eq!(SigningKeyRing::new(keys).jwks(START), SigningKeyRing::new(vec![read]).jwks(START));
}
