//! The default chain: credentials in Azure's order until one serves.
//!
//! `azure_identity` has none for Rust. The steps that it has no credential for (Visual Studio Code,
//! Azure PowerShell) are not among these.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use azure_core::credentials::{AccessToken, TokenCredential, TokenRequestOptions};
use azure_core::error::ErrorKind;
use azure_identity::{
    AzureCliCredential, AzureDeveloperCliCredential, ClientAssertionCredentialOptions, WorkloadIdentityCredential,
    WorkloadIdentityCredentialOptions,
};
use strongroom_wire::Sensitive;

use super::config::{client_secret, managed_identity};
use super::principal::Principal;
use super::{CredentialError, Sources, certificate, sources};

/// Where the metadata service of a virtual machine answers.
const METADATA_SERVICE: &str = "http://169.254.169.254/metadata/identity/oauth2/token";

/// It answers at once, or is not there.
const PROBE: Duration = Duration::from_secs(1);

/// A command line has so long to answer.
const COMMAND: Duration = Duration::from_secs(10);

/// A step of the chain, in its order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// A service principal's secret, in `AZURE_*` variables.
    EnvironmentSecret,
    /// A service principal's certificate, in `AZURE_*` variables.
    EnvironmentCertificate,
    /// A token of the platform's, as Kubernetes gives it.
    WorkloadIdentity,
    /// The machine's identity.
    ManagedIdentity,
    /// The login of `az`.
    AzureCli,
    /// The login of `azd`.
    AzureDeveloperCli,
}

impl Step {
    /// All of them, in order.
    pub const ORDER: [Self; 6] = [
        Self::EnvironmentSecret,
        Self::EnvironmentCertificate,
        Self::WorkloadIdentity,
        Self::ManagedIdentity,
        Self::AzureCli,
        Self::AzureDeveloperCli,
    ];

    const fn remedy(self) -> &'static str {
        match self {
            Self::EnvironmentSecret => "set AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET",
            Self::EnvironmentCertificate => "set AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_CERTIFICATE_PATH",
            Self::WorkloadIdentity => "set AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_FEDERATED_TOKEN_FILE",
            Self::ManagedIdentity => {
                "run where there is a managed identity, or under `strongroom identity run NAME -- CMD`"
            }
            Self::AzureCli => "run `az login`",
            Self::AzureDeveloperCli => "run `azd auth login`",
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::EnvironmentSecret => "environment (secret)",
            Self::EnvironmentCertificate => "environment (certificate)",
            Self::WorkloadIdentity => "workload identity",
            Self::ManagedIdentity => "managed identity",
            Self::AzureCli => "Azure CLI",
            Self::AzureDeveloperCli => "Azure Developer CLI",
        })
    }
}

/// How a step ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It gave a token, and stays.
    Served,
    /// It is not there to be used; the next one is tried.
    Unavailable(String),
    /// It is there and was refused: that is a mistake to be mended, and no reason to go on as
    /// somebody else.
    Refused(String),
}

/// A step that was tried. No token, secret or password is in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// Which.
    pub step: Step,
    /// How it ended.
    pub outcome: Outcome,
}

impl fmt::Display for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let step = self.step;
        match &self.outcome {
            Outcome::Served => write!(f, "{step}: served"),
            Outcome::Unavailable(why) => write!(f, "{step}: {why}; to use it, {}", step.remedy()),
            Outcome::Refused(why) => write!(f, "{step}: refused: {why}"),
        }
    }
}

/// A credential that tries all others in Azure's order; the first that serves stays.
#[derive(Default)]
pub struct DefaultChain {
    sources: Sources,
    chosen: OnceLock<Arc<dyn TokenCredential>>,
    trace: Mutex<Vec<Attempt>>,
    /// Held while looking for one: it is looked for once, however many wait for it.
    looking: tokio::sync::Mutex<()>,
}

impl fmt::Debug for DefaultChain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DefaultChain").field("trace", &self.trace()).finish_non_exhaustive()
    }
}

impl DefaultChain {
    /// With the process's variables.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// With other variables, or another client for logging in.
    #[must_use]
    pub fn with(sources: Sources) -> Self {
        Self { sources, ..Self::default() }
    }

    /// What was tried the last time that a credential was looked for.
    #[must_use]
    pub fn trace(&self) -> Vec<Attempt> {
        self.trace.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn look(&self, scopes: &[&str]) -> azure_core::Result<AccessToken> {
        let (mut trace, mut found, mut cause) = (Vec::new(), None, None);
        for step in Step::ORDER {
            let outcome = match self.attempt(step, scopes, &mut cause).await {
                Ok((credential, token)) => {
                    found = Some((credential, token));
                    Outcome::Served
                }
                Err(outcome) => outcome,
            };
            let attempt = Attempt { step, outcome };
            tracing::debug!(%attempt, "looking for a credential");
            let goes_on = matches!(attempt.outcome, Outcome::Unavailable(_));
            trace.push(attempt);
            if !goes_on {
                break;
            }
        }
        let told = trace.iter().map(|attempt| format!("\n  {attempt}")).collect::<String>();
        *self.trace.lock().unwrap_or_else(PoisonError::into_inner) = trace;
        match found {
            Some((credential, token)) => {
                // Whoever looks holds the lock, so it is empty.
                let _ = self.chosen.set(credential);
                Ok(token)
            }
            None => {
                let message = format!("none of the default credentials serves:{told}");
                Err(match cause {
                    // A network that fails is found below.
                    Some(fault) => azure_core::Error::with_error(ErrorKind::Credential, fault, message),
                    None => azure_core::Error::with_message(ErrorKind::Credential, message),
                })
            }
        }
    }

    /// One step; `cause` is the fault of one that is refused.
    async fn attempt(
        &self,
        step: Step,
        scopes: &[&str],
        cause: &mut Option<azure_core::Error>,
    ) -> Result<(Arc<dyn TokenCredential>, AccessToken), Outcome> {
        let unavailable = |fault: String| Outcome::Unavailable(fault);
        let credential = self.credential(step).await?;
        let asking = credential.get_token(scopes, None);
        let answer = match step {
            Step::AzureCli | Step::AzureDeveloperCli => tokio::time::timeout(COMMAND, asking)
                .await
                .map_err(|_elapsed| unavailable("it did not answer in time".to_owned()))?,
            _ => asking.await,
        };
        match (answer, step) {
            (Ok(token), _) => Ok((credential, token)),
            (Err(fault), Step::AzureCli) => Err(unavailable(command_line("az", &fault))),
            (Err(fault), Step::AzureDeveloperCli) => Err(unavailable(command_line("azd", &fault))),
            // A metadata service is on every virtual machine, an identity is not.
            (Err(fault), Step::ManagedIdentity) if self.sources.variable("IDENTITY_ENDPOINT").is_none() => {
                Err(unavailable(first_line(&fault)))
            }
            (Err(fault), _) => {
                let why = first_line(&fault);
                *cause = Some(fault);
                Err(Outcome::Refused(why))
            }
        }
    }

    /// The step's credential, when there is what it needs.
    async fn credential(&self, step: Step) -> Result<Arc<dyn TokenCredential>, Outcome> {
        let sources = &self.sources;
        let need =
            |name: &str| sources.variable(name).ok_or_else(|| Outcome::Unavailable(format!("{name} is not set")));
        let unusable = |fault: CredentialError| Outcome::Refused(fault.to_string());
        let authority = sources.authority(None);
        match step {
            Step::EnvironmentSecret => {
                let (tenant, client) = (need("AZURE_TENANT_ID")?, need("AZURE_CLIENT_ID")?);
                let secret = Sensitive::new(need("AZURE_CLIENT_SECRET")?);
                client_secret((&tenant, &client), &secret, &authority, sources).map_err(unusable)
            }
            Step::EnvironmentCertificate => {
                let (tenant, client) = (need("AZURE_TENANT_ID")?, need("AZURE_CLIENT_ID")?);
                let path = need("AZURE_CLIENT_CERTIFICATE_PATH")?;
                let password = sources.variable("AZURE_CLIENT_CERTIFICATE_PASSWORD").map(Sensitive::new);
                let names = (tenant.as_str(), client.as_str());
                certificate::credential(names, Path::new(&path), password.as_ref(), &authority, sources)
                    .map_err(unusable)
            }
            Step::WorkloadIdentity => {
                let (tenant, client) = (need("AZURE_TENANT_ID")?, need("AZURE_CLIENT_ID")?);
                let file = PathBuf::from(need("AZURE_FEDERATED_TOKEN_FILE")?);
                let client_options = sources.login(&authority).map_err(unusable)?;
                let made = WorkloadIdentityCredential::new(Some(WorkloadIdentityCredentialOptions {
                    credential_options: ClientAssertionCredentialOptions { client_options },
                    client_id: Some(client.clone()),
                    tenant_id: Some(tenant.clone()),
                    token_file_path: Some(file),
                }));
                let made = made.map_err(|fault| Outcome::Refused(first_line(&fault)))?;
                Ok(Principal::new((&tenant, &client), made))
            }
            Step::ManagedIdentity => {
                if sources.variable("IDENTITY_ENDPOINT").is_none() {
                    probe_metadata_service().await.map_err(Outcome::Unavailable)?;
                }
                let user_assigned = sources.variable("AZURE_CLIENT_ID");
                managed_identity(user_assigned.as_deref()).map_err(|fault| Outcome::Unavailable(fault.to_string()))
            }
            Step::AzureCli => {
                Ok(AzureCliCredential::new(None).map_err(|fault| Outcome::Unavailable(fault.to_string()))?)
            }
            Step::AzureDeveloperCli => {
                Ok(AzureDeveloperCliCredential::new(None).map_err(|fault| Outcome::Unavailable(fault.to_string()))?)
            }
        }
    }
}

#[async_trait::async_trait]
impl TokenCredential for DefaultChain {
    async fn get_token(
        &self,
        scopes: &[&str],
        options: Option<TokenRequestOptions<'_>>,
    ) -> azure_core::Result<AccessToken> {
        if self.chosen.get().is_none() {
            let _alone = self.looking.lock().await;
            // Another may have found one meanwhile.
            if self.chosen.get().is_none() {
                return self.look(scopes).await;
            }
        }
        match self.chosen.get() {
            Some(credential) => credential.get_token(scopes, options).await,
            None => self.look(scopes).await,
        }
    }
}

/// Is this a virtual machine with a metadata service? It answers 400 to who leaves its header out.
async fn probe_metadata_service() -> Result<(), String> {
    let client = sources::local_client().map_err(|fault| fault.to_string())?;
    let absent = "IDENTITY_ENDPOINT is not set, and there is no metadata service here";
    let answer = client.get(METADATA_SERVICE).timeout(PROBE).send().await.map_err(|_fault| absent.to_owned())?;
    if answer.status() == reqwest::StatusCode::BAD_REQUEST { Ok(()) } else { Err(absent.to_owned()) }
}

/// What a command line's refusal means.
fn command_line(program: &str, fault: &azure_core::Error) -> String {
    let text = fault.to_string();
    if text.contains("not found on PATH") || text.contains("wasn't found on PATH") {
        return format!("the program {program} is not on the PATH");
    }
    if text.contains("az login") || text.contains("azd auth login") {
        return format!("{program} is not logged in");
    }
    first_line(fault)
}

/// The rest is links and stack traces.
fn first_line(fault: &azure_core::Error) -> String {
    let text = fault.to_string();
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with("To troubleshoot"));
    let line = lines.next().unwrap_or("it failed without a word");
    line.to_owned()
}
