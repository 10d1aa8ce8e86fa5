//! Who may: requests signed with an access key (HMAC-SHA256, contract 2.8.2), and bearer tokens
//! (2.8.3).

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use http::header::{AUTHORIZATION, HOST, HeaderMap};
use http::request::Parts;
use strongroom_auth::{Caller, DataAction, Decision};
use strongroom_crypto::{constant_time_eq, hmac_sha256, sha256};
use strongroom_store::Time;
use strongroom_wire::config::{Problem, StoreName, parse_date};
use zeroize::Zeroizing;

use crate::app::App;
use crate::config_stores::{AccessKey, StoreRecord};
use crate::endpoints::{Endpoint, Service};

/// A signature's date may differ from ours by so many seconds.
const WINDOW: u64 = 15 * 60;

const SCHEME: &str = "HMAC-SHA256";
const CONTENT_HASH: &str = "x-ms-content-sha256";

/// Somebody who proved who they are.
pub(super) enum Access {
    /// By a signature.
    Key {
        id: String,
        read_only: bool,
        /// The signed hash of the content, which has not arrived yet.
        content_hash: Vec<u8>,
    },
    /// By a token.
    Token(Arc<Caller>),
}

/// Who sent the request.
///
/// # Errors
/// `Unauthorized`, with the contract's text.
pub(super) async fn authenticate(
    app: &App,
    endpoint: &Endpoint,
    store: &StoreName,
    parts: &Parts,
    now: Time,
) -> Result<Access, Problem> {
    let header = parts.headers.get(AUTHORIZATION);
    let scheme = header.and_then(|value| value.to_str().ok()).and_then(|value| value.split_once(' '));
    match scheme {
        None => Err(refused("")),
        Some((scheme, parameters)) if scheme.eq_ignore_ascii_case(SCHEME) => {
            signed(app, endpoint, store, parts, parameters, now).await
        }
        Some(_) => {
            let checked = app.authenticator.authenticate(app, Service::Config(store), header, now).await;
            let refusal =
                |error: strongroom_wire::Error| Problem::Unauthorized { description: error.message, bearer: true };
            checked.map(Access::Token).map_err(refusal)
        }
    }
}

fn refused(description: &str) -> Problem {
    Problem::Unauthorized { description: description.to_owned(), bearer: false }
}

async fn signed(
    app: &App,
    endpoint: &Endpoint,
    store: &StoreName,
    parts: &Parts,
    parameters: &str,
    now: Time,
) -> Result<Access, Problem> {
    let open = app.stores.find(store).await.map_err(|error| super::call::problem(&error))?;
    if open.as_ref().is_some_and(|open| !open.record.settings.local_auth) {
        return Err(refused("Authentication scheme disabled"));
    }
    let parameter = |name: &str| {
        // A comma once separated them, too; neither it nor `&` is in a base64 text.
        let pairs = parameters.split(['&', ',']).filter_map(|pair| pair.trim().split_once('='));
        pairs.into_iter().find_map(|(known, value)| (known == name).then_some(value))
    };
    let names = parameter("SignedHeaders").ok_or_else(|| refused("SignedHeaders parameter is required"))?;
    let names: Vec<String> = names.split(';').map(str::to_ascii_lowercase).collect();
    let has = |wanted: &str| names.iter().any(|name| name == wanted);
    if !(has("host") && has(CONTENT_HASH) && (has("x-ms-date") || has("date"))) || names.len() > 32 {
        return Err(refused("Invalid SignedHeaders parameter"));
    }
    let values = names.iter().map(|name| {
        let value = if name == "host" { authority(parts) } else { text(&parts.headers, name) };
        // The name is the caller's: shown only when it is a plain one.
        let shown = if name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') { name } else { "?" };
        value.ok_or_else(|| refused(&format!("Required signing request header '{shown}' not found")))
    });
    let values = values.collect::<Result<Vec<&str>, _>>()?;

    let date = text(&parts.headers, if has("x-ms-date") { "x-ms-date" } else { "date" });
    let date = date.and_then(parse_date).ok_or_else(|| refused("Invalid access token date"))?;
    if now.seconds().abs_diff(date) > WINDOW {
        return Err(refused("The access token has expired"));
    }
    let credential = parameter("Credential").unwrap_or_default();
    let known = open.as_ref().and_then(|open| open.record.keys.iter().find(|key| key.id == credential));
    let key = known.ok_or_else(|| refused("Invalid Credential"))?;
    let signature = parameter("Signature").ok_or_else(|| refused("Signature is required"))?;
    let signature = BASE64.decode(signature).map_err(|_invalid| refused("Invalid Signature"))?;
    if !is_signed(key, &signature, parts, endpoint, &names, &values)? {
        return Err(refused("Invalid Signature"));
    }
    let content_hash = text(&parts.headers, CONTENT_HASH).and_then(|hash| BASE64.decode(hash).ok());
    let content_hash = content_hash.ok_or_else(|| refused("Invalid request content hash"))?;
    Ok(Access::Key { id: key.id.clone(), read_only: key.read_only, content_hash })
}

/// Is it the signature of this request? Tried are the forms of it that SDKs sign: the Python SDK
/// signs the host as it was configured, port included, and leaves out the first slash when the
/// endpoint was written with one at its end.
fn is_signed(
    key: &AccessKey,
    signature: &[u8],
    parts: &Parts,
    endpoint: &Endpoint,
    names: &[String],
    values: &[&str],
) -> Result<bool, Problem> {
    let secret = BASE64.decode(key.secret.expose()).map(Zeroizing::new).map_err(|_damaged| Problem::Internal)?;
    let target = parts.uri.path_and_query().map_or("/", http::uri::PathAndQuery::as_str);
    let sent = authority(parts).unwrap_or_default();
    let is = |host: &str, target: &str| {
        let mut text = format!("{}\n{target}\n", parts.method);
        for (at, (name, value)) in names.iter().zip(values).enumerate() {
            text.push_str(if at == 0 { "" } else { ";" });
            text.push_str(if name == "host" { host } else { value });
        }
        constant_time_eq(&hmac_sha256(&secret, text.as_bytes()), signature)
    };
    if is(sent, target) {
        return Ok(true);
    }
    let bare = sent.split_once(':').map_or(sent, |(host, _)| host);
    let hosts = [sent.to_owned(), bare.to_owned(), format!("{bare}:{}", endpoint.port)];
    Ok(hosts.iter().any(|host| is(host, target) || is(host, target.strip_prefix('/').unwrap_or(target))))
}

fn authority(parts: &Parts) -> Option<&str> {
    let named = parts.uri.authority().map(http::uri::Authority::as_str);
    named.or_else(|| text(&parts.headers, HOST.as_str()))
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

impl Access {
    /// May they do all of `actions` on the store?
    ///
    /// # Errors
    /// `Forbidden`.
    pub(super) fn authorize(&self, app: &App, store: &StoreName, actions: &[DataAction]) -> Result<(), Problem> {
        let allowed = match self {
            Self::Key { read_only, .. } => {
                !read_only
                    || actions.iter().all(|it| matches!(it, DataAction::KeyValuesRead | DataAction::SnapshotsRead))
            }
            Self::Token(caller) => {
                let scope = app.directory.installation.store_scope(store.as_str());
                actions.iter().all(|action| {
                    delegated(caller, *action) && app.directory.decide(caller, &[*action], &scope) != Decision::Denied
                })
            }
        };
        if allowed { Ok(()) } else { Err(Problem::Forbidden) }
    }

    /// Is the content the one that was signed?
    ///
    /// # Errors
    /// `Unauthorized`.
    pub(super) fn check_content(&self, body: &[u8]) -> Result<(), Problem> {
        match self {
            Self::Key { content_hash, .. } if !constant_time_eq(&sha256(body), content_hash) => {
                Err(refused("Invalid request content hash"))
            }
            _ => Ok(()),
        }
    }

    /// Is the store still the one that the access key belongs to? While the body arrived, the key may
    /// have been made anew, or the store purged and another made by its name.
    ///
    /// # Errors
    /// `Unauthorized`.
    pub(super) fn check_store(&self, record: &StoreRecord) -> Result<(), Problem> {
        match self {
            Self::Key { id, .. } if !record.settings.local_auth || !record.keys.iter().any(|key| key.id == *id) => {
                Err(refused("Invalid Credential"))
            }
            _ => Ok(()),
        }
    }

    /// For the log and the records.
    pub(super) fn caller(&self) -> Arc<str> {
        match self {
            Self::Key { id, .. } => Arc::from(format!("key {id}")),
            Self::Token(caller) => Arc::from(caller.object_id.as_str()),
        }
    }
}

/// What was delegated with the token narrows what its bearer may do; a token that says nothing of
/// it is not narrowed.
fn delegated(caller: &Caller, action: DataAction) -> bool {
    let Some(scopes) = &caller.scopes else { return true };
    let wanted = match action {
        DataAction::KeyValuesRead => "KeyValue.Read",
        DataAction::KeyValuesWrite => "KeyValue.Write",
        DataAction::KeyValuesDelete => "KeyValue.Delete",
        DataAction::SnapshotsRead => "Snapshot.Read",
        DataAction::SnapshotsWrite => "Snapshot.Write",
        DataAction::SnapshotsArchive => "Snapshot.Action",
        _ => return false,
    };
    scopes.iter().any(|scope| scope == wanted || scope == "user_impersonation")
}
