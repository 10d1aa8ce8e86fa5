//! `strongroom encrypt` and `decrypt`, and what the commands that read and write files share.

use std::io::{IsTerminal as _, Write as _};
use std::path::Path;
use std::process::ExitCode;

use strongroom::envelope::{EnvelopeError, NewFile, decrypt, encrypt};
use strongroom::keys::{VaultKey, Version};
use tokio::io::{AsyncRead, AsyncReadExt as _};

use super::vault_uri;
use crate::Outcome;
use crate::cli::{Envelope, JobKey};

/// What is shorter than this needs no progress: 16 MiB.
const LARGE: u64 = 16 << 20;

/// `strongroom encrypt`.
pub(crate) async fn run(arguments: Envelope) -> Outcome {
    turn(arguments, Direction::Encrypt).await
}

/// `strongroom decrypt`.
pub(crate) async fn run_decrypt(arguments: Envelope) -> Outcome {
    turn(arguments, Direction::Decrypt).await
}

#[derive(Clone, Copy)]
enum Direction {
    Encrypt,
    Decrypt,
}

async fn turn(arguments: Envelope, direction: Direction) -> Outcome {
    let Envelope { key, input, output } = arguments;
    let key = key.open().await?;
    let source = open_input(&input).await?;
    let mut progress = Progress::new(length(&input));
    let tell = |bytes| progress.tell(bytes);
    let said = |fault: EnvelopeError| fault.to_string();
    if is_standard(&output) {
        let sink = tokio::io::stdout();
        match direction {
            Direction::Encrypt => encrypt(&key, source, sink, tell).await,
            Direction::Decrypt => decrypt(&key, source, sink, tell).await,
        }
        .map_err(said)?;
    } else {
        let mut file = NewFile::create(&output).await.map_err(|fault| format!("{}: {fault}", output.display()))?;
        match direction {
            Direction::Encrypt => encrypt(&key, source, file.file(), tell).await,
            Direction::Decrypt => decrypt(&key, source, file.file(), tell).await,
        }
        .map_err(said)?;
        file.finish().await.map_err(|fault| format!("{}: {fault}", output.display()))?;
    }
    progress.end();
    Ok(ExitCode::SUCCESS)
}

impl JobKey {
    /// Opens the vault and names the key.
    pub(super) async fn open(&self) -> Result<VaultKey, String> {
        let (name, version) = match self.key.split_once('/') {
            Some((name, version)) => {
                let version =
                    Version::parse(version).ok_or("a version is 32 hexadecimal digits: --key NAME/VERSION")?;
                (name, Some(version))
            }
            None => (self.key.as_str(), None),
        };
        let vault = vault_uri::open(&self.vault).await?;
        let key = VaultKey::new(vault, name).map_err(|fault| fault.to_string())?.in_vault(&self.vault);
        Ok(version.map(|version| key.at(version)).unwrap_or(key))
    }
}

/// Is `-` meant, and not a file?
pub(super) fn is_standard(path: &Path) -> bool {
    path.as_os_str() == "-"
}

/// A file or standard input, to be read as a stream.
pub(super) async fn open_input(path: &Path) -> Result<Box<dyn AsyncRead + Unpin + Send>, String> {
    if is_standard(path) {
        return Ok(Box::new(tokio::io::stdin()));
    }
    let file = tokio::fs::File::open(path).await;
    Ok(Box::new(file.map_err(|fault| format!("{}: {fault}", path.display()))?))
}

/// All of a file or of standard input, when that is text of at most 1 MiB.
pub(super) async fn read_small(path: &Path) -> Result<String, String> {
    let mut text = String::new();
    let limit = 1 << 20;
    let read = open_input(path).await?.take(limit + 1).read_to_string(&mut text).await;
    let read = read.map_err(|fault| format!("{}: {fault}", path.display()))?;
    if u64::try_from(read).unwrap_or(u64::MAX) > limit {
        return Err(format!("{} is longer than 1 MiB", path.display()));
    }
    Ok(text)
}

/// Writes what may be seen, to a file or standard output.
pub(super) fn write_public(path: &Path, content: &[u8]) -> Result<(), String> {
    let written = if is_standard(path) {
        std::io::stdout().write_all(content).and_then(|()| std::io::stdout().flush())
    } else {
        std::fs::write(path, content)
    };
    written.map_err(|fault| format!("{}: {fault}", path.display()))
}

fn length(path: &Path) -> Option<u64> {
    if is_standard(path) { None } else { std::fs::metadata(path).ok().map(|about| about.len()) }
}

/// How far it is, on standard error, when somebody looks and it takes a while.
pub(super) struct Progress {
    total: Option<u64>,
    shown: Option<u64>,
}

impl Progress {
    pub(super) fn new(total: Option<u64>) -> Self {
        let wanted = std::io::stderr().is_terminal() && total.is_none_or(|total| total >= LARGE);
        Self { total, shown: wanted.then_some(0) }
    }

    pub(super) fn of(path: &Path) -> Self {
        Self::new(length(path))
    }

    pub(super) fn tell(&mut self, bytes: u64) {
        let Some(shown) = self.shown.as_mut() else { return };
        if bytes < shown.saturating_add(LARGE / 4) {
            return;
        }
        *shown = bytes;
        let done = bytes >> 20;
        match self.total.filter(|total| *total > 0) {
            Some(total) => eprint!("\r{done} MiB, {} % ", (bytes.saturating_mul(100) / total).min(100)),
            None => eprint!("\r{done} MiB "),
        }
    }

    pub(super) fn end(&self) {
        if self.shown.is_some_and(|shown| shown > 0) {
            eprintln!();
        }
    }
}
