//! Applications and their credentials, as commands make and show them.

use serde_json::{Value, json};
use strongroom_auth::{Application, ClientSecret, FederatedCredential, federation};
use strongroom_store::Time;
use strongroom_wire::{Error, ErrorKind, Sensitive};

use super::commands::operator_error;
use super::identities;
use crate::app::App;

/// A client secret lives for two years unless told otherwise, as in Entra.
const SECRET_LIFETIME: i64 = 2 * 365 * 86_400;

pub(super) async fn create(app: &App, name: String, with_secret: bool, now: Time) -> Result<Value, Error> {
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
    Ok(show(&application, secret.as_ref()))
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

pub(super) fn show(application: &Application, secret: Option<&Sensitive<String>>) -> Value {
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

pub(super) fn find(app: &App, which: &str) -> Result<Application, Error> {
    let all = app.directory.applications();
    let found = all
        .iter()
        .find(|application| application.app_id.eq_ignore_ascii_case(which) || application.display_name == which);
    let found = found.ok_or_else(|| Error::bad_parameter(format!("There is no application {which:?}")))?;
    Ok(Application::clone(found))
}
