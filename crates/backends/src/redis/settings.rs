//! Where Redis is and who logs in: `redis://[USER[:PASSWORD]@]HOST[:PORT][/DB]?…`, and `rediss:`.

use std::path::Path;

use ::redis::{Client, ConnectionAddr, IntoConnectionInfo as _, ProtocolVersion, RedisConnectionInfo, TlsCertificates};
use percent_encoding::percent_decode_str;
use strongroom_store::records::RecordsError;
use strongroom_wire::Sensitive;
use zeroize::Zeroizing;

use crate::open::{OpenError, VaultUri};

const DEFAULT_PORT: u16 = 6379;
const DEFAULT_PREFIX: &str = "strongroom";
/// What the query may hold.
const KNOWN: &[&str] = &["vault", "prefix", "passphrase-file", "password-file", "ca-file"];

/// How to reach a store in Redis.
pub struct RedisSettings {
    host: String,
    port: u16,
    db: i64,
    user: Option<String>,
    password: Option<Sensitive<String>>,
    tls: bool,
    /// The authorities that are trusted instead of the system's, PEM.
    ca: Option<Vec<u8>>,
    prefix: String,
}

impl RedisSettings {
    /// From a URI; reads the files that it names.
    ///
    /// # Errors
    /// [`OpenError`], which says what is wrong and never repeats the password.
    pub fn from_uri(uri: &VaultUri) -> Result<Self, OpenError> {
        uri.only(KNOWN)?;
        let path = uri.path().strip_prefix("//").ok_or_else(|| wrong("names no host"))?;
        let (authority, db) = path.split_once('/').unwrap_or((path, ""));
        let (login, place) = match authority.rsplit_once('@') {
            Some((login, place)) => (Some(login), place),
            None => (None, authority),
        };
        let (host, port) = host_and_port(place)?;
        let db = match db {
            "" => 0,
            number => number.parse().map_err(|_fault| wrong("has a database that is no number"))?,
        };
        let (user, password) = match login.map(|login| login.split_once(':').unwrap_or((login, ""))) {
            Some((user, password)) => (decoded(user)?, decoded(password)?.map(Sensitive::new)),
            None => (None, None),
        };
        let password = match uri.get("password-file") {
            Some(_) if password.is_some() => return Err(wrong("has a password and a password-file: give one")),
            Some(file) => Some(first_line(Path::new(file))?),
            None => password,
        };
        let tls = uri.scheme() == "rediss";
        let ca = match uri.get("ca-file") {
            Some(_) if !tls => return Err(wrong("has a ca-file, which only rediss: takes")),
            Some(file) => Some(std::fs::read(file).map_err(|fault| OpenError::Uri(format!("{file}: {fault}")))?),
            None => None,
        };
        let prefix = uri.get("prefix").unwrap_or(DEFAULT_PREFIX).to_owned();
        let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:".contains(&byte);
        if prefix.is_empty() || prefix.len() > 64 || !prefix.bytes().all(legal) {
            return Err(wrong("has a prefix with other than 1 to 64 letters, digits and -_.:"));
        }
        Ok(Self { host, port, db, user, password, tls, ca, prefix })
    }

    /// Host and port, for messages.
    pub(super) fn server(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }

    pub(super) fn prefix(&self) -> &str {
        &self.prefix
    }

    pub(super) fn client(&self) -> Result<Client, RecordsError> {
        // RESP3 tells of a broken connection at once, not at the next command.
        let login = RedisConnectionInfo::default().set_db(self.db).set_protocol(ProtocolVersion::RESP3);
        // Redis has known CLIENT SETINFO since 7.2 only; rules for users need not name it.
        let mut login = login.set_skip_set_lib_name();
        if let Some(user) = &self.user {
            login = login.set_username(user);
        }
        if let Some(password) = &self.password {
            login = login.set_password(password.expose());
        }
        let (host, port) = (self.host.clone(), self.port);
        let addr = if self.tls {
            ConnectionAddr::TcpTls { host, port, insecure: false, tls_params: None }
        } else {
            ConnectionAddr::Tcp(host, port)
        };
        let info = addr.into_connection_info().map(|info| info.set_redis_settings(login));
        let client = info.and_then(|info| match &self.ca {
            Some(ca) => Client::build_with_tls(info, TlsCertificates { client_tls: None, root_cert: Some(ca.clone()) }),
            None => Client::open(info),
        });
        client.map_err(|fault| super::faults::records(&self.server(), &fault))
    }
}

impl std::fmt::Debug for RedisSettings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "RedisSettings({}, {})", self.server(), self.prefix)
    }
}

fn host_and_port(place: &str) -> Result<(String, u16), OpenError> {
    let (host, port) = match place.strip_prefix('[') {
        Some(rest) => rest.split_once(']').ok_or_else(|| wrong("has an unclosed [ in its host"))?,
        None => place.split_at_checked(place.find(':').unwrap_or(place.len())).unwrap_or((place, "")),
    };
    if host.is_empty() {
        return Err(wrong("names no host"));
    }
    let port = match port.strip_prefix(':') {
        None if port.is_empty() => DEFAULT_PORT,
        Some(number) => number.parse().map_err(|_fault| wrong("has a port that is none"))?,
        None => return Err(wrong("has something behind its host that is no port")),
    };
    Ok((host.to_owned(), port))
}

fn decoded(text: &str) -> Result<Option<String>, OpenError> {
    let text = percent_decode_str(text).decode_utf8().map_err(|_fault| wrong("has a login that is not UTF-8"))?;
    Ok(Some(text.into_owned()).filter(|text| !text.is_empty()))
}

fn first_line(file: &Path) -> Result<Sensitive<String>, OpenError> {
    let text = std::fs::read_to_string(file).map(Zeroizing::new);
    let text = text.map_err(|fault| OpenError::Passphrase(format!("{}: {fault}", file.display())))?;
    let line = text.lines().next().filter(|line| !line.is_empty());
    let line = line.ok_or_else(|| OpenError::Passphrase(format!("{}: its first line is empty", file.display())))?;
    Ok(Sensitive::new(line.to_owned()))
}

fn wrong(what: &str) -> OpenError {
    OpenError::Uri(format!(
        "the URI of a redis: vault {what}; it looks like redis://user@host:6379/0?prefix=strongroom"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(uri: &str) -> Result<RedisSettings, OpenError> {
        RedisSettings::from_uri(&VaultUri::parse(uri).unwrap())
    }

    #[test]
    fn uris_name_server_login_and_prefix() {
        let it = settings("redis://app:p%40ss%3A@[::1]:7000/3?prefix=keys&vault=one").unwrap();
        assert_eq!((it.host.as_str(), it.port, it.db, it.prefix()), ("::1", 7000, 3, "keys"));
        assert_eq!((it.user.as_deref(), it.password.as_ref().unwrap().expose().as_str()), (Some("app"), "p@ss:"));
        let it = settings("rediss://localhost").unwrap();
        assert_eq!((it.host.as_str(), it.port, it.db, it.tls), ("localhost", 6379, 0, true));
        assert!(it.user.is_none() && it.password.is_none());
        let it = settings("redis://:only@localhost").unwrap();
        assert!(it.user.is_none() && it.password.is_some());
    }

    #[test]
    fn wrong_uris_are_refused_without_the_password() {
        for wrong in [
            "redis:localhost",
            "redis://",
            "redis://u:hush@",
            "redis://u:hush@h:port",
            "redis://u:hush@h:99999",
            "redis://u:hush@h/x",
            "redis://u:hush@[::1",
            "redis://u:hush@[::1]7",
            "redis://u:hush@h?prefix=a{b}",
            "redis://u:hush@h?prefix=",
            "redis://u:hush@h?password-file=/dev/null",
            "redis://u:hush@h?ca-file=/dev/null",
            "redis://u:hush@h?perfix=a",
        ] {
            let text = settings(wrong).unwrap_err().to_string();
            assert!(!text.contains("hush"), "{text}");
        }
    }
}
