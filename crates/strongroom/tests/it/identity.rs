//! `strongroom identity`: programs that log in as a managed identity, with official clients.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

use crate::process::{Dev, assert_failure, assert_refusal, stderr, strongroom, succeed, text, variables};

/// A development server with an identity that may read the secret `greeting`.
struct World {
    folder: tempfile::TempDir,
    dev: Dev,
}

impl World {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let dev = Dev::start(&folder.path().join("data"));
        dev.client().await.set_secret("greeting", "hello").await;
        let world = Self { folder, dev };
        world.run(&["identity", "create", "app-one"]);
        let role = ["role", "assign", "--role", "Key Vault Secrets User", "--principal", "app-one", "--scope", "dev"];
        world.run(&role);
        world
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn run(&self, arguments: &[&str]) -> String {
        let data = self.data();
        succeed(&[arguments, &["--data", text(&data)]].concat())
    }

    /// Runs a program as the identity, with what the proxy's environment says but its credential.
    fn as_identity(&self, options: &[&str], program: &[&str]) -> Output {
        self.command(options, program).output().unwrap()
    }

    fn command(&self, options: &[&str], program: &[&str]) -> Command {
        let mut command = strongroom();
        command
            .args(["identity", "run", "app-one", "--data", text(&self.data())])
            .args(options)
            .arg("--")
            .args(program);
        let known = variables(&self.data().join("strongroom-proxy.env"));
        // The client's secret stays among them: the program must not see it.
        command.envs(known);
        command
    }

    /// Asks the endpoint with curl: `{url}` and `{header}` stand for what the variables say.
    fn curl(&self, options: &[&str], script: &str) -> Answer {
        let script = format!("curl -sS --noproxy '*' -w '\\n%{{http_code}}' {script}");
        let output = self.as_identity(options, &["sh", "-c", &script]);
        let said = String::from_utf8(output.stdout.clone()).unwrap();
        let (body, status) = said.rsplit_once('\n').unwrap_or_else(|| panic!("{said} {}", stderr(&output)));
        Answer { status: status.parse().unwrap(), body: serde_json::from_str(body).unwrap_or(Value::Null) }
    }
}

#[derive(Debug)]
struct Answer {
    status: u16,
    body: Value,
}

const APP_SERVICE: &str = r#"-H "X-IDENTITY-HEADER: $IDENTITY_HEADER" "$IDENTITY_ENDPOINT?api-version=2019-08-01&resource=https://vault.azure.net"#;

/// With the Rust client of the binary itself: the chain finds the managed identity.
#[tokio::test(flavor = "multi_thread")]
async fn the_rust_client_reads_a_secret_as_the_identity() {
    let world = World::new().await;
    let own = env!("CARGO_BIN_EXE_strongroom");
    let script = format!("'{own}' run --env-from https://dev.vault.azure.net -- printenv GREETING");
    let output = world.as_identity(&[], &["sh", "-c", &script]);
    assert_eq!(String::from_utf8_lossy(&output.stdout), "hello\n", "{}", stderr(&output));

    // Without its role it is refused: it is itself, and not the development server's application.
    let roles = world.run(&["role", "list"]);
    let identity = world.run(&["identity", "list"]);
    let row = identity.lines().find(|line| line.starts_with("app-one")).unwrap();
    let object_id = row.split_whitespace().nth(2).unwrap();
    let id = roles.lines().find(|line| line.contains(object_id)).unwrap().split_whitespace().next().unwrap();
    world.run(&["role", "remove", id]);
    let output = world.as_identity(&[], &["sh", "-c", &script]);
    assert!(!output.status.success());
    assert!(stderr(&output).contains("not authorized"), "{}", stderr(&output));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_endpoint_answers_in_app_services_form() {
    let world = World::new().await;
    let answer = world.curl(&[], &format!("{APP_SERVICE}\""));
    assert_eq!(answer.status, 200, "{answer:?}");
    let body = answer.body.as_object().unwrap();
    let members: Vec<&str> = body.keys().map(String::as_str).collect();
    assert_eq!(
        members,
        [
            "access_token",
            "client_id",
            "expires_in",
            "expires_on",
            "ext_expires_in",
            "not_before",
            "resource",
            "token_type"
        ]
    );
    assert!(body.values().all(Value::is_string), "{body:?}");
    assert_eq!(
        (&answer.body["resource"], &answer.body["token_type"]),
        (&"https://vault.azure.net".into(), &"Bearer".into())
    );
    let lifetime = answer.body["expires_on"].as_str().unwrap().parse::<i64>().unwrap()
        - answer.body["not_before"].as_str().unwrap().parse::<i64>().unwrap();
    assert_eq!(lifetime, 3_599);

    let log = world.dev.process.log();
    assert!(!log.contains(answer.body["access_token"].as_str().unwrap()), "no token in the log");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_endpoint_refuses_who_does_not_know_its_secret() {
    let world = World::new().await;
    let query = "api-version=2019-08-01&resource=https://vault.azure.net";
    for (script, status) in [
        (format!("\"$IDENTITY_ENDPOINT?{query}\""), 401),
        (format!("-H 'X-IDENTITY-HEADER: wrong' \"$IDENTITY_ENDPOINT?{query}\""), 401),
        (format!("-H 'Metadata: true' \"$IDENTITY_ENDPOINT?{query}\""), 401),
        (format!("{APP_SERVICE}\" -H 'X-Forwarded-For: 10.0.0.1'"), 400),
        (format!("{APP_SERVICE}\" -H 'Host: rebound.example'"), 400),
        (format!("{APP_SERVICE}\" -X POST"), 405),
        // The virtual machines' form is not open beside it.
        (
            format!("-H 'Metadata: true' \"${{IDENTITY_ENDPOINT%/msi/token}}/metadata/identity/oauth2/token?{query}\""),
            404,
        ),
    ] {
        let answer = world.curl(&[], &script);
        assert_eq!(answer.status, status, "{script} {answer:?}");
        assert!(answer.body.get("access_token").is_none());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_that_identity_is_given() {
    let world = World::new().await;
    let list = world.run(&["identity", "list"]);
    let cells = |name: &str| {
        let row = list.lines().find(|line| line.starts_with(name)).unwrap_or_else(|| panic!("{list}"));
        row.split_whitespace().map(str::to_owned).collect::<Vec<_>>()
    };
    let own = cells("app-one");
    let ask = |more: &str| world.curl(&[], &format!("{APP_SERVICE}{more}\""));
    for more in [
        format!("&client_id={}", own[1]),
        format!("&object_id={}", own[2]),
        format!("&mi_res_id={}", own[3]),
        format!("&msi_res_id={}", own[3].to_uppercase()),
    ] {
        assert_eq!(ask(&more).status, 200, "{more}");
    }
    world.run(&["identity", "create", "app-two"]);
    let list = world.run(&["identity", "list"]);
    let other = list.lines().find(|line| line.starts_with("app-two")).unwrap().split_whitespace().nth(1).unwrap();
    let refused = ask(&format!("&client_id={other}"));
    assert_eq!((refused.status, &refused.body["error_description"]), (400, &"Identity not found".into()));
    let refused = world.curl(&[], &format!("{}\"", APP_SERVICE.replace("vault.azure.net", "elsewhere.example")));
    assert_eq!((refused.status, &refused.body["error"]), (400, &"invalid_resource".into()), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_virtual_machines_form_is_there_when_asked_for() {
    let world = World::new().await;
    let url = "$AZURE_POD_IDENTITY_AUTHORITY_HOST/metadata/identity/oauth2/token";
    let query = "api-version=2018-02-01&resource=https://vault.azure.net";
    for slash in ["", "/"] {
        let answer = world.curl(&["--imds"], &format!("-H 'Metadata: true' \"{url}{slash}?{query}\""));
        assert_eq!(answer.status, 200, "{answer:?}");
        assert!(answer.body["expires_in"].is_string() && answer.body["access_token"].is_string());
    }
    let refused = world.curl(&["--imds"], &format!("\"{url}?{query}\""));
    assert_eq!(refused.status, 400, "{refused:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_program_has_no_other_credential_and_its_own_exit_code() {
    let world = World::new().await;
    let script = "test -z \"$AZURE_CLIENT_SECRET$AZURE_CLIENT_ID\" && test -n \"$IDENTITY_HEADER\" && exit 7";
    assert_eq!(world.as_identity(&[], &["sh", "-c", script]).status.code(), Some(7));
    assert_eq!(world.as_identity(&[], &["sh", "-c", "kill -9 $$"]).status.code(), Some(137));
    assert_refusal(&world.as_identity(&[], &["no-such-program"]), &["no-such-program could not be started"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_identity_that_is_not_there_is_named() {
    let world = World::new().await;
    let data = world.data();
    let run = |arguments: &[&str]| strongroom().args(arguments).args(["--data", text(&data)]).output().unwrap();
    let missing = run(&["identity", "create", "x"]);
    assert_refusal(&missing, &["3 to 128"]);
    let mut missing = strongroom();
    missing.args(["identity", "run", "nobody", "--data", text(&data), "--", "true"]);
    assert_refusal(&missing.output().unwrap(), &["no identity \"nobody\"", "strongroom identity create nobody"]);
    // An application must not take an identity's name, nor the other way round.
    assert_refusal(&run(&["application", "create", "app-one"]), &["identity named \"app-one\""]);
    run(&["application", "create", "taken"]);
    assert_refusal(&run(&["identity", "create", "taken"]), &["application named \"taken\""]);

    let stopped = world.folder.path().join("nowhere");
    let mut nowhere = strongroom();
    nowhere.args(["identity", "run", "app-one", "--data", text(&stopped), "--", "true"]);
    assert_refusal(&nowhere.output().unwrap(), &["no server runs"]);
}

/// With Python's official client, when its environment has been made (`conformance/python/run`).
#[tokio::test(flavor = "multi_thread")]
async fn pythons_client_reads_a_secret_as_the_identity() {
    let python = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../conformance/python/.venv/bin/python");
    if !python.exists() {
        strongroom_store::conformance::skipped(
            "azure-identity for Python",
            "conformance/python/run makes its environment",
        );
        return;
    }
    let world = World::new().await;
    let script = "from azure.identity import DefaultAzureCredential, ManagedIdentityCredential\n\
                  from azure.keyvault.secrets import SecretClient\n\
                  for credential in (DefaultAzureCredential(), ManagedIdentityCredential()):\n    \
                  print(SecretClient('https://dev.vault.azure.net', credential).get_secret('greeting').value)\n";
    for options in [&[][..], &["--imds"]] {
        let output = world.as_identity(options, &[text(&python), "-c", script]);
        assert_eq!(String::from_utf8_lossy(&output.stdout), "hello\nhello\n", "{options:?} {}", stderr(&output));
    }
}

/// The default chain where nothing serves: each step is named with its remedy.
#[tokio::test(flavor = "multi_thread")]
async fn the_chain_names_every_step_and_its_remedy() {
    let empty = tempfile::tempdir().unwrap();
    let world = World::new().await;
    let known = variables(&world.data().join("strongroom-proxy.env"));
    let mut command = strongroom();
    command.args(["run", "--env-from", "https://dev.vault.azure.net", "--", "true"]).env("PATH", empty.path());
    for name in ["SSL_CERT_FILE", "HTTPS_PROXY"] {
        command.env(name, &known[name]);
    }
    let output = command.output().unwrap();
    let steps = [
        "environment (secret): AZURE_TENANT_ID is not set; to use it, set AZURE_TENANT_ID",
        "environment (certificate)",
        "workload identity",
        "managed identity: IDENTITY_ENDPOINT is not set, and there is no metadata service here",
        "Azure CLI: the program az is not on the PATH; to use it, run `az login`",
        "Azure Developer CLI: the program azd is not on the PATH; to use it, run `azd auth login`",
    ];
    assert_failure(&output, 4, &steps);
    let said = stderr(&output);
    let places: Vec<_> = steps.iter().map(|step| said.find(step).unwrap()).collect();
    assert!(places.is_sorted(), "{said}");
    println!("{said}");
}

/// The binary with the proxy's trust and way, and this folder first on the PATH.
fn with_programs(world: &World, programs: &Path) -> Command {
    let known = variables(&world.data().join("strongroom-proxy.env"));
    let mut command = strongroom();
    command.args(["run", "--env-from", "https://dev.vault.azure.net", "--", "printenv", "GREETING"]);
    command.env("PATH", format!("{}:{}", programs.display(), std::env::var("PATH").unwrap()));
    for name in ["SSL_CERT_FILE", "HTTPS_PROXY"] {
        command.env(name, &known[name]);
    }
    command
}

/// What `az account get-access-token` prints is what the client goes by.
#[tokio::test(flavor = "multi_thread")]
async fn the_token_of_the_azure_cli_is_used() {
    use std::os::unix::fs::PermissionsExt as _;
    let world = World::new().await;
    let token = world.dev.client().await.token.to_string();
    let az = world.folder.path().join("az");
    let answer = format!(r#"{{"accessToken": "{token}", "expires_on": 4000000000, "tokenType": "Bearer"}}"#);
    std::fs::write(&az, format!("#!/bin/sh\necho '{answer}'\n")).unwrap();
    std::fs::set_permissions(&az, std::fs::Permissions::from_mode(0o700)).unwrap();
    let output = with_programs(&world, world.folder.path()).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "hello\n", "{}", stderr(&output));
}

/// With the real Azure CLI, where it is installed.
#[tokio::test(flavor = "multi_thread")]
async fn an_azure_cli_that_is_logged_out_is_named_with_its_remedy() {
    if !Command::new("az").arg("version").output().is_ok_and(|output| output.status.success()) {
        strongroom_store::conformance::skipped("the Azure CLI, logged out", "az is not installed");
        return;
    }
    let world = World::new().await;
    let mut command = with_programs(&world, world.folder.path());
    let output = command.env("AZURE_CONFIG_DIR", world.folder.path().join("azure")).output().unwrap();
    assert_failure(&output, 4, &["Azure CLI: az is not logged in; to use it, run `az login`"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_production_server_gives_tokens_to_its_identities() {
    let folder = tempfile::tempdir().unwrap();
    let site = crate::production::Site::new(folder.path(), "");
    site.init();
    // Made without a server, on the store itself.
    site.run(&["identity", "create", "worker"]);
    let _server = site.serve();
    let roles =
        ["role", "assign", "--role", "Key Vault Secrets User", "--principal", "worker", "--scope", "production"];
    site.run(&roles);
    let shop = site.client().await;
    shop.set_secret("greeting", "hello").await;
    let script = format!(
        "curl -sS --noproxy '*' -H \"X-IDENTITY-HEADER: $IDENTITY_HEADER\" \
         \"$IDENTITY_ENDPOINT?api-version=2019-08-01&resource=https://vault.rooms.test:{}\"",
        site.port
    );
    let mut words = site.arguments(&["identity", "run", "worker"]);
    words.extend(["--", "sh", "-c", &script]);
    let answer: Value = serde_json::from_str(&succeed(&words)).unwrap();
    let token = answer["access_token"].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned();
    let worker = crate::client::Client { token: std::sync::Arc::new(token), ..shop };
    assert_eq!(worker.secret("greeting").await.as_deref(), Some("hello"));
    let body = serde_json::json!({ "value": "x" });
    assert_eq!(worker.call(reqwest::Method::PUT, "/secrets/greeting", body).await.0, 403, "it may read, and no more");
}
