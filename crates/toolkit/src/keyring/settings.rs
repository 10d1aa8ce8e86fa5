//! Which ring, by configuration alone: a JSON file with comments as .NET reads it, and the environment.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value;
use strongroom_wire::Sensitive;
use strongroom_wire::algorithms::SignatureAlgorithm;

use super::azure::AzureNames;
use super::options::RingOptions;
use super::state::spec_of;

/// What there is to say, by full name. Others in these sections are mistakes.
const KNOWN: &[&str] = &[
    "KeyStore:Type",
    "KeyStore:CacheSeconds",
    "KeyStore:StaleIfErrorSeconds",
    "KeyStore:UnknownKidSeconds",
    "KeyStore:Redis:PassphraseFile",
    "KeyStore:Redis:KeyFile",
    "Azure:KeyVault:Name",
    "Azure:KeyVault:Url",
    "Azure:KeyVault:KeyPrefix",
    "Azure:AppConfig:ActiveKidKey",
    "Azure:AppConfig:AllKeysKey",
    "Azure:AppConfig:Endpoint",
    "Jwt:Issuer",
    "Jwt:Audience",
    "Jwt:Algorithm",
    "Jwt:MaxTokenMinutes",
    "Jwt:ClockSkewSeconds",
    "Jwt:Rotation:Every",
    "Jwt:Rotation:Lead",
    "Jwt:Rotation:Margin",
    "Admin:Role",
    "Admin:Token:File",
    "Issue:Role",
    "Issue:Token:File",
    "Service:BaseUrl",
];

/// Sections in which an unknown name is a mistake. `ConnectionStrings` and all others may hold what is not ours.
const SECTIONS: [&str; 6] = ["keystore:", "azure:keyvault:", "azure:appconfig:", "jwt:", "admin:", "issue:"];

/// The settings cannot be used; the text names the field.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct SettingsError(String);

/// What a ring and its service are made from.
#[derive(Debug)]
pub struct Settings {
    /// Where the ring lies.
    pub store: StoreSettings,
    /// How it behaves.
    pub ring: RingOptions,
    /// What the token service needs besides.
    pub service: ServiceSettings,
}

/// Where a ring lies.
#[derive(Debug)]
pub enum StoreSettings {
    /// In this process.
    InMemory,
    /// In Redis.
    Redis {
        /// `ConnectionStrings:Redis`.
        address: Sensitive<String>,
        /// `KeyStore:Redis:PassphraseFile`, or `KeyFile`.
        seal: SealFile,
    },
    /// In a vault and a configuration store.
    Azure {
        /// The vault's URL.
        vault: String,
        /// Names in both.
        names: AzureNames,
        /// How to reach the configuration store.
        config: ConfigAccess,
    },
}

/// What seals private keys in Redis.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SealFile {
    /// A file with a passphrase in its first line.
    Passphrase(PathBuf),
    /// A file of 32 bytes.
    Key(PathBuf),
}

/// How to reach the configuration store.
#[derive(Debug)]
pub enum ConfigAccess {
    /// `ConnectionStrings:AppConfiguration`.
    ConnectionString(Sensitive<String>),
    /// `Azure:AppConfig:Endpoint`, with the credential that is for the vault.
    Endpoint(String),
}

/// What the token service needs besides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceSettings {
    /// The role that administration demands, in a token's `roles`.
    pub admin_role: String,
    /// A file with the hash of a bearer token that may administer.
    pub admin_token: Option<PathBuf>,
    /// The role that issuing demands.
    pub issue_role: String,
    /// A file with the hash of a bearer token that may issue.
    pub issue_token: Option<PathBuf>,
    /// What download links begin with.
    pub base_url: Option<String>,
}

impl Settings {
    /// Reads settings: JSON with comments, and variables of the environment, of which `KeyStore__Type`
    /// stands for `KeyStore:Type` and comes before the file.
    ///
    /// # Errors
    /// [`SettingsError`], which names the field and quotes no value of a connection string.
    pub fn read(json: &str, environment: impl IntoIterator<Item = (String, String)>) -> Result<Self, SettingsError> {
        let values = Values::read(json, environment)?;
        let store = match values.required("KeyStore:Type")?.to_ascii_lowercase().as_str() {
            "inmemory" => StoreSettings::InMemory,
            "redis" | "distributed" => values.redis()?,
            "azure" => values.azure()?,
            _ => return Err(wrong("KeyStore:Type", "InMemory, Redis or Azure")),
        };
        let path = |name: &str| values.get(name).map(PathBuf::from);
        let service = ServiceSettings {
            admin_role: values.or("Admin:Role", "TokenService.Admin"),
            admin_token: path("Admin:Token:File"),
            issue_role: values.or("Issue:Role", "TokenService.Issuer"),
            issue_token: path("Issue:Token:File"),
            base_url: values.get("Service:BaseUrl").map(|url| url.trim_end_matches('/').to_owned()),
        };
        Ok(Self { store, ring: values.ring()?, service })
    }
}

fn wrong(name: &str, what: &str) -> SettingsError {
    SettingsError(format!("{name}: must be {what}"))
}

/// Values by name in lower case.
struct Values(BTreeMap<String, Sensitive<String>>);

impl Values {
    fn read(json: &str, environment: impl IntoIterator<Item = (String, String)>) -> Result<Self, SettingsError> {
        let plain = zeroize::Zeroizing::new(without_comments(json));
        let tree: Value = serde_json::from_str(&plain).map_err(|fault| {
            SettingsError(format!("the settings are not JSON: line {}, column {}", fault.line(), fault.column()))
        })?;
        let mut values = Self(BTreeMap::new());
        values.flatten("", &tree)?;
        for (name, value) in environment.into_iter().filter(|(name, _)| name.contains("__")) {
            values.insert(&name.replace("__", ":"), value)?;
        }
        Ok(values)
    }

    fn flatten(&mut self, name: &str, value: &Value) -> Result<(), SettingsError> {
        match value {
            Value::Object(members) => members.iter().try_for_each(|(member, value)| {
                let below = if name.is_empty() { member.clone() } else { format!("{name}:{member}") };
                self.flatten(&below, value)
            }),
            Value::Null => Ok(()),
            Value::String(text) => self.insert(name, text.clone()),
            Value::Array(_) if !is_ours(name) => Ok(()),
            Value::Array(_) => Err(wrong(name, "one value, not a list")),
            Value::Bool(_) | Value::Number(_) => self.insert(name, value.to_string()),
        }
    }

    fn insert(&mut self, name: &str, value: String) -> Result<(), SettingsError> {
        if is_ours(name) && !KNOWN.iter().any(|known| known.eq_ignore_ascii_case(name)) {
            return Err(SettingsError(format!("{name}: there is no such setting; there are {}", KNOWN.join(", "))));
        }
        self.0.insert(name.to_ascii_lowercase(), Sensitive::new(value));
        Ok(())
    }

    fn get(&self, name: &str) -> Option<&str> {
        let value = self.0.get(&name.to_ascii_lowercase())?.expose().trim();
        (!value.is_empty()).then_some(value)
    }

    fn required(&self, name: &str) -> Result<&str, SettingsError> {
        self.get(name).ok_or_else(|| SettingsError(format!("{name}: is missing")))
    }

    fn or(&self, name: &str, default: &str) -> String {
        self.get(name).unwrap_or(default).to_owned()
    }

    fn redis(&self) -> Result<StoreSettings, SettingsError> {
        let address = Sensitive::new(self.required("ConnectionStrings:Redis")?.to_owned());
        let seal = match (self.get("KeyStore:Redis:PassphraseFile"), self.get("KeyStore:Redis:KeyFile")) {
            (Some(file), None) => SealFile::Passphrase(file.into()),
            (None, Some(file)) => SealFile::Key(file.into()),
            (None, None) => {
                return Err(SettingsError(
                    "KeyStore:Redis:PassphraseFile (or KeyFile): is missing; private keys lie sealed in Redis"
                        .to_owned(),
                ));
            }
            (Some(_), Some(_)) => {
                return Err(SettingsError("KeyStore:Redis: give PassphraseFile or KeyFile, not both".to_owned()));
            }
        };
        Ok(StoreSettings::Redis { address, seal })
    }

    fn azure(&self) -> Result<StoreSettings, SettingsError> {
        let vault = match (self.get("Azure:KeyVault:Url"), self.get("Azure:KeyVault:Name")) {
            (Some(url), _) if url.starts_with("https://") => url.to_owned(),
            (Some(_), _) => return Err(wrong("Azure:KeyVault:Url", "https://HOST")),
            (None, Some(name)) => format!("https://{name}.vault.azure.net"),
            (None, None) => return Err(SettingsError("Azure:KeyVault:Name (or Url): is missing".to_owned())),
        };
        let config = match (self.get("ConnectionStrings:AppConfiguration"), self.get("Azure:AppConfig:Endpoint")) {
            (Some(text), _) => ConfigAccess::ConnectionString(Sensitive::new(text.to_owned())),
            (None, Some(endpoint)) => ConfigAccess::Endpoint(endpoint.to_owned()),
            (None, None) => {
                return Err(SettingsError(
                    "ConnectionStrings:AppConfiguration (or Azure:AppConfig:Endpoint): is missing".to_owned(),
                ));
            }
        };
        let names = AzureNames::default();
        let names = AzureNames {
            key_prefix: self.or("Azure:KeyVault:KeyPrefix", &names.key_prefix),
            active_kid: self.or("Azure:AppConfig:ActiveKidKey", &names.active_kid),
            all_keys: self.or("Azure:AppConfig:AllKeysKey", &names.all_keys),
        };
        Ok(StoreSettings::Azure { vault, names, config })
    }

    fn ring(&self) -> Result<RingOptions, SettingsError> {
        let mut ring = RingOptions::new(self.or("Jwt:Issuer", "strongroom"), self.or("Jwt:Audience", "strongroom"));
        if let Some(name) = self.get("Jwt:Algorithm") {
            let algorithm = SignatureAlgorithm::parse(&name.to_ascii_uppercase()).ok();
            ring.algorithm = algorithm.filter(|algorithm| spec_of(*algorithm).is_ok()).ok_or_else(|| {
                wrong("Jwt:Algorithm", "RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384 or ES512")
            })?;
        }
        let seconds = |name: &str, default: i64| self.seconds(name).map(|value| value.unwrap_or(default));
        ring.cache_ttl = seconds("KeyStore:CacheSeconds", ring.cache_ttl)?;
        ring.stale_if_error = self.seconds("KeyStore:StaleIfErrorSeconds")?;
        if let Some(interval) = self.seconds("KeyStore:UnknownKidSeconds")? {
            ring.unknown_kid_interval = Duration::from_secs(u64::try_from(interval).unwrap_or_default());
        }
        ring.skew = seconds("Jwt:ClockSkewSeconds", ring.skew)?;
        if let Some(minutes) = self.seconds("Jwt:MaxTokenMinutes")? {
            ring.max_token_life = minutes.saturating_mul(60);
        }
        if ring.cache_ttl < 1 || ring.max_token_life < 1 {
            return Err(wrong("KeyStore:CacheSeconds and Jwt:MaxTokenMinutes", "at least 1"));
        }
        ring.rotate_every = self.seconds("Jwt:Rotation:Every")?;
        ring.publish_lead = seconds("Jwt:Rotation:Lead", ring.cache_ttl.saturating_mul(2))?;
        ring.retire_margin = seconds("Jwt:Rotation:Margin", ring.retire_margin)?;
        if ring.rotate_every.is_some_and(|every| every <= ring.publish_lead) {
            return Err(wrong("Jwt:Rotation:Every", "longer than Jwt:Rotation:Lead"));
        }
        if ring.publish_lead < ring.cache_ttl {
            return Err(wrong("Jwt:Rotation:Lead", "no shorter than KeyStore:CacheSeconds: publish before use"));
        }
        Ok(ring)
    }

    /// A number, or a number and `d`, `h`, `m` or `s`.
    fn seconds(&self, name: &str) -> Result<Option<i64>, SettingsError> {
        let Some(text) = self.get(name) else { return Ok(None) };
        let (number, unit) = match text.char_indices().last() {
            Some((at, 'd')) => (text.get(..at), 86_400),
            Some((at, 'h')) => (text.get(..at), 3_600),
            Some((at, 'm')) => (text.get(..at), 60),
            Some((at, 's')) => (text.get(..at), 1),
            _ => (Some(text), 1),
        };
        let number =
            number.and_then(|number| number.parse::<i64>().ok()).filter(|number| (0..=1_000_000_000).contains(number));
        let number = number.ok_or_else(|| wrong(name, "a number, or one with a unit such as 90d, 12h, 30m, 10s"))?;
        Ok(Some(number.saturating_mul(unit)))
    }
}

fn is_ours(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    SECTIONS.iter().any(|section| name.starts_with(section))
}

/// JSON without `// …`, `/* … */` and commas before a closing bracket; lines stay where they are.
fn without_comments(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text.char_indices().peekable();
    // Where a comma stands that nothing but blanks follow.
    let mut comma = None;
    while let Some((_, this)) = rest.next() {
        let next = rest.peek().map(|(_, next)| *next);
        match (this, next) {
            ('"', _) => {
                plain.push(this);
                let mut escaped = false;
                for (_, inner) in rest.by_ref() {
                    plain.push(inner);
                    match inner {
                        '"' if !escaped => break,
                        '\\' => escaped = !escaped,
                        _ => escaped = false,
                    }
                }
                comma = None;
            }
            ('/', Some('/')) => while rest.next_if(|(_, inner)| *inner != '\n').is_some() {},
            ('/', Some('*')) => {
                let mut last = ' ';
                rest.next();
                for (_, inner) in rest.by_ref() {
                    if inner == '\n' {
                        plain.push(inner);
                    }
                    if last == '*' && inner == '/' {
                        break;
                    }
                    last = inner;
                }
            }
            (',', _) => {
                comma = Some(plain.len());
                plain.push(this);
            }
            ('}' | ']', _) => {
                if let Some(at) = comma.take() {
                    plain.replace_range(at..=at, " ");
                }
                plain.push(this);
            }
            (blank, _) => {
                if !blank.is_whitespace() {
                    comma = None;
                }
                plain.push(blank);
            }
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Result<Settings, SettingsError> {
        Settings::read(json, [])
    }

    #[test]
    fn comments_and_last_commas_are_passed_over() {
        let text = "{ // one\n \"a\": \"// not \\\" /* one\", /* two\n lines */ \"b\": [1, 2, ],\n}";
        let value: Value = serde_json::from_str(&without_comments(text)).unwrap();
        assert_eq!(value, serde_json::json!({ "a": "// not \" /* one", "b": [1, 2] }));
        for odd in ["", "\"", "/", "/*", "//", "\"\\", ",]"] {
            without_comments(odd);
        }
    }

    #[test]
    fn both_samples_are_accepted() {
        let memory = read(r#"{ "KeyStore": { "Type": "InMemory" } } // development"#).unwrap();
        assert!(matches!(memory.store, StoreSettings::InMemory));
        assert_eq!((memory.ring.cache_ttl, memory.ring.skew, memory.ring.algorithm.as_str()), (300, 30, "RS256"));
        let azure = r#"{
            "KeyStore": { "Type": "azure" },
            "Azure": { "KeyVault": { "Name": "your-vault" } },
            // secret
            "ConnectionStrings": { "AppConfiguration": "Endpoint=https://x;Id=i;Secret=hush" },
            "Logging": { "LogLevel": { "Default": "Information" }, "List": [1] }
        }"#;
        let settings = read(azure).unwrap();
        let StoreSettings::Azure { vault, names, config: ConfigAccess::ConnectionString(_) } = &settings.store else {
            panic!()
        };
        assert_eq!(vault, "https://your-vault.vault.azure.net");
        assert_eq!(names.key_prefix, "jwt-signing-key-");
        assert!(!format!("{settings:?}").contains("hush"));
        let overridden = Settings::read(azure, [("KEYSTORE__TYPE".to_owned(), "InMemory".to_owned())]).unwrap();
        assert!(matches!(overridden.store, StoreSettings::InMemory));
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (json, field) in [
            ("{}", "KeyStore:Type"),
            (r#"{"KeyStore":{"Type":"files"}}"#, "KeyStore:Type"),
            (r#"{"KeyStore":{"UseDistributed":true,"Type":"InMemory"}}"#, "KeyStore:UseDistributed"),
            (r#"{"KeyStore":{"Type":"Redis"}}"#, "ConnectionStrings:Redis"),
            (r#"{"KeyStore":{"Type":"Redis"},"ConnectionStrings":{"Redis":"h"}}"#, "KeyStore:Redis:PassphraseFile"),
            (r#"{"KeyStore":{"Type":"Azure"}}"#, "Azure:KeyVault:Name"),
            (r#"{"KeyStore":{"Type":"Azure"},"Azure":{"KeyVault":{"Url":"http://x"}}}"#, "Azure:KeyVault:Url"),
            (
                r#"{"KeyStore":{"Type":"Azure"},"Azure":{"KeyVault":{"Name":"x"}}}"#,
                "ConnectionStrings:AppConfiguration",
            ),
            (r#"{"KeyStore":{"Type":"InMemory"},"Jwt":{"Algorithm":"HS256"}}"#, "Jwt:Algorithm"),
            (r#"{"KeyStore":{"Type":"InMemory","CacheSeconds":"soon"}}"#, "KeyStore:CacheSeconds"),
            (r#"{"KeyStore":{"Type":"InMemory"},"Jwt":{"Rotation":{"Every":"1m"}}}"#, "Jwt:Rotation:Every"),
            (r#"{"KeyStore":{"Type":"InMemory"},"Jwt":{"Rotation":{"Lead":"1s"}}}"#, "Jwt:Rotation:Lead"),
            (r#"{"KeyStore":"#, "line 1"),
        ] {
            let fault = read(json).unwrap_err().to_string();
            assert!(fault.contains(field), "{json}: {fault}");
        }
    }
}
