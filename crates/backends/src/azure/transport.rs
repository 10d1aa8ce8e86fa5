//! Requests and answers: the challenge, tokens, and trying again.

use std::sync::Arc;

use azure_core::credentials::TokenCredential;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue, WWW_AUTHENTICATE};
use reqwest::{Method, StatusCode};
use serde::Serialize;
use serde::de::DeserializeOwned;
use strongroom_wire::{Error, ErrorKind};
use tokio::sync::Mutex;
use zeroize::Zeroizing;

use super::challenge;
use super::translate::{Subject, error, unexpected};
use super::unavailable;
use crate::retry::{Repeat, Retry, asked_to_wait, why};

/// Most bytes in an answer: a backup of hundreds of versions fits.
const ANSWER_LIMIT: usize = 64 * 1024 * 1024;

/// One vault's requests.
pub(super) struct Transport {
    url: String,
    host: String,
    credential: Arc<dyn TokenCredential>,
    http: reqwest::Client,
    retry: Retry,
    /// The scope of tokens, once a challenge has told it. The credential keeps the tokens.
    scope: Mutex<Option<String>>,
}

impl Transport {
    pub(super) fn new(url: &str, credential: Arc<dyn TokenCredential>, http: reqwest::Client) -> Result<Self, Error> {
        let parsed = reqwest::Url::parse(url).ok().filter(|url| url.scheme() == "https");
        let host = parsed.as_ref().and_then(|url| url.host_str()).map(str::to_owned);
        let host = host.ok_or_else(|| Error::bad_parameter("a vault's URL is https://HOST[:PORT]"))?;
        Ok(Self {
            url: url.trim_end_matches('/').to_owned(),
            host,
            credential,
            http,
            retry: Retry::default(),
            scope: Mutex::new(None),
        })
    }

    pub(super) fn retry_mut(&mut self) -> &mut Retry {
        &mut self.retry
    }

    pub(super) fn url(&self) -> &str {
        &self.url
    }

    /// Sends a request and reads the JSON answer.
    pub(super) async fn call<B: Serialize + Sync, A: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        api_version: &str,
        body: Option<&B>,
        repeat: Repeat,
        subject: Subject,
    ) -> Result<A, Error> {
        let answer = self.send(method, path, api_version, body, repeat, subject).await?;
        // The decoder's own text could quote a value.
        serde_json::from_slice(&answer).map_err(|_unreadable| unexpected("an answer that is not as documented"))
    }

    /// Sends a request, again if need be, and reads the answer.
    pub(super) async fn send<B: Serialize + Sync>(
        &self,
        method: Method,
        path: &str,
        api_version: &str,
        body: Option<&B>,
        repeat: Repeat,
        subject: Subject,
    ) -> Result<Zeroizing<Vec<u8>>, Error> {
        let separator = if path.contains('?') { '&' } else { '?' };
        let url = format!("{}{path}{separator}api-version={api_version}", self.url);
        let body = body.map(serde_json::to_vec).transpose();
        let body = body.map_err(|_unwritable| unexpected("a request that cannot be written"))?.map(Zeroizing::new);
        let tries = self.try_until(&method, &url, body.as_ref().map(|body| body.as_slice()), repeat, subject);
        self.retry.within_deadline(tries).await.unwrap_or_else(|| Err(unavailable("not in time")))
    }

    async fn try_until(
        &self,
        method: &Method,
        url: &str,
        body: Option<&[u8]>,
        repeat: Repeat,
        subject: Subject,
    ) -> Result<Zeroizing<Vec<u8>>, Error> {
        let mut attempts = self.retry.attempts();
        loop {
            let outcome = attempts.one(self.try_once(method, url, body)).await;
            let (fault, again, asked) = match outcome.unwrap_or_else(Failure::hangs) {
                Ok((status, _, answer)) if status.is_success() => return Ok(answer),
                Ok((status, headers, answer)) => {
                    let id = headers.get("x-ms-request-id").and_then(|id| id.to_str().ok());
                    let fault = error(status.as_u16(), &answer, subject).with_request_id(id);
                    (fault, repeat.after(status), asked_to_wait(&headers))
                }
                Err(Failure::Connection { fault, reached }) => {
                    (unavailable(fault), repeat.after_silence(reached), None)
                }
                Err(Failure::Other(fault)) => return Err(fault),
            };
            if !again || !attempts.another(asked).await {
                return Err(fault);
            }
        }
    }

    async fn try_once(
        &self,
        method: &Method,
        url: &str,
        body: Option<&[u8]>,
    ) -> Result<(StatusCode, HeaderMap, Zeroizing<Vec<u8>>), Failure> {
        let scope = {
            // Held while the scope is learnt: however many begin at once, one is challenged, and the
            // others find its connection.
            let mut known = self.scope.lock().await;
            if known.is_none() {
                // As the SDKs do: the first request goes out without token and body, to be challenged.
                let (status, headers, answer) = self.exchange(method, url, None, None).await?;
                if status != StatusCode::UNAUTHORIZED {
                    return Ok((status, headers, answer));
                }
                *known = Some(self.scope_of(&headers)?);
            }
            known.clone().unwrap_or_default()
        };
        let token = self.token(&scope).await?;
        self.exchange(method, url, Some(&token), body).await
    }

    fn scope_of(&self, headers: &HeaderMap) -> Result<String, Failure> {
        let header = headers.get(WWW_AUTHENTICATE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        challenge::scope(header, &self.host).map_err(Failure::Other)
    }

    async fn token(&self, scope: &str) -> Result<Zeroizing<String>, Failure> {
        // The credential has tried again already.
        let token = self.credential.get_token(&[scope], None).await.map_err(|fault| {
            Failure::Other(if is_network(&fault) {
                unavailable(format!("no token: {fault}"))
            } else {
                Error::new(ErrorKind::Unauthorized, format!("No token: {fault}"))
            })
        })?;
        Ok(Zeroizing::new(format!("Bearer {}", token.token.secret())))
    }

    async fn exchange(
        &self,
        method: &Method,
        url: &str,
        token: Option<&str>,
        body: Option<&[u8]>,
    ) -> Result<(StatusCode, HeaderMap, Zeroizing<Vec<u8>>), Failure> {
        let mut request = self.http.request(method.clone(), url).header("accept", "application/json");
        if let Some(token) = token {
            let mut value = HeaderValue::from_str(token)
                .map_err(|_unusable| Failure::Other(unexpected("a token that is no header value")))?;
            value.set_sensitive(true);
            request = request.header(AUTHORIZATION, value);
        }
        request = match body {
            Some(body) => request.header("content-type", "application/json").body(body.to_vec()),
            None => request.header("content-length", "0"),
        };
        // The URL in the client's errors is no secret, but its query is long and tells nobody anything.
        let connection = |fault: reqwest::Error| {
            let reached = !fault.is_connect();
            Failure::Connection { fault: why(&fault.without_url()), reached }
        };
        let mut response = request.send().await.map_err(connection)?;
        let (status, headers) = (response.status(), response.headers().clone());
        let mut answer = Zeroizing::new(Vec::new());
        while let Some(chunk) = response.chunk().await.map_err(connection)? {
            if answer.len().saturating_add(chunk.len()) > ANSWER_LIMIT {
                return Err(Failure::Other(unexpected("an answer that is too large")));
            }
            answer.extend_from_slice(&chunk);
        }
        Ok((status, headers, answer))
    }
}

/// Did the login endpoint not answer, rather than refuse?
fn is_network(fault: &azure_core::Error) -> bool {
    use azure_core::error::ErrorKind;
    let mut below: Option<&(dyn std::error::Error + 'static)> = Some(fault);
    while let Some(fault) = below {
        let kind = fault.downcast_ref::<azure_core::Error>().map(azure_core::Error::kind);
        if matches!(kind, Some(ErrorKind::Connection | ErrorKind::Io)) {
            return true;
        }
        below = fault.source();
    }
    false
}

enum Failure {
    /// No answer; `reached` when the request may have arrived.
    Connection {
        fault: String,
        reached: bool,
    },
    Other(Error),
}

impl Failure {
    fn hangs<T>() -> Result<T, Self> {
        Err(Self::Connection { fault: "not in time".to_owned(), reached: true })
    }
}
