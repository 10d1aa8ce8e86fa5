//! `strongroom identity`: identities, and programs that run as one.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use async_trait::async_trait;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use strongroom_crypto::random_bytes;
use strongroom_server::admin::{Command, IdentityCommand as Asked, call};
use strongroom_server::managed_identity::{APP_SERVICE, Guard, IdentityEndpoint, TokenSource, serve};
use strongroom_wire::base64url;
use strongroom_wire::{Error, ErrorKind, Sensitive};
use tokio::net::TcpListener;
use tokio::process::Child;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use super::login::variable;
use super::{Target, show};
use crate::cli::{IdentityCommand, Which};
use crate::{Outcome, files};

/// Variables that would make the program somebody else.
const OTHERS: [&str; 13] = [
    "AZURE_CLIENT_ID",
    "AZURE_CLIENT_SECRET",
    "AZURE_CLIENT_CERTIFICATE_PATH",
    "AZURE_CLIENT_CERTIFICATE_PASSWORD",
    "AZURE_FEDERATED_TOKEN_FILE",
    "AZURE_USERNAME",
    "AZURE_PASSWORD",
    "AZURE_POD_IDENTITY_AUTHORITY_HOST",
    "IDENTITY_ENDPOINT",
    "IDENTITY_HEADER",
    "IDENTITY_SERVER_THUMBPRINT",
    "IMDS_ENDPOINT",
    "MSI_ENDPOINT",
];

/// Proxies that the way to loopback must not lead through.
const PROXIES: [&str; 4] = ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"];

/// `strongroom identity`.
pub(crate) async fn run(command: IdentityCommand) -> Outcome {
    let members = ["name", "client_id", "object_id", "resource_id"];
    let (which, identity) = match command {
        IdentityCommand::Create { name, which } => (which, Asked::Create { name }),
        IdentityCommand::List { which } => {
            return show::table(&super::run(which, Command::Identity { identity: Asked::List }).await?, &members);
        }
        IdentityCommand::Run { name, imds, which, command } => return run_as(name, imds, which, &command).await,
    };
    show::members(&super::run(which, Command::Identity { identity }).await?);
    Ok(ExitCode::SUCCESS)
}

/// Runs the program beside an endpoint that gives it the identity's tokens.
async fn run_as(name: String, imds: bool, which: Which, command: &[String]) -> Outcome {
    let Some((program, arguments)) = command.split_first() else {
        return Err("name the program behind --".to_owned().into());
    };
    let source = Server { folder: Target::of(which)?.folder, name };
    if source.folder.exists() {
        files::check_folder(&source.folder)?;
    }
    let identity = source.ask(Asked::Show { name: source.name.clone() }).await.map_err(|error| error.message)?;
    let member = |name: &str| identity.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let listener = TcpListener::bind("127.0.0.1:0").await.map_err(|fault| fault.to_string())?;
    let address = listener.local_addr().map_err(|fault| fault.to_string())?;

    let mut child = tokio::process::Command::new(program);
    child.args(arguments).kill_on_drop(true);
    for other in OTHERS {
        child.env_remove(other);
    }
    // A proxy would see the secret, or find nothing at its own loopback.
    if PROXIES.into_iter().any(|proxy| variable(proxy).is_some()) {
        for name in ["NO_PROXY", "no_proxy"] {
            child.env(name, variable(name).map_or_else(|| "127.0.0.1".to_owned(), |known| known + ",127.0.0.1"));
        }
    }
    let guard = if imds {
        child.env("AZURE_POD_IDENTITY_AUTHORITY_HOST", format!("http://{address}"));
        Guard::Metadata
    } else {
        let secret = random_bytes::<32>().map_err(|fault| fault.to_string())?;
        let secret = Sensitive::new(base64url::encode(&secret));
        child.env("IDENTITY_ENDPOINT", format!("http://{address}{APP_SERVICE}"));
        child.env("IDENTITY_HEADER", secret.expose());
        Guard::Header(secret)
    };
    let endpoint = IdentityEndpoint {
        client_id: member("client_id"),
        object_id: member("object_id"),
        resource_id: member("resource_id"),
        guard,
        source: Box::new(source),
    };
    let (stop, stopped) = watch::channel(false);
    let serving = tokio::spawn(serve(listener, Arc::new(endpoint), stopped));
    let child = child.spawn().map_err(|fault| format!("{program} could not be started: {fault}"))?;
    let code = wait(child).await;
    // Without receivers there is nobody left to stop.
    let _ = stop.send(true);
    serving.abort();
    code
}

/// Waits for the program, and passes on what this process is told.
async fn wait(mut child: Child) -> Outcome {
    let listen = |kind| signal(kind).map_err(|fault| fault.to_string());
    // The terminal sends its interrupts to both: the program decides.
    let mut interrupt = listen(SignalKind::interrupt())?;
    let mut terminate = listen(SignalKind::terminate())?;
    loop {
        tokio::select! {
            status = child.wait() => {
                use std::os::unix::process::ExitStatusExt as _;
                let status = status.map_err(|fault| fault.to_string())?;
                let code = status.code().or_else(|| status.signal().map(|signal| signal.saturating_add(128)));
                return Ok(ExitCode::from(code.and_then(|code| u8::try_from(code).ok()).unwrap_or(1)));
            }
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {
                if let Some(id) = child.id().and_then(|id| i32::try_from(id).ok()) {
                    // It may have ended just now.
                    let _ = kill(Pid::from_raw(id), Signal::SIGTERM);
                }
            }
        }
    }
}

/// Tokens from the running server, for one identity.
struct Server {
    folder: PathBuf,
    name: String,
}

impl Server {
    async fn ask(&self, identity: Asked) -> Result<Value, Error> {
        let answer = call(&self.folder, &Command::Identity { identity }).await?;
        answer.ok_or_else(|| {
            let folder = self.folder.display();
            Error::new(ErrorKind::Unavailable, format!("no server runs on {folder}: start it first"))
        })
    }
}

#[async_trait]
impl TokenSource for Server {
    async fn token(&self, resource: &str) -> Result<Value, Error> {
        self.ask(Asked::Token { name: self.name.clone(), resource: resource.to_owned() }).await
    }
}
