//! A web application that takes its configuration from a vault when it starts, and does not start
//! without it: the secrets `FLASK-SECRET-KEY`, `DB-USERNAME` and `DB-PASSWORD`.
//!
//! ```sh
//! set -a; . ~/.local/share/strongroom/strongroom-proxy.env; set +a
//! cargo run --example web_config
//! ```
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "an example")]

use std::error::Error;
use std::process::ExitCode;
use std::sync::Arc;

use strongroom::credentials::{CredentialConfig, Sources};
use strongroom::secrets::{SecretValue, VaultSecrets};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// What the application needs. The values are wiped from memory with it, and `Debug` hides them.
#[derive(Debug)]
struct Config {
    secret_key: SecretValue,
    db_username: SecretValue,
    db_password: SecretValue,
}

impl Config {
    /// Logs in once and asks for all three at the same time.
    async fn from_vault(secrets: &VaultSecrets) -> Result<Self, Box<dyn Error>> {
        let mut found = secrets.get_all(&["FLASK-SECRET-KEY", "DB-USERNAME", "DB-PASSWORD"]).await?;
        let mut take = |name: &str| found.remove(name).ok_or_else(|| format!("secret {name} not found"));
        Ok(Self {
            secret_key: take("FLASK-SECRET-KEY")?,
            db_username: take("DB-USERNAME")?,
            db_password: take("DB-PASSWORD")?,
        })
    }
}

/// Says what is set, and no value.
async fn answer(mut browser: TcpStream, config: &Config) -> Result<(), Box<dyn Error>> {
    // The smallest server there is: whatever is asked, it tells the same.
    let mut request = [0; 1024];
    let _read = browser.read(&mut request).await?;
    let set = |value: &SecretValue| if value.expose().is_empty() { "empty" } else { "set" };
    let Config { secret_key, db_username, db_password } = config;
    let page =
        format!("SECRET_KEY {}, DB_USERNAME {}, DB_PASSWORD {}\n", set(secret_key), set(db_username), set(db_password));
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", page.len());
    browser.write_all((head + &page).as_bytes()).await?;
    Ok(browser.shutdown().await?)
}

async fn run() -> Result<(), Box<dyn Error>> {
    let config = CredentialConfig::from_variables(&Sources::default());
    let secrets = VaultSecrets::new(strongroom::open(config.vault_url()?).await?);
    let config = Arc::new(Config::from_vault(&secrets).await?);

    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("Listening on http://{}", listener.local_addr()?);
    loop {
        let (browser, _) = listener.accept().await?;
        let config = Arc::clone(&config);
        tokio::spawn(async move {
            if let Err(fault) = answer(browser, &config).await {
                eprintln!("a browser was not answered: {fault}");
            }
        });
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => {
            eprintln!("{fault}");
            ExitCode::FAILURE
        }
    }
}
