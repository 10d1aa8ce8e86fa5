//! `strongroom ssh-agent`.

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::sync::Arc;

use strongroom::keys::VaultKey;
use strongroom::ssh_agent::{Agent, AgentSocket};
use tokio::signal::unix::{SignalKind, signal};

use super::login::variable;
use super::vault_uri;
use crate::Outcome;
use crate::cli::SshAgent;
use crate::failure::{Class, Failure};

/// Serves in the background, until it is stopped, or for the length of a command.
pub(crate) async fn run(arguments: SshAgent) -> Outcome {
    let SshAgent { vault: uri, key, socket, foreground, command } = arguments;
    if command.is_empty() && !foreground {
        println!("{}", in_background(&uri, &key, socket.as_deref())?);
        return Ok(ExitCode::SUCCESS);
    }
    let vault = vault_uri::open(&uri).await?;
    let agent = if key.is_empty() {
        Agent::of_vault(&vault).await.map_err(|fault| fault.to_string())?
    } else {
        let keys = key.iter().map(|name| VaultKey::new(Arc::clone(&vault), name));
        Agent::new(keys.collect::<Result<_, _>>().map_err(|fault| fault.to_string())?)
    };
    if agent.is_empty() {
        return Err("the vault has no key that can sign for SSH: RSA, P-256, P-384 or P-521".to_owned().into());
    }
    let own_folder = socket.is_none();
    let path = socket.unwrap_or_else(default_socket);
    let socket = AgentSocket::bind(&path).map_err(|fault| format!("{}: {fault}", path.display()))?;
    let outcome = serve(agent, socket, &path, &command).await;
    if own_folder && let Some(folder) = path.parent() {
        drop(std::fs::remove_dir(folder));
    }
    outcome
}

/// This program again, which stays when this one ends; gives what a shell needs. The URI goes by the
/// environment, which others cannot see.
fn in_background(uri: &str, keys: &[String], socket: Option<&Path>) -> Result<String, Failure> {
    let said = |fault: std::io::Error| fault.to_string();
    let mut command = Command::new(std::env::current_exe().map_err(said)?);
    command.args(["ssh-agent", "--foreground"]).env("STRONGROOM_VAULT", uri);
    command.args(keys.iter().flat_map(|key| ["--key", key]));
    if let Some(socket) = socket {
        command.arg("--socket").arg(std::path::absolute(socket).map_err(said)?);
    }
    // Its errors are seen until it serves; later nobody reads what it would log.
    command.env("STRONGROOM_LOG", "off");
    let streams = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = streams.process_group(0).spawn().map_err(said)?;
    let mut line = String::new();
    if let Some(stdout) = child.stdout.take() {
        BufReader::new(stdout).read_line(&mut line).map_err(said)?;
    }
    if line.is_empty() {
        let output = child.wait_with_output().map_err(said)?;
        let errors = String::from_utf8_lossy(&output.stderr);
        let message = errors.trim().trim_start_matches("strongroom: ");
        return Err(Failure::new(Class::of_code(output.status.code()), message));
    }
    Ok(format!("{}\nSSH_AGENT_PID={}; export SSH_AGENT_PID;", line.trim_end(), child.id()))
}

async fn serve(agent: Agent, socket: AgentSocket, path: &Path, command: &[String]) -> Outcome {
    let mut stop = signal(SignalKind::terminate()).map_err(|fault| fault.to_string())?;
    let serving = agent.serve(socket);
    let Some((program, arguments)) = command.split_first() else {
        println!("SSH_AUTH_SOCK={}; export SSH_AUTH_SOCK;", path.display());
        std::io::stdout().flush().map_err(|fault| fault.to_string())?;
        return tokio::select! {
            ended = serving => Ok(ended.map(|()| ExitCode::FAILURE).map_err(|fault| fault.to_string())?),
            _ = stop.recv() => Ok(ExitCode::SUCCESS),
            _ = tokio::signal::ctrl_c() => Ok(ExitCode::SUCCESS),
        };
    };
    let mut child = tokio::process::Command::new(program);
    child.args(arguments).env("SSH_AUTH_SOCK", path).kill_on_drop(true);
    let mut child = child.spawn().map_err(|fault| format!("{program} could not be started: {fault}"))?;
    tokio::select! {
        ended = serving => Ok(ended.map(|()| ExitCode::FAILURE).map_err(|fault| fault.to_string())?),
        _ = stop.recv() => Ok(ExitCode::FAILURE),
        status = child.wait() => {
            let status = status.map_err(|fault| fault.to_string())?;
            Ok(status.code().and_then(|code| u8::try_from(code).ok()).map_or(ExitCode::FAILURE, ExitCode::from))
        }
    }
}

/// In a new folder that only we can enter.
fn default_socket() -> PathBuf {
    let base = variable("XDG_RUNTIME_DIR").map_or_else(std::env::temp_dir, PathBuf::from);
    base.join(format!("strongroom-ssh-{}", std::process::id())).join("agent.sock")
}
