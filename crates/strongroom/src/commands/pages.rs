//! What comes with the program for shells and manuals, made from the command line's own definition.

use std::path::Path;
use std::process::ExitCode;

use clap::{Command, CommandFactory as _};
use clap_complete::{Shell, generate};
use clap_mangen::Man;

use crate::Outcome;
use crate::cli::{Cli, CompletionShell};
use crate::commands::objects::write_bytes;

/// `strongroom completion`.
pub(crate) fn completion(shell: CompletionShell) -> Outcome {
    let shell = match shell {
        CompletionShell::Bash => Shell::Bash,
        CompletionShell::Zsh => Shell::Zsh,
        CompletionShell::Fish => Shell::Fish,
        CompletionShell::Powershell => Shell::PowerShell,
    };
    let mut script = Vec::new();
    generate(shell, &mut Cli::command(), "strongroom", &mut script);
    write_bytes(&script, None)?;
    Ok(ExitCode::SUCCESS)
}

/// `strongroom man`: the first page, or all of them into a folder.
pub(crate) fn man(out: Option<&Path>) -> Outcome {
    let mut command = Cli::command();
    command.build();
    match out {
        None => write_bytes(&page(&command)?, None)?,
        Some(folder) => {
            let made = std::fs::create_dir_all(folder);
            made.map_err(|fault| format!("{} could not be made: {fault}", folder.display()))?;
            let count = pages(&command, folder)?;
            println!("{count} pages are in {}", folder.display());
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn pages(command: &Command, folder: &Path) -> Result<usize, String> {
    let file = folder.join(Man::new(command.clone()).get_filename());
    let written = std::fs::write(&file, page(command)?);
    written.map_err(|fault| format!("{} could not be written: {fault}", file.display()))?;
    let mut count: usize = 1;
    for sub in command.get_subcommands().filter(|sub| sub.get_name() != "help" && !sub.is_hide_set()) {
        count = count.saturating_add(pages(sub, folder)?);
    }
    Ok(count)
}

fn page(command: &Command) -> Result<Vec<u8>, String> {
    let mut text = Vec::new();
    let man = Man::new(command.clone()).manual("Strongroom");
    man.render(&mut text).map_err(|fault| format!("a manual page could not be made: {fault}"))?;
    Ok(text)
}
