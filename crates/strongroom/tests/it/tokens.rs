//! The token service and the ring of keys, by the binary: on its three stores, by many processes at once.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Instant;

use serde_json::{Value, json};
use strongroom_store::conformance::skipped;

use crate::process::{Dev, Running, assert_refusal, fail, private_file, stderr, strongroom, succeed, text, variables};

/// A Redis of our own, on a socket.
pub(crate) struct Redis {
    process: Child,
    socket: PathBuf,
}

impl Redis {
    pub(crate) fn start(folder: &Path) -> Option<Self> {
        let socket = folder.join("redis.sock");
        let mut command = Command::new("redis-server");
        command.args(["--port", "0", "--save", "", "--unixsocket", text(&socket)]).current_dir(folder);
        let Ok(process) = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn() else {
            skipped("the token service on Redis", "redis-server is not installed");
            return None;
        };
        let redis = Self { process, socket };
        crate::process::until("redis listens", || std::os::unix::net::UnixStream::connect(&redis.socket).ok());
        Some(redis)
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

/// Settings of rings in a folder, and who may administer.
pub(crate) struct Place {
    folder: PathBuf,
    pub(crate) bearer: String,
    pub(crate) issuer: String,
    environment: Vec<(String, String)>,
}

impl Place {
    pub(crate) fn new(folder: &Path) -> Self {
        let new_bearer = |name: &str| {
            let file = folder.join(name);
            succeed(&["tokens", "new-bearer", "--file", text(&file)]).trim().to_owned()
        };
        let (bearer, issuer) = (new_bearer("admin.hash"), new_bearer("issuer.hash"));
        private_file(&folder.join("seal.key"), &[7; 32]);
        Self { folder: folder.to_owned(), bearer, issuer, environment: Vec::new() }
    }

    pub(crate) fn file(&self, name: &str, kind: &str, more: &Value) -> PathBuf {
        let mut settings = json!({
            "KeyStore": { "Type": kind },
            "Jwt": { "Issuer": "https://tokens.test", "Audience": "downloads", "Algorithm": "ES256" },
            "Admin": { "Token": { "File": self.folder.join("admin.hash") } },
            "Issue": { "Token": { "File": self.folder.join("issuer.hash") } },
        });
        for (name, value) in more.as_object().unwrap() {
            settings[name] = value.clone();
        }
        let file = self.folder.join(name);
        std::fs::write(&file, format!("// {name}\n{settings:#}\n")).unwrap();
        file
    }

    pub(crate) fn in_memory(&self) -> PathBuf {
        self.file("memory.json", "InMemory", &json!({}))
    }

    pub(crate) fn in_redis(&self, redis: &Redis) -> PathBuf {
        let address = format!("redis+unix://{}", redis.socket.display());
        let store = json!({ "Type": "redis", "Redis": { "KeyFile": self.folder.join("seal.key") } });
        self.file("redis.json", "redis", &json!({ "KeyStore": store, "ConnectionStrings": { "Redis": address } }))
    }

    /// In a vault and a configuration store of a development server, by their Azure names.
    pub(crate) fn in_azure(&mut self, dev: &Dev) -> PathBuf {
        let known = variables(&dev.folder.join("strongroom-proxy.env"));
        let login = ["SSL_CERT_FILE", "HTTPS_PROXY", "AZURE_TENANT_ID", "AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET"];
        self.environment = login.iter().map(|name| ((*name).to_owned(), known[*name].clone())).collect();
        let config = &known["AZURE_APPCONFIG_CONNECTION_STRING"];
        let more = json!({
            "Azure": { "KeyVault": { "Name": "dev" } },
            "ConnectionStrings": { "AppConfiguration": config },
        });
        self.file("azure.json", "Azure", &more)
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = strongroom();
        command.args(arguments).envs(self.environment.iter().cloned());
        command
    }

    pub(crate) fn succeed(&self, arguments: &[&str]) -> String {
        let output = self.command(arguments).output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", stderr(&output));
        String::from_utf8(output.stdout).unwrap()
    }

    pub(crate) fn serve(&self, settings: &Path, name: &str) -> Service {
        let mut command = self.command(&["tokens", "serve", "--settings", text(settings), "--listen", "127.0.0.1:0"]);
        command.stdout(Stdio::piped()).stdin(Stdio::null());
        let log = self.folder.join(format!("{name}.log"));
        command.stderr(std::fs::File::create(&log).unwrap());
        let mut child = command.spawn().unwrap();
        let mut line = String::new();
        let mut stdout = std::io::BufReader::new(child.stdout.take().unwrap());
        std::io::BufRead::read_line(&mut stdout, &mut line).unwrap();
        let url = line.split_whitespace().find(|word| word.starts_with("http"));
        let url = url.unwrap_or_else(|| panic!("{}", std::fs::read_to_string(&log).unwrap())).to_owned();
        let process = Running::of(child, log, stdout);
        Service { process, url, http: reqwest::Client::builder().no_proxy().build().unwrap() }
    }
}

pub(crate) struct Service {
    pub(crate) process: Running,
    pub(crate) url: String,
    http: reqwest::Client,
}

impl Service {
    pub(crate) async fn call(&self, method: reqwest::Method, path: &str, bearer: &str, body: Value) -> (u16, Value) {
        let mut request = self.http.request(method, format!("{}{path}", self.url));
        if !bearer.is_empty() {
            request = request.bearer_auth(bearer);
        }
        if !body.is_null() {
            request = request.json(&body);
        }
        let response = request.send().await.unwrap();
        let status = response.status().as_u16();
        (status, response.json().await.unwrap_or_default())
    }

    pub(crate) async fn get(&self, path: &str, bearer: &str) -> (u16, Value) {
        self.call(reqwest::Method::GET, path, bearer, Value::Null).await
    }

    pub(crate) async fn post(&self, path: &str, bearer: &str, body: Value) -> (u16, Value) {
        self.call(reqwest::Method::POST, path, bearer, body).await
    }

    pub(crate) async fn link(&self, bearer: &str) -> String {
        let body = json!({ "email": "a@example.com", "filePath": "/reports/1.pdf" });
        let (status, answer) = self.post("/api/link/secure", bearer, body).await;
        assert_eq!(status, 200, "{answer}");
        assert_eq!(answer["expiresIn"], 3600);
        let token = answer["token"].as_str().unwrap().to_owned();
        assert_eq!(answer["downloadUrl"], format!("{}/api/download?token={token}", self.url));
        token
    }

    pub(crate) async fn download(&self, token: &str) -> (u16, Value) {
        self.get(&format!("/api/download?token={token}"), "").await
    }

    pub(crate) async fn kids(&self) -> Vec<String> {
        let (status, set) = self.get("/.well-known/jwks.json", "").await;
        assert_eq!(status, 200, "{set}");
        set["keys"].as_array().unwrap().iter().map(|key| key["kid"].as_str().unwrap().to_owned()).collect()
    }

    pub(crate) async fn active(&self, bearer: &str) -> String {
        let (_, answer) = self.get("/api/admin/keys", bearer).await;
        let keys = answer["keys"].as_array().unwrap();
        let active: Vec<_> = keys.iter().filter(|key| key["isActive"] == true).collect();
        assert_eq!(active.len(), 1, "{answer}");
        active[0]["kid"].as_str().unwrap().to_owned()
    }
}

/// The ten steps of the original's script, through its endpoints.
async fn ten_steps(place: &Place, settings: &Path) {
    let service = place.serve(settings, "ten-steps");
    let admin = place.bearer.as_str();
    let first = service.active(admin).await; // 1: there is an initial key
    let t1 = service.link(&place.issuer).await; // 2
    let (status, answer) = service.download(&t1).await; // 3
    assert_eq!((status, &answer["claims"]["email"]), (200, &"a@example.com".into()), "{answer}");
    assert_eq!(answer["claims"]["file"], "/reports/1.pdf");
    let (status, answer) = service.post("/api/admin/rotate-key", admin, Value::Null).await; // 4
    assert_eq!(status, 200, "{answer}");
    let second = service.active(admin).await;
    assert!(answer["kid"] == second.as_str() && first != second);
    let t2 = service.link(&place.issuer).await; // 5
    assert_eq!((service.download(&t1).await.0, service.download(&t2).await.0), (200, 200)); // 6
    assert_eq!(service.kids().await.len(), 2); // 7
    let (status, answer) = service.post(&format!("/api/admin/retire/{second}"), admin, Value::Null).await;
    assert_eq!((status, &answer["error"]), (409, &"active_key".into()), "the active key is not retired by accident");
    let (status, _) = service.post(&format!("/api/admin/retire/{first}"), admin, Value::Null).await; // 8
    assert_eq!(status, 200);
    let (status, answer) = service.download(&t1).await; // 9
    assert_eq!((status, &answer["error"]), (401, &"unknown_key".into()));
    assert_eq!(service.download(&t2).await.0, 200);
    assert_eq!(service.kids().await, [second]); // 10
    assert!(service.process.stop().success(), "it stops as it should");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_ten_steps_in_memory() {
    let folder = tempfile::tempdir().unwrap();
    let place = Place::new(folder.path());
    ten_steps(&place, &place.in_memory()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_ten_steps_in_redis() {
    let folder = tempfile::tempdir().unwrap();
    let Some(redis) = Redis::start(folder.path()) else { return };
    let place = Place::new(folder.path());
    ten_steps(&place, &place.in_redis(&redis)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_ten_steps_in_a_vault_and_a_configuration_store() {
    let folder = tempfile::tempdir().unwrap();
    let dev = Dev::start(&folder.path().join("data"));
    let mut place = Place::new(folder.path());
    let settings = place.in_azure(&dev);
    ten_steps(&place, &settings).await;

    // A role that is missing is named at the start.
    let read_only = &dev.variables["AZURE_APPCONFIG_READONLY_CONNECTION_STRING"];
    let endpoint = "Endpoint=https://dev.azconfig.io";
    let read_only = read_only.split_once(';').map(|(_, rest)| format!("{endpoint};{rest}")).unwrap();
    let more = json!({
        "Azure": { "KeyVault": { "Name": "dev" } },
        "ConnectionStrings": { "AppConfiguration": read_only },
    });
    let refused = place.file("read-only.json", "Azure", &more);
    let output = place.command(&["tokens", "serve", "--settings", text(&refused)]).output().unwrap();
    assert_refusal(&output, &["App Configuration Data Owner"]);
    let made = succeed(&["application", "create", "nobody", "--data", text(&dev.folder)]);
    let member = |name: &str| {
        let line = made.lines().find_map(|line| line.strip_prefix(&format!("{name}: ")));
        line.unwrap_or_else(|| panic!("no {name} in {made}")).to_owned()
    };
    let mut command = place.command(&["tokens", "serve", "--settings", text(&settings)]);
    command.env("AZURE_CLIENT_ID", member("client_id")).env("AZURE_CLIENT_SECRET", member("client_secret"));
    assert_refusal(&command.output().unwrap(), &["Key Vault Crypto Officer"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_administers_or_issues_without_the_right() {
    let folder = tempfile::tempdir().unwrap();
    let place = Place::new(folder.path());
    let service = place.serve(&place.in_memory(), "rights");
    let kid = service.active(&place.bearer).await;
    let link = service.link(&place.issuer).await;
    let administration = [
        (reqwest::Method::POST, "/api/admin/rotate-key".to_owned()),
        (reqwest::Method::POST, format!("/api/admin/retire/{kid}?force=true")),
        (reqwest::Method::GET, "/api/admin/keys".to_owned()),
    ];
    for (method, path) in &administration {
        for (bearer, wanted) in [("", 401), ("wrong", 401), (place.issuer.as_str(), 403), (link.as_str(), 403)] {
            let (status, answer) = service.call(method.clone(), path, bearer, Value::Null).await;
            assert_eq!(status, wanted, "{path}: {answer}");
        }
    }
    for path in ["/api/link/secure", "/api/tokens"] {
        for (bearer, wanted) in [("", 401), ("wrong", 401), (link.as_str(), 403)] {
            assert_eq!(service.post(path, bearer, json!({})).await.0, wanted, "{path}");
        }
    }
    // Who issues gives no roles, and does not set what the ring sets.
    let roles = |role: &str| json!({ "claims": { "sub": "me", "roles": [role] }, "ttlMinutes": 5 });
    assert_eq!(service.post("/api/tokens", &place.issuer, roles("TokenService.Admin")).await.0, 403);
    for claim in ["iss", "aud", "exp", "nbf", "iat", "jti"] {
        let body = json!({ "claims": { claim: "x" } });
        assert_eq!(service.post("/api/tokens", &place.issuer, body).await.0, 400, "{claim}");
    }
    // Tokens of the ring's own with a role.
    let (_, answer) = service.post("/api/tokens", &place.bearer, roles("TokenService.Admin")).await;
    let admin = answer["token"].as_str().unwrap();
    let (_, answer) = service.post("/api/tokens", admin, roles("TokenService.Issuer")).await;
    let issuer = answer["token"].as_str().unwrap();
    service.link(issuer).await;
    assert_eq!(service.post("/api/admin/rotate-key", issuer, Value::Null).await.0, 403);
    assert_eq!(service.post("/api/admin/rotate-key", admin, Value::Null).await.0, 200);

    // Refusals are told apart.
    let (signed, _) = link.rsplit_once('.').unwrap();
    let (_, other) = issuer.rsplit_once('.').unwrap();
    for (token, status, code) in [
        ("x".to_owned(), 400, "malformed_token"),
        (format!("{signed}.{other}"), 401, "invalid_signature"),
        (format!("{signed}."), 401, "invalid_signature"),
    ] {
        let (answered, answer) = service.download(&token).await;
        assert_eq!((answered, &answer["error"]), (status, &code.into()), "{answer}");
    }
    assert_eq!(service.get("/api/download", "").await.0, 400);
    assert_eq!(service.post("/api/tokens/validate", "", json!({ "token": link })).await.0, 200);
    for body in [json!({}), json!([]), json!({ "email": "a@b", "filePath": "" }), json!({ "email": 1 })] {
        assert_eq!(service.post("/api/link/secure", &place.issuer, body.clone()).await.0, 400, "{body}");
    }

    // The JWK set may be kept by those in between, for as long as verifiers believe it.
    let url = format!("{}/.well-known/jwks.json", service.url);
    let set = service.http.get(&url).send().await.unwrap();
    assert_eq!(set.headers()["cache-control"], "public, max-age=300");
    let etag = set.headers()["etag"].clone();
    let again = service.http.get(&url).header("if-none-match", etag).send().await.unwrap();
    assert_eq!(again.status(), 304);
    assert_eq!(service.get("/health", "").await.0, 200);
    let log = service.process.log();
    assert!(!log.contains(&place.bearer) && !log.contains(&link), "no token is logged");
}

#[test]
fn plain_http_is_for_loopback_alone() {
    let folder = tempfile::tempdir().unwrap();
    let place = Place::new(folder.path());
    let settings = place.in_memory();
    let serve = ["tokens", "serve", "--settings", text(&settings), "--listen", "0.0.0.0:0"];
    fail(&serve, &["--tls-certificate", "--insecure"]);
    let mut command = strongroom();
    command.args(["tokens", "serve", "--settings", text(&settings)]).env("KeyStore__Type", "Azure");
    assert_refusal(&command.output().unwrap(), &["Azure:KeyVault:Name"]);
    fail(&["tokens", "keys", "--settings", text(&settings)], &["InMemory", "/api/admin"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn it_serves_tls_with_a_certificate() {
    let folder = tempfile::tempdir().unwrap();
    let place = Place::new(folder.path());
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let (certificate, key) = (folder.path().join("cert.pem"), folder.path().join("key.pem"));
    std::fs::write(&certificate, made.cert.pem()).unwrap();
    private_file(&key, made.signing_key.serialize_pem().as_bytes());
    let settings = place.in_memory();
    let arguments = ["tokens", "serve", "--settings", text(&settings), "--listen", "127.0.0.1:0"];
    let mut command = place.command(&arguments);
    command.args(["--tls-certificate", text(&certificate), "--tls-key", text(&key)]);
    let process = Running::start(command, &folder.path().join("tls.log"), "The token service is at https://127.0.0.1:");
    assert!(process.stop().success());
}

/// Twenty processes start at once, and twenty rotate at once, again and again.
#[tokio::test(flavor = "multi_thread")]
async fn twenty_processes_make_one_key_and_lose_none() {
    let folder = tempfile::tempdir().unwrap();
    let Some(redis) = Redis::start(folder.path()) else { return };
    let place = Arc::new(Place::new(folder.path()));
    let settings = place.in_redis(&redis);
    let starts = (0..20).map(|at| {
        let (place, settings) = (Arc::clone(&place), settings.clone());
        tokio::task::spawn_blocking(move || place.serve(&settings, &format!("start-{at}")))
    });
    let mut services = Vec::new();
    for start in starts.collect::<Vec<_>>() {
        services.push(start.await.unwrap());
    }
    let kids: BTreeSet<Vec<String>> = [services[0].kids().await, services[19].kids().await].into();
    assert!(kids.len() == 1 && kids.first().unwrap().len() == 1, "{kids:?}");
    let first = kids.first().unwrap()[0].clone();
    drop(services.split_off(1));

    let (begin, mut won, mut busy) = (Instant::now(), BTreeSet::from([first]), 0);
    for _round in 0..50 {
        let rotations = (0..20).map(|_| place.command(&["tokens", "rotate", "--settings", text(&settings)]));
        let running: Vec<Child> = rotations
            .map(|mut command| command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap())
            .collect();
        for process in running {
            let output = process.wait_with_output().unwrap();
            if output.status.success() {
                let kid = String::from_utf8(output.stdout).unwrap().trim().to_owned();
                assert!(won.insert(kid), "no kid twice");
            } else {
                assert_refusal(&output, &["Another instance is currently rotating keys"]);
                busy += 1;
            }
        }
    }
    println!("20 processes x 50 rotations: {} won, {busy} were told to wait, {:?}", won.len() - 1, begin.elapsed());
    let listed = place.succeed(&["tokens", "jwks", "--settings", text(&settings)]);
    let listed: Value = serde_json::from_str(&listed).unwrap();
    let listed: Vec<&str> = listed["keys"].as_array().unwrap().iter().map(|key| key["kid"].as_str().unwrap()).collect();
    assert_eq!(listed.len(), won.len(), "the list has each key once");
    assert!(listed.iter().all(|kid| won.contains(*kid)));
    let active = services[0].active(&place.bearer).await;
    assert!(won.contains(&active));
    // By the command line, too.
    let old = listed.iter().find(|kid| **kid != active).unwrap();
    fail(&["tokens", "retire", &active, "--settings", text(&settings)], &["is active"]);
    succeed(&["tokens", "retire", old, "--settings", text(&settings)]);
    let shown = succeed(&["tokens", "keys", "--settings", text(&settings), "-o", "json"]);
    assert!(!shown.contains(old) && shown.contains(&active));
}
