//! Scopes: what a role assignment covers, written as ARM resource ids.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Not a scope that roles can be assigned at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "a scope is a subscription, resource group, vault, an object of a vault, or a configuration store: \
     /subscriptions/ID[/resourceGroups/NAME[/providers/Microsoft.KeyVault/vaults/NAME[/secrets|keys|certificates/NAME] \
     or /providers/Microsoft.AppConfiguration/configurationStores/NAME]]"
)]
pub struct NotAScope;

/// A scope. Compares without case and keeps the case it came in.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Scope(String);

const COLLECTIONS: [&str; 3] = ["secrets", "keys", "certificates"];

impl Scope {
    /// Reads a scope.
    ///
    /// # Errors
    /// [`NotAScope`].
    pub fn parse(text: &str) -> Result<Self, NotAScope> {
        let rest = text.strip_prefix('/').ok_or(NotAScope)?;
        let rest = rest.trim_end_matches('/');
        let segments: Vec<&str> = rest.split('/').collect();
        let is = |at: usize, known: &str| segments.get(at).is_some_and(|segment| segment.eq_ignore_ascii_case(known));
        let vault = is(5, "microsoft.keyvault") && is(6, "vaults");
        let store = is(5, "microsoft.appconfiguration") && is(6, "configurationstores");
        let fits = is(0, "subscriptions")
            && segments.iter().all(|segment| !segment.is_empty())
            && match segments.len() {
                2 => true,
                4 => is(2, "resourcegroups"),
                8 => is(2, "resourcegroups") && is(4, "providers") && (vault || store),
                10 => {
                    let collection = COLLECTIONS.iter().any(|known| is(8, known));
                    is(2, "resourcegroups") && is(4, "providers") && vault && collection
                }
                _ => false,
            };
        if fits { Ok(Self(format!("/{rest}"))) } else { Err(NotAScope) }
    }

    /// Is `other` this scope, or within it? By whole segments.
    #[must_use]
    pub fn contains(&self, other: &Self) -> bool {
        let (mine, its) = (self.0.as_bytes(), other.0.as_bytes());
        its.split_at_checked(mine.len())
            .is_some_and(|(head, rest)| head.eq_ignore_ascii_case(mine) && matches!(rest.first(), None | Some(b'/')))
    }
}

impl PartialEq for Scope {
    fn eq(&self, other: &Self) -> bool {
        self.0.eq_ignore_ascii_case(&other.0)
    }
}

impl Eq for Scope {}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for Scope {
    type Error = NotAScope;

    fn try_from(text: String) -> Result<Self, NotAScope> {
        Self::parse(&text)
    }
}

impl From<Scope> for String {
    fn from(scope: Scope) -> Self {
        scope.0
    }
}

/// Where the vaults of an installation are, in ARM's terms.
#[derive(Debug, Clone)]
pub struct Installation {
    /// Subscription id.
    pub subscription: String,
    /// Resource group.
    pub resource_group: String,
}

impl Installation {
    /// All vaults.
    #[must_use]
    pub fn subscription_scope(&self) -> Scope {
        Scope(["/subscriptions/", &self.subscription].concat())
    }

    /// A vault.
    #[must_use]
    pub fn vault_scope(&self, vault: &str) -> Scope {
        Scope(self.vault_path(vault).concat())
    }

    /// A secret, key or certificate of a vault; `collection` is `secrets`, `keys` or `certificates`.
    #[must_use]
    pub fn object_scope(&self, vault: &str, collection: &str, name: &str) -> Scope {
        let [a, b, c, d, e, f] = self.vault_path(vault);
        Scope([a, b, c, d, e, f, "/", collection, "/", name].concat())
    }

    /// A configuration store.
    #[must_use]
    pub fn store_scope(&self, store: &str) -> Scope {
        let Self { subscription, resource_group } = self;
        let provider = "/providers/microsoft.appconfiguration/configurationstores/";
        Scope(["/subscriptions/", subscription, "/resourcegroups/", resource_group, provider, store].concat())
    }

    fn vault_path<'a>(&'a self, vault: &'a str) -> [&'a str; 6] {
        let Self { subscription, resource_group } = self;
        let group = "/resourcegroups/";
        ["/subscriptions/", subscription, group, resource_group, "/providers/microsoft.keyvault/vaults/", vault]
    }

    /// Reads `VAULT`, `VAULT/secrets|keys|certificates/NAME` or `appconfig/STORE`.
    ///
    /// # Errors
    /// [`NotAScope`].
    pub fn shorthand(&self, text: &str) -> Result<Scope, NotAScope> {
        let parts: Vec<&str> = text.split('/').collect();
        match parts.as_slice() {
            ["appconfig", store] => Scope::parse(&self.store_scope(store).to_string()),
            [vault] => Scope::parse(&self.vault_scope(vault).to_string()),
            [vault, collection, name] => Scope::parse(&self.object_scope(vault, collection, name).to_string()),
            _ => Err(NotAScope),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_contain_by_whole_segments() {
        let site = Installation { subscription: "s".into(), resource_group: "rg".into() };
        let vault = site.vault_scope("a");
        let object = site.object_scope("A", "secrets", "x");
        assert!(site.subscription_scope().contains(&vault) && vault.contains(&object) && vault.contains(&vault));
        assert!(!object.contains(&vault) && !vault.contains(&site.vault_scope("ab")));
        assert!(!object.contains(&site.object_scope("a", "secrets", "xy")));
        assert!(!object.contains(&site.object_scope("a", "keys", "x")));
        assert_eq!(site.shorthand("a/secrets/X").unwrap(), object);
        let text = "/subscriptions/s/resourceGroups/RG/providers/Microsoft.KeyVault/vaults/a";
        assert_eq!(Scope::parse(text).unwrap(), vault);
        assert_eq!(Scope::parse(text).unwrap().to_string(), text);
        let store = site.store_scope("a");
        assert!(site.subscription_scope().contains(&store) && !vault.contains(&store) && !store.contains(&vault));
        assert_eq!(site.shorthand("appconfig/A").unwrap(), store);
        assert_eq!(Scope::parse(&store.to_string()).unwrap(), store);
    }

    #[test]
    fn what_is_no_scope_is_refused() {
        let site = Installation { subscription: "s".into(), resource_group: "rg".into() };
        for bad in [
            "",
            "/",
            "subscriptions/s",
            "/subscriptions",
            "/subscriptions//",
            "/a/b",
            "/subscriptions/s/x/y",
            "/subscriptions/s/resourceGroups/g/providers/Other/vaults/v",
            "/subscriptions/s/resourceGroups/g/providers/Microsoft.KeyVault/vaults/v/blobs/x",
            "/subscriptions/s/resourceGroups/g/providers/Microsoft.KeyVault/vaults/v/secrets",
            "/subscriptions/s/resourceGroups/g/providers/Microsoft.KeyVault/configurationStores/v",
            "/subscriptions/s/resourceGroups/g/providers/Microsoft.AppConfiguration/configurationStores/v/secrets/x",
        ] {
            assert!(Scope::parse(bad).is_err(), "{bad}");
        }
        for bad in ["", "a/secrets", "a/blobs/x", "a/secrets/", "a/b/c/d"] {
            assert!(site.shorthand(bad).is_err(), "{bad}");
        }
    }
}
