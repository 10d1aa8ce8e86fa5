//! Names of secrets: `{org}--{key}` and `GLOBAL--{key}`, in the characters that a vault takes.

use strongroom_crypto::sha256;
use strongroom_wire::ids::ObjectName;

use super::SecretError;

/// The scope of secrets for all organisations.
pub const GLOBAL: &str = "GLOBAL";

/// Characters of a name that cannot stay as it is, that are kept to be read by people.
const READABLE: usize = 32;

/// The name of a secret in the vault.
///
/// Vaults take letters, digits and hyphens, and do not tell upper from lower case. What is written in
/// lower case with single hyphens stays as it is; anything else (`API_KEY`, `smtp.password`) becomes a
/// readable form with a hash behind it, so that two names never meet in one secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretName(String);

impl SecretName {
    /// Of one organisation.
    #[must_use]
    pub fn of_org(org: &str, key: &str) -> Self {
        Self(format!("{}--{}", part(org), part(key)))
    }

    /// For all organisations.
    #[must_use]
    pub fn global(key: &str) -> Self {
        Self(format!("{GLOBAL}--{}", part(key)))
    }

    /// The name in the vault.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Scope and key of a name in the vault; of a hashed part, what the vault has. `None` when it is
    /// not of this form.
    #[must_use]
    pub fn split(name: &str) -> Option<(&str, &str)> {
        name.split_once("--").filter(|(scope, key)| !scope.is_empty() && !key.is_empty())
    }

    pub(super) fn object(&self) -> Result<ObjectName, SecretError> {
        super::object(&self.0)
    }
}

/// An organisation or key as it stands in a name.
fn part(text: &str) -> std::borrow::Cow<'_, str> {
    if is_plain(text) {
        return text.into();
    }
    let readable: String = text
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' })
        .take(READABLE)
        .collect();
    let readable: Vec<&str> = readable.split('-').filter(|word| !word.is_empty()).collect();
    let hash = hex::encode(sha256(text.as_bytes()).get(..8).unwrap_or_default());
    format!("{}-x{hash}", if readable.is_empty() { "name".to_owned() } else { readable.join("-") }).into()
}

/// Does it stay as it is? Not when it looks like a hashed one, or like the scope for all.
fn is_plain(text: &str) -> bool {
    let mut words = text.split('-');
    let legal = words
        .clone()
        .all(|word| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit()));
    let hashed = words
        .next_back()
        .and_then(|word| word.strip_prefix('x'))
        .is_some_and(|hash| hash.len() == 16 && hash.bytes().all(|byte| byte.is_ascii_hexdigit()));
    legal && !hashed && !text.eq_ignore_ascii_case(GLOBAL)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_names_stay_as_they_are() {
        assert_eq!(
            SecretName::of_org("org-abc123", "msgraph-client-secret").as_str(),
            "org-abc123--msgraph-client-secret"
        );
        assert_eq!(SecretName::global("smtp-password").as_str(), "GLOBAL--smtp-password");
        assert_eq!(
            SecretName::split("org-abc123--msgraph-client-secret"),
            Some(("org-abc123", "msgraph-client-secret"))
        );
        assert_eq!(SecretName::split("GLOBAL--smtp-password"), Some(("GLOBAL", "smtp-password")));
        assert_eq!(
            (SecretName::split("plain"), SecretName::split("--a"), SecretName::split("a--")),
            (None, None, None)
        );
    }

    /// Vaults do not tell upper from lower case, and take no other characters.
    #[test]
    fn no_two_names_meet_in_one_secret() {
        let keys = [
            "api-key",
            "API_KEY",
            "api_key",
            "API-KEY",
            "api.key",
            "api--key",
            "-api-key",
            "api-key-",
            "api key",
            "äpi",
            "",
            "-",
            "_",
            "a/b",
            "a\\b",
            "api-key-x0123456789abcdef",
            &"k".repeat(300),
            &format!("{}K", "k".repeat(299)),
        ];
        let orgs = ["org", "ORG", "global", "GLOBAL", "Global", "a--b", "a", "a-"];
        let mut names: Vec<String> = orgs
            .iter()
            .flat_map(|org| keys.iter().map(|key| SecretName::of_org(org, key)))
            .chain(keys.iter().map(|key| SecretName::global(key)))
            .map(|name| name.as_str().to_ascii_lowercase())
            .collect();
        let all = names.len();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), all);
        for name in names.iter().filter(|name| !name.contains(&"k".repeat(100))) {
            assert!(ObjectName::parse(name).is_ok(), "{name}");
        }
    }
}
