//! `strongroom compliance`, `lint`, `versions` and `cost`.

use std::path::Path;
use std::process::ExitCode;

use serde_json::{Value, json};
use strongroom::keys::advise_name;
use strongroom::practice::{CheckOptions, Finding, check_vaults, settings_findings};
use strongroom_server::clock::Clock as _;
use strongroom_store::vault::{Change, Listing, Target, list_all};
use strongroom_store::{Cx, Vault};
use strongroom_wire::attributes::AttributesChange;
use strongroom_wire::ids::{Kind, ObjectName};

use super::config::read_text;
use super::{show, vault_uri};
use crate::Outcome;
use crate::cli::{ComplianceCommand, CostCommand, LintCommand, Output, Prune, VersionsCommand};
use crate::clock::SystemClock;

/// Something is to be done.
const FOUND: u8 = 9;

/// `strongroom compliance`.
pub(crate) async fn compliance(command: ComplianceCommand) -> Outcome {
    let ComplianceCommand::Check { vault, values, versions, output } = command;
    let mut opened = Vec::new();
    for uri in &vault {
        // Without the query, in which there may be a PIN.
        let label = uri.split('?').next().unwrap_or_default().trim_end_matches('/').to_owned();
        opened.push((label, vault_uri::open(uri).await?));
    }
    let vaults: Vec<(String, &dyn Vault)> = opened.iter().map(|(label, vault)| (label.clone(), &**vault)).collect();
    let found = check_vaults(&vaults, &Cx::system(SystemClock.now()), CheckOptions { values, versions }).await;
    report(found.map_err(|error| error.message)?, output)
}

/// `strongroom lint`.
pub(crate) fn lint(command: LintCommand) -> Outcome {
    match command {
        LintCommand::Names { name } => {
            let advice: Vec<_> = name.iter().filter_map(|name| Some((name, advise_name(name)?))).collect();
            for (name, advice) in &advice {
                println!("{name}: {advice}");
            }
            Ok(if advice.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(FOUND) })
        }
        LintCommand::Config { file, output } => {
            let mut found = Vec::new();
            for file in &file {
                found.extend(settings(file)?);
            }
            report(found, output)
        }
    }
}

fn settings(file: &Path) -> Result<Vec<Finding>, String> {
    let found = settings_findings(&zeroize::Zeroizing::new(read_text(file)?)).into_iter();
    Ok(found.map(|finding| Finding { at: format!("{}, {}", file.display(), finding.at), ..finding }).collect())
}

fn report(found: Vec<Finding>, output: Output) -> Outcome {
    let row =
        |finding: &Finding| json!({"practice": finding.practice.as_str(), "at": finding.at, "remedy": finding.remedy});
    let rows: Vec<Value> = found.iter().map(row).collect();
    if rows.is_empty() && output == Output::Table {
        println!("nothing to do");
    } else {
        show::rows(&rows, &["practice", "at", "remedy"], output)?;
    }
    Ok(if found.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(FOUND) })
}

/// `strongroom versions`.
pub(crate) async fn versions(command: VersionsCommand) -> Outcome {
    let VersionsCommand::Prune(Prune { name, keep, dry_run, vault }) = command;
    let (vault, cx) = (vault_uri::open(&vault).await?, Cx::system(SystemClock.now()));
    let names: Vec<ObjectName> = if name.is_empty() {
        let all = list_all(&*vault, &cx, &Listing::Live(Kind::Secret)).await.map_err(|error| error.message)?;
        all.into_iter().map(|secret| secret.name).collect()
    } else {
        let names: Result<_, _> = name.iter().map(|name| ObjectName::parse(name)).collect();
        names.map_err(|error: strongroom_wire::Error| error.message)?
    };
    for name in names {
        prune(&*vault, &cx, &name, keep, dry_run).await.map_err(|error| format!("{name}: {}", error.message))?;
    }
    Ok(ExitCode::SUCCESS)
}

async fn prune(
    vault: &dyn Vault,
    cx: &Cx,
    name: &ObjectName,
    keep: u16,
    dry_run: bool,
) -> Result<(), strongroom_wire::Error> {
    let mut all = list_all(vault, cx, &Listing::Versions(Kind::Secret, name.clone())).await?;
    all.retain(|version| version.attributes.enabled);
    all.sort_by_key(|version| std::cmp::Reverse(version.attributes.created));
    let last_kept = usize::from(keep).checked_sub(1).and_then(|last| all.get(last));
    let Some(oldest_kept) = last_kept.map(|version| version.attributes.created) else { return Ok(()) };
    // Versions of the same second are not told apart: the current one could be among them.
    for old in all.into_iter().filter(|version| version.attributes.created < oldest_kept) {
        let Some(version) = old.version else { continue };
        println!("{} {name} {version}", if dry_run { "would disable" } else { "disabled" });
        if !dry_run {
            let target = Target { kind: Kind::Secret, name: name.clone(), version: Some(version) };
            let attributes = AttributesChange { enabled: Some(false), ..AttributesChange::default() };
            vault.update(cx, &target, Change { attributes, ..Change::default() }).await?;
        }
    }
    Ok(())
}

/// `strongroom cost`: Azure's prices of 2025, East US.
pub(crate) fn cost(command: CostCommand) -> Outcome {
    let CostCommand::Estimate { keys, operations, hsm } = command;
    // In hundredths of a cent: a software key costs nothing to keep and 3 cents per 10,000
    // operations; a key in hardware a dollar a month, and its RSA-2048 operations as in the list.
    let (each, per_ten_thousand): (u64, u64) = if hsm { (10_000, 10_000) } else { (0, 300) };
    let kept = keys.saturating_mul(each);
    let used = operations.saturating_mul(per_ten_thousand).div_ceil(10_000);
    let dollars = |amount: u64| format!("${}.{:02}", amount / 10_000, amount % 10_000 / 100);
    println!("keys: {}\noperations: {}\ntotal: {}", dollars(kept), dollars(used), dollars(kept.saturating_add(used)));
    println!("a Strongroom of your own: $0.00");
    Ok(ExitCode::SUCCESS)
}
