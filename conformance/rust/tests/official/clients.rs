//! Clients made from the environment alone, as a program for Azure makes them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use azure_core::credentials::TokenCredential;
use azure_identity::ClientSecretCredential;
use azure_security_keyvault_keys::KeyClient;
use azure_security_keyvault_secrets::SecretClient;

pub fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set"))
}

pub fn credential() -> Arc<dyn TokenCredential> {
    credential_with(&variable("AZURE_CLIENT_ID"), variable("AZURE_CLIENT_SECRET"))
}

pub fn credential_with(client_id: &str, secret: String) -> Arc<dyn TokenCredential> {
    ClientSecretCredential::new(&variable("AZURE_TENANT_ID"), client_id.to_owned(), secret.into(), None).unwrap()
}

/// A vault of another name on the same server; vaults are made when they are first used.
pub fn other_vault() -> String {
    let url = variable("AZURE_KEYVAULT_URL");
    let (_, rest) = url.strip_prefix("https://").unwrap().split_once('.').unwrap();
    format!("https://conf-rs-{:08x}.{rest}", rand::random::<u32>())
}

pub fn secrets() -> SecretClient {
    secrets_of(&variable("AZURE_KEYVAULT_URL"))
}

pub fn secrets_of(vault: &str) -> SecretClient {
    SecretClient::new(vault, credential(), None).unwrap()
}

pub fn keys() -> KeyClient {
    keys_of(&variable("AZURE_KEYVAULT_URL"))
}

pub fn keys_of(vault: &str) -> KeyClient {
    KeyClient::new(vault, credential(), None).unwrap()
}

/// A name that no run has used before.
pub fn name(what: &str) -> String {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    format!("rs-{what}-{:08x}-{}", rand::random::<u32>(), NUMBER.fetch_add(1, Ordering::Relaxed))
}
