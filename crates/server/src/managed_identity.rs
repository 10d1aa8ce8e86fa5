//! The endpoint of one managed identity, on loopback and without TLS, as App Service and virtual
//! machines have it. It gives the tokens of that identity and of no other.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use axum::Router;
use axum::body::Body;
use axum::extract::{Query, State};
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HOST, HeaderValue};
use http::request::Parts;
use http::{HeaderMap, Method, Request, Response, StatusCode};
use serde_json::{Value, json};
use strongroom_crypto::constant_time_eq;
use strongroom_wire::{Error, ErrorKind, Sensitive};
use tokio::net::TcpListener;
use tokio::sync::watch;

/// Where App Service's form is.
pub const APP_SERVICE: &str = "/msi/token";

/// Where the virtual machines' form is.
pub const METADATA_SERVICE: &str = "/metadata/identity/oauth2/token";

/// Gives the identity's tokens.
#[async_trait]
pub trait TokenSource: Send + Sync {
    /// The body of an answer for that resource.
    ///
    /// # Errors
    /// `BadParameter` for a resource that tokens are not issued for.
    async fn token(&self, resource: &str) -> Result<Value, Error>;
}

/// How requests show that they may have a token.
pub enum Guard {
    /// App Service's form: the header `X-IDENTITY-HEADER` with this secret.
    Header(Sensitive<String>),
    /// The virtual machines' form: the header `Metadata: true`. Whoever reaches the port has tokens.
    Metadata,
}

/// Whose tokens are given, and to whom.
pub struct IdentityEndpoint {
    /// Client id of the identity, a GUID.
    pub client_id: String,
    /// Object id of its service principal, a GUID.
    pub object_id: String,
    /// Its ARM id.
    pub resource_id: String,
    /// Who may ask.
    pub guard: Guard,
    /// Gives the tokens.
    pub source: Box<dyn TokenSource>,
}

impl fmt::Debug for IdentityEndpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "IdentityEndpoint({})", self.client_id)
    }
}

/// Serves until told to stop.
///
/// # Errors
/// Those of the socket.
pub async fn serve(
    listener: TcpListener,
    endpoint: Arc<IdentityEndpoint>,
    mut stop: watch::Receiver<bool>,
) -> std::io::Result<()> {
    let router = Router::new().fallback(answer).with_state(endpoint);
    axum::serve(listener, router).with_graceful_shutdown(async move { crate::told_to_stop(&mut stop).await }).await
}

async fn answer(State(endpoint): State<Arc<IdentityEndpoint>>, request: Request<Body>) -> Response<Body> {
    let (head, _body) = request.into_parts();
    let (status, body) = match endpoint.token(&head).await {
        Ok(body) => (StatusCode::OK, body),
        Err(Refusal { status, error, why }) => {
            tracing::info!(status = status.as_u16(), why, "no token for a managed identity");
            (status, json!({ "error": error, "error_description": why }))
        }
    };
    let mut response = Response::new(Body::from(body.to_string()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json; charset=utf-8"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store, no-cache"));
    response
}

struct Refusal {
    status: StatusCode,
    error: &'static str,
    why: String,
}

fn refusal(status: StatusCode, error: &'static str, why: impl Into<String>) -> Refusal {
    Refusal { status, error, why: why.into() }
}

fn invalid(why: impl Into<String>) -> Refusal {
    refusal(StatusCode::BAD_REQUEST, "invalid_request", why)
}

impl IdentityEndpoint {
    async fn token(&self, request: &Parts) -> Result<Value, Refusal> {
        let headers = &request.headers;
        // A proxy was made to ask: whoever is behind it is not this machine.
        if headers.contains_key("x-forwarded-for") {
            return Err(invalid("X-Forwarded-For is not allowed"));
        }
        // A page in a browser can reach loopback by a name of its own.
        if !is_local(headers) {
            return Err(invalid("the host is not this endpoint"));
        }
        self.admit(request)?;
        if request.method != Method::GET {
            return Err(refusal(StatusCode::METHOD_NOT_ALLOWED, "invalid_request", "only GET is answered"));
        }
        let query = Query::<Vec<(String, String)>>::try_from_uri(&request.uri);
        let Query(query) = query.map_err(|_unreadable| invalid("the query cannot be read"))?;
        let member = |name: &str| query.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
        member("api-version").filter(|version| !version.is_empty()).ok_or_else(|| invalid("api-version is missing"))?;
        for (name, value) in &query {
            let own = match name.as_str() {
                "client_id" | "clientid" => &self.client_id,
                "object_id" | "principal_id" => &self.object_id,
                "msi_res_id" | "mi_res_id" => &self.resource_id,
                _ => continue,
            };
            if !own.eq_ignore_ascii_case(value) {
                return Err(invalid("Identity not found"));
            }
        }
        let resource = member("resource").filter(|resource| !resource.is_empty());
        let resource = resource.ok_or_else(|| invalid("resource is missing"))?;
        self.source.token(resource).await.map_err(|fault| match fault.kind {
            ErrorKind::BadParameter => refusal(StatusCode::BAD_REQUEST, "invalid_resource", fault.message),
            _ => refusal(StatusCode::SERVICE_UNAVAILABLE, "temporarily_unavailable", fault.message),
        })
    }

    /// Is it the right path, with what it wants to see?
    fn admit(&self, request: &Parts) -> Result<(), Refusal> {
        let path = request.uri.path();
        // JavaScript's client puts a slash at the end.
        let path = path.strip_suffix('/').unwrap_or(path);
        let header = |name: &str| request.headers.get(name).map(HeaderValue::as_bytes).unwrap_or_default();
        match &self.guard {
            Guard::Header(secret) if path == APP_SERVICE => {
                if constant_time_eq(header("x-identity-header"), secret.expose().as_bytes()) {
                    return Ok(());
                }
                Err(refusal(StatusCode::UNAUTHORIZED, "unauthorized", "X-IDENTITY-HEADER is not the endpoint's"))
            }
            Guard::Metadata if path == METADATA_SERVICE => {
                if header("metadata").eq_ignore_ascii_case(b"true") {
                    return Ok(());
                }
                Err(invalid("Required metadata header not specified"))
            }
            _ => Err(refusal(StatusCode::NOT_FOUND, "not_found", "there is nothing at this path")),
        }
    }
}

fn is_local(headers: &HeaderMap) -> bool {
    let host = headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let name = host.rsplit_once(':').map_or(host, |(name, _port)| name);
    matches!(name, "127.0.0.1" | "localhost" | "169.254.169.254")
}
