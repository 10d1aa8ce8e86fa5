//! `strongroom config`: key-values and feature flags of a configuration store, Strongroom's or
//! Azure's.

mod files;
mod flags;
mod formats;
mod store;

use std::collections::BTreeMap;
use std::process::ExitCode;

use serde_json::{Value, json};
use strongroom_backends::appconfig::{Condition, ConfigError, Setting};
use strongroom_wire::Sensitive;

use crate::Outcome;
use crate::cli::{ConfigCommand, KeyArgs, Output};
use crate::serve::{Config, EXAMPLE};

use super::show;
pub(super) use files::read_text;
pub(crate) use formats::Format;
pub(crate) use store::StoreArgs;

/// What the value of a reference to a secret is.
const REFERENCE: &str = "application/vnd.microsoft.appconfig.keyvaultref+json;charset=utf-8";

/// `strongroom config`.
pub(crate) async fn run(command: ConfigCommand) -> Outcome {
    match command {
        ConfigCommand::Example => print!("{EXAMPLE}"),
        ConfigCommand::Check(arguments) => {
            Config::read(&arguments.config)?;
            println!("{} is valid", arguments.config.display());
        }
        ConfigCommand::Get { at, output, store } => return get(&at, output, &store).await,
        ConfigCommand::Set { at, value, value_file, content_type, tag, secret_uri, if_absent, store } => {
            let (value, content_type) = match secret_uri {
                Some(uri) => (json!({ "uri": uri }).to_string(), Some(REFERENCE.to_owned())),
                None => (read_value(value, value_file.as_deref())?, content_type),
            };
            let setting = Setting {
                key: at.key,
                label: at.label,
                value: Some(Sensitive::new(value)),
                content_type,
                tags: tags(&tag)?,
                ..Setting::default()
            };
            let condition = if if_absent { Condition::Absent } else { Condition::None };
            let set = store.client()?.set(&setting, condition).await.map_err(|fault| match fault {
                ConfigError::Changed => format!("there is a {} already", setting.key),
                fault => fault.to_string(),
            })?;
            println!("{} is set ({})", set.key, set.last_modified);
        }
        ConfigCommand::Delete { at, store } => {
            let gone = store.client()?.delete(&at.key, at.label.as_deref(), Condition::None).await;
            match gone.map_err(|fault| fault.to_string())? {
                Some(_) => println!("{} is deleted; its revisions can be read until they expire", at.key),
                None => println!("there was no {}", at.key),
            }
        }
        ConfigCommand::Lock { at, store } => return lock(&at, true, &store).await,
        ConfigCommand::Unlock { at, store } => return lock(&at, false, &store).await,
        ConfigCommand::List { key, label, output, store } => {
            let label = label.as_deref().map_or("*", store::label_filter);
            let all = store.client()?.list(&key, label).await.map_err(|fault| fault.to_string())?;
            let rows: Vec<Value> = all.iter().map(row).collect();
            return show::rows(&rows, &["key", "label", "value", "content_type", "locked", "last_modified"], output);
        }
        ConfigCommand::Diff(arguments) => return files::diff(arguments).await,
        ConfigCommand::Import { from, strict, dry_run } => return files::import(from, strict, dry_run).await,
        ConfigCommand::Export(arguments) => return files::export(arguments).await,
        ConfigCommand::Feature(command) => return flags::run(command).await,
    }
    Ok(ExitCode::SUCCESS)
}

async fn get(at: &KeyArgs, output: Option<Output>, store: &StoreArgs) -> Outcome {
    let found = store.client()?.get(&at.key, at.label.as_deref()).await.map_err(|fault| fault.to_string())?;
    let found = found.ok_or_else(|| {
        let label = at.label.as_ref().map_or_else(|| "no label".to_owned(), |label| format!("the label {label}"));
        format!("there is no {} with {label}; `strongroom config list` shows all", at.key)
    })?;
    match output {
        None => println!("{}", found.value.as_ref().map_or("", |value| value.expose())),
        Some(output) => return show::rows(&[row(&found)], &["key", "label", "value", "content_type", "etag"], output),
    }
    Ok(ExitCode::SUCCESS)
}

async fn lock(at: &KeyArgs, locked: bool, store: &StoreArgs) -> Outcome {
    let done = store.client()?.set_lock(&at.key, at.label.as_deref(), locked).await;
    done.map_err(|fault| fault.to_string())?;
    println!("{} is {}", at.key, if locked { "read-only" } else { "writable" });
    Ok(ExitCode::SUCCESS)
}

fn row(setting: &Setting) -> Value {
    json!({
        "key": setting.key,
        "label": setting.label,
        "value": setting.value.as_ref().map(Sensitive::expose),
        "content_type": setting.content_type,
        "tags": setting.tags,
        "etag": setting.etag,
        "locked": setting.locked,
        "last_modified": setting.last_modified,
    })
}

fn tags(pairs: &[String]) -> Result<BTreeMap<String, Option<String>>, String> {
    let read = |pair: &String| match pair.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), Some(value.to_owned()))),
        _ => Err(format!("--tag {pair}: it is name=value")),
    };
    pairs.iter().map(read).collect()
}

/// The value that was given: as an argument, or in a file, `-` for standard input.
fn read_value(value: Option<String>, file: Option<&std::path::Path>) -> Result<String, String> {
    match (value, file) {
        (Some(value), None) => Ok(value),
        (None, Some(file)) => read_text(file),
        _ => Err("give the value as an argument, or --value-file FILE (- is standard input)".to_owned()),
    }
}
