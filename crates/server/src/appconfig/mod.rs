//! App Configuration's data plane (contract 2.8): the way of a request from the signature or token
//! to the answer. Forward only, as in `data_plane`.

mod access;
mod call;
mod key_values;
mod lists;
mod reply;
mod routes;
mod snapshots;

use std::sync::Arc;

use axum::body::Body;
use http::header::{CONTENT_TYPE, HeaderMap};
use http::{Method, Request, Response};
use http_body::Body as _;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use strongroom_store::Cx;
use strongroom_wire::config::{Problem, StoreName};
use zeroize::Zeroizing;

use crate::app::App;
use crate::data_plane::{BODY_TIME, throw_away};

use call::{Call, Parameters};
use reply::{Envelope, Reply};

pub use routes::{ROUTES, Route};

/// A key-value of 10,000 bytes, each escaped as `\u00XX`, and all that surrounds it.
const BODY_LIMIT: usize = 96 * 1024;

/// Answers a request to a configuration store, by its name below the endpoint of this index.
pub async fn answer(app: &Arc<App>, endpoint: usize, store: StoreName, request: Request<Body>) -> Response<Body> {
    let request_id = crate::request_id();
    let (parts, body) = request.into_parts();
    let client_request_id = parts.headers.get("x-ms-client-request-id").cloned();
    let envelope = Envelope { request_id: &request_id, client_request_id };
    let (mut body, method) = (Some(body), parts.method.clone());
    let outcome = serve(app, endpoint, &store, &request_id, parts, &mut body).await;
    if let Some(unread) = body {
        throw_away(unread).await;
    }
    match outcome {
        Ok((id, caller, sequence, reply)) => {
            tracing::info!(%request_id, %store, operation = id, %caller, "done");
            envelope.success(reply, sequence)
        }
        Err((problem, sequence)) => {
            tracing::info!(%request_id, %store, %method, status = problem.status(), "refused");
            envelope.failure(&problem, sequence)
        }
    }
}

/// A refusal, and the sequence of the store when the caller may know of it.
type Refused = (Problem, Option<u64>);

async fn serve(
    app: &Arc<App>,
    endpoint: usize,
    store: &StoreName,
    request_id: &str,
    parts: http::request::Parts,
    body: &mut Option<Body>,
) -> Result<(&'static str, Arc<str>, u64, Reply), Refused> {
    let now = app.clock.now();
    let bare = |problem| (problem, None);
    let names = app.endpoints.get(endpoint).ok_or_else(|| bare(Problem::NotFound))?;
    let access = access::authenticate(app, names, store, &parts, now).await.map_err(bare)?;
    let parameters = Parameters::parse(parts.uri.query()).map_err(bare)?;
    let version = call::api_version(&parameters).map_err(bare)?;
    let (route, name) = routes::find(&parts.method, parts.uri.path()).map_err(bare)?;
    access.authorize(app, store, route.actions).map_err(bare)?;
    // The body may take a while, and the store be gone by then: it is looked up behind it.
    let body = read_body(body).await.map_err(bare)?;
    access.check_content(&body).map_err(bare)?;
    // Only now: a caller without a role learns nothing of which stores there are, and makes none.
    let open = app.stores.get(store, now).await.map_err(|error| bare(call::problem(&error)))?;
    access.check_store(&open.record).map_err(bare)?;
    let engine = Arc::clone(&open.engine);
    let with_sequence = |problem| (problem, Some(engine.sequence()));
    if parts.method == Method::PUT || parts.method == Method::PATCH {
        check_media_type(&parts.headers, &body).map_err(with_sequence)?;
    }
    let caller = access.caller();
    let call = Call {
        store: Arc::clone(&engine),
        app: Arc::clone(app),
        endpoint,
        name_of_store: store.clone(),
        cx: Cx { request_id: Arc::from(request_id), now, caller: Arc::clone(&caller) },
        version,
        method: parts.method,
        name,
        parameters,
        headers: parts.headers,
        body,
    };
    let reply = (route.handler)(call).await.map_err(with_sequence)?;
    Ok((route.id, caller, engine.sequence(), reply))
}

fn check_media_type(headers: &HeaderMap, body: &[u8]) -> Result<(), Problem> {
    let Some(value) = headers.get(CONTENT_TYPE).filter(|_| !body.is_empty()) else { return Ok(()) };
    let media_type = value.to_str().unwrap_or_default().split(';').next().unwrap_or_default().trim();
    let (_, subtype) = media_type.split_once('/').unwrap_or_default();
    // The vendor's types, those of patches, and plain JSON all end alike.
    if subtype.eq_ignore_ascii_case("json") || subtype.to_ascii_lowercase().ends_with("+json") {
        return Ok(());
    }
    Err(Problem::UnsupportedMediaType)
}

async fn read_body(body: &mut Option<Body>) -> Result<Zeroizing<Vec<u8>>, Problem> {
    let announced = body.as_ref().map_or(0, |body| body.size_hint().lower());
    if announced > u64::try_from(BODY_LIMIT).unwrap_or(u64::MAX) {
        return Err(Problem::TooLarge(BODY_LIMIT));
    }
    let body = body.take().unwrap_or_default();
    let collected = tokio::time::timeout(BODY_TIME, Limited::new(body, BODY_LIMIT).collect()).await;
    match collected {
        Ok(Ok(body)) => Ok(Zeroizing::new(body.to_bytes().to_vec())),
        Ok(Err(fault)) if fault.is::<LengthLimitError>() => Err(Problem::TooLarge(BODY_LIMIT)),
        Ok(Err(_)) => Err(Problem::invalid("body", "It could not be read to its end.")),
        Err(_elapsed) => Err(Problem::Timeout),
    }
}
