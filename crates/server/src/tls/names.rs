//! The names that a development server answers to: its own domain's, and Azure's in proxy mode.

/// Azure's fixed host names that the proxy keeps for the local server.
pub const AZURE_HOSTS: [&str; 7] = [
    "login.microsoftonline.com",
    "login.windows.net",
    "login.microsoft.com",
    "sts.windows.net",
    "management.azure.com",
    "management.core.windows.net",
    "graph.microsoft.com",
];

/// Azure's domains under which each resource has a name of its own, one label long.
pub const AZURE_SUFFIXES: [&str; 3] = ["vault.azure.net", "managedhsm.azure.net", "azconfig.io"];

/// Where Azure's virtual machines find their instance metadata service; plain HTTP, port 80.
pub const INSTANCE_METADATA: &str = "169.254.169.254";

/// The resource kinds with a subdomain of their own under the configured domain.
const LOCAL_KINDS: [&str; 3] = ["vault", "managedhsm", "azconfig"];

/// The domain is no host name.
#[derive(Debug, thiserror::Error)]
#[error("the domain {0:?} is not a host name: letters, digits, hyphens and dots are allowed, in lower case")]
pub struct BadDomain(String);

/// The names of one development server, all made from its domain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DevNames {
    domain: String,
}

impl DevNames {
    /// The names under `domain`, for example `localhost`.
    ///
    /// # Errors
    /// When `domain` is no host name, or is an IP address.
    pub fn new(domain: &str) -> Result<Self, BadDomain> {
        let domain = canonical(domain);
        // A last label of digits only would make an IPv4 address of it (RFC 1123, 2.1).
        let numeric = domain.rsplit('.').next().is_some_and(|last| last.bytes().all(|b| b.is_ascii_digit()));
        if is_host_name(&domain) && !numeric { Ok(Self { domain }) } else { Err(BadDomain(domain)) }
    }

    /// The domain, in lower case.
    #[must_use]
    pub fn domain(&self) -> &str {
        &self.domain
    }

    /// What the default leaf is for: host names, two-label wildcards, loopback addresses.
    #[must_use]
    pub fn leaf_names(&self) -> Vec<String> {
        let domain = &self.domain;
        let mut names = vec!["localhost".to_owned()];
        if domain != "localhost" {
            names.push(domain.clone());
        }
        names.push(format!("login.{domain}"));
        names.extend(LOCAL_KINDS.iter().map(|kind| format!("*.{kind}.{domain}")));
        names.extend(["127.0.0.1".to_owned(), "::1".to_owned()]);
        names
    }

    /// The DNS subtrees that a CA for these names is confined to: the domain, `localhost`, and Azure's.
    #[must_use]
    pub fn permitted_dns(&self) -> Vec<String> {
        let mut names = vec!["localhost".to_owned()];
        if self.domain != "localhost" {
            names.push(self.domain.clone());
        }
        names.extend(AZURE_SUFFIXES.iter().chain(&AZURE_HOSTS).map(|name| (*name).to_owned()));
        names
    }

    /// Whether the default leaf is good for `host` (in [`canonical`] form).
    #[must_use]
    pub fn is_local(&self, host: &str) -> bool {
        if matches!(host, "localhost" | "127.0.0.1" | "::1") || host == self.domain {
            return true;
        }
        let Some(rest) = host.strip_suffix(self.domain.as_str()).and_then(|rest| rest.strip_suffix('.')) else {
            return false;
        };
        if rest == "login" {
            return true;
        }
        rest.split_once('.').is_some_and(|(label, kind)| is_label(label) && LOCAL_KINDS.contains(&kind))
    }
}

/// Whether `host` (in [`canonical`] form) is one of Azure's names that the local server answers for.
#[must_use]
pub fn is_azure(host: &str) -> bool {
    AZURE_HOSTS.contains(&host)
        || host.split_once('.').is_some_and(|(label, rest)| is_label(label) && AZURE_SUFFIXES.contains(&rest))
}

/// `host` in lower case, without the root's dot and without the brackets of an IPv6 literal.
#[must_use]
pub fn canonical(host: &str) -> String {
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    bare.strip_suffix('.').unwrap_or(bare).to_ascii_lowercase()
}

/// Whether `name` is a host name in lower case (RFC 1123), the only kind that goes into certificates.
#[must_use]
pub fn is_host_name(name: &str) -> bool {
    name.len() <= 253 && name.split('.').all(is_label)
}

fn is_label(label: &str) -> bool {
    !label.is_empty()
        && label.len() <= 63
        && !label.starts_with('-')
        && !label.ends_with('-')
        && label.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_names_and_azure_names_are_told_from_others() {
        let names = DevNames::new("Kv.Example.Test.").unwrap();
        assert_eq!(names.domain(), "kv.example.test");
        for host in ["localhost", "127.0.0.1", "::1", "kv.example.test", "login.kv.example.test"] {
            assert!(names.is_local(host), "{host}");
        }
        for host in ["a.vault.kv.example.test", "h.managedhsm.kv.example.test", "c.azconfig.kv.example.test"] {
            assert!(names.is_local(host), "{host}");
        }
        for host in [
            "example.test",
            "xkv.example.test",
            "a.b.vault.kv.example.test",
            "vault.kv.example.test",
            ".vault.kv.example.test",
            "other.kv.example.test",
        ] {
            assert!(!names.is_local(host), "{host}");
        }
        for host in ["login.microsoftonline.com", "kv1.vault.azure.net", "h.managedhsm.azure.net", "c.azconfig.io"] {
            assert!(is_azure(host), "{host}");
        }
        for host in ["microsoftonline.com", "vault.azure.net", "a.b.vault.azure.net", "evil-vault.azure.net.example"] {
            assert!(!is_azure(host), "{host}");
        }
    }

    #[test]
    fn domains_that_are_no_host_names_are_refused() {
        for bad in ["", ".", "a..b", "-a", "a b", "127.0.0.1", "::1", "*.localhost", "a_b", "a\n"] {
            assert!(DevNames::new(bad).is_err(), "{bad:?}");
        }
        assert_eq!(canonical("[::1]"), "::1");
        assert_eq!(canonical("KV1.Vault.Azure.Net."), "kv1.vault.azure.net");
    }
}
