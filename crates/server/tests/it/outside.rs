//! An issuer outside: a second server, whose tokens the first is told to trust.

use serde_json::{Value, json};
use strongroom_server::admin::Command;
use strongroom_server::outside::OutsideIssuerConfig;

use crate::support::{Options, Principal, Reply, TENANT, TestServer, client};

const OTHER_TENANT: &str = "aaaaaaaa-2222-3333-4444-555555555555";

struct World {
    issuer: TestServer,
    server: TestServer,
    /// An application of the issuer's.
    guest: Principal,
}

/// `change` alters the configuration that makes the guest's tokens acceptable.
async fn world(change: impl FnOnce(&mut OutsideIssuerConfig)) -> World {
    let issuer = TestServer::with(Options { tenant: OTHER_TENANT, ..Options::default() }).await;
    let guest = issuer.application("guest").await;
    let mut config: OutsideIssuerConfig = serde_json::from_value(json!({
        "issuer": format!("{}/{OTHER_TENANT}/v2.0", issuer.login_url()),
        "audiences": [issuer.resource()],
        "tenant": OTHER_TENANT,
    }))
    .unwrap();
    change(&mut config);
    let outside_http = client(&issuer.ca_pem).build().unwrap();
    let server = TestServer::with(Options { outside: vec![config], outside_http, ..Options::default() }).await;
    World { issuer, server, guest }
}

impl World {
    async fn list(&self, token: &str) -> Reply {
        self.server.call("dev", token, "GET", "/secrets", &Value::Null).await
    }

    async fn guests_token(&self) -> String {
        self.issuer.token(&self.guest).await
    }
}

#[tokio::test]
async fn a_trusted_issuers_token_opens_what_its_object_id_has_a_role_for() {
    let world = world(|_| ()).await;
    let token = world.guests_token().await;
    let reply = world.list(&token).await;
    assert_eq!(reply.refusal(), (403, "Forbidden", "ForbiddenByRbac"), "{}", reply.text);
    assert!(reply.message().contains(&format!("oid={};iss={}", world.guest.object_id, world.issuer.login_url())));
    world.server.assign("Key Vault Reader", &world.guest, "dev").await;
    assert_eq!(world.list(&token).await.status, 200);
    // And its own issuer's tokens still count.
    let own = world.server.token(&world.server.administrator().await).await;
    assert_eq!(world.list(&own).await.status, 200);
}

#[tokio::test]
async fn a_trusted_issuers_token_for_somebody_else_is_refused() {
    let world = world(|_| ()).await;
    world.server.assign("Key Vault Reader", &world.guest, "dev").await;
    let form = [
        ("grant_type", "client_credentials"),
        ("client_id", world.guest.client_id.as_str()),
        ("client_secret", world.guest.client_secret.as_str()),
        ("scope", "https://graph.microsoft.com/.default"),
    ];
    let answer = world.issuer.token_request(OTHER_TENANT, &form).await.ok();
    let reply = world.list(answer["access_token"].as_str().unwrap()).await;
    assert_eq!(reply.refusal(), (401, "Unauthorized", ""), "{}", reply.text);
    assert!(reply.message().starts_with("AKV10022: Invalid audience."), "{}", reply.message());
}

#[tokio::test]
async fn without_the_audience_the_tenant_or_the_issuer_in_the_configuration_it_is_refused() {
    let changes: [fn(&mut OutsideIssuerConfig); 5] = [
        |config| config.audiences.clear(),
        |config| config.tenant = Some(TENANT.to_owned()),
        |config| config.tenant = None,
        |config| config.issuer.push('/'),
        |config| config.object_id_claim = "no_such_claim".to_owned(),
    ];
    for (number, change) in changes.into_iter().enumerate() {
        let world = world(change).await;
        world.server.assign("Key Vault Reader", &world.guest, "dev").await;
        let reply = world.list(&world.guests_token().await).await;
        assert_eq!(reply.refusal(), (401, "Unauthorized", ""), "change {number}: {}", reply.text);
    }
}

#[tokio::test]
async fn neither_issuer_can_speak_for_the_other() {
    let world = world(|_| ()).await;
    world.server.assign("Key Vault Reader", &world.guest, "dev").await;
    let administrator = world.server.administrator().await;
    let now = world.server.now();
    // Signed by the outside issuer, in the name of the built-in one.
    let claims = world.server.claims(&administrator);
    let forged = world.issuer.app.directory.ring().mint(now, &claims).unwrap();
    assert_eq!(world.list(forged.expose()).await.status, 401);
    // Signed by the outside issuer, of its own name, for the tenant of the built-in one.
    let mut claims = world.issuer.claims(&administrator);
    claims.tid = TENANT.to_owned();
    let forged = world.issuer.app.directory.ring().mint(now, &claims).unwrap();
    assert_eq!(world.list(forged.expose()).await.status, 401);
    // Signed by the built-in issuer, in the name of the outside one.
    let claims = world.issuer.claims(&world.guest);
    let forged = world.server.app.directory.ring().mint(now, &claims).unwrap();
    assert_eq!(world.list(forged.expose()).await.status, 401);
}

#[tokio::test]
async fn a_new_key_of_a_trusted_issuer_is_found_when_a_token_names_it() {
    let world = world(|_| ()).await;
    world.server.assign("Key Vault Reader", &world.guest, "dev").await;
    assert_eq!(world.list(&world.guests_token().await).await.status, 200);
    // The issuer's clock leaps, so it has a key that nobody has seen.
    let leap = 40 * 86_400;
    world.issuer.clock.advance(leap);
    world.server.clock.advance(leap);
    assert_eq!(world.list(&world.guests_token().await).await.status, 200);
}

#[tokio::test]
async fn an_issuer_that_cannot_be_reached_is_not_trusted_and_holds_up_nobody_else() {
    let world = world(|config| config.issuer = "https://login.localhost:1/x/v2.0".to_owned()).await;
    let mut claims = world.issuer.claims(&world.guest);
    claims.iss = "https://login.localhost:1/x/v2.0".to_owned();
    let token = world.issuer.app.directory.ring().mint(world.issuer.now(), &claims).unwrap();
    let reply = world.list(token.expose()).await;
    assert_eq!(reply.refusal(), (401, "Unauthorized", ""), "{}", reply.text);
    let own = world.server.token(&world.server.administrator().await).await;
    assert_eq!(world.list(&own).await.status, 200);
}

#[tokio::test]
async fn a_role_given_by_name_is_not_given_to_an_outside_principal_of_that_name() {
    let world = world(|_| ()).await;
    world.server.application("guest").await;
    let role =
        Command::RoleAssign { role: "Key Vault Administrator".into(), principal: "guest".into(), scope: "*".into() };
    world.server.execute(role).await;
    assert_eq!(world.list(&world.guests_token().await).await.status, 403);
}
