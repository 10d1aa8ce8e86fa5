//! Requests and answers, and trying again.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderValue, IF_MATCH, IF_NONE_MATCH};
use reqwest::{Method, StatusCode};
use serde::de::DeserializeOwned;
use zeroize::Zeroizing;

use super::access::Access;
use super::{Condition, ConfigError};
use crate::retry::{Repeat, Retry, asked_to_wait, now, why};

/// Most bytes in an answer: a page of a hundred key-values fits.
const ANSWER_LIMIT: usize = 16 * 1024 * 1024;

/// Everything but what RFC 3986 calls unreserved.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Percent-encoded.
pub(super) fn encoded(text: &str) -> String {
    utf8_percent_encode(text, RESERVED).to_string()
}

/// One store's requests.
pub(super) struct Exchange {
    endpoint: String,
    host: String,
    access: Access,
    http: reqwest::Client,
    retry: Retry,
}

/// An answer that is no failure.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    body: Zeroizing<Vec<u8>>,
}

impl Answer {
    pub(super) fn json<T: DeserializeOwned>(&self) -> Result<T, ConfigError> {
        // The decoder's own text could quote a value.
        serde_json::from_slice(&self.body)
            .map_err(|_unreadable| ConfigError::Unavailable("an answer that is not as documented".to_owned()))
    }
}

impl Exchange {
    pub(super) fn new(endpoint: &str, access: Access, http: reqwest::Client) -> Result<Self, ConfigError> {
        let url = reqwest::Url::parse(endpoint).ok().filter(|url| url.scheme() == "https");
        let host = url.as_ref().and_then(|url| {
            let host = url.host_str()?;
            Some(url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}")))
        });
        let host = host.ok_or_else(|| ConfigError::Invalid("a store's endpoint is https://HOST[:PORT]".to_owned()))?;
        Ok(Self { endpoint: endpoint.trim_end_matches('/').to_owned(), host, access, http, retry: Retry::default() })
    }

    pub(super) fn retry_mut(&mut self) -> &mut Retry {
        &mut self.retry
    }

    pub(super) fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// Sends a request, again if need be. 404 and 204 are answers.
    pub(super) async fn send(
        &self,
        method: Method,
        target: &str,
        body: Option<Vec<u8>>,
        condition: Condition<'_>,
    ) -> Result<Answer, ConfigError> {
        let body = Zeroizing::new(body.unwrap_or_default());
        let repeat = if method == Method::GET { Repeat::Freely } else { Repeat::WhenRefused };
        let tries = async {
            let mut attempts = self.retry.attempts();
            loop {
                // A write that may have been done is not repeated: with a condition it would seem to fail.
                let outcome = attempts.one(self.try_once(&method, target, &body, condition)).await;
                let (outcome, again, asked) = match outcome.unwrap_or_else(Failure::hangs) {
                    Ok((status, headers, answer)) => {
                        let asked = asked_to_wait(&headers);
                        (judge(status, &headers, answer), repeat.after(status), asked)
                    }
                    Err(Failure::Connection { fault, reached }) => {
                        (Err(ConfigError::Unavailable(fault)), repeat.after_silence(reached), None)
                    }
                    Err(Failure::Other(fault)) => return Err(fault),
                };
                if !again || !attempts.another(asked).await {
                    return outcome;
                }
            }
        };
        let late = || Err(ConfigError::Unavailable("not in time".to_owned()));
        self.retry.within_deadline(tries).await.unwrap_or_else(late)
    }

    async fn try_once(
        &self,
        method: &Method,
        target: &str,
        body: &[u8],
        condition: Condition<'_>,
    ) -> Result<(StatusCode, HeaderMap, Zeroizing<Vec<u8>>), Failure> {
        let mut headers = HeaderMap::new();
        self.access.prove(&mut headers, method, (&self.host, target), body, now()).await?;
        let unusable = |_fault| Failure::Other(ConfigError::Invalid("the etag cannot stand in a header".to_owned()));
        match condition {
            Condition::None => {}
            Condition::Absent => drop(headers.insert(IF_NONE_MATCH, HeaderValue::from_static("*"))),
            Condition::Unchanged(etag) => {
                let value = HeaderValue::from_str(&format!("\"{etag}\"")).map_err(unusable)?;
                headers.insert(IF_MATCH, value);
            }
        }
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/vnd.microsoft.appconfig.kv+json"));
        let request = self.http.request(method.clone(), format!("{}{target}", self.endpoint));
        let connection = |fault: reqwest::Error| {
            let reached = !fault.is_connect();
            Failure::Connection { fault: why(&fault.without_url()), reached }
        };
        let mut response = request.headers(headers).body(body.to_vec()).send().await.map_err(connection)?;
        let (status, headers) = (response.status(), response.headers().clone());
        let mut answer = Zeroizing::new(Vec::new());
        while let Some(chunk) = response.chunk().await.map_err(connection)? {
            if answer.len().saturating_add(chunk.len()) > ANSWER_LIMIT {
                return Err(ConfigError::Unavailable("an answer that is too large".to_owned()).into());
            }
            answer.extend_from_slice(&chunk);
        }
        Ok((status, headers, answer))
    }
}

enum Failure {
    /// No answer; `reached` when the request may have arrived.
    Connection {
        fault: String,
        reached: bool,
    },
    Other(ConfigError),
}

impl Failure {
    fn hangs<T>() -> Result<T, Self> {
        Err(Self::Connection { fault: "not in time".to_owned(), reached: true })
    }
}

impl From<ConfigError> for Failure {
    fn from(fault: ConfigError) -> Self {
        Self::Other(fault)
    }
}

fn judge(status: StatusCode, headers: &HeaderMap, body: Zeroizing<Vec<u8>>) -> Result<Answer, ConfigError> {
    let told = || {
        let problem: serde_json::Value = serde_json::from_slice(&body).unwrap_or_default();
        let text =
            |member: &str| problem.get(member).and_then(serde_json::Value::as_str).unwrap_or_default().to_owned();
        format!("{} {}", text("title"), text("detail")).trim().to_owned()
    };
    match status.as_u16() {
        200..=299 | 404 => Ok(Answer { status, body }),
        400 | 413 | 415 => Err(ConfigError::Invalid(told())),
        401 => {
            let why = headers.get_all("www-authenticate").iter().filter_map(|value| value.to_str().ok());
            let why = why.filter_map(|value| value.split_once("error_description=").map(|(_, text)| text)).next();
            Err(ConfigError::Unauthorized(why.map(|why| format!(": {}", why.trim_matches('"'))).unwrap_or_default()))
        }
        403 => Err(ConfigError::Forbidden),
        409 => Err(ConfigError::Locked),
        412 => Err(ConfigError::Changed),
        code => Err(ConfigError::Unavailable(format!("{code} {}", told()).trim().to_owned())),
    }
}
