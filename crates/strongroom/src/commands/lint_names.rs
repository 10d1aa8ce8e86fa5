//! `strongroom lint names`.

use std::process::ExitCode;

use strongroom::keys::advise_name;

use crate::Outcome;
use crate::cli::LintCommand;

/// Prints a line for each name that has something wrong with it.
pub(crate) fn run(command: LintCommand) -> Outcome {
    let LintCommand::Names { name } = command;
    let mut found = false;
    for name in name {
        if let Some(advice) = advise_name(&name) {
            found = true;
            println!("{name}: {advice}");
        }
    }
    Ok(if found { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}
