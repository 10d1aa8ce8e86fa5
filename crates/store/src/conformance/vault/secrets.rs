//! Secrets: versions, attributes, limits, lists.

use strongroom_wire::attributes::{AttributesChange, Tags};
use strongroom_wire::ids::{Kind, ObjectName};
use strongroom_wire::{ErrorKind, Sensitive};

use super::{Harness, exact, latest, refused, secret, value};
use crate::vault::{Body, Change, Listing, NewAttributes, NewVersion};

const SECRET: Kind = Kind::Secret;

pub(super) async fn set_makes_versions(harness: &Harness) {
    let name = harness.name("versions");
    let first = harness.set(&name, "1").await;
    let second = harness.set(&name, "2").await;
    assert_eq!((value(&first), value(&second)), ("1", "2"));
    assert!(first.version.is_some() && first.version != second.version);
    let cx = harness.cx();
    assert_eq!(value(&harness.vault.get(&cx, &latest(SECRET, &name)).await.unwrap()), "2");
    assert_eq!(value(&harness.vault.get(&cx, &exact(SECRET, &first)).await.unwrap()), "1");
    let versions = harness.list(&Listing::Versions(SECRET, name), 1).await;
    let listed: Vec<_> = versions.iter().map(|object| object.version).collect();
    assert_eq!(listed, [first.version, second.version], "oldest first");
}

pub(super) async fn names_ignore_case_and_keep_it(harness: &Harness) {
    let name = harness.name("MixedCase");
    harness.set(&name, "1").await;
    let lower = ObjectName::parse(&name.folded()).unwrap();
    let read = harness.vault.get(&harness.cx(), &latest(SECRET, &lower)).await.unwrap();
    assert_eq!((read.name.as_str(), value(&read)), (name.as_str(), "1"));
    let again = harness.set(&lower, "2").await;
    assert_eq!(again.name.as_str(), name.as_str(), "the case first used stays");
}

pub(super) async fn nothing_is_inherited(harness: &Harness) {
    let name = harness.name("inherit");
    let attributes = AttributesChange { exp: Some(harness.now + 1000), ..AttributesChange::default() };
    let tags = Some(Tags::from([("a".to_owned(), "b".to_owned())]));
    let new = NewVersion::Secret {
        value: Sensitive::new("1".to_owned()),
        content_type: Some("text/plain".to_owned()),
        with: NewAttributes { attributes, tags: tags.clone() },
    };
    let first = harness.vault.put(&harness.cx(), &name, new).await.unwrap();
    assert_eq!((first.attributes.expires, &first.tags), (Some(harness.now + 1000), &tags));
    assert!(matches!(&first.body, Body::Secret { content_type: Some(kind), .. } if kind == "text/plain"));
    let second = harness.set(&name, "2").await;
    assert_eq!((second.attributes.expires, second.tags), (None, None));
    assert!(matches!(second.body, Body::Secret { content_type: None, .. }));
}

pub(super) async fn update_merges_and_moves_updated(harness: &Harness) {
    let name = harness.name("update");
    let cx = harness.cx();
    let made = harness.set(&name, "1").await;
    let tags = |tag: &str| Some(Tags::from([(tag.to_owned(), String::new())]));
    let change = Change {
        attributes: AttributesChange { nbf: Some(5), ..AttributesChange::default() },
        tags: tags("a"),
        content_type: Some("x".to_owned()),
        key_ops: None,
    };
    let first = harness.vault.update(&cx, &latest(SECRET, &name), change).await.unwrap();
    assert!(matches!(first.body, Body::Secret { value: None, .. }), "an update shows no value");
    assert!(first.attributes.updated > made.attributes.updated);
    let change = Change {
        attributes: AttributesChange { exp: Some(harness.now + 9), ..AttributesChange::default() },
        tags: tags("b"),
        ..Change::default()
    };
    let second = harness.vault.update(&cx, &exact(SECRET, &made), change).await.unwrap();
    assert!(second.attributes.updated > first.attributes.updated);
    assert_eq!(second.attributes.created, made.attributes.created);
    assert_eq!((second.attributes.not_before, second.attributes.expires), (Some(5), Some(harness.now + 9)));
    assert_eq!(second.tags, tags("b"), "tags are replaced as a whole");
    assert!(matches!(&second.body, Body::Secret { content_type: Some(kind), .. } if kind == "x"));
    let read = harness.vault.get(&cx, &latest(SECRET, &name)).await.unwrap();
    assert_eq!((value(&read), read.version, &read.tags), ("1", made.version, &second.tags));
}

pub(super) async fn a_disabled_version_is_refused_and_others_are_not(harness: &Harness) {
    let name = harness.name("disabled");
    let cx = harness.cx();
    let old = harness.set(&name, "1").await;
    harness.set(&name, "2").await;
    let enabled = |enabled| Change {
        attributes: AttributesChange { enabled: Some(enabled), ..AttributesChange::default() },
        ..Change::default()
    };
    harness.vault.update(&cx, &exact(SECRET, &old), enabled(false)).await.unwrap();
    refused(harness.vault.get(&cx, &exact(SECRET, &old)).await, ErrorKind::SecretDisabled);
    assert_eq!(value(&harness.vault.get(&cx, &latest(SECRET, &name)).await.unwrap()), "2");
    harness.vault.update(&cx, &exact(SECRET, &old), enabled(true)).await.unwrap();
    assert_eq!(value(&harness.vault.get(&cx, &exact(SECRET, &old)).await.unwrap()), "1");
}

pub(super) async fn reading_does_not_mind_the_time(harness: &Harness) {
    for (nbf, exp) in [(Some(harness.now + 10_000), None), (None, Some(harness.now - 10_000))] {
        let name = harness.name("time");
        let with =
            NewAttributes { attributes: AttributesChange { nbf, exp, ..AttributesChange::default() }, tags: None };
        let new = NewVersion::Secret { value: Sensitive::new("1".to_owned()), content_type: None, with };
        harness.vault.put(&harness.cx(), &name, new).await.unwrap();
        assert_eq!(value(&harness.vault.get(&harness.cx(), &latest(SECRET, &name)).await.unwrap()), "1");
    }
}

pub(super) async fn limits_are_exact(harness: &Harness) {
    let name = harness.name("limits");
    let cx = harness.cx();
    let full = "\u{1}".repeat(25_600 - 3) + "\u{20ac}";
    assert_eq!(full.len(), 25_600);
    for kept in [full.as_str(), "", "\"quotes\"\n\\", "YourStrongPassword123!"] {
        harness.set(&name, kept).await;
        assert_eq!(value(&harness.vault.get(&cx, &latest(SECRET, &name)).await.unwrap()), kept);
    }
    let too_long = harness.vault.put(&cx, &name, secret(&(full + "x"))).await;
    refused(too_long, ErrorKind::BadParameter);
    let with = |tags: Tags, content_type: String| NewVersion::Secret {
        value: Sensitive::new("1".to_owned()),
        content_type: Some(content_type),
        with: NewAttributes { attributes: AttributesChange::default(), tags: Some(tags) },
    };
    let many = |count: usize| (0..count).map(|number| (format!("t{number}"), "v".to_owned())).collect::<Tags>();
    harness.vault.put(&cx, &name, with(many(15), "c".repeat(255))).await.unwrap();
    refused(harness.vault.put(&cx, &name, with(many(16), String::new())).await, ErrorKind::BadParameter);
    refused(harness.vault.put(&cx, &name, with(many(1), "c".repeat(256))).await, ErrorKind::BadParameter);
    let long_tag = Tags::from([("n".repeat(513), String::new())]);
    refused(harness.vault.put(&cx, &name, with(long_tag, String::new())).await, ErrorKind::BadParameter);
}

pub(super) async fn lists_go_through_all_without_values(harness: &Harness) {
    let mut names = Vec::new();
    for _ in 0..30 {
        let name = harness.name("listed");
        harness.set(&name, "hidden").await;
        names.push(name.as_str().to_owned());
    }
    let listed = harness.list(&Listing::Live(SECRET), 7).await;
    assert!(listed.iter().all(|object| matches!(object.body, Body::Secret { value: None, .. })));
    let shown: Vec<&str> = listed.iter().map(|object| object.name.as_str()).collect();
    for name in &names {
        assert_eq!(shown.iter().filter(|shown| *shown == name).count(), 1, "{name} is listed once");
    }
    assert!(listed.windows(2).all(|pair| pair[0].name.folded() < pair[1].name.folded()), "in the order of names");
    let bad = crate::vault::Cursor("$skiptoken=!!&maxresults=3".to_owned());
    refused(harness.vault.list(&harness.cx(), &Listing::Live(SECRET), 3, Some(&bad)).await, ErrorKind::BadParameter);
}
