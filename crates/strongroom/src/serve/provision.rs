//! What the configuration wants to exist: vaults, applications, role assignments. What is there
//! already is left alone, but for credentials that are new.

use std::sync::Arc;

use strongroom_auth::{Application, ClientCertificate, ClientSecret, check_client_secret};
use strongroom_server::admin::{Admin, Command, add_federated, execute};
use strongroom_server::app::App;

use super::config::{self, Config};
use crate::files;

/// The key id of the secret that the configuration gives an application.
const CONFIGURED: &str = "configuration";

/// A client secret from a file lives for ten years: the file is its life.
const SECRET_LIFETIME: i64 = 10 * 365 * 86_400;

/// Makes what is missing.
pub(super) async fn provision(app: &Arc<App>, config: &Config) -> Result<(), String> {
    let now = app.clock.now();
    for (name, recovery) in config.vaults()? {
        app.vaults.create(&name, recovery, now).await.map_err(|error| error.message)?;
    }
    for (name, settings) in config.config_stores()? {
        app.stores.create(&name, settings, now).await.map_err(|error| error.message)?;
    }
    for wanted in &config.application {
        application(app, wanted).await.map_err(|fault| format!("application {:?}: {fault}", wanted.name))?;
    }
    let admin = Admin { app: Arc::clone(app), sealed: None };
    for config::Assignment { role, principal, scope } in &config.role_assignment {
        let command = Command::RoleAssign { role: role.clone(), principal: principal.clone(), scope: scope.clone() };
        execute(&admin, command).await.map_err(|error| format!("role_assignment: {}", error.message))?;
    }
    Ok(())
}

async fn application(app: &Arc<App>, wanted: &config::Application) -> Result<(), String> {
    let now = app.clock.now().seconds();
    let known = app.directory.application(&wanted.client_id);
    let mut application = known.map_or_else(
        || Application {
            app_id: wanted.client_id.to_ascii_lowercase(),
            object_id: wanted.object_id.to_ascii_lowercase(),
            display_name: wanted.name.clone(),
            secrets: Vec::new(),
            certificates: Vec::new(),
            federated: Vec::new(),
        },
        |known| Application::clone(&known),
    );
    if let Some(file) = &wanted.secret_file {
        let secret = files::read_passphrase(file)?;
        if check_client_secret(&application, secret.expose(), now).is_err() {
            // What the file held before no longer opens anything.
            application.secrets.retain(|known| known.key_id != CONFIGURED);
            let until = now.saturating_add(SECRET_LIFETIME);
            let kept = ClientSecret::from_value(CONFIGURED.to_owned(), &secret, now, until);
            application.secrets.push(kept.map_err(|fault| fault.to_string())?);
        }
    }
    if let Some(file) = &wanted.certificate_file {
        let pem = std::fs::read_to_string(file).map_err(|fault| format!("{}: {fault}", file.display()))?;
        let certificate = ClientCertificate::from_pem(&pem).map_err(|fault| fault.to_string())?;
        if !application.certificates.iter().any(|known| known.der_base64 == certificate.der_base64) {
            application.certificates.push(certificate);
        }
    }
    for config::Federated { issuer, subject, audience } in &wanted.federated {
        let added = add_federated(&mut application, (issuer, subject, audience));
        added.map_err(|error| format!("federated: {}", error.message))?;
    }
    app.directory.put_application(&application).await.map_err(|error| error.message)
}
