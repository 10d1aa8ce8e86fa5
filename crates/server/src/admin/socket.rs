//! The Unix socket: one JSON command on a line, one JSON answer on a line. Whoever may open it (the
//! owner of the data folder) may also read the key file beside it, so there is no further check.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;

use serde_json::{Value, json};
use strongroom_wire::{Error, ErrorKind};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::watch;
use zeroize::Zeroizing;

use super::commands::{Admin, Command, execute};

/// The socket's name in the data folder.
pub const SOCKET_FILE: &str = "strongroom.sock";

/// Most bytes in a command.
const LIMIT: u64 = 256 * 1024;

/// Serves commands until told to stop.
///
/// # Errors
/// When the socket cannot be made.
pub async fn serve(admin: Arc<Admin>, folder: &Path, mut stop: watch::Receiver<bool>) -> std::io::Result<()> {
    let path = folder.join(SOCKET_FILE);
    // Left behind by a process that was killed; the folder's lock says that it is gone.
    if path.exists() {
        fs::remove_file(&path)?;
    }
    let listener = UnixListener::bind(&path)?;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600))?;
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = crate::told_to_stop(&mut stop) => break,
        };
        if let Ok((stream, _)) = accepted {
            let admin = Arc::clone(&admin);
            tokio::spawn(async move {
                if let Err(fault) = answer(&admin, stream).await {
                    tracing::debug!(%fault, "an administration connection ended");
                }
            });
        }
    }
    fs::remove_file(&path)
}

async fn answer(admin: &Admin, stream: UnixStream) -> std::io::Result<()> {
    let (reader, mut writer) = stream.into_split();
    let mut line = Zeroizing::new(String::new());
    BufReader::new(reader.take(LIMIT)).read_line(&mut line).await?;
    let outcome = match serde_json::from_str::<Command>(&line) {
        Ok(command) => execute(admin, command).await,
        Err(_unreadable) => {
            Err(Error::bad_parameter("the server does not know this command: is it of another version?"))
        }
    };
    let answer = match outcome {
        Ok(value) => json!({ "ok": value }),
        Err(error) => json!({ "error": error.message }),
    };
    let answer = Zeroizing::new(format!("{answer}\n"));
    writer.write_all(answer.as_bytes()).await?;
    writer.shutdown().await
}

/// Sends a command to the server that runs on `folder`; `None` when none does.
///
/// # Errors
/// What the server answers.
pub async fn call(folder: &Path, command: &Command) -> Result<Option<Value>, Error> {
    let fault = |what: &str| Error::new(ErrorKind::Unavailable, format!("the server did not answer: {what}"));
    let Ok(mut stream) = UnixStream::connect(folder.join(SOCKET_FILE)).await else { return Ok(None) };
    let line = serde_json::to_string(command).map_err(|error| fault(&error.to_string()))?;
    let line = Zeroizing::new(line + "\n");
    stream.write_all(line.as_bytes()).await.map_err(|error| fault(&error.to_string()))?;
    let mut text = Zeroizing::new(String::new());
    stream.read_to_string(&mut text).await.map_err(|error| fault(&error.to_string()))?;
    let mut answer: Value = serde_json::from_str(&text).map_err(|error| fault(&error.to_string()))?;
    if let Some(message) = answer.get("error").and_then(Value::as_str) {
        return Err(Error::bad_parameter(message));
    }
    Ok(answer.get_mut("ok").map(Value::take))
}
