//! Objects as rows of what is printed. Times are RFC 3339, in UTC.

use serde::Serialize;
use serde_json::{Map, Value, json};
use strongroom_crypto::PublicKey;
use strongroom_store::vault::{Body, Object};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use zeroize::Zeroizing;

/// All of an object but a secret's value.
pub(in crate::commands) fn row(object: &Object) -> Value {
    let mut members = Map::new();
    let mut set = |name: &str, value: Value| drop(members.insert(name.to_owned(), value));
    let attributes = &object.attributes;
    set("name", json!(object.name.as_str()));
    set("version", json!(object.version.map(|version| version.to_string())));
    match &object.body {
        Body::Secret { content_type, .. } => set("content_type", json!(content_type)),
        Body::Key { public, key_ops, hardware } => {
            let spec = public.as_ref().and_then(|public| PublicKey::from_jwk(public).ok()).map(|key| key.spec());
            if let Some(spec) = spec {
                set("type", json!(format!("{spec}{}", if *hardware { " (HSM)" } else { "" })));
                set("operations", json!(key_ops.iter().map(|op| op.as_str()).collect::<Vec<_>>().join(",")));
                set("key", json!(public));
            }
        }
    }
    set("enabled", json!(attributes.enabled));
    set("not_before", json!(attributes.not_before.map(moment)));
    set("expires", json!(attributes.expires.map(moment)));
    set("created", json!(moment(attributes.created)));
    set("updated", json!(moment(attributes.updated)));
    set("recovery_level", json!(attributes.recovery.level()));
    set("recoverable_days", json!(attributes.recovery.retention_days));
    set("tags", json!(object.tags));
    if let Some(deletion) = object.deletion {
        set("deleted", json!(moment(deletion.deleted)));
        set("scheduled_purge", json!(moment(deletion.scheduled_purge)));
    }
    Value::Object(members)
}

/// A secret with its value, as JSON, wiped when it is dropped.
pub(in crate::commands) fn with_value(object: &Object, value: &str) -> Result<Zeroizing<Vec<u8>>, String> {
    #[derive(Serialize)]
    struct WithValue<'a> {
        #[serde(flatten)]
        rest: Value,
        value: &'a str,
    }
    let text = serde_json::to_vec_pretty(&WithValue { rest: row(object), value });
    let mut text = Zeroizing::new(text.map_err(|_unwritable| "the secret could not be written as JSON")?);
    text.push(b'\n');
    Ok(text)
}

/// A moment in unix seconds, as RFC 3339.
pub(in crate::commands) fn moment(seconds: i64) -> String {
    let moment = OffsetDateTime::from_unix_timestamp(seconds).ok();
    moment.and_then(|moment| moment.format(&Rfc3339).ok()).unwrap_or_else(|| seconds.to_string())
}
