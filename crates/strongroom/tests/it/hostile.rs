//! Thousands of bad requests leave the process as it was: no panic, no memory that only grows.

use reqwest::Method;
use serde_json::{Value, json};

use crate::process::Dev;

/// Requests of each kind in a round.
const EACH: usize = 150;

/// What allocators may keep for next time.
const TOLERATED: u64 = 8 << 20;

#[tokio::test]
async fn bad_requests_leave_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let dev = Dev::start(&folder.path().join("data"));
    let client = dev.client().await;
    client.set_secret("kept", "value").await;
    // The first rounds fill what is bounded: pools, caches, buffers.
    for number in 0..2 {
        round(&client, number).await;
    }
    let before = resident(dev.process.child.id());
    for number in 2..8 {
        round(&client, number).await;
    }
    let after = resident(dev.process.child.id());
    assert!(after < before + TOLERATED, "{before} bytes became {after}");
    assert_eq!(client.secret("kept").await.as_deref(), Some("value"));
    assert!(!dev.process.log().contains("panicked"), "{}", dev.process.log());
}

async fn round(client: &crate::client::Client, number: usize) {
    let url = |path: &str| format!("{}{path}?api-version=7.4", client.vault);
    for each in 0..EACH {
        let unique = number * EACH + each;
        let raw = async |method: Method, path: &str, token: &str, body: String| {
            let request = client.http.request(method, url(path)).bearer_auth(token).body(body);
            request.send().await.unwrap().status().as_u16()
        };
        let forged = format!("{}x{unique}", client.token);
        assert_eq!(raw(Method::GET, "/secrets", &forged, String::new()).await, 401);
        assert_eq!(raw(Method::PUT, "/secrets/s", &client.token, "[".repeat(60_000)).await, 400);
        assert_eq!(raw(Method::PUT, "/keys/k", &client.token, " ".repeat(200_000)).await, 413);
        assert_eq!(raw(Method::GET, &format!("/secrets/absent-{unique}"), &client.token, String::new()).await, 404);
        assert_eq!(raw(Method::GET, &format!("/{unique}/%00"), &client.token, String::new()).await, 400);
        let tags: serde_json::Map<String, Value> = (0..500).map(|n| (format!("{unique}-{n}"), json!("v"))).collect();
        let body = json!({"value": "v", "tags": tags}).to_string();
        assert_eq!(raw(Method::PUT, "/secrets/s", &client.token, body).await, 400);
        let form = format!("grant_type=client_credentials&client_id={unique}&client_secret=x&scope=y");
        assert_eq!(client.http.post(&client.login).body(form).send().await.unwrap().status(), 400);
    }
}

/// Bytes of memory that the process has.
fn resident(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() << 10
}
