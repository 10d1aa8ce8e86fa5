//! Workload identity federation: tokens of another issuer, a second server, stand for an application.

use serde_json::{Value, json};
use strongroom_auth::AccessClaims;
use strongroom_auth::federation::TOKEN_EXCHANGE;
use strongroom_backends::credentials::{DefaultChain, Login, Outcome, Step};
use strongroom_server::admin::{Command, execute};

use crate::identity::assert_refused;
use crate::support::{Options, Principal, Reply, TENANT, TestServer, client};

const CLUSTER: &str = "aaaaaaaa-2222-3333-4444-555555555555";
const SUBJECT: &str = "system:serviceaccount:shop:default";

struct World {
    cluster: TestServer,
    server: TestServer,
    shop: Principal,
}

impl World {
    async fn new() -> Self {
        let cluster = TestServer::with(Options { tenant: CLUSTER, ..Options::default() }).await;
        let outside_http = client(&cluster.ca_pem).build().unwrap();
        let server = TestServer::with(Options { outside_http, ..Options::default() }).await;
        let shop = server.application("shop").await;
        server.assign("Key Vault Reader", &shop, "dev").await;
        let world = Self { cluster, server, shop };
        world.trust(SUBJECT, TOKEN_EXCHANGE).await;
        world
    }

    fn issuer(&self) -> String {
        format!("{}/{CLUSTER}/v2.0", self.cluster.login_url())
    }

    async fn trust(&self, subject: &str, audience: &str) -> Value {
        let (application, issuer) = ("shop".to_owned(), self.issuer());
        let (subject, audience) = (subject.to_owned(), audience.to_owned());
        self.server.execute(Command::ApplicationAddFederated { application, issuer, subject, audience }).await
    }

    /// A token of the cluster's.
    fn token(&self, change: impl FnOnce(&mut AccessClaims)) -> String {
        let mut claims = self.cluster.claims(&self.shop);
        claims.iss = self.issuer();
        claims.sub = SUBJECT.to_owned();
        claims.aud = TOKEN_EXCHANGE.to_owned();
        change(&mut claims);
        self.cluster.app.directory.ring().mint(self.cluster.now(), &claims).unwrap().expose().clone()
    }

    async fn ask(&self, assertion: &str) -> Reply {
        let scope = format!("{}/.default", self.server.resource());
        let form = [
            ("grant_type", "client_credentials"),
            ("client_id", self.shop.client_id.as_str()),
            ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
            ("client_assertion", assertion),
            ("scope", scope.as_str()),
        ];
        self.server.token_request(TENANT, &form).await
    }
}

/// With the official client, by the variables that Kubernetes sets.
#[tokio::test]
async fn the_official_client_logs_in_with_the_clusters_token() {
    let world = World::new().await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    std::fs::write(&file, world.token(|_| ())).unwrap();
    let login_url = world.server.login_url();
    let variables = [
        ("AZURE_AUTHORITY_HOST", login_url.as_str()),
        ("AZURE_TENANT_ID", TENANT),
        ("AZURE_CLIENT_ID", world.shop.client_id.as_str()),
        ("AZURE_FEDERATED_TOKEN_FILE", file.to_str().unwrap()),
    ];
    let http = client(&world.server.ca_pem).build().unwrap();
    let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let sources = strongroom_backends::credentials::Sources::default().with_variables(variables).with_http(http);
    let chain = std::sync::Arc::new(DefaultChain::with(sources.clone()));
    let login = Login { credential: Some(chain.clone()), sources, ..Login::default() };
    let pool = strongroom_backends::credentials::ClientPool::new(login);
    let vault = pool.vault_for(&world.server.vault_url("dev")).await.unwrap();
    let cx = strongroom_store::Cx::system(strongroom_store::Time::from_seconds(world.server.now()));
    let listing = strongroom_store::vault::Listing::Live(strongroom_wire::ids::Kind::Secret);
    use strongroom_store::vault::Vault as _;
    vault.list(&cx, &listing, 5, None).await.unwrap();
    let last = chain.trace().pop().unwrap();
    assert_eq!((last.step, last.outcome), (Step::WorkloadIdentity, Outcome::Served));
}

#[tokio::test]
async fn the_clusters_token_becomes_one_that_opens_what_the_application_may() {
    let world = World::new().await;
    let answer = world.ask(&world.token(|_| ())).await.ok();
    let token = answer["access_token"].as_str().unwrap();
    assert_eq!(world.server.call("dev", token, "GET", "/secrets", &Value::Null).await.status, 200);
    assert_eq!(world.server.call("other", token, "GET", "/secrets", &Value::Null).await.status, 403);
}

#[tokio::test]
async fn tokens_that_are_not_the_named_ones_are_refused() {
    let world = World::new().await;
    let now = world.server.now();
    for (token, code) in [
        (world.token(|claims| claims.sub = "system:serviceaccount:other:default".to_owned()), 700_213),
        (world.token(|claims| claims.sub = SUBJECT.to_uppercase()), 700_213),
        (world.token(|claims| claims.aud = "api://somebody-else".to_owned()), 700_212),
        (world.token(|claims| claims.iss = "https://elsewhere.example".to_owned()), 700_211),
        (world.token(|claims| claims.exp = now - 301), 700_027),
        (world.token(|claims| claims.nbf = now + 301), 700_027),
    ] {
        let reply = world.ask(&token).await;
        assert_refused(&reply, 401, "invalid_client", code);
        assert!(!reply.text.contains(&token));
    }
}

#[tokio::test]
async fn a_token_that_the_issuer_did_not_sign_is_refused() {
    let world = World::new().await;
    let token = world.token(|_| ());
    let (signed, _) = token.rsplit_once('.').unwrap();
    assert_refused(&world.ask(&format!("{signed}.AAAA")).await, 401, "invalid_client", 700_027);
    // Signed by the server itself, in the cluster's name.
    let mut claims = world.server.claims(&world.shop);
    (claims.iss, claims.sub, claims.aud) = (world.issuer(), SUBJECT.to_owned(), TOKEN_EXCHANGE.to_owned());
    let forged = world.server.app.directory.ring().mint(world.server.now(), &claims).unwrap();
    assert_refused(&world.ask(forged.expose()).await, 401, "invalid_client", 700_027);
}

#[tokio::test]
async fn the_clusters_token_itself_opens_no_vault() {
    let world = World::new().await;
    let token = world.token(|claims| claims.aud = world.server.resource());
    assert_eq!(world.server.call("dev", &token, "GET", "/secrets", &Value::Null).await.status, 401);
}

#[tokio::test]
async fn another_applications_trust_is_not_this_ones() {
    let world = World::new().await;
    let other = world.server.application("other").await;
    let form = [
        ("grant_type", "client_credentials"),
        ("client_id", other.client_id.as_str()),
        ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
        ("client_assertion", &world.token(|_| ())),
        ("scope", &format!("{}/.default", world.server.resource())),
    ];
    assert_refused(&world.server.token_request(TENANT, &form).await, 401, "invalid_client", 700_027);
}

#[tokio::test]
async fn a_federated_credential_is_added_once_and_removed() {
    let world = World::new().await;
    let shown = world.trust(SUBJECT, TOKEN_EXCHANGE).await;
    assert_eq!(shown["federated"].as_array().unwrap().len(), 1, "the same again changes nothing: {shown}");
    let key_id = shown["federated"][0]["key_id"].as_str().unwrap().to_owned();
    let application = "shop".to_owned();
    let shown = world.server.execute(Command::ApplicationRemoveCredential { application, key_id }).await;
    assert_eq!(shown["federated"], json!([]));
    assert_refused(&world.ask(&world.token(|_| ())).await, 401, "invalid_client", 700_027);

    let wrong = Command::ApplicationAddFederated {
        application: "shop".into(),
        issuer: "http://plain.example".into(),
        subject: SUBJECT.into(),
        audience: TOKEN_EXCHANGE.into(),
    };
    assert!(execute(&world.server.admin, wrong).await.unwrap_err().message.contains("https"));
}
