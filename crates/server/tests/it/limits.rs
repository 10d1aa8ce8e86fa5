//! Sizes, slowness and protocols: what is too large or too slow is refused, and disturbs nobody else.

use std::time::{Duration, Instant};

use http::{Method, Version};
use serde_json::{Value, json};
use strongroom_server::routes::ROUTES;
use tokio::net::TcpStream;

use crate::calls::path;
use crate::support::{API, Reply, TestServer, client, send};
use crate::wire::Wire;

async fn start() -> (TestServer, String) {
    let server = TestServer::start().await;
    let token = server.token(&server.administrator().await).await;
    (server, token)
}

fn http1(server: &TestServer) -> reqwest::Client {
    client(&server.ca_pem).http1_only().build().unwrap()
}

/// The head of a request with a token, without the empty line at its end.
fn head(server: &TestServer, token: &str, request_line: &str) -> String {
    let host = format!("dev.vault.localhost:{}", server.port);
    format!("{request_line} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\n")
}

async fn send_body(http: &reqwest::Client, url: &str, token: &str, method: &Method, body: Vec<u8>) -> Reply {
    let authorization = format!("Bearer {token}");
    let headers = [("authorization", authorization.as_str()), ("content-type", "application/json")];
    send(http, method.clone(), url, &headers, body).await
}

#[tokio::test]
async fn http_1_and_http_2_both_answer_and_say_the_same() {
    let (server, token) = start().await;
    server.call("dev", &token, "PUT", "/secrets/s", &json!({"value": "v"})).await.ok();
    let url = format!("{}/secrets/s?{API}", server.vault_url("dev"));
    let one = send_body(&http1(&server), &url, &token, &Method::GET, vec![]).await;
    let two = send_body(&server.http, &url, &token, &Method::GET, vec![]).await;
    assert_eq!((one.version, two.version), (Version::HTTP_11, Version::HTTP_2));
    assert_eq!((one.status, &one.json), (two.status, &two.json));
    let names = |reply: &Reply| {
        let mut names: Vec<String> = reply.headers.keys().map(ToString::to_string).collect();
        names.sort();
        names
    };
    assert_eq!(names(&one), names(&two));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_over_the_limit_is_refused_whichever_the_operation() {
    let (server, token) = start().await;
    let one = http1(&server);
    for route in ROUTES.iter().filter(|route| route.body_limit < 1_000_000) {
        let url = format!("{}{}?{API}", server.vault_url("dev"), path(route, "n"));
        for http in [&one, &server.http] {
            let reply = send_body(http, &url, &token, &route.method, vec![b' '; route.body_limit + 1]).await;
            assert_eq!(reply.refusal(), (413, "BadParameter", ""), "{}: {}", route.id, reply.text);
        }
        let reply = send_body(&one, &url, &token, &route.method, vec![b' '; route.body_limit]).await;
        assert_ne!(reply.status, 413, "{}", route.id);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_over_the_limit_is_refused_and_the_next_request_is_answered() {
    let (server, token) = start().await;
    let one = http1(&server);
    for route in ROUTES.iter().filter(|route| route.body_limit >= 1_000_000) {
        let url = format!("{}{}?{API}", server.vault_url("dev"), path(route, "n"));
        for http in [&one, &server.http] {
            let reply = send_body(http, &url, &token, &route.method, vec![b' '; route.body_limit + 1]).await;
            assert_eq!(reply.refusal(), (413, "BadParameter", ""), "{}: {}", route.id, reply.text);
            let next = format!("{}/secrets?{API}", server.vault_url("dev"));
            assert_eq!(send_body(http, &next, &token, &Method::GET, vec![]).await.status, 200);
        }
    }
}

/// "Request bodies are bounded before they are read."
#[tokio::test]
async fn a_body_announced_too_large_is_refused_before_it_is_sent() {
    let (server, token) = start().await;
    let mut wire = Wire::connect(&server).await;
    let target = format!("PUT /secrets/s?{API}");
    wire.send(head(&server, &token, &target) + "Content-Length: 10000000000\r\n\r\n").await;
    let started = Instant::now();
    let (status, body) = wire.answer().await;
    assert_eq!((status, &body["error"]["code"]), (413, &json!("BadParameter")));
    assert!(started.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn a_body_in_chunks_is_bounded_too() {
    let (server, token) = start().await;
    let mut wire = Wire::connect(&server).await;
    let target = format!("PUT /secrets/s?{API}");
    wire.send(head(&server, &token, &target) + "Transfer-Encoding: chunked\r\n\r\n").await;
    let chunk = format!("{:x}\r\n{}\r\n", 50_000, " ".repeat(50_000));
    for _ in 0..6 {
        wire.send(&chunk).await;
    }
    let (status, body) = wire.answer().await;
    assert_eq!((status, &body["error"]["code"]), (413, &json!("BadParameter")));
}

#[tokio::test]
async fn a_secret_has_at_most_25600_bytes_however_they_are_written() {
    let (server, token) = start().await;
    let set = async |body: String| {
        let url = format!("{}/secrets/s?{API}", server.vault_url("dev"));
        send_body(&server.http, &url, &token, &Method::PUT, body.into_bytes()).await
    };
    let largest = "x".repeat(25_600);
    set(json!({"value": largest}).to_string()).await.ok();
    assert_eq!(server.call("dev", &token, "GET", "/secrets/s", &Value::Null).await.ok()["value"], largest);
    set(format!("{{\"value\":\"{}\"}}", "\\u0001".repeat(25_600))).await.ok();
    set(json!({"value": "ü".repeat(12_800)}).to_string()).await.ok();
    for too_large in ["x".repeat(25_601), "ü".repeat(12_801), "x".repeat(26_000)] {
        let reply = set(json!({"value": too_large}).to_string()).await;
        assert!(matches!(reply.status, 400 | 413) && reply.code() == "BadParameter", "{}", reply.text);
    }
}

#[tokio::test]
async fn a_head_over_the_limit_is_refused_and_a_long_one_within_it_is_not() {
    let (server, token) = start().await;
    let url = format!("{}/secrets?{API}", server.vault_url("dev"));
    let authorization = format!("Bearer {token}");
    for (http, protocol) in [(http1(&server), 1), (server.http.clone(), 2)] {
        let with_header = |length: usize| {
            let request = http.get(&url).header("authorization", &authorization);
            request.header("x-long", "a".repeat(length)).send()
        };
        assert_eq!(with_header(16_000).await.unwrap().status(), 200, "HTTP/{protocol}");
        if let Ok(answer) = with_header(100_000).await {
            assert_eq!(answer.status(), 431, "HTTP/{protocol}");
        }
        assert_eq!(with_header(10).await.unwrap().status(), 200, "HTTP/{protocol}: the next one");
    }
    let mut wire = Wire::connect(&server).await;
    wire.send(head(&server, &token, &format!("GET /secrets?{API}"))).await;
    wire.send("x: y\r\n".repeat(100_000)).await;
    let (status, _) = wire.answer().await;
    assert!(matches!(status, 0 | 431), "{status}");
    let mut wire = Wire::connect(&server).await;
    wire.send(format!("GET /{}", "a".repeat(200_000))).await;
    let (status, _) = wire.answer().await;
    assert!(matches!(status, 0 | 414 | 431), "{status}");
}

/// One test, since each of them waits for the same ten seconds.
#[tokio::test]
async fn clients_that_do_not_get_on_with_it_are_given_up() {
    let (server, token) = start().await;
    let begun = head(&server, &token, &format!("GET /secrets?{API}"));
    let says = async |bytes: &str| {
        let mut wire = Wire::connect(&server).await;
        wire.send(bytes).await;
        wire.closes().await
    };
    let trickles = async {
        let mut wire = Wire::connect(&server).await;
        wire.send(&begun).await;
        let started = Instant::now();
        while started.elapsed() < Duration::from_secs(12) {
            wire.send("x: y\r\n").await;
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
        matches!(wire.answer().await.0, 0 | 408)
    };
    let no_handshake = async {
        let connection = TcpStream::connect(("127.0.0.1", server.port)).await.unwrap();
        let ready = tokio::time::timeout(Duration::from_secs(15), connection.readable()).await;
        ready.is_ok() && matches!(connection.try_read(&mut [0]), Ok(0) | Err(_))
    };
    let (no_end, nothing, first_line, perhaps_http2, trickle, no_tls) =
        tokio::join!(says(&begun), says(""), says("GET /sec"), says("PRI * HT"), trickles, no_handshake);
    let outcomes = [
        ("a head that never ends", no_end),
        ("half a first line", first_line),
        ("a head that trickles", trickle),
        ("no TLS handshake", no_tls),
        ("nothing after the handshake", nothing),
        ("what may become HTTP/2", perhaps_http2),
    ];
    let open: Vec<&str> = outcomes.iter().filter(|(_, given_up)| !given_up).map(|(what, _)| *what).collect();
    assert!(open.is_empty(), "connections that stay open: {open:?}");
}

#[tokio::test]
async fn slow_clients_do_not_hold_up_others() {
    let (server, token) = start().await;
    let mut slow = Vec::new();
    for _ in 0..50 {
        let mut wire = Wire::connect(&server).await;
        wire.send(head(&server, &token, &format!("PUT /secrets/s?{API}")) + "Content-Length: 100\r\n\r\n{").await;
        slow.push(wire);
    }
    let started = Instant::now();
    server.call("dev", &token, "PUT", "/secrets/s", &json!({"value": "v"})).await.ok();
    assert!(started.elapsed() < Duration::from_secs(2));
}

#[tokio::test]
async fn a_server_that_stops_closes_idle_connections_at_once() {
    for version in [1, 2] {
        let (server, _) = start().await;
        let http = if version == 1 { http1(&server) } else { server.http.clone() };
        send(&http, Method::GET, &format!("{}/secrets", server.vault_url("dev")), &[], "").await;
        let started = Instant::now();
        server.stop().await;
        assert!(started.elapsed() < Duration::from_secs(5), "HTTP/{version}: {:?}", started.elapsed());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_stops_finishes_the_request_in_flight() {
    let (server, token) = start().await;
    let body = json!({"value": "in flight"}).to_string();
    let mut wire = Wire::connect(&server).await;
    let length = format!("Expect: 100-continue\r\nContent-Length: {}\r\n\r\n", body.len());
    wire.send(head(&server, &token, &format!("PUT /secrets/s?{API}")) + &length).await;
    // The server has begun with the request, and waits for its body.
    assert_eq!(wire.answer().await.0, 100);
    wire.send(&body[..5]).await;
    let stopping = tokio::spawn(server.stop());
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert!(!stopping.is_finished());
    wire.send(&body[5..]).await;
    let (status, answer) = wire.answer().await;
    assert_eq!((status, &answer["value"]), (200, &json!("in flight")));
    assert!(wire.closes().await);
    tokio::time::timeout(Duration::from_secs(5), stopping).await.expect("it has stopped").unwrap();
}
