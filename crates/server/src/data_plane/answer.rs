//! Answers: the JSON bodies, and the headers that every one of them has.

use std::net::SocketAddr;

use axum::body::Body;
use http::header::{
    CACHE_CONTROL, CONTENT_TYPE, EXPIRES, HeaderName, HeaderValue, PRAGMA, RETRY_AFTER, WWW_AUTHENTICATE,
};
use http::{Response, StatusCode};
use serde::Serialize;
use strongroom_wire::{Error, ErrorKind};

/// A success.
#[derive(Debug)]
pub enum Answer {
    /// 200 with a JSON body.
    Json(Vec<u8>),
    /// 204.
    NoContent,
}

impl Answer {
    /// 200 with `body` as JSON.
    ///
    /// # Errors
    /// `Internal` when it cannot be written as JSON.
    pub fn json<T: Serialize>(body: &T) -> Result<Self, Error> {
        serde_json::to_vec(body).map(Self::Json).map_err(|fault| {
            tracing::error!(%fault, "an answer could not be written");
            Error::new(ErrorKind::Internal, "The server met a fault of its own; see its log")
        })
    }
}

/// What the headers of an answer tell.
pub struct Envelope<'a> {
    /// A new id for the request.
    pub request_id: &'a str,
    /// The client's own, echoed.
    pub client_request_id: Option<HeaderValue>,
    /// The client's address.
    pub peer: SocketAddr,
    /// The region that the server says it is in.
    pub region: &'a str,
}

const JSON: HeaderValue = HeaderValue::from_static("application/json; charset=utf-8");

impl Envelope<'_> {
    /// The response to a success.
    #[must_use]
    pub fn success(&self, answer: Answer) -> Response<Body> {
        match answer {
            Answer::Json(body) => self.response(StatusCode::OK, Some(body)),
            Answer::NoContent => self.response(StatusCode::NO_CONTENT, None),
        }
    }

    /// The response to a refusal or failure; a 401 has a challenge.
    #[must_use]
    pub fn failure(&self, error: &Error, challenge: Option<&str>) -> Response<Body> {
        let (status, _, _) = error.kind.wire();
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let body = serde_json::to_vec(&error.body()).unwrap_or_default();
        let mut response = self.response(status, Some(body));
        let headers = response.headers_mut();
        if let Some(challenge) = challenge.and_then(|text| HeaderValue::from_str(text).ok()) {
            headers.insert(WWW_AUTHENTICATE, challenge);
        }
        if matches!(error.kind, ErrorKind::Throttled | ErrorKind::Unavailable) {
            headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }

    fn response(&self, status: StatusCode, body: Option<Vec<u8>>) -> Response<Body> {
        let mut response = Response::new(body.map_or_else(Body::empty, Body::from));
        *response.status_mut() = status;
        let has_body = status != StatusCode::NO_CONTENT;
        let headers = response.headers_mut();
        if has_body {
            headers.insert(CONTENT_TYPE, JSON);
        }
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        headers.insert(PRAGMA, HeaderValue::from_static("no-cache"));
        headers.insert(EXPIRES, HeaderValue::from_static("-1"));
        let fixed = [
            ("x-ms-keyvault-service-version", "1.9.2203.1"),
            ("strict-transport-security", "max-age=31536000;includeSubDomains"),
            ("x-content-type-options", "nosniff"),
        ];
        for (name, value) in fixed {
            headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        let family = if self.peer.is_ipv4() { "Ipv4" } else { "Ipv6" };
        let network = format!("conn_type={family};addr={};act_addr_fam=InterNetwork;", self.peer.ip().to_canonical());
        let varying = [
            ("x-ms-keyvault-region", self.region),
            ("x-ms-keyvault-network-info", &network),
            ("x-ms-request-id", self.request_id),
        ];
        for (name, value) in varying {
            if let Ok(value) = HeaderValue::from_str(value) {
                headers.insert(HeaderName::from_static(name), value);
            }
        }
        if let Some(value) = &self.client_request_id {
            headers.insert(HeaderName::from_static("x-ms-client-request-id"), value.clone());
        }
        response
    }
}
