//! The configuration of `strongroom serve`: strict TOML. What is not known is refused by name.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use strongroom_backends::sqlite::CACHE_BYTES;
use strongroom_server::config_stores::{StoreSettings, Tier};
use strongroom_server::endpoints::{Endpoint, Endpoints};
use strongroom_server::outside::OutsideIssuerConfig;
use strongroom_store::sealing::SealKey;
use strongroom_wire::Sensitive;
use strongroom_wire::attributes::Recovery;
use strongroom_wire::config::StoreName;
use strongroom_wire::ids::VaultName;

use crate::files;

/// A file with every key explained.
pub(crate) const EXAMPLE: &str = include_str!("../../strongroom.example.toml");

/// The file, as written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    pub(crate) data: PathBuf,
    pub(crate) listen: Vec<SocketAddr>,
    pub(crate) domain: String,
    #[serde(default)]
    pub(crate) external_port: Option<u16>,
    #[serde(default = "health")]
    pub(crate) health: SocketAddr,
    #[serde(default = "region")]
    pub(crate) region: String,
    #[serde(default)]
    pub(crate) vaults_on_demand: bool,
    #[serde(default = "cache_mb")]
    pub(crate) cache_mb: u64,
    #[serde(default)]
    pub(crate) backup_key_file: Option<PathBuf>,
    pub(crate) tls: Tls,
    pub(crate) seal: Seal,
    #[serde(default)]
    pub(crate) hsm: Option<Hsm>,
    #[serde(default)]
    pub(crate) tenant: Option<Tenant>,
    #[serde(default)]
    pub(crate) vault: Vec<Vault>,
    #[serde(default)]
    pub(crate) config_store: Vec<ConfigStore>,
    #[serde(default)]
    pub(crate) application: Vec<Application>,
    #[serde(default)]
    pub(crate) role_assignment: Vec<Assignment>,
    #[serde(default)]
    pub(crate) trusted_issuer: Vec<OutsideIssuerConfig>,
}

/// Certificate chain and key, PEM.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Tls {
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
}

/// What opens the store.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "lowercase", tag = "kind")]
pub(crate) enum Seal {
    /// A passphrase, in the first line of a file.
    Passphrase { file: PathBuf },
    /// 32 random bytes in a file.
    File { file: PathBuf },
}

/// Who keeps keys in hardware.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Hsm {
    /// A `pkcs11:` URI. People put PINs there.
    pub(crate) uri: Sensitive<String>,
}

/// Ids of a new installation.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Tenant {
    pub(crate) id: String,
    #[serde(default)]
    pub(crate) subscription: Option<String>,
    #[serde(default)]
    pub(crate) resource_group: Option<String>,
}

/// A vault to make at the start.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Vault {
    pub(crate) name: String,
    #[serde(default = "retention_days")]
    pub(crate) retention_days: u16,
    #[serde(default)]
    pub(crate) purge_protection: bool,
}

/// A configuration store to make at the start.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ConfigStore {
    pub(crate) name: String,
    #[serde(default)]
    pub(crate) tier: Option<Tier>,
    #[serde(default)]
    pub(crate) retention_days: Option<u8>,
    #[serde(default)]
    pub(crate) purge_protection: bool,
    #[serde(default)]
    pub(crate) local_auth: Option<bool>,
}

/// An application to make at the start.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Application {
    pub(crate) name: String,
    pub(crate) client_id: String,
    pub(crate) object_id: String,
    #[serde(default)]
    pub(crate) secret_file: Option<PathBuf>,
    #[serde(default)]
    pub(crate) certificate_file: Option<PathBuf>,
    #[serde(default)]
    pub(crate) federated: Vec<Federated>,
}

/// Whose tokens stand for an application.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Federated {
    pub(crate) issuer: String,
    pub(crate) subject: String,
    #[serde(default = "token_exchange")]
    pub(crate) audience: String,
}

fn token_exchange() -> String {
    strongroom_auth::federation::TOKEN_EXCHANGE.to_owned()
}

/// A role to give at the start.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Assignment {
    pub(crate) role: String,
    pub(crate) principal: String,
    pub(crate) scope: String,
}

impl Config {
    /// Reads and checks a file.
    pub(crate) fn read(file: &Path) -> Result<Self, String> {
        let text = std::fs::read_to_string(file).map_err(|fault| format!("{}: {fault}", file.display()))?;
        Self::parse(&text).map_err(|fault| format!("{}: {fault}", file.display()))
    }

    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let config: Self = toml::from_str(text).map_err(|fault| fault.to_string())?;
        config.vaults()?;
        config.config_stores()?;
        if config.listen.is_empty() {
            return Err("listen: name at least one address, such as 0.0.0.0:8443".to_owned());
        }
        let label =
            |label: &str| !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        if !config.domain.split('.').all(label) {
            return Err(format!("domain: {:?} is not a domain name", config.domain));
        }
        let mut guids: Vec<(&str, &str)> = Vec::new();
        if let Some(tenant) = &config.tenant {
            guids.push(("tenant.id", &tenant.id));
            guids.extend(tenant.subscription.as_deref().map(|id| ("tenant.subscription", id)));
        }
        for application in &config.application {
            guids.push(("application.client_id", &application.client_id));
            guids.push(("application.object_id", &application.object_id));
        }
        match guids.into_iter().find(|(_, id)| !is_guid(id)) {
            Some((key, id)) => Err(format!("{key}: {id:?} is not a GUID")),
            None => Ok(config),
        }
    }

    /// Bytes for records that were read lately.
    pub(crate) const fn cache_bytes(&self) -> u64 {
        self.cache_mb.saturating_mul(1 << 20)
    }

    /// The vaults to make, checked.
    pub(crate) fn vaults(&self) -> Result<Vec<(VaultName, Recovery)>, String> {
        let check = |vault: &Vault| {
            let name = VaultName::parse(&vault.name)?;
            Ok((name, Recovery::new(vault.retention_days, vault.purge_protection)?))
        };
        let checked = self.vault.iter().map(|vault| {
            check(vault).map_err(|error: strongroom_wire::Error| format!("vault {:?}: {}", vault.name, error.message))
        });
        checked.collect()
    }

    /// The configuration stores to make, checked.
    pub(crate) fn config_stores(&self) -> Result<Vec<(StoreName, StoreSettings)>, String> {
        let check = |store: &ConfigStore| {
            let wrong = |fault: &dyn std::fmt::Display| format!("config_store {:?}: {fault}", store.name);
            let name = StoreName::parse(&store.name).map_err(|fault| wrong(&fault))?;
            let default = StoreSettings::default();
            let settings = StoreSettings {
                tier: store.tier.unwrap_or(default.tier),
                retention_days: store.retention_days.unwrap_or(default.retention_days),
                purge_protection: store.purge_protection,
                local_auth: store.local_auth.unwrap_or(default.local_auth),
            };
            settings.check().map_err(|error| wrong(&error.message))?;
            Ok((name, settings))
        };
        self.config_store.iter().map(check).collect()
    }

    /// The names that the server is reached by.
    pub(crate) fn endpoints(&self) -> Endpoints {
        let port = self.listen.first().map_or(443, SocketAddr::port);
        let domain = self.domain.to_ascii_lowercase();
        Endpoints(vec![Endpoint {
            vault_suffix: format!("vault.{domain}"),
            config_suffix: format!("azconfig.{domain}"),
            login_host: format!("login.{domain}"),
            login_aliases: Vec::new(),
            port: self.external_port.unwrap_or(port),
        }])
    }

    /// What opens the store.
    pub(crate) fn seal_key(&self) -> Result<SealKey, String> {
        match &self.seal {
            Seal::Passphrase { file } => {
                files::read_passphrase(file).map(|passphrase| SealKey::passphrase(passphrase.expose()))
            }
            Seal::File { file } => files::read_key(file).map(|key| SealKey::file(key.expose())),
        }
    }

    /// The backup key, when one is shared.
    pub(crate) fn backup_key(&self) -> Result<Option<Sensitive<[u8; 32]>>, String> {
        self.backup_key_file.as_deref().map(files::read_key).transpose()
    }
}

fn is_guid(text: &str) -> bool {
    let groups: Vec<usize> = text.split('-').map(str::len).collect();
    groups == [8, 4, 4, 4, 12] && text.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-')
}

fn health() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 8081))
}

const fn cache_mb() -> u64 {
    CACHE_BYTES >> 20
}

fn region() -> String {
    "local".to_owned()
}

const fn retention_days() -> u16 {
    90
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_is_valid_and_strict() {
        Config::parse(EXAMPLE).unwrap();
        let misspelt = EXAMPLE.replacen("domain", "domian", 1);
        assert!(Config::parse(&misspelt).unwrap_err().contains("domian"));
        let no_guid = EXAMPLE.replacen("id = \"", "id = \"x", 1);
        assert!(Config::parse(&no_guid).unwrap_err().contains("is not a GUID"));
        let few_days = EXAMPLE.replacen("retention_days = 90", "retention_days = 5", 1);
        assert!(Config::parse(&few_days).unwrap_err().contains("7 to 90"));
    }
}
