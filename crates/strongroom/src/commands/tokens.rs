//! `strongroom tokens` and `strongroom keystore`: a ring of signing keys and its service.

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use strongroom::keyring::{
    ConfigAccess, JwkSet, KeyRing, Kid, RedisSeal, Resources, SealFile, Settings, StoreSettings,
};
use strongroom_server::clock::Clock as _;
use strongroom_server::tls;
use strongroom_server::token_service::{Access, TokenHash, TokenService, jobs, router, serve};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use super::login::{credential, http_client};
use super::objects::moment;
use super::show;
use crate::cli::{KeystoreCommand, ServeTokens, TokensCommand, WithSettings};
use crate::clock::SystemClock;
use crate::tasks::Tasks;
use crate::{Outcome, files};

/// Largest JWK set that is taken in.
const JWKS_LIMIT: usize = 1024 * 1024;

/// `strongroom tokens`.
pub(crate) async fn run(command: TokensCommand) -> Outcome {
    match command {
        TokensCommand::Serve(arguments) => return serve_tokens(arguments).await,
        TokensCommand::Rotate(which) => {
            let kid = shared(&which).await?.rotate().await.map_err(|fault| fault.to_string())?;
            println!("{kid}");
        }
        TokensCommand::Retire { kid, force, settings } => {
            let kid = Kid::parse(&kid).ok_or("a key's id has 32 hexadecimal digits")?;
            shared(&settings).await?.retire(&kid, force).await.map_err(|fault| fault.to_string())?;
            println!("{kid} is retired");
        }
        TokensCommand::Keys { settings, output } => {
            let keys = shared(&settings).await?.keys().await.map_err(|fault| fault.to_string())?;
            let rows = keys.iter().map(serde_json::to_value).collect::<Result<Vec<_>, _>>();
            let mut rows = rows.map_err(|fault| fault.to_string())?;
            for time in rows.iter_mut().flat_map(|row| row.as_object_mut()).flat_map(|row| row.iter_mut()) {
                if let ("createdOn" | "since", Some(seconds)) = (time.0.as_str(), time.1.as_i64()) {
                    *time.1 = moment(seconds).into();
                }
            }
            return show::rows(&rows, &["kid", "algorithm", "state", "createdOn", "since", "carried"], output);
        }
        TokensCommand::Jwks(which) => {
            let keys = shared(&which).await?.jwks().await.map_err(|fault| fault.to_string())?;
            println!("{}", serde_json::to_string_pretty(&keys).map_err(|fault| fault.to_string())?);
        }
        TokensCommand::NewBearer { file } => {
            let random = strongroom_crypto::random_bytes::<32>().map_err(|fault| fault.to_string())?;
            let token = strongroom_wire::base64url::encode(&random);
            files::write_private(&file, format!("{}\n", TokenHash::of(&token)).as_bytes())?;
            println!("{token}");
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// `strongroom keystore`.
pub(crate) async fn keystore(command: KeystoreCommand) -> Outcome {
    let KeystoreCommand::Migrate { from, from_jwks, to } = command;
    let new = shared(&WithSettings { settings: to }).await?;
    let old = match &from {
        Some(file) => Some(shared(&WithSettings { settings: file.clone() }).await?),
        None => None,
    };
    let says = |fault: strongroom::keyring::RingError| fault.to_string();
    new.ensure_initial_key().await.map_err(says)?;
    let now = SystemClock.now().seconds();
    let keys = match (&old, &from_jwks) {
        (Some(old), _) => old.jwks().await.map_err(says)?,
        (None, Some(url)) => fetch(url).await?,
        (None, None) => return Err("name the old ring with --from or --from-jwks".to_owned().into()),
    };
    let carried = new.carry(&keys.to_carry(now)).await.map_err(says)?;
    println!("{carried} public keys of the old ring are in the new one");
    if let Some(old) = old {
        let own = new.jwks().await.map_err(says)?;
        let back = old.carry(&own.to_carry(now)).await.map_err(says)?;
        println!("{back} public keys of the new ring are in the old one");
    }
    println!("start instances with the new settings, stop those with the old ones; do not rotate meanwhile");
    Ok(ExitCode::SUCCESS)
}

/// Runs until SIGINT or SIGTERM.
async fn serve_tokens(arguments: ServeTokens) -> Outcome {
    let tls = match (&arguments.tls_certificate, &arguments.tls_key) {
        (Some(certificate), Some(key)) => {
            let resolver = tls::StaticResolver::load(certificate, key).map_err(|fault| fault.to_string())?;
            let config = tls::server_config(Arc::new(resolver)).map_err(|fault| fault.to_string())?;
            Some(Arc::new(config))
        }
        _ if arguments.listen.ip().is_loopback() || arguments.insecure => None,
        _ => {
            return Err(format!(
                "{} is not loopback: give --tls-certificate and --tls-key, or --insecure behind a proxy",
                arguments.listen
            )
            .into());
        }
    };
    let settings = read(&arguments.settings.settings)?;
    let ring = open(&settings).await?;
    ring.check_access().await.map_err(|fault| fault.to_string())?;
    let kid = ring.ensure_initial_key().await.map_err(|fault| fault.to_string())?;
    tracing::info!(%kid, store = ring.kind(), "the ring has a key");

    let listener = TcpListener::bind(arguments.listen).await;
    let listener = listener.map_err(|fault| format!("{} cannot be listened on: {fault}", arguments.listen))?;
    let address = listener.local_addr().map_err(|fault| fault.to_string())?;
    let scheme = if tls.is_some() { "https" } else { "http" };
    let own_url = format!("{scheme}://{address}");
    let base_url = settings.service.base_url.clone().unwrap_or_else(|| own_url.clone());
    let service = TokenService { ring: ring.clone(), access: access(&settings)?, base_url };

    let (stop, stopped) = watch::channel(false);
    let mut tasks = Tasks::default();
    let routes = router(Arc::new(service));
    tasks.start("tokens", serve(routes, listener, tls, stopped.clone()));
    tasks.start("keys", jobs(ring, stopped));
    let (mut interrupt, mut terminate) = (on(SignalKind::interrupt())?, on(SignalKind::terminate())?);
    println!("The token service is at {own_url} ({} keys)", settings_name(&settings));
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    stop.send_replace(true);
    tasks.end().await;
    Ok(ExitCode::SUCCESS)
}

fn on(kind: SignalKind) -> Result<tokio::signal::unix::Signal, String> {
    signal(kind).map_err(|fault| format!("signals cannot be waited for: {fault}"))
}

const fn settings_name(settings: &Settings) -> &'static str {
    match settings.store {
        StoreSettings::InMemory => "InMemory",
        StoreSettings::Redis { .. } => "Redis",
        StoreSettings::Azure { .. } => "Azure",
    }
}

fn access(settings: &Settings) -> Result<Access, String> {
    let hash = |file: &Option<std::path::PathBuf>, name: &str| -> Result<Option<TokenHash>, String> {
        let Some(file) = file else { return Ok(None) };
        let content = files::read_private(file).map_err(|fault| format!("{name}: {fault}"))?;
        let hash = std::str::from_utf8(&content).ok().and_then(TokenHash::parse);
        hash.map(Some).ok_or_else(|| {
            format!("{name}: {} holds no hash; make one with `strongroom tokens new-bearer`", file.display())
        })
    };
    let service = &settings.service;
    let access = Access {
        admin_role: service.admin_role.clone(),
        admin_token: hash(&service.admin_token, "Admin:Token:File")?,
        issue_role: service.issue_role.clone(),
        issue_token: hash(&service.issue_token, "Issue:Token:File")?,
    };
    if access.admin_token.is_none() {
        tracing::warn!("Admin:Token:File is not set: only tokens with the role {} administer", access.admin_role);
    }
    Ok(access)
}

/// A ring that lies where others reach it, too.
async fn shared(which: &WithSettings) -> Result<KeyRing, String> {
    let settings = read(&which.settings)?;
    if matches!(settings.store, StoreSettings::InMemory) {
        return Err(format!(
            "{}: KeyStore:Type InMemory: its keys are in the running service alone; use its /api/admin endpoints, and \
             --from-jwks to migrate",
            which.settings.display()
        ));
    }
    open(&settings).await
}

fn read(file: &Path) -> Result<Settings, String> {
    let text = std::fs::read_to_string(file).map(zeroize::Zeroizing::new);
    let text = text.map_err(|fault| format!("{}: {fault}", file.display()))?;
    // What is not UTF-8 cannot be a setting of ours.
    let environment =
        std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    Settings::read(&text, environment).map_err(|fault| format!("{}: {fault}", file.display()))
}

async fn open(settings: &Settings) -> Result<KeyRing, String> {
    let seal = match &settings.store {
        StoreSettings::Redis { seal: SealFile::Passphrase(file), .. } => {
            Some(RedisSeal::Passphrase(files::read_passphrase(file)?))
        }
        StoreSettings::Redis { seal: SealFile::Key(file), .. } => Some(RedisSeal::Key(files::read_key(file)?)),
        _ => None,
    };
    let credential = match &settings.store {
        StoreSettings::Azure { config: ConfigAccess::ConnectionString(_) | ConfigAccess::Endpoint(_), .. } => {
            Some(credential()?)
        }
        _ => None,
    };
    let resources = Resources { clock: Arc::new(SystemClock), http: http_client()?, credential, seal };
    KeyRing::open(settings, resources).await.map_err(|fault| fault.to_string())
}

/// A JWK set by https, or from this machine.
async fn fetch(url: &str) -> Result<JwkSet, String> {
    let parsed = reqwest::Url::parse(url).map_err(|_unusable| "--from-jwks: not a URL".to_owned())?;
    let is_here = matches!(parsed.host_str(), Some("127.0.0.1" | "localhost" | "[::1]"));
    if parsed.scheme() != "https" && !is_here {
        return Err(
            "--from-jwks: only https, except from this machine: whoever sends these keys is believed".to_owned()
        );
    }
    let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build();
    let client = client.map_err(|fault| fault.to_string())?;
    let says = |fault: reqwest::Error| format!("--from-jwks: {fault}");
    let mut response = client.get(parsed).send().await.and_then(reqwest::Response::error_for_status).map_err(says)?;
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(says)? {
        body.extend_from_slice(&chunk);
        if body.len() > JWKS_LIMIT {
            return Err("--from-jwks: the answer is too large".to_owned());
        }
    }
    serde_json::from_slice(&body).map_err(|fault| format!("--from-jwks: not a set of this service's keys: {fault}"))
}
