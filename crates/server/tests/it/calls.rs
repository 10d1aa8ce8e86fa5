//! A working call of every operation: with a role that allows it, it succeeds.

use serde_json::{Value, json};
use strongroom_server::routes::{ROUTES, Route};
use strongroom_wire::base64url::encode;

use crate::support::{Reply, TestServer};

/// The P-256 key of RFC 7517, appendix A.2.
pub(crate) fn ec_jwk() -> Value {
    json!({
        "kty": "EC", "crv": "P-256",
        "x": "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4",
        "y": "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM",
        "d": "870MB6gfuTJ4HtUnUvYMyJpr5eUZNP4Bk43bVdj3eAE",
    })
}

/// The path with its placeholders filled; the version is left out.
pub(crate) fn path(route: &Route, name: &str) -> String {
    route.path.replace("{name}", name).replace("{version?}", "")
}

pub(crate) fn route(id: &str) -> &'static Route {
    ROUTES.iter().find(|route| route.id == id).unwrap()
}

/// One vault of a server, as an administrator sees it.
pub(crate) struct Workshop<'a> {
    pub(crate) server: &'a TestServer,
    pub(crate) vault: &'a str,
    pub(crate) token: String,
    ciphertext: Value,
}

impl<'a> Workshop<'a> {
    /// With an RSA key named `rsa`.
    pub(crate) async fn new(server: &'a TestServer, vault: &'a str, token: String) -> Self {
        let mut workshop = Self { server, vault, token, ciphertext: Value::Null };
        workshop.admin("POST", "/keys/rsa/create", json!({"kty": "RSA"})).await;
        let plaintext = json!({"alg": "RSA-OAEP-256", "value": encode(&[1; 32])});
        workshop.ciphertext = workshop.admin("POST", "/keys/rsa/encrypt", plaintext).await["value"].clone();
        workshop
    }

    /// Calls as the administrator; must succeed.
    pub(crate) async fn admin(&self, method: &str, path: &str, body: Value) -> Value {
        self.server.call(self.vault, &self.token, method, path, &body).await.ok()
    }

    /// Calls as whoever has the token.
    pub(crate) async fn call(&self, token: &str, route: &Route, path: &str, body: &Value) -> Reply {
        self.server.call(self.vault, token, route.method.as_str(), path, body).await
    }

    async fn make(&self, collection: &str, name: &str) {
        if collection == "keys" {
            self.admin("POST", &format!("/keys/{name}/create"), json!({"kty": "EC"})).await;
        } else {
            self.admin("PUT", &format!("/secrets/{name}"), json!({"value": "v"})).await;
        }
    }

    /// Brings about what the operation needs on `name`, which is new, and returns path and body of
    /// a call that succeeds when it is allowed.
    pub(crate) async fn prepare(&self, route: &Route, name: &str) -> (String, Value) {
        let collection = if route.path.contains("secrets") { "secrets" } else { "keys" };
        let (live, deleted) = (format!("/{collection}/{name}"), format!("/deleted{collection}/{name}"));
        let cipher = || json!({"alg": "RSA-OAEP-256", "value": self.ciphertext});
        let digest = encode(&[2; 32]);
        match route.id {
            "S1" => return (live, json!({"value": "v"})),
            "K1" => return (path(route, name), json!({"kty": "EC"})),
            "K3" => return (live, json!({"key": ec_jwk()})),
            "K11" | "K15" => return (path(route, "rsa"), json!({"alg": "RSA-OAEP-256", "value": encode(&[1; 32])})),
            "K12" | "K16" => return (path(route, "rsa"), cipher()),
            "K13" => return (path(route, "rsa"), json!({"alg": "RS256", "value": digest})),
            "K14" => {
                let body = json!({"alg": "RS256", "digest": digest, "value": encode(&[3; 256])});
                return (path(route, "rsa"), body);
            }
            _ => self.make(collection, name).await,
        }
        match route.id {
            "S12" | "K10" => {
                let blob = self.admin("POST", &format!("{live}/backup"), Value::Null).await;
                self.admin("DELETE", &live, Value::Null).await;
                self.admin("DELETE", &deleted, Value::Null).await;
                (path(route, name), blob)
            }
            "S3" | "K5" => (path(route, name), json!({"tags": {"a": "b"}})),
            "K23" => {
                let action = json!({"trigger": {"timeAfterCreate": "P90D"}, "action": {"type": "Rotate"}});
                (path(route, name), json!({"lifetimeActions": [action], "attributes": {}}))
            }
            _ => {
                if route.path.starts_with("/deleted") {
                    self.admin("DELETE", &live, Value::Null).await;
                }
                (path(route, name), Value::Null)
            }
        }
    }
}
