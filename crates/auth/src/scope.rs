//! Scopes: what a role assignment covers, written as ARM resource ids.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Not a scope that roles can be assigned at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "a scope is a subscription, resource group, vault, or an object of a vault: \
     /subscriptions/ID[/resourceGroups/NAME[/providers/Microsoft.KeyVault/vaults/NAME[/secrets|keys|certificates/NAME]]]"
)]
pub struct NotAScope;

/// A scope. Segments compare without case and keep the case they came in.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Scope(Vec<String>);

const COLLECTIONS: [&str; 3] = ["secrets", "keys", "certificates"];

impl Scope {
    /// Reads a scope.
    ///
    /// # Errors
    /// [`NotAScope`].
    pub fn parse(text: &str) -> Result<Self, NotAScope> {
        let rest = text.strip_prefix('/').ok_or(NotAScope)?;
        let segments: Vec<String> = rest.trim_end_matches('/').split('/').map(str::to_owned).collect();
        let fixed = ["subscriptions", "", "resourcegroups", "", "providers", "microsoft.keyvault", "vaults", ""];
        let shape_fits = segments
            .iter()
            .zip(fixed)
            .all(|(segment, fixed)| !segment.is_empty() && (fixed.is_empty() || segment.eq_ignore_ascii_case(fixed)));
        let collection_fits = segments
            .get(fixed.len())
            .is_none_or(|segment| COLLECTIONS.iter().any(|known| segment.eq_ignore_ascii_case(known)));
        let last_fits = segments.last().is_some_and(|segment| !segment.is_empty());
        let length_fits = matches!(segments.len(), 2 | 4 | 8 | 10);
        if shape_fits && collection_fits && last_fits && length_fits { Ok(Self(segments)) } else { Err(NotAScope) }
    }

    /// Is `other` this scope, or within it? By whole segments.
    #[must_use]
    pub fn contains(&self, other: &Self) -> bool {
        self.0.len() <= other.0.len() && self.0.iter().zip(&other.0).all(|(mine, its)| mine.eq_ignore_ascii_case(its))
    }
}

impl PartialEq for Scope {
    fn eq(&self, other: &Self) -> bool {
        self.contains(other) && other.contains(self)
    }
}

impl Eq for Scope {}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|segment| write!(f, "/{segment}"))
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
        scope.to_string()
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
        Scope(["subscriptions", &self.subscription].map(str::to_owned).to_vec())
    }

    /// A vault.
    #[must_use]
    pub fn vault_scope(&self, vault: &str) -> Scope {
        let Self { subscription, resource_group } = self;
        let segments = [
            "subscriptions",
            subscription,
            "resourcegroups",
            resource_group,
            "providers",
            "microsoft.keyvault",
            "vaults",
            vault,
        ];
        Scope(segments.map(str::to_owned).to_vec())
    }

    /// A secret, key or certificate of a vault; `collection` is `secrets`, `keys` or `certificates`.
    #[must_use]
    pub fn object_scope(&self, vault: &str, collection: &str, name: &str) -> Scope {
        let Scope(mut segments) = self.vault_scope(vault);
        segments.extend([collection.to_owned(), name.to_owned()]);
        Scope(segments)
    }

    /// Reads `VAULT` or `VAULT/secrets|keys|certificates/NAME`.
    ///
    /// # Errors
    /// [`NotAScope`].
    pub fn shorthand(&self, text: &str) -> Result<Scope, NotAScope> {
        let parts: Vec<&str> = text.split('/').collect();
        match parts.as_slice() {
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
        ] {
            assert!(Scope::parse(bad).is_err(), "{bad}");
        }
        for bad in ["", "a/secrets", "a/blobs/x", "a/secrets/", "a/b/c/d"] {
            assert!(site.shorthand(bad).is_err(), "{bad}");
        }
    }
}
