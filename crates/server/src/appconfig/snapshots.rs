//! Snapshots (A9 to A15).

use http::StatusCode;
use http::header::HeaderName;
use serde::Serialize;
use serde_json::json;
use strongroom_wire::config::{
    Fields, NewSnapshot, Problem, ReadOutcome, ShownSnapshot, Snapshot, SnapshotChange, SnapshotStatus, StatusFilter,
};

use super::call::{Call, encoded};
use super::reply::Reply;

const SNAPSHOT: &str = "application/vnd.microsoft.appconfig.snapshot+json; charset=utf-8";
const SNAPSHOTS: &str = "application/vnd.microsoft.appconfig.snapshotset+json; charset=utf-8";
const OPERATION: &str = "application/json; charset=utf-8";

pub(super) async fn list(call: Call) -> Result<Reply, Problem> {
    #[derive(Serialize)]
    struct Snapshots<'a> {
        items: Vec<ShownSnapshot<'a>>,
        #[serde(rename = "@nextLink", skip_serializing_if = "Option::is_none")]
        next: Option<&'a str>,
    }
    let (name, fields) = (call.filter("name")?, call.snapshot_fields()?);
    let status = StatusFilter::parse(call.parameters.get("status"))?;
    let page = call.store.snapshots(&name, &status, call.after()).await?;
    let next = page.next.as_deref().map(|after| call.link("/snapshots", Some(after)));
    let items = page.items.iter().map(|snapshot| snapshot.shown(fields, call.knows_description())).collect();
    Ok(Reply::json(SNAPSHOTS, &Snapshots { items, next: next.as_deref() })?.next(next.as_deref()))
}

pub(super) async fn get(call: Call) -> Result<Reply, Problem> {
    let fields = call.snapshot_fields()?;
    let snapshot = call.store.snapshot(name(&call)).await?;
    match call.conditions().for_read(&snapshot.etag)? {
        ReadOutcome::NotModified => Ok(Reply::not_modified().etag(&snapshot.etag)),
        ReadOutcome::Content => shown(&call, &snapshot, fields),
    }
}

/// The snapshot is whole when this answers; clients are told to look, as they expect.
pub(super) async fn create(call: Call) -> Result<Reply, Problem> {
    let new: NewSnapshot = call.json()?;
    let made = call.store.create_snapshot(&call.cx, name(&call), new).await?;
    let snapshot = Snapshot { status: SnapshotStatus::Provisioning, ..made };
    let operation =
        format!("{}/operations?snapshot={}&api-version={}", call.url(), encoded(&snapshot.name), call.version_text());
    let reply = shown(&call, &snapshot, Fields::ALL)?.status(StatusCode::CREATED);
    Ok(reply.header(HeaderName::from_static("operation-location"), operation))
}

pub(super) async fn update(call: Call) -> Result<Reply, Problem> {
    let wanted = call.json::<SnapshotChange>()?.wanted()?;
    let snapshot = call.store.set_snapshot_status(&call.cx, name(&call), wanted, &call.conditions()).await?;
    shown(&call, &snapshot, Fields::ALL)
}

pub(super) async fn operation(call: Call) -> Result<Reply, Problem> {
    let name = call.parameters.get("snapshot").filter(|name| !name.is_empty());
    let name = name.ok_or_else(|| Problem::invalid("snapshot", "It is required."))?;
    let snapshot = call.store.snapshot(name).await?;
    let status = match snapshot.status {
        SnapshotStatus::Provisioning => "Running",
        SnapshotStatus::Failed => "Failed",
        SnapshotStatus::Ready | SnapshotStatus::Archived => "Succeeded",
    };
    Reply::json(OPERATION, &json!({ "id": snapshot.name, "status": status, "error": null }))
}

fn name(call: &Call) -> &str {
    call.name.as_deref().unwrap_or_default()
}

fn shown(call: &Call, snapshot: &Snapshot, fields: Fields) -> Result<Reply, Problem> {
    Ok(Reply::json(SNAPSHOT, &snapshot.shown(fields, call.knows_description()))?.etag(&snapshot.etag))
}
