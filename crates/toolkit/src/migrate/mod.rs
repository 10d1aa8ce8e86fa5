//! Moving secrets and keys from one vault to another: [`Migration::plan`] says what would be done,
//! [`Migration::run`] does it and proves it, [`Migration::verify`] compares.
//!
//! An object goes by backup and restore where the target opens the source's backups (Strongrooms that
//! share a backup key): all versions, their numbers and the key material come along. Elsewhere secrets
//! are copied version by version, and keys, whose private halves do not leave their vault, are made
//! anew: the same type, size, operations, attributes, tags and rotation policy, other material. What
//! an old key signed or encrypted stays with the old key, and so do its earlier versions.
//!
//! Disabled versions of secrets cannot be read: earlier ones are left out, and a secret whose latest
//! version is disabled is not copied at all, since an older value would become the current one.
//! Soft-deleted objects stay where they are.

mod keys;
mod pair;
mod run;
mod secrets;
mod select;

use std::sync::Arc;

use strongroom_store::clock::Clock;
use strongroom_store::vault::{Listing, Object, Target, list_all};
use strongroom_store::{Cx, Vault};
use strongroom_wire::ids::{Kind, ObjectName};
use strongroom_wire::{Error, ErrorKind};

pub use pair::open_pair;
pub use run::Report;
pub use select::Selection;

use keys::{KeyState, Proof};
use secrets::SecretState;

/// From one vault to another. Nothing is remembered between calls: what is done is seen in the
/// target, so that a run that was interrupted is simply run again.
pub struct Migration {
    source: Arc<dyn Vault>,
    target: Arc<dyn Vault>,
    clock: Arc<dyn Clock>,
    selection: Selection,
}

/// What is to be done with an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Restored from a backup where the target opens the source's; else its versions are copied.
    Copy,
    /// Copied up to here by an earlier run: this many versions are there.
    Continue(usize),
    /// Restored from a backup where the target opens the source's; else made anew.
    MoveOrRecreate,
    /// Made anew: the source gives no backups of it.
    Recreate,
    /// Made anew by an earlier run, and left unproven.
    Finish,
    /// There already, and equal.
    Present,
    /// It cannot be moved; why, and what to do.
    Blocked(String),
}

impl Action {
    /// One word.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Copy => "copy",
            Self::Continue(_) => "continue",
            Self::MoveOrRecreate => "move-or-recreate",
            Self::Recreate => "recreate",
            Self::Finish => "finish",
            Self::Present => "present",
            Self::Blocked(_) => "blocked",
        }
    }
}

/// An object of the source, and what is to be done with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// Secret or key.
    pub kind: Kind,
    /// Its name, in its case.
    pub name: ObjectName,
    /// How many versions the source has.
    pub versions: usize,
    /// What is to be done.
    pub action: Action,
    /// What will not be as it was, a sentence each.
    pub remarks: Vec<String>,
}

/// How an object of the source compares with the target's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Comparison {
    /// Secret or key.
    pub kind: Kind,
    /// Its name.
    pub name: ObjectName,
    /// `None` when it is as it should be; else what differs.
    pub difference: Option<String>,
    /// Why a key that is as it should be could not show that it works: it is disabled, expired, or may
    /// neither sign nor open.
    pub unproven: Option<String>,
}

/// Why a migration cannot go on: which vault, which object, and what it said. Holds no values.
#[derive(Debug, thiserror::Error)]
#[error("{vault}: {what}: {error}")]
pub struct MigrateError {
    /// `source` or `target`.
    pub vault: &'static str,
    /// What was being done.
    pub what: String,
    /// What the vault said.
    pub error: Error,
}

impl Migration {
    /// Of the selected objects.
    pub fn new(source: Arc<dyn Vault>, target: Arc<dyn Vault>, clock: Arc<dyn Clock>, selection: Selection) -> Self {
        Self { source, target, clock, selection }
    }

    /// What would be done with each object. Changes nothing.
    ///
    /// # Errors
    /// When a vault does not answer, or refuses to be read.
    pub async fn plan(&self) -> Result<Vec<Item>, MigrateError> {
        let mut items = Vec::new();
        for (kind, name) in self.selected().await? {
            items.push(self.plan_one(kind, &name).await?);
        }
        Ok(items)
    }

    /// Compares each object with the target's, and has every key prove itself: a signature or a
    /// decryption by the target, checked here with its public key.
    ///
    /// # Errors
    /// When a vault does not answer, or refuses to be read.
    pub async fn verify(&self) -> Result<Vec<Comparison>, MigrateError> {
        let mut all = Vec::new();
        for (kind, name) in self.selected().await? {
            all.push(self.compare(kind, &name).await?);
        }
        Ok(all)
    }

    async fn plan_one(&self, kind: Kind, name: &ObjectName) -> Result<Item, MigrateError> {
        let mut item = match kind {
            Kind::Secret => self.plan_secret(name).await?,
            Kind::Key => self.plan_key(name).await?,
        };
        if !matches!(item.action, Action::Present | Action::Blocked(_)) && self.is_deleted_in_target(kind, name).await?
        {
            item.action = Action::Blocked(format!(
                "the target has a deleted {} of that name: recover it there, or purge it",
                kind.noun()
            ));
        }
        Ok(item)
    }

    async fn compare(&self, kind: Kind, name: &ObjectName) -> Result<Comparison, MigrateError> {
        let (mut difference, mut unproven) = (None, None);
        let absent = || Some("it is not in the target".to_owned());
        match kind {
            Kind::Secret => match self.secret_state(name).await?.1 {
                SecretState::Equal => {}
                SecretState::Absent => difference = absent(),
                SecretState::Begun(there) => {
                    difference = Some(format!("only {there} of its versions are in the target"));
                }
                SecretState::Other(how) => difference = Some(how),
            },
            Kind::Key => match self.key_state(name).await?.1 {
                KeyState::Equal(made) => match self.prove(&made).await? {
                    Proof::Proven => {}
                    Proof::Impossible(why) => unproven = Some(why),
                    Proof::Wrong(how) => difference = Some(how),
                },
                KeyState::Absent => difference = absent(),
                KeyState::Unfinished(_) => {
                    difference = Some("it was made and not finished: run the migration again".to_owned());
                }
                KeyState::Other(how) => difference = Some(how),
            },
        }
        Ok(Comparison { kind, name: name.clone(), difference, unproven })
    }

    async fn selected(&self) -> Result<Vec<(Kind, ObjectName)>, MigrateError> {
        let mut all = Vec::new();
        for kind in [Kind::Secret, Kind::Key] {
            if self.selection.kind.is_none_or(|only| only == kind) {
                let listed = self.list(false, Listing::Live(kind)).await?;
                let names = listed.into_iter().map(|object| object.name).filter(|name| self.selection.has(name));
                all.extend(names.map(|name| (kind, name)));
            }
        }
        Ok(all)
    }

    /// All pages of a list.
    async fn list(&self, in_target: bool, listing: Listing) -> Result<Vec<Object>, MigrateError> {
        let vault = if in_target { &self.target } else { &self.source };
        list_all(&**vault, &self.cx(), &listing).await.map_err(|error| fault(in_target, "its list", error))
    }

    /// A live object, or `None`.
    async fn find(&self, in_target: bool, target: &Target) -> Result<Option<Object>, MigrateError> {
        let vault = if in_target { &self.target } else { &self.source };
        match vault.get(&self.cx(), target).await {
            Ok(object) => Ok(Some(object)),
            Err(error) if matches!(error.kind, ErrorKind::NotFound(_)) => Ok(None),
            Err(error) => Err(fault(in_target, target.name.as_str(), error)),
        }
    }

    async fn is_deleted_in_target(&self, kind: Kind, name: &ObjectName) -> Result<bool, MigrateError> {
        match self.target.get_deleted(&self.cx(), kind, name).await {
            Ok(_) => Ok(true),
            Err(error) if matches!(error.kind, ErrorKind::NotFound(_) | ErrorKind::DeletedNotFound(_)) => Ok(false),
            Err(error) => Err(fault(true, name.as_str(), error)),
        }
    }

    fn cx(&self) -> Cx {
        Cx::system(self.clock.now())
    }
}

impl std::fmt::Debug for Migration {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Migration({:?})", self.selection)
    }
}

fn fault(in_target: bool, what: &str, error: Error) -> MigrateError {
    MigrateError { vault: if in_target { "target" } else { "source" }, what: what.to_owned(), error }
}
