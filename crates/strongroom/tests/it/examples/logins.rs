//! Who logs in, and how.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::process::Stdio;

use serde_json::json;

use super::{World, example, prints, refuses, stdout};
use crate::process::{stderr, strongroom, succeed, text};

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
async fn access_is_waited_for_until_the_role_counts() {
    let world = World::new();
    let mut newcomer = example("wait_for_access", &["test-secret", "60"], &world.as_newcomer("newcomer"));
    let mut child = newcomer.stdout(Stdio::piped()).spawn().unwrap();
    let mut said = BufReader::new(child.stdout.take().unwrap()).lines();
    assert_eq!(said.next().unwrap().unwrap(), "RBAC not propagated yet, wait longer");
    // Whoever may, has it at once.
    let client = world.dev.client().await;
    client.set_secret("test-secret", "value").await;
    assert_eq!(world.prints("wait_for_access", &["test-secret"]), "Access to test-secret\n");
    world.assign("Key Vault Secrets User", "newcomer", "dev/secrets/test-secret");
    let rest: Vec<String> = said.map(Result::unwrap).collect();
    assert_eq!(rest.last().map(String::as_str), Some("Access to test-secret"), "{rest:?}");
    assert!(child.wait().unwrap().success());
    let limited = world.as_newcomer("stranger");
    let late = refuses("wait_for_access", &["test-secret", "1"], &limited);
    assert_eq!(late, "still no access to secret test-secret after 1s: check the role assignment\n");
}
