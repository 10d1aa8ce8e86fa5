//! The data plane: the way of a request from the challenge to the answer (architecture: host,
//! token, route, authorization, body, handler; forward only).

pub mod answer;
pub mod call;
pub mod keys;
mod objects;
pub mod render;
pub mod secrets;

use std::net::SocketAddr;
use std::sync::Arc;

use axum::body::Body;
use http::header::{AUTHORIZATION, HeaderMap};
use http::{Method, Request, Response};
use http_body::Body as _;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use strongroom_auth::{Caller, Decision, Scope};
use strongroom_store::Cx;
use strongroom_wire::ids::{Kind, ObjectName, VaultName};
use strongroom_wire::{Error, ErrorKind, api_version};
use zeroize::Zeroizing;

use crate::app::App;
use crate::endpoints::{Endpoint, Service};
use crate::routes::{self, Matched, Route};

use answer::{Answer, Envelope};
use call::{Call, Query};

/// Operations that take larger bodies than this are done only a few at a time.
const MANY_AT_ONCE: usize = 1 << 20;

/// So much of a body that nobody reads is taken in, for so long.
const THROWN_AWAY: usize = 40 << 20;
const THROWING_AWAY: std::time::Duration = std::time::Duration::from_secs(2);

/// A body that is not all there after this time is given up.
pub(crate) const BODY_TIME: std::time::Duration = std::time::Duration::from_secs(30);

/// Answers a request to a vault.
pub async fn answer(
    app: &Arc<App>,
    endpoint: &Endpoint,
    vault: VaultName,
    peer: SocketAddr,
    request: Request<Body>,
) -> Response<Body> {
    let request_id = crate::request_id();
    let envelope = Envelope {
        request_id: &request_id,
        client_request_id: request.headers().get("x-ms-client-request-id").cloned(),
        peer,
        region: &app.region,
    };
    let (parts, body) = request.into_parts();
    let method = effective_method(&parts.method, &parts.headers);
    let mut body = Some(body);
    let outcome = serve(app, endpoint, &vault, &request_id, &method, &parts, &mut body).await;
    if let Some(unread) = body {
        throw_away(unread).await;
    }
    match outcome {
        Ok((id, caller, answer)) => {
            tracing::info!(%request_id, %vault, operation = id, caller = %caller.object_id, "done");
            envelope.success(answer)
        }
        Err(error) => {
            let (status, code, _) = error.kind.wire();
            tracing::info!(%request_id, %vault, %method, status, code, "refused");
            let challenge = (error.kind == ErrorKind::Unauthorized).then(|| app.challenge(endpoint));
            envelope.failure(&error, challenge.as_deref())
        }
    }
}

async fn serve(
    app: &Arc<App>,
    endpoint: &Endpoint,
    vault: &VaultName,
    request_id: &str,
    method: &Method,
    parts: &http::request::Parts,
    body: &mut Option<Body>,
) -> Result<(&'static str, Arc<Caller>, Answer), Error> {
    let now = app.clock.now();
    let caller = app.authenticator.authenticate(app, Service::Vaults, parts.headers.get(AUTHORIZATION), now).await?;
    let query = Query::parse(parts.uri.query());
    api_version::check(query.get("api-version"))?;
    let Matched { route, name, version } = routes::find(method, parts.uri.path())?;
    let scope = object_scope(app, vault, route.path, name.as_deref());
    let decision = app.directory.decide(&caller, route.actions, &scope);
    if let Decision::Denied = decision {
        return Err(forbidden(app, &caller, route, &scope, vault));
    }
    // Only now: a caller without a role learns nothing of which vaults there are.
    let engine = app.vaults.get(vault, now).await?;
    // Few large bodies at once: each is held several times over while it is opened.
    let _room = match route.body_limit {
        limit if limit > MANY_AT_ONCE => app.large_bodies.acquire().await.ok(),
        _ => None,
    };
    let body = read_body(body, route.body_limit).await?;
    let call = Call {
        vault: engine,
        base: endpoint.vault_url(vault),
        cx: Cx { request_id: Arc::from(request_id), now, caller: Arc::from(caller.object_id.as_str()) },
        name,
        version,
        query,
        body,
    };
    let answer = (route.handler)(call).await?;
    Ok((route.id, caller, answer))
}

/// `X-HTTP-METHOD` on a POST names the method that is meant.
fn effective_method(method: &Method, headers: &HeaderMap) -> Method {
    let meant = headers.get("x-http-method").and_then(|value| value.to_str().ok());
    match meant {
        Some(name) if method == Method::POST => {
            let overridable = [Method::PATCH, Method::PUT, Method::DELETE];
            overridable.into_iter().find(|method| name.eq_ignore_ascii_case(method.as_str())).unwrap_or(Method::POST)
        }
        _ => method.clone(),
    }
}

/// The scope that a caller needs a role at: the object's, or the vault's when no legal name is in
/// the path.
fn object_scope(app: &App, vault: &VaultName, path: &str, name: Option<&str>) -> Scope {
    let site = &app.directory.installation;
    let kind = if path.contains("secrets") { Kind::Secret } else { Kind::Key };
    match name.and_then(|name| ObjectName::parse(name).ok()) {
        Some(name) => site.object_scope(vault.as_str(), kind.collection(), name.as_str()),
        None => site.vault_scope(vault.as_str()),
    }
}

fn forbidden(app: &App, caller: &Caller, route: &Route, scope: &Scope, vault: &VaultName) -> Error {
    let action = route.actions.first().map_or("", |action| action.as_str());
    let message = strongroom_auth::forbidden_message(caller, action, scope, vault.as_str(), &app.region);
    Error::new(ErrorKind::ForbiddenByRbac, message)
}

/// Takes in what a refused client is still sending: one whose connection is closed meanwhile never
/// sees the answer, and one that keeps it would find it closed at its next request.
pub(crate) async fn throw_away(mut body: Body) {
    let most = u64::try_from(THROWN_AWAY).unwrap_or(u64::MAX);
    if body.size_hint().lower() > most {
        return;
    }
    let all = async {
        let mut taken = 0_usize;
        while let Some(Ok(frame)) = body.frame().await {
            taken = taken.saturating_add(frame.data_ref().map_or(0, bytes::Bytes::len));
            if taken > THROWN_AWAY {
                break;
            }
        }
    };
    drop(tokio::time::timeout(THROWING_AWAY, all).await);
}

/// Reads the body; leaves one that announces too much.
async fn read_body(body: &mut Option<Body>, limit: usize) -> Result<Zeroizing<Vec<u8>>, Error> {
    let too_large = || {
        let message = format!("The request body is larger than the {limit} bytes that this operation takes");
        Error::new(ErrorKind::TooLarge, message)
    };
    // What the head announces need not be waited for.
    let announced = body.as_ref().map_or(0, |body| body.size_hint().lower());
    if announced > u64::try_from(limit).unwrap_or(u64::MAX) {
        return Err(too_large());
    }
    let body = body.take().unwrap_or_default();
    let collected = tokio::time::timeout(BODY_TIME, Limited::new(body, limit).collect()).await;
    match collected {
        Ok(Ok(body)) => Ok(Zeroizing::new(body.to_bytes().to_vec())),
        Ok(Err(fault)) if fault.is::<LengthLimitError>() => Err(too_large()),
        Ok(Err(_)) => Err(Error::bad_parameter("The request body could not be read to its end")),
        Err(_elapsed) => Err(Error::new(ErrorKind::Timeout, "The request body took too long to arrive")),
    }
}
