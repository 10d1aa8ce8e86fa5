//! The secret operations S1 to S12 (REST reference, Secrets).

use strongroom_store::vault::{Change, NewAttributes, NewVersion};
use strongroom_wire::Error;
use strongroom_wire::ids::Kind;
use strongroom_wire::secrets::{SecretSet, SecretUpdate};

use super::answer::Answer;
use super::call::Call;
use super::objects;

/// S1, `PUT /secrets/{name}`.
pub async fn set(call: Call) -> Result<Answer, Error> {
    call.name()?;
    let sent: SecretSet = call.json()?;
    let value = sent.value.ok_or_else(|| Error::bad_parameter("value, the secret's value, is missing"))?;
    let with = NewAttributes { attributes: sent.attributes.unwrap_or_default(), tags: sent.tags };
    objects::put(call, NewVersion::Secret { value, content_type: sent.content_type, with }).await
}

/// S2, `DELETE /secrets/{name}`.
pub async fn delete(call: Call) -> Result<Answer, Error> {
    objects::delete(call, Kind::Secret).await
}

/// S3, `PATCH /secrets/{name}/{version}`.
pub async fn update(call: Call) -> Result<Answer, Error> {
    call.name()?;
    let sent: SecretUpdate = call.json()?;
    let change = Change {
        attributes: sent.attributes.unwrap_or_default(),
        tags: sent.tags,
        content_type: sent.content_type,
        key_ops: None,
    };
    objects::update(call, Kind::Secret, change).await
}

/// S4, `GET /secrets/{name}/{version}`.
pub async fn get(call: Call) -> Result<Answer, Error> {
    objects::get(call, Kind::Secret).await
}

/// S5, `GET /secrets`.
pub async fn list(call: Call) -> Result<Answer, Error> {
    objects::list(call, Kind::Secret).await
}

/// S6, `GET /secrets/{name}/versions`.
pub async fn list_versions(call: Call) -> Result<Answer, Error> {
    objects::list_versions(call, Kind::Secret).await
}

/// S7, `GET /deletedsecrets`.
pub async fn list_deleted(call: Call) -> Result<Answer, Error> {
    objects::list_deleted(call, Kind::Secret).await
}

/// S8, `GET /deletedsecrets/{name}`.
pub async fn get_deleted(call: Call) -> Result<Answer, Error> {
    objects::get_deleted(call, Kind::Secret).await
}

/// S9, `DELETE /deletedsecrets/{name}`.
pub async fn purge(call: Call) -> Result<Answer, Error> {
    objects::purge(call, Kind::Secret).await
}

/// S10, `POST /deletedsecrets/{name}/recover`.
pub async fn recover(call: Call) -> Result<Answer, Error> {
    objects::recover(call, Kind::Secret).await
}

/// S11, `POST /secrets/{name}/backup`.
pub async fn backup(call: Call) -> Result<Answer, Error> {
    objects::backup(call, Kind::Secret).await
}

/// S12, `POST /secrets/restore`.
pub async fn restore(call: Call) -> Result<Answer, Error> {
    objects::restore(call, Kind::Secret).await
}
