//! The 401 challenge (contract 1.2): which resource a token has to be for.

use strongroom_wire::{Error, ErrorKind};

/// The scope to ask a token for, from the value of `WWW-Authenticate`.
///
/// # Errors
/// `Unauthorized` when there is no resource in it, or one whose domain the vault is not in: a
/// server must not make us get tokens for others.
pub fn scope(header: &str, vault_host: &str) -> Result<String, Error> {
    let refused =
        |what: &str| Error::new(ErrorKind::Unauthorized, format!("The vault's challenge is not accepted: {what}"));
    let (scheme, parameters) = header.split_once(' ').ok_or_else(|| refused("it has no parameters"))?;
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(refused("it is not for a bearer token"));
    }
    let value = |wanted: &str| {
        parameters.split(',').find_map(|parameter| {
            let (name, value) = parameter.trim().split_once('=')?;
            name.eq_ignore_ascii_case(wanted).then(|| value.trim_matches('"').to_owned())
        })
    };
    let scope = value("scope").or_else(|| value("resource").map(|resource| format!("{resource}/.default")));
    let scope = scope.ok_or_else(|| refused("it names no resource"))?;
    let rest = scope.strip_prefix("https://").ok_or_else(|| refused("its resource is not an https URL"))?;
    let host = rest.split(['/', ':']).next().unwrap_or_default().to_ascii_lowercase();
    let vault_host = vault_host.to_ascii_lowercase();
    let within = vault_host.strip_suffix(&host).is_some_and(|rest| rest.len() > 1 && rest.ends_with('.'));
    if host.is_empty() || !within {
        return Err(refused("the vault is not in its resource's domain"));
    }
    Ok(scope)
}

#[cfg(test)]
mod tests {
    use super::scope;

    #[test]
    fn the_resource_becomes_the_scope() {
        let header =
            r#"Bearer authorization="https://login.localhost:8443/t", resource="https://vault.localhost:8443""#;
        assert_eq!(scope(header, "dev.vault.localhost").unwrap(), "https://vault.localhost:8443/.default");
        let header = r#"Bearer authorization="https://login.microsoftonline.com/t",resource="https://vault.azure.net""#;
        assert_eq!(scope(header, "KV.vault.azure.net").unwrap(), "https://vault.azure.net/.default");
    }

    #[test]
    fn a_challenge_for_somebody_else_is_refused() {
        for header in [
            "",
            "Bearer",
            "Basic realm=\"x\"",
            r#"Bearer resource="http://vault.localhost""#,
            r#"Bearer resource="https://management.azure.com""#,
            r#"Bearer resource="https://dev.vault.localhost""#,
            r#"Bearer resource="https://ault.localhost""#,
            r#"Bearer resource="https://""#,
            r#"Bearer resource="https://evil@vault.localhost""#,
        ] {
            assert!(scope(header, "dev.vault.localhost").is_err(), "{header}");
        }
    }
}
