//! One call of a data-plane operation: what the handlers are given, and how they read it.

use std::collections::HashMap;
use std::sync::Arc;

use serde::de::DeserializeOwned;
use strongroom_store::vault::{Cursor, Target};
use strongroom_store::{Cx, Vault};
use strongroom_wire::Error;
use strongroom_wire::ids::{Kind, ObjectName, Version};
use strongroom_wire::page::MAX_RESULTS;
use strongroom_wire::{base64url, json};
use zeroize::Zeroizing;

/// A call that has been authenticated, routed and authorized.
pub struct Call {
    /// The vault.
    pub vault: Arc<dyn Vault>,
    /// Its external base URL, without a trailing slash.
    pub base: String,
    /// Context.
    pub cx: Cx,
    /// `{name}`, decoded, not yet validated.
    pub name: Option<String>,
    /// `{version}`, decoded, not yet validated.
    pub version: Option<String>,
    /// Query parameters.
    pub query: Query,
    /// The body.
    pub body: Zeroizing<Vec<u8>>,
}

impl Call {
    /// The object's name.
    ///
    /// # Errors
    /// `BadParameter` when it is not a legal name.
    pub fn name(&self) -> Result<ObjectName, Error> {
        ObjectName::parse(self.name.as_deref().unwrap_or_default())
    }

    /// The object and version.
    ///
    /// # Errors
    /// `BadParameter` when the name is not legal; not found when the version cannot be one.
    pub fn target(&self, kind: Kind) -> Result<Target, Error> {
        let name = self.name()?;
        let version = match self.version.as_deref() {
            None => None,
            Some(text) => {
                let shown: String = text.chars().filter(char::is_ascii_alphanumeric).take(32).collect();
                let version = Version::parse(text);
                Some(version.ok_or_else(|| Error::not_found(kind, &format!("{name}/{shown}")))?)
            }
        };
        Ok(Target { kind, name, version })
    }

    /// The JSON body. An empty one counts as `{}`.
    ///
    /// # Errors
    /// `BadParameter`, with the place but never the content.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, Error> {
        let body: &[u8] = if self.body.is_empty() { b"{}" } else { &self.body };
        json::from_slice(body).map_err(|fault| Error::bad_parameter(fault.to_string()))
    }

    /// `maxresults` and `$skiptoken`.
    ///
    /// # Errors
    /// `BadParameter` when either is not valid.
    pub fn paging(&self) -> Result<(usize, Option<Cursor>), Error> {
        let limit = match self.query.get("maxresults") {
            None => MAX_RESULTS,
            Some(text) => text
                .parse::<usize>()
                .ok()
                .filter(|limit| (1..=MAX_RESULTS).contains(limit))
                .ok_or_else(|| Error::bad_parameter(format!("maxresults is a number from 1 to {MAX_RESULTS}")))?,
        };
        let after = self.query.get("$skiptoken").filter(|token| !token.is_empty());
        Ok((limit, after.map(decode_skip_token).transpose()?))
    }

    /// The URL of the page after `cursor`.
    #[must_use]
    pub fn next_link(&self, path: &str, limit: usize, cursor: &Cursor) -> String {
        let version = self.query.get("api-version").unwrap_or_default();
        let version: String = version.chars().filter(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-')).collect();
        let token = base64url::encode(cursor.0.as_bytes());
        format!("{}{path}?api-version={version}&$skiptoken={token}&maxresults={limit}", self.base)
    }
}

fn decode_skip_token(token: &str) -> Result<Cursor, Error> {
    let bytes = base64url::decode(token).ok().filter(|bytes| bytes.len() <= 256);
    let text = bytes.and_then(|bytes| String::from_utf8(bytes).ok());
    text.map(Cursor)
        .ok_or_else(|| Error::bad_parameter("The $skiptoken is not one that this vault gave; start the list anew"))
}

/// The query parameters of a request, decoded. Names compare without case; the first of equals
/// counts.
#[derive(Debug, Default)]
pub struct Query(HashMap<String, String>);

impl Query {
    /// Reads a raw query string. What is not UTF-8 is replaced, and so matches nothing.
    #[must_use]
    pub fn parse(raw: Option<&str>) -> Self {
        let decode =
            |text: &str| percent_encoding::percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned();
        let mut parameters = HashMap::new();
        for pair in raw.unwrap_or_default().split('&').filter(|pair| !pair.is_empty()).take(64) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            parameters.entry(decode(name).to_ascii_lowercase()).or_insert_with(|| decode(value));
        }
        Self(parameters)
    }

    /// A parameter by its name in lower case.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameter_names_may_be_encoded() {
        let query = Query::parse(Some("api%2Dversion=7.4&%24skiptoken=YQ&maxResults=3&api-version=9"));
        assert_eq!(query.get("api-version"), Some("7.4"));
        assert_eq!(query.get("$skiptoken"), Some("YQ"));
        assert_eq!(query.get("maxresults"), Some("3"));
    }
}
