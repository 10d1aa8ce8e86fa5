//! `pkcs11:` URIs (RFC 7512), as far as they name a token.

use std::path::{Path, PathBuf};

use percent_encoding::percent_decode_str;

use crate::open::{OpenError, VaultUri};

/// What the query may hold.
const QUERY: [&str; 6] = ["module-path", "module-name", "pin-source", "pin-value", "x-records", "vault"];

/// Where distributions put PKCS#11 modules.
const FOLDERS: [&str; 12] = [
    "/usr/lib/pkcs11",
    "/usr/lib64/pkcs11",
    "/usr/lib/x86_64-linux-gnu/pkcs11",
    "/usr/lib/aarch64-linux-gnu/pkcs11",
    "/usr/lib/softhsm",
    "/usr/lib64/softhsm",
    "/usr/local/lib/pkcs11",
    "/usr/local/lib/softhsm",
    "/opt/homebrew/lib/softhsm",
    "/usr/lib/x86_64-linux-gnu",
    "/usr/lib64",
    "/usr/lib",
];

/// Which token, by which module. What is `None` may be anything.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct TokenUri {
    pub(super) label: Option<String>,
    pub(super) serial: Option<String>,
    pub(super) manufacturer: Option<String>,
    pub(super) model: Option<String>,
    pub(super) slot: Option<u64>,
    pub(super) module: PathBuf,
    /// Where the names, attributes and secrets go; `None` is the place for this token.
    pub(super) records: Option<PathBuf>,
}

impl TokenUri {
    /// Reads what the URI says; the PIN stays where it is.
    pub(super) fn parse(uri: &VaultUri) -> Result<Self, OpenError> {
        uri.only(&QUERY)?;
        if uri.get("pin-value").is_some() && uri.get("pin-source").is_some() {
            return Err(OpenError::uri("pkcs11: takes pin-source or pin-value, not both"));
        }
        if uri.get("pin-source").is_some_and(|source| source.starts_with('|')) {
            return Err(OpenError::uri("pkcs11: runs no programs for a PIN: let pin-source name a file"));
        }
        let mut token = Self {
            module: module(uri.get("module-path"), uri.get("module-name"))?,
            records: uri.get("x-records").map(PathBuf::from),
            ..Self::default()
        };
        for attribute in uri.path().split(';').filter(|attribute| !attribute.is_empty()) {
            let (name, value) = attribute.split_once('=').ok_or_else(|| {
                OpenError::uri("pkcs11: wants NAME=VALUE between the semicolons, as in pkcs11:token=NAME")
            })?;
            let value = percent_decode_str(value).decode_utf8();
            let value = value.map_err(|_fault| OpenError::Uri(format!("pkcs11: {name} is not UTF-8")))?.into_owned();
            let taken = match name {
                "token" => token.label.replace(value).is_some(),
                "serial" => token.serial.replace(value).is_some(),
                "manufacturer" => token.manufacturer.replace(value).is_some(),
                "model" => token.model.replace(value).is_some(),
                "slot-id" => {
                    let number = value.parse().map_err(|_fault| OpenError::uri("pkcs11: slot-id is a number"))?;
                    token.slot.replace(number).is_some()
                }
                _ => {
                    return Err(OpenError::Uri(format!(
                        "pkcs11: names a token by token, serial, manufacturer, model and slot-id, not by {name:?}"
                    )));
                }
            };
            if taken {
                return Err(OpenError::Uri(format!("pkcs11: has {name} twice")));
            }
        }
        Ok(token)
    }
}

/// What was asked for, for messages.
impl std::fmt::Display for TokenUri {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let texts = [
            ("token", &self.label),
            ("serial", &self.serial),
            ("manufacturer", &self.manufacturer),
            ("model", &self.model),
        ];
        let mut said: Vec<String> =
            texts.iter().filter_map(|(name, value)| Some(format!("{name} {:?}", value.as_ref()?))).collect();
        said.extend(self.slot.map(|slot| format!("slot {slot}")));
        if said.is_empty() { f.write_str("any name") } else { f.write_str(&said.join(", ")) }
    }
}

/// RFC 7512 section 2.3: a path names the module, or the folder of the module that is named.
fn module(path: Option<&str>, name: Option<&str>) -> Result<PathBuf, OpenError> {
    let path = path.map(Path::new);
    if path.is_some_and(Path::is_relative) {
        // What the loader would look for elsewhere.
        return Err(OpenError::uri("pkcs11: wants the whole path of the module: ?module-path=/usr/lib/…/module.so"));
    }
    let found = match (path, name) {
        (Some(path), None) => return Ok(path.to_owned()),
        (None, None) => {
            return Err(OpenError::uri(
                "pkcs11: needs the module of the token: ?module-path=/usr/lib/softhsm/libsofthsm2.so, or \
                 ?module-name=softhsm2",
            ));
        }
        (_, Some(name)) if name.is_empty() || name.contains('/') => None,
        (Some(folder), Some(name)) => in_folder(folder, name),
        (None, Some(name)) => FOLDERS.iter().find_map(|folder| in_folder(Path::new(folder), name)),
    };
    found.ok_or_else(|| {
        OpenError::uri("pkcs11: finds no module of that module-name: give its whole path with ?module-path=")
    })
}

fn in_folder(folder: &Path, name: &str) -> Option<PathBuf> {
    let names = [name.to_owned(), format!("lib{name}.so"), format!("{name}.so"), format!("lib{name}.dylib")];
    names.iter().map(|name| folder.join(name)).find(|file| file.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(uri: &str) -> Result<TokenUri, OpenError> {
        TokenUri::parse(&VaultUri::parse(uri).unwrap())
    }

    #[test]
    fn a_token_is_named_as_rfc_7512_says() {
        let uri = "pkcs11:token=The%20Software%3B%20token;manufacturer=Snake%20Oil,%20Inc.;model=1.0;serial=a1;slot-id=7\
                   ?module-path=/usr/lib/a%26b.so&pin-source=file:/etc/token_pin&x-records=/var/lib/x&vault=app";
        assert_eq!(
            parse(uri).unwrap(),
            TokenUri {
                label: Some("The Software; token".to_owned()),
                serial: Some("a1".to_owned()),
                manufacturer: Some("Snake Oil, Inc.".to_owned()),
                model: Some("1.0".to_owned()),
                slot: Some(7),
                module: PathBuf::from("/usr/lib/a&b.so"),
                records: Some(PathBuf::from("/var/lib/x")),
            }
        );
    }

    #[test]
    fn what_is_wrong_is_said_without_the_pin() {
        let wrong = [
            "pkcs11:token=x",
            "pkcs11:token=x?module-path=relative.so",
            "pkcs11:token=x;token=y?module-path=/m.so",
            "pkcs11:token?module-path=/m.so",
            "pkcs11:slot-id=first?module-path=/m.so",
            "pkcs11:object=key?module-path=/m.so",
            "pkcs11:token=%ff?module-path=/m.so",
            "pkcs11:?module-path=/m.so&pin=hush",
            "pkcs11:?module-path=/m.so&pin-value=hush&pin-source=/p",
            "pkcs11:?module-path=/m.so&pin-source=|cat",
            "pkcs11:?module-name=../../tmp/evil",
            "pkcs11:?module-name=",
            "pkcs11:?module-name=there-is-none",
        ];
        for uri in wrong {
            let fault = parse(uri).unwrap_err();
            assert!(matches!(fault, OpenError::Uri(_)) && !fault.to_string().contains("hush"), "{uri}: {fault}");
        }
    }
}
