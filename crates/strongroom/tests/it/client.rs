//! Plain HTTPS clients of a running server: of its vaults with a token of the server's own, and of
//! its configuration store with a connection string.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::{Certificate, Method, StatusCode};
use serde_json::{Value, json};
use strongroom_crypto::{hmac_sha256, sha256};

/// Logged in as one application, at one vault.
#[derive(Clone)]
pub(crate) struct Client {
    pub(crate) http: reqwest::Client,
    pub(crate) vault: String,
    pub(crate) token: Arc<String>,
    pub(crate) login: String,
    pub(crate) client_id: String,
}

/// Where a server is and how to log in there.
pub(crate) struct Login<'a> {
    pub(crate) ca_pem: &'a [u8],
    pub(crate) domain: &'a str,
    pub(crate) port: u16,
    pub(crate) tenant: &'a str,
    pub(crate) client_id: &'a str,
    pub(crate) client_secret: &'a str,
}

impl Login<'_> {
    /// Trusts only this authority, and resolves the server's names to loopback.
    pub(crate) fn http(&self) -> reqwest::Client {
        let certificate = Certificate::from_pem(self.ca_pem).unwrap();
        let names = ["login", "dev.vault", "other.vault", "early.vault", "production.vault", "dev.azconfig"];
        let client = reqwest::Client::builder().no_proxy().tls_certs_only([certificate]);
        let here = SocketAddr::from(([127, 0, 0, 1], 0));
        let client = names.iter().fold(client, |client, name| client.resolve(&format!("{name}.{}", self.domain), here));
        client.build().unwrap()
    }

    pub(crate) fn url(&self) -> String {
        format!("https://login.{}:{}/{}/oauth2/v2.0/token", self.domain, self.port, self.tenant)
    }

    /// The token endpoint's answer.
    pub(crate) async fn token(&self, http: &reqwest::Client) -> (StatusCode, Value) {
        let form = format!(
            "grant_type=client_credentials&client_id={}&client_secret={}&scope={}",
            self.client_id,
            self.client_secret.replace('%', "%25").replace('+', "%2B").replace('&', "%26").replace('=', "%3D"),
            format_args!("https%3A%2F%2Fvault.{}%3A{}%2F.default", self.domain, self.port),
        );
        let request = http.post(self.url()).header("content-type", "application/x-www-form-urlencoded").body(form);
        let response = request.send().await.unwrap();
        (response.status(), response.json().await.unwrap())
    }

    pub(crate) async fn client(&self, vault: &str) -> Client {
        let http = self.http();
        let (status, answer) = self.token(&http).await;
        assert_eq!(status, 200, "{answer}");
        Client {
            http,
            vault: format!("https://{vault}.vault.{}:{}", self.domain, self.port),
            token: Arc::new(answer["access_token"].as_str().unwrap().to_owned()),
            login: self.url(),
            client_id: self.client_id.to_owned(),
        }
    }
}

/// The login that a development server's environment file tells.
pub(crate) async fn dev_client(variables: &HashMap<String, String>) -> Client {
    let ca_pem = std::fs::read(&variables["STRONGROOM_CA_FILE"]).unwrap();
    let port = variables["AZURE_KEYVAULT_URL"].rsplit(':').next().unwrap();
    let login = Login {
        ca_pem: &ca_pem,
        domain: &variables["STRONGROOM_DOMAIN"],
        port: port.trim_end_matches('/').parse().unwrap(),
        tenant: &variables["AZURE_TENANT_ID"],
        client_id: &variables["AZURE_CLIENT_ID"],
        client_secret: &variables["AZURE_CLIENT_SECRET"],
    };
    login.client("dev").await
}

impl Client {
    /// The same caller at another vault of the same server.
    pub(crate) fn at(&self, vault: &str) -> Self {
        let (_, rest) = self.vault.split_once('.').unwrap();
        Self { vault: format!("https://{vault}.{rest}"), ..self.clone() }
    }

    pub(crate) async fn try_call(&self, method: Method, path: &str, body: Value) -> reqwest::Result<(u16, Value)> {
        let separator = if path.contains('?') { '&' } else { '?' };
        let url = format!("{}{path}{separator}api-version=7.4", self.vault);
        let mut request = self.http.request(method, url).bearer_auth(&self.token);
        if !body.is_null() {
            request = request.json(&body);
        }
        let response = request.send().await?;
        let status = response.status().as_u16();
        let bytes = response.bytes().await?;
        Ok((status, serde_json::from_slice(&bytes).unwrap_or(Value::Null)))
    }

    pub(crate) async fn call(&self, method: Method, path: &str, body: Value) -> (u16, Value) {
        self.try_call(method, path, body).await.unwrap()
    }

    pub(crate) async fn get(&self, path: &str) -> (u16, Value) {
        self.call(Method::GET, path, Value::Null).await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> (u16, Value) {
        self.call(Method::POST, path, body).await
    }

    #[track_caller]
    pub(crate) fn set_secret(&self, name: &str, value: &str) -> impl Future<Output = Value> {
        let (path, body) = (format!("/secrets/{name}"), json!({ "value": value }));
        async move {
            let (status, answer) = self.call(Method::PUT, &path, body).await;
            assert_eq!(status, 200, "{answer}");
            answer
        }
    }

    /// The value of a secret; `None` when there is no such secret.
    pub(crate) async fn secret(&self, name: &str) -> Option<String> {
        let (status, answer) = self.get(&format!("/secrets/{name}")).await;
        match status {
            200 => Some(answer["value"].as_str().unwrap().to_owned()),
            404 => None,
            other => panic!("{other}: {answer}"),
        }
    }

    /// Every item of a list, over all its pages.
    pub(crate) async fn list(&self, path: &str) -> Vec<Value> {
        let mut all = Vec::new();
        let mut next = Some(format!("{}{path}?api-version=7.4", self.vault));
        while let Some(url) = next {
            let response = self.http.get(url).bearer_auth(&self.token).send().await.unwrap();
            assert_eq!(response.status(), 200);
            let page: Value = response.json().await.unwrap();
            all.extend(page["value"].as_array().unwrap().iter().cloned());
            next = page["nextLink"].as_str().map(str::to_owned);
        }
        all
    }
}

/// At one configuration store, with one of its access keys.
#[derive(Clone)]
pub(crate) struct ConfigClient {
    pub(crate) http: reqwest::Client,
    pub(crate) endpoint: String,
    pub(crate) id: String,
    /// Base64, as in the connection string.
    pub(crate) secret: String,
}

impl ConfigClient {
    /// From a connection string.
    pub(crate) fn new(http: &reqwest::Client, connection_string: &str) -> Self {
        let part = |name: &str| {
            let mut parts = connection_string.split(';').filter_map(|part| part.strip_prefix(name));
            parts.next().unwrap().to_owned()
        };
        Self { http: http.clone(), endpoint: part("Endpoint="), id: part("Id="), secret: part("Secret=") }
    }

    /// A signed request to `target`, a path with a query.
    pub(crate) fn request(&self, method: Method, target: &str, body: String) -> reqwest::RequestBuilder {
        let host = self.endpoint.trim_start_matches("https://");
        let hash = STANDARD.encode(sha256(body.as_bytes()));
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        let date = strongroom_wire::config::http_date(i64::try_from(now).unwrap());
        let text = format!("{method}\n{target}\n{date};{host};{hash}");
        let signature = STANDARD.encode(hmac_sha256(&STANDARD.decode(&self.secret).unwrap(), text.as_bytes()));
        let signed = "SignedHeaders=x-ms-date;host;x-ms-content-sha256";
        self.http
            .request(method, format!("{}{target}", self.endpoint))
            .header("authorization", format!("HMAC-SHA256 Credential={}&{signed}&Signature={signature}", self.id))
            .header("x-ms-date", date)
            .header("x-ms-content-sha256", hash)
            .header("content-type", "application/json")
            .body(body)
    }

    /// `path` has a query already, or none.
    pub(crate) async fn try_call(&self, method: Method, path: &str, body: Value) -> reqwest::Result<(u16, Value)> {
        let separator = if path.contains('?') { '&' } else { '?' };
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let request = self.request(method, &format!("{path}{separator}api-version=2026-04-01"), body);
        let response = request.send().await?;
        let status = response.status().as_u16();
        let bytes = response.bytes().await?;
        Ok((status, serde_json::from_slice(&bytes).unwrap_or(Value::Null)))
    }

    pub(crate) async fn get(&self, path: &str) -> (u16, Value) {
        self.try_call(Method::GET, path, Value::Null).await.unwrap()
    }

    /// Every item of a list, over all its pages.
    pub(crate) async fn list(&self, path: &str) -> Vec<Value> {
        let (mut all, mut next) = (Vec::new(), Some(format!("{path}&api-version=2026-04-01")));
        while let Some(target) = next {
            let response = self.request(Method::GET, &target, String::new()).send().await.unwrap();
            assert_eq!(response.status(), 200);
            let page: Value = response.json().await.unwrap();
            all.extend(page["items"].as_array().unwrap().iter().cloned());
            next = page["@nextLink"].as_str().map(str::to_owned);
        }
        all
    }
}
