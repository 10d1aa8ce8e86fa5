//! The names that the server is reached by. URLs in answers are made from these, never from what
//! a request claims.

use strongroom_wire::ids::VaultName;

/// A family of external names: vaults below one suffix, and the login host that goes with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// What follows a vault's name, without a leading dot: `vault.localhost`.
    pub vault_suffix: String,
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
            let name = host.strip_suffix(&endpoint.vault_suffix)?.strip_suffix('.')?;
            VaultName::parse(name).ok().map(|name| Site::Vault(name, index))
        })
    }

    /// The endpoint of a site.
    #[must_use]
    pub fn get(&self, index: usize) -> Option<&Endpoint> {
        self.0.get(index)
    }

    /// The resources that tokens are issued for and accepted with.
    #[must_use]
    pub fn resources(&self) -> Vec<String> {
        self.0.iter().map(Endpoint::resource).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoints() -> Endpoints {
        Endpoints(vec![
            Endpoint {
                vault_suffix: "vault.localhost".into(),
                login_host: "login.localhost".into(),
                login_aliases: vec![],
                port: 8443,
            },
            Endpoint {
                vault_suffix: "vault.azure.net".into(),
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
    fn urls_leave_out_port_443() {
        let endpoints = endpoints();
        let name = VaultName::parse("dev").unwrap();
        assert_eq!(endpoints.0[0].vault_url(&name), "https://dev.vault.localhost:8443");
        assert_eq!(endpoints.0[0].resource(), "https://vault.localhost:8443");
        assert_eq!(endpoints.0[1].vault_url(&name), "https://dev.vault.azure.net");
        assert_eq!(endpoints.0[1].issuer("t"), "https://login.microsoftonline.com/t/v2.0");
    }
}
