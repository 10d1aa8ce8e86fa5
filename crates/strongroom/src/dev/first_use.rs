//! What a development server makes on first use: ids, an application with its secret, a managed
//! identity, a certificate authority.

use std::path::Path;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use strongroom_auth::{Application, RoleAssignment, check_client_secret, find_role};
use strongroom_server::admin::add_secret;
use strongroom_server::app::App;
use strongroom_server::directory::{ManagedIdentity, Site, first_or_stored};
use strongroom_server::{new_id, tls};
use strongroom_store::{Records, Time};
use strongroom_wire::Sensitive;
use strongroom_wire::sensitive::expose;

use super::env_files;
use crate::files;

const APPLICATION: &str = "strongroom-dev";
const IDENTITY: &str = "strongroom-dev-identity";
const ROLES: [&str; 2] = ["Key Vault Administrator", "App Configuration Data Owner"];

/// How a program logs in.
pub(super) struct Credentials {
    pub(super) client_id: String,
    pub(super) object_id: String,
    pub(super) client_secret: Sensitive<String>,
}

/// Ids for a new installation.
pub(crate) fn new_site() -> Site {
    Site { tenant: new_id(), subscription: new_id(), resource_group: "strongroom".to_owned() }
}

/// The application's credentials. The store holds only a slow hash of the secret; the secret
/// itself is kept where it is used, in the environment file, and replaced when it is gone there.
pub(super) async fn credentials(app: &Arc<App>, env_file: &Path) -> Result<Credentials, String> {
    let now = app.clock.now();
    let known = app.directory.applications().into_iter().find(|application| application.display_name == APPLICATION);
    let mut application = match known {
        Some(known) => Application::clone(&known),
        None => Application {
            app_id: new_id(),
            object_id: new_id(),
            display_name: APPLICATION.to_owned(),
            secrets: Vec::new(),
            certificates: Vec::new(),
            federated: Vec::new(),
        },
    };
    assign(app, &application.object_id, now).await?;
    if app.directory.identities().is_empty() {
        let identity = ManagedIdentity { name: IDENTITY.to_owned(), client_id: new_id(), object_id: new_id() };
        app.directory.put_identity(&identity).await.map_err(|error| error.message)?;
    }
    for identity in app.directory.identities().iter().filter(|identity| identity.name == IDENTITY) {
        assign(app, &identity.object_id, now).await?;
    }
    let kept = files::read_private(env_file).ok().and_then(|content| {
        let content = String::from_utf8_lossy(&content);
        env_files::parse(&content).into_iter().find(|(name, _)| name == "AZURE_CLIENT_SECRET")
    });
    let client_secret = match kept {
        Some((_, secret)) if check_client_secret(&application, &secret, now.seconds()).is_ok() => {
            Sensitive::new(secret)
        }
        _ => {
            application.secrets.clear();
            let secret = add_secret(&mut application, now).map_err(|error| error.message)?;
            app.directory.put_application(&application).await.map_err(|error| error.message)?;
            secret
        }
    };
    Ok(Credentials { client_id: application.app_id, object_id: application.object_id, client_secret })
}

/// Everything in every vault and configuration store, for programs under development.
async fn assign(app: &Arc<App>, principal: &str, now: Time) -> Result<(), String> {
    for role in ROLES {
        let role = find_role(role).ok_or_else(|| format!("the role {role} is not known"))?;
        let assignment = RoleAssignment {
            id: new_id(),
            role_id: role.id.to_owned(),
            principal_id: principal.to_owned(),
            scope: app.directory.installation.subscription_scope(),
            created: now.seconds(),
        };
        app.directory.assign(assignment).await.map_err(|error| error.message)?;
    }
    Ok(())
}

/// The certificate authority as it lies (sealed) in the store.
#[derive(Serialize, Deserialize)]
struct StoredAuthority {
    certificate: String,
    #[serde(serialize_with = "expose")]
    key: Sensitive<String>,
}

/// The certificate authority, made on first use for this domain.
pub(super) async fn certificate_authority(
    records: &Arc<dyn Records>,
    names: &tls::DevNames,
    now: Time,
) -> Result<tls::DevCa, String> {
    let fresh = tls::DevCa::create(now.seconds(), names).map_err(|fault| fault.to_string())?;
    let fresh = StoredAuthority { certificate: fresh.cert_pem(), key: fresh.key_pem() };
    let key = format!("$sys/dev-ca/{}", names.domain());
    let stored = first_or_stored(records, &key, fresh).await.map_err(|error| error.message)?;
    let authority = tls::DevCa::from_pem(&stored.certificate, &stored.key).map_err(|fault| fault.to_string())?;
    authority.check(names).map_err(|fault| fault.to_string())?;
    Ok(authority)
}
