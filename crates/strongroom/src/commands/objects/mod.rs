//! What secrets and keys have in common on the command line: opening the vault, the shared verbs,
//! attributes, and help when there is no object of a name.

mod attributes;
mod input;
mod nearby;
mod row;

use std::process::ExitCode;
use std::sync::Arc;

use serde_json::Value;
use strongroom_server::clock::Clock as _;
use strongroom_store::vault::{Listing, Object, Target, list_all};
use strongroom_store::{Cx, Vault};
use strongroom_wire::ErrorKind;
use strongroom_wire::ids::{Kind, ObjectName, Version};

use super::login::variable;
use super::{show, vault_uri};
use crate::Outcome;
use crate::cli::{ObjectVerb, Output, VaultArgs, WhichObject};
use crate::clock::SystemClock;
use crate::failure::Failure;

pub(super) use attributes::{change, new_attributes};
pub(super) use input::{passphrase, read_bytes, read_value, write_bytes};
pub(super) use row::{moment, row, with_value};

/// One kind of object in one vault.
pub(super) struct Place {
    pub(super) vault: Arc<dyn Vault>,
    pub(super) kind: Kind,
    pub(super) output: Option<Output>,
}

impl Place {
    pub(super) async fn open(arguments: &VaultArgs, kind: Kind) -> Result<Self, Failure> {
        Ok(Self { vault: vault_uri::open(&uri(arguments)?).await?, kind, output: arguments.output })
    }

    /// The object that was named.
    pub(super) fn target(&self, which: &WhichObject) -> Result<Target, Failure> {
        let wrong = || Failure::usage("--version: a version is 32 hexadecimal digits");
        let version = which.version.as_deref().map(|text| Version::parse(text).ok_or_else(wrong)).transpose()?;
        Ok(Target { kind: self.kind, name: ObjectName::parse(&which.name)?, version })
    }

    /// A live object, or a deleted one.
    pub(super) async fn find(&self, target: &Target, deleted: bool) -> Result<Object, Failure> {
        let found = match deleted {
            true => self.vault.get_deleted(&cx(), self.kind, &target.name).await,
            false => self.vault.get(&cx(), target).await,
        };
        self.or_nearby(found, &target.name).await
    }

    /// What was answered; when there is no object of that name, with what may have been meant.
    pub(super) async fn or_nearby<T>(
        &self,
        answer: Result<T, strongroom_wire::Error>,
        name: &ObjectName,
    ) -> Result<T, Failure> {
        match answer {
            Ok(answer) => Ok(answer),
            Err(error) => {
                let more = match error.kind {
                    ErrorKind::NotFound(_) => nearby::live(self, name).await,
                    ErrorKind::DeletedNotFound(_) => nearby::deleted(self, name).await,
                    ErrorKind::DeletedButRecoverable => {
                        let noun = self.kind.noun();
                        Some(format!("`strongroom {noun} recover {name}` brings it back"))
                    }
                    _ => None,
                };
                let failure = Failure::from(error);
                Err(match more {
                    Some(more) => failure.and(&format!("\n{more}")),
                    None => failure,
                })
            }
        }
    }

    /// All objects of a list.
    pub(super) async fn list(&self, listing: &Listing) -> Result<Vec<Object>, strongroom_wire::Error> {
        list_all(&*self.vault, &cx(), listing).await
    }

    /// One object, as it was asked for; else in a sentence.
    pub(super) fn tell(&self, object: &Object, sentence: &str) -> Outcome {
        match self.output {
            None => println!("{sentence}"),
            Some(output) => return show::object(&row(object), columns(self.kind), Some(output)),
        }
        Ok(ExitCode::SUCCESS)
    }

    /// A verb that secrets and keys share.
    pub(super) async fn run(&self, verb: ObjectVerb) -> Outcome {
        let (kind, vault) = (self.kind, &self.vault);
        let (noun, title) = (kind.noun(), kind.title());
        match verb {
            ObjectVerb::List => self.print(&Listing::Live(kind), false).await,
            ObjectVerb::ListDeleted => self.print(&Listing::Deleted(kind), false).await,
            ObjectVerb::Versions { name } => {
                let name = ObjectName::parse(&name)?;
                let all = self.list(&Listing::Versions(kind, name.clone())).await;
                let all = self.or_nearby(all, &name).await?;
                if all.is_empty() {
                    let absent = Err(strongroom_wire::Error::not_found(kind, name.as_str()));
                    return self.or_nearby(absent, &name).await;
                }
                self.rows(&all, true)
            }
            ObjectVerb::Delete { name } => {
                let name = ObjectName::parse(&name)?;
                let gone = self.or_nearby(vault.delete(&cx(), kind, &name).await, &name).await?;
                let until = gone.deletion.map(|deletion| moment(deletion.scheduled_purge));
                let until = until.map_or_else(String::new, |until| format!(" until {until}"));
                let name = &gone.name;
                self.tell(
                    &gone,
                    &format!("{name} is deleted; `strongroom {noun} recover {name}` brings it back{until}"),
                )
            }
            ObjectVerb::Recover { name } => {
                let name = ObjectName::parse(&name)?;
                let back = self.or_nearby(vault.recover(&cx(), kind, &name).await, &name).await?;
                self.tell(&back, &format!("{} is back", back.name))
            }
            ObjectVerb::Purge { name } => {
                let name = ObjectName::parse(&name)?;
                self.or_nearby(vault.purge(&cx(), kind, &name).await, &name).await?;
                println!("{title} {name} is destroyed");
                Ok(ExitCode::SUCCESS)
            }
            ObjectVerb::Backup { name, out } => {
                let name = ObjectName::parse(&name)?;
                let blob = self.or_nearby(vault.backup(&cx(), kind, &name).await, &name).await?;
                write_bytes(&blob, Some(&out))?;
                Ok(ExitCode::SUCCESS)
            }
            ObjectVerb::Restore { file } => {
                let blob = read_bytes(&file)?;
                let back = vault.restore(&cx(), kind, &blob).await?;
                self.tell(&back, &format!("{} is back, with all its versions", back.name))
            }
        }
    }

    async fn print(&self, listing: &Listing, versions: bool) -> Outcome {
        self.rows(&self.list(listing).await?, versions)
    }

    fn rows(&self, all: &[Object], versions: bool) -> Outcome {
        let rows: Vec<Value> = all.iter().map(row).collect();
        let columns: &[&str] = match (self.kind, versions, rows.iter().any(|row| row.get("scheduled_purge").is_some()))
        {
            (_, true, _) => &["version", "enabled", "created", "not_before", "expires", "tags"],
            (_, _, true) => &["name", "deleted", "scheduled_purge", "tags"],
            (Kind::Secret, ..) => &["name", "enabled", "content_type", "updated", "expires", "tags"],
            (Kind::Key, ..) => &["name", "enabled", "updated", "expires", "tags"],
        };
        show::rows(&rows, columns, self.output.unwrap_or(Output::Table))
    }
}

/// The members of one object, as they are shown.
pub(super) const fn columns(kind: Kind) -> &'static [&'static str] {
    match kind {
        Kind::Secret => {
            &["name", "version", "enabled", "content_type", "created", "updated", "not_before", "expires", "tags"]
        }
        Kind::Key => {
            &["name", "version", "type", "enabled", "operations", "created", "updated", "not_before", "expires", "tags"]
        }
    }
}

/// The context of a call from here.
pub(super) fn cx() -> Cx {
    Cx::system(SystemClock.now())
}

/// The vault's URI, from the command line or the environment.
pub(super) fn uri(arguments: &VaultArgs) -> Result<String, Failure> {
    arguments.vault.clone().or_else(|| variable("AZURE_KEYVAULT_URL")).ok_or_else(|| {
        Failure::usage(
            "which vault? Give --vault URI, or set STRONGROOM_VAULT (`strongroom env` prints the variables of the \
             development server)",
        )
    })
}
