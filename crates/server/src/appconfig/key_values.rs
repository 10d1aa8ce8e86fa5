//! One key-value: get, set, delete, lock, unlock (A5 to A8, A18, A19).

use strongroom_wire::config::{Fields, KeyValue, KeyValueId, NewKeyValue, Problem, ReadOutcome};

use super::call::{ApiVersion, Call, encoded};
use super::reply::Reply;

const MEDIA_TYPE: &str = "application/vnd.microsoft.appconfig.kv+json; charset=utf-8";

pub(super) async fn get(call: Call) -> Result<Reply, Problem> {
    let (id, at, fields) = (call.id()?, call.at()?, call.fields()?);
    let tags = call.tags(ApiVersion::TAGS)?;
    // A moment that lies ahead is the present.
    let memento = at.filter(|at| *at <= call.cx.now.seconds());
    let original = memento.map(|_| original(&call, &id));
    let found = call.store.get(&id, memento).await?;
    let Some(item) = found.filter(|item| tags.iter().all(|tag| tag.matches(&item.tags))) else {
        return Ok(Reply::not_found().memento(memento, original.as_deref()));
    };
    let reply = match call.conditions().for_read(&item.etag)? {
        ReadOutcome::NotModified => Reply::not_modified().etag(&item.etag).last_modified(item.last_modified),
        ReadOutcome::Content => shown(&call, &item, fields)?,
    };
    Ok(reply.memento(memento, original.as_deref()))
}

/// Where the key-value is as it is now.
fn original(call: &Call, id: &KeyValueId) -> String {
    let label = id.label().map(|label| format!("&label={}", encoded(label))).unwrap_or_default();
    format!("/kv/{}?api-version={}{label}", encoded(id.key()), call.version_text())
}

pub(super) async fn set(call: Call) -> Result<Reply, Problem> {
    let id = call.id()?;
    let new: NewKeyValue = call.json()?;
    let item = call.store.set(&call.cx, &id, new, call.knows_description(), &call.conditions()).await?;
    shown(&call, &item, Fields::ALL)
}

pub(super) async fn delete(call: Call) -> Result<Reply, Problem> {
    match call.store.delete(&call.cx, &call.id()?, &call.conditions()).await? {
        Some(item) => shown(&call, &item, Fields::ALL),
        None => Ok(Reply::no_content()),
    }
}

pub(super) async fn lock(call: Call) -> Result<Reply, Problem> {
    set_lock(call, true).await
}

pub(super) async fn unlock(call: Call) -> Result<Reply, Problem> {
    set_lock(call, false).await
}

async fn set_lock(call: Call, locked: bool) -> Result<Reply, Problem> {
    let item = call.store.set_lock(&call.cx, &call.id()?, locked, &call.conditions()).await?;
    shown(&call, &item, Fields::ALL)
}

fn shown(call: &Call, item: &KeyValue, fields: Fields) -> Result<Reply, Problem> {
    let reply = Reply::json(MEDIA_TYPE, &item.shown(fields, call.knows_description()))?;
    Ok(reply.etag(&item.etag).last_modified(item.last_modified))
}
