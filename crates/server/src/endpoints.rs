//! The names that the server is reached by. URLs in answers are made from these, never from what
//! a request claims.

use strongroom_wire::config::StoreName;
use strongroom_wire::ids::VaultName;

/// A family of external names: vaults and configuration stores below a suffix each, and the login
/// host that goes with them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// What follows a vault's name, without a leading dot: `vault.localhost`.
    pub vault_suffix: String,
    /// What follows a configuration store's name: `azconfig.localhost`.
    pub config_suffix: String,
    /// Host of the token endpoints: `login.localhost`.
    pub login_host: String,
    /// Other names of the login host.
    pub login_aliases: Vec<String>,
    /// External port; 443 is left out of URLs.
    pub port: u16,
}

/// What a host name stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Site {
    /// A vault: its name and the index of its endpoint.
    Vault(VaultName, usize),
    /// A configuration store: its name and the index of its endpoint.
    Config(StoreName, usize),
    /// The token endpoints.
    Login(usize),
}

impl Endpoint {
    fn authority(&self, host: &str) -> String {
        match self.port {
            443 => host.to_owned(),
            port => format!("{host}:{port}"),
        }
    }

    /// External base URL of a vault, without a trailing slash.
    #[must_use]
    pub fn vault_url(&self, vault: &VaultName) -> String {
        format!("https://{vault}.{}", self.authority(&self.vault_suffix))
    }

    /// The resource in challenges, and so the audience of tokens.
    #[must_use]
    pub fn resource(&self) -> String {
        format!("https://{}", self.authority(&self.vault_suffix))
    }

    /// External base URL of a configuration store, without a trailing slash.
    #[must_use]
    pub fn store_url(&self, store: &StoreName) -> String {
        format!("https://{store}.{}", self.authority(&self.config_suffix))
    }

    /// External base URL of the token endpoints, without a trailing slash.
    #[must_use]
    pub fn login_url(&self) -> String {
        format!("https://{}", self.authority(&self.login_host))
    }

    /// The issuer of tokens for a tenant.
    #[must_use]
    pub fn issuer(&self, tenant: &str) -> String {
        format!("{}/{tenant}/v2.0", self.login_url())
    }
}

/// All the names of a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoints(pub Vec<Endpoint>);

impl Endpoints {
    /// What a request's authority (`host` or `host:port`) stands for. The port is not looked at:
    /// behind a port mapping it is not ours.
    #[must_use]
    pub fn site(&self, authority: &str) -> Option<Site> {
        let host = authority.rsplit_once(':').map_or(authority, |(host, port)| {
            if port.bytes().all(|byte| byte.is_ascii_digit()) { host } else { authority }
        });
        let host = host.trim_end_matches('.').to_ascii_lowercase();
        self.0.iter().enumerate().find_map(|(index, endpoint)| {
            if host == endpoint.login_host || endpoint.login_aliases.contains(&host) {
                return Some(Site::Login(index));
            }
            let label = |suffix: &str| host.strip_suffix(suffix)?.strip_suffix('.');
            if let Some(name) = label(&endpoint.config_suffix) {
                return StoreName::parse(name).ok().map(|name| Site::Config(name, index));
            }
            VaultName::parse(label(&endpoint.vault_suffix)?).ok().map(|name| Site::Vault(name, index))
        })
    }

    /// The endpoint of a site.
    #[must_use]
    pub fn get(&self, index: usize) -> Option<&Endpoint> {
        self.0.get(index)
    }
}

/// Azure's own names for the resource of configuration stores, which SDKs of all ages ask tokens for.
const CONFIG_RESOURCES: [&str; 2] = ["https://azconfig.io", "https://appconfig.azure.com"];

/// What a token is wanted for.
#[derive(Debug, Clone, Copy)]
pub enum Service<'a> {
    /// Vaults.
    Vaults,
    /// This configuration store.
    Config(&'a StoreName),
}

/// The audiences of tokens, by service.
#[derive(Debug, Clone)]
pub struct Audiences {
    vaults: Vec<String>,
    config: Vec<String>,
    /// What follows a store's name in the audience that some SDKs ask for: the store's own URL.
    own: Vec<String>,
}

impl Audiences {
    /// Those of a server with these names.
    #[must_use]
    pub fn new(endpoints: &Endpoints) -> Self {
        // With the port and without: SDKs make the resource of a store's host in several ways.
        let suffixes = endpoints.0.iter().flat_map(|endpoint| {
            let suffix = &endpoint.config_suffix;
            [suffix.clone(), format!("{suffix}:{}", endpoint.port)]
        });
        let suffixes: Vec<String> = suffixes.collect();
        let known = CONFIG_RESOURCES.into_iter().map(str::to_owned);
        Self {
            vaults: endpoints.0.iter().map(Endpoint::resource).collect(),
            config: known.chain(suffixes.iter().map(|suffix| format!("https://{suffix}"))).collect(),
            own: suffixes,
        }
    }

    /// The audiences that hold for the service as a whole.
    #[must_use]
    pub fn shared(&self, service: Service<'_>) -> &[String] {
        match service {
            Service::Vaults => &self.vaults,
            Service::Config(_) => &self.config,
        }
    }

    /// All audiences for the service.
    #[must_use]
    pub fn all(&self, service: Service<'_>) -> Vec<String> {
        let mut all = self.shared(service).to_vec();
        if let Service::Config(store) = service {
            all.extend(self.own.iter().map(|suffix| format!("https://{store}.{suffix}")));
        }
        all
    }

    /// Is a token for this resource one that some service accepts?
    #[must_use]
    pub fn is_resource(&self, resource: &str) -> bool {
        let plain = resource.trim_end_matches('/');
        let known = |known: &String| known.eq_ignore_ascii_case(plain);
        let own = plain.strip_prefix("https://").and_then(|host| host.split_once('.'));
        self.vaults.iter().chain(&self.config).any(known)
            || own.is_some_and(|(store, suffix)| {
                StoreName::parse(store).is_ok() && self.own.iter().any(|known| known.eq_ignore_ascii_case(suffix))
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoints() -> Endpoints {
        Endpoints(vec![
            Endpoint {
                vault_suffix: "vault.localhost".into(),
                config_suffix: "azconfig.localhost".into(),
                login_host: "login.localhost".into(),
                login_aliases: vec![],
                port: 8443,
            },
            Endpoint {
                vault_suffix: "vault.azure.net".into(),
                config_suffix: "azconfig.io".into(),
                login_host: "login.microsoftonline.com".into(),
                login_aliases: vec!["login.windows.net".into()],
                port: 443,
            },
        ])
    }

    #[test]
    fn hosts_become_sites() {
        let endpoints = endpoints();
        let vault = |name, index| Some(Site::Vault(VaultName::parse(name).unwrap(), index));
        assert_eq!(endpoints.site("Dev.vault.localhost:8443"), vault("dev", 0));
        assert_eq!(endpoints.site("kv1.vault.azure.net"), vault("kv1", 1));
        assert_eq!(endpoints.site("login.windows.net:443"), Some(Site::Login(1)));
        for unknown in ["", "vault.localhost", "a.b.vault.localhost", "devvault.localhost", "127.0.0.1:8443", "[::1]:1"]
        {
            assert_eq!(endpoints.site(unknown), None, "{unknown}");
        }
    }

    #[test]
    fn stores_have_audiences_in_every_form_that_sdks_ask_for() {
        let endpoints = endpoints();
        let store = StoreName::parse("dev").unwrap();
        assert_eq!(endpoints.site("dev.azconfig.io"), Some(Site::Config(store.clone(), 1)));
        assert_eq!(endpoints.0[0].store_url(&store), "https://dev.azconfig.localhost:8443");
        let audiences = Audiences::new(&endpoints);
        for good in [
            "https://azconfig.io/",
            "https://appconfig.azure.com",
            "https://azconfig.localhost",
            "https://azconfig.localhost:8443/",
            "https://Dev.azconfig.localhost:8443",
            "https://dev.azconfig.io",
            "https://vault.azure.net",
        ] {
            assert!(audiences.is_resource(good), "{good}");
        }
        for bad in ["https://a.b.azconfig.io", "https://azconfig.io.evil", "http://azconfig.io", "", "azconfig.io"] {
            assert!(!audiences.is_resource(bad), "{bad}");
        }
        let of_store = audiences.all(Service::Config(&store));
        assert!(of_store.contains(&"https://dev.azconfig.io".to_owned()));
        assert!(!of_store.contains(&"https://vault.azure.net".to_owned()));
        assert_eq!(audiences.all(Service::Vaults).len(), 2);
    }

    #[test]
    fn urls_leave_out_port_443() {
        let endpoints = endpoints();
        let name = VaultName::parse("dev").unwrap();
        assert_eq!(endpoints.0[0].vault_url(&name), "https://dev.vault.localhost:8443");
        assert_eq!(endpoints.0[0].resource(), "https://vault.localhost:8443");
        assert_eq!(endpoints.0[1].vault_url(&name), "https://dev.vault.azure.net");
        assert_eq!(endpoints.0[1].issuer("t"), "https://login.microsoftonline.com/t/v2.0");
    }
}
