//! Errors by class, deadlines, trying again, one client for all.

use std::time::{Duration, Instant};

use serde_json::json;

use super::{World, prints, refuses};

#[tokio::test(flavor = "multi_thread")]
async fn errors_are_told_by_their_class() {
    let world = World::new();
    let lines = |arguments: &[&str], environment: &[(String, String)]| -> Vec<String> {
        prints("errors", arguments, environment).lines().map(str::to_owned).collect()
    };
    let absent = lines(&["api-signing-key", "database-password"], &world.environment);
    assert_eq!(absent, ["key not found: api-signing-key", "secret database-password not found"]);

    let client = world.dev.client().await;
    assert_eq!(client.post("/keys/curved/create", json!({ "kty": "EC" })).await.0, 200);
    client.set_secret("disabled", "value").await;
    let body = json!({ "attributes": { "enabled": false } });
    assert_eq!(client.call(reqwest::Method::PATCH, "/secrets/disabled/", body).await.0, 200);
    // RS256 is nothing for a curve; and what is disabled is neither absent nor forbidden by a role.
    let other = lines(&["curved", "disabled"], &world.environment);
    assert!(other[0].starts_with("signing failed: "), "{other:?}");
    let id =
        other[1].strip_prefix("failed to get secret (status=403, request_id=").unwrap_or_else(|| panic!("{other:?}"));
    let (id, why) = id.split_once("): ").unwrap();
    assert!(id.len() == 36 && id.matches('-').count() == 4 && why.contains("disabled"), "{other:?}");

    let newcomer = world.as_newcomer("newcomer");
    let refused = lines(&["curved", "disabled"], &newcomer);
    assert!(refused[0].starts_with("insufficient permissions: "), "{refused:?}");
    // The vault's own words have several lines.
    assert_eq!(refused.last().unwrap(), "access denied to secret disabled (check RBAC)");
}

/// A server that takes connections and says nothing, and a port where nobody is.
#[test]
fn patience_ends_in_time() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let hanging = listener.local_addr().unwrap();
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let environment = |address: std::net::SocketAddr| -> Vec<(String, String)> {
        [
            ("AZURE_KEYVAULT_URL", format!("https://{address}")),
            ("AZURE_TENANT_ID", "00000000-0000-0000-0000-000000000001".to_owned()),
            ("AZURE_CLIENT_ID", "00000000-0000-0000-0000-000000000002".to_owned()),
            ("AZURE_CLIENT_SECRET", "not-used".to_owned()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .to_vec()
    };
    let timed = |how: &str, address| {
        let start = Instant::now();
        (refuses("retries", &[how], &environment(address)), start.elapsed())
    };
    let (said, time) = timed("timeout", hanging);
    println!("the hanging server was left after {time:?}");
    assert_eq!(said, "no answer within 10s\n");
    assert!(time >= Duration::from_secs(10) && time < Duration::from_secs(15), "{time:?}");
    // One and two seconds between three tries, and nothing after the last.
    let (said, time) = timed("retry", nobody);
    println!("three tries took {time:?}");
    assert!(said.starts_with("max retries exceeded: signing failed: The vault does not answer"), "{said}");
    assert!(time >= Duration::from_secs(3) && time < Duration::from_secs(7), "{time:?}");
}

#[test]
fn clients_and_retries_serve_a_server_that_is_well() {
    let world = World::new();
    world.prints("basic", &[]);
    for how in ["timeout", "retry"] {
        assert_eq!(world.prints("retries", &[how]), "Signed: 256 bytes\n");
    }
    let printed = world.prints("retries", &["client"]);
    assert_eq!(printed, "Retry(5 × 1s, at most 60s, a try 30s, all 240s)\nSigned: 256 bytes\n");
    // What is not an outage is not tried again.
    assert_eq!(refuses("retries", &["retry"], &world.at("other")), "key not found: api-signing-key\n");

    let printed = world.prints("one_client", &[]);
    assert!(printed.starts_with("first: a vault's URI begins with"), "{printed}");
    assert!(printed.contains("then: made 2 times, the same: true"), "a failure is not kept: {printed}");
    assert!(printed.contains("64 tasks have the same client: true"), "{printed}");
}
