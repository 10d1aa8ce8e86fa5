//! A request or answer, as much as signatures see of it.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use strongroom_crypto::{constant_time_eq, sha256, sha512};

use super::structured::{bytes, parse_dictionary, read_bytes};
use super::{HttpSignatureError, malformed};

/// What stays as it is in the value of a query parameter (RFC 9421 section 2.2.8).
const QUERY: &AsciiSet = &NON_ALPHANUMERIC.remove(b'*').remove(b'-').remove(b'.').remove(b'_');

/// A request or answer: what it is, its fields, and its body if it has one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    start: Start,
    fields: Vec<(String, String)>,
    body: Option<Vec<u8>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Start {
    Request { method: String, scheme: String, authority: String, path: String, query: Option<String> },
    Answer { status: u16 },
}

impl Message {
    /// A request to an absolute `http` or `https` URI. The receiver builds it from its own scheme and the
    /// `Host` it was asked by.
    ///
    /// # Errors
    /// [`HttpSignatureError::Malformed`].
    pub fn request(method: &str, target_uri: &str) -> Result<Self, HttpSignatureError> {
        let wrong = || malformed("the target is no absolute http or https URI");
        if !target_uri.bytes().all(|byte| byte.is_ascii_graphic()) || method.is_empty() {
            return Err(wrong());
        }
        let without_fragment = target_uri.split('#').next().unwrap_or_default();
        let (scheme, rest) = without_fragment.split_once("://").ok_or_else(wrong)?;
        let scheme = scheme.to_ascii_lowercase();
        let port = match scheme.as_str() {
            "https" => ":443",
            "http" => ":80",
            _ => return Err(wrong()),
        };
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, rest) = rest.split_at_checked(end).ok_or_else(wrong)?;
        let authority = authority.to_ascii_lowercase();
        let authority = authority.strip_suffix(port).unwrap_or(&authority).to_owned();
        if authority.is_empty() || authority.contains('@') {
            return Err(wrong());
        }
        let (path, query) = rest.split_once('?').map_or((rest, None), |(path, query)| (path, Some(query.to_owned())));
        let path = if path.is_empty() { "/" } else { path }.to_owned();
        let start = Start::Request { method: method.to_owned(), scheme, authority, path, query };
        Ok(Self { start, fields: Vec::new(), body: None })
    }

    /// An answer.
    #[must_use]
    pub const fn answer(status: u16) -> Self {
        Self { start: Start::Answer { status }, fields: Vec::new(), body: None }
    }

    /// With a field; one that stands several times is given several times, in order.
    #[must_use]
    pub fn with_field(mut self, name: &str, value: &str) -> Self {
        self.fields.push((name.to_ascii_lowercase(), value.to_owned()));
        self
    }

    /// With a body, whose digest is then signed, and held against what was signed.
    #[must_use]
    pub fn with_body(self, body: &[u8]) -> Self {
        Self { body: Some(body.to_vec()), ..self }
    }

    /// With this field in place of all of that name.
    pub(super) fn with_only(mut self, name: &str, value: &str) -> Self {
        self.fields.retain(|(known, _)| known != name);
        self.with_field(name, value)
    }

    pub(super) fn body(&self) -> Option<&[u8]> {
        self.body.as_deref()
    }

    /// All values of a field as one (section 2.1).
    pub(super) fn field(&self, name: &str) -> Option<String> {
        let values = self.fields.iter().filter(|(known, _)| known == name);
        let values: Vec<_> = values.map(|(_, value)| value.trim_matches([' ', '\t'])).collect();
        if values.is_empty() { None } else { Some(values.join(", ")) }
    }

    /// A derived component (section 2.2).
    pub(super) fn derived(&self, name: &str) -> Option<String> {
        match &self.start {
            Start::Answer { status } => (name == "@status").then(|| status.to_string()),
            Start::Request { method, scheme, authority, path, query } => {
                let marked = query.as_ref().map(|query| format!("?{query}"));
                Some(match name {
                    "@method" => method.clone(),
                    "@scheme" => scheme.clone(),
                    "@authority" => authority.clone(),
                    "@path" => path.clone(),
                    "@query" => marked.unwrap_or_else(|| "?".to_owned()),
                    "@target-uri" => format!("{scheme}://{authority}{path}{}", marked.unwrap_or_default()),
                    "@request-target" => format!("{path}{}", marked.unwrap_or_default()),
                    _ => return None,
                })
            }
        }
    }

    /// The value of a query parameter that stands once.
    pub(super) fn query_param(&self, wanted: &str) -> Option<String> {
        let Start::Request { query: Some(query), .. } = &self.start else { return None };
        let encoded = |text: &str| {
            let text = text.replace('+', " ");
            let text = percent_decode_str(&text).decode_utf8_lossy().into_owned();
            utf8_percent_encode(&text, QUERY).to_string()
        };
        let pairs = query.split('&').map(|pair| pair.split_once('=').unwrap_or((pair, "")));
        let mut values = pairs.filter(|(name, _)| encoded(name) == wanted).map(|(_, value)| encoded(value));
        let value = values.next();
        if values.next().is_some() { None } else { value }
    }

    /// Holds the body against `Content-Digest`: every digest of a kind that is known has to be right, and
    /// there has to be one.
    pub(super) fn check_body(&self) -> Result<(), HttpSignatureError> {
        let Some(body) = &self.body else { return Ok(()) };
        let field = self.field("content-digest").ok_or(HttpSignatureError::Body)?;
        let mut known = 0;
        for (name, raw) in parse_dictionary(&field)? {
            let right = match name {
                "sha-256" => sha256(body).to_vec(),
                "sha-512" => sha512(body).to_vec(),
                _ => continue,
            };
            known += 1;
            if !read_bytes(raw).is_some_and(|digest| constant_time_eq(&digest, &right)) {
                return Err(HttpSignatureError::Body);
            }
        }
        if known > 0 { Ok(()) } else { Err(HttpSignatureError::Body) }
    }
}

/// A body's digest as the value of `Content-Digest` (RFC 9530), with SHA-256.
///
/// ```
/// use strongroom::http_signatures::content_digest;
/// assert_eq!(content_digest(b"{}"), "sha-256=:RBNvo1WzZ4oRRq0W9+hknpT7T8If536DEMBg9hyq/4o=:");
/// ```
#[must_use]
pub fn content_digest(body: &[u8]) -> String {
    format!("sha-256={}", bytes(&sha256(body)))
}
