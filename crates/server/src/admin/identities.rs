//! The commands on managed identities: who logs in without any credential of its own.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use strongroom_wire::{Error, ErrorKind};

use crate::app::App;
use crate::directory::ManagedIdentity;
use crate::identity::managed_token;

/// What can be asked of managed identities.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "action")]
pub enum IdentityCommand {
    /// Makes one; one of that name that is there stays as it is.
    Create {
        /// 3 to 128 letters, digits, hyphens and underscores.
        name: String,
    },
    /// Lists them.
    List,
    /// Shows one.
    Show {
        /// Name.
        name: String,
    },
    /// Issues a token for one, as its endpoint answers.
    Token {
        /// Name.
        name: String,
        /// What the token is for, such as `https://vault.azure.net`.
        resource: String,
    },
}

pub(super) async fn execute(app: &App, command: IdentityCommand) -> Result<Value, Error> {
    match command {
        IdentityCommand::Create { name } => create(app, name).await,
        IdentityCommand::List => {
            let all = app.directory.identities();
            Ok(json!(all.iter().map(|identity| show(app, identity)).collect::<Vec<_>>()))
        }
        IdentityCommand::Show { name } => Ok(show(app, &find(app, &name)?)),
        IdentityCommand::Token { name, resource } => {
            let identity = find(app, &name)?;
            let token = managed_token(app, &identity, &resource).await;
            token.map_err(|error| Error::bad_parameter(error.to_string()))
        }
    }
}

async fn create(app: &App, name: String) -> Result<Value, Error> {
    let legal = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    let begins = name.chars().next().is_some_and(|c| c.is_ascii_alphanumeric());
    if !(3..=128).contains(&name.len()) || !name.chars().all(legal) || !begins {
        return Err(Error::bad_parameter(
            "an identity's name is 3 to 128 letters, digits, hyphens and underscores, and begins with a letter or digit",
        ));
    }
    if let Ok(there) = find(app, &name) {
        return Ok(show(app, &there));
    }
    // Roles are assigned by name.
    if app.directory.applications().iter().any(|other| other.display_name.eq_ignore_ascii_case(&name)) {
        return Err(Error::new(ErrorKind::Conflict, format!("There is an application named {name:?} already")));
    }
    let identity = ManagedIdentity { name, client_id: crate::new_id(), object_id: crate::new_id() };
    app.directory.put_identity(&identity).await?;
    Ok(show(app, &identity))
}

/// A managed identity by its name.
///
/// # Errors
/// `BadParameter` when there is none.
pub(super) fn find(app: &App, name: &str) -> Result<ManagedIdentity, Error> {
    let found = app.directory.identities().into_iter().find(|identity| identity.name.eq_ignore_ascii_case(name));
    found.ok_or_else(|| {
        Error::bad_parameter(format!("There is no identity {name:?}; make it: strongroom identity create {name}"))
    })
}

fn show(app: &App, identity: &ManagedIdentity) -> Value {
    let site = app.directory.site();
    json!({
        "name": identity.name,
        "client_id": identity.client_id,
        "object_id": identity.object_id,
        "resource_id": format!(
            "/subscriptions/{}/resourceGroups/{}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/{}",
            site.subscription, site.resource_group, identity.name
        ),
    })
}
