//! A credential as a program's configuration says it.

use std::path::PathBuf;
use std::sync::Arc;

use azure_core::credentials::TokenCredential;
use azure_core::http::{ClientOptions, Transport};
use azure_identity::{
    ClientSecretCredential, ClientSecretCredentialOptions, ManagedIdentityCredential, ManagedIdentityCredentialOptions,
    UserAssignedId,
};
use serde::Deserialize;
use strongroom_wire::Sensitive;

use super::principal::Principal;
use super::{CredentialError, DefaultChain, Sources, certificate, sources};

/// Which vault, and how to log in there. Without any credential in it, the [`DefaultChain`] is asked.
///
/// ```
/// # use strongroom_backends::credentials::CredentialConfig;
/// let text = r#"{"vault_url": "https://dev.vault.azure.net", "tenant_id": "t", "client_id": "c"}"#;
/// let config: CredentialConfig = serde_json::from_str(text).unwrap();
/// assert!(config.check().unwrap_err().to_string().starts_with("client_secret is missing"));
/// ```
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CredentialConfig {
    /// `https://NAME.vault.azure.net`, or a Strongroom's.
    #[serde(alias = "vaultUrl", alias = "VaultURL")]
    pub vault_url: Option<String>,
    /// The service principal's tenant.
    #[serde(alias = "tenantId", alias = "TenantID")]
    pub tenant_id: Option<String>,
    /// The service principal's client id.
    #[serde(alias = "clientId", alias = "ClientID")]
    pub client_id: Option<String>,
    /// The service principal's secret,
    #[serde(alias = "clientSecret", alias = "ClientSecret")]
    pub client_secret: Option<Sensitive<String>>,
    /// or a file with its certificate and private key: PEM (PKCS#8) or PKCS#12.
    #[serde(alias = "certificatePath", alias = "CertificatePath")]
    pub certificate_path: Option<PathBuf>,
    /// What opens a PKCS#12 file.
    #[serde(alias = "certificatePassword", alias = "CertificatePassword")]
    pub certificate_password: Option<Sensitive<String>>,
    /// Log in as the machine's managed identity.
    #[serde(alias = "useManagedIdentity", alias = "UseManagedIdentity")]
    pub use_managed_identity: bool,
    /// The client id of a user-assigned identity; without it, the system-assigned one.
    #[serde(alias = "managedIdentityClientId", alias = "ManagedIdentityClientID")]
    pub managed_identity_client_id: Option<String>,
    /// `https://HOST` of the login endpoint; without it `AZURE_AUTHORITY_HOST`, or Azure's.
    #[serde(alias = "authorityHost", alias = "AuthorityHost")]
    pub authority_host: Option<String>,
}

/// What [`CredentialConfig::check`] found.
enum Kind<'a> {
    Secret { tenant: &'a str, client: &'a str, secret: &'a Sensitive<String> },
    Certificate { tenant: &'a str, client: &'a str, path: &'a PathBuf },
    ManagedIdentity,
    Chain,
}

impl CredentialConfig {
    /// From the variables `AZURE_KEYVAULT_URL`, `AZURE_TENANT_ID`, `AZURE_CLIENT_ID`,
    /// `AZURE_CLIENT_SECRET`, `AZURE_CLIENT_CERTIFICATE_PATH`, `AZURE_CLIENT_CERTIFICATE_PASSWORD`,
    /// `AZURE_USE_MANAGED_IDENTITY` (`true` or `1`), `AZURE_MANAGED_IDENTITY_CLIENT_ID` and
    /// `AZURE_AUTHORITY_HOST`.
    #[must_use]
    pub fn from_variables(sources: &Sources) -> Self {
        let variable = |name: &str| sources.variable(name);
        Self {
            vault_url: variable("AZURE_KEYVAULT_URL"),
            tenant_id: variable("AZURE_TENANT_ID"),
            client_id: variable("AZURE_CLIENT_ID"),
            client_secret: variable("AZURE_CLIENT_SECRET").map(Sensitive::new),
            certificate_path: variable("AZURE_CLIENT_CERTIFICATE_PATH").map(PathBuf::from),
            certificate_password: variable("AZURE_CLIENT_CERTIFICATE_PASSWORD").map(Sensitive::new),
            use_managed_identity: variable("AZURE_USE_MANAGED_IDENTITY")
                .is_some_and(|value| value == "true" || value == "1"),
            managed_identity_client_id: variable("AZURE_MANAGED_IDENTITY_CLIENT_ID"),
            authority_host: variable("AZURE_AUTHORITY_HOST"),
        }
    }

    /// Is it all there, and does it fit together?
    ///
    /// # Errors
    /// [`CredentialError`], which names the field that is missing or too many.
    pub fn check(&self) -> Result<(), CredentialError> {
        self.kind().map(drop)
    }

    /// The vault's URL.
    ///
    /// # Errors
    /// [`CredentialError::Missing`].
    pub fn vault_url(&self) -> Result<&str, CredentialError> {
        let url = present(self.vault_url.as_deref());
        url.ok_or(CredentialError::Missing { field: "vault_url", why: "it says which vault to use" })
    }

    /// The credential that it describes. Nothing is asked for yet.
    ///
    /// # Errors
    /// Those of [`check`](Self::check), and `Unusable` for a certificate that cannot be read.
    pub fn credential(&self, sources: &Sources) -> Result<Arc<dyn TokenCredential>, CredentialError> {
        let authority = sources.authority(present(self.authority_host.as_deref()));
        match self.kind()? {
            Kind::Secret { tenant, client, secret } => client_secret((tenant, client), secret, &authority, sources),
            Kind::Certificate { tenant, client, path } => {
                let password = self.certificate_password.as_ref();
                certificate::credential((tenant, client), path, password, &authority, sources)
            }
            Kind::ManagedIdentity => managed_identity(present(self.managed_identity_client_id.as_deref())),
            Kind::Chain => Ok(Arc::new(DefaultChain::with(sources.clone()))),
        }
    }

    fn kind(&self) -> Result<Kind<'_>, CredentialError> {
        let (tenant, client) = (present(self.tenant_id.as_deref()), present(self.client_id.as_deref()));
        let secret = self.client_secret.as_ref().filter(|secret| !secret.expose().is_empty());
        let path = self.certificate_path.as_ref().filter(|path| !path.as_os_str().is_empty());
        let principal = tenant.is_some() || client.is_some() || secret.is_some() || path.is_some();
        if self.certificate_password.is_some() && path.is_none() {
            return Err(CredentialError::Missing { field: "certificate_path", why: "certificate_password is given" });
        }
        if self.use_managed_identity && principal {
            return Err(CredentialError::Conflict(
                "use_managed_identity and a service principal (tenant_id, client_id) are both given: choose one",
            ));
        }
        if self.managed_identity_client_id.is_some() && !self.use_managed_identity {
            return Err(CredentialError::Missing {
                field: "use_managed_identity",
                why: "managed_identity_client_id is given",
            });
        }
        if !principal {
            return Ok(if self.use_managed_identity { Kind::ManagedIdentity } else { Kind::Chain });
        }
        let missing = |field| CredentialError::Missing {
            field,
            why: "a service principal is tenant_id, client_id and client_secret (or certificate_path), all or none",
        };
        let tenant = tenant.ok_or_else(|| missing("tenant_id"))?;
        let client = client.ok_or_else(|| missing("client_id"))?;
        match (secret, path) {
            (Some(secret), None) => Ok(Kind::Secret { tenant, client, secret }),
            (None, Some(path)) => Ok(Kind::Certificate { tenant, client, path }),
            (None, None) => Err(missing("client_secret")),
            (Some(_), Some(_)) => {
                Err(CredentialError::Conflict("client_secret and certificate_path are both given: choose one"))
            }
        }
    }
}

/// A service principal with a secret.
pub(super) fn client_secret(
    (tenant, client): (&str, &str),
    secret: &Sensitive<String>,
    authority: &str,
    sources: &Sources,
) -> Result<Arc<dyn TokenCredential>, CredentialError> {
    let options = ClientSecretCredentialOptions { client_options: sources.login(authority)? };
    let secret = secret.expose().clone().into();
    let made = ClientSecretCredential::new(tenant, client.to_owned(), secret, Some(options));
    Ok(Principal::new((tenant, client), made.map_err(CredentialError::unusable)?))
}

/// The machine's identity; with a client id, a user-assigned one.
pub(super) fn managed_identity(client_id: Option<&str>) -> Result<Arc<dyn TokenCredential>, CredentialError> {
    let transport = Transport::new(Arc::new(sources::local_client()?));
    let options = ManagedIdentityCredentialOptions {
        user_assigned_id: client_id.map(|id| UserAssignedId::ClientId(id.to_owned())),
        client_options: ClientOptions {
            retry: sources::retries(),
            transport: Some(transport),
            ..ClientOptions::default()
        },
    };
    Ok(ManagedIdentityCredential::new(Some(options)).map_err(CredentialError::unusable)?)
}

fn present(value: Option<&str>) -> Option<&str> {
    value.filter(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(json: &str) -> String {
        let config: CredentialConfig = serde_json::from_str(json).unwrap();
        config.check().unwrap_err().to_string()
    }

    #[test]
    fn the_missing_field_is_named() {
        assert!(fault(r#"{"client_id": "c", "client_secret": "hush"}"#).starts_with("tenant_id is missing"));
        assert!(fault(r#"{"tenant_id": "t", "client_secret": "hush"}"#).starts_with("client_id is missing"));
        assert!(fault(r#"{"tenant_id": "t", "client_id": "c"}"#).starts_with("client_secret is missing"));
        assert!(fault(r#"{"tenant_id": "t", "client_id": "c", "client_secret": ""}"#).starts_with("client_secret is"));
        assert!(fault(r#"{"client_secret": "hush"}"#).starts_with("tenant_id is missing"));
        assert!(fault(r#"{"certificate_password": "hush"}"#).starts_with("certificate_path is missing"));
        assert!(fault(r#"{"managed_identity_client_id": "m"}"#).starts_with("use_managed_identity is missing"));
        let none = CredentialConfig::default();
        assert!(none.vault_url().unwrap_err().to_string().starts_with("vault_url is missing"));
        assert!(none.check().is_ok());
    }

    #[test]
    fn what_excludes_one_another_is_refused() {
        let both = r#"{"tenant_id": "t", "client_id": "c", "client_secret": "hush", "certificate_path": "p"}"#;
        assert!(fault(both).contains("client_secret and certificate_path"));
        let both = r#"{"tenant_id": "t", "client_id": "c", "client_secret": "hush", "use_managed_identity": true}"#;
        assert!(fault(both).contains("use_managed_identity"));
        assert!(!fault(both).contains("hush"));
    }

    #[test]
    fn debug_shows_no_secret() {
        let text = r#"{"TenantID": "t", "ClientID": "c", "ClientSecret": "hush-hush", "VaultURL": "https://v"}"#;
        let config: CredentialConfig = serde_json::from_str(text).unwrap();
        let shown = format!("{config:?}");
        assert!(shown.contains("https://v") && !shown.contains("hush"), "{shown}");
    }
}
