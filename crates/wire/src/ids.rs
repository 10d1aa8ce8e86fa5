//! Names, versions and identifiers (REST reference, "Keys, secrets and certificates").

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::error::Error;

/// What kind of object a vault holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A secret.
    Secret,
    /// A key.
    Key,
}

impl Kind {
    /// All of them.
    pub const ALL: &'static [Self] = &[Self::Secret, Self::Key];

    /// First path segment of live objects.
    #[must_use]
    pub const fn collection(self) -> &'static str {
        match self {
            Self::Secret => "secrets",
            Self::Key => "keys",
        }
    }

    /// First path segment of soft-deleted objects.
    #[must_use]
    pub const fn deleted_collection(self) -> &'static str {
        match self {
            Self::Secret => "deletedsecrets",
            Self::Key => "deletedkeys",
        }
    }

    /// As it stands within a sentence.
    #[must_use]
    pub const fn noun(self) -> &'static str {
        match self {
            Self::Secret => "secret",
            Self::Key => "key",
        }
    }

    /// As it stands at the start of a sentence.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::Secret => "Secret",
            Self::Key => "Key",
        }
    }

    /// `error.code` of a 404.
    #[must_use]
    pub const fn not_found_code(self) -> &'static str {
        match self {
            Self::Secret => "SecretNotFound",
            Self::Key => "KeyNotFound",
        }
    }
}

/// The name of a secret or key: 1 to 127 of `0-9 a-z A-Z -`.
///
/// Names compare without regard to case and keep the case first used.
#[derive(Clone, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ObjectName(String);

impl ObjectName {
    /// Most characters in a name.
    pub const MAX_LEN: usize = 127;

    /// Reads a name.
    ///
    /// # Errors
    /// `BadParameter` when it is empty, too long, or holds another character.
    pub fn parse(name: &str) -> Result<Self, Error> {
        let legal = !name.is_empty()
            && name.len() <= Self::MAX_LEN
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        if legal {
            return Ok(Self(name.to_owned()));
        }
        Err(Error::bad_parameter(
            "The request URI contains an invalid name: a name has 1 to 127 characters, each a letter, a digit or a \
             hyphen (^[0-9a-zA-Z-]+$)",
        ))
    }

    /// The name in the case first used.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The form that names are compared and stored under.
    #[must_use]
    pub fn folded(&self) -> String {
        self.0.to_ascii_lowercase()
    }
}

impl PartialEq for ObjectName {
    fn eq(&self, other: &Self) -> bool {
        self.0.eq_ignore_ascii_case(&other.0)
    }
}

impl Eq for ObjectName {}

impl fmt::Display for ObjectName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for ObjectName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for ObjectName {
    type Error = Error;

    fn try_from(name: String) -> Result<Self, Error> {
        Self::parse(&name)
    }
}

impl From<ObjectName> for String {
    fn from(name: ObjectName) -> Self {
        name.0
    }
}

/// The version of an object: 32 lower-case hexadecimal digits, read in either case.
///
/// Versions sort in the order in which they were made (their first 48 bits are the time of
/// creation in milliseconds, as in a UUIDv7, RFC 9562 section 5.7).
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Version(u128);

impl Version {
    /// A version made from its 128 bits.
    #[must_use]
    pub const fn from_bits(bits: u128) -> Self {
        Self(bits)
    }

    /// Its 128 bits.
    #[must_use]
    pub const fn bits(self) -> u128 {
        self.0
    }

    /// Reads a version; `None` when the text can name none (so that it is simply not found).
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let legal = text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        if !legal {
            return None;
        }
        u128::from_str_radix(text, 16).ok().map(Self)
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Debug for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl TryFrom<String> for Version {
    type Error = Error;

    fn try_from(text: String) -> Result<Self, Error> {
        Self::parse(&text).ok_or_else(|| Error::bad_parameter("a version is 32 hexadecimal digits"))
    }
}

impl From<Version> for String {
    fn from(version: Version) -> Self {
        version.to_string()
    }
}

/// The name of a vault: 3 to 24 letters, digits and single hyphens, starting with a letter and
/// ending with a letter or digit. Folded to lower case.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct VaultName(String);

impl VaultName {
    /// Reads a name.
    ///
    /// # Errors
    /// `BadParameter` when it is not a legal vault name.
    pub fn parse(name: &str) -> Result<Self, Error> {
        let bytes = name.as_bytes();
        let legal = (3..=24).contains(&bytes.len())
            && bytes.first().is_some_and(u8::is_ascii_alphabetic)
            && bytes.last().is_some_and(u8::is_ascii_alphanumeric)
            && bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'-')
            && !name.contains("--");
        if legal {
            return Ok(Self(name.to_ascii_lowercase()));
        }
        Err(Error::bad_parameter(
            "A vault name has 3 to 24 letters, digits and single hyphens, starts with a letter and ends with a letter \
             or digit",
        ))
    }

    /// The name in lower case.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for VaultName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for VaultName {
    type Error = Error;

    fn try_from(name: String) -> Result<Self, Error> {
        Self::parse(&name)
    }
}

impl From<VaultName> for String {
    fn from(name: VaultName) -> Self {
        name.0
    }
}

/// The identifier `{vault}/{collection}/{name}[/{version}]`; `vault` is the external base URL
/// without a trailing slash.
#[must_use]
pub fn object_id(vault: &str, collection: &str, name: &ObjectName, version: Option<Version>) -> String {
    match version {
        Some(version) => format!("{vault}/{collection}/{name}/{version}"),
        None => format!("{vault}/{collection}/{name}"),
    }
}

/// Takes an identifier apart: collection, name and version. The vault part is not looked at.
///
/// # Errors
/// `BadParameter` when it is not an identifier.
pub fn parse_object_id(id: &str) -> Result<(String, ObjectName, Option<Version>), Error> {
    let malformed = || Error::bad_parameter("not an object identifier ({vault}/{collection}/{name}[/{version}])");
    let path = id.split_once("://").map(|(_, rest)| rest).ok_or_else(malformed)?;
    let mut segments = path.split('/').skip(1).filter(|segment| !segment.is_empty());
    let collection = segments.next().ok_or_else(malformed)?.to_owned();
    let name = ObjectName::parse(segments.next().ok_or_else(malformed)?)?;
    let version = segments.next().map(|text| Version::parse(text).ok_or_else(malformed)).transpose()?;
    if segments.next().is_some() {
        return Err(malformed());
    }
    Ok((collection, name, version))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_bounded_and_compare_without_case() {
        assert!(ObjectName::parse("org-abc123--msgraph-client-secret").is_ok());
        for bad in ["", "bad_name", "a/b", "é", &"a".repeat(128)] {
            assert!(ObjectName::parse(bad).is_err(), "{bad}");
        }
        assert!(ObjectName::parse(&"a".repeat(127)).is_ok());
        assert_eq!(ObjectName::parse("Ab").unwrap(), ObjectName::parse("aB").unwrap());
    }

    #[test]
    fn versions_are_32_hex_digits() {
        let version = Version::parse("0190ABCDEF0070008000000000000001").unwrap();
        assert_eq!(version.to_string(), "0190abcdef0070008000000000000001");
        for bad in ["", "1", "+190abcdef0070008000000000000001", "0190abcdef007000800000000000000g"] {
            assert!(Version::parse(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn vault_names_follow_the_documented_rule() {
        for good in ["dev", "a-b", "myVault1"] {
            assert!(VaultName::parse(good).is_ok(), "{good}");
        }
        for bad in ["ab", "1ab", "a--b", "ab-", "a_b", &"a".repeat(25)] {
            assert!(VaultName::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn ids_round_trip() {
        let name = ObjectName::parse("K").unwrap();
        let version = Version::from_bits(7);
        let id = object_id("https://v.vault.localhost:8443", "keys", &name, Some(version));
        assert_eq!(id, "https://v.vault.localhost:8443/keys/K/00000000000000000000000000000007");
        assert_eq!(parse_object_id(&id).unwrap(), ("keys".to_owned(), name, Some(version)));
        assert!(parse_object_id("https://v/keys/a/b/c").is_err());
    }
}
