//! The commands on configuration stores.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use strongroom_store::Time;
use strongroom_wire::Error;
use strongroom_wire::config::StoreName;

use crate::app::App;
use crate::config_stores::{OpenStore, StoreRecord, StoreSettings, Tier};

/// What can be asked of configuration stores.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "action")]
pub enum StoreCommand {
    /// Makes one.
    Create {
        /// Name.
        name: String,
        /// Settings.
        settings: StoreSettings,
    },
    /// Changes settings; what is absent stays.
    Set {
        /// Name.
        name: String,
        /// How much, and for how long.
        tier: Option<Tier>,
        /// 1 to 7 days.
        retention_days: Option<u8>,
        /// Only `true` does anything: it cannot be turned off.
        purge_protection: bool,
        /// Are access keys accepted?
        local_auth: Option<bool>,
    },
    /// Lists them.
    List,
    /// Shows the connection strings of one.
    Keys {
        /// Name.
        name: String,
    },
    /// Makes an access key anew.
    RegenerateKey {
        /// Name.
        name: String,
        /// Name or id of the key.
        key: String,
    },
    /// Deletes one, recoverably.
    Delete {
        /// Name.
        name: String,
    },
    /// Brings a deleted one back.
    Recover {
        /// Name.
        name: String,
    },
    /// Destroys a deleted one.
    Purge {
        /// Name.
        name: String,
    },
}

pub(super) async fn execute(app: &App, command: StoreCommand, now: Time) -> Result<Value, Error> {
    match command {
        StoreCommand::Create { name, settings } => {
            app.stores.create(&parse(&name)?, settings, now).await?;
        }
        StoreCommand::Set { name, tier, retention_days, purge_protection, local_auth } => {
            let change = |settings: &mut StoreSettings| {
                settings.tier = tier.unwrap_or(settings.tier);
                settings.retention_days = retention_days.unwrap_or(settings.retention_days);
                settings.purge_protection |= purge_protection;
                settings.local_auth = local_auth.unwrap_or(settings.local_auth);
            };
            app.stores.set(&parse(&name)?, change).await?;
        }
        StoreCommand::List => {}
        StoreCommand::Keys { name } => {
            let name = parse(&name)?;
            let open = app.stores.find(&name).await?;
            let open = open.ok_or_else(|| Error::bad_parameter(format!("There is no configuration store {name}")))?;
            return Ok(keys(app, &open));
        }
        StoreCommand::RegenerateKey { name, key } => {
            return Ok(keys(app, &*app.stores.regenerate(&parse(&name)?, &key, now).await?));
        }
        StoreCommand::Delete { name } => {
            app.stores.delete(&parse(&name)?, now).await?;
        }
        StoreCommand::Recover { name } => {
            app.stores.recover(&parse(&name)?).await?;
        }
        StoreCommand::Purge { name } => app.stores.purge(&parse(&name)?).await?,
    }
    let all = app.stores.list().await?;
    Ok(json!(all.iter().map(|record| show(app, record)).collect::<Vec<_>>()))
}

fn parse(name: &str) -> Result<StoreName, Error> {
    StoreName::parse(name).map_err(|fault| Error::bad_parameter(fault.to_string()))
}

fn show(app: &App, record: &StoreRecord) -> Value {
    json!({
        "name": record.name,
        "tier": record.settings.tier,
        "retention_days": record.settings.retention_days,
        "purge_protection": record.settings.purge_protection,
        "local_auth": record.settings.local_auth,
        "purged_at": record.deletion.map(|deletion| strongroom_wire::config::rfc3339(deletion.scheduled_purge)),
        "url": app.endpoints.get(0).map(|endpoint| endpoint.store_url(&record.name)),
    })
}

/// The access keys: shown to the operator, who asked for them.
fn keys(app: &App, open: &OpenStore) -> Value {
    let url = app.endpoints.get(0).map(|endpoint| endpoint.store_url(&open.record.name)).unwrap_or_default();
    let show = |key: &crate::config_stores::AccessKey| {
        json!({
            "name": key.name,
            "read_only": key.read_only,
            "connection_string": StoreRecord::connection_string(&url, key).expose(),
        })
    };
    json!(open.record.keys.iter().map(show).collect::<Vec<_>>())
}
