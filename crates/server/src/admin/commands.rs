//! The commands.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use strongroom_auth::{Application, ClientCertificate, RoleAssignment, Scope, find_role};
use strongroom_store::sealing::{SealKey, Sealed};
use strongroom_store::{Records, Time};
use strongroom_wire::attributes::Recovery;
use strongroom_wire::ids::VaultName;
use strongroom_wire::sensitive::expose;
use strongroom_wire::{Error, ErrorKind, Sensitive};

use super::applications;
use super::config_stores::{self, StoreCommand};
use super::identities::{self, IdentityCommand};
use crate::app::App;

/// What can be asked of an installation.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "command")]
pub enum Command {
    /// Is it there? Answers with tenant and subscription.
    Status,
    /// Makes a vault.
    VaultCreate {
        /// Name.
        name: String,
        /// 7 to 90 days.
        retention_days: u16,
        /// Nobody purges early, ever again.
        purge_protection: bool,
    },
    /// Changes a vault's retention; turns purge protection on.
    VaultSet {
        /// Name.
        name: String,
        /// 7 to 90 days; absent stays.
        retention_days: Option<u16>,
        /// Only `true` does anything: it cannot be turned off.
        purge_protection: bool,
    },
    /// Lists vaults.
    VaultList,
    /// Something about configuration stores.
    ConfigStore {
        /// What.
        store: StoreCommand,
    },
    /// Something about managed identities.
    Identity {
        /// What.
        identity: IdentityCommand,
    },
    /// Gives a principal a role.
    RoleAssign {
        /// Name or GUID of a built-in role.
        role: String,
        /// Object id of the principal, or the name of an application or identity.
        principal: String,
        /// `VAULT`, `VAULT/secrets/NAME`, `VAULT/keys/NAME`, `appconfig/STORE`, `*` for all, or an ARM scope.
        scope: String,
    },
    /// Lists role assignments.
    RoleList,
    /// Takes a role assignment away.
    RoleRemove {
        /// Its id.
        id: String,
    },
    /// Makes an application with a client secret, which the answer shows once.
    ApplicationCreate {
        /// Display name.
        name: String,
        /// With a client secret.
        with_secret: bool,
    },
    /// Adds a client secret, which the answer shows once.
    ApplicationAddSecret {
        /// Client id or display name.
        application: String,
    },
    /// Removes a client secret or certificate.
    ApplicationRemoveCredential {
        /// Client id or display name.
        application: String,
        /// Key id of the credential.
        key_id: String,
    },
    /// Lets a certificate stand for an application.
    ApplicationAddCertificate {
        /// Client id or display name.
        application: String,
        /// The certificate, PEM.
        pem: String,
    },
    /// Lets the tokens of an outside issuer stand for an application.
    ApplicationAddFederated {
        /// Client id or display name.
        application: String,
        /// Their `iss`, an https URL.
        issuer: String,
        /// Their `sub`.
        subject: String,
        /// What is among their `aud`.
        audience: String,
    },
    /// Lists applications, without secrets.
    ApplicationList,
    /// New root key, all data keys wrapped anew; optionally another passphrase or key file.
    SealRotateRoot {
        /// The new seal, when it changes.
        new_seal: Option<NewSeal>,
    },
    /// New data keys, all records sealed anew.
    SealRotateDataKeys,
    /// Reads every record.
    Check,
}

/// A new seal.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub enum NewSeal {
    /// A passphrase.
    Passphrase {
        /// The passphrase.
        #[serde(serialize_with = "expose")]
        passphrase: Sensitive<String>,
    },
    /// A key file's 32 bytes, base64url.
    File {
        /// The key.
        #[serde(serialize_with = "expose")]
        key: Sensitive<strongroom_wire::base64url::Base64Url>,
    },
}

/// What commands run on.
pub struct Admin {
    /// The server, or what of it an offline command needs.
    pub app: Arc<App>,
    /// The store, to rotate its keys. Absent on a store that is not sealed, as in tests.
    pub sealed: Option<Arc<Sealed<Arc<dyn Records>>>>,
}

/// Runs a command.
///
/// # Errors
/// With a message for the operator.
pub async fn execute(admin: &Admin, command: Command) -> Result<Value, Error> {
    let app = &admin.app;
    let now = app.clock.now();
    // Two commands that change the same application would undo each other. The seal has its own lock.
    let _in_line = match &command {
        Command::Identity { identity: IdentityCommand::Token { .. } }
        | Command::SealRotateRoot { .. }
        | Command::SealRotateDataKeys
        | Command::Check => None,
        _ => Some(app.directory.administer().await),
    };
    match command {
        Command::Status => Ok(json!({
            "tenant": app.directory.tenant(),
            "subscription": app.directory.site().subscription,
            "resource_group": app.directory.site().resource_group,
        })),
        Command::VaultCreate { name, retention_days, purge_protection } => {
            let name = VaultName::parse(&name)?;
            app.vaults.create(&name, Recovery::new(retention_days, purge_protection)?, now).await?;
            vault_list(app).await
        }
        Command::VaultSet { name, retention_days, purge_protection } => {
            let name = VaultName::parse(&name)?;
            let before = app.vaults.find(&name).await?.recovery;
            let days = retention_days.unwrap_or(before.retention_days);
            let recovery = Recovery::new(days, purge_protection || before.purge_protection)?;
            app.vaults.set_recovery(&name, recovery).await?;
            vault_list(app).await
        }
        Command::VaultList => vault_list(app).await,
        Command::ConfigStore { store } => config_stores::execute(app, store, now).await,
        Command::Identity { identity } => identities::execute(app, identity).await,
        Command::RoleAssign { role, principal, scope } => role_assign(app, &role, &principal, &scope, now).await,
        Command::RoleList => Ok(json!(app.directory.assignments().iter().map(show_assignment).collect::<Vec<_>>())),
        Command::RoleRemove { id } => {
            if app.directory.unassign(&id).await? {
                Ok(json!({ "removed": id }))
            } else {
                Err(Error::bad_parameter(format!("There is no role assignment {id}; `strongroom role list` shows all")))
            }
        }
        Command::ApplicationCreate { name, with_secret } => applications::create(app, name, with_secret, now).await,
        Command::ApplicationAddSecret { application } => {
            let mut application = applications::find(app, &application)?;
            let secret = applications::add_secret(&mut application, now)?;
            app.directory.put_application(&application).await?;
            Ok(applications::show(&application, Some(&secret)))
        }
        Command::ApplicationRemoveCredential { application, key_id } => {
            let mut application = applications::find(app, &application)?;
            let count = |application: &Application| {
                let Application { secrets, certificates, federated, .. } = application;
                secrets.len().saturating_add(certificates.len()).saturating_add(federated.len())
            };
            let before = count(&application);
            application.secrets.retain(|secret| secret.key_id != key_id);
            application.certificates.retain(|certificate| certificate.key_id != key_id);
            application.federated.retain(|credential| credential.key_id != key_id);
            if count(&application) == before {
                return Err(Error::bad_parameter(format!("The application has no credential {key_id}")));
            }
            app.directory.put_application(&application).await?;
            Ok(applications::show(&application, None))
        }
        Command::ApplicationAddCertificate { application, pem } => {
            let mut application = applications::find(app, &application)?;
            let certificate = ClientCertificate::from_pem(&pem);
            application.certificates.push(certificate.map_err(|fault| Error::bad_parameter(fault.to_string()))?);
            app.directory.put_application(&application).await?;
            Ok(applications::show(&application, None))
        }
        Command::ApplicationAddFederated { application, issuer, subject, audience } => {
            let mut application = applications::find(app, &application)?;
            applications::add_federated(&mut application, (&issuer, &subject, &audience))?;
            app.directory.put_application(&application).await?;
            Ok(applications::show(&application, None))
        }
        Command::ApplicationList => {
            let all = app.directory.applications();
            Ok(json!(all.iter().map(|application| applications::show(application, None)).collect::<Vec<_>>()))
        }
        Command::SealRotateRoot { new_seal } => {
            let new_seal = new_seal.map(seal_key).transpose()?;
            sealed(admin)?.rotate_root(new_seal.as_ref()).await.map_err(operator_error)?;
            Ok(json!({ "rotated": "root key" }))
        }
        Command::SealRotateDataKeys => {
            let rotated = sealed(admin)?.rotate_data_keys(None).await.map_err(operator_error)?;
            Ok(json!({ "rotated": "data keys", "spaces": rotated.spaces, "records": rotated.records }))
        }
        Command::Check => {
            let records = sealed(admin)?.verify().await.map_err(operator_error)?;
            Ok(json!({ "records": records, "damaged": 0 }))
        }
    }
}

async fn vault_list(app: &App) -> Result<Value, Error> {
    let vaults = app.vaults.list().await?;
    let show = |vault: &crate::vaults::VaultRecord| {
        json!({
            "name": vault.name,
            "retention_days": vault.recovery.retention_days,
            "purge_protection": vault.recovery.purge_protection,
            "url": app.endpoints.get(0).map(|endpoint| endpoint.vault_url(&vault.name)),
        })
    };
    Ok(json!(vaults.iter().map(show).collect::<Vec<_>>()))
}

async fn role_assign(app: &App, role: &str, principal: &str, scope: &str, now: Time) -> Result<Value, Error> {
    let role = find_role(role).ok_or_else(|| {
        let names: Vec<&str> = strongroom_auth::BUILT_IN.iter().map(|role| role.name).collect();
        Error::bad_parameter(format!("There is no role {role:?}; the built-in roles are: {}", names.join(", ")))
    })?;
    let identity = identities::find(app, principal);
    let principal_id = match applications::find(app, principal) {
        Ok(application) => application.object_id,
        Err(_) if let Ok(identity) = identity => identity.object_id,
        Err(_) if uuid::Uuid::parse_str(principal).is_ok() => principal.to_ascii_lowercase(),
        Err(_) => {
            return Err(Error::bad_parameter(format!(
                "{principal:?} is neither the object id of a principal (a GUID) nor the name of an application or identity"
            )));
        }
    };
    let scope = parse_scope(app, scope)?;
    let assignment = RoleAssignment {
        id: crate::new_id(),
        role_id: role.id.to_owned(),
        principal_id,
        scope,
        created: now.seconds(),
    };
    Ok(show_assignment(&app.directory.assign(assignment).await?))
}

/// Reads a scope as an operator writes it.
///
/// # Errors
/// `BadParameter` when it is none.
pub(crate) fn parse_scope(app: &App, scope: &str) -> Result<Scope, Error> {
    let site = &app.directory.installation;
    if scope == "*" {
        return Ok(site.subscription_scope());
    }
    let parsed = if scope.starts_with('/') { Scope::parse(scope) } else { site.shorthand(scope) };
    parsed.map_err(|fault| Error::bad_parameter(format!("{scope:?} is not a scope: {fault}")))
}

fn show_assignment(assignment: &RoleAssignment) -> Value {
    let role = find_role(&assignment.role_id).map_or(assignment.role_id.as_str(), |role| role.name);
    json!({
        "id": assignment.id,
        "role": role,
        "principal": assignment.principal_id,
        "scope": assignment.scope.to_string(),
    })
}

fn seal_key(new: NewSeal) -> Result<SealKey, Error> {
    match new {
        NewSeal::Passphrase { passphrase } => Ok(SealKey::passphrase(passphrase.expose())),
        NewSeal::File { key } => {
            let key: Result<[u8; 32], _> = key.expose().0.as_slice().try_into();
            let key = key.map_err(|_wrong_length| Error::bad_parameter("a key file holds exactly 32 bytes"))?;
            Ok(SealKey::file(&key))
        }
    }
}

fn sealed(admin: &Admin) -> Result<&Sealed<Arc<dyn Records>>, Error> {
    admin.sealed.as_deref().ok_or_else(|| Error::bad_parameter("This store is not sealed"))
}

pub(super) fn operator_error(fault: impl std::fmt::Display) -> Error {
    Error::new(ErrorKind::Internal, fault.to_string())
}
