//! Known values, and a search for them everywhere but where they belong: the store's files while
//! it runs and after, the log at its most verbose, and the bodies of errors.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use reqwest::Method;
use serde_json::{Value, json};

use crate::client::ConfigClient;
use crate::process::{Dev, Running, strongroom, text, variables};

/// A value to look for, and what it is.
struct Canary {
    what: String,
    bytes: Vec<u8>,
}

impl Canary {
    fn new(what: &str, bytes: impl Into<Vec<u8>>) -> Self {
        let canary = Self { what: what.to_owned(), bytes: bytes.into() };
        assert!(canary.bytes.len() >= 16, "short values are found anywhere");
        canary
    }

    /// What it looks like: raw, hex, and base64 at each of the three alignments, with what its
    /// neighbours would change cut off.
    fn shapes(&self) -> Vec<Vec<u8>> {
        let mut shapes = vec![self.bytes.clone()];
        shapes.push(hex::encode(&self.bytes).into_bytes());
        shapes.push(hex::encode_upper(&self.bytes).into_bytes());
        for offset in 0..3 {
            let padded = [&vec![0; offset], self.bytes.as_slice()].concat();
            let whole = padded.len() / 3 * 3;
            for alphabet in [STANDARD_NO_PAD, URL_SAFE_NO_PAD] {
                let text = alphabet.encode(&padded[..whole]);
                shapes.push(text.as_bytes()[if offset == 0 { 0 } else { 4 }..].to_vec());
            }
        }
        shapes
    }

    fn is_in(&self, haystack: &[u8]) -> bool {
        self.shapes().iter().any(|shape| haystack.windows(shape.len()).any(|window| window == shape))
    }
}

/// Where canaries are found, each as `what in where`.
fn search(canaries: &[Canary], places: &[(String, Vec<u8>)]) -> Vec<String> {
    let mut found = Vec::new();
    for (place, content) in places {
        for canary in canaries.iter().filter(|canary| canary.is_in(content)) {
            found.push(format!("{} in {place}", canary.what));
        }
    }
    found
}

/// Every file under a folder, but those whose purpose is to hold a secret for their owner.
fn files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let theirs = ["strongroom.env", "strongroom-proxy.env", "root.key"];
    let mut all = Vec::new();
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let name = entry.file_name().to_string_lossy().into_owned();
        if entry.file_type().unwrap().is_dir() {
            all.extend(files(&entry.path()));
        } else if entry.file_type().unwrap().is_file() && !theirs.contains(&name.as_str()) {
            all.push((name, fs::read(entry.path()).unwrap()));
        }
    }
    all
}

#[test]
fn the_search_finds_what_is_there() {
    let canary = || Canary::new("planted", *b"planted-canary-0123456789");
    let bytes = canary().bytes;
    for shape in [
        bytes.clone(),
        hex::encode(&bytes).into_bytes(),
        hex::encode_upper(&bytes).into_bytes(),
        STANDARD_NO_PAD.encode([b"a".as_slice(), &bytes, b"z"].concat()).into_bytes(),
        URL_SAFE_NO_PAD.encode([b"ab".as_slice(), &bytes].concat()).into_bytes(),
        URL_SAFE_NO_PAD.encode([b"abc\xff".as_slice(), &bytes, b"zz"].concat()).into_bytes(),
    ] {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("deep")).unwrap();
        fs::write(folder.path().join("deep/file"), [b"noise".as_slice(), &shape, b"noise"].concat()).unwrap();
        assert_eq!(search(&[canary()], &files(folder.path())), ["planted in file"]);
    }
}

/// Requests that are refused, each with a canary in it; the answers.
async fn refused(client: &crate::client::Client, canary: &str) -> Vec<(String, Vec<u8>)> {
    let put = |path: &str, body: String| client.http.put(format!("{}{path}", client.vault)).body(body);
    let json_type = "application/json";
    let attempts = [
        put("/secrets/a?api-version=7.4", format!("{{\"value\": \"{canary}\"")).header("content-type", json_type),
        put("/secrets/a?api-version=7.4", format!("{{\"value\": [\"{canary}\"]}}")).header("content-type", json_type),
        put(
            "/secrets/a?api-version=7.4",
            format!("{{\"value\":\"{canary}\",\"attributes\":{{\"exp\":\"{canary}\"}}}}"),
        ),
        put("/secrets/a?api-version=9.9", format!("{{\"value\":\"{canary}\"}}")),
        put("/secrets/a_b?api-version=7.4", format!("{{\"value\":\"{canary}\"}}")),
        put(
            "/keys/a?api-version=7.4",
            format!("{{\"key\":{{\"kty\":\"RSA\",\"n\":\"{canary}\",\"d\":\"{canary}\"}}}}"),
        ),
        put("/secrets/a?api-version=7.4", json!({ "value": canary.repeat(2000) }).to_string()),
    ];
    let mut answers = Vec::new();
    for (number, attempt) in attempts.into_iter().enumerate() {
        let response = attempt.bearer_auth(&client.token).send().await.unwrap();
        assert!(response.status().is_client_error(), "{number}: {}", response.status());
        answers.push((format!("answer {number}"), answer_text(response).await));
    }
    // A token that is wrong, and a secret and an assertion that are.
    let wrong = client.http.get(format!("{}/secrets?api-version=7.4", client.vault)).bearer_auth(canary);
    let response = wrong.send().await.unwrap();
    assert_eq!(response.status(), 401);
    answers.push(("answer to a bad token".to_owned(), answer_text(response).await));
    for form in [format!("client_secret={canary}"), format!("client_assertion={canary}")] {
        let form = format!(
            "grant_type=client_credentials&client_id={}&scope=x%2F.default&{form}&client_assertion_type=urn",
            client.client_id
        );
        let request = client.http.post(&client.login).header("content-type", "application/x-www-form-urlencoded");
        let response = request.body(form).send().await.unwrap();
        assert!(response.status().is_client_error());
        answers.push(("answer to bad credentials".to_owned(), answer_text(response).await));
    }
    answers
}

/// The same at the configuration store: in the body, in what the body is, and in credentials.
async fn refused_settings(config: &ConfigClient, canary: &str) -> Vec<(String, Vec<u8>)> {
    let put = |path: &str, body: String| config.request(Method::PUT, &format!("{path}?api-version=2026-04-01"), body);
    let unsigned = |authorization: String| {
        let request = config.http.get(format!("{}/kv?api-version=2026-04-01", config.endpoint));
        request.header("authorization", authorization)
    };
    let signed = "SignedHeaders=x-ms-date;host;x-ms-content-sha256";
    let stranger = ConfigClient { id: canary.to_owned(), ..config.clone() };
    let attempts = [
        put("/kv/a", format!("{{\"value\": \"{canary}\"")),
        put("/kv/a", format!("{{\"value\": [\"{canary}\"]}}")),
        put("/kv/a", json!({ "value": canary, "content_type": format!("{canary}\n") }).to_string()),
        put("/kv/a", json!({ "value": canary, "tags": { "t": format!("{canary}\n") } }).to_string()),
        put("/kv/a", json!({ "value": canary.repeat(500) }).to_string()),
        put("/kv/a", json!({ "value": canary.repeat(10_000) }).to_string()),
        put("/kv/a", json!({ "value": canary }).to_string()).header("if-match", "\"other\""),
        put("/kv/a", json!({ "value": canary }).to_string()).body(json!({ "value": canary.repeat(2) }).to_string()),
        put("/kv/a%00", json!({ "value": canary }).to_string()),
        put("/locks/absent", json!({ "value": canary }).to_string()),
        put("/snapshots/a", json!({ "filters": [{ "key": format!("{canary}*b") }] }).to_string()),
        put("/snapshots/a", json!({ "composition_type": canary }).to_string()),
        stranger.request(Method::GET, "/kv?api-version=2026-04-01", String::new()),
        unsigned(format!("HMAC-SHA256 Credential={canary}&{signed}&Signature={canary}")),
        unsigned(format!("HMAC-SHA256 Credential={}&SignedHeaders={canary}&Signature={canary}", config.id)),
        unsigned(format!("Bearer {canary}")),
        unsigned(canary.to_owned()),
    ];
    let mut answers = Vec::new();
    for (number, attempt) in attempts.into_iter().enumerate() {
        let response = attempt.send().await.unwrap();
        assert!(response.status().is_client_error(), "{number}: {}", response.status());
        answers.push((format!("answer {number} of the configuration store"), answer_text(response).await));
    }
    answers
}

/// What is set in the configuration store, and the names under which it is looked for.
async fn settings(config: &ConfigClient) -> Vec<Canary> {
    let value = ["canary-setting-one-40b7d1", "canary-setting-two-8e52aa"];
    let (tag, description) = ("canary-setting-tag-c9f03e", "canary-description-71d2b6");
    for value in value {
        let body = json!({ "value": value, "tags": { "t": tag }, "description": description });
        let (status, answer) = config.try_call(Method::PUT, "/kv/a?label=l", body).await.unwrap();
        assert_eq!((status, &answer["value"]), (200, &json!(value)));
    }
    let snapshot = json!({ "filters": [{ "key": "*" }] });
    assert_eq!(config.try_call(Method::PUT, "/snapshots/s", snapshot).await.unwrap().0, 201);
    assert_eq!(config.try_call(Method::PUT, "/locks/a?label=l", Value::Null).await.unwrap().0, 200);
    assert_eq!(config.list("/kv?snapshot=s").await[0]["value"], value[1]);
    assert_eq!(config.list("/revisions?key=a").await.len(), 3);
    vec![
        Canary::new("a setting's value", value[1]),
        Canary::new("the value of a revision", value[0]),
        Canary::new("a setting's tag", tag),
        Canary::new("a setting's description", description),
    ]
}

/// An access key: its secret as it signs, as it is written, and the whole connection string.
fn access_key(variables: &HashMap<String, String>, variable: &str) -> Vec<Canary> {
    let connection = &variables[variable];
    let secret = connection.rsplit_once("Secret=").unwrap().1;
    vec![
        Canary::new(&format!("the secret of {variable}"), STANDARD.decode(secret).unwrap()),
        Canary::new(&format!("the secret's text of {variable}"), secret.as_bytes()),
        Canary::new(variable, connection.as_bytes()),
        Canary::new(&format!("id and secret of {variable}"), connection.split_once(';').unwrap().1.as_bytes()),
    ]
}

/// Headers and body.
async fn answer_text(response: reqwest::Response) -> Vec<u8> {
    let headers = format!("{:?}", response.headers()).into_bytes();
    [headers, response.bytes().await.unwrap().to_vec()].concat()
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_is_found_where_it_does_not_belong() {
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join("data");
    let mut command = strongroom();
    command.args(["dev", "--port", "0", "--log", "trace", "--data", text(&folder)]);
    let log = parent.path().join("log");
    let process = Running::start(command, &log, "Stop with Ctrl-C");
    let variables = variables(&folder.join("strongroom.env"));
    let client = crate::client::dev_client(&variables).await;

    let (value, tag) = ("canary-value-7c1d5e93a2", "canary-tag-5b0c77d1f4");
    let refused_value = "canary-refused-19ab3377c0";
    let (status, _) = client.call(Method::PUT, "/secrets/a", json!({ "value": value, "tags": { "t": tag } })).await;
    assert_eq!(status, 200);
    assert_eq!(client.secret("a").await.as_deref(), Some(value));
    let private = hex::decode("c9806898a0334916c860748880a541f093b579a9b1f32934d86c363c39800357").unwrap();
    let key = json!({ "kty": "EC", "crv": "P-256", "key_ops": ["sign"],
        "x": "0SL7DSq9Gtmq_k6lIMGFqELTXvLW4kdlTz1KHUJbNzM", "y": "", "d": URL_SAFE_NO_PAD.encode(&private) });
    // Whether it is taken depends on the point; either way the private part is seen by the server.
    client.call(Method::PUT, "/keys/imported", json!({ "key": key })).await;
    let (_, blob) = client.post("/secrets/a/backup", Value::Null).await;
    let (status, _) = client.at("other").post("/secrets/restore", blob).await;
    assert_eq!(status, 200);
    let plaintext = b"canary-plaintext-4471f0aa";
    assert_eq!(client.post("/keys/k/create", json!({ "kty": "RSA" })).await.0, 200);
    let parameters = json!({ "alg": "RSA-OAEP", "value": URL_SAFE_NO_PAD.encode(plaintext) });
    let (_, closed) = client.post("/keys/k/encrypt", parameters).await;
    let parameters = json!({ "alg": "RSA-OAEP", "value": closed["value"] });
    let (_, opened) = client.post("/keys/k/decrypt", parameters).await;
    assert_eq!(opened["value"], URL_SAFE_NO_PAD.encode(plaintext));
    assert_eq!(client.call(Method::DELETE, "/secrets/a", Value::Null).await.0, 200);

    let config = ConfigClient::new(&client.http, &variables["AZURE_APPCONFIG_CONNECTION_STRING"]);
    let reader = ConfigClient::new(&client.http, &variables["AZURE_APPCONFIG_READONLY_CONNECTION_STRING"]);
    let settings = settings(&config).await;
    assert_eq!(reader.list("/kv?key=a").await.len(), 1);

    let mut places = refused(&client, refused_value).await;
    places.extend(refused_settings(&config, refused_value).await);
    let mut canaries = vec![
        Canary::new("the secret's value", value),
        Canary::new("the secret's tag", tag),
        Canary::new("a refused value", refused_value),
        Canary::new("the private key", private),
        Canary::new("the plaintext", *plaintext),
        Canary::new("the client secret", variables["AZURE_CLIENT_SECRET"].as_bytes()),
        Canary::new("the token's signature", client.token.rsplit('.').next().unwrap().as_bytes()),
        Canary::new("the root key", fs::read(folder.join("root.key")).unwrap()),
    ];
    canaries.extend(settings);
    canaries.extend(access_key(&variables, "AZURE_APPCONFIG_CONNECTION_STRING"));
    canaries.extend(access_key(&variables, "AZURE_APPCONFIG_READONLY_CONNECTION_STRING"));
    // While it runs: the log of writes not yet moved into the database, too.
    places.extend(files(&folder));
    assert!(places.iter().any(|(name, content)| name == "strongroom.db-wal" && !content.is_empty()));
    assert!(process.stop().success());
    places.extend(files(&folder));
    let log = fs::read(&log).unwrap();
    assert!(String::from_utf8_lossy(&log).contains("TRACE"), "the log is not at its most verbose");
    places.push(("the log".to_owned(), log));
    assert_eq!(search(&canaries, &places), [""; 0]);

    // The core of the matter: with its key the same store gives them back.
    let server = Dev::start(&folder);
    let client = server.client().await;
    assert_eq!(client.at("other").secret("a").await.as_deref(), Some(value));
    assert_eq!(server.config(&client).list("/kv?key=a").await[0]["value"], "canary-setting-two-8e52aa");
    let secret = |variables: &HashMap<String, String>| {
        variables["AZURE_APPCONFIG_CONNECTION_STRING"].split_once(';').unwrap().1.to_owned()
    };
    assert_eq!(secret(&server.variables), secret(&variables));
}
