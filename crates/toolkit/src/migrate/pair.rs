//! Opening both ends.

use std::sync::Arc;

use strongroom_backends::open::{OpenError, OpenOptions, VaultUri, open_embedded, open_with};
use strongroom_store::Vault;
use strongroom_wire::ids::VaultName;

/// Opens the two vaults of a migration. Two vaults of one place are opened together: a folder can be
/// open once only.
///
/// # Errors
/// [`OpenError`]; also when both URIs name the same vault.
pub async fn open_pair(
    from: (&str, OpenOptions),
    to: (&str, OpenOptions),
) -> Result<(Arc<dyn Vault>, Arc<dyn Vault>), OpenError> {
    let (one, other) = (VaultUri::parse(from.0)?, VaultUri::parse(to.0)?);
    let embedded = !matches!(one.scheme(), "azure" | "https");
    if embedded && one.scheme() == other.scheme() && one.path() == other.path() && same(&one, &other, "prefix") {
        if name(&one)? == name(&other)? {
            return Err(OpenError::Uri("both URIs name the same vault".to_owned()));
        }
        let place = open_embedded(&one, &from.1).await?;
        return Ok((place.vault(name(&one)?), place.vault(name(&other)?)));
    }
    Ok((open_with(from.0, from.1).await?, open_with(to.0, to.1).await?))
}

fn same(one: &VaultUri, other: &VaultUri, member: &str) -> bool {
    one.get(member) == other.get(member)
}

fn name(uri: &VaultUri) -> Result<VaultName, OpenError> {
    VaultName::parse(uri.get("vault").unwrap_or("default")).map_err(|error| OpenError::Uri(error.message))
}
