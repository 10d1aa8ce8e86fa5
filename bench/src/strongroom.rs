//! The server under load: the release binary, on its core.

use std::collections::HashMap;
use std::path::Path;
use std::rc::Rc;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::VALUE;
use crate::https::Https;
use crate::load::Request;
use crate::process::{Running, on_server_core};

/// A folder on the disk that the project is on: a folder in memory would make every write durable
/// for nothing.
pub(crate) fn folder() -> TempDir {
    TempDir::new_in("target").unwrap()
}

/// A running server.
pub(crate) struct Strongroom {
    process: Running,
    variables: HashMap<String, String>,
    _folder: Option<TempDir>,
}

impl Strongroom {
    /// In `data`, or in a new folder.
    pub(crate) fn start(program: &str, data: Option<&Path>) -> Self {
        let own = data.is_none().then(folder);
        let data = data.or_else(|| own.as_ref().map(TempDir::path)).unwrap();
        let mut command = on_server_core(program);
        command.args(["dev", "--port", "0", "--data", data.to_str().unwrap()]).env("RUST_BACKTRACE", "0");
        let (process, _) = Running::start(command, "Stop with Ctrl-C");
        let file = std::fs::read_to_string(data.join("strongroom.env")).unwrap();
        let pairs = file.lines().map(|line| line.split_once('=').unwrap());
        let variables = pairs.map(|(name, value)| (name.to_owned(), value.trim_matches('\'').to_owned())).collect();
        Self { process, variables, _folder: own }
    }

    /// Megabytes of memory that are its own.
    pub(crate) fn resident_mb(&self) -> f64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.0.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches(" kB").parse::<f64>().unwrap() / 1024.0
    }

    /// A variable of its environment file.
    pub(crate) fn variable(&self, name: &str) -> &str {
        &self.variables[name]
    }

    fn port(&self) -> u16 {
        self.variable("AZURE_KEYVAULT_URL").trim_end_matches('/').rsplit(':').next().unwrap().parse().unwrap()
    }

    /// One of its hosts.
    pub(crate) fn https(&self, host: &str) -> Https {
        Https::new(host, self.port(), &std::fs::read(self.variable("STRONGROOM_CA_FILE")).unwrap())
    }

    /// A token for a resource of its own.
    pub(crate) async fn token(&self, resource: &str) -> String {
        let port = self.port();
        let form = format!(
            "grant_type=client_credentials&client_id={}&client_secret={}&scope=https%3A%2F%2F{resource}%3A{port}%2F.default",
            self.variable("AZURE_CLIENT_ID"),
            self.variable("AZURE_CLIENT_SECRET")
        );
        let path = format!("/{}/oauth2/v2.0/token", self.variable("AZURE_TENANT_ID"));
        let request = format!(
            "POST {path} HTTP/1.1\r\nhost: login.localhost:{port}\r\n\
             content-type: application/x-www-form-urlencoded\r\ncontent-length: {}\r\n\r\n{form}",
            form.len()
        );
        let mut connection = self.https("login.localhost").connect().await;
        let (status, body) = connection.ask(request.as_bytes()).await;
        assert_eq!(status, 200, "{}", String::from_utf8_lossy(body));
        let answer: Value = serde_json::from_slice(body).unwrap();
        answer["access_token"].as_str().unwrap().to_owned()
    }

    /// Logs in at a vault.
    pub(crate) async fn login(&self) -> Vault {
        Vault { https: self.https("dev.vault.localhost"), token: self.token("vault.localhost").await }
    }
}

/// A request with a token, as it goes out.
pub(crate) fn request(https: &Https, token: &str, api: &str, (method, path): (&str, &str), body: &Value) -> Vec<u8> {
    let body = if body.is_null() { String::new() } else { body.to_string() };
    let separator = if path.contains('?') { '&' } else { '?' };
    format!(
        "{method} {path}{separator}{api} HTTP/1.1\r\nhost: {}:{}\r\nauthorization: Bearer {token}\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        https.host,
        https.port,
        body.len()
    )
    .into_bytes()
}

/// A vault, logged in at.
pub(crate) struct Vault {
    pub(crate) https: Https,
    token: String,
}

impl Vault {
    pub(crate) fn request(&self, method: &str, path: &str, body: &Value) -> Vec<u8> {
        request(&self.https, &self.token, "api-version=7.4", (method, path), body)
    }

    /// What the load asks for.
    pub(crate) async fn prepare(&self) {
        let mut connection = self.https.connect().await;
        let value = json!({ "value": "v".repeat(VALUE) });
        for (method, path, body) in [
            ("PUT", "/secrets/read", value),
            ("POST", "/keys/ec/create", json!({ "kty": "EC" })),
            ("POST", "/keys/rsa/create", json!({ "kty": "RSA" })),
        ] {
            let (status, body) = connection.ask(&self.request(method, path, &body)).await;
            assert_eq!(status, 200, "{}", String::from_utf8_lossy(body));
        }
    }

    pub(crate) fn get(&self) -> Request {
        self.constant("GET", "/secrets/read", &Value::Null)
    }

    pub(crate) fn sign(&self, key: &str, algorithm: &str) -> Request {
        let digest = "A".repeat(43);
        self.constant("POST", &format!("/keys/{key}/sign"), &json!({ "alg": algorithm, "value": digest }))
    }

    /// A new secret each time.
    pub(crate) fn set(&self) -> Request {
        let template = self.request("PUT", "/secrets/written-0000000000", &json!({ "value": "v".repeat(VALUE) }));
        let text = String::from_utf8(template).unwrap();
        Rc::new(move |number| text.replacen("0000000000", &format!("{number:010}"), 1).into_bytes())
    }

    fn constant(&self, method: &str, path: &str, body: &Value) -> Request {
        let request = self.request(method, path, body);
        Rc::new(move |_| request.clone())
    }
}
