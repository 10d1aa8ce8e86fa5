//! `strongroom run`: a program with the secrets of a vault in its environment.

use std::collections::BTreeMap;
use std::os::unix::process::CommandExt as _;
use std::sync::Arc;

use strongroom::secrets::{GLOBAL, SecretName, SecretValue};
use strongroom_backends::azure::{AzureVault, AzureVaultOptions};
use strongroom_server::clock::Clock as _;
use strongroom_store::vault::{Body, Listing, Target};
use strongroom_store::{Cx, Vault};
use strongroom_wire::ids::{Kind, ObjectName};
use tokio::task::JoinSet;

use super::login::{credential, http_client};
use crate::Outcome;
use crate::cli::Run;
use crate::clock::SystemClock;
use crate::failure::Failure;

/// Secrets asked for at once.
const AT_ONCE: usize = 16;

/// Becomes the program: it has our process id, and its signals and exit code are its own.
pub(crate) async fn run(arguments: Run) -> Outcome {
    let options = AzureVaultOptions { url: arguments.env_from, credential: credential()?, http: http_client()? };
    let vault: Arc<dyn Vault> = Arc::new(AzureVault::new(options)?);
    let names = names(&*vault).await?;
    let wanted = variables(&names, arguments.org.as_deref());
    if let Some(org) = arguments.org.as_ref().filter(|_| wanted.is_empty()) {
        return Err(format!("the vault has no secrets named {org}--… or {GLOBAL}--…").into());
    }
    let values = values(&vault, wanted).await?;
    let Some((program, rest)) = arguments.command.split_first() else {
        return Err("name the program behind --".into());
    };
    let mut command = std::process::Command::new(program);
    command.args(rest);
    for (variable, value) in &values {
        command.env(variable, value.expose());
    }
    // It returns only when the program cannot be started.
    Err(format!("{program} could not be started: {}", command.exec()).into())
}

async fn names(vault: &dyn Vault) -> Result<Vec<ObjectName>, Failure> {
    let (cx, mut all, mut after) = (Cx::system(SystemClock.now()), Vec::new(), None);
    loop {
        let page = vault.list(&cx, &Listing::Live(Kind::Secret), 25, after.as_ref()).await?;
        all.extend(page.items.into_iter().filter(|item| item.attributes.enabled).map(|item| item.name));
        match page.next {
            Some(next) => after = Some(next),
            None => return Ok(all),
        }
    }
}

/// The variables, and the secrets that they come from. With an organisation: its own and those for
/// all, by their keys, its own first.
fn variables(names: &[ObjectName], org: Option<&str>) -> BTreeMap<String, ObjectName> {
    let upper = |text: &str| text.to_ascii_uppercase().replace('-', "_");
    let mut variables = BTreeMap::new();
    let Some(org) = org else {
        variables.extend(names.iter().map(|name| (upper(name.as_str()), name.clone())));
        return variables;
    };
    for scope in [GLOBAL, org] {
        for name in names {
            if let Some((of, key)) = SecretName::split(name.as_str())
                && of.eq_ignore_ascii_case(scope)
            {
                variables.insert(upper(key), name.clone());
            }
        }
    }
    variables
}

async fn values(
    vault: &Arc<dyn Vault>,
    wanted: BTreeMap<String, ObjectName>,
) -> Result<Vec<(String, SecretValue)>, Failure> {
    let (mut running, mut values, mut wanted) = (JoinSet::<Result<_, Failure>>::new(), Vec::new(), wanted.into_iter());
    loop {
        while running.len() < AT_ONCE
            && let Some((variable, name)) = wanted.next()
        {
            let vault = Arc::clone(vault);
            running.spawn(async move {
                let target = Target::latest(Kind::Secret, name);
                let object = vault.get(&Cx::system(SystemClock.now()), &target).await;
                match object.map_err(|error| Failure::from(error).of(target.name.as_str()))?.body {
                    Body::Secret { value: Some(value), .. } => Ok((variable, Arc::new(value))),
                    _ => Err(format!("{}: the vault answered without a value", target.name).into()),
                }
            });
        }
        match running.join_next().await {
            Some(ended) => values.push(ended.map_err(|fault| fault.to_string())??),
            None => return Ok(values),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_organisations_own_stand_before_those_for_all() {
        let names = ["GLOBAL--api-key", "org--api-key", "GLOBAL--smtp", "other--x", "plain-one"];
        let names: Vec<ObjectName> = names.iter().map(|name| ObjectName::parse(name).unwrap()).collect();
        let of = |org| {
            let variables = variables(&names, org).into_iter();
            variables.map(|(variable, name)| format!("{variable}={name}")).collect::<Vec<_>>()
        };
        assert_eq!(of(Some("org")), ["API_KEY=org--api-key", "SMTP=GLOBAL--smtp"]);
        assert_eq!(of(Some("none")), ["API_KEY=GLOBAL--api-key", "SMTP=GLOBAL--smtp"]);
        assert_eq!(of(None).first().map(String::as_str), Some("GLOBAL__API_KEY=GLOBAL--api-key"));
    }
}
