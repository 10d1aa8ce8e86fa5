//! The everyday jobs from the command line, with keys in a running server.

use std::collections::HashMap;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::time::Duration;

use azure_core::credentials::{AccessToken, TokenCredential, TokenRequestOptions};
use serde_json::{Value, json};
use strongroom::ca::{CertificateAuthority, Request, Usage};
use strongroom::keys::{Curve, EncryptionAlgorithm, KeySpec, SignatureAlgorithm, VaultKey, with_deadline};
use strongroom::tls::VaultTlsKey;
use strongroom_store::Vault;
use strongroom_store::conformance::skipped;

use crate::client::Client;
use crate::process::{
    Dev, Running, assert_failure, assert_refusal, mode, stderr, strongroom, succeed, text, until, variables,
};

/// What it takes to log in through the proxy.
const LOGIN: [&str; 5] = ["SSL_CERT_FILE", "HTTPS_PROXY", "AZURE_TENANT_ID", "AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET"];

/// A server with its vault `dev`, and the command line as one who may use it.
struct Desk {
    folder: tempfile::TempDir,
    dev: Dev,
    client: Client,
}

impl Desk {
    async fn open() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let dev = Dev::start(&folder.path().join("data"));
        let client = dev.client().await;
        Self { folder, dev, client }
    }

    async fn key(&self, name: &str, body: Value) {
        let (status, answer) = self.client.post(&format!("/keys/{name}/create"), body).await;
        assert_eq!(status, 200, "{answer}");
    }

    fn path(&self, name: &str) -> String {
        text(&self.folder.path().join(name)).to_owned()
    }

    fn file(&self, name: &str, content: impl AsRef<[u8]>) -> String {
        std::fs::write(self.path(name), content).unwrap();
        self.path(name)
    }

    fn command(&self) -> Command {
        let known = variables(&self.dev.folder.join("strongroom-proxy.env"));
        let mut command = strongroom();
        command.env("STRONGROOM_VAULT", "https://dev.vault.azure.net");
        for name in LOGIN {
            command.env(name, &known[name]);
        }
        command
    }

    fn run_with(&self, arguments: &[&str], input: &[u8]) -> Output {
        let mut command = self.command();
        command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        std::thread::scope(|scope| {
            scope.spawn(move || drop(stdin.write_all(input)));
            child.wait_with_output().unwrap()
        })
    }

    #[track_caller]
    fn succeed(&self, arguments: &[&str]) -> String {
        let output = self.run_with(arguments, b"");
        assert!(output.status.success(), "{arguments:?}: {}", stderr(&output));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// The public key as a PEM file.
    async fn public_pem(&self, name: &str) -> String {
        use strongroom_wire::jwk::PublicJwk;
        let (_, answer) = self.client.get(&format!("/keys/{name}")).await;
        let jwk: PublicJwk = serde_json::from_value(answer["key"].clone()).unwrap();
        let key = strongroom::keys::PublicKey::from_jwk(&jwk).unwrap();
        self.file(&format!("{name}.pem"), strongroom::keys::to_pem(&key))
    }
}

#[track_caller]
fn openssl(arguments: &[&str]) -> String {
    let output = Command::new("openssl").args(arguments).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", stderr(&output));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn files_and_streams_are_encrypted_and_come_back_or_nothing_does() {
    let desk = Desk::open().await;
    desk.key("data-key", json!({ "kty": "RSA", "key_size": 2048 })).await;
    desk.key("curve", json!({ "kty": "EC", "crv": "P-256" })).await;
    let data: Vec<u8> = (0..300_000_u32).map(|number| (number % 251) as u8).collect();
    let (plain, sealed, again) = (desk.file("plain", &data), desk.path("sealed"), desk.path("again"));
    desk.succeed(&["encrypt", "--key", "data-key", "--in", &plain, "--out", &sealed]);
    let version = desk.client.get("/keys/data-key").await.1["key"]["kid"].as_str().unwrap().to_owned();
    let head = String::from_utf8_lossy(&std::fs::read(&sealed).unwrap()[..600]).into_owned();
    let own = version.rsplit('/').next().unwrap();
    assert!(head.contains(&format!("https://dev.vault.azure.net/keys/data-key/{own}")), "{head}");
    desk.succeed(&["decrypt", "--key", "data-key", "--in", &sealed, "--out", &again]);
    assert_eq!((std::fs::read(&again).unwrap() == data, mode(Path::new(&again))), (true, 0o600));

    // As streams, and after the key was rotated.
    desk.key("data-key", json!({ "kty": "RSA", "key_size": 2048 })).await;
    let piped = desk.run_with(&["decrypt", "--key", "data-key"], &std::fs::read(&sealed).unwrap());
    assert!(piped.status.success() && piped.stdout == data, "{}", stderr(&piped));
    let piped = desk.run_with(&["encrypt", "--key", "data-key"], b"stream");
    let piped = desk.run_with(&["decrypt", "--key", "data-key"], &piped.stdout);
    assert_eq!(piped.stdout, b"stream");

    // One altered byte in the middle.
    let mut altered = std::fs::read(&sealed).unwrap();
    altered[200_000] ^= 1;
    let altered = desk.file("altered", altered);
    let target = desk.path("never");
    let refused = desk.run_with(&["decrypt", "--key", "data-key", "--in", &altered, "--out", &target], b"");
    assert_failure(&refused, 9, &["altered or cut off"]);
    assert!(!Path::new(&target).exists());
    assert!(
        !std::fs::read_dir(desk.folder.path())
            .unwrap()
            .any(|entry| entry.unwrap().path().extension() == Some("new".as_ref()))
    );
    assert_refusal(&desk.run_with(&["encrypt", "--key", "curve"], b"x"), &["RSA", "EC P-256"]);
    assert_failure(&desk.run_with(&["encrypt", "--key", "absent"], b"x"), 3, &["key not found: absent"]);
    assert_failure(&desk.run_with(&["encrypt", "--key", "k", "--vault", "nowhere"], b""), 2, &["memory:"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signed_file_is_verified_by_openssl_and_by_verify() {
    let desk = Desk::open().await;
    desk.key("document-signing-key", json!({ "kty": "EC", "crv": "P-256" })).await;
    desk.key("rsa-signing-key", json!({ "kty": "RSA" })).await;
    let document = desk.file("f.pdf", b"%PDF-1.7");
    for (key, alg, digest) in [("document-signing-key", "ES256", "-sha256"), ("rsa-signing-key", "RS512", "-sha512")] {
        desk.succeed(&["sign", "--key", key, "--alg", alg, &document]);
        let (pem, signature) = (desk.public_pem(key).await, desk.path("f.pdf.sig"));
        openssl(&["dgst", digest, "-verify", &pem, "-signature", &signature, &document]);
        assert_eq!(desk.succeed(&["verify", "--key", key, "--alg", alg, &document]), "the signature is valid\n");
    }
    let other = desk.file("g.pdf", b"%PDF-1.8");
    for format in ["der", "raw", "json"] {
        let out = desk.path(format);
        desk.succeed(&["sign", "--key", "document-signing-key", "--format", format, "--out", &out, &document]);
        let verify = |file: &str| {
            desk.run_with(
                &["verify", "--key", "document-signing-key", "--format", format, "--signature", &out, file],
                b"",
            )
        };
        assert!(verify(&document).status.success());
        assert_failure(&verify(&other), 9, &["NOT valid"]);
    }
    assert_eq!(std::fs::read(desk.path("raw")).unwrap().len(), 64);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_verified_by_pyjwt_and_by_verify() {
    let desk = Desk::open().await;
    desk.key("jwt-signing-key", json!({ "kty": "EC", "crv": "P-256" })).await;
    let sign = ["jwt", "sign", "--key", "jwt-signing-key", "--expires-in", "600"];
    let output = desk.run_with(&sign, br#"{"sub":"alice","aud":"api"}"#);
    assert!(output.status.success(), "{}", stderr(&output));
    let token = desk.file("token", &output.stdout);
    let claims: Value = serde_json::from_str(&desk.succeed(&[
        "jwt",
        "verify",
        "--key",
        "jwt-signing-key",
        "--audience",
        "api",
        &token,
    ]))
    .unwrap();
    assert_eq!(claims["sub"], "alice");
    let wrong = desk.run_with(&["jwt", "verify", "--key", "jwt-signing-key", "--audience", "web", &token], b"");
    assert_failure(&wrong, 9, &["audience"]);
    // Also after a rotation: the token names its version.
    let pem = desk.public_pem("jwt-signing-key").await;
    desk.key("jwt-signing-key", json!({ "kty": "EC", "crv": "P-256" })).await;
    desk.succeed(&["jwt", "verify", "--key", "jwt-signing-key", &token]);
    assert_failure(&desk.run_with(&sign, b"[1]"), 2, &["JSON object"]);

    let script = "import sys, jwt; print(jwt.decode(open(sys.argv[1]).read().strip(), open(sys.argv[2]).read(), \
                  algorithms=['ES256'], audience='api')['sub'])";
    if !Command::new("python3").args(["-c", "import jwt"]).output().is_ok_and(|output| output.status.success()) {
        return skipped("a token by strongroom jwt in PyJWT", "python3 has no PyJWT");
    }
    let decoded = Command::new("python3").args(["-c", script, &token, &pem]).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&decoded.stdout), "alice\n", "{}", stderr(&decoded));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ca_issues_what_openssl_verifies() {
    let desk = Desk::open().await;
    desk.key("ca-root-rsa4096-2024", json!({ "kty": "RSA", "key_size": 4096 })).await;
    let (root, leaf, csr, private) =
        (desk.path("root.pem"), desk.path("leaf.pem"), desk.path("csr.pem"), desk.path("key.pem"));
    desk.succeed(&["ca", "init", "--key", "ca-root-rsa4096-2024", "--subject", "Example Root", "--out", &root]);
    openssl(&["req", "-new", "-newkey", "rsa:2048", "-nodes", "-keyout", &private, "-subj", "/CN=www", "-out", &csr]);
    let issue =
        ["ca", "issue", "--key", "ca-root-rsa4096-2024", "--root", &root, "--san", "www.example.com", "--out", &leaf];
    desk.succeed(&[&issue[..], &["--csr", &csr]].concat());
    let verify = ["verify", "-x509_strict", "-verify_hostname", "www.example.com", "-CAfile", &root, &leaf];
    assert!(openssl(&verify).contains("OK"));
    desk.key("tls", json!({ "kty": "EC", "crv": "P-384" })).await;
    let public = desk.public_pem("tls").await;
    desk.succeed(&[&issue[..], &["--public-key", &public, "--usage", "client", "--chain", "--days", "7"]].concat());
    assert!(openssl(&verify).contains("OK"));
    assert_eq!(std::fs::read_to_string(&leaf).unwrap().matches("BEGIN CERTIFICATE").count(), 2);
    let refused = desk.run_with(&[&issue[..], &["--csr", &public]].concat(), b"");
    assert_refusal(&refused, &["request"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_ssh_agent_serves_a_command_or_until_it_is_stopped() {
    let desk = Desk::open().await;
    desk.key("ssh-login", json!({ "kty": "EC", "crv": "P-256" })).await;
    desk.key("ssh-other", json!({ "kty": "RSA" })).await;
    let all = desk.succeed(&["ssh-agent", "--", "ssh-add", "-l"]);
    assert!(all.contains("ssh-login (ECDSA)") && all.contains("ssh-other (RSA)"), "{all}");
    let one = desk.succeed(&["ssh-agent", "--key", "ssh-login", "--", "ssh-add", "-l"]);
    assert_eq!(one.lines().count(), 1, "{one}");
    let exit = desk.run_with(&["ssh-agent", "--", "sh", "-c", "exit 7"], b"");
    assert_eq!(exit.status.code(), Some(7));

    let script = "eval \"$(\"$0\" ssh-agent --key ssh-login)\"; ssh-add -l; kill $SSH_AGENT_PID; echo $SSH_AUTH_SOCK";
    let mut shell = Command::new("sh");
    shell
        .args(["-c", script, env!("CARGO_BIN_EXE_strongroom")])
        .envs(desk.command().get_envs().filter_map(|(name, value)| Some((name, value?))));
    let output = shell.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(said.contains("ssh-login (ECDSA)"), "{said}{}", stderr(&output));
    let socket = said.lines().last().unwrap().to_owned();
    until("the agent in the background has gone with its folder", || {
        (!Path::new(&socket).parent().unwrap().exists()).then_some(())
    });
    assert_failure(&desk.run_with(&["ssh-agent", "--vault", "nowhere"], b""), 2, &["memory:"]);

    let socket = desk.path("agent/socket");
    let mut command = desk.command();
    command.args(["ssh-agent", "--foreground", "--socket", &socket]);
    let running =
        Running::start(command, &desk.folder.path().join("agent.log"), &format!("SSH_AUTH_SOCK={socket}; export"));
    let listed = Command::new("ssh-add").arg("-l").env("SSH_AUTH_SOCK", &socket).output().unwrap();
    assert!(listed.status.success(), "{}", stderr(&listed));
    assert!(running.stop().success());
    assert!(!Path::new(&socket).exists());
}

#[test]
fn names_that_say_nothing_are_flagged() {
    succeed(&["lint", "names", "production-api-jwt-v2", "staging-webhook-ecdsa", "ca-root-rsa4096-2024"]);
    let output = strongroom().args(["lint", "names", "key1", "production-api-jwt-v2", "test"]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(9));
    assert!(said.contains("key1: ") && said.contains("test: ") && !said.contains("production-api-jwt-v2: "), "{said}");
}

/// A token that is there already.
#[derive(Debug)]
struct Token(String);

#[async_trait::async_trait]
impl TokenCredential for Token {
    async fn get_token(
        &self,
        _scopes: &[&str],
        _options: Option<TokenRequestOptions<'_>>,
    ) -> azure_core::Result<AccessToken> {
        let hour = azure_core::time::Duration::hours(1);
        Ok(AccessToken::new(self.0.clone(), azure_core::time::OffsetDateTime::now_utc() + hour))
    }
}

/// The server's vault over HTTPS, with connections of its own.
async fn over_https(variables: &HashMap<String, String>) -> Arc<dyn Vault> {
    let client = crate::client::dev_client(variables).await;
    let credential: Arc<dyn TokenCredential> = Arc::new(Token(client.token.to_string()));
    let mut options = strongroom::OpenOptions::default();
    (options.credential, options.http) = (Some(credential), Some(client.http.clone()));
    strongroom::open_with(&client.vault, options).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn when_the_server_is_gone_public_calls_go_on_and_private_ones_say_so() {
    let mut desk = Desk::open().await;
    let vault = over_https(&desk.dev.variables).await;
    let signing = VaultKey::new(Arc::clone(&vault), "signing").unwrap();
    let wrapping = VaultKey::new(vault, "wrapping").unwrap();
    signing.create(KeySpec::Ec(Curve::P256)).await.unwrap();
    wrapping.create(KeySpec::Rsa { bits: 2048 }).await.unwrap();
    let signature = signing.sign(SignatureAlgorithm::ES256, b"m").await.unwrap();
    let token = strongroom::jws::sign(&signing, None, None, b"payload").await.unwrap();
    desk.dev.process.kill();
    assert!(signing.verify(b"m", &signature).await.unwrap());
    strongroom::jws::verify(&token, &signing.public().await.unwrap().1).unwrap();
    let wrapped = wrapping.wrap(EncryptionAlgorithm::RsaOaep256, &[7; 32]).await.unwrap();
    let limit = Duration::from_secs(300);
    let signing = with_deadline(limit, signing.sign(SignatureAlgorithm::ES256, b"m"));
    let (signing, unwrapping) = tokio::join!(signing, with_deadline(limit, wrapping.unwrap(&wrapped)));
    for fault in [signing.map(drop).unwrap_err(), unwrapping.map(drop).unwrap_err()] {
        assert!(fault.is_outage(), "{fault}");
    }
}

/// The server's connections are driven by the thread that signs, so that this one may wait.
#[tokio::test]
async fn a_tls_key_over_https_signs_for_a_server_on_one_thread() {
    let folder = tempfile::tempdir().unwrap();
    let dev = Dev::start(&folder.path().join("data"));
    let vault = over_https(&dev.variables).await;
    let (root, server) = (VaultKey::new(Arc::clone(&vault), "root").unwrap(), VaultKey::new(vault, "tls").unwrap());
    for key in [&root, &server] {
        key.create(KeySpec::Ec(Curve::P256)).await.unwrap();
    }
    let ca = CertificateAuthority::create_root(&root, "Root", 30).await.unwrap();
    let public = server.public().await.unwrap().1;
    let request = Request::new(&public).unwrap().with_name("localhost").for_usage(Usage::Server).for_days(7);
    let chain = ca.issue(&request).await.unwrap().chain_pem;
    let variables = dev.variables.clone();
    let open = || async move { Ok(VaultKey::new(over_https(&variables).await, "tls")?) };
    let key = VaultTlsKey::open(open, &chain, Duration::from_secs(20)).await.unwrap().certified_key();
    for number in 0..10 {
        let scheme = rustls::SignatureScheme::ECDSA_NISTP256_SHA256;
        let message = format!("handshake {number}");
        let der = key.key.choose_scheme(&[scheme]).unwrap().sign(message.as_bytes()).unwrap();
        let (algorithm, version) = (SignatureAlgorithm::ES256, server.public().await.unwrap().0);
        let signature = strongroom::keys::Signature::from_der(version, algorithm, &der).unwrap();
        assert!(server.verify(message.as_bytes(), &signature).await.unwrap());
    }
}
