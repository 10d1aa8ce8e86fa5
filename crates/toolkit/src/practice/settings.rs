//! Settings in files: JSON, YAML, TOML, properties, `.env`, line by line.

use super::{Finding, Practice};

/// Names of settings whose values are secrets; compared in lower case without `_`, `-`, `.` and `:`.
const SECRET_NAMES: &[&str] = &[
    "clientsecret",
    "password",
    "passwd",
    "pwd",
    "apikey",
    "accesskey",
    "accountkey",
    "sharedaccesskey",
    "secretkey",
    "privatekey",
    "accesstoken",
    "refreshtoken",
    "bearertoken",
    "sastoken",
    "connectionstring",
    "secret",
];

/// What connection strings call their secret parts.
const SECRET_PARTS: &[&str] = &["password=", "pwd=", "accountkey=", "sharedaccesskey=", "secret="];

/// What a value begins with that refers to a secret, and does not hold one.
const REFERENCES: &[&str] =
    &["@microsoft.keyvault(", "vault://", "${", "$(", "{{", "%(", "<", "file:", "/run/secrets/"];

/// Secrets that stand in a file of settings, by their lines; values are not told.
#[must_use]
pub fn settings_findings(text: &str) -> Vec<Finding> {
    let mut found = Vec::new();
    for (number, line) in (1_usize..).zip(text.lines()) {
        if line.contains("-----BEGIN") && line.contains("PRIVATE KEY-----") {
            found.push(finding(number, "a private key"));
            continue;
        }
        // Several settings can stand in a line of JSON.
        for part in line.split(", \"").flat_map(|part| part.split(",\"")) {
            if let Some(name) = secret_in(part) {
                found.push(finding(number, &name));
            }
        }
    }
    found
}

fn finding(line: usize, what: &str) -> Finding {
    Finding {
        practice: Practice::NoSecretsInSettings,
        at: format!("line {line}: {what}"),
        remedy: "let a managed identity log in (strongroom identity run), or refer to a secret: vault://NAME or \
                 @Microsoft.KeyVault(SecretUri=…)"
            .to_owned(),
    }
}

/// The name of a setting that has a secret for its value.
fn secret_in(line: &str) -> Option<String> {
    let line = line.trim().trim_start_matches(['{', '[', '-', ' ']);
    if line.starts_with('#') || line.starts_with("//") || line.starts_with(';') {
        return None;
    }
    let (name, value) = split(line)?;
    let value = value.trim().trim_end_matches([',', '}', ']', ';', ' ']).trim_matches(['"', '\'']).trim();
    if value.is_empty() || value.eq_ignore_ascii_case("null") || is_reference(value) {
        return None;
    }
    let lower = value.to_ascii_lowercase();
    let part = SECRET_PARTS.iter().find_map(|part| lower.split_once(part)).map(|(_, after)| after.to_owned());
    let connects = part.is_some_and(|after| !after.is_empty() && !after.starts_with(';') && !is_reference(&after));
    (connects || is_secret_name(name)).then(|| name.to_owned())
}

/// Name and value around the first `=` or `:` behind a name. A quoted name may hold either.
fn split(line: &str) -> Option<(&str, &str)> {
    let line = line.strip_prefix("export ").unwrap_or(line);
    if let Some(rest) = line.strip_prefix('"') {
        let (name, rest) = rest.split_once('"')?;
        return Some((name, rest.trim_start().strip_prefix([':', '='])?));
    }
    let at = line.find("=").into_iter().chain(line.find(": ")).min()?;
    let (name, value) = line.split_at_checked(at)?;
    Some((name.trim().trim_matches(['"', '\'']), value.get(1..)?))
}

fn is_secret_name(name: &str) -> bool {
    let folded: String = name.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase();
    // The name or URL of a secret is none.
    let refers = ["uri", "url", "name", "file", "path", "id", "ref", "version", "expiry", "policy"];
    !refers.iter().any(|end| folded.ends_with(end)) && SECRET_NAMES.iter().any(|secret| folded.ends_with(secret))
}

fn is_reference(value: &str) -> bool {
    let lower = value.to_ascii_lowercase();
    // A program's own way to look elsewhere: $NAME.
    REFERENCES.iter().any(|start| lower.starts_with(start)) || value.starts_with('$')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(text: &str) -> Vec<String> {
        settings_findings(text).into_iter().map(|finding| finding.at).collect()
    }

    #[test]
    fn secrets_are_found_in_every_format() {
        for (text, at) in [
            ("{\"Azure\": {\n  \"ClientSecret\": \"hush\",", "line 2: ClientSecret"),
            ("{\"a\": 1, \"apiKey\": \"hush\"}", "line 1: apiKey"),
            ("azure:\n  client_secret: hush\n", "line 2: client_secret"),
            ("client-secret = \"hush\"\n", "line 1: client-secret"),
            ("export DB_PASSWORD=hush\n", "line 1: DB_PASSWORD"),
            ("spring.datasource.password=hush", "line 1: spring.datasource.password"),
            ("DB=\"Server=db;User=me;Password=hush;\"", "line 1: DB"),
            ("STORE=Endpoint=https://s.azconfig.io;Id=i;Secret=aHVzaA==", "line 1: STORE"),
            ("  -----BEGIN PRIVATE KEY-----", "line 1: a private key"),
        ] {
            assert_eq!(names(text), [at], "{text}");
        }
    }

    #[test]
    fn references_names_and_comments_are_none() {
        for text in [
            "DB_PASSWORD=vault://db-password",
            "\"ClientSecret\": \"@Microsoft.KeyVault(SecretUri=https://v.vault.azure.net/secrets/s)\"",
            "password: ${DB_PASSWORD}",
            "password = \"\"",
            "# password=hush",
            "// \"password\": \"hush\"",
            "secret_name: db-password",
            "SECRET_URI=https://v.vault.azure.net/secrets/s",
            "DB=Server=db;Password=${DB_PASSWORD}",
            "secrets:",
            "url = https://host/path",
            "",
        ] {
            assert!(names(text).is_empty(), "{text}: {:?}", names(text));
        }
    }

    #[test]
    fn values_are_not_told() {
        let found = settings_findings("password=canary-4711\nDB=Password=canary-4711");
        assert_eq!(found.len(), 2);
        assert!(!format!("{found:?}").contains("canary"));
    }
}
