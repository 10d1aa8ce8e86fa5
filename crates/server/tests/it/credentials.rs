//! The toolkit's credentials against a real token endpoint.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use azure_core::credentials::TokenCredential as _;
use strongroom_backends::credentials::{ClientPool, CredentialConfig, DefaultChain, Login, Outcome, Sources, Step};
use strongroom_server::admin::Command;
use strongroom_store::vault::{Listing, Vault as _};
use strongroom_store::{Cx, Time};
use strongroom_wire::ids::Kind;

use crate::support::{Principal, TENANT, TestServer, client};

pub(crate) struct World {
    pub(crate) server: TestServer,
    pub(crate) principal: Principal,
    pub(crate) http: reqwest::Client,
    pub(crate) folder: tempfile::TempDir,
}

impl World {
    pub(crate) async fn new() -> Self {
        let server = TestServer::start().await;
        let principal = server.administrator().await;
        let http = client(&server.ca_pem).build().unwrap();
        Self { server, principal, http, folder: tempfile::tempdir().unwrap() }
    }

    /// The variables of this server, and more.
    pub(crate) fn sources(&self, more: &[(&str, &str)]) -> Sources {
        let login = self.server.login_url();
        let known = [
            ("AZURE_AUTHORITY_HOST", login.as_str()),
            ("AZURE_TENANT_ID", TENANT),
            ("AZURE_CLIENT_ID", self.principal.client_id.as_str()),
        ];
        let all = known.iter().chain(more).map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Sources::default().with_variables(all).with_http(self.http.clone())
    }

    /// A file with certificate and key, which the application has.
    async fn certificate(&self) -> std::path::PathBuf {
        let pair = rcgen::KeyPair::generate_for(&rcgen::PKCS_RSA_SHA256).unwrap();
        let made = rcgen::CertificateParams::new(vec!["shop".to_owned()]).unwrap().self_signed(&pair).unwrap();
        let application = self.principal.client_id.clone();
        self.server.execute(Command::ApplicationAddCertificate { application, pem: made.pem() }).await;
        let file = self.folder.path().join("principal.pem");
        std::fs::write(&file, made.pem() + &pair.serialize_pem()).unwrap();
        file
    }

    /// Logs in by `login`, and uses the vault.
    pub(crate) async fn list(&self, login: Login) -> Result<(), String> {
        let vault = ClientPool::new(login).vault_for(&self.server.vault_url("dev")).await;
        let vault = vault.map_err(|fault| fault.to_string())?;
        let cx = Cx::system(Time::from_seconds(self.server.now()));
        let page = vault.list(&cx, &Listing::Live(Kind::Secret), 5, None).await;
        page.map(drop).map_err(|error| error.message)
    }

    fn by(&self, chain: &Arc<DefaultChain>) -> Login {
        Login { credential: Some(Arc::clone(chain) as Arc<_>), sources: self.sources(&[]), ..Login::default() }
    }

    fn config(&self) -> CredentialConfig {
        CredentialConfig {
            tenant_id: Some(TENANT.to_owned()),
            client_id: Some(self.principal.client_id.clone()),
            ..CredentialConfig::default()
        }
    }
}

#[tokio::test]
async fn a_service_principal_logs_in_by_secret_or_certificate() {
    let world = World::new().await;
    let secret =
        CredentialConfig { client_secret: Some(world.principal.client_secret.clone().into()), ..world.config() };
    let certificate = CredentialConfig { certificate_path: Some(world.certificate().await), ..world.config() };
    for config in [secret, certificate] {
        let login = Login { config: Some(config), sources: world.sources(&[]), ..Login::default() };
        assert_eq!(world.list(login).await, Ok(()));
    }
}

/// As OpenSSL makes it.
#[tokio::test]
async fn a_service_principal_logs_in_by_a_pkcs12_file() {
    let world = World::new().await;
    let pem = world.certificate().await;
    let pfx = pem.with_extension("pfx");
    let mut openssl = std::process::Command::new("openssl");
    let openssl = openssl.args(["pkcs12", "-export", "-passout", "pass:hush", "-in"]).arg(&pem).arg("-out").arg(&pfx);
    assert!(openssl.status().unwrap().success());
    let password = Some("hush".to_owned().into());
    let config = CredentialConfig { certificate_path: Some(pfx), certificate_password: password, ..world.config() };
    let login = Login { config: Some(config), sources: world.sources(&[]), ..Login::default() };
    assert_eq!(world.list(login).await, Ok(()));
}

#[tokio::test]
async fn a_wrong_secret_is_refused_with_its_tenant_and_client_and_without_itself() {
    let world = World::new().await;
    let config = CredentialConfig { client_secret: Some("wrong-hush".to_owned().into()), ..world.config() };
    let login = Login { config: Some(config), sources: world.sources(&[]), ..Login::default() };
    let fault = world.list(login).await.unwrap_err();
    for word in ["AADSTS7000215", TENANT, world.principal.client_id.as_str()] {
        assert!(fault.contains(word), "{word} is not in {fault}");
    }
    assert!(!fault.contains("hush"), "{fault}");
}

#[tokio::test]
async fn the_chain_takes_the_secret_before_the_certificate() {
    let world = World::new().await;
    let file = world.certificate().await;
    let secret = [
        ("AZURE_CLIENT_SECRET", world.principal.client_secret.as_str()),
        ("AZURE_CLIENT_CERTIFICATE_PATH", file.to_str().unwrap()),
    ];
    let chain = Arc::new(DefaultChain::with(world.sources(&secret)));
    assert_eq!(world.list(world.by(&chain)).await, Ok(()));
    let trace = chain.trace();
    assert_eq!((trace.len(), trace[0].step, &trace[0].outcome), (1, Step::EnvironmentSecret, &Outcome::Served));

    let chain = Arc::new(DefaultChain::with(world.sources(&secret[1..])));
    assert_eq!(world.list(world.by(&chain)).await, Ok(()));
    let trace = chain.trace();
    assert_eq!(trace[0].outcome, Outcome::Unavailable("AZURE_CLIENT_SECRET is not set".to_owned()));
    assert_eq!((trace[1].step, &trace[1].outcome), (Step::EnvironmentCertificate, &Outcome::Served));
}

/// A credential that waits for the chain in many tasks at once.
#[tokio::test(flavor = "multi_thread")]
async fn the_chain_looks_once_however_many_wait_and_then_stays() {
    let world = World::new().await;
    let secret = [("AZURE_CLIENT_SECRET", world.principal.client_secret.as_str())];
    let chain = Arc::new(DefaultChain::with(world.sources(&secret)));
    let scope = format!("{}/.default", world.server.resource());
    let (tokens, same) = (Arc::new(AtomicUsize::new(0)), Arc::new(tokio::sync::Mutex::new(None)));
    let waiting = (0..32).map(|_| {
        let (chain, scope, tokens, same) = (Arc::clone(&chain), scope.clone(), Arc::clone(&tokens), Arc::clone(&same));
        tokio::spawn(async move {
            let token = chain.get_token(&[&scope], None).await.unwrap().token.secret().to_owned();
            tokens.fetch_add(1, Ordering::SeqCst);
            assert_eq!(same.lock().await.get_or_insert_with(|| token.clone()), &token, "one token for all");
        })
    });
    for one in waiting.collect::<Vec<_>>() {
        one.await.unwrap();
    }
    assert_eq!((tokens.load(Ordering::SeqCst), chain.trace().len()), (32, 1));
}

/// The connections of this process to a local port, as the kernel counts them.
fn connections_to(port: u16) -> usize {
    let established = |line: &&str| {
        let mut cells = line.split_whitespace().skip(2);
        let remote = cells.next().unwrap_or_default();
        remote.ends_with(&format!(":{port:04X}")) && cells.next() == Some("01")
    };
    ["/proc/net/tcp", "/proc/net/tcp6"]
        .iter()
        .map(|file| std::fs::read_to_string(file).unwrap_or_default().lines().filter(established).count())
        .sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn five_hundred_reads_at_once_from_cold_share_a_few_connections() {
    let world = World::new().await;
    let config =
        CredentialConfig { client_secret: Some(world.principal.client_secret.clone().into()), ..world.config() };
    let login = Login { config: Some(config), sources: world.sources(&[]), ..Login::default() };
    let pool = Arc::new(ClientPool::new(login));
    let (url, now) = (world.server.vault_url("dev"), world.server.now());
    let before = connections_to(world.server.port);
    let reads = (0..500).map(|_| {
        let (pool, url) = (Arc::clone(&pool), url.clone());
        tokio::spawn(async move {
            let vault = pool.vault_for(&url).await.unwrap();
            let cx = Cx::system(Time::from_seconds(now));
            vault.list(&cx, &Listing::Live(Kind::Secret), 5, None).await.map(drop).unwrap();
        })
    });
    for read in reads.collect::<Vec<_>>() {
        read.await.unwrap();
    }
    let made = connections_to(world.server.port) - before;
    println!("500 reads at once: {made} connections");
    assert!(made <= 4, "{made}");
}
