//! HTTP message signatures.

use std::sync::Arc;

use serde_json::Value;
use strongroom::clock::ManualClock;
use strongroom::http_signatures::{Algorithm, HttpSignatureError, Message, Signer, Verifier};
use strongroom::keys::{PublicJwk, PublicKey, VaultKey};
use strongroom_store::Time;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpListener;

use crate::programs::{P256, P384, P521, RSA, key};

const NOW: i64 = 1_618_884_473;

fn clock() -> Arc<ManualClock> {
    ManualClock::new(Time::from_seconds(NOW))
}

fn message(example: &Value) -> Message {
    let described = &example["message"];
    let mut message = match described["status"].as_u64() {
        Some(status) => Message::answer(status as u16),
        None => Message::request(described["method"].as_str().unwrap(), described["uri"].as_str().unwrap()).unwrap(),
    };
    for field in described["fields"].as_array().unwrap() {
        message = message.with_field(field[0].as_str().unwrap(), field[1].as_str().unwrap());
    }
    for (name, member) in [("Signature-Input", "input"), ("Signature", "signature")] {
        message = message.with_field(name, example[member].as_str().unwrap());
    }
    message
}

fn examples() -> Vec<Value> {
    let examples: Value = serde_json::from_str(include_str!("vectors/rfc9421.json")).unwrap();
    examples.as_array().unwrap().clone()
}

/// Who knows the key of an example.
fn verifier(example: &Value) -> Verifier {
    let jwk: PublicJwk = serde_json::from_value(example["jwk"].clone()).unwrap();
    let public = PublicKey::from_jwk(&jwk).unwrap();
    let input = example["input"].as_str().unwrap();
    let keyid = input.split("keyid=\"").nth(1).unwrap().split('"').next().unwrap();
    Verifier::new(clock()).with_key(keyid, public).unwrap().requiring(&[])
}

#[test]
fn the_examples_of_rfc_9421_verify() {
    for example in examples() {
        let section = example["section"].as_str().unwrap();
        let verified = verifier(&example).verify(&message(&example)).unwrap_or_else(|why| panic!("{section}: {why}"));
        assert_eq!(verified.created, NOW, "{section}");
        let body = example["message"]["body"].as_str().unwrap().as_bytes();
        let (whole, other) = (message(&example).with_body(body), message(&example).with_body(b"{}"));
        if section == "B.2.1" {
            let refused = verifier(&example).verify(&whole);
            assert_eq!(refused, Err(HttpSignatureError::NotCovered("content-digest".to_owned())));
        } else {
            verifier(&example).verify(&whole).unwrap();
            assert_eq!(verifier(&example).verify(&other), Err(HttpSignatureError::Body), "{section}");
        }
    }
}

#[test]
fn every_altered_component_of_an_example_is_refused() {
    let example = &examples()[2];
    let change = |name: &str, value: &str| {
        let mut example = example.clone();
        match name {
            "method" | "uri" => example["message"][name] = value.into(),
            _ => {
                let fields = example["message"]["fields"].as_array_mut().unwrap();
                fields.iter_mut().find(|field| field[0] == name).unwrap()[1] = value.into();
            }
        }
        verifier(&example).verify(&message(&example))
    };
    for (name, value) in [
        ("method", "GET"),
        ("uri", "https://example.com/fop?param=Value&Pet=dog"),
        ("uri", "https://example.com/foo?param=Value&Pet=cat"),
        ("uri", "https://example.org/foo?param=Value&Pet=dog"),
        ("Date", "Tue, 20 Apr 2021 02:07:56 GMT"),
        ("Content-Type", "text/plain"),
        ("Content-Length", "19"),
    ] {
        assert_eq!(change(name, value), Err(HttpSignatureError::Signature), "{name} {value}");
    }
    // What means the same is the same.
    change("uri", "HTTPS://EXAMPLE.com:443/foo?param=Value&Pet=dog").unwrap();
    change("Content-Length", " 18 ").unwrap();
}

async fn signed(key: &VaultKey, request: &Message, signer: impl Fn(Signer) -> Signer) -> Message {
    let fields = signer(Signer::new(key.clone().with_clock(clock()))).sign(request).await.unwrap();
    fields.headers().into_iter().fold(request.clone(), |message, (name, value)| message.with_field(name, value))
}

#[tokio::test]
async fn every_kind_of_key_signs_what_a_receiver_with_its_public_half_accepts() {
    let request = Message::request("POST", "https://api.example.com/api/v1/resource?x=1").unwrap().with_body(b"{}");
    for (spec, algorithm) in [
        (P256, Algorithm::EcdsaP256Sha256),
        (P384, Algorithm::EcdsaP384Sha384),
        (RSA, Algorithm::RsaPssSha512),
        (RSA, Algorithm::RsaV15Sha256),
    ] {
        let key = key("api-client", spec).await;
        let message = signed(&key, &request, |signer| signer.with_algorithm(algorithm)).await;
        let public = key.public().await.unwrap().1;
        let verifier = Verifier::new(clock()).with_key_for("api-client", public.clone(), algorithm);
        let verified = verifier.verify(&message).unwrap();
        assert_eq!(verified.keyid, "api-client");
        assert!(verified.components.contains(&"\"content-digest\"".to_owned()));
        let other =
            if algorithm == Algorithm::RsaPssSha512 { Algorithm::RsaV15Sha256 } else { Algorithm::RsaPssSha512 };
        let other = Verifier::new(clock()).with_key_for("api-client", public, other);
        assert_eq!(other.verify(&message), Err(HttpSignatureError::Signature), "the message does not choose");
    }
    let unfit = key("api-client", P521).await;
    assert!(Signer::new(unfit).sign(&request).await.unwrap_err().to_string().contains("P-521"));
}

#[tokio::test]
async fn a_signature_is_good_for_five_minutes_and_not_before_it_was_made() {
    let key = key("api-client", P256).await;
    let request = Message::request("GET", "https://api.example.com/").unwrap();
    let message = signed(&key, &request, |signer| signer).await;
    let public = key.public().await.unwrap().1;
    let moving = clock();
    let verifier = Verifier::new(Arc::clone(&moving) as _).with_key("api-client", public.clone()).unwrap();
    verifier.verify(&message).unwrap();
    moving.advance(300);
    verifier.verify(&message).unwrap();
    moving.advance(1);
    assert_eq!(verifier.verify(&message), Err(HttpSignatureError::Time("it is too old")));
    verifier.with_max_age(400).verify(&message).unwrap();
    for (early, accepted) in [(30, true), (31, false)] {
        let before = ManualClock::new(Time::from_seconds(NOW - early));
        let verifier = Verifier::new(before).with_key("api-client", public.clone()).unwrap();
        assert_eq!(verifier.verify(&message).is_ok(), accepted, "{early} s");
    }
}

#[tokio::test]
async fn what_has_to_be_covered_has_to_be() {
    let key = key("api-client", P256).await;
    let public = key.public().await.unwrap().1;
    let verifier = Verifier::new(clock()).with_key("api-client", public).unwrap();
    let request = Message::request("GET", "https://api.example.com/a?b=c").unwrap();
    let covering = async |components: &[&str]| {
        verifier.verify(&signed(&key, &request, |signer| signer.covering(components)).await)
    };
    covering(&["@method", "@target-uri"]).await.unwrap();
    let missing = |name: &str| Err(HttpSignatureError::NotCovered(name.to_owned()));
    assert_eq!(covering(&["@target-uri"]).await, missing("@method"));
    assert_eq!(covering(&["@method", "@authority", "@path"]).await, missing("@query"));
    assert_eq!(covering(&["@method", "@authority", "@path", "@query-param;name=\"b\""]).await, missing("@query"));
    let unsigned = verifier.verify(&request);
    assert_eq!(unsigned, Err(HttpSignatureError::Unsigned));
    let message = signed(&key, &request, |signer| signer.with_keyid("unknown")).await;
    assert_eq!(verifier.verify(&message), Err(HttpSignatureError::Unsigned));
    for wrong in [&["@method", "@method"][..], &["absent"], &["@status"], &["Date"], &["date;sf"], &["@query-param"]] {
        let signer = Signer::new(key.clone()).covering(wrong);
        assert!(signer.sign(&request).await.is_err(), "{wrong:?}");
    }
}

/// A server that answers signed requests only, as its example.
async fn serve(verifier: Verifier) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let mut stream = BufReader::new(stream);
            let mut line = String::new();
            stream.read_line(&mut line).await.unwrap();
            let (method, path) =
                (line.split(' ').next().unwrap().to_owned(), line.split(' ').nth(1).unwrap().to_owned());
            let mut fields = Vec::new();
            loop {
                line.clear();
                stream.read_line(&mut line).await.unwrap();
                let Some((name, value)) = line.trim_end().split_once(": ") else { break };
                fields.push((name.to_ascii_lowercase(), value.to_owned()));
            }
            let field = |wanted: &str| fields.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.as_str());
            let mut message = Message::request(&method, &format!("http://{}{path}", field("host").unwrap())).unwrap();
            if let Some(length) = field("content-length") {
                let mut body = vec![0; length.parse().unwrap()];
                stream.read_exact(&mut body).await.unwrap();
                message = message.with_body(&body);
            }
            for (name, value) in &fields {
                message = message.with_field(name, value);
            }
            let status = if verifier.verify(&message).is_ok() { "200 OK" } else { "401 Unauthorized" };
            let answer = format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
            stream.get_mut().write_all(answer.as_bytes()).await.unwrap();
        }
    });
    port
}

async fn curl(url: &str, headers: &[(&str, &str)], more: &[&str]) -> String {
    let mut command = tokio::process::Command::new("curl");
    command.args(["-s", "--noproxy", "*", "--path-as-is", "-o", "/dev/null", "-w", "%{http_code}"]).args(more);
    for (name, value) in headers {
        command.args(["-H", &format!("{name}: {value}")]);
    }
    String::from_utf8(command.arg(url).output().await.unwrap().stdout).unwrap()
}

#[tokio::test]
async fn a_server_rejects_an_altered_path_method_body_and_host() {
    let key = key("api-client", P256).await;
    let public = key.public().await.unwrap().1;
    let system = Arc::new(strongroom::clock::SystemClock);
    let port = serve(Verifier::new(system).with_key("api-client", public).unwrap()).await;
    let url = format!("http://127.0.0.1:{port}/api/v1/resource?x=1");
    let signed = Signer::new(key.clone()).sign(&Message::request("GET", &url).unwrap()).await.unwrap();
    let headers = signed.headers();
    assert_eq!(curl(&url, &headers, &[]).await, "200");
    assert_eq!(curl(&url, &[], &[]).await, "401");
    for altered in ["/api/v1/resources?x=1", "/api/v1/resource?x=2", "/api/v1/resource", "/api/v1/../v1/resource?x=1"] {
        assert_eq!(curl(&format!("http://127.0.0.1:{port}{altered}"), &headers, &[]).await, "401", "{altered}");
    }
    assert_eq!(curl(&url, &headers, &["-X", "DELETE"]).await, "401");
    assert_eq!(curl(&url, &headers, &["-H", "Host: other.example"]).await, "401");

    let request = Message::request("POST", &url).unwrap().with_body(b"amount=1");
    let signed = Signer::new(key).sign(&request).await.unwrap();
    assert_eq!(curl(&url, &signed.headers(), &["--data-binary", "amount=1"]).await, "200");
    assert_eq!(curl(&url, &signed.headers(), &["--data-binary", "amount=9"]).await, "401");
}
