//! `strongroom migrate`: secrets and keys from one vault to another.

use std::process::ExitCode;
use std::sync::Arc;

use serde_json::{Value, json};
use strongroom::OpenOptions;
use strongroom::migrate::{Action, Comparison, Item, Migration, Report, Selection, open_pair};
use strongroom_wire::ids::Kind;

use super::login::{credential, http_client};
use super::show;
use crate::Outcome;
use crate::cli::{Ends, Kinds, MigrateCommand, Output};
use crate::clock::SystemClock;

/// Something is not in the target as it is in the source.
const DIFFERS: u8 = 2;

/// `strongroom migrate`.
pub(crate) async fn run(command: MigrateCommand) -> Outcome {
    match command {
        MigrateCommand::Plan(ends) => {
            let items = migration(&ends).await?.plan().await.map_err(|fault| fault.to_string())?;
            let rows: Vec<Value> = items.iter().map(planned).collect();
            show::rows(&rows, &["kind", "name", "versions", "action", "remarks"], ends.output)
        }
        MigrateCommand::Run { ends, delete_source } => {
            let migration = migration(&ends).await?;
            let mut progress = |item: &Item, told: &str| eprintln!("{} {}: {told}", item.kind.noun(), item.name);
            let report = Box::pin(migration.run(delete_source, &mut progress)).await;
            summary(&report.map_err(|fault| fault.to_string())?, delete_source, ends.output)
        }
        MigrateCommand::Verify(ends) => {
            let compared = migration(&ends).await?.verify().await.map_err(|fault| fault.to_string())?;
            let rows: Vec<Value> = compared.iter().map(verified).collect();
            show::rows(&rows, &["kind", "name", "state", "why"], ends.output)?;
            Ok(code(compared.iter().any(|one| one.difference.is_some())))
        }
    }
}

async fn migration(ends: &Ends) -> Result<Migration, String> {
    let kind = ends.kind.map(|kind| match kind {
        Kinds::Secrets => Kind::Secret,
        Kinds::Keys => Kind::Key,
    });
    let selection = Selection { kind, names: ends.name.clone() };
    let pair = open_pair((&ends.from, options(&ends.from)?), (&ends.to, options(&ends.to)?)).await;
    let (source, target) = pair.map_err(|fault| fault.to_string())?;
    Ok(Migration::new(source, target, Arc::new(SystemClock), selection))
}

fn options(uri: &str) -> Result<OpenOptions, String> {
    let mut options = OpenOptions::default();
    if uri.starts_with("azure:") || uri.starts_with("https:") {
        options.credential = Some(credential()?);
        options.http = Some(http_client()?);
    }
    Ok(options)
}

fn planned(item: &Item) -> Value {
    let mut remarks = item.remarks.clone();
    if let Action::Blocked(why) = &item.action {
        remarks.insert(0, why.clone());
    }
    json!({
        "kind": item.kind.noun(),
        "name": item.name.as_str(),
        "versions": item.versions,
        "action": item.action.word(),
        "remarks": remarks.join("; "),
    })
}

fn verified(one: &Comparison) -> Value {
    let (state, why) = match (&one.difference, &one.unproven) {
        (Some(why), _) => ("differs", why.as_str()),
        (None, Some(why)) => ("unproven", why.as_str()),
        (None, None) => ("same", ""),
    };
    json!({ "kind": one.kind.noun(), "name": one.name.as_str(), "state": state, "why": why })
}

fn summary(report: &Report, delete_source: bool, output: Output) -> Outcome {
    let counts = json!({
        "moved": report.moved,
        "copied": report.copied,
        "recreated": report.recreated,
        "present": report.present,
        "unproven": report.unproven.len(),
        "failed": report.failed.len(),
        "deleted": report.deleted,
    });
    match output {
        Output::Json => println!("{}", serde_json::to_string_pretty(&counts).map_err(|fault| fault.to_string())?),
        Output::Table | Output::Tsv => show::members(&counts),
    }
    for (kind, name, why) in &report.unproven {
        eprintln!("{} {name} could not prove itself: {why}", kind.noun());
    }
    if delete_source && report.deleted == 0 && !(report.failed.is_empty() && report.unproven.is_empty()) {
        eprintln!("nothing was deleted from the source, because not everything is in the target and proven");
        return Ok(code(true));
    }
    Ok(code(!report.failed.is_empty()))
}

fn code(differs: bool) -> ExitCode {
    if differs { ExitCode::from(DIFFERS) } else { ExitCode::SUCCESS }
}
