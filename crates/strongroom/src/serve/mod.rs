//! `strongroom serve`: the server for production, as its configuration says.

mod config;
mod provision;

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use strongroom_server::admin::{self, Admin};
use strongroom_server::directory::Site;
use strongroom_server::listener::Server;
use strongroom_server::{health, jobs, new_id, tls};
use strongroom_store::sealing::initialise;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use crate::clock::SystemClock;
use crate::installation::{Settings, Store, open_app};
use crate::tasks::Tasks;
use crate::{Outcome, files};

pub(crate) use config::{Config, EXAMPLE};
use strongroom_backends::sqlite::SqliteRecords;
use strongroom_server::clock::Clock as _;

/// Creates and seals the store.
pub(crate) async fn init(file: &Path) -> Outcome {
    let config = Config::read(file)?;
    let seal = config.seal_key()?;
    files::make_private_folder(&config.data)?;
    let sqlite = SqliteRecords::open(&config.data).map_err(|fault| fault.to_string())?;
    initialise(&sqlite, &seal, SystemClock.now()).await.map_err(|fault| fault.to_string())?;
    sqlite.close();
    let store = Store::open(&config.data, &seal, config.cache_bytes()).await?;
    let app = open_app(&store, settings(&config)?).await?;
    println!(
        "The store in {} is created and sealed.\n\n  tenant        {}\n  subscription  {}\n\n\
         Keep the seal ({}) apart from the store, and a copy of it in a safe place: without it nothing in the store \
         can be read.\nStart the server with: strongroom serve --config {}",
        config.data.display(),
        app.directory.tenant(),
        app.directory.site().subscription,
        match &config.seal {
            config::Seal::Passphrase { file } | config::Seal::File { file } => file.display(),
        },
        file.display(),
    );
    store.sqlite.close();
    Ok(ExitCode::SUCCESS)
}

/// What an installation is opened with.
pub(crate) fn settings(config: &Config) -> Result<Settings, String> {
    let tenant = config.tenant.as_ref();
    Ok(Settings {
        endpoints: config.endpoints(),
        region: config.region.clone(),
        clock: Arc::new(SystemClock),
        site: Site {
            tenant: tenant.map_or_else(new_id, |tenant| tenant.id.to_ascii_lowercase()),
            subscription: tenant.and_then(|tenant| tenant.subscription.clone()).unwrap_or_else(new_id),
            resource_group: tenant
                .and_then(|tenant| tenant.resource_group.clone())
                .unwrap_or_else(|| "strongroom".to_owned()),
        },
        vaults_on_demand: config.vaults_on_demand,
        outside_issuers: config.trusted_issuer.clone(),
        backup_key: config.backup_key()?,
        hsm: config.hsm.as_ref().map(|hsm| hsm.uri.duplicate()),
    })
}

/// Runs until SIGINT or SIGTERM; reads the certificate again on SIGHUP.
pub(crate) async fn run(file: &Path) -> Outcome {
    let config = Config::read(file)?;
    let resolver = tls::StaticResolver::load(&config.tls.certificate, &config.tls.key);
    let resolver = Arc::new(resolver.map_err(|fault| fault.to_string())?);
    let tls = tls::server_config(resolver.clone());
    let tls = Arc::new(tls.map_err(|fault| fault.to_string())?);
    let mut listeners = Vec::new();
    for address in &config.listen {
        let bound = TcpListener::bind(address).await;
        listeners.push(bound.map_err(|fault| format!("{address} cannot be listened on: {fault}"))?);
    }
    let health_listener = TcpListener::bind(config.health).await;
    let health_listener =
        health_listener.map_err(|fault| format!("health: {} cannot be listened on: {fault}", config.health))?;

    if config.data.exists() {
        files::check_folder(&config.data)?;
    }
    let store = Store::open(&config.data, &config.seal_key()?, config.cache_bytes()).await?;
    let app = open_app(&store, settings(&config)?).await?;
    provision::provision(&app, &config).await?;

    let (stop, stopped) = watch::channel(false);
    let server = Server::new(Arc::clone(&app), tls, stopped.clone());
    let admin = Arc::new(Admin { app: Arc::clone(&app), sealed: Some(Arc::clone(&store.sealed)) });
    let data = config.data.clone();
    let admin_stopped = stopped.clone();
    let mut tasks = Tasks::default();
    tasks.start("server", async move { server.run(listeners).await });
    tasks.start("jobs", jobs::run(Arc::clone(&app), stopped.clone()));
    tasks.start("administration", async move {
        if let Err(fault) = admin::serve(admin, &data, admin_stopped).await {
            tracing::error!(%fault, "administration is not available");
        }
    });
    tasks.start("health", {
        let (app, stopped) = (Arc::clone(&app), stopped.clone());
        async move {
            if let Err(fault) = health::run(health_listener, app, stopped).await {
                tracing::error!(%fault, "the health listener ended");
            }
        }
    });
    tracing::info!(listen = ?config.listen, domain = %config.domain, tenant = app.directory.tenant(), "serving");

    let stop_signal = |kind| signal(kind).map_err(|fault| fault.to_string());
    let (mut interrupt, mut terminate, mut hangup) = (
        stop_signal(SignalKind::interrupt())?,
        stop_signal(SignalKind::terminate())?,
        stop_signal(SignalKind::hangup())?,
    );
    loop {
        tokio::select! {
            _ = interrupt.recv() => break,
            _ = terminate.recv() => break,
            _ = hangup.recv() => match resolver.reload() {
                Ok(()) => tracing::info!("the certificate was read again"),
                Err(fault) => tracing::error!(%fault, "the certificate was not read again; the old one stays"),
            },
        }
    }
    tracing::info!("stopping: requests in flight finish first");
    // Without receivers there is nobody left to stop.
    let _ = stop.send(true);
    tasks.end().await;
    drop(app);
    store.sqlite.close();
    Ok(ExitCode::SUCCESS)
}
