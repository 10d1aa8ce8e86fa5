//! One call: what the handlers are given, and how they read it.

use std::sync::Arc;

use http::Method;
use http::header::{HeaderMap, IF_MATCH, IF_NONE_MATCH};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use serde::de::DeserializeOwned;
use strongroom_store::Cx;
use strongroom_wire::config::{
    Conditions, Fields, Filter, KeyValueId, MAX_PATTERNS, Problem, StoreName, TagFilter, parse_date,
};
use strongroom_wire::{Error, ErrorKind, json};
use zeroize::Zeroizing;

use crate::app::App;
use crate::config_stores::ServerStore;

/// More parameters than any client sends.
const MAX_PARAMETERS: usize = 64;

/// A call that has been authenticated, routed and authorized.
pub(super) struct Call {
    /// The store.
    pub(super) store: Arc<ServerStore>,
    /// The server.
    pub(super) app: Arc<App>,
    /// The index of the store's endpoint.
    pub(super) endpoint: usize,
    /// The store's name.
    pub(super) name_of_store: StoreName,
    /// Context.
    pub(super) cx: Cx,
    /// The api-version.
    pub(super) version: ApiVersion,
    /// The method.
    pub(super) method: Method,
    /// What stands behind the first segment, decoded once.
    pub(super) name: Option<String>,
    /// Query parameters.
    pub(super) parameters: Parameters,
    /// Headers.
    pub(super) headers: HeaderMap,
    /// The body.
    pub(super) body: Zeroizing<Vec<u8>>,
}

impl Call {
    /// The key-value that path and `label` name.
    pub(super) fn id(&self) -> Result<KeyValueId, Problem> {
        KeyValueId::new(self.name.as_deref().unwrap_or_default(), self.parameters.get("label"))
    }

    /// `If-Match` and `If-None-Match`.
    pub(super) fn conditions(&self) -> Conditions {
        let header = |name| self.headers.get(name).and_then(|value| value.to_str().ok());
        Conditions::new(header(IF_MATCH), header(IF_NONE_MATCH))
    }

    /// `Accept-Datetime`, unix seconds.
    pub(super) fn at(&self) -> Result<Option<i64>, Problem> {
        let Some(value) = self.headers.get("accept-datetime") else { return Ok(None) };
        let at = value.to_str().ok().and_then(parse_date);
        at.map(Some).ok_or_else(|| Problem::invalid("Accept-Datetime", "It is not a date."))
    }

    /// A filter in a parameter; absent lets everything through.
    pub(super) fn filter(&self, name: &'static str) -> Result<Filter, Problem> {
        Filter::parse(name, self.parameters.get(name).unwrap_or_default())
    }

    /// The tag filters. Versions before `since` know none.
    pub(super) fn tags(&self, since: ApiVersion) -> Result<Vec<TagFilter>, Problem> {
        if self.version < since {
            return Ok(Vec::new());
        }
        let tags: Vec<&str> = self.parameters.all("tags").filter(|tag| !tag.is_empty()).collect();
        if tags.len() > MAX_PATTERNS {
            return Err(Problem::invalid("tags", format!("There are at most {MAX_PATTERNS} tag filters.")));
        }
        tags.into_iter().map(|tag| TagFilter::parse("tags", tag)).collect()
    }

    /// `$select`, or `fields` as it was called once.
    fn select(&self) -> Option<&str> {
        self.parameters.get("$select").or_else(|| self.parameters.get("fields"))
    }

    /// The members of key-values that are wanted.
    pub(super) fn fields(&self) -> Result<Fields, Problem> {
        Fields::of_key_value(self.select())
    }

    /// The members of snapshots that are wanted.
    pub(super) fn snapshot_fields(&self) -> Result<Fields, Problem> {
        Fields::of_snapshot(self.select())
    }

    /// Is it a client that knows descriptions?
    pub(super) fn knows_description(&self) -> bool {
        self.version >= ApiVersion::DESCRIPTION
    }

    /// The store's external base URL, without a trailing slash.
    pub(super) fn url(&self) -> String {
        self.app
            .endpoints
            .get(self.endpoint)
            .map(|endpoint| endpoint.store_url(&self.name_of_store))
            .unwrap_or_default()
    }

    /// The api-version, as links have it.
    pub(super) fn version_text(&self) -> String {
        self.version.text()
    }

    /// `after`, as it came.
    pub(super) fn after(&self) -> Option<&str> {
        self.parameters.get("after").filter(|after| !after.is_empty())
    }

    /// The JSON body. An empty one counts as `{}`.
    pub(super) fn json<T: DeserializeOwned>(&self) -> Result<T, Problem> {
        let body: &[u8] = if self.body.is_empty() { b"{}" } else { &self.body };
        json::from_slice(body).map_err(|fault| Problem::invalid("body", fault.to_string()))
    }

    /// A relative reference to this list, from behind `after` on, or from its start.
    pub(super) fn link(&self, path: &str, after: Option<&str>) -> String {
        let mut link = format!("{path}?api-version={}", self.version.text());
        // Blank parameters are lost on the way through some clients, so they cannot matter.
        for (name, value) in self.parameters.0.iter().filter(|(_, value)| !value.is_empty()) {
            if matches!(name.as_str(), "key" | "label" | "name" | "tags" | "snapshot" | "status" | "$select" | "fields")
            {
                link.push_str(&format!("&{name}={}", encoded(value)));
            }
        }
        if let Some(after) = after {
            link.push_str(&format!("&after={}", encoded(after)));
        }
        link
    }
}

/// Everything but what RFC 3986 calls unreserved.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Percent-encoded.
pub(super) fn encoded(text: &str) -> String {
    utf8_percent_encode(text, RESERVED).to_string()
}

/// The query parameters of a request, decoded, names in lower case.
#[derive(Debug, Default)]
pub(super) struct Parameters(Vec<(String, String)>);

impl Parameters {
    /// Reads a raw query string.
    ///
    /// # Errors
    /// `Invalid` when it is not UTF-8, or has more parameters than anybody needs.
    pub(super) fn parse(raw: Option<&str>) -> Result<Self, Problem> {
        let decode = |text: &str| {
            if !text.contains(['+', '%']) {
                return Ok(text.to_owned());
            }
            let text = text.replace('+', " ");
            let decoded = percent_decode_str(&text).decode_utf8().map(std::borrow::Cow::into_owned);
            decoded.map_err(|_invalid| Problem::invalid("query", "It is not UTF-8."))
        };
        let pairs = raw.unwrap_or_default().split('&').filter(|pair| !pair.is_empty());
        if pairs.clone().nth(MAX_PARAMETERS).is_some() {
            return Err(Problem::invalid("query", format!("There are at most {MAX_PARAMETERS} parameters.")));
        }
        let read = pairs.map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            Ok((decode(name)?.to_ascii_lowercase(), decode(value)?))
        });
        Ok(Self(read.collect::<Result<_, _>>()?))
    }

    /// The first of that name, in lower case.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// All of that name.
    pub(super) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// An api-version: a date, or `1.0`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ApiVersion {
    date: u32,
    // Before the version itself.
    released: bool,
}

impl ApiVersion {
    /// The first, which a request without one is taken for.
    const FIRST: Self = Self::of(0);
    /// Etags of pages.
    pub(super) const PAGE_ETAG: Self = Self::preview(20231001);
    /// Tag filters on lists.
    pub(super) const LIST_TAGS: Self = Self::preview(20231101);
    /// Tag filters on one key-value.
    pub(super) const TAGS: Self = Self::preview(20240901);
    /// Descriptions.
    pub(super) const DESCRIPTION: Self = Self::preview(20260401);

    const fn of(date: u32) -> Self {
        Self { date, released: true }
    }

    const fn preview(date: u32) -> Self {
        Self { date, released: false }
    }

    /// As it stands in links.
    fn text(self) -> String {
        let Self { date, released } = self;
        if date == 0 {
            return "1.0".to_owned();
        }
        let (year, month, day) = (date / 10_000, date / 100 % 100, date % 100);
        format!("{year:04}-{month:02}-{day:02}{}", if released { "" } else { "-preview" })
    }
}

/// Reads `api-version`.
///
/// # Errors
/// `ApiVersion`.
pub(super) fn api_version(parameters: &Parameters) -> Result<ApiVersion, Problem> {
    let mut given = parameters.all("api-version").filter(|version| !version.is_empty());
    let Some(version) = given.next() else { return Ok(ApiVersion::FIRST) };
    if given.any(|other| other != version) {
        return Err(Problem::ApiVersion("Ambiguous API version"));
    }
    if version == "1.0" {
        return Ok(ApiVersion::FIRST);
    }
    let (date, released) = version.strip_suffix("-preview").map_or((version, true), |date| (date, false));
    let date = date_number(date).ok_or(Problem::ApiVersion("Invalid API version"))?;
    // A range, not a list: clients pin old versions and bring new ones.
    match date {
        20190101.. => Ok(ApiVersion { date, released }),
        _ => Err(Problem::ApiVersion("Unsupported API version")),
    }
}

/// `2023-11-01` as 20231101.
fn date_number(text: &str) -> Option<u32> {
    let mut number = 0_u32;
    for (at, byte) in text.bytes().enumerate() {
        match (at, byte) {
            (4 | 7, b'-') => {}
            (0..=3 | 5 | 6 | 8 | 9, b'0'..=b'9') => {
                number = number.checked_mul(10)?.checked_add(u32::from(byte.wrapping_sub(b'0')))?;
            }
            _ => return None,
        }
    }
    (text.len() == 10).then_some(number)
}

/// The problem of an error of the stores.
pub(super) const fn problem(error: &Error) -> Problem {
    match error.kind {
        ErrorKind::VaultNotFound | ErrorKind::DeletedButRecoverable => Problem::NotFound,
        ErrorKind::Unavailable => Problem::Unavailable("The server's store is not available; try again."),
        _ => Problem::Internal,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_a_range() {
        let read = |query: &str| api_version(&Parameters::parse(Some(query)).unwrap());
        assert_eq!(read("").unwrap(), ApiVersion::FIRST);
        assert_eq!(read("api-version=1.0").unwrap().text(), "1.0");
        for good in ["2022-11-01-preview", "2023-10-01", "2026-04-01", "2026-05-01-preview"] {
            assert_eq!(read(&format!("API-Version={good}")).unwrap().text(), good);
        }
        let title = |query: &str| read(query).unwrap_err().to_string();
        assert_eq!(title("api-version=7.4"), "Invalid API version");
        assert_eq!(title("api-version=2009-01-01"), "Unsupported API version");
        assert_eq!(title("api-version=1.0&api-version=2023-10-01"), "Ambiguous API version");
        assert!(read("api-version=2023-10-01").unwrap() >= ApiVersion::PAGE_ETAG);
        assert!(read("api-version=2022-11-01-preview").unwrap() < ApiVersion::PAGE_ETAG);
        assert!(read("api-version=2026-04-01-preview").unwrap() >= ApiVersion::DESCRIPTION);
    }
}
