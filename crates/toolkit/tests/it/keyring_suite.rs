//! What every store of a key ring has to do. Included by the tests of the binary, too, for the store that
//! needs a running server.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::{Map, Value, json};
use strongroom::keyring::{KeyRing, KeyState, KeyStore, Kid, RingError, RingOptions, TokenError};
use strongroom_store::clock::Clock;
use strongroom_wire::algorithms::SignatureAlgorithm;
use tokio::task::JoinSet;

/// Options of the tests: quick to make keys of.
pub(crate) fn options() -> RingOptions {
    RingOptions { algorithm: SignatureAlgorithm::ES256, ..RingOptions::new("https://issuer.test", "downloads") }
}

pub(crate) fn claims(email: &str) -> Map<String, Value> {
    json!({ "email": email, "file": "/reports/1.pdf" }).as_object().unwrap().clone()
}

/// The store's places, one an instance; all of them the same ring.
pub(crate) type Stores<'a> = &'a [Arc<dyn KeyStore>];

fn ring(store: &Arc<dyn KeyStore>, clock: &Arc<dyn Clock>, options: RingOptions) -> KeyRing {
    KeyRing::new(Arc::clone(store), Arc::clone(clock), options)
}

/// Twenty instances, one key.
pub(crate) async fn the_first_key_is_made_once(stores: Stores<'_>, clock: &Arc<dyn Clock>) {
    let mut starts = JoinSet::new();
    for at in 0..20 {
        let ring = ring(&stores[at % stores.len()], clock, options());
        starts.spawn(async move { ring.ensure_initial_key().await.unwrap() });
    }
    let kids: BTreeSet<Kid> = starts.join_all().await.into_iter().collect();
    assert_eq!(kids.len(), 1, "{kids:?}");
    let ring = ring(&stores[0], clock, options());
    assert_eq!(ring.keys().await.unwrap().len(), 1);
    assert_eq!(Some(&ring.ensure_initial_key().await.unwrap()), kids.first());
}

/// The script of ten steps: create, validate, rotate, retire. Gives the active kid.
pub(crate) async fn ten_steps(stores: Stores<'_>, clock: &Arc<dyn Clock>) {
    let (here, there) = (ring(&stores[0], clock, options()), ring(stores.last().unwrap(), clock, options()));
    let first = here.ensure_initial_key().await.unwrap();
    let t1 = here.sign(claims("one@example.com"), 3600).await.unwrap();
    assert_eq!(t1.kid, first);
    assert_eq!(there.validate(&t1.token).await.unwrap()["email"], "one@example.com");
    let second = here.rotate().await.unwrap();
    assert_ne!(first, second);
    let t2 = here.sign(claims("two@example.com"), 3600).await.unwrap();
    assert_eq!(t2.kid, second, "the instance that rotates signs with the new key at once");
    for instance in [&here, &there] {
        instance.validate(&t1.token).await.unwrap();
        instance.validate(&t2.token).await.unwrap();
    }
    let keys = here.keys().await.unwrap();
    let states = |kid: &Kid| keys.iter().filter(|key| key.kid == *kid).map(|key| key.state).collect::<Vec<_>>();
    assert_eq!((states(&first), states(&second)), (vec![KeyState::Retiring], vec![KeyState::Active]));
    assert_eq!(here.retire(&second, false).await.unwrap_err(), RingError::ActiveKey(second.clone()));
    here.retire(&first, false).await.unwrap();
    assert_eq!(here.validate(&t1.token).await.unwrap_err(), TokenError::UnknownKey);
    here.validate(&t2.token).await.unwrap();
    there.invalidate();
    assert_eq!(there.validate(&t1.token).await.unwrap_err(), TokenError::UnknownKey);
    let published: Vec<Kid> = here.jwks().await.unwrap().keys.into_iter().map(|key| key.kid).collect();
    assert_eq!(published, std::slice::from_ref(&second));
    assert_eq!(here.retire(&first, false).await.unwrap_err(), RingError::UnknownKey(first));
    here.retire(&second, true).await.unwrap();
    assert_eq!(here.validate(&t2.token).await.unwrap_err(), TokenError::UnknownKey);
    let t3 = there.sign(claims("three@example.com"), 60).await.unwrap();
    here.validate(&t3.token).await.unwrap();
}

/// Instances rotate and retire at once, `each` times: what won is in the list, once, and one of them is active.
pub(crate) async fn concurrent_rotations_lose_nothing(
    stores: Stores<'_>,
    clock: &Arc<dyn Clock>,
    instances: usize,
    each: usize,
) {
    let before: BTreeSet<Kid> = kids(&ring(&stores[0], clock, options())).await;
    let mut all = JoinSet::new();
    for at in 0..instances {
        let ring = ring(&stores[at % stores.len()], clock, options());
        all.spawn(async move {
            let (mut won, mut busy) = (Vec::new(), 0);
            for _ in 0..each {
                match ring.rotate().await {
                    Ok(kid) => {
                        // Its own token is valid for itself at any time.
                        let token = ring.sign(claims("a@example.com"), 60).await.unwrap();
                        ring.validate(&token.token).await.unwrap();
                        won.push(kid);
                    }
                    Err(RingError::Busy) => busy += 1,
                    Err(other) => panic!("{other}"),
                }
            }
            (won, busy)
        });
    }
    let (mut won, mut busy) = (BTreeSet::new(), 0);
    let mut wins = 0;
    for (kids, turned_away) in all.join_all().await {
        wins += kids.len();
        won.extend(kids);
        busy += turned_away;
    }
    let ring = ring(&stores[0], clock, options());
    let keys = ring.keys().await.unwrap();
    let listed: BTreeSet<Kid> = keys.iter().map(|key| key.kid.clone()).collect();
    println!("{}: {instances} instances x {each} rotations: {wins} won, {busy} were told to wait", ring.kind());
    assert_eq!(won.len(), wins, "no kid twice");
    assert_eq!(listed.len(), keys.len(), "no key twice in the list");
    let wanted: BTreeSet<Kid> = before.union(&won).cloned().collect();
    assert_eq!(wanted.difference(&listed).count(), 0, "what won is in the list");
    assert_eq!(listed.difference(&wanted).count(), 0, "what lost is not");
    let active: Vec<&Kid> = keys.iter().filter(|key| key.is_active).map(|key| &key.kid).collect();
    assert!(active.len() == 1 && (won.contains(active[0]) || wins == 0), "{active:?}");
    assert!(wins > 0);
}

pub(crate) async fn kids(ring: &KeyRing) -> BTreeSet<Kid> {
    ring.keys().await.unwrap().into_iter().map(|key| key.kid).collect()
}

/// Rotations while the others are retired: the active key is in the list at every moment.
pub(crate) async fn the_active_key_is_always_in_the_list(stores: Stores<'_>, clock: &Arc<dyn Clock>, rounds: usize) {
    let mut all = JoinSet::new();
    for at in 0..4 {
        let ring = ring(&stores[at % stores.len()], clock, options());
        all.spawn(async move {
            for _ in 0..rounds {
                match at % 2 {
                    0 => drop(ring.rotate().await),
                    _ => {
                        for key in ring.keys().await.unwrap() {
                            drop(ring.retire(&key.kid, false).await);
                        }
                    }
                }
                let snapshot = ring.keys().await.unwrap();
                let active = snapshot.iter().filter(|key| key.is_active).count();
                assert_eq!(active, 1, "{snapshot:?}");
            }
        });
    }
    all.join_all().await;
    let last = ring(&stores[0], clock, options());
    let token = last.sign(claims("a@example.com"), 60).await.unwrap();
    last.validate(&token.token).await.unwrap();
}

/// A crash between any two writes leaves a ring that signs, and goes on.
pub(crate) async fn a_crash_leaves_a_valid_ring(stores: Stores<'_>, clock: &Arc<dyn Clock>) {
    let (store, ring) = (&stores[0], ring(&stores[0], clock, options()));
    ring.ensure_initial_key().await.unwrap();
    let before = store.load().await.unwrap();
    // After the private key.
    let stray = Kid::random().unwrap();
    let public = store.make_key(&stray, SignatureAlgorithm::ES256).await.unwrap();
    let token = ring.sign(claims("a@example.com"), 60).await.unwrap();
    ring.validate(&token.token).await.unwrap();
    // After the list: the key is marked, and was not made active.
    let now = clock.now().seconds() - 61;
    let mut keys = before.keys.clone();
    keys.push(strongroom::keyring::RingKey {
        kid: stray.clone(),
        algorithm: SignatureAlgorithm::ES256,
        created: now,
        state: KeyState::Active,
        since: now,
        carried: false,
        public,
    });
    store.save_keys(&before, &keys).await.unwrap();
    assert_eq!(ring.ensure_initial_key().await.unwrap(), token.kid);
    assert_eq!(ring.sign(claims("a@example.com"), 60).await.unwrap().kid, token.kid);
    let rotated = ring.rotate().await.unwrap();
    ring.validate(&token.token).await.unwrap();
    ring.retire(&stray, false).await.unwrap();
    assert!(kids(&ring).await.contains(&rotated) && !kids(&ring).await.contains(&stray));
}

/// Public keys of another ring verify here, and never sign.
pub(crate) async fn carried_keys_verify_and_do_not_sign(stores: Stores<'_>, clock: &Arc<dyn Clock>, old: &KeyRing) {
    old.ensure_initial_key().await.unwrap();
    let token = old.sign(claims("old@example.com"), 600).await.unwrap();
    let new = ring(&stores[0], clock, options());
    new.ensure_initial_key().await.unwrap();
    assert_eq!(new.validate(&token.token).await.unwrap_err(), TokenError::UnknownKey);
    let public = old.jwks().await.unwrap().to_carry(clock.now().seconds());
    assert_eq!(new.carry(&public).await.unwrap(), public.len());
    assert_eq!(new.validate(&token.token).await.unwrap()["email"], "old@example.com");
    let elsewhere = ring(stores.last().unwrap(), clock, options());
    elsewhere.validate(&token.token).await.unwrap();
    assert_eq!(new.activate(&token.kid).await.unwrap_err(), RingError::UnknownKey(token.kid.clone()));
    assert_ne!(new.sign(claims("a@example.com"), 60).await.unwrap().kid, token.kid);
    new.retire(&token.kid, false).await.unwrap();
    assert_eq!(new.validate(&token.token).await.unwrap_err(), TokenError::UnknownKey);
}
