//! Paths, methods, hosts, parameters and headers, of a caller who may do everything: what is odd
//! means what it says or is refused by the contract's code.

use http::Method;
use serde_json::{Value, json};

use crate::support::{API, Reply, TestServer, client, send};
use crate::wire::{Wire, exchange};

pub(crate) async fn start() -> (TestServer, String) {
    let server = TestServer::start().await;
    let token = server.token(&server.administrator().await).await;
    (server, token)
}

pub(crate) async fn sent(
    server: &TestServer,
    token: &str,
    method: &str,
    path: &str,
    body: impl Into<reqwest::Body>,
) -> Reply {
    let query = if path.contains('?') { String::new() } else { format!("?{API}") };
    let url = format!("{}{path}{query}", server.vault_url("dev"));
    let authorization = format!("Bearer {token}");
    let headers = [("authorization", authorization.as_str()), ("content-type", "application/json")];
    send(&server.http, method.parse().unwrap(), &url, &headers, body).await
}

pub(crate) fn assert_bad_parameter(reply: &Reply, what: &str) {
    assert_eq!(reply.refusal(), (400, "BadParameter", ""), "{what}: {}", reply.text);
    assert!(!reply.message().is_empty(), "{what}");
}

#[tokio::test]
async fn the_api_version_is_required_and_every_one_that_clients_send_is_known() {
    let (server, token) = start().await;
    let list = async |query: &str| sent(&server, &token, "GET", &format!("/secrets?{query}"), "").await;
    for query in ["", "api-version=", "api-version", "x=y", "apiversion=7.4"] {
        let reply = list(query).await;
        assert_bad_parameter(&reply, query);
        assert_eq!(reply.message(), "api-version must be specified", "{query}");
    }
    for version in ["6.0", "8.0", "7", "2019-09-01", "latest", "7.4;drop", "%00", "%ff", "<script>"] {
        assert_bad_parameter(&list(&format!("api-version={version}")).await, version);
    }
    let known = "2016-10-01 2015-06-01 7.0 7.1 7.2 7.3 7.4 7.5 7.6 7.6-preview.2 7.5-preview.1 2025-06-01-preview \
                 2025-07-01 2026-03-01-preview 2026-04-01 2026-07-01-preview 2031-01-01";
    for version in known.split_whitespace() {
        assert_eq!(list(&format!("api-version={version}")).await.status, 200, "{version}");
    }
    for query in ["API-VERSION=7.4", "api%2Dversion=7.4", "a=b&api-version=7.4&c", "&&api-version=7.4&api-version=x"] {
        assert_eq!(list(query).await.status, 200, "{query}");
    }
    let many = format!("{}api-version=7.4", "a=b&".repeat(1_000));
    assert!(list(&many).await.status < 500);
}

#[tokio::test]
async fn unknown_paths_and_methods_are_bad_parameters() {
    let (server, token) = start().await;
    for (method, path) in [
        ("GET", "/"),
        ("GET", "/unknown"),
        ("GET", "/secrets/a/b/c"),
        ("GET", "/keys/a/1/sign"),
        ("POST", "/secrets"),
        ("POST", "/secrets/a"),
        ("PUT", "/secrets/a/0123456789abcdef0123456789abcdef"),
        ("PUT", "/secrets"),
        ("DELETE", "/keys"),
        ("PATCH", "/deletedkeys/a"),
        ("POST", "/keys/a/explode"),
        ("OPTIONS", "/secrets"),
        ("TRACE", "/secrets"),
        ("FROBNICATE", "/secrets"),
    ] {
        assert_bad_parameter(&sent(&server, &token, method, path, "").await, &format!("{method} {path}"));
    }
}

/// RFC 9110 section 9.3.2: whatever the answer to HEAD is, it has no content.
#[tokio::test]
async fn a_head_request_is_refused_without_content() {
    let (server, token) = start().await;
    let (status, body) = exchange(&server, &token, "HEAD", format!("/secrets?{API}")).await;
    assert_eq!((status, body), (400, Value::Null), "HTTP/1.1");
    let http2 = sent(&server, &token, "HEAD", "/secrets", "").await;
    assert_eq!((http2.status, http2.text.as_str()), (400, ""), "HTTP/2");
    assert_eq!(sent(&server, "", "HEAD", "/secrets", "").await.status, 401);
}

#[tokio::test]
async fn odd_paths_are_refused_or_mean_what_they_say() {
    let (server, token) = start().await;
    sent(&server, &token, "PUT", "/secrets/a", json!({"value": "v"}).to_string()).await.ok();
    for target in [
        "/secrets/a%2Fversions",
        "/secrets/a%2fb",
        "/secrets/%2F",
        "/secrets/a%00",
        "/secrets/%00",
        "/secrets/%ff",
        "/secrets/%C0%AF",
        "/secrets/%ED%A0%80",
        "/secrets/a%",
        "/secrets/a%2",
        "/secrets/a%zz",
        "/secrets/a%0d%0aset-cookie:x",
        "/secrets/%2e%2e%2f",
        "/secrets/..",
        "/secrets/../secrets",
        "/secrets/.",
        "/secrets/a_b",
        "/secrets/a.b",
        "/secrets/a%20",
        "/secrets/%C3%BC",
        "/secrets/a;x=y",
        "/secrets/$sys",
        "/keys/%00",
    ] {
        let (status, body) = exchange(&server, &token, "GET", format!("{target}?{API}")).await;
        assert_eq!((status, &body["error"]["code"]), (400, &json!("BadParameter")), "{target}: {body}");
    }
    // Not even a URI: refused by whoever reads it first.
    for target in [b"/secrets/\xff\xfe".as_slice(), b"/secrets/a b", b"/secrets/\x00", b"secrets", b""] {
        let (status, _) = exchange(&server, &token, "GET", target).await;
        assert!(matches!(status, 0 | 400 | 401 | 404), "{status} {target:?}");
    }
    for target in ["/secrets/a", "/secrets/a/", "//secrets//a", "/SECRETS/A", "/secrets/%61", "/%73ecrets/a"] {
        let (status, body) = exchange(&server, &token, "GET", format!("{target}?{API}")).await;
        assert_eq!((status, &body["value"]), (200, &json!("v")), "{target}");
    }
    for version in ["0123456789abcdef0123456789abcdef", "x", "..", "%00", "%2F"] {
        let (status, body) = exchange(&server, &token, "GET", format!("/secrets/a/{version}?{API}")).await;
        assert_eq!((status, &body["error"]["code"]), (404, &json!("SecretNotFound")), "{version}");
    }
}

#[tokio::test]
async fn names_have_1_to_127_characters() {
    let (server, token) = start().await;
    let value = json!({"value": "v"});
    let put = async |length: usize| {
        sent(&server, &token, "PUT", &format!("/secrets/{}", "n".repeat(length)), value.to_string()).await
    };
    put(127).await.ok();
    assert_bad_parameter(&put(128).await, "128");
    assert_bad_parameter(&put(5_000).await, "5000");
}

#[tokio::test]
async fn paging_parameters_out_of_range_or_not_ours_are_refused() {
    let (server, token) = start().await;
    let list = async |query: &str| sent(&server, &token, "GET", &format!("/secrets?{API}&{query}"), "").await;
    for bad in ["0", "26", "-1", "x", "1.5", "99999999999999999999", ""] {
        assert_bad_parameter(&list(&format!("maxresults={bad}")).await, bad);
    }
    for good in ["1", "25"] {
        list(&format!("maxresults={good}")).await.ok();
    }
    for bad in ["!", "a", &"A".repeat(5_000), "%00", "_____w"] {
        let reply = list(&format!("$skiptoken={bad}")).await;
        assert!(reply.status < 500, "{bad}: {}", reply.text);
    }
}

/// `X-HTTP-METHOD` on a POST (contract 2.1): what is meant is what is authorized.
#[tokio::test]
async fn a_method_named_in_a_header_needs_the_role_of_that_method() {
    let (server, token) = start().await;
    let reader = server.application("reader").await;
    server.assign("Key Vault Secrets User", &reader, "dev").await;
    let readers = server.token(&reader).await;
    sent(&server, &token, "PUT", "/secrets/s", json!({"value": "v"}).to_string()).await.ok();
    let meant = async |token: &str, method: Method, name: &str| {
        let authorization = format!("Bearer {token}");
        let headers = [("authorization", authorization.as_str()), ("x-http-method", name)];
        send(&server.http, method, &format!("{}/secrets/s?{API}", server.vault_url("dev")), &headers, "").await
    };
    for name in ["DELETE", "PUT", "PATCH", "delete"] {
        let reply = meant(&readers, Method::POST, name).await;
        assert_eq!(reply.refusal(), (403, "Forbidden", "ForbiddenByRbac"), "{name}: {}", reply.text);
    }
    assert_bad_parameter(&meant(&token, Method::POST, "GET").await, "only PATCH, PUT and DELETE can be meant");
    assert_eq!(meant(&token, Method::GET, "DELETE").await.ok()["value"], "v", "only a POST can mean another");
    meant(&token, Method::POST, "PATCH").await.ok();
    meant(&token, Method::POST, "DELETE").await.ok();
    assert_eq!(sent(&server, &token, "GET", "/secrets/s", "").await.status, 404);
}

#[tokio::test]
async fn hosts_that_are_not_ours_are_404_and_ours_in_any_spelling_are_not() {
    let (server, token) = start().await;
    let http1 = client(&server.ca_pem).http1_only().build().unwrap();
    let url = format!("{}/secrets?{API}", server.vault_url("dev"));
    let authorization = format!("Bearer {token}");
    let asked = async |host: &str| {
        send(&http1, Method::GET, &url, &[("authorization", &authorization), ("host", host)], "").await
    };
    for host in [
        "evil.example",
        "dev.vault.azure.net",
        "vault.localhost",
        "a.b.vault.localhost",
        "dev.vault.localhost.evil.example",
        "127.0.0.1",
        "-.vault.localhost",
        "x.vault.localhost",
        "dev--x.vault.localhost",
        "",
    ] {
        let reply = asked(host).await;
        assert_eq!(reply.status, 404, "{host}: {}", reply.text);
        assert!(host.is_empty() || !reply.text.contains(host), "{host}");
        assert!(reply.headers.get("www-authenticate").is_none());
    }
    for host in ["dev.vault.localhost", "DEV.Vault.LocalHost:1", "dev.vault.localhost.", "dev.vault.localhost:443"] {
        let reply = asked(host).await;
        assert_eq!(reply.status, 200, "{host}: {}", reply.text);
    }
    let mut wire = Wire::connect(&server).await;
    wire.send("GET /secrets HTTP/1.1\r\n\r\n").await;
    let (status, _) = wire.answer().await;
    assert!(matches!(status, 400 | 404), "without a host: {status}");
}

#[tokio::test]
async fn every_answer_has_the_headers_of_the_contract_and_echoes_the_clients_request_id() {
    let (server, token) = start().await;
    let authorization = format!("Bearer {token}");
    for (path, status) in [("/secrets", 200), ("/secrets/absent", 404), ("/nowhere", 400)] {
        let url = format!("{}{path}?{API}", server.vault_url("dev"));
        let id = "11111111-aaaa-bbbb-cccc-222222222222";
        let headers = [("authorization", authorization.as_str()), ("x-ms-client-request-id", id)];
        let reply = send(&server.http, Method::GET, &url, &headers, "").await;
        assert_eq!(reply.status, status);
        for (name, value) in [
            ("content-type", "application/json; charset=utf-8"),
            ("cache-control", "no-cache"),
            ("pragma", "no-cache"),
            ("expires", "-1"),
            ("x-ms-keyvault-region", "local"),
            ("x-ms-keyvault-service-version", "1.9.2203.1"),
            ("x-ms-client-request-id", id),
            ("strict-transport-security", "max-age=31536000;includeSubDomains"),
            ("x-content-type-options", "nosniff"),
            ("x-ms-keyvault-network-info", "conn_type=Ipv4;addr=127.0.0.1;act_addr_fam=InterNetwork;"),
        ] {
            assert_eq!(reply.header(name), value, "{path} {name}");
        }
        assert_eq!(reply.header("x-ms-request-id").len(), 36);
    }
}
