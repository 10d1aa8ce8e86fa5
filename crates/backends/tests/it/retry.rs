//! Trying again, against a server that fails as it is told.

use std::sync::Arc;
use std::time::{Duration, Instant};

use strongroom_backends::appconfig::{ConfigClient, ConfigError};
use strongroom_backends::azure::{AzureVault, AzureVaultOptions};
use strongroom_backends::retry::Retry;
use strongroom_store::vault::{NewVersion, Object, Target, Vault as _};
use strongroom_store::{Cx, Time};
use strongroom_wire::ids::{Kind, ObjectName};
use strongroom_wire::{Error, ErrorKind, Sensitive};

use crate::faults::{Fault, FaultServer, MovedClock, Token};

fn vault(server: &FaultServer) -> (AzureVault, Arc<MovedClock>) {
    let clock = Arc::new(MovedClock::default());
    let options = AzureVaultOptions {
        url: server.url.clone(),
        credential: Arc::new(Token::default()),
        http: server.http.clone(),
    };
    let retry = Retry::default().with_pauses(Arc::clone(&clock) as Arc<_>);
    (AzureVault::new(options).unwrap().with_retry(retry), clock)
}

fn cx() -> Cx {
    Cx::system(Time::from_seconds(1))
}

async fn read(vault: &AzureVault) -> Result<Object, Error> {
    vault.get(&cx(), &Target::latest(Kind::Secret, ObjectName::parse("s").unwrap())).await
}

async fn write(vault: &AzureVault) -> Result<Object, Error> {
    let new =
        NewVersion::Secret { value: Sensitive::new("v".to_owned()), content_type: None, with: Default::default() };
    vault.put(&cx(), &ObjectName::parse("s").unwrap(), new).await
}

fn status(code: u16) -> Fault {
    Fault::Status(code, String::new())
}

#[tokio::test]
async fn a_read_is_sent_six_times_for_each_status_that_may_pass() {
    for code in [408, 429, 500, 502, 503, 504] {
        let server = FaultServer::start(status(code)).await;
        let (vault, clock) = vault(&server);
        read(&vault).await.unwrap_err();
        assert_eq!((server.requests(), clock.waited()), (6, Duration::from_secs(24)), "{code}");
    }
}

#[tokio::test]
async fn a_read_is_sent_once_for_each_status_that_stays() {
    for code in [400, 401, 403, 404, 409, 501] {
        let server = FaultServer::start(status(code)).await;
        let (vault, clock) = vault(&server);
        read(&vault).await.unwrap_err();
        assert_eq!((server.requests(), clock.waited()), (1, Duration::ZERO), "{code}");
    }
}

#[tokio::test]
async fn the_waits_are_0_1600_3200_6400_and_12800_ms() {
    let server = FaultServer::start(status(503)).await;
    let (vault, clock) = vault(&server);
    read(&vault).await.unwrap_err();
    let waits: Vec<_> = clock.0.lock().unwrap().iter().map(Duration::as_millis).collect();
    // The first retry does not wait at all.
    assert_eq!(waits, [1_600, 3_200, 6_400, 12_800]);
}

#[tokio::test]
async fn a_write_is_repeated_only_when_the_server_did_nothing() {
    for (code, requests) in [(429, 6), (503, 6), (408, 1), (500, 1), (502, 1), (504, 1)] {
        let server = FaultServer::start(status(code)).await;
        write(&vault(&server).0).await.unwrap_err();
        assert_eq!(server.requests(), requests, "{code}");
    }
}

#[tokio::test]
async fn a_read_outlives_lost_connections() {
    let server = FaultServer::sequence(vec![Fault::Drop, Fault::Drop, status(502), Fault::Secret]).await;
    let (vault, clock) = vault(&server);
    assert!(read(&vault).await.is_ok());
    assert_eq!(clock.waited(), Duration::from_millis(1_600 + 3_200));
}

#[tokio::test]
async fn a_write_whose_connection_is_lost_is_not_repeated() {
    let server = FaultServer::start(Fault::Drop).await;
    let error = write(&vault(&server).0).await.unwrap_err();
    assert_eq!((error.kind, server.requests()), (ErrorKind::Unavailable, 1));
}

#[tokio::test]
async fn a_closed_port_is_tried_six_times_even_for_a_write() {
    let mut server = FaultServer::start(Fault::Hang).await;
    // Nobody listens there.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    server.url = format!("https://127.0.0.1:{port}");
    let (vault, clock) = vault(&server);
    let error = write(&vault).await.unwrap_err();
    assert_eq!((error.kind, clock.waited()), (ErrorKind::Unavailable, Duration::from_secs(24)));
}

#[tokio::test]
async fn the_server_says_how_long_to_wait() {
    let date = "date: Wed, 21 Oct 2026 07:28:00 GMT\r\nretry-after: Wed, 21 Oct 2026 07:28:05 GMT\r\n";
    for (header, millis) in [
        ("retry-after: 7\r\n", 7_000),
        ("retry-after-ms: 15\r\n", 15),
        ("x-ms-retry-after-ms: 25\r\n", 25),
        (date, 5_000),
        // Never longer than the cap.
        ("retry-after: 86400\r\n", 120_000),
    ] {
        let faults = vec![Fault::Status(429, header.to_owned()), Fault::Secret];
        let server = FaultServer::sequence(faults).await;
        let (vault, clock) = vault(&server);
        read(&vault).await.unwrap();
        assert_eq!(clock.waited(), Duration::from_millis(millis), "{header}");
    }
}

#[tokio::test]
async fn no_wait_goes_beyond_the_deadline() {
    let server = FaultServer::start(Fault::Status(503, "retry-after: 60\r\n".to_owned())).await;
    let (vault, clock) = vault(&server);
    let start = Instant::now();
    let error = read(&vault.with_deadline(Duration::from_secs(10))).await.unwrap_err();
    // The server's own answer, at once, instead of "not in time" after ten seconds of nothing.
    assert_eq!((error.kind, server.requests(), clock.waited()), (ErrorKind::Unavailable, 1, Duration::ZERO));
    assert!(start.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn a_server_that_hangs_is_left_at_the_deadline() {
    let server = FaultServer::start(Fault::Hang).await;
    let vault = vault(&server).0.with_deadline(Duration::from_secs(10));
    let start = Instant::now();
    let error = read(&vault).await.unwrap_err();
    let elapsed = start.elapsed();
    assert!(error.message.contains("not in time"), "{}", error.message);
    assert!(elapsed.abs_diff(Duration::from_secs(10)) < Duration::from_millis(200), "{elapsed:?}");
    println!("a hanging server was left after {elapsed:?}");
}

#[tokio::test]
async fn a_try_that_hangs_is_tried_again() {
    let server = FaultServer::sequence(vec![Fault::Hang, Fault::Secret]).await;
    let mut retry = Retry::default();
    retry.one_try = Duration::from_millis(300);
    let vault = vault(&server).0.with_retry(retry);
    assert!(read(&vault).await.is_ok());
    assert_eq!(server.requests(), 2);
}

#[tokio::test]
async fn a_call_that_is_dropped_ends_at_once() {
    let server = FaultServer::start(Fault::Hang).await;
    let vault = vault(&server).0;
    let start = Instant::now();
    tokio::select! {
        _ = read(&vault) => panic!("it hangs"),
        () = tokio::time::sleep(Duration::from_millis(100)) => {}
    }
    assert!(start.elapsed() < Duration::from_secs(1));
}

#[tokio::test]
async fn a_configuration_store_is_asked_again_by_the_same_rules() {
    let server = FaultServer::start(status(503)).await;
    let clock = Arc::new(MovedClock::default());
    let text = format!("Endpoint={};Id=i;Secret=c2VjcmV0", server.url);
    let retry = Retry::default().with_pauses(Arc::clone(&clock) as Arc<_>);
    let client = ConfigClient::from_connection_string(&text, server.http.clone()).unwrap().with_retry(retry);
    let fault = client.get("k", None).await.unwrap_err();
    assert!(matches!(fault, ConfigError::Unavailable(_)), "{fault}");
    assert_eq!((server.requests(), clock.waited()), (6, Duration::from_secs(24)));
}
