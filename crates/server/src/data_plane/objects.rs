//! What secrets and keys have in common: lists, soft delete, backup.

use strongroom_store::vault::{Listing, Object, Target};
use strongroom_wire::Error;
use strongroom_wire::base64url::Base64Url;
use strongroom_wire::ids::Kind;
use strongroom_wire::keys::BackupBlob;
use strongroom_wire::page::Page;

use super::answer::Answer;
use super::call::Call;
use super::render;

fn bundle(base: &str, kind: Kind, object: Object) -> Result<Answer, Error> {
    match kind {
        Kind::Secret => Answer::json(&render::secret_bundle(base, object)?),
        Kind::Key => Answer::json(&render::key_bundle(base, object)?),
    }
}

pub(super) async fn get(call: Call, kind: Kind) -> Result<Answer, Error> {
    let object = call.vault.get(&call.cx, &call.target(kind)?).await?;
    bundle(&call.base, kind, object)
}

pub(super) async fn list(call: Call, kind: Kind) -> Result<Answer, Error> {
    page(call, kind, Listing::Live(kind), format!("/{}", kind.collection())).await
}

pub(super) async fn list_deleted(call: Call, kind: Kind) -> Result<Answer, Error> {
    page(call, kind, Listing::Deleted(kind), format!("/{}", kind.deleted_collection())).await
}

pub(super) async fn list_versions(call: Call, kind: Kind) -> Result<Answer, Error> {
    let name = call.name()?;
    let path = format!("/{}/{name}/versions", kind.collection());
    page(call, kind, Listing::Versions(kind, name), path).await
}

async fn page(call: Call, kind: Kind, listing: Listing, path: String) -> Result<Answer, Error> {
    let (limit, after) = call.paging()?;
    let with_version = matches!(listing, Listing::Versions(..));
    let page = call.vault.list(&call.cx, &listing, limit, after.as_ref()).await?;
    let next_link = page.next.map(|cursor| call.next_link(&path, limit, &cursor));
    match kind {
        Kind::Secret => {
            let items = page.items.into_iter().map(|object| render::secret_item(&call.base, object, with_version));
            Answer::json(&Page { value: items.collect::<Result<Vec<_>, _>>()?, next_link })
        }
        Kind::Key => {
            let items = page.items.into_iter().map(|object| render::key_item(&call.base, object, with_version));
            Answer::json(&Page { value: items.collect(), next_link })
        }
    }
}

pub(super) async fn delete(call: Call, kind: Kind) -> Result<Answer, Error> {
    let object = call.vault.delete(&call.cx, kind, &call.name()?).await?;
    bundle(&call.base, kind, object)
}

pub(super) async fn get_deleted(call: Call, kind: Kind) -> Result<Answer, Error> {
    let object = call.vault.get_deleted(&call.cx, kind, &call.name()?).await?;
    bundle(&call.base, kind, object)
}

pub(super) async fn recover(call: Call, kind: Kind) -> Result<Answer, Error> {
    let object = call.vault.recover(&call.cx, kind, &call.name()?).await?;
    bundle(&call.base, kind, object)
}

pub(super) async fn purge(call: Call, kind: Kind) -> Result<Answer, Error> {
    call.vault.purge(&call.cx, kind, &call.name()?).await?;
    Ok(Answer::NoContent)
}

pub(super) async fn backup(call: Call, kind: Kind) -> Result<Answer, Error> {
    let blob = call.vault.backup(&call.cx, kind, &call.name()?).await?;
    Answer::json(&BackupBlob { value: Some(Base64Url(blob)) })
}

pub(super) async fn restore(call: Call, kind: Kind) -> Result<Answer, Error> {
    let sent: BackupBlob = call.json()?;
    let Base64Url(blob) = sent.value.ok_or_else(|| Error::bad_parameter("value, the backup blob, is missing"))?;
    let object = call.vault.restore(&call.cx, kind, &blob).await?;
    bundle(&call.base, kind, object)
}

/// A change to a version, already validated.
pub(super) async fn update(call: Call, kind: Kind, change: strongroom_store::vault::Change) -> Result<Answer, Error> {
    let target: Target = call.target(kind)?;
    let object = call.vault.update(&call.cx, &target, change).await?;
    bundle(&call.base, kind, object)
}

/// A new version, already validated.
pub(super) async fn put(call: Call, new: strongroom_store::vault::NewVersion) -> Result<Answer, Error> {
    let kind = new.kind();
    let object = call.vault.put(&call.cx, &call.name()?, new).await?;
    bundle(&call.base, kind, object)
}
