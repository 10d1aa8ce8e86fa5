//! Patience, and its end: a deadline for a call, and trying again a few times.
//!
//! - `timeout` (the default): one signature, for which ten seconds have to be enough.
//! - `retry`: three tries, after which one and two seconds are waited; after the last none.
//! - `client`: the client's own retries, which are enough for most programs.
//!
//! ```sh
//! set -a; . ~/.local/share/strongroom/strongroom-proxy.env; set +a
//! cargo run --example retries -- retry
//! ```
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "an example")]

use std::error::Error;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use strongroom::credentials::{AzureVault, AzureVaultOptions, CredentialConfig, Retry, Sources, http_client};
use strongroom::keys::{KeyError, Signature, SignatureAlgorithm, VaultKey, with_deadline};

/// A client that tries again as `retry` says.
fn client(retry: Retry) -> Result<AzureVault, Box<dyn Error>> {
    let sources = Sources::default();
    let config = CredentialConfig::from_variables(&sources);
    let (url, credential) = (config.vault_url()?.to_owned(), config.credential(&sources)?);
    let vault = AzureVault::new(AzureVaultOptions { url, credential, http: http_client()? })?;
    Ok(vault.with_retry(retry))
}

async fn sign_with_timeout(key: &VaultKey, data: &[u8]) -> Result<Signature, KeyError> {
    with_deadline(Duration::from_secs(10), key.sign(SignatureAlgorithm::RS256, data)).await
}

async fn sign_with_retry(key: &VaultKey, data: &[u8], tries: u32) -> Result<Signature, Box<dyn Error>> {
    let mut tried = 0;
    loop {
        match key.sign(SignatureAlgorithm::RS256, data).await {
            Ok(signature) => return Ok(signature),
            // Too many requests, away, or too slow: that may pass. Everything else stays as it is.
            Err(fault) if !fault.is_outage() => return Err(fault.into()),
            Err(fault) => {
                tried += 1;
                if tried >= tries {
                    return Err(format!("max retries exceeded: {fault}").into());
                }
                tokio::time::sleep(Duration::from_secs(1 << (tried - 1))).await;
            }
        }
    }
}

async fn run() -> Result<(), Box<dyn Error>> {
    let how = std::env::args().nth(1).unwrap_or_else(|| "timeout".to_owned());
    let mut retry = Retry::default();
    if how == "client" {
        retry.retries = 5;
        retry.one_try = Duration::from_secs(30);
        retry.factor = Duration::from_secs(1);
        retry.cap = Duration::from_secs(60);
        println!("{retry:?}");
    } else if how == "retry" {
        // The loop above tries again: the client must not do it, too.
        retry.retries = 0;
    }
    let key = VaultKey::new(Arc::new(client(retry)?), "api-signing-key")?;
    let signature = match how.as_str() {
        "retry" => sign_with_retry(&key, b"data", 3).await?,
        "client" => key.sign(SignatureAlgorithm::RS256, b"data").await?,
        _ => sign_with_timeout(&key, b"data").await?,
    };
    println!("Signed: {} bytes", signature.bytes.len());
    Ok(())
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
