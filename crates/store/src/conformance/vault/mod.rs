//! What every vault must do. Plain functions on [`Harness`]: each vault's tests call [`all`], be it
//! an engine or a client of a server over one. They panic where the vault is wrong.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::as_conversions,
    reason = "these are tests, kept where every vault can run them"
)]

mod backup;
mod cryptography;
mod keys;
mod lifecycle;
mod secrets;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use strongroom_crypto::KeySpec;
use strongroom_wire::algorithms::{Curve, KeyOp};
use strongroom_wire::attributes::AttributesChange;
use strongroom_wire::ids::{Kind, ObjectName};
use strongroom_wire::jwk::ImportJwk;
use strongroom_wire::{Error, ErrorKind, Sensitive};

use crate::cx::{Cx, Time};
use crate::vault::{Cursor, Listing, NewAttributes, NewVersion, Object, Target, Vault};

/// Vaults under test.
pub struct Harness {
    /// The vault.
    pub vault: Arc<dyn Vault>,
    /// Another vault of the same installation, to restore into.
    pub other: Arc<dyn Vault>,
    /// What the vaults take for now, unix seconds: within a few seconds.
    pub now: i64,
    names: AtomicU64,
}

impl Harness {
    /// Two vaults of one installation.
    pub fn new(vault: Arc<dyn Vault>, other: Arc<dyn Vault>, now: i64) -> Self {
        Self { vault, other, now, names: AtomicU64::new(0) }
    }

    fn cx(&self) -> Cx {
        Cx::system(Time::from_seconds(self.now))
    }

    fn name(&self, what: &str) -> ObjectName {
        let number = self.names.fetch_add(1, Ordering::Relaxed);
        ObjectName::parse(&format!("{what}-{number}")).unwrap()
    }

    async fn set(&self, name: &ObjectName, value: &str) -> Object {
        self.vault.put(&self.cx(), name, secret(value)).await.unwrap()
    }

    async fn key(&self, name: &ObjectName, spec: KeySpec) -> Object {
        self.vault.put(&self.cx(), name, self.new_key(spec)).await.unwrap()
    }

    /// Does the vault keep its keys in hardware? It keeps them nowhere else then.
    fn hardware(&self) -> bool {
        self.vault.offers().hardware_keys
    }

    fn new_key(&self, spec: KeySpec) -> NewVersion {
        self.key_with(spec, None, AttributesChange::default())
    }

    fn key_with(&self, spec: KeySpec, key_ops: Option<Vec<KeyOp>>, attributes: AttributesChange) -> NewVersion {
        let with = NewAttributes { attributes, tags: None };
        NewVersion::Key { spec, hardware: self.hardware(), key_ops, with }
    }

    fn import(&self, jwk: ImportJwk) -> NewVersion {
        NewVersion::ImportedKey { jwk, hardware: self.hardware(), key_ops: None, with: NewAttributes::default() }
    }

    /// All pages of a list.
    async fn list(&self, listing: &Listing, limit: usize) -> Vec<Object> {
        let (mut all, mut after): (Vec<Object>, Option<Cursor>) = (Vec::new(), None);
        loop {
            let page = self.vault.list(&self.cx(), listing, limit, after.as_ref()).await.unwrap();
            assert!(page.items.len() <= limit, "a page has at most as many items as asked for");
            all.extend(page.items);
            after = page.next;
            if after.is_none() {
                return all;
            }
        }
    }
}

/// Runs every check.
///
/// # Panics
/// When the vault does not keep the contract of [`Vault`].
pub async fn all(harness: &Harness) {
    secrets::set_makes_versions(harness).await;
    secrets::names_ignore_case_and_keep_it(harness).await;
    secrets::nothing_is_inherited(harness).await;
    secrets::update_merges_and_moves_updated(harness).await;
    secrets::a_disabled_version_is_refused_and_others_are_not(harness).await;
    secrets::reading_does_not_mind_the_time(harness).await;
    secrets::limits_are_exact(harness).await;
    secrets::lists_go_through_all_without_values(harness).await;
    lifecycle::what_is_not_there_is_not_found(harness).await;
    lifecycle::delete_hides_and_blocks_the_name(harness).await;
    lifecycle::recover_brings_all_versions_back(harness).await;
    lifecycle::purge_is_final(harness).await;
    keys::offers_are_honest(harness).await;
    keys::defaults_and_lists(harness).await;
    keys::imported_keys_are_used(harness).await;
    keys::bad_imports_are_refused(harness).await;
    keys::update_changes_what_it_names(harness).await;
    keys::rotation_keeps_everything_but_the_material(harness).await;
    keys::a_policy_is_kept_and_shown(harness).await;
    cryptography::signatures_verify_outside_and_inside(harness).await;
    cryptography::ciphertexts_open_both_ways(harness).await;
    cryptography::wrong_inputs_are_refused(harness).await;
    cryptography::old_versions_stay_usable(harness).await;
    cryptography::use_is_limited_by_operations_time_and_enabled(harness).await;
    backup::restored_in_another_vault_it_is_the_same(harness).await;
    backup::what_is_not_a_backup_is_refused(harness).await;
}

fn secret(value: &str) -> NewVersion {
    NewVersion::Secret { value: Sensitive::new(value.to_owned()), content_type: None, with: NewAttributes::default() }
}

const EC: KeySpec = KeySpec::Ec(Curve::P256);
const RSA: KeySpec = KeySpec::Rsa { bits: 2048 };

fn latest(kind: Kind, name: &ObjectName) -> Target {
    Target::latest(kind, name.clone())
}

fn exact(kind: Kind, object: &Object) -> Target {
    Target { kind, name: object.name.clone(), version: object.version }
}

#[track_caller]
fn refused<T: std::fmt::Debug>(outcome: Result<T, Error>, kind: ErrorKind) {
    match outcome {
        Err(error) => assert_eq!(error.kind, kind, "{error}"),
        Ok(done) => panic!("expected {kind:?}, got {done:?}"),
    }
}

fn value(object: &Object) -> &str {
    match &object.body {
        crate::vault::Body::Secret { value: Some(value), .. } => value.expose(),
        other => panic!("no value in {other:?}"),
    }
}
