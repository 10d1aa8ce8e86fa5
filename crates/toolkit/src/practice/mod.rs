//! Good practice, checked: what a vault or a file of settings does that it had better not.
//!
//! ```
//! use strongroom::practice::{Practice, settings_findings};
//!
//! let found = settings_findings("AZURE_CLIENT_ID=app\nAZURE_CLIENT_SECRET=hush\nDB_PASSWORD=vault://db-password\n");
//! assert_eq!(found.len(), 1);
//! assert_eq!((found[0].practice, found[0].at.as_str()), (Practice::NoSecretsInSettings, "line 2: AZURE_CLIENT_SECRET"));
//! ```

mod settings;
mod vaults;

use serde::Serialize;

pub use settings::settings_findings;
pub use vaults::{CheckOptions, check_vaults};

/// What was found; it names things, and never holds a value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Against what.
    pub practice: Practice,
    /// Where: a vault, an object of it, a line of a file.
    pub at: String,
    /// What to do about it.
    pub remedy: String,
}

/// What is good to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Practice {
    /// Nobody can purge what was deleted by mistake, or on purpose.
    PurgeProtection,
    /// A vault for each application in each environment, instead of prefixes of names.
    VaultPerApplication,
    /// Tags say to what a secret belongs and how it is rotated.
    Tags,
    /// Each environment has values of its own.
    OwnValues,
    /// Settings refer to secrets, or there are none: a managed identity needs none.
    NoSecretsInSettings,
    /// Few versions are enabled.
    FewVersions,
}

impl Practice {
    /// As findings show it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::PurgeProtection => "purge-protection",
            Self::VaultPerApplication => "vault-per-application",
            Self::Tags => "tags",
            Self::OwnValues => "own-values",
            Self::NoSecretsInSettings => "no-secrets-in-settings",
            Self::FewVersions => "few-versions",
        }
    }
}
