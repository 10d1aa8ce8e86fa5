//! Vaults by the name of the environment that a program runs in.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{CredentialError, Sources};

/// `dev`, `staging`, `prod`, …: each with the URL of its vault.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Environments(BTreeMap<String, String>);

impl Environments {
    /// From names and URLs.
    pub fn new<N: Into<String>, U: Into<String>>(urls: impl IntoIterator<Item = (N, U)>) -> Self {
        Self(urls.into_iter().map(|(name, url)| (name.into(), url.into())).collect())
    }

    /// The URL of an environment's vault.
    ///
    /// # Errors
    /// [`CredentialError::UnknownEnvironment`].
    pub fn url(&self, name: &str) -> Result<&str, CredentialError> {
        let url = self.0.get(name).map(String::as_str);
        url.ok_or_else(|| CredentialError::UnknownEnvironment(name.to_owned()))
    }

    /// The URL for the environment that the variable `ENVIRONMENT` names.
    ///
    /// # Errors
    /// As [`url`](Self::url); `Missing` when the variable is not set.
    pub fn current(&self, sources: &Sources) -> Result<&str, CredentialError> {
        let name = sources.variable("ENVIRONMENT");
        let missing = CredentialError::Missing { field: "ENVIRONMENT", why: "it says whose vault to use" };
        self.url(&name.ok_or(missing)?)
    }
}
