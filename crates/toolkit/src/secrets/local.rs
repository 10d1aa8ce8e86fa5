//! Local secrets, for development without a vault: environment variables and `local.settings.json`
//! first, then a `.env` file. `{ORG}__{KEY}`, then `GLOBAL__{KEY}`, in upper case with underscores.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use strongroom_wire::Sensitive;

use super::{GLOBAL, SecretValue};

/// Looks up an environment variable.
type Environment = dyn Fn(&str) -> Option<String> + Send + Sync;

/// Where local secrets are.
pub struct LocalSecrets {
    environment: Arc<Environment>,
    settings: HashMap<String, SecretValue>,
    dotenv: HashMap<String, SecretValue>,
}

impl LocalSecrets {
    /// From these environment variables alone.
    pub fn new(environment: impl Fn(&str) -> Option<String> + Send + Sync + 'static) -> Self {
        Self { environment: Arc::new(environment), settings: HashMap::new(), dotenv: HashMap::new() }
    }

    /// From the variables of this process.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "the variables are what is asked for")]
    pub fn of_process() -> Self {
        Self::new(|name| std::env::var(name).ok())
    }

    /// With the `Values` of a `local.settings.json` (Azure Functions), which stand for variables.
    ///
    /// # Errors
    /// A message that names the file and never a value.
    pub fn with_settings_file(self, file: &Path) -> Result<Self, String> {
        let wrong = |why: &str| format!("{}: {why}", file.display());
        let text = std::fs::read_to_string(file).map_err(|fault| wrong(&fault.to_string()))?;
        let content: serde_json::Value = serde_json::from_str(&text).map_err(|_unreadable| wrong("not valid JSON"))?;
        let values = content.get("Values").and_then(serde_json::Value::as_object);
        let values = values.ok_or_else(|| wrong("it has no object \"Values\""))?;
        let strings = values.iter().filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned())));
        Ok(Self { settings: strings.map(|(name, value)| (name, shared(value))).collect(), ..self })
    }

    /// With a `.env` file: `KEY=value` lines.
    ///
    /// # Errors
    /// A message that names the file and line and never a value.
    pub fn with_dotenv_file(self, file: &Path) -> Result<Self, String> {
        let text = std::fs::read_to_string(file).map_err(|fault| format!("{}: {fault}", file.display()))?;
        let mut dotenv = HashMap::new();
        for (number, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let pair = line.strip_prefix("export ").unwrap_or(line).split_once('=');
            let (name, value) = pair
                .ok_or_else(|| format!("{}, line {}: it is not KEY=value", file.display(), number.saturating_add(1)))?;
            let value = value.trim();
            let quoted = |quote| value.strip_prefix(quote).and_then(|value: &str| value.strip_suffix(quote));
            let value = quoted('"').or_else(|| quoted('\'')).unwrap_or(value);
            dotenv.insert(name.trim().to_owned(), shared(value.to_owned()));
        }
        Ok(Self { dotenv, ..self })
    }

    /// A secret of an organisation, or the one for all; first in the environment, then in the file,
    /// with a warning for that fall.
    pub(super) fn find(&self, org: &str, key: &str) -> Option<SecretValue> {
        let names = [variable(org, key), variable(GLOBAL, key)];
        let environment = names.iter().find_map(|name| {
            let set = (self.environment)(name).filter(|value| !value.is_empty());
            set.map(shared).or_else(|| self.settings.get(name).cloned())
        });
        if environment.is_some() {
            return environment;
        }
        let found = names.iter().find_map(|name| self.dotenv.get(name).cloned());
        if found.is_some() {
            tracing::warn!(variable = names.first(), "not in the environment, using the .env file");
        }
        found
    }
}

impl std::fmt::Debug for LocalSecrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "LocalSecrets({} settings, {} in .env)", self.settings.len(), self.dotenv.len())
    }
}

fn shared(value: String) -> SecretValue {
    Arc::new(Sensitive::new(value))
}

/// `test-org` and `client-secret` are `TEST_ORG__CLIENT_SECRET`.
fn variable(scope: &str, key: &str) -> String {
    let upper = |text: &str| text.to_uppercase().replace(['-', '.', ' '], "_");
    format!("{}__{}", upper(scope), upper(key))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_in_upper_case_with_underscores() {
        assert_eq!(variable("org123", "api-key"), "ORG123__API_KEY");
        assert_eq!(variable(GLOBAL, "smtp-password"), "GLOBAL__SMTP_PASSWORD");
        assert_eq!(variable("test-org", "client-secret"), "TEST_ORG__CLIENT_SECRET");
    }
}
