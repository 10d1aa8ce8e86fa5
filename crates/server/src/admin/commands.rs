//! The commands.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use strongroom_auth::{
    Application, ClientCertificate, ClientSecret, FederatedCredential, RoleAssignment, Scope, federation, find_role,
};
use strongroom_store::sealing::{SealKey, Sealed};
use strongroom_store::{Records, Time};
use strongroom_wire::attributes::Recovery;
use strongroom_wire::ids::VaultName;
use strongroom_wire::sensitive::expose;
use strongroom_wire::{Error, ErrorKind, Sensitive};

use super::config_stores::{self, StoreCommand};
use super::identities::{self, IdentityCommand};
use crate::app::App;

/// A client secret lives for two years unless told otherwise, as in Entra.
const SECRET_LIFETIME: i64 = 2 * 365 * 86_400;

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
        Command::ApplicationCreate { name, with_secret } => application_create(app, name, with_secret, now).await,
        Command::ApplicationAddSecret { application } => {
            let mut application = find_application(app, &application)?;
            let secret = add_secret(&mut application, now)?;
            app.directory.put_application(&application).await?;
            Ok(show_application(&application, Some(&secret)))
        }
        Command::ApplicationRemoveCredential { application, key_id } => {
            let mut application = find_application(app, &application)?;
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
            Ok(show_application(&application, None))
        }
        Command::ApplicationAddCertificate { application, pem } => {
            let mut application = find_application(app, &application)?;
            let certificate = ClientCertificate::from_pem(&pem);
            application.certificates.push(certificate.map_err(|fault| Error::bad_parameter(fault.to_string()))?);
            app.directory.put_application(&application).await?;
            Ok(show_application(&application, None))
        }
        Command::ApplicationAddFederated { application, issuer, subject, audience } => {
            let mut application = find_application(app, &application)?;
            add_federated(&mut application, (&issuer, &subject, &audience))?;
            app.directory.put_application(&application).await?;
            Ok(show_application(&application, None))
        }
        Command::ApplicationList => {
            let all = app.directory.applications();
            Ok(json!(all.iter().map(|application| show_application(application, None)).collect::<Vec<_>>()))
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
    let principal_id = match find_application(app, principal) {
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

async fn application_create(app: &App, name: String, with_secret: bool, now: Time) -> Result<Value, Error> {
    if identities::find(app, &name).is_ok() {
        return Err(Error::new(ErrorKind::Conflict, format!("There is an identity named {name:?} already")));
    }
    if app.directory.applications().iter().any(|other| other.display_name == name) {
        return Err(Error::new(ErrorKind::Conflict, format!("There is an application named {name:?} already")));
    }
    let mut application = Application {
        app_id: crate::new_id(),
        object_id: crate::new_id(),
        display_name: name,
        secrets: Vec::new(),
        certificates: Vec::new(),
        federated: Vec::new(),
    };
    let secret = if with_secret { Some(add_secret(&mut application, now)?) } else { None };
    app.directory.put_application(&application).await?;
    Ok(show_application(&application, secret.as_ref()))
}

/// Adds a new client secret to an application, and returns it.
///
/// # Errors
/// `Internal` when there is no randomness or memory for the hash.
pub fn add_secret(application: &mut Application, now: Time) -> Result<Sensitive<String>, Error> {
    let now = now.seconds();
    let made = ClientSecret::generate(crate::new_id(), now, now.saturating_add(SECRET_LIFETIME));
    let (kept, secret) = made.map_err(operator_error)?;
    application.secrets.push(kept);
    Ok(secret)
}

/// Adds a federated credential; the same again changes nothing.
///
/// # Errors
/// `BadParameter`, which says what cannot be used.
pub fn add_federated(
    application: &mut Application,
    (issuer, subject, audience): (&str, &str, &str),
) -> Result<(), Error> {
    let made = FederatedCredential::new(crate::new_id(), issuer, subject, audience);
    let made = made.map_err(|fault| Error::bad_parameter(fault.to_string()))?;
    let same = |known: &FederatedCredential| {
        (&known.issuer, &known.subject, &known.audience) == (&made.issuer, &made.subject, &made.audience)
    };
    if application.federated.iter().any(same) {
        return Ok(());
    }
    if application.federated.len() >= federation::MOST {
        return Err(Error::bad_parameter(format!(
            "an application has at most {} federated credentials",
            federation::MOST
        )));
    }
    application.federated.push(made);
    Ok(())
}

fn show_application(application: &Application, secret: Option<&Sensitive<String>>) -> Value {
    let mut shown = json!({
        "name": application.display_name,
        "client_id": application.app_id,
        "object_id": application.object_id,
        "secrets": application.secrets.iter().map(|secret| json!({
            "key_id": secret.key_id, "hint": secret.hint, "expires": secret.end,
        })).collect::<Vec<_>>(),
        "certificates": application.certificates.iter().map(|certificate| json!({
            "key_id": certificate.key_id, "expires": certificate.end,
        })).collect::<Vec<_>>(),
        "federated": application.federated,
    });
    if let (Some(secret), Some(members)) = (secret, shown.as_object_mut()) {
        members.insert("client_secret".to_owned(), json!(secret.expose()));
    }
    shown
}

fn find_application(app: &App, which: &str) -> Result<Application, Error> {
    let all = app.directory.applications();
    let found = all
        .iter()
        .find(|application| application.app_id.eq_ignore_ascii_case(which) || application.display_name == which);
    let found = found.ok_or_else(|| Error::bad_parameter(format!("There is no application {which:?}")))?;
    Ok(Application::clone(found))
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

fn operator_error(fault: impl std::fmt::Display) -> Error {
    Error::new(ErrorKind::Internal, fault.to_string())
}
