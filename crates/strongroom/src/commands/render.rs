//! `strongroom render`: a file in which references to secrets are replaced by their values.

use std::collections::HashMap;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use strongroom_backends::azure::{AzureVault, AzureVaultOptions};
use strongroom_server::clock::Clock as _;
use strongroom_store::vault::{Body, Target};
use strongroom_store::{Cx, Vault};
use strongroom_wire::Sensitive;
use strongroom_wire::ids::{Kind, ObjectName, Version};
use zeroize::Zeroizing;

use super::config::read_text;
use super::login::{credential, http_client};
use crate::clock::SystemClock;
use crate::failure::Failure;
use crate::{Outcome, files};

/// A reference, and where in the text it stands.
#[derive(Debug, PartialEq, Eq)]
struct Reference<'a> {
    /// As it is written.
    text: &'a str,
    /// The vault's URL; `None` is the one that was named on the command line.
    vault: Option<&'a str>,
    name: &'a str,
    version: Option<&'a str>,
}

/// Renders `file`, to `output` or standard output.
pub(crate) async fn run(file: &Path, vault: Option<String>, output: Option<&Path>) -> Outcome {
    let text = Zeroizing::new(read_text(file)?);
    let references = references(&text)?;
    let mut values: HashMap<&str, Sensitive<String>> = HashMap::new();
    let mut vaults: HashMap<String, AzureVault> = HashMap::new();
    let (mut credentials, http) = (None, http_client()?);
    for reference in &references {
        if values.contains_key(reference.text) {
            continue;
        }
        let named = reference.vault.map(str::to_owned).or_else(|| vault.clone());
        let url = named.ok_or_else(|| format!("{}: which vault? Give --vault", reference.text))?;
        if !vaults.contains_key(&url) {
            let credential = match &credentials {
                Some(known) => Arc::clone(known),
                None => Arc::clone(credentials.insert(credential()?)),
            };
            let options = AzureVaultOptions { url: url.clone(), credential, http: http.clone() };
            vaults.insert(url.clone(), AzureVault::new(options)?);
        }
        let Some(vault) = vaults.get(&url) else { continue };
        let value = value(vault, reference).await.map_err(|failure| failure.of(reference.text))?;
        values.insert(reference.text, value);
    }
    let mut rendered = Zeroizing::new(String::with_capacity(text.len()));
    let mut rest = text.as_str();
    for reference in &references {
        let Some((before, after)) = rest.split_once(reference.text) else { continue };
        rendered.push_str(before);
        rendered.push_str(values.get(reference.text).map_or("", |value| value.expose()));
        rest = after;
    }
    rendered.push_str(rest);
    match output {
        Some(output) => files::write_private(output, rendered.as_bytes())?,
        None => print!("{}", *rendered),
    }
    Ok(ExitCode::SUCCESS)
}

async fn value(vault: &AzureVault, reference: &Reference<'_>) -> Result<Sensitive<String>, Failure> {
    let name = ObjectName::parse(reference.name)?;
    let version = match reference.version {
        None => None,
        Some(text) => Some(Version::parse(text).ok_or("the version is not 32 hexadecimal digits")?),
    };
    let target = Target { kind: Kind::Secret, name, version };
    let object = vault.get(&Cx::system(SystemClock.now()), &target).await?;
    match object.body {
        Body::Secret { value: Some(value), .. } => Ok(value),
        _ => Err("the vault answered without a value".into()),
    }
}

/// The references in a text, in their order.
fn references(text: &str) -> Result<Vec<Reference<'_>>, String> {
    const SERVICE: &str = "@Microsoft.KeyVault(";
    const SHORT: &str = "vault://";
    let mut found = Vec::new();
    let mut rest = text;
    loop {
        let next = [rest.find(SERVICE), rest.find(SHORT)].into_iter().flatten().min();
        let Some(at) = next else { return Ok(found) };
        let (_, from) = rest.split_at(at);
        let (reference, length) = if let Some(inner) = from.strip_prefix(SERVICE) {
            let (inner, _) = inner.split_once(')').ok_or_else(|| format!("a {SERVICE} has no ) behind it"))?;
            let length = SERVICE.len().saturating_add(inner.len()).saturating_add(1);
            let text = from.get(..length).unwrap_or_default();
            (
                of_service(text, inner).ok_or_else(|| format!("{text}: it is SecretUri=https://VAULT/secrets/NAME"))?,
                length,
            )
        } else {
            let inner = from.strip_prefix(SHORT).unwrap_or_default();
            let end = inner.find(|c: char| !(c.is_ascii_alphanumeric() || c == '-' || c == '/')).unwrap_or(inner.len());
            let inner = inner.get(..end).unwrap_or_default().trim_end_matches('/');
            let length = SHORT.len().saturating_add(inner.len());
            let (name, version) = inner.split_once('/').map_or((inner, None), |(name, version)| (name, Some(version)));
            (Reference { text: from.get(..length).unwrap_or_default(), vault: None, name, version }, length)
        };
        found.push(reference);
        rest = from.get(length..).unwrap_or_default();
    }
}

/// `SecretUri=https://VAULT/secrets/NAME[/VERSION]`, as App Service reads it.
fn of_service<'a>(text: &'a str, inner: &'a str) -> Option<Reference<'a>> {
    let uri = inner.trim().strip_prefix("SecretUri=")?.trim_end_matches('/');
    let (vault, path) = uri.split_once("/secrets/")?;
    let (name, version) = path.split_once('/').map_or((path, None), |(name, version)| (name, Some(version)));
    (vault.starts_with("https://") && !name.is_empty()).then_some(Reference { text, vault: Some(vault), name, version })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_found_in_their_order() {
        let text = "a=vault://api-key\nb=@Microsoft.KeyVault(SecretUri=https://v.vault.azure.net/secrets/n/)\n\
                    c=\"vault://x/0123456789abcdef0123456789abcdef\", vault://api-key.";
        let found = references(text).unwrap();
        let shown: Vec<_> = found.iter().map(|it| (it.text, it.vault, it.name, it.version.is_some())).collect();
        assert_eq!(
            shown,
            [
                ("vault://api-key", None, "api-key", false),
                (
                    "@Microsoft.KeyVault(SecretUri=https://v.vault.azure.net/secrets/n/)",
                    Some("https://v.vault.azure.net"),
                    "n",
                    false
                ),
                ("vault://x/0123456789abcdef0123456789abcdef", None, "x", true),
                ("vault://api-key", None, "api-key", false),
            ]
        );
        assert_eq!(references("nothing here"), Ok(vec![]));
        for bad in [
            "@Microsoft.KeyVault(SecretUri=x",
            "@Microsoft.KeyVault(SecretUri=http://v/secrets/n)",
            "@Microsoft.KeyVault()",
        ] {
            assert!(references(bad).is_err(), "{bad}");
        }
    }
}
