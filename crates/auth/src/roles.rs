//! The built-in roles of Key Vault (contract 4.9) and App Configuration (2.8.3), with Azure's ids.

use crate::action::DataAction;

/// A role: what it allows, and what of that it does not.
#[derive(Debug)]
pub struct RoleDefinition {
    /// Azure's GUID.
    pub id: &'static str,
    /// Azure's name.
    pub name: &'static str,
    /// Patterns of data actions; `*` stands for anything, slashes too.
    pub data_actions: &'static [&'static str],
}

macro_rules! roles {
    ($($provider:literal { $($id:literal $name:literal [$($action:literal),*];)+ })+) => {
        /// The built-in roles.
        pub const BUILT_IN: &[RoleDefinition] = &[$($(RoleDefinition {
            id: $id,
            name: $name,
            data_actions: &[$(concat!($provider, $action)),*],
        },)+)+];
    };
}

roles! {
    "Microsoft.KeyVault/vaults/" {
        "00482a5a-887f-4fb3-b363-3b7fe8e74483" "Key Vault Administrator" ["*"];
        "21090545-7ca7-4776-b22c-e363652d74d2" "Key Vault Reader" ["*/read", "secrets/readMetadata/action"];
        "a4417e6f-fecd-4de8-b567-7b0420556985" "Key Vault Certificates Officer"
            ["certificatecas/*", "certificates/*", "certificatecontacts/write"];
        "db79e9a7-68ee-4b58-9aeb-b90e7c24fcba" "Key Vault Certificate User"
            ["certificates/read", "secrets/getSecret/action", "secrets/readMetadata/action", "keys/read"];
        "14b46e9e-c2b7-41b4-b07b-48a6ebf60603" "Key Vault Crypto Officer" ["keys/*", "keyrotationpolicies/*"];
        "e147488a-f6f5-4113-8e2d-b22465e65bf6" "Key Vault Crypto Service Encryption User"
            ["keys/read", "keys/wrap/action", "keys/unwrap/action"];
        "08bbd89e-9f13-488c-ac41-acfcb10c90ab" "Key Vault Crypto Service Release User" ["keys/release/action"];
        "12338af0-0e69-4776-bea7-57ae8d297424" "Key Vault Crypto User"
            ["keys/read", "keys/update/action", "keys/backup/action", "keys/encrypt/action", "keys/decrypt/action",
             "keys/wrap/action", "keys/unwrap/action", "keys/sign/action", "keys/verify/action"];
        "b86a8fe4-44ce-4948-aee5-eccb2c155cd7" "Key Vault Secrets Officer" ["secrets/*"];
        "4633458b-17de-408a-b874-0445c86b69e6" "Key Vault Secrets User"
            ["secrets/getSecret/action", "secrets/readMetadata/action"];
        "a68e7c17-0ab2-4c09-9a58-125dae29748c" "Key Vault Purge Operator" [];
        "8b54135c-b56d-4d72-a534-26097cfdc8d8" "Key Vault Data Access Administrator" [];
    }
    "Microsoft.AppConfiguration/configurationStores/" {
        "5ae67dd6-50cb-40e7-96ff-dc2bfa4b606b" "App Configuration Data Owner"
            ["*/read", "*/write", "*/delete", "*/action"];
        "516239f1-63e1-4d78-a4de-a74fb236a071" "App Configuration Data Reader" ["*/read"];
    }
}

impl RoleDefinition {
    /// Does the role allow it?
    #[must_use]
    pub fn allows(&self, action: DataAction) -> bool {
        self.data_actions.iter().any(|pattern| matches(pattern, action.as_str()))
    }
}

/// A built-in role by its name or GUID, in any case.
#[must_use]
pub fn find_role(name_or_id: &str) -> Option<&'static RoleDefinition> {
    BUILT_IN.iter().find(|role| role.id.eq_ignore_ascii_case(name_or_id) || role.name.eq_ignore_ascii_case(name_or_id))
}

/// Does the text fit the pattern? `*` stands for any characters; case does not matter.
fn matches(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.to_ascii_lowercase(), text.to_ascii_lowercase());
    let mut parts = pattern.split('*');
    let Some(mut rest) = parts.next().and_then(|first| text.strip_prefix(first)) else { return false };
    let Some(last) = pattern.rsplit_once('*').map(|(_, last)| last) else { return rest.is_empty() };
    let between: Vec<&str> = parts.collect();
    let between = between.split_last().map_or(&[][..], |(_, between)| between);
    for part in between {
        match rest.split_once(part) {
            Some((_, after)) => rest = after,
            None => return false,
        }
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns() {
        assert!(matches("a/*", "A/b/c") && matches("*", "x") && matches("a/*/read", "a/b/read"));
        assert!(matches("a/b", "a/b") && matches("*/read", "x/y/read") && matches("a*b*c", "axbxxc"));
        assert!(!matches("a/b", "a/bc") && !matches("a/*/read", "a/b/write") && !matches("a*b*c", "acb"));
        assert!(!matches("a/*", "b/a/") && !matches("", "a"));
    }
}
