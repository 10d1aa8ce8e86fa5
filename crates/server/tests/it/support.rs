//! A whole server in the test's own process: memory records, a clock that the test moves, verified
//! TLS on a free loopback port, and clients for it.

use std::net::SocketAddr;
use std::sync::Arc;

use http::{HeaderMap, Method};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use serde_json::Value;
use strongroom_auth::AccessClaims;
use strongroom_crypto::AeadKey;
use strongroom_server::admin::{Admin, Command, execute};
use strongroom_server::app::{App, LARGE_BODIES};
use strongroom_server::authenticate::Authenticator;
use strongroom_server::clock::{Clock as _, ManualClock};
use strongroom_server::config_stores::ConfigStores;
use strongroom_server::directory::{Directory, Site};
use strongroom_server::endpoints::{Audiences, Endpoint, Endpoints};
use strongroom_server::identity::ProvenSecrets;
use strongroom_server::listener::Server;
use strongroom_server::outside::{OutsideIssuerConfig, OutsideIssuers};
use strongroom_server::tls;
use strongroom_server::vaults::Vaults;
use strongroom_store::memory::MemoryRecords;
use strongroom_store::pool::Pool;
use strongroom_store::{Installation, KeyProvider, Records, SoftwareProvider, Time};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

pub(crate) const TENANT: &str = "11111111-2222-3333-4444-555555555555";
pub(crate) const API: &str = "api-version=2026-04-01";

/// The machine's time: TLS clients look at the machine's clock, so the server's has to start there.
#[expect(clippy::disallowed_methods, reason = "clients of TLS and tokens look at the machine's clock")]
pub(crate) fn machine_time() -> Time {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    Time::from_seconds(i64::try_from(since.as_secs()).unwrap())
}

/// How a server is to be.
pub(crate) struct Options {
    pub(crate) records: Arc<dyn Records>,
    pub(crate) tenant: &'static str,
    /// Vaults are made when first asked for.
    pub(crate) on_demand: bool,
    pub(crate) outside: Vec<OutsideIssuerConfig>,
    /// Fetches the documents of outside issuers.
    pub(crate) outside_http: reqwest::Client,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            records: Arc::new(MemoryRecords::default()),
            tenant: TENANT,
            on_demand: true,
            outside: vec![],
            outside_http: reqwest::Client::new(),
        }
    }
}

/// An application with a client secret.
#[derive(Clone)]
pub(crate) struct Principal {
    pub(crate) client_id: String,
    pub(crate) object_id: String,
    pub(crate) client_secret: String,
}

/// A running server. Stops when dropped.
pub(crate) struct TestServer {
    pub(crate) app: Arc<App>,
    pub(crate) admin: Admin,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) port: u16,
    /// Speaks HTTP/2 when the server offers it, which it does.
    pub(crate) http: reqwest::Client,
    /// The development CA.
    pub(crate) ca_pem: String,
    stop: watch::Sender<bool>,
    serving: Option<JoinHandle<()>>,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) version: http::Version,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
    /// `Null` when the body is not JSON.
    pub(crate) json: Value,
}

impl Reply {
    pub(crate) fn code(&self) -> &str {
        self.json["error"]["code"].as_str().unwrap_or_default()
    }

    pub(crate) fn inner_code(&self) -> &str {
        self.json["error"]["innererror"]["code"].as_str().unwrap_or_default()
    }

    pub(crate) fn message(&self) -> &str {
        self.json["error"]["message"].as_str().unwrap_or_default()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// The JSON body of a success.
    pub(crate) fn ok(self) -> Value {
        assert!((200..300).contains(&self.status), "{} {}", self.status, self.text);
        self.json
    }

    /// Status, code and inner code.
    pub(crate) fn refusal(&self) -> (u16, &str, &str) {
        (self.status, self.code(), self.inner_code())
    }
}

/// Every name is this machine; the port is the URL's.
struct Loopback;

impl Resolve for Loopback {
    fn resolve(&self, _name: Name) -> Resolving {
        Box::pin(async { Ok(Box::new(std::iter::once(SocketAddr::from(([127, 0, 0, 1], 0)))) as Addrs) })
    }
}

/// A client that trusts the CA and finds every name on this machine.
pub(crate) fn client(ca_pem: &str) -> reqwest::ClientBuilder {
    reqwest::Client::builder()
        .dns_resolver(Arc::new(Loopback))
        .tls_certs_only([reqwest::Certificate::from_pem(ca_pem.as_bytes()).unwrap()])
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
}

impl TestServer {
    pub(crate) async fn start() -> Self {
        Self::with(Options::default()).await
    }

    pub(crate) async fn with(options: Options) -> Self {
        let start = machine_time();
        let clock = ManualClock::new(start);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let endpoint = Endpoint {
            vault_suffix: "vault.localhost".into(),
            config_suffix: "azconfig.localhost".into(),
            login_host: "login.localhost".into(),
            login_aliases: vec![],
            port,
        };
        let site = Site {
            tenant: options.tenant.into(),
            subscription: "66666666-7777-8888-9999-000000000000".into(),
            resource_group: "rg".into(),
        };
        let provider: Arc<dyn KeyProvider> = Arc::new(SoftwareProvider::new().unwrap());
        let backup_key = AeadKey::from_bytes(&[7; 32]).unwrap();
        let installation = Installation::new(Arc::clone(&options.records), provider, backup_key);
        let endpoints = Endpoints(vec![endpoint]);
        let app = Arc::new(App {
            audiences: Audiences::new(&endpoints),
            endpoints,
            region: "local".into(),
            clock: Arc::<ManualClock>::clone(&clock),
            stores: ConfigStores::new(Arc::clone(&options.records), options.on_demand),
            directory: Directory::open(options.records, site, start).await.unwrap(),
            vaults: Vaults::new(installation, options.on_demand),
            authenticator: Authenticator::new(OutsideIssuers::new(options.outside, options.outside_http)),
            large_bodies: tokio::sync::Semaphore::new(LARGE_BODIES),
            proven: ProvenSecrets::new().unwrap(),
            slow: Pool::start("slow", 1, 64).unwrap(),
        });
        let names = tls::DevNames::new("localhost").unwrap();
        let authority = tls::DevCa::create(start.seconds(), &names).unwrap();
        let ca_pem = authority.cert_pem();
        let seconds = start.seconds();
        let resolver = tls::MintingResolver::new(Arc::new(authority), names, Arc::new(move || seconds)).unwrap();
        let config = Arc::new(tls::server_config(Arc::new(resolver)).unwrap());
        let (stop, stopped) = watch::channel(false);
        let server = Server::new(Arc::clone(&app), config, stopped);
        let serving = tokio::spawn(async move { server.run(vec![listener]).await });
        let admin = Admin { app: Arc::clone(&app), sealed: None };
        let http = client(&ca_pem).build().unwrap();
        Self { app, admin, clock, port, http, ca_pem, stop, serving: Some(serving) }
    }

    /// Stops, and waits until the last connection has ended.
    pub(crate) async fn stop(mut self) {
        let serving = self.serving.take().unwrap();
        self.stop.send(true).unwrap();
        serving.await.unwrap();
    }

    pub(crate) async fn execute(&self, command: Command) -> Value {
        execute(&self.admin, command).await.unwrap()
    }

    pub(crate) fn now(&self) -> i64 {
        self.clock.now().seconds()
    }

    pub(crate) fn vault_url(&self, vault: &str) -> String {
        format!("https://{vault}.vault.localhost:{}", self.port)
    }

    pub(crate) fn resource(&self) -> String {
        format!("https://vault.localhost:{}", self.port)
    }

    pub(crate) fn login_url(&self) -> String {
        format!("https://login.localhost:{}", self.port)
    }

    /// Makes an application with a client secret, and no role.
    pub(crate) async fn application(&self, name: &str) -> Principal {
        let made = self.execute(Command::ApplicationCreate { name: name.into(), with_secret: true }).await;
        let text = |member: &str| made[member].as_str().unwrap().to_owned();
        Principal { client_id: text("client_id"), object_id: text("object_id"), client_secret: text("client_secret") }
    }

    pub(crate) async fn assign(&self, role: &str, principal: &Principal, scope: &str) {
        let (role, scope) = (role.to_owned(), scope.to_owned());
        self.execute(Command::RoleAssign { role, principal: principal.object_id.clone(), scope }).await;
    }

    /// An application that may do everything in all vaults.
    pub(crate) async fn administrator(&self) -> Principal {
        let principal = self.application("administrator").await;
        self.assign("Key Vault Administrator", &principal, "*").await;
        principal
    }

    /// `POST` to the token endpoint of `tenant`.
    pub(crate) async fn token_request(&self, tenant: &str, form: &[(&str, &str)]) -> Reply {
        let encode =
            |text: &str| percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string();
        let body: Vec<String> = form.iter().map(|(name, value)| format!("{name}={}", encode(value))).collect();
        let url = format!("{}/{tenant}/oauth2/v2.0/token", self.login_url());
        let form_type = [("content-type", "application/x-www-form-urlencoded")];
        send(&self.http, Method::POST, &url, &form_type, body.join("&")).await
    }

    /// A token for the vaults, from the token endpoint, by client secret.
    pub(crate) async fn token(&self, principal: &Principal) -> String {
        let scope = format!("{}/.default", self.resource());
        let form = [
            ("grant_type", "client_credentials"),
            ("client_id", principal.client_id.as_str()),
            ("client_secret", principal.client_secret.as_str()),
            ("scope", scope.as_str()),
        ];
        let answer = self.token_request(self.app.directory.tenant(), &form).await.ok();
        answer["access_token"].as_str().unwrap().to_owned()
    }

    /// The claims of a token that is good for an hour.
    pub(crate) fn claims(&self, principal: &Principal) -> AccessClaims {
        let now = self.now();
        let tenant = self.app.directory.tenant();
        AccessClaims {
            aud: self.resource(),
            iss: format!("{}/{tenant}/v2.0", self.login_url()),
            iat: now,
            nbf: now,
            exp: now + 3600,
            tid: tenant.to_owned(),
            oid: principal.object_id.clone(),
            sub: principal.object_id.clone(),
            appid: Some(principal.client_id.clone()),
            azp: Some(principal.client_id.clone()),
            idtyp: Some("app".into()),
            ver: "2.0".into(),
            uti: "test".into(),
        }
    }

    /// Calls a vault. `body` of `Null` is none; the api-version is added when there is no query.
    pub(crate) async fn call(&self, vault: &str, token: &str, method: &str, path: &str, body: &Value) -> Reply {
        let query = if path.contains('?') { String::new() } else { format!("?{API}") };
        let url = format!("{}{path}{query}", self.vault_url(vault));
        let authorization = format!("Bearer {token}");
        let headers = [("authorization", authorization.as_str()), ("content-type", "application/json")];
        let body = if body.is_null() { String::new() } else { body.to_string() };
        send(&self.http, method.parse().unwrap(), &url, &headers, body).await
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        self.stop.send(true).ok();
    }
}

/// Sends a request as it is.
pub(crate) async fn send(
    http: &reqwest::Client,
    method: Method,
    url: &str,
    headers: &[(&str, &str)],
    body: impl Into<reqwest::Body>,
) -> Reply {
    let request = http.request(method, url).body(body);
    let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
    let response = request.send().await.unwrap_or_else(|fault| panic!("{url}: {fault:?}"));
    let (status, version, headers) = (response.status().as_u16(), response.version(), response.headers().clone());
    let text = response.text().await.unwrap();
    let json = serde_json::from_str(&text).unwrap_or(Value::Null);
    Reply { status, version, headers, text, json }
}

/// Compares with a checked-in file of this folder; rewrites it when `UPDATE_SNAPSHOTS` is set.
pub(crate) fn assert_checked_in(file: &str, current: &str) {
    let path = format!("{}/tests/it/{file}", env!("CARGO_MANIFEST_DIR"));
    if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
        std::fs::write(&path, current).unwrap();
    }
    let checked_in = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        checked_in == current,
        "crates/server/tests/it/{file} is out of date: run with UPDATE_SNAPSHOTS=1 and look at what changed\n{current}"
    );
}
