//! Between a store and a file: diff, import, export.

use std::collections::BTreeMap;
use std::io::{IsTerminal as _, Read as _, Write as _};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use serde_json::{Value, json};
use strongroom_backends::appconfig::{Condition, ConfigClient, Setting};
use strongroom_wire::Sensitive;
use tokio::task::JoinSet;

use super::REFERENCE;
use super::flags::{CONTENT_TYPE, PREFIX};
use super::formats::{Content, Format};
use super::store::label_filter;
use crate::Outcome;
use crate::cli::FileArgs;

/// Requests at once.
const AT_ONCE: usize = 16;

/// The exit code of a diff that found differences.
const DIFFERENT: u8 = 2;

/// A setting as files and stores have it in common: value and content type.
type Comparable = BTreeMap<String, (Option<String>, Option<String>)>;

pub(super) async fn diff(arguments: FileArgs) -> Outcome {
    let wanted = of_file(&arguments)?;
    let there = of_store(&arguments, &*arguments.store.client()?).await?;
    let shown = |value: &Option<String>| value.as_deref().unwrap_or("null").to_owned();
    let mut different = false;
    for (key, (value, content_type)) in &wanted {
        match there.get(key) {
            None => println!("+ {key} = {}", shown(value)),
            Some((before, _)) if before != value => println!("~ {key} = {} -> {}", shown(before), shown(value)),
            Some((_, before)) if before != content_type => println!("~ {key}: its content type differs"),
            Some(_) => continue,
        }
        different = true;
    }
    for (key, (value, _)) in there.iter().filter(|(key, _)| !wanted.contains_key(*key)) {
        println!("- {key} = {}", shown(value));
        different = true;
    }
    Ok(if different { ExitCode::from(DIFFERENT) } else { ExitCode::SUCCESS })
}

pub(super) async fn import(arguments: FileArgs, strict: bool, dry_run: bool) -> Outcome {
    let wanted = of_file(&arguments)?;
    let client = arguments.store.client()?;
    let there = of_store(&arguments, &client).await?;
    let label = arguments.label.clone().filter(|label| !label.is_empty());
    let changed: Vec<_> = wanted.iter().filter(|(key, entry)| there.get(*key) != Some(entry)).collect();
    let removed: Vec<&String> = there.keys().filter(|key| strict && !wanted.contains_key(*key)).collect();
    let same = wanted.len().saturating_sub(changed.len());
    if dry_run {
        changed.iter().for_each(|(key, _)| println!("{} {key}", if there.contains_key(*key) { "~" } else { "+" }));
        removed.iter().for_each(|key| println!("- {key}"));
        println!("{} would be set, {} deleted, {same} are the same", changed.len(), removed.len());
        return Ok(ExitCode::SUCCESS);
    }
    let (set, deleted) = (changed.len(), removed.len());
    let changed = changed.into_iter().map(|(key, (value, content_type))| Setting {
        key: key.clone(),
        label: label.clone(),
        value: value.clone().map(Sensitive::new),
        content_type: content_type.clone(),
        ..Setting::default()
    });
    let removed = removed.into_iter().map(|key| (key.clone(), label.clone()));
    let tasks: Vec<Task> = changed.map(Task::Set).chain(removed.map(|(key, label)| Task::Delete(key, label))).collect();
    carry_out(&client, tasks).await?;
    println!("{set} set, {deleted} deleted, {same} were the same");
    Ok(ExitCode::SUCCESS)
}

pub(super) async fn export(arguments: FileArgs) -> Outcome {
    let format = Format::of(arguments.format, &arguments.file)?;
    let there = of_store(&arguments, &*arguments.store.client()?).await?;
    let mut content = Content::default();
    for (key, (value, content_type)) in there {
        if let Some(name) = key.strip_prefix(PREFIX) {
            let flag = value.and_then(|value| serde_json::from_str::<Value>(&value).ok());
            content.flags.insert(name.to_owned(), flag.unwrap_or_default());
            continue;
        }
        let key = key.strip_prefix(arguments.prefix.as_str()).unwrap_or(&key).to_owned();
        content.settings.insert(key, if is_reference(content_type.as_deref()) { value.map(reference) } else { value });
    }
    let flags = content.flags.len();
    let text = format.write(&content, arguments.separator.as_deref())?;
    if arguments.file == Path::new("-") {
        print!("{text}");
    } else {
        // Settings may be confidential: the file is its owner's.
        crate::files::write_private(&arguments.file, text.as_bytes())?;
        eprintln!("{} settings are in {}", content.settings.len(), arguments.file.display());
    }
    if flags > 0 && matches!(format, Format::Properties | Format::Env) {
        eprintln!("{flags} feature flags were left out: only JSON and YAML have a place for them");
    }
    Ok(ExitCode::SUCCESS)
}

/// What the file wants to be in the store.
fn of_file(arguments: &FileArgs) -> Result<Comparable, String> {
    let format = Format::of(arguments.format, &arguments.file)?;
    let text = read_text(&arguments.file)?;
    let content = format.read(&text, arguments.separator.as_deref().unwrap_or(":"));
    let content = content.map_err(|fault| format!("{}: {fault}", arguments.file.display()))?;
    let settings = content.settings.into_iter().map(|(key, value)| {
        let key = format!("{}{key}", arguments.prefix);
        match value.as_deref().and_then(secret_uri) {
            Some(uri) => (key, (Some(json!({ "uri": uri }).to_string()), Some(REFERENCE.to_owned()))),
            None => (key, (value, arguments.content_type.clone())),
        }
    });
    let flags = content
        .flags
        .into_iter()
        .map(|(name, flag)| (format!("{PREFIX}{name}"), (Some(flag.to_string()), Some(CONTENT_TYPE.to_owned()))));
    Ok(settings.chain(flags).collect())
}

/// What is in the store under the prefix and label, flags included.
async fn of_store(arguments: &FileArgs, client: &ConfigClient) -> Result<Comparable, String> {
    let label = label_filter(arguments.label.as_deref().unwrap_or_default());
    let keys = format!("{}*", escaped(&arguments.prefix));
    let mut all = client.list(&keys, &filter_of_label(label)).await.map_err(|fault| fault.to_string())?;
    if !arguments.prefix.is_empty() {
        let flags = client.list(&format!("{PREFIX}*"), &filter_of_label(label)).await;
        all.extend(flags.map_err(|fault| fault.to_string())?);
    }
    let comparable = |setting: Setting| {
        let value = setting.value.map(|value| value.expose().clone());
        // As the file would have it, whatever the order of members and the blanks between them.
        let value = match setting.key.starts_with(PREFIX) {
            true => value.map(|value| serde_json::from_str::<Value>(&value).map_or(value, |flag| flag.to_string())),
            false => value,
        };
        (setting.key, (value, setting.content_type))
    };
    Ok(all.into_iter().map(comparable).collect())
}

enum Task {
    Set(Setting),
    Delete(String, Option<String>),
}

async fn carry_out(client: &Arc<ConfigClient>, tasks: Vec<Task>) -> Result<(), String> {
    let total = tasks.len();
    let (mut running, mut done) = (JoinSet::new(), 0_usize);
    let mut tasks = tasks.into_iter();
    let show = std::io::stderr().is_terminal() && total > 100;
    loop {
        while running.len() < AT_ONCE
            && let Some(task) = tasks.next()
        {
            let client = Arc::clone(client);
            running.spawn(async move {
                let (key, outcome) = match task {
                    Task::Set(setting) => {
                        let outcome = client.set(&setting, Condition::None).await.map(drop);
                        (setting.key, outcome)
                    }
                    Task::Delete(key, label) => {
                        let outcome = client.delete(&key, label.as_deref(), Condition::None).await.map(drop);
                        (key, outcome)
                    }
                };
                outcome.map_err(|fault| format!("{key}: {fault}"))
            });
        }
        let Some(ended) = running.join_next().await else { break };
        let ended = ended.map_err(|fault| fault.to_string()).and_then(|outcome| outcome);
        ended.map_err(|fault| format!("{fault} ({done} of {total} were done before)"))?;
        done = done.saturating_add(1);
        if show {
            eprint!("\r{done} of {total}");
            // What a terminal does not show is not worth failing for.
            drop(std::io::stderr().flush());
        }
    }
    if show {
        eprintln!();
    }
    Ok(())
}

/// A file's text; `-` is standard input.
pub(in crate::commands) fn read_text(file: &Path) -> Result<String, String> {
    let named = |fault: std::io::Error| format!("{}: {fault}", file.display());
    if file != Path::new("-") {
        return std::fs::read_to_string(file).map_err(named);
    }
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text).map_err(named)?;
    Ok(text)
}

fn is_reference(content_type: Option<&str>) -> bool {
    content_type.is_some_and(|it| it.starts_with("application/vnd.microsoft.appconfig.keyvaultref+json"))
}

/// A reference to a secret as files have it, in the form that Azure's App Service reads.
fn reference(value: String) -> String {
    let uri = serde_json::from_str::<Value>(&value).ok();
    let uri = uri.as_ref().and_then(|value| value.get("uri")).and_then(Value::as_str);
    uri.map_or_else(|| value.clone(), |uri| format!("@Microsoft.KeyVault(SecretUri={uri})"))
}

fn secret_uri(value: &str) -> Option<&str> {
    value.strip_prefix("@Microsoft.KeyVault(SecretUri=")?.strip_suffix(')')
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('*', "\\*").replace(',', "\\,")
}

fn filter_of_label(label: &str) -> String {
    if label == "\0" { label.to_owned() } else { escaped(label) }
}
