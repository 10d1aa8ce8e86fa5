//! `POST /{tenant}/oauth2/v2.0/token`: tokens for applications, by client secret or by a
//! certificate's assertion.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Form, FromRequest as _};
use http::{Request, StatusCode};
use http_body_util::Limited;
use serde::Deserialize;
use serde_json::{Value, json};
use strongroom_auth::{
    AadError, AccessClaims, Application, check_client_assertion, check_federated, federated_issuer, peek,
};
use strongroom_wire::Sensitive;

use crate::app::App;
use crate::directory::ManagedIdentity;
use crate::endpoints::Endpoint;

/// Tokens live for an hour, less the second that clients like to see missing.
const LIFETIME: i64 = 3_599;

/// Most bytes in a token request: an assertion with a certificate chain fits.
const BODY_LIMIT: usize = 64 * 1024;

/// Azure's other resources, which clients ask tokens for beside the vault's. No vault accepts them.
const OTHER_RESOURCES: [&str; 4] = [
    "https://management.azure.com",
    "https://management.core.windows.net",
    "https://graph.microsoft.com",
    "https://managedhsm.azure.net",
];

/// A form that is not all there after this time is given up.
const BODY_TIME: Duration = Duration::from_secs(10);

const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// The form. Other members (`claims`, `client_info`) are not needed.
#[derive(Debug, Deserialize)]
struct TokenForm {
    grant_type: Option<String>,
    client_id: Option<String>,
    client_secret: Option<Sensitive<String>>,
    client_assertion_type: Option<String>,
    client_assertion: Option<Sensitive<String>>,
    scope: Option<String>,
}

pub(super) async fn issue(
    app: &Arc<App>,
    endpoint: &Endpoint,
    tenant: &str,
    request: Request<Body>,
    request_id: &str,
) -> (StatusCode, Value) {
    let request = request.map(|body| Body::new(Limited::new(body, BODY_LIMIT)));
    let form = tokio::time::timeout(BODY_TIME, Form::<TokenForm>::from_request(request, &())).await;
    let Ok(Ok(Form(form))) = form else {
        return refusal(app, &AadError::malformed_request(), request_id);
    };
    match grant(app, endpoint, tenant, form).await {
        Ok((token, client)) => {
            tracing::info!(%request_id, client, "token issued");
            let body = json!({
                "token_type": "Bearer",
                "expires_in": LIFETIME,
                "ext_expires_in": LIFETIME,
                "access_token": token.expose(),
            });
            (StatusCode::OK, body)
        }
        Err(error) => refusal(app, &error, request_id),
    }
}

/// A token for a managed identity, as its endpoint answers: numbers are strings there.
pub(crate) async fn managed(app: &App, identity: &ManagedIdentity, resource: &str) -> Result<Value, AadError> {
    let audience = known_resource(app, resource)?;
    let endpoint = app.endpoints.get(0).ok_or_else(AadError::busy)?;
    app.directory.rotate_signing_keys(app.clock.now()).await.map_err(|_logged| AadError::busy())?;
    let now = app.clock.now().seconds();
    let token = mint(app, endpoint, (&identity.client_id, &identity.object_id), audience)?;
    tracing::info!(identity = identity.name, client = identity.client_id, "token issued to a managed identity");
    Ok(json!({
        "access_token": token.expose(),
        "client_id": identity.client_id,
        "expires_in": LIFETIME.to_string(),
        "expires_on": now.saturating_add(LIFETIME).to_string(),
        "ext_expires_in": LIFETIME.to_string(),
        "not_before": now.to_string(),
        "resource": resource,
        "token_type": "Bearer",
    }))
}

/// The answer to a refused request, in Entra's shape.
pub(super) fn refusal(app: &App, error: &AadError, request_id: &str) -> (StatusCode, Value) {
    tracing::info!(%request_id, aadsts = error.code, "token refused");
    let status = StatusCode::from_u16(error.status).unwrap_or(StatusCode::BAD_REQUEST);
    (status, error.body(app.clock.now().seconds(), request_id, &crate::request_id()))
}

async fn grant(
    app: &Arc<App>,
    endpoint: &Endpoint,
    tenant: &str,
    form: TokenForm,
) -> Result<(Sensitive<String>, String), AadError> {
    if !tenant.eq_ignore_ascii_case(app.directory.tenant()) {
        return Err(AadError::unknown_tenant(tenant));
    }
    match form.grant_type.as_deref() {
        Some("client_credentials") => {}
        Some(_) => return Err(AadError::unsupported_grant()),
        None => return Err(AadError::missing_parameter("grant_type")),
    }
    let client_id = form.client_id.as_deref().ok_or_else(|| AadError::missing_parameter("client_id"))?;
    let application =
        app.directory.application(client_id).ok_or_else(|| AadError::unknown_application(client_id, tenant))?;
    prove(app, endpoint, &application, &form).await?;
    let scope = form.scope.as_deref().ok_or_else(|| AadError::missing_parameter("scope"))?;
    let audience = audience(app, scope)?;
    // Only after the clock has jumped is there anything to do: the job keeps the ring in order.
    app.directory.rotate_signing_keys(app.clock.now()).await.map_err(|_logged| AadError::busy())?;
    let token = mint(app, endpoint, (&application.app_id, &application.object_id), audience)?;
    Ok((token, application.app_id.clone()))
}

async fn prove(
    app: &Arc<App>,
    endpoint: &Endpoint,
    application: &Arc<Application>,
    form: &TokenForm,
) -> Result<(), AadError> {
    let now = app.clock.now().seconds();
    if let Some(assertion) = &form.client_assertion {
        if form.client_assertion_type.as_deref() != Some(ASSERTION_TYPE) {
            return Err(AadError::missing_parameter("client_assertion_type"));
        }
        // What cannot be read is refused below.
        if let Ok(seen) = peek(assertion.expose())
            && let Some(issuer) = federated_issuer(application, seen.issuer.as_deref().unwrap_or_default())?
        {
            let keys = app.authenticator.outside().keys_of(issuer, seen.kid.as_deref(), app.clock.now()).await;
            return check_federated(application, assertion.expose(), &keys, now);
        }
        let tenant = app.directory.tenant();
        let audiences = [format!("{}/{tenant}/oauth2/v2.0/token", endpoint.login_url()), endpoint.issuer(tenant)];
        return check_client_assertion(application, assertion.expose(), &audiences, now);
    }
    let Some(secret) = &form.client_secret else {
        return Err(AadError::missing_parameter("client_secret"));
    };
    app.proven.check(&app.slow, application, secret, now).await
}

/// The audience that a scope asks for: `{resource}/.default`.
fn audience(app: &App, scope: &str) -> Result<String, AadError> {
    let asked = scope.split(' ').find(|scope| !matches!(*scope, "" | "openid" | "profile" | "offline_access"));
    let resource =
        asked.and_then(|scope| scope.strip_suffix("/.default")).ok_or_else(|| AadError::invalid_scope(scope))?;
    known_resource(app, resource)
}

fn known_resource(app: &App, resource: &str) -> Result<String, AadError> {
    let plain = resource.trim_end_matches('/');
    if app.audiences.is_resource(plain) || OTHER_RESOURCES.contains(&plain) {
        return Ok(resource.to_owned());
    }
    Err(AadError::unknown_resource(resource))
}

fn mint(
    app: &App,
    endpoint: &Endpoint,
    (client_id, object_id): (&str, &str),
    audience: String,
) -> Result<Sensitive<String>, AadError> {
    let now = app.clock.now().seconds();
    let tenant = app.directory.tenant().to_owned();
    let claims = AccessClaims {
        aud: audience,
        iss: endpoint.issuer(&tenant),
        iat: now,
        nbf: now,
        exp: now.saturating_add(LIFETIME).saturating_add(1),
        tid: tenant,
        oid: object_id.to_owned(),
        sub: object_id.to_owned(),
        appid: Some(client_id.to_owned()),
        azp: Some(client_id.to_owned()),
        idtyp: Some("app".to_owned()),
        ver: "2.0".to_owned(),
        uti: crate::new_id(),
    };
    app.directory.ring().mint(now, &claims).map_err(|error| {
        tracing::error!(%error, "a token could not be signed");
        AadError::busy()
    })
}
