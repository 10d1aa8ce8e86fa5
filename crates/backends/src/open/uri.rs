//! A vault's URI, taken apart.

use std::path::PathBuf;

use percent_encoding::percent_decode_str;

use super::OpenError;

/// `SCHEME:PATH?NAME=VALUE&…`: the path as it stands, the query decoded.
#[derive(Clone, PartialEq, Eq)]
pub struct VaultUri {
    scheme: String,
    path: String,
    query: Vec<(String, String)>,
}

/// Without the query: people put PINs there. And without what stands before a host.
impl std::fmt::Debug for VaultUri {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let shown = self.path.rsplit_once('@').map_or(self.path.as_str(), |(_login, host)| host);
        write!(f, "{}:{shown}", self.scheme)
    }
}

impl VaultUri {
    /// Takes a URI apart.
    ///
    /// # Errors
    /// [`OpenError::Uri`], which does not repeat what was given.
    pub fn parse(uri: &str) -> Result<Self, OpenError> {
        let (scheme, rest) = uri.split_once(':').ok_or_else(|| OpenError::uri(super::KNOWN))?;
        let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
        let decoded = |text: &str| percent_decode_str(text).decode_utf8().map(std::borrow::Cow::into_owned);
        let query = query.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            Ok((decoded(name)?, decoded(value)?))
        });
        let query: Result<_, std::str::Utf8Error> = query.collect();
        let query = query.map_err(|_fault| OpenError::uri("the query of the vault's URI is not UTF-8"))?;
        Ok(Self { scheme: scheme.to_ascii_lowercase(), path: path.to_owned(), query })
    }

    /// In lower case.
    #[must_use]
    pub fn scheme(&self) -> &str {
        &self.scheme
    }

    /// What stands between the scheme and the query, as it was given.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The path as a file's: `file:dir`, `file:/dir` and `file:///dir` name folders.
    ///
    /// # Errors
    /// [`OpenError::Uri`] when there is none.
    pub fn file_path(&self) -> Result<PathBuf, OpenError> {
        let path = self.path.strip_prefix("//").unwrap_or(&self.path);
        let path = percent_decode_str(path).decode_utf8();
        let path = path.map_err(|_fault| OpenError::uri("the path of the vault's URI is not UTF-8"))?;
        if path.is_empty() {
            return Err(OpenError::uri("the vault's URI names no folder: file:/some/folder"));
        }
        Ok(PathBuf::from(path.as_ref()))
    }

    /// A member of the query.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// Refuses members of the query that nobody reads: a mistyped one must not be passed over.
    ///
    /// # Errors
    /// [`OpenError::Uri`], which names the known ones.
    pub fn only(&self, known: &[&str]) -> Result<(), OpenError> {
        match self.query.iter().find(|(name, _)| !known.contains(&name.as_str())) {
            None => Ok(()),
            Some((name, _)) => Err(OpenError::Uri(format!(
                "{}: does not know {name:?} in its query; it knows {}",
                self.scheme,
                known.join(", ")
            ))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uris_are_taken_apart() {
        let uri = VaultUri::parse("file:///var/keys%20of/app?vault=other&passphrase-file=/run/p%26q").unwrap();
        assert_eq!((uri.scheme(), uri.file_path().unwrap()), ("file", PathBuf::from("/var/keys of/app")));
        assert_eq!((uri.get("vault"), uri.get("passphrase-file")), (Some("other"), Some("/run/p&q")));
        assert_eq!(uri.get("none"), None);
        assert!(uri.only(&["vault", "passphrase-file"]).is_ok());
        assert!(uri.only(&["vault"]).unwrap_err().to_string().contains("passphrase-file"));
        assert_eq!(VaultUri::parse("file:keys").unwrap().file_path().unwrap(), PathBuf::from("keys"));
        for wrong in ["", "keys", "file:", "file:?x", "file:x?%ff=1"] {
            assert!(VaultUri::parse(wrong).and_then(|uri| uri.file_path()).is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_is_shown_holds_no_secret() {
        let uri = VaultUri::parse("redis://app:hush@localhost:6379/0?pin-value=hush").unwrap();
        assert_eq!(format!("{uri:?}"), "redis:localhost:6379/0");
    }
}
