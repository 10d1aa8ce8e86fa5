//! The proof that carries the design: the vault suite on `azure` talking HTTPS to a real server,
//! over memory and over SQLite. Tokens come from the server's own endpoint, by `azure_identity`.

use std::net::SocketAddr;
use std::sync::Arc;

use azure_core::http::{ClientOptions, Transport};
use azure_identity::{ClientSecretCredential, ClientSecretCredentialOptions};
use strongroom_backends::azure::{AzureVault, AzureVaultOptions};
use strongroom_backends::sqlite::SqliteRecords;
use strongroom_crypto::AeadKey;
use strongroom_server::admin::{Admin, Command, execute};
use strongroom_server::app::App;
use strongroom_server::authenticate::Authenticator;
use strongroom_server::clock::ManualClock;
use strongroom_server::directory::{Directory, Site};
use strongroom_server::endpoints::{Endpoint, Endpoints};
use strongroom_server::listener::Server;
use strongroom_server::outside::OutsideIssuers;
use strongroom_server::tls;
use strongroom_server::vaults::Vaults;
use strongroom_store::conformance::vault::{Harness, all};
use strongroom_store::memory::MemoryRecords;
use strongroom_store::pool::Pool;
use strongroom_store::sealing::{SealKey, Sealed, initialise};
use strongroom_store::{Installation, KeyProvider, Records, SoftwareProvider, Time};
use tokio::net::TcpListener;
use tokio::sync::watch;

/// Not long ago, so that the client's own idea of a token's life fits.
#[expect(
    clippy::disallowed_methods,
    reason = "azure_identity looks at the machine's clock, so the server's has to agree"
)]
fn now() -> Time {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    Time::from_seconds(i64::try_from(since.as_secs()).unwrap())
}

async fn run(records: Arc<dyn Records>) {
    let start = now();
    let clock = ManualClock::new(start);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let endpoint = Endpoint {
        vault_suffix: "vault.localhost".into(),
        login_host: "login.localhost".into(),
        login_aliases: vec![],
        port: address.port(),
    };
    let site = Site {
        tenant: "11111111-2222-3333-4444-555555555555".into(),
        subscription: "66666666-7777-8888-9999-000000000000".into(),
        resource_group: "rg".into(),
    };
    let provider: Arc<dyn KeyProvider> = Arc::new(SoftwareProvider::new().unwrap());
    let installation = Installation::new(Arc::clone(&records), provider, AeadKey::from_bytes(&[7; 32]).unwrap());
    let app = Arc::new(App {
        endpoints: Endpoints(vec![endpoint]),
        region: "local".into(),
        clock,
        directory: Directory::open(records, site, start).await.unwrap(),
        vaults: Vaults::new(installation, true),
        authenticator: Authenticator::new(OutsideIssuers::new(vec![], reqwest::Client::new())),
        slow: Pool::start("slow", 1, 16).unwrap(),
    });
    let admin = Admin { app: Arc::clone(&app), sealed: None };
    let create = Command::ApplicationCreate { name: "suite".into(), with_secret: true };
    let made = execute(&admin, create).await.unwrap();
    let role =
        Command::RoleAssign { role: "Key Vault Administrator".into(), principal: "suite".into(), scope: "*".into() };
    execute(&admin, role).await.unwrap();

    let names = tls::DevNames::new("localhost").unwrap();
    let authority = tls::DevCa::create(start.seconds(), &names).unwrap();
    let certificate = reqwest::Certificate::from_pem(authority.cert_pem().as_bytes()).unwrap();
    let seconds = start.seconds();
    let resolver = tls::MintingResolver::new(Arc::new(authority), names, Arc::new(move || seconds)).unwrap();
    let config = Arc::new(tls::server_config(Arc::new(resolver)).unwrap());
    let (stop, stopped) = watch::channel(false);
    let server = Server::new(Arc::clone(&app), config, stopped);
    let serving = tokio::spawn(async move { server.run(vec![listener]).await });

    let http = ["login.localhost", "one.vault.localhost", "two.vault.localhost"]
        .iter()
        .fold(reqwest::Client::builder(), |client, host| client.resolve(host, SocketAddr::from(([127, 0, 0, 1], 0))))
        .tls_certs_only([certificate])
        .no_proxy()
        .build()
        .unwrap();
    let text = |member: &str| made[member].as_str().unwrap().to_owned();
    let options = ClientSecretCredentialOptions {
        client_options: ClientOptions {
            transport: Some(Transport::new(Arc::new(http.clone()))),
            cloud: Some(Arc::new(azure_core::cloud::CloudConfiguration::Custom({
                let mut cloud = azure_core::cloud::CustomConfiguration::default();
                cloud.authority_host = format!("https://login.localhost:{}", address.port());
                cloud
            }))),
            ..ClientOptions::default()
        },
    };
    let credential = ClientSecretCredential::new(
        app.directory.tenant(),
        text("client_id"),
        text("client_secret").into(),
        Some(options),
    )
    .unwrap();
    let vault = |name: &str| {
        let url = format!("https://{name}.vault.localhost:{}", address.port());
        Arc::new(
            AzureVault::new(AzureVaultOptions { url, credential: credential.clone(), http: http.clone() }).unwrap(),
        )
    };
    all(&Harness::new(vault("one"), vault("two"), start.seconds())).await;
    stop.send(true).unwrap();
    drop(http);
    drop(credential);
    serving.await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn azure_over_https_over_memory() {
    run(Arc::new(MemoryRecords::default())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn azure_over_https_over_sealed_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    let sqlite: Arc<dyn Records> = Arc::new(SqliteRecords::open(folder.path()).unwrap());
    let seal = SealKey::file(&[9; 32]);
    initialise(&sqlite, &seal, now()).await.unwrap();
    run(Arc::new(Sealed::unseal(sqlite, &seal).await.unwrap())).await;
}
