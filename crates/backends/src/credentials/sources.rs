//! Where credentials are looked for, and the clients that they ask with.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use azure_core::cloud::{CloudConfiguration, CustomConfiguration};
use azure_core::http::{ClientOptions, ExponentialRetryOptions, RetryOptions, Transport};

use super::{CredentialError, http_client};

/// Variables of the environment, and an HTTP client for logging in.
#[derive(Clone)]
pub struct Sources {
    variables: Variables,
    http: Option<reqwest::Client>,
}

#[derive(Clone)]
enum Variables {
    OfProcess,
    Given(Arc<HashMap<String, String>>),
}

/// Without values: secrets are among them.
impl fmt::Debug for Sources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sources")
    }
}

impl Default for Sources {
    fn default() -> Self {
        Self { variables: Variables::OfProcess, http: None }
    }
}

impl Sources {
    /// With these variables instead of the process's.
    #[must_use]
    pub fn with_variables(self, variables: impl IntoIterator<Item = (String, String)>) -> Self {
        Self { variables: Variables::Given(Arc::new(variables.into_iter().collect())), ..self }
    }

    /// With this client for logging in, instead of the process's shared one.
    #[must_use]
    pub fn with_http(self, http: reqwest::Client) -> Self {
        Self { http: Some(http), ..self }
    }

    /// A variable; an empty one counts as absent.
    #[must_use]
    pub fn variable(&self, name: &str) -> Option<String> {
        let value = match &self.variables {
            Variables::OfProcess => of_process(name),
            Variables::Given(variables) => variables.get(name).cloned(),
        };
        value.filter(|value| !value.is_empty())
    }

    /// The client for logging in, and for the vaults.
    pub(super) fn http(&self) -> Result<reqwest::Client, CredentialError> {
        self.http.clone().map_or_else(http_client, Ok)
    }

    /// `https://HOST` of the login endpoint.
    pub(super) fn authority(&self, given: Option<&str>) -> String {
        let authority = given.map(str::to_owned).or_else(|| self.variable("AZURE_AUTHORITY_HOST"));
        authority.unwrap_or_else(|| "https://login.microsoftonline.com".to_owned())
    }

    /// How credentials log in at `authority`.
    pub(super) fn login(&self, authority: &str) -> Result<ClientOptions, CredentialError> {
        let mut cloud = CustomConfiguration::default();
        cloud.authority_host = authority.to_owned();
        Ok(ClientOptions {
            retry: retries(),
            transport: Some(Transport::new(Arc::new(self.http()?))),
            cloud: Some(Arc::new(CloudConfiguration::Custom(cloud))),
            ..ClientOptions::default()
        })
    }
}

/// Logging in is tried again for some seconds: within one try of the request that waits for it.
pub(super) fn retries() -> RetryOptions {
    RetryOptions::exponential(ExponentialRetryOptions {
        max_retries: 4,
        max_total_elapsed: azure_core::time::Duration::seconds(10),
        ..ExponentialRetryOptions::default()
    })
}

/// For identity endpoints of the machine: plain HTTP, and never through a proxy, which would see the
/// endpoint's secret.
pub(super) fn local_client() -> Result<reqwest::Client, CredentialError> {
    let client = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none());
    client.connect_timeout(Duration::from_secs(1)).build().map_err(CredentialError::unusable)
}

#[expect(clippy::disallowed_methods, reason = "the variables of the official SDKs are part of how programs log in")]
fn of_process(name: &str) -> Option<String> {
    std::env::var(name).ok()
}
