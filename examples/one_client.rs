//! One client for a vault in the whole process, however many ask for it at once.
//!
//! Two ways: a cell of the program's own, and the toolkit's pool, which has one client per vault. A
//! failure is kept by neither: who asks next tries again.
//!
//! ```sh
//! set -a; . ~/.local/share/strongroom/strongroom-proxy.env; set +a
//! cargo run --example one_client
//! ```
#![allow(clippy::print_stdout, reason = "an example")]

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use strongroom::OpenError;
use strongroom::credentials::{ClientPool, CredentialConfig, Login, Sources};
use strongroom::secrets::VaultSecrets;
use strongroom::vault::Vault;
use tokio::sync::OnceCell;
use tokio::task::JoinSet;

static STORE: OnceCell<Arc<dyn Vault>> = OnceCell::const_new();
static MADE: AtomicUsize = AtomicUsize::new(0);

async fn store(url: &str) -> Result<Arc<dyn Vault>, OpenError> {
    let made = STORE.get_or_try_init(|| async {
        MADE.fetch_add(1, Ordering::Relaxed);
        strongroom::open(url).await
    });
    made.await.map(Arc::clone)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let sources = Sources::default();
    let config = CredentialConfig::from_variables(&sources);
    let url = config.vault_url()?.to_owned();

    if let Err(fault) = store("").await {
        println!("first: {fault}");
    }
    let second = store(&url).await?;
    let third = store(&url).await?;
    println!("then: made {} times, the same: {}", MADE.load(Ordering::Relaxed), Arc::ptr_eq(&second, &third));

    let pool = Arc::new(ClientPool::new(Login { config: Some(config), sources, ..Login::default() }));
    let mut tasks = JoinSet::new();
    for _ in 0..64 {
        let (pool, url) = (Arc::clone(&pool), url.clone());
        tasks.spawn(async move { pool.vault_for(&url).await });
    }
    let mut clients = Vec::new();
    while let Some(client) = tasks.join_next().await {
        clients.push(client??);
    }
    let same = clients.windows(2).all(|pair| matches!(pair, [one, other] if Arc::ptr_eq(one, other)));
    println!("{} tasks have the same client: {same}", clients.len());
    if let Some(client) = clients.pop() {
        println!("It sees {} secrets", VaultSecrets::new(client).list().await?.len());
    }
    Ok(())
}
