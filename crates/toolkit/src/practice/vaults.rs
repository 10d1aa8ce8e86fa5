//! Vaults: what their lists tell, and, when asked, whether two of them hold the same value.

use std::collections::BTreeMap;

use strongroom_crypto::{hmac_sha256, random_bytes};
use strongroom_store::vault::{Body, Listing, Object, Target, list_all};
use strongroom_store::{Cx, Vault};
use strongroom_wire::Error;
use strongroom_wire::ids::Kind;

use super::{Finding, Practice};

/// What is looked at beyond lists.
#[derive(Debug, Clone, Copy)]
pub struct CheckOptions {
    /// Read values, to see which are the same in several vaults. They are compared as keyed hashes,
    /// the key of which is forgotten.
    pub values: bool,
    /// More enabled versions than that of one secret are too many.
    pub versions: usize,
}

impl Default for CheckOptions {
    fn default() -> Self {
        Self { values: false, versions: 25 }
    }
}

/// Names of tags that say: to which environment, to which application, rotated how.
const TAGS: &[(&str, &[&str])] = &[
    ("environment", &["environment", "env"]),
    ("application", &["application", "app", "service"]),
    ("rotation-policy", &["rotation-policy", "rotationpolicy", "rotation_policy", "rotation", "rotation-days"]),
];

const ENVIRONMENTS: &[&str] =
    &["dev", "development", "test", "qa", "uat", "stage", "staging", "preprod", "prod", "production"];

/// Checks vaults, each with the name that findings give it, and holds them against each other.
///
/// # Errors
/// Those of the first vault that does not answer.
pub async fn check_vaults(
    vaults: &[(String, &dyn Vault)],
    cx: &Cx,
    options: CheckOptions,
) -> Result<Vec<Finding>, Error> {
    let mut found = Vec::new();
    let mut places: BTreeMap<[u8; 32], Vec<String>> = BTreeMap::new();
    let key =
        random_bytes::<32>().map_err(|fault| Error::new(strongroom_wire::ErrorKind::Internal, fault.to_string()))?;
    for (label, vault) in vaults {
        let secrets = list_all(*vault, cx, &Listing::Live(Kind::Secret)).await?;
        let keys = list_all(*vault, cx, &Listing::Live(Kind::Key)).await?;
        found.extend(purge_protection(label, secrets.iter().chain(&keys)));
        for secret in &secrets {
            found.extend(prefix(label, secret));
            found.extend(tags(label, secret));
            found.extend(versions(*vault, cx, label, secret, options.versions).await?);
            if options.values && secret.attributes.enabled {
                let target = Target::latest(Kind::Secret, secret.name.clone());
                let whole = vault.get(cx, &target).await?;
                if let Body::Secret { value: Some(value), .. } = &whole.body {
                    let hash = hmac_sha256(&key, value.expose().as_bytes());
                    places.entry(hash).or_default().push(format!("{label}/secrets/{}", secret.name));
                }
            }
        }
    }
    found.extend(places.into_values().filter(|places| places.len() > 1).map(|places| Finding {
        practice: Practice::OwnValues,
        at: places.join(", "),
        remedy: "these have the same value: give each environment its own".to_owned(),
    }));
    found.sort_by(|one, other| (one.practice, &one.at).cmp(&(other.practice, &other.at)));
    Ok(found)
}

fn purge_protection<'a>(label: &str, mut objects: impl Iterator<Item = &'a Object>) -> Option<Finding> {
    objects.any(|object| !object.attributes.recovery.purge_protection).then(|| Finding {
        practice: Practice::PurgeProtection,
        at: label.to_owned(),
        remedy: "whoever may purge can destroy what was deleted: strongroom vault set NAME --purge-protection, or az \
                 keyvault update --enable-purge-protection"
            .to_owned(),
    })
}

fn prefix(label: &str, secret: &Object) -> Option<Finding> {
    let folded = secret.name.folded();
    let mut words = folded.split('-');
    let first = words.next().unwrap_or_default();
    // prod-password names an environment only; prod-app1-password an application, too.
    let prefixed = ENVIRONMENTS.contains(&first) && words.count() >= 2;
    prefixed.then(|| Finding {
        practice: Practice::VaultPerApplication,
        at: format!("{label}/secrets/{}", secret.name),
        remedy: "the name holds an environment: a vault for each application in each environment needs no prefix, and \
                 its roles reach no further"
            .to_owned(),
    })
}

fn tags(label: &str, secret: &Object) -> Option<Finding> {
    let has = |names: &[&str]| {
        let mut tags = secret.tags.iter().flat_map(|tags| tags.iter());
        tags.any(|(name, _)| names.iter().any(|known| known.eq_ignore_ascii_case(name)))
    };
    let missing: Vec<&str> = TAGS.iter().filter(|(_, names)| !has(names)).map(|(tag, _)| *tag).collect();
    (!missing.is_empty()).then(|| Finding {
        practice: Practice::Tags,
        at: format!("{label}/secrets/{}", secret.name),
        remedy: format!("set the tags {}", missing.join(", ")),
    })
}

async fn versions(
    vault: &dyn Vault,
    cx: &Cx,
    label: &str,
    secret: &Object,
    most: usize,
) -> Result<Option<Finding>, Error> {
    let all = list_all(vault, cx, &Listing::Versions(Kind::Secret, secret.name.clone())).await?;
    let enabled = all.iter().filter(|version| version.attributes.enabled).count();
    Ok((enabled > most).then(|| Finding {
        practice: Practice::FewVersions,
        at: format!("{label}/secrets/{}", secret.name),
        remedy: format!("{enabled} versions are enabled: disable those that nobody uses (strongroom versions prune)"),
    }))
}
