//! Credentials as programs configure them, and one client per vault.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use azure_core::credentials::TokenCredential as _;
use strongroom_backends::credentials::{
    ClientPool, CredentialConfig, CredentialError, DefaultChain, Environments, Login, Outcome, Sources, Step,
};
use strongroom_store::vault::{Target, Vault as _};
use strongroom_store::{Cx, Time};
use strongroom_wire::ids::{Kind, ObjectName};

use crate::faults::{Fault, FaultServer, Token};

fn variables(pairs: &[(&str, &str)]) -> Sources {
    let pairs = pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Sources::default().with_variables(pairs)
}

#[test]
fn a_configuration_comes_from_yaml_json_or_variables() {
    let yaml = "vault_url: https://v\ntenant_id: t\nclient_id: c\nclient_secret: hush\n";
    let json = r#"{"VaultURL": "https://v", "TenantID": "t", "ClientID": "c", "ClientSecret": "hush"}"#;
    let set = [
        ("AZURE_KEYVAULT_URL", "https://v"),
        ("AZURE_TENANT_ID", "t"),
        ("AZURE_CLIENT_ID", "c"),
        ("AZURE_CLIENT_SECRET", "hush"),
    ];
    let all: [CredentialConfig; 3] = [
        serde_saphyr::from_str(yaml).unwrap(),
        serde_json::from_str(json).unwrap(),
        CredentialConfig::from_variables(&variables(&set)),
    ];
    for config in all {
        config.check().unwrap();
        assert_eq!(config.vault_url().unwrap(), "https://v");
        assert_eq!(config.client_secret.as_ref().unwrap().expose(), "hush");
        assert!(!format!("{config:?}").contains("hush"));
    }
}

#[test]
fn an_unknown_member_is_refused() {
    assert!(serde_json::from_str::<CredentialConfig>(r#"{"client_secrets": "hush"}"#).is_err());
}

#[test]
fn environments_have_their_vaults() {
    let all: Environments =
        serde_json::from_str(r#"{"dev": "https://d", "staging": "https://s", "prod": "https://p"}"#).unwrap();
    assert_eq!(all.url("staging").unwrap(), "https://s");
    assert_eq!(all.url("qa").unwrap_err().to_string(), "unknown environment: qa");
    assert_eq!(all.current(&variables(&[("ENVIRONMENT", "prod")])).unwrap(), "https://p");
    assert!(all.current(&variables(&[])).unwrap_err().to_string().starts_with("ENVIRONMENT is missing"));
}

#[tokio::test]
async fn a_given_credential_wins_over_everything_else() {
    let server = FaultServer::sequence(vec![challenge(), Fault::Secret]).await;
    let token = Arc::new(Token::default());
    // As it stands this configuration would be refused.
    let config = CredentialConfig { client_id: Some("c".to_owned()), ..CredentialConfig::default() };
    let login = Login {
        credential: Some(Arc::clone(&token) as Arc<_>),
        config: Some(config),
        sources: variables(&[]).with_http(server.http.clone()),
        ..Login::default()
    };
    let vault = ClientPool::new(login).vault_for(&server.url).await.unwrap();
    let target = Target::latest(Kind::Secret, ObjectName::parse("s").unwrap());
    vault.get(&Cx::system(Time::from_seconds(1)), &target).await.unwrap();
    assert_eq!((token.0.load(Ordering::SeqCst), server.requests()), (1, 2));
}

#[tokio::test]
async fn a_given_client_is_used_as_it_is() {
    let token = Arc::new(Token::default());
    let ours = Login { credential: Some(Arc::new(Token::default())), ..Login::default() };
    let given = ClientPool::new(ours).vault_for("https://one.vault.localhost").await.unwrap();
    let login = Login {
        client: Some(Arc::clone(&given)),
        credential: Some(Arc::clone(&token) as Arc<_>),
        config: Some(CredentialConfig { client_id: Some("c".to_owned()), ..CredentialConfig::default() }),
        ..Login::default()
    };
    let used = ClientPool::new(login).vault_for("https://two.vault.localhost").await.unwrap();
    assert!(Arc::ptr_eq(&used, &given));
    assert_eq!(token.0.load(Ordering::SeqCst), 0);
}

fn challenge() -> Fault {
    let header =
        "www-authenticate: Bearer authorization=\"https://login.localhost/t\", resource=\"https://vault.localhost\"";
    Fault::Status(401, format!("{header}\r\n"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sixty_four_first_uses_at_once_make_one_client() {
    let login = Login { credential: Some(Arc::new(Token::default())), ..Login::default() };
    let pool = Arc::new(ClientPool::new(login));
    let uses = (0..64).map(|number| {
        let pool = Arc::clone(&pool);
        // The same vault, however it is spelled.
        let url = ["https://one.vault.localhost", "https://ONE.vault.localhost:443/"][number % 2];
        tokio::spawn(async move { Arc::as_ptr(&pool.vault_for(url).await.unwrap()).addr() })
    });
    let mut made = HashSet::new();
    for one in uses.collect::<Vec<_>>() {
        made.insert(one.await.unwrap());
    }
    assert_eq!(made.len(), 1);
    let other = pool.vault_for("https://two.vault.localhost").await.unwrap();
    assert!(!made.contains(&Arc::as_ptr(&other).addr()));
}

#[tokio::test]
async fn a_first_use_that_failed_is_tried_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("principal.pem");
    let config = CredentialConfig {
        vault_url: Some("https://one.vault.localhost".to_owned()),
        tenant_id: Some("t".to_owned()),
        client_id: Some("c".to_owned()),
        certificate_path: Some(path.clone()),
        ..CredentialConfig::default()
    };
    let pool = ClientPool::new(Login { config: Some(config), ..Login::default() });
    let missing = pool.vault().await.unwrap_err();
    assert!(matches!(&missing, CredentialError::Unusable(text) if text.contains("principal.pem")), "{missing}");
    let made = rcgen::generate_simple_self_signed(["principal".to_owned()]).unwrap();
    std::fs::write(&path, made.cert.pem() + &made.signing_key.serialize_pem()).unwrap();
    let first = pool.vault().await.unwrap();
    assert!(Arc::ptr_eq(&first, &pool.vault().await.unwrap()));
}

#[tokio::test]
async fn a_certificate_file_says_what_it_lacks() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("principal");
    let made = rcgen::generate_simple_self_signed(["principal".to_owned()]).unwrap();
    for (content, wanted) in [
        (made.cert.pem(), "no private key"),
        (made.signing_key.serialize_pem(), "no certificate"),
        ("-----BEGIN EC PRIVATE KEY-----\nAAAA\n-----END EC PRIVATE KEY-----\n".to_owned(), "PKCS#8"),
        ("neither".to_owned(), "neither PEM nor a PKCS#12"),
    ] {
        std::fs::write(&path, content).unwrap();
        let config = CredentialConfig {
            tenant_id: Some("t".to_owned()),
            client_id: Some("c".to_owned()),
            certificate_path: Some(path.clone()),
            ..CredentialConfig::default()
        };
        let fault = config.credential(&variables(&[])).unwrap_err().to_string();
        assert!(fault.contains(wanted), "{fault}");
    }
}

/// By a file that OpenSSL made, sealed with a password.
#[tokio::test]
async fn a_pkcs12_file_opens_with_its_password_alone() {
    let folder = tempfile::tempdir().unwrap();
    let (pem, pfx) = (folder.path().join("principal.pem"), folder.path().join("principal.pfx"));
    let made = rcgen::generate_simple_self_signed(["principal".to_owned()]).unwrap();
    std::fs::write(&pem, made.cert.pem() + &made.signing_key.serialize_pem()).unwrap();
    let mut openssl = std::process::Command::new("openssl");
    let openssl = openssl.args(["pkcs12", "-export", "-passout", "pass:hush", "-in"]).arg(&pem).arg("-out").arg(&pfx);
    assert!(openssl.status().unwrap().success());
    let with = |password: Option<&str>| CredentialConfig {
        tenant_id: Some("t".to_owned()),
        client_id: Some("c".to_owned()),
        certificate_path: Some(pfx.clone()),
        certificate_password: password.map(|password| password.to_owned().into()),
        ..CredentialConfig::default()
    };
    assert!(with(Some("hush")).credential(&variables(&[])).is_ok());
    for wrong in [None, Some("wrong")] {
        assert!(with(wrong).credential(&variables(&[])).is_err());
    }
}

#[tokio::test]
async fn the_chain_stops_at_a_credential_that_is_refused() {
    let server = FaultServer::start(Fault::Status(401, String::new())).await;
    let set = [
        ("AZURE_TENANT_ID", "t"),
        ("AZURE_CLIENT_ID", "c"),
        ("AZURE_CLIENT_SECRET", "hush-hush"),
        ("AZURE_AUTHORITY_HOST", server.url.as_str()),
    ];
    let chain = DefaultChain::with(variables(&set).with_http(server.http.clone()));
    let fault = chain.get_token(&["https://vault.localhost/.default"], None).await.unwrap_err().to_string();
    let trace = chain.trace();
    assert_eq!(trace.len(), 1, "{trace:?}");
    assert!(matches!(&trace[0].outcome, Outcome::Refused(_)) && trace[0].step == Step::EnvironmentSecret);
    assert!(fault.contains("refused") && !fault.contains("hush") && !format!("{chain:?}").contains("hush"), "{fault}");
}

/// A login endpoint that is not there is the network's fault, and not the credential's.
#[tokio::test]
async fn a_login_endpoint_that_is_not_there_is_unavailable() {
    let server = FaultServer::start(challenge()).await;
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let login = format!("https://127.0.0.1:{port}");
    let set = [
        ("AZURE_TENANT_ID", "t"),
        ("AZURE_CLIENT_ID", "c"),
        ("AZURE_CLIENT_SECRET", "hush-hush"),
        ("AZURE_AUTHORITY_HOST", login.as_str()),
    ];
    let pool = ClientPool::new(Login { sources: variables(&set).with_http(server.http.clone()), ..Login::default() });
    let vault = pool.vault_for(&server.url).await.unwrap();
    let target = Target::latest(Kind::Secret, ObjectName::parse("s").unwrap());
    let start = std::time::Instant::now();
    let error = vault.get(&Cx::system(Time::from_seconds(1)), &target).await.unwrap_err();
    assert_eq!(error.kind, strongroom_wire::ErrorKind::Unavailable, "{}", error.message);
    assert!(error.message.contains("no token") && start.elapsed().as_secs() < 20, "{}", error.message);
    assert!(!error.message.contains("hush"), "{}", error.message);
}

#[tokio::test]
async fn a_uri_without_a_credential_is_the_processs_one_client() {
    let open = async |uri: &str| strongroom_backends::open::open(uri).await.unwrap();
    let address = |vault: &Arc<dyn strongroom_store::Vault>| Arc::as_ptr(vault).addr();
    let first = open("azure:https://opened.vault.localhost").await;
    assert_eq!(address(&first), address(&open("https://opened.vault.localhost/").await));
    assert_ne!(address(&first), address(&open("azure:https://other.vault.localhost").await));
    let Err(wrong) = strongroom_backends::open::open("azure:http://opened.vault.localhost").await else { panic!() };
    assert!(wrong.to_string().contains("https"), "{wrong}");
}
