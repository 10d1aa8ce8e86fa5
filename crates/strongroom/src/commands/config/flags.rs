//! Feature flags, in the schema of Microsoft's feature management.

use std::process::ExitCode;

use serde_json::{Value, json};
use strongroom_backends::appconfig::{Condition, ConfigClient, ConfigError, Setting};
use strongroom_wire::Sensitive;

use super::super::show;
use crate::Outcome;
use crate::cli::FeatureCommand;

/// What the keys of flags begin with.
pub(super) const PREFIX: &str = ".appconfig.featureflag/";

/// What their values are.
pub(super) const CONTENT_TYPE: &str = "application/vnd.microsoft.appconfig.ff+json;charset=utf-8";

/// A flag that somebody else keeps changing is given up after so many tries.
const TRIES: usize = 10;

pub(super) async fn run(command: FeatureCommand) -> Outcome {
    let (at, enabled, store) = match command {
        FeatureCommand::List { label, output, store } => {
            let label = label.as_deref().map_or("*", super::store::label_filter);
            let all = store.client()?.list(&format!("{PREFIX}*"), label).await.map_err(|fault| fault.to_string())?;
            let rows: Vec<Value> = all.iter().map(row).collect();
            return show::rows(&rows, &["name", "label", "enabled", "filters", "description", "locked"], output);
        }
        FeatureCommand::On { at, store } => (at, true, store),
        FeatureCommand::Off { at, store } => (at, false, store),
    };
    switch(&*store.client()?, &at.key, at.label.as_deref(), enabled).await?;
    println!("{} is {}", at.key, if enabled { "on" } else { "off" });
    Ok(ExitCode::SUCCESS)
}

/// Turns a flag on or off, and makes it when there is none; its conditions stay as they are.
async fn switch(client: &ConfigClient, name: &str, label: Option<&str>, enabled: bool) -> Result<(), String> {
    let key = format!("{PREFIX}{name}");
    for _ in 0..TRIES {
        let found = client.get(&key, label).await.map_err(|fault| fault.to_string())?;
        let mut flag = match found.as_ref().and_then(|found| found.value.as_ref()) {
            Some(value) => serde_json::from_str::<Value>(value.expose())
                .map_err(|_unreadable| format!("the value of {key} is not the JSON of a feature flag"))?,
            None => json!({ "id": name, "description": "", "conditions": { "client_filters": [] } }),
        };
        let members = flag.as_object_mut().ok_or_else(|| format!("the value of {key} is no feature flag"))?;
        members.insert("enabled".to_owned(), json!(enabled));
        let before = found.as_ref().map(|found| found.etag.clone());
        let setting = Setting {
            key: key.clone(),
            label: label.map(str::to_owned),
            value: Some(Sensitive::new(flag.to_string())),
            content_type: Some(CONTENT_TYPE.to_owned()),
            tags: found.map(|found| found.tags).unwrap_or_default(),
            ..Setting::default()
        };
        let condition = before.as_deref().map_or(Condition::Absent, Condition::Unchanged);
        match client.set(&setting, condition).await {
            Ok(_) => return Ok(()),
            Err(ConfigError::Changed) => {}
            Err(fault) => return Err(fault.to_string()),
        }
    }
    Err(format!("{name} is being changed by others; try again"))
}

fn row(setting: &Setting) -> Value {
    let flag = setting.value.as_ref().and_then(|value| serde_json::from_str::<Value>(value.expose()).ok());
    let flag = flag.unwrap_or_default();
    let filters = flag.pointer("/conditions/client_filters").and_then(Value::as_array).into_iter().flatten();
    let filters: Vec<&str> = filters.filter_map(|filter| filter.get("name").and_then(Value::as_str)).collect();
    json!({
        "name": setting.key.strip_prefix(PREFIX),
        "label": setting.label,
        "enabled": flag.get("enabled"),
        "filters": filters.join(","),
        "description": flag.get("description"),
        "locked": setting.locked,
    })
}
