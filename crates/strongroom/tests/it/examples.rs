//! The programs under `examples/`, as people run them: in the environment that `strongroom dev`
//! writes, against its server. Each test has a server of its own, which ends with it and leaves
//! nothing; examples that make objects of the same names have vaults of their own in it.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use strongroom::keys::{Signature, SignatureAlgorithm, Version};

use crate::process::{Dev, stderr, strongroom, succeed, text, until, variables};

/// A server, and who logs in there.
struct World {
    folder: tempfile::TempDir,
    dev: Dev,
    environment: Vec<(String, String)>,
}

impl World {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let dev = Dev::start(&folder.path().join("data"));
        let environment = variables(&dev.folder.join("strongroom-proxy.env")).into_iter().collect();
        Self { folder, dev, environment }
    }

    /// At another vault of the server. It is made when it is first used.
    fn at(&self, vault: &str) -> Vec<(String, String)> {
        self.with("AZURE_KEYVAULT_URL", &format!("https://{vault}.vault.azure.net"))
    }

    fn with(&self, name: &str, value: &str) -> Vec<(String, String)> {
        let mut environment = self.without(&[name]);
        environment.push((name.to_owned(), value.to_owned()));
        environment
    }

    fn without(&self, names: &[&str]) -> Vec<(String, String)> {
        self.environment.iter().filter(|(name, _)| !names.contains(&name.as_str())).cloned().collect()
    }

    /// Logged in as an application that has no role yet.
    fn as_newcomer(&self, name: &str) -> Vec<(String, String)> {
        let made = succeed(&["application", "create", name, "--data", text(&self.dev.folder)]);
        let member = |name: &str| {
            let line = made.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
            line.unwrap().to_owned()
        };
        let mut environment = self.without(&["AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET"]);
        environment.push(("AZURE_CLIENT_ID".to_owned(), member("client_id")));
        environment.push(("AZURE_CLIENT_SECRET".to_owned(), member("client_secret")));
        environment
    }

    fn assign(&self, role: &str, principal: &str, scope: &str) {
        let data = text(&self.dev.folder);
        succeed(&["role", "assign", "--role", role, "--principal", principal, "--scope", scope, "--data", data]);
    }

    /// What an example prints, which succeeds.
    #[track_caller]
    fn prints(&self, name: &str, arguments: &[&str]) -> String {
        prints(name, arguments, &self.environment)
    }
}

/// An example, with these variables alone.
fn example(name: &str, arguments: &[&str], environment: &[(String, String)]) -> Command {
    let program = Path::new(env!("CARGO_BIN_EXE_strongroom")).parent().unwrap().join("examples").join(name);
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples").join(name).with_extension("rs");
    let changed = |path: &Path| fs::metadata(path).and_then(|file| file.modified()).ok();
    // Cargo leaves examples alone when a test is named.
    let current = changed(&program).zip(changed(&source)).is_some_and(|(built, written)| built >= written);
    assert!(
        current,
        "{name} is not built, or is older than its source: build the examples first: cargo build --examples"
    );
    let mut command = Command::new(program);
    command.args(arguments).env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command.envs(environment.iter().map(|(name, value)| (name, value))).stdin(Stdio::null());
    command
}

#[track_caller]
fn prints(name: &str, arguments: &[&str], environment: &[(String, String)]) -> String {
    let output = example(name, arguments, environment).output().unwrap();
    assert!(output.status.success(), "{name}: {} {}", stdout(&output), stderr(&output));
    stdout(&output)
}

/// What an example says that fails as it should.
#[track_caller]
fn refuses(name: &str, arguments: &[&str], environment: &[(String, String)]) -> String {
    let output = example(name, arguments, environment).output().unwrap();
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(1), "{name}: {} {said}", stdout(&output));
    assert!(!said.contains("panicked"), "{said}");
    said
}

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[track_caller]
fn openssl_verifies(key: &Path, signature: &Path, data: &Path) {
    let arguments = ["dgst", "-sha256", "-verify", text(key), "-signature", text(signature), text(data)];
    let output = Command::new("openssl").args(arguments).output().unwrap();
    assert!(output.status.success() && stdout(&output).contains("Verified OK"), "{}", stderr(&output));
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_of_every_wanted_kind_are_made() {
    let world = World::new();
    assert_eq!(
        world.prints("basic", &[]),
        "RSA key generated in Azure Key Vault\nSignature created: 256 bytes\nPublic key retrieved: RSA 2048\n\
         Signature valid: true\n"
    );
    assert_eq!(world.prints("service_principal", &[]), "ECDSA key created with service principal auth\n");
    let client = world.dev.client().await;
    let (_, made) = client.get("/keys/ecdsa-p256-key").await;
    assert_eq!((&made["key"]["kty"], &made["key"]["crv"]), (&json!("EC"), &json!("P-256")), "{made}");
    let missing = refuses("service_principal", &[], &world.without(&["AZURE_CLIENT_SECRET"]));
    assert!(missing.starts_with("client_secret is missing"), "{missing}");

    let printed = prints("four_keys", &[], &world.at("other"));
    assert!(printed.ends_with("Multiple algorithm keys generated\n"), "{printed}");
    let other = client.at("other");
    let (_, list) = other.get("/keys").await;
    assert_eq!(list["value"].as_array().unwrap().len(), 4, "{list}");
    for (name, size) in [("rsa-2048", 2048), ("rsa-4096", 4096)] {
        let (_, key) = other.get(&format!("/keys/{name}")).await;
        let modulus = key["key"]["n"].as_str().unwrap();
        assert_eq!(modulus.len(), (size / 8 * 4_usize).div_ceil(3), "{name}");
    }
    for (name, curve) in [("ecdsa-p256", "P-256"), ("ecdsa-p384", "P-384")] {
        assert_eq!(other.get(&format!("/keys/{name}")).await.1["key"]["crv"], curve, "{name}");
    }

    // A server without an HSM says what to do.
    let refused = refuses("hsm_key", &[], &world.environment);
    assert!(refused.contains("This vault has no HSM"), "{refused}");
}

#[test]
fn what_was_signed_is_verified_by_openssl() {
    let world = World::new();
    let folder = world.folder.path().join("signed");
    fs::create_dir(&folder).unwrap();
    let wanted = "Signed: 256 bytes\nCertificate signed: 512 bytes\nAPI request signed: 64 bytes\n\
                  Another request with that signature: refused\nDocument signed: 256 bytes\n";
    assert_eq!(world.prints("signing_service", &[text(&folder)]), wanted);
    let of = |name: &str, end: &str| folder.join(format!("{name}{end}"));
    let check = || {
        for name in ["message", "certificate", "request", "document"] {
            openssl_verifies(&of(name, ".pem"), &of(name, ".sig"), &of(name, ""));
        }
    };
    check();
    assert_eq!(fs::read(of("request", "")).unwrap(), b"GET /api/v1/resource");
    // Another time it finds its keys.
    let key = fs::read(of("message", ".pem")).unwrap();
    assert_eq!(world.prints("signing_service", &[text(&folder)]), wanted);
    assert_eq!(fs::read(of("message", ".pem")).unwrap(), key);
    check();
    let nobody = world.without(&["AZURE_KEYVAULT_URL"]);
    let output = example("signing_service", &[], &nobody).output().unwrap();
    assert!(!output.status.success() && stderr(&output).contains("vault_url"), "{}", stderr(&output));
}

#[test]
fn a_token_is_read_by_python_and_verified_by_openssl() {
    let world = World::new();
    let printed = world.prints("jwt", &[]);
    assert!(printed.starts_with("JWT signed: 64 bytes\n") && printed.contains("It speaks for alice"), "{printed}");
    let token = printed.lines().find(|line| line.starts_with("ey")).unwrap();
    let script = "import base64, json, sys\n\
                  decode = lambda part: base64.urlsafe_b64decode(part + '=' * (-len(part) % 4))\n\
                  header, claims, signature = sys.argv[1].split('.')\n\
                  header, claims = json.loads(decode(header)), json.loads(decode(claims))\n\
                  assert claims['exp'] - claims['iat'] == 600 and claims['sub'] == 'alice'\n\
                  assert header['alg'] == 'ES256' and header['typ'] == 'JWT' and len(decode(signature)) == 64\n\
                  sys.stdout.write(decode(signature).hex() + ' ' + header['kid'])";
    let output = Command::new("python3").args(["-c", script, token]).output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    let read = stdout(&output);
    let (signature, kid) = read.split_once(' ').unwrap();
    let version = Version::parse(kid.strip_prefix("jwt-signing-key/").unwrap()).unwrap();
    let bytes = hex::decode(signature).unwrap();
    let signature = Signature { version, algorithm: SignatureAlgorithm::ES256, bytes };

    let file = |name: &str, content: &[u8]| {
        let path = world.folder.path().join(name);
        fs::write(&path, content).unwrap();
        path
    };
    let pem = &printed[printed.find("-----BEGIN").unwrap()..];
    let (input, _) = token.rsplit_once('.').unwrap();
    let key = file("key.pem", pem.as_bytes());
    openssl_verifies(&key, &file("token.sig", &signature.to_der().unwrap()), &file("token", input.as_bytes()));
}

#[test]
fn each_environment_has_its_vault() {
    let world = World::new();
    for name in ["dev", "staging", "prod"] {
        let printed = prints("environments", &[], &world.with("ENVIRONMENT", name));
        assert!(printed.starts_with(&format!("Using {name} environment vault\n")), "{printed}");
    }
    let vaults = succeed(&["vault", "list", "--data", text(&world.dev.folder)]);
    assert!(["dev-vault", "staging-vault", "prod-vault"].iter().all(|name| vaults.contains(name)), "{vaults}");
    assert_eq!(refuses("environments", &[], &world.with("ENVIRONMENT", "qa")), "unknown environment: qa\n");
}

#[test]
fn a_credential_comes_from_a_file_the_environment_or_a_command_line() {
    let world = World::new();
    let printed = world.prints("credentials", &[]);
    assert!(printed.contains("Tried environment (secret): served\nLogged in"), "{printed}");

    let value = |name: &str| world.environment.iter().find(|(known, _)| known == name).unwrap().1.clone();
    let file = |name: &str, content: &str| {
        let path = world.folder.path().join(name);
        fs::write(&path, content).unwrap();
        path
    };
    let (url, tenant, client) = (value("AZURE_KEYVAULT_URL"), value("AZURE_TENANT_ID"), value("AZURE_CLIENT_ID"));
    // The secret from the environment, the rest from the file alone.
    let nameless = world.without(&["AZURE_KEYVAULT_URL", "AZURE_TENANT_ID", "AZURE_CLIENT_ID"]);
    let yaml = file("ids.yaml", &format!("vault_url: {url}\ntenant_id: {tenant}\nclient_id: {client}\n"));
    assert!(prints("credentials", &[text(&yaml)], &nameless).starts_with("Logged in"));
    let json = json!({ "VaultURL": url, "TenantID": tenant, "ClientID": client }).to_string();
    assert!(prints("credentials", &[text(&file("ids.json", &json))], &nameless).starts_with("Logged in"));

    let secret = value("AZURE_CLIENT_SECRET");
    let refused = |name: &str, content: &str| {
        let said = refuses("credentials", &[text(&file(name, content))], &world.without(&["AZURE_CLIENT_SECRET"]));
        assert!(!said.contains(&secret), "a secret is told");
        said
    };
    let avoid = format!("vault_url: {url}\ntenant_id: {tenant}\nclient_id: {client}\nclient_secret: {secret}\n");
    assert!(refused("avoid.yaml", &avoid).contains("line 4: client_secret"), "secrets in files are refused");
    let half = format!("vault_url: {url}\ntenant_id: {tenant}\nclient_id: {client}\n");
    assert!(refused("half.yaml", &half).starts_with("client_secret is missing"));
    let both = format!("vault_url: {url}\nUseManagedIdentity: true\nTenantID: {tenant}\n");
    assert!(refused("both.yaml", &both).contains("choose one"));

    // Without any variable of a credential the chain goes on to the command lines. This one stands for
    // a logged-in az, with a real token.
    let folder = world.folder.path().join("bin");
    fs::create_dir(&folder).unwrap();
    let script = format!(
        "#!/bin/sh\nset -e\nform='grant_type=client_credentials&client_id={client}&scope=https%3A%2F%2Fvault.azure.net%2F.default'\n\
         token=$(curl -sS --fail -d \"$form\" --data-urlencode 'client_secret={secret}' \
         'https://login.microsoftonline.com/{tenant}/oauth2/v2.0/token' | sed 's/.*\"access_token\":\"\\([^\"]*\\)\".*/\\1/')\n\
         printf '{{\"accessToken\":\"%s\",\"expiresOn\":\"2099-01-01 00:00:00.000000\",\"expires_on\":4070908800,\"tenant\":\"{tenant}\",\"tokenType\":\"Bearer\"}}' \"$token\"\n"
    );
    let az = folder.join("az");
    fs::write(&az, script).unwrap();
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(&az, fs::Permissions::from_mode(0o700)).unwrap();
    let mut environment = world.without(&["AZURE_TENANT_ID", "AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET"]);
    environment.push(("PATH".to_owned(), format!("{}:{}", text(&folder), std::env::var("PATH").unwrap())));
    let printed = prints("credentials", &[], &environment);
    let tried: Vec<&str> = printed.lines().filter_map(|line| line.strip_prefix("Tried ")).collect();
    let steps: Vec<&str> = tried.iter().map(|line| line.split(':').next().unwrap()).collect();
    let order =
        ["environment (secret)", "environment (certificate)", "workload identity", "managed identity", "Azure CLI"];
    assert_eq!(steps, order, "{printed}");
    assert!(tried[4].ends_with(": served") && printed.contains("Logged in"), "{printed}");
}

/// The same programs as a machine's identity, without any secret.
#[test]
fn a_managed_identity_needs_no_secret() {
    let world = World::new();
    let data = text(&world.dev.folder);
    if !succeed(&["--help"]).lines().any(|line| line.trim_start().starts_with("identity ")) {
        strongroom_store::conformance::skipped("examples as a managed identity", "this build has no identity endpoint");
        return;
    }
    succeed(&["identity", "create", "app-one", "--data", data]);
    world.assign("Key Vault Administrator", "app-one", "dev");
    let yaml = world.folder.path().join("identity.yaml");
    fs::write(&yaml, "vault_url: https://dev.vault.azure.net\nuse_managed_identity: true\n").unwrap();
    let run = |name: &str, arguments: &[&str]| {
        let program = example(name, &[], &[]).get_program().to_owned();
        let mut command = strongroom();
        command.args(["identity", "run", "app-one", "--data", data, "--"]).arg(program).args(arguments);
        let output = command.envs(world.environment.iter().cloned()).output().unwrap();
        assert!(output.status.success(), "{name}: {}", stderr(&output));
        stdout(&output)
    };
    assert!(run("basic", &[]).starts_with("RSA key generated in Azure Key Vault\n"));
    assert!(run("credentials", &[text(&yaml)]).starts_with("Logged in"));
    assert!(run("credentials", &[]).contains("Tried managed identity: served"));
}

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

#[test]
fn access_is_waited_for_until_the_role_counts() {
    let world = World::new();
    let mut newcomer = example("wait_for_access", &["test-secret", "60"], &world.as_newcomer("newcomer"));
    let mut child = newcomer.stdout(Stdio::piped()).spawn().unwrap();
    let mut said = BufReader::new(child.stdout.take().unwrap()).lines();
    assert_eq!(said.next().unwrap().unwrap(), "RBAC not propagated yet, wait longer");
    prints("wait_for_access", &["another"], &{
        // Whoever may, has it at once.
        let set = world.environment.clone();
        let client = tokio::runtime::Runtime::new().unwrap();
        client.block_on(async {
            let client = world.dev.client().await;
            client.set_secret("test-secret", "value").await;
            client.set_secret("another", "value").await;
        });
        set
    });
    world.assign("Key Vault Secrets User", "newcomer", "dev/secrets/test-secret");
    let rest: Vec<String> = said.map(Result::unwrap).collect();
    assert_eq!(rest.last().map(String::as_str), Some("Access to test-secret"), "{rest:?}");
    assert!(child.wait().unwrap().success());
    let limited = world.as_newcomer("stranger");
    let late = refuses("wait_for_access", &["test-secret", "1"], &limited);
    assert_eq!(late, "still no access to secret test-secret after 1s: check the role assignment\n");
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

#[tokio::test(flavor = "multi_thread")]
async fn secrets_are_kept_read_and_found_by_tenant() {
    let world = World::new();
    let printed = world.prints("secrets", &[]);
    for line in [
        "healthy: Connected",
        "latest is the second: true",
        "the first is kept: true",
        "read 50 secrets",
        "secret batch-none not found",
    ] {
        assert!(printed.lines().any(|printed| printed == line), "{line}: {printed}");
    }
    assert_eq!(printed.lines().filter(|line| line.starts_with("Version: ")).count(), 2, "{printed}");
    let value = world.dev.client().await.secret("database-password").await;
    assert_eq!(value.as_deref(), Some("password-of-today"));
    let unknown = world.with("AZURE_CLIENT_SECRET", "wrong");
    assert!(prints_or_refuses("secrets", &unknown).contains("unhealthy: Auth failed"));

    let missing = "Secret 'smtp-password' not found for org 'org123'. Tried: org123--smtp-password, \
                   GLOBAL--smtp-password";
    let wanted = |last: &str| {
        format!("org123: 9 bytes\norg456: 7 bytes\n{missing}\nkept: 9 bytes\nasked again: 12 bytes\n{last}\n")
    };
    let nowhere = "Secret 'local-key' not found in Key Vault or local config";
    assert_eq!(prints("tenant_secrets", &[], &world.at("other")), wanted(nowhere));
    for (variable, value) in [("ORG123__LOCAL_KEY", "of the org"), ("GLOBAL__LOCAL_KEY", "of all")] {
        let printed = prints("tenant_secrets", &[], &world.with(variable, value));
        assert_eq!(printed, wanted(&format!("local: {} bytes", value.len())));
    }
}

/// Both streams, however it ends.
fn prints_or_refuses(name: &str, environment: &[(String, String)]) -> String {
    let output = example(name, &[], environment).output().unwrap();
    stdout(&output) + &stderr(&output)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rotation_leaves_the_new_version_and_disables_the_old_one() {
    let world = World::new();
    let client = world.dev.client().await;
    client.set_secret("database-password", "of old").await;
    let start = Instant::now();
    let printed = world.prints("rotation", &["1", "1"]);
    assert!(start.elapsed() >= Duration::from_secs(2), "it waits");
    assert!(printed.contains("\nSecret rotation completed\n"), "{printed}");
    let new = client.secret("database-password").await.unwrap();
    assert_eq!(new.len(), 32);
    assert!(!printed.contains(&new), "a password is told");
    let (_, versions) = client.get("/secrets/database-password/versions").await;
    let of = |state: bool| {
        let all = versions["value"].as_array().unwrap().iter();
        all.filter(|one| one["attributes"]["enabled"] == state)
            .map(|one| one["id"].as_str().unwrap())
            .collect::<Vec<_>>()
    };
    let id = |start: &str| printed.lines().find_map(|line| line.strip_prefix(start)).unwrap();
    assert!(of(true).len() == 1 && of(true)[0].ends_with(id("New version: ")), "{versions} {printed}");
    assert!(of(false).len() == 1 && of(false)[0].ends_with(id("Disabled version: ")), "{versions} {printed}");
    let (_, policy) = client.get("/keys/my-key/rotationpolicy").await;
    assert_eq!(policy["lifetimeActions"][0]["trigger"]["timeAfterCreate"], "P90D", "{policy}");
    assert_eq!(policy["lifetimeActions"][0]["action"]["type"], "Rotate", "{policy}");
    assert_eq!(policy["attributes"]["expiryTime"], "P2Y", "{policy}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vault_is_kept_in_order() {
    let world = World::new();
    let client = world.dev.client().await;
    client.set_secret("database-password", "value").await;
    client.set_secret("gone", "value").await;
    assert_eq!(client.call(reqwest::Method::DELETE, "/secrets/gone", Value::Null).await.0, 200);
    let wanted = r#"Production secrets: ["api-key"]
Recovered: deleted-by-mistake
Purged: secret not-needed not found
secret apikey not found
  Available secrets: ["api-key", "database-password", "deleted-by-mistake", "no-tags"]
  Deleted secrets: ["gone"]
  Vault URL: https://dev.vault.azure.net
  Did you mean api-key?
secret database-passwd not found
  Available secrets: ["api-key", "database-password", "deleted-by-mistake", "no-tags"]
  Deleted secrets: ["gone"]
  Vault URL: https://dev.vault.azure.net
  Did you mean database-password?
"#;
    assert_eq!(world.prints("housekeeping", &[]), wanted);
    let (_, secret) = client.get("/secrets/api-key").await;
    let lifetime = secret["attributes"]["exp"].as_i64().unwrap() - secret["attributes"]["created"].as_i64().unwrap();
    assert!((lifetime - 90 * 86_400).abs() < 10, "{secret}");
    assert_eq!(
        (&secret["contentType"], &secret["tags"]["application"]),
        (&json!("application/password"), &json!("myapp"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_web_application_starts_with_its_secrets_and_not_without() {
    let world = World::new();
    let client = world.dev.client().await;
    client.set_secret("FLASK-SECRET-KEY", "key-4711").await;
    client.set_secret("DB-USERNAME", "user-4711").await;
    assert_eq!(refuses("web_config", &[], &world.environment), "secret DB-PASSWORD not found\n");
    client.set_secret("DB-PASSWORD", "password-4711").await;
    let errors = fs::File::create(world.folder.path().join("web.log")).unwrap();
    let mut command = example("web_config", &[], &world.environment);
    let mut child = command.stdout(Stdio::piped()).stderr(errors).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let url = line.trim().strip_prefix("Listening on ").unwrap_or_else(|| panic!("{line}")).to_owned();
    let page = until("it answers", || {
        let output = Command::new("curl").args(["-sS", "--noproxy", "*", &url]).output().unwrap();
        output.status.success().then(|| stdout(&output))
    });
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(page, "SECRET_KEY set, DB_USERNAME set, DB_PASSWORD set\n");
    let log: PathBuf = world.folder.path().join("web.log");
    assert_eq!(fs::read_to_string(log).unwrap(), "");
}
