//! Answers: bodies with their media types, and the headers that every one of them has.

use axum::body::Body;
use http::header::{
    ALLOW, CONTENT_TYPE, ETAG, HeaderName, HeaderValue, LAST_MODIFIED, LINK, RETRY_AFTER, STRICT_TRANSPORT_SECURITY,
    WWW_AUTHENTICATE, X_CONTENT_TYPE_OPTIONS,
};
use http::{Method, Response, StatusCode};
use serde::Serialize;
use strongroom_wire::base64url;
use strongroom_wire::config::{Problem, http_date};

const PROBLEM: &str = "application/problem+json; charset=utf-8";

/// A success, or a 304.
#[derive(Debug)]
pub(super) struct Reply {
    status: StatusCode,
    media_type: Option<&'static str>,
    body: Vec<u8>,
    headers: Vec<(HeaderName, String)>,
}

impl Reply {
    /// 200 with `body` as JSON of this media type.
    pub(super) fn json<T: Serialize>(media_type: &'static str, body: &T) -> Result<Self, Problem> {
        let body = serde_json::to_vec(body).map_err(|fault| {
            tracing::error!(%fault, "an answer could not be written");
            Problem::Internal
        })?;
        Ok(Self { status: StatusCode::OK, media_type: Some(media_type), body, headers: Vec::new() })
    }

    /// 304.
    pub(super) const fn not_modified() -> Self {
        Self { status: StatusCode::NOT_MODIFIED, media_type: None, body: Vec::new(), headers: Vec::new() }
    }

    /// 204.
    pub(super) const fn no_content() -> Self {
        Self { status: StatusCode::NO_CONTENT, media_type: None, body: Vec::new(), headers: Vec::new() }
    }

    /// An empty 404, where headers are wanted.
    pub(super) const fn not_found() -> Self {
        Self { status: StatusCode::NOT_FOUND, media_type: None, body: Vec::new(), headers: Vec::new() }
    }

    /// With this status.
    pub(super) const fn status(mut self, status: StatusCode) -> Self {
        self.status = status;
        self
    }

    /// With a header.
    pub(super) fn header(mut self, name: HeaderName, value: String) -> Self {
        self.headers.push((name, value));
        self
    }

    /// With `ETag`.
    pub(super) fn etag(self, etag: &str) -> Self {
        self.header(ETAG, format!("\"{etag}\""))
    }

    /// With `Last-Modified`, unix seconds.
    pub(super) fn last_modified(self, seconds: i64) -> Self {
        self.header(LAST_MODIFIED, http_date(seconds))
    }

    /// With the link to the next page.
    pub(super) fn next(self, link: Option<&str>) -> Self {
        match link {
            Some(link) => self.header(LINK, format!("<{link}>; rel=\"next\"")),
            None => self,
        }
    }

    /// With what a look back in time has (RFC 7089): the moment, and the link to the present.
    pub(super) fn memento(self, at: Option<i64>, original: Option<&str>) -> Self {
        let Some(at) = at else { return self };
        let reply = self.header(HeaderName::from_static("memento-datetime"), http_date(at));
        match original {
            Some(original) => reply.header(LINK, format!("<{original}>; rel=\"original\"")),
            None => reply,
        }
    }

    /// Does the answer to this method have a body?
    pub(super) fn has_body(&self, method: &Method) -> bool {
        *method != Method::HEAD && !self.body.is_empty()
    }
}

/// What the headers of an answer tell.
pub(super) struct Envelope<'a> {
    /// A new id for the request.
    pub(super) request_id: &'a str,
    /// The client's own, echoed.
    pub(super) client_request_id: Option<HeaderValue>,
}

impl Envelope<'_> {
    /// The response to a success.
    pub(super) fn success(&self, reply: Reply, sequence: u64) -> Response<Body> {
        let mut response = self.response(reply.status, reply.media_type, reply.body, Some(sequence));
        let headers = response.headers_mut();
        for (name, value) in reply.headers {
            if let Ok(value) = HeaderValue::from_str(&value) {
                headers.append(name, value);
            }
        }
        response
    }

    /// The response to a refusal or failure.
    pub(super) fn failure(&self, problem: &Problem, sequence: Option<u64>) -> Response<Body> {
        let status = StatusCode::from_u16(problem.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let body = problem.body().and_then(|body| serde_json::to_vec(&body).ok());
        let media_type = body.as_ref().map(|_| PROBLEM);
        let sequence = sequence.filter(|_| status.as_u16() < 500);
        let mut response = self.response(status, media_type, body.unwrap_or_default(), sequence);
        let headers = response.headers_mut();
        match problem {
            Problem::Unauthorized { description, bearer } => {
                let told = challenge(description);
                let (hmac, token) = if *bearer { (String::new(), told) } else { (told, String::new()) };
                for (scheme, told) in [("HMAC-SHA256", hmac), ("Bearer", token)] {
                    if let Ok(value) = HeaderValue::from_str(&format!("{scheme}{told}")) {
                        headers.append(WWW_AUTHENTICATE, value);
                    }
                }
            }
            Problem::MethodNotAllowed(known) => {
                if let Ok(known) = HeaderValue::from_str(known) {
                    headers.insert(ALLOW, known);
                }
            }
            Problem::Quota(_) => {
                headers.insert(RETRY_AFTER, HeaderValue::from_static("60"));
                headers.insert(HeaderName::from_static("retry-after-ms"), HeaderValue::from_static("60000"));
            }
            Problem::Unavailable(_) => {
                headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
                headers.insert(HeaderName::from_static("retry-after-ms"), HeaderValue::from_static("500"));
            }
            _ => {}
        }
        response
    }

    fn response(
        &self,
        status: StatusCode,
        media_type: Option<&'static str>,
        body: Vec<u8>,
        sequence: Option<u64>,
    ) -> Response<Body> {
        let mut response = Response::new(Body::from(body));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        if let Some(media_type) = media_type {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
        }
        if let Some(sequence) = sequence {
            let value = base64url::encode(sequence.to_string().as_bytes());
            if let Ok(value) = HeaderValue::from_str(&format!("kv={value};sn={sequence}")) {
                headers.insert(HeaderName::from_static("sync-token"), value);
            }
        }
        if let Ok(id) = HeaderValue::from_str(self.request_id) {
            headers.insert(HeaderName::from_static("x-ms-request-id"), id);
        }
        if let Some(id) = &self.client_request_id {
            headers.insert(HeaderName::from_static("x-ms-client-request-id"), id.clone());
        }
        headers.insert(STRICT_TRANSPORT_SECURITY, HeaderValue::from_static("max-age=31536000; includeSubDomains"));
        headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        response
    }
}

/// What follows the scheme in a challenge.
fn challenge(description: &str) -> String {
    let error = match description {
        "" => return String::new(),
        "Authentication scheme disabled" => "forbidden",
        _ => "invalid_token",
    };
    let plain: String = description.chars().filter(|c| !matches!(c, '"' | '\\') && !c.is_control()).collect();
    format!(" error=\"{error}\", error_description=\"{plain}\"")
}
