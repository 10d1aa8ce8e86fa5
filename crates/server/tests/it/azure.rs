//! The proof that carries the design: the vault suite on `azure` talking HTTPS to a real server,
//! over memory and over SQLite. Tokens come from the server's own endpoint, by `azure_identity`.

use std::sync::Arc;

use azure_core::http::{ClientOptions, Transport};
use azure_identity::{ClientSecretCredential, ClientSecretCredentialOptions};
use strongroom_backends::azure::{AzureVault, AzureVaultOptions};
use strongroom_backends::sqlite::SqliteRecords;
use strongroom_store::Records;
use strongroom_store::conformance::vault::{Harness, all};
use strongroom_store::memory::MemoryRecords;
use strongroom_store::sealing::{SealKey, Sealed, initialise};

use crate::support::{Options, TestServer, client, machine_time};

async fn run(records: Arc<dyn Records>) {
    let server = TestServer::with(Options { records, ..Options::default() }).await;
    let suite = server.administrator().await;
    let http = client(&server.ca_pem).build().unwrap();
    let options = ClientSecretCredentialOptions {
        client_options: ClientOptions {
            transport: Some(Transport::new(Arc::new(http.clone()))),
            cloud: Some(Arc::new(azure_core::cloud::CloudConfiguration::Custom({
                let mut cloud = azure_core::cloud::CustomConfiguration::default();
                cloud.authority_host = server.login_url();
                cloud
            }))),
            ..ClientOptions::default()
        },
    };
    let credential = ClientSecretCredential::new(
        server.app.directory.tenant(),
        suite.client_id,
        suite.client_secret.into(),
        Some(options),
    )
    .unwrap();
    let vault = |name: &str| {
        let options =
            AzureVaultOptions { url: server.vault_url(name), credential: credential.clone(), http: http.clone() };
        Arc::new(AzureVault::new(options).unwrap())
    };
    all(&Harness::new(vault("one"), vault("two"), server.now())).await;
    drop(http);
    drop(credential);
    server.stop().await;
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
    initialise(&sqlite, &seal, machine_time()).await.unwrap();
    run(Arc::new(Sealed::unseal(sqlite, &seal).await.unwrap())).await;
}
