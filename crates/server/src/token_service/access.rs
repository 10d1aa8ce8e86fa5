//! Who may issue and administer.

use http::HeaderMap;
use http::header::AUTHORIZATION;
use serde_json::Value;
use strongroom::keyring::{KeyRing, TokenError};
use strongroom_crypto::{constant_time_eq, sha256};

/// The SHA-256 of a bearer token: `sha256:` and 64 hexadecimal digits. The token is random and long, so it
/// needs no slow hash.
#[derive(Clone, PartialEq, Eq)]
pub struct TokenHash([u8; 32]);

impl TokenHash {
    /// Of a token.
    #[must_use]
    pub fn of(token: &str) -> Self {
        Self(sha256(token.as_bytes()))
    }

    /// Reads one; `None` when it is none.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.trim().strip_prefix("sha256:")?;
        let pairs = digits.as_bytes().chunks(2).map(|pair| {
            let pair = std::str::from_utf8(pair).ok().filter(|pair| pair.bytes().all(|b| b.is_ascii_hexdigit()))?;
            u8::from_str_radix(pair, 16).ok()
        });
        let bytes: Vec<u8> = pairs.collect::<Option<_>>()?;
        (digits.len() == 64).then(|| bytes.try_into().ok().map(Self)).flatten()
    }

    fn is_of(&self, token: &str) -> bool {
        constant_time_eq(&self.0, &sha256(token.as_bytes()))
    }
}

impl std::fmt::Display for TokenHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("sha256:")?;
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl std::fmt::Debug for TokenHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TokenHash")
    }
}

/// Who may do what.
#[derive(Debug, Clone)]
pub struct Access {
    /// The role that administers; it may issue, too, also tokens with roles.
    pub admin_role: String,
    /// A bearer token that administers.
    pub admin_token: Option<TokenHash>,
    /// The role that issues.
    pub issue_role: String,
    /// A bearer token that issues.
    pub issue_token: Option<TokenHash>,
}

/// What a caller may do. The larger right holds the smaller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Right {
    None,
    Issue,
    Administer,
}

/// Why somebody is not let in.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// No token, or one that is not valid.
    Unauthorized,
    /// A valid one, without this role.
    Forbidden(String),
    /// The ring cannot say.
    Unavailable,
}

impl Access {
    /// The caller's right, if it is at least `needed`.
    pub(super) async fn admit(&self, ring: &KeyRing, headers: &HeaderMap, needed: Right) -> Result<Right, Refusal> {
        let header = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        let (scheme, token) = header.and_then(|value| value.split_once(' ')).ok_or(Refusal::Unauthorized)?;
        if !scheme.eq_ignore_ascii_case("bearer") {
            return Err(Refusal::Unauthorized);
        }
        let token = token.trim();
        let right = if self.admin_token.as_ref().is_some_and(|hash| hash.is_of(token)) {
            Right::Administer
        } else if self.issue_token.as_ref().is_some_and(|hash| hash.is_of(token)) {
            Right::Issue
        } else {
            self.by_roles(ring, token).await?
        };
        let role = if needed == Right::Administer { &self.admin_role } else { &self.issue_role };
        if right >= needed { Ok(right) } else { Err(Refusal::Forbidden(role.clone())) }
    }

    async fn by_roles(&self, ring: &KeyRing, token: &str) -> Result<Right, Refusal> {
        let claims = match ring.validate(token).await {
            Ok(claims) => claims,
            Err(TokenError::Unavailable(_)) => return Err(Refusal::Unavailable),
            Err(_) => return Err(Refusal::Unauthorized),
        };
        let roles = claims.get("roles").and_then(Value::as_array);
        let has = |role: &str| roles.is_some_and(|roles| roles.iter().any(|one| one.as_str() == Some(role)));
        Ok(match () {
            () if has(&self.admin_role) => Right::Administer,
            () if has(&self.issue_role) => Right::Issue,
            () => Right::None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_is_read_as_it_is_written() {
        let hash = TokenHash::of("token");
        assert_eq!(TokenHash::parse(&format!("{hash}\n")), Some(hash.clone()));
        assert!(hash.is_of("token") && !hash.is_of("other"));
        for wrong in ["", "sha256:", "sha256:zz", "token", &format!("{hash}00"), &"sha256:é".repeat(9)] {
            assert_eq!(TokenHash::parse(wrong), None, "{wrong}");
        }
    }
}
