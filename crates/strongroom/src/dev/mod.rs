//! `strongroom dev`: one process, one command, everything made on first use and kept.

mod env_files;
mod first_use;
mod reset;

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use strongroom_server::admin::{self, Admin};
use strongroom_server::app::App;
use strongroom_server::clock::Clock;
use strongroom_server::config_stores::StoreSettings;
use strongroom_server::endpoints::{Endpoint, Endpoints};
use strongroom_server::listener::Server;
use strongroom_server::proxy;
use strongroom_server::{jobs, tls};
use strongroom_store::sealing::SealKey;
use strongroom_wire::attributes::Recovery;
use strongroom_wire::config::StoreName;
use strongroom_wire::ids::VaultName;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use crate::cli::{ClockCommand, Dev, Env};
use crate::clock::{MovableClock, OFFSET_FILE, read_offset};
use crate::installation::{Settings, Store, open_app};
use crate::tasks::Tasks;
use crate::{Outcome, files};

use env_files::Variables;
pub(crate) use first_use::new_site;

/// The root key's file, beside the store: a development server is sealed by it.
pub(crate) const KEY_FILE: &str = "root.key";

/// The vault and the configuration store that are always there.
const DEFAULT_VAULT: &str = "dev";

/// Runs the development server until it is told to stop, or the given program ends.
pub(crate) async fn run(arguments: Dev) -> Outcome {
    let folder = data_folder(arguments.data.clone())?;
    if arguments.reset {
        reset::reset(&folder)?;
    }
    files::make_private_folder(&folder)?;
    let listeners = listen(arguments.port).await?;
    let port = local_port(listeners.first())?;
    let proxy_listener = listen_proxy(&arguments, port).await?;
    let proxy_address = proxy_listener.local_addr().map_err(|fault| fault.to_string())?;

    let seal = seal_of(&folder)?;
    let clock = MovableClock::in_folder(&folder);
    let store = Store::open_or_create(&folder, &seal, &*clock).await?;
    let endpoints = endpoints(&arguments.domain, port);
    let settings = Settings {
        endpoints,
        region: "local".to_owned(),
        clock: clock.clone(),
        site: new_site(),
        vaults_on_demand: true,
        outside_issuers: Vec::new(),
        backup_key: None,
        hsm: None,
    };
    let app = open_app(&store, settings).await?;
    for name in arguments.vault.iter().map(String::as_str).chain([DEFAULT_VAULT]) {
        let name = VaultName::parse(name).map_err(|error| format!("--vault {name}: {}", error.message))?;
        app.vaults.create(&name, Recovery::DEFAULT, app.clock.now()).await.map_err(|error| error.message)?;
    }
    let store_name = StoreName::parse(DEFAULT_VAULT).map_err(|error| error.to_string())?;
    let config_store = app.stores.create(&store_name, StoreSettings::default(), app.clock.now()).await;
    let config_store = config_store.map_err(|error| error.message)?;

    let names = tls::DevNames::new(&arguments.domain).map_err(|fault| format!("--domain: {fault}"))?;
    let authority = first_use::certificate_authority(&store.records(), &names, app.clock.now()).await?;
    let trust = tls::write_trust_files(&folder, &authority.cert_pem()).map_err(|fault| fault.to_string())?;
    let seconds = {
        let clock = Arc::clone(&clock);
        Arc::new(move || clock.now().seconds())
    };
    let resolver = tls::MintingResolver::new(Arc::new(authority), names.clone(), seconds);
    let resolver = resolver.map_err(|fault| fault.to_string())?;
    let tls = Arc::new(tls::server_config(Arc::new(resolver)).map_err(|fault| fault.to_string())?);

    let direct_file = arguments.env_file.clone().unwrap_or_else(|| folder.join(env_files::DIRECT));
    let credentials = first_use::credentials(&app, &direct_file).await?;
    let (stop, stopped) = watch::channel(false);
    let server = Server::new(Arc::clone(&app), tls, stopped.clone());
    let mut tasks = Tasks::default();
    tasks.start("server", {
        let server = server.clone();
        async move { server.run(listeners).await }
    });
    tasks.start("jobs", jobs::run(Arc::clone(&app), stopped.clone()));
    tasks.start("administration", serve_admin(&app, &store, &folder, stopped.clone()));
    let limits = proxy::ProxyLimits::default();
    let proxy_config = proxy::ProxyConfig { isolated: arguments.isolated, names, server_port: port, limits };
    tasks.start("proxy", proxy::serve(proxy_listener, proxy_config, Arc::new(Tunnels { server }), stopped));
    tokio::spawn(clock.follow());

    let variables = Variables {
        app: &app,
        credentials: &credentials,
        trust: &trust,
        domain: &arguments.domain,
        vault: VaultName::parse(DEFAULT_VAULT).map_err(|error| error.message)?,
        store: &config_store.record,
        proxy: proxy_address,
    };
    let proxy_file = folder.join(env_files::PROXY);
    // The proxy's file last: who waits for it finds the server answering and both files there.
    files::write_private(&direct_file, env_files::dotenv(&variables.direct()).as_bytes())?;
    files::write_private(&proxy_file, env_files::dotenv(&variables.proxied()).as_bytes())?;
    greet(&arguments, &app, &direct_file, &proxy_file);

    let code = wait(&arguments.command, &variables).await;
    // Without receivers there is nobody left to stop.
    let _ = stop.send(true);
    tasks.end().await;
    drop(app);
    store.sqlite.close();
    code
}

/// `strongroom env`.
pub(crate) fn print_env(arguments: &Env) -> Outcome {
    let folder = data_folder(arguments.data.clone())?;
    let file = folder.join(if arguments.proxy { env_files::PROXY } else { env_files::DIRECT });
    let content =
        files::read_private(&file).map_err(|fault| format!("{fault}; start the server first: `strongroom dev`"))?;
    let content = String::from_utf8_lossy(&content);
    print!("{}", env_files::for_shell(&env_files::parse(&content), arguments.shell));
    Ok(ExitCode::SUCCESS)
}

/// `strongroom clock`.
pub(crate) fn clock_command(command: ClockCommand) -> Outcome {
    let (data, by) = match command {
        ClockCommand::Advance { by, data } => (data, Some(crate::span::parse_span(&by)?)),
        ClockCommand::Reset { data } => (data, None),
    };
    let file = data_folder(data)?.join(OFFSET_FILE);
    let offset = by.map_or(0, |by| read_offset(&file).saturating_add(by));
    files::write_private(&file, format!("{offset}\n").as_bytes())?;
    println!("the development clock is {offset} s ahead; a running server follows within a second");
    Ok(ExitCode::SUCCESS)
}

/// The data folder that was named, or the user's.
pub(crate) fn data_folder(named: Option<PathBuf>) -> Result<PathBuf, String> {
    let folder = named.map_or_else(files::default_data_folder, Ok)?;
    std::path::absolute(&folder).map_err(|fault| format!("{}: {fault}", folder.display()))
}

/// The key of a development server's store, made when there is none.
pub(crate) fn seal_of(folder: &Path) -> Result<SealKey, String> {
    let file = folder.join(KEY_FILE);
    if !file.exists() {
        if folder.join("strongroom.db").exists() {
            return Err(format!(
                "{} is missing, and without it the store cannot be opened: put it back, or start anew with --reset",
                file.display()
            ));
        }
        let key = strongroom_crypto::random_bytes::<32>().map_err(|fault| fault.to_string())?;
        files::write_private(&file, &key)?;
    }
    Ok(SealKey::file(files::read_key(&file)?.expose()))
}

/// The names of a development server: its own domain, and Azure's through the proxy.
pub(crate) fn endpoints(domain: &str, port: u16) -> Endpoints {
    let direct = Endpoint {
        vault_suffix: format!("vault.{domain}"),
        config_suffix: format!("azconfig.{domain}"),
        login_host: format!("login.{domain}"),
        login_aliases: Vec::new(),
        port,
    };
    let azure = Endpoint {
        vault_suffix: "vault.azure.net".to_owned(),
        config_suffix: "azconfig.io".to_owned(),
        login_host: "login.microsoftonline.com".to_owned(),
        login_aliases: ["login.windows.net", "login.microsoft.com", "sts.windows.net"].map(str::to_owned).to_vec(),
        port: 443,
    };
    Endpoints(vec![direct, azure])
}

/// Hands the proxy's tunnels to the server, without a socket in between.
struct Tunnels {
    server: Server,
}

#[async_trait::async_trait]
impl proxy::Handoff for Tunnels {
    async fn tunnel(&self, stream: Box<dyn proxy::Duplex>, _host: &str, peer: SocketAddr) {
        self.server.clone().serve(stream, peer).await;
    }

    async fn plain(&self, stream: Box<dyn proxy::Duplex>, _host: &str, peer: SocketAddr) {
        self.server.clone().refuse_plain(stream, peer).await;
    }
}

async fn listen(port: u16) -> Result<Vec<TcpListener>, String> {
    let bind = |address: SocketAddr| async move {
        TcpListener::bind(address).await.map_err(|fault| {
            format!("{address} cannot be listened on: {fault} (is another server running? choose another --port)")
        })
    };
    let first = bind((Ipv4Addr::LOCALHOST, port).into()).await?;
    let port = local_port(Some(&first))?;
    let mut listeners = vec![first];
    // *.localhost resolves to ::1 first where it resolves at all; a machine without IPv6 has no use for it.
    match bind((Ipv6Addr::LOCALHOST, port).into()).await {
        Ok(second) => listeners.push(second),
        Err(fault) => tracing::info!("{fault}"),
    }
    Ok(listeners)
}

async fn listen_proxy(arguments: &Dev, port: u16) -> Result<TcpListener, String> {
    let wanted = match arguments.proxy_port {
        Some(port) => port,
        None if arguments.port == 0 => 0,
        None => port.saturating_add(1),
    };
    TcpListener::bind((Ipv4Addr::LOCALHOST, wanted)).await.map_err(|fault| {
        format!("port {wanted} cannot be listened on for the proxy: {fault} (choose another --proxy-port)")
    })
}

fn local_port(listener: Option<&TcpListener>) -> Result<u16, String> {
    let address = listener.map(TcpListener::local_addr).transpose().map_err(|fault| fault.to_string())?;
    Ok(address.map_or(0, |address| address.port()))
}

fn serve_admin(
    app: &Arc<App>,
    store: &Store,
    folder: &Path,
    stopped: watch::Receiver<bool>,
) -> impl Future<Output = ()> + use<> {
    let admin = Arc::new(Admin { app: Arc::clone(app), sealed: Some(Arc::clone(&store.sealed)) });
    let folder = folder.to_owned();
    async move {
        if let Err(fault) = admin::serve(admin, &folder, stopped).await {
            tracing::error!(%fault, "administration is not available");
        }
    }
}

async fn wait(command: &[String], variables: &Variables<'_>) -> Outcome {
    let stop_signal = |kind| signal(kind).map_err(|fault| fault.to_string());
    let mut interrupt = stop_signal(SignalKind::interrupt())?;
    let mut terminate = stop_signal(SignalKind::terminate())?;
    let Some((program, arguments)) = command.split_first() else {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        return Ok(ExitCode::SUCCESS);
    };
    let child = tokio::process::Command::new(program)
        .args(arguments)
        .envs(variables.proxied())
        // A lower-case variable of the caller's would win over these.
        .env_remove("https_proxy")
        .env_remove("http_proxy")
        .env_remove("no_proxy")
        .env_remove("NO_PROXY")
        .kill_on_drop(true)
        .spawn();
    let mut child = child.map_err(|fault| format!("{program} could not be started: {fault}"))?;
    let status = tokio::select! {
        status = child.wait() => status.map_err(|fault| fault.to_string())?,
        _ = terminate.recv() => return Ok(ExitCode::from(143)),
    };
    let code = status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1);
    Ok(ExitCode::from(code))
}

fn greet(arguments: &Dev, app: &App, direct: &Path, proxied: &Path) {
    let url = VaultName::parse(DEFAULT_VAULT).ok().zip(app.endpoints.get(0));
    let url = url.map(|(name, endpoint)| endpoint.vault_url(&name)).unwrap_or_default();
    let store = app.endpoints.get(0).zip(StoreName::parse(DEFAULT_VAULT).ok());
    let store = store.map(|(endpoint, name)| endpoint.store_url(&name)).unwrap_or_default();
    let host = url.trim_start_matches("https://").split(':').next().unwrap_or_default().to_owned();
    let mut text = format!(
        "\nStrongroom is ready.\n\n  vault    {url}   (any other NAME works, too)\n  config   {store}\n  tenant   {}\n\n\
         For programs written for Azure, unchanged, with https://dev.vault.azure.net:\n  \
         set -a; . {}; set +a\n\n\
         Without the proxy:\n  set -a; . {}; set +a\n",
        app.directory.tenant(),
        proxied.display(),
        direct.display(),
    );
    if !tls::hosts::resolves(&host) {
        text.push_str(&format!(
            "\n{host} does not resolve on this machine. Use the proxy (above), or install libnss-myhostname,\n\
             or, as root: strongroom hosts install {host} login.{}\n",
            arguments.domain
        ));
    }
    if arguments.command.is_empty() {
        println!("{text}\nStop with Ctrl-C.");
    } else {
        eprintln!("{text}");
    }
}
