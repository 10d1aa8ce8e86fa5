//! Federated credentials: a token of another issuer (a Kubernetes cluster, a CI service) stands for
//! an application, as Entra's workload identity federation has it (RFC 7523).

use serde::{Deserialize, Serialize};
use serde_json::Value;
use strongroom_wire::algorithms::SignatureAlgorithm;

use crate::aad_error::AadError;
use crate::client::{Application, SKEW};
use crate::jws::Jws;
use crate::key_set::KeySet;

/// The audience that Azure's clients ask their platform for.
pub const TOKEN_EXCHANGE: &str = "api://AzureADTokenExchange";

/// Most of them that an application has, as in Entra.
pub const MOST: usize = 20;

/// Whose tokens stand for an application.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FederatedCredential {
    /// Its id.
    pub key_id: String,
    /// The `iss` of the tokens; its discovery document tells where its keys are.
    pub issuer: String,
    /// Their `sub`.
    pub subject: String,
    /// What is among their `aud`.
    pub audience: String,
}

/// It cannot be a federated credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FederationFault {
    /// The issuer is no https URL.
    #[error("the issuer is not an https URL without query and fragment")]
    Issuer,
    /// The subject or the audience is empty.
    #[error("the subject and the audience must not be empty")]
    Empty,
}

impl FederatedCredential {
    /// Checks what an operator gave. It has to be the very text that the tokens hold.
    ///
    /// # Errors
    /// [`FederationFault`].
    pub fn new(key_id: String, issuer: &str, subject: &str, audience: &str) -> Result<Self, FederationFault> {
        let rest = issuer.strip_prefix("https://").ok_or(FederationFault::Issuer)?;
        let host = rest.split('/').next().unwrap_or_default();
        let odd = |c: char| c.is_ascii_whitespace() || c.is_ascii_control() || matches!(c, '?' | '#' | '@');
        if host.is_empty() || issuer.len() > 600 || rest.contains(odd) {
            return Err(FederationFault::Issuer);
        }
        if subject.is_empty() || audience.is_empty() {
            return Err(FederationFault::Empty);
        }
        let [issuer, subject, audience] = [issuer, subject, audience].map(str::to_owned);
        Ok(Self { key_id, issuer, subject, audience })
    }
}

/// Is the assertion the token of an issuer that the application trusts? Then its keys have to be
/// had. `None` when it is the application's own assertion, signed with a certificate.
///
/// # Errors
/// AADSTS700211 when the application trusts others, and not this one.
pub fn federated_issuer<'a>(application: &'a Application, issuer: &str) -> Result<Option<&'a str>, AadError> {
    if application.federated.is_empty() || issuer.eq_ignore_ascii_case(&application.app_id) {
        return Ok(None);
    }
    let found = application.federated.iter().find(|credential| credential.issuer == issuer);
    let found = found.ok_or_else(|| AadError::no_federated_match(700_211, "issuer", issuer))?;
    Ok(Some(&found.issuer))
}

/// Checks an outside issuer's token against the application's federated credentials. `keys` are the
/// issuer's.
///
/// # Errors
/// AADSTS700027 with the reason; 700213 or 700212 when subject or audience are others.
pub fn check_federated(application: &Application, assertion: &str, keys: &KeySet, now: i64) -> Result<(), AadError> {
    let refused = AadError::invalid_assertion;
    let jws = Jws::parse(assertion).ok_or_else(|| refused("it is not a signed JWT"))?;
    match jws.algorithm() {
        Some(algorithm) if algorithm != SignatureAlgorithm::ES256K => {}
        _ => return Err(refused("its algorithm is not RS256, PS256 or another asymmetric one")),
    }
    let key = jws.header.kid.as_deref().and_then(|kid| keys.get(kid));
    let key = key.ok_or_else(|| refused("it is signed by a key that its issuer does not publish"))?;
    if !jws.verify(key) {
        return Err(refused("its signature is not its issuer's"));
    }
    let expires = jws.date("exp").ok_or_else(|| refused("it has no exp"))?;
    if now >= expires.saturating_add(SKEW) {
        return Err(refused("it has expired"));
    }
    if jws.date("nbf").is_some_and(|starts| now.saturating_add(SKEW) < starts) {
        return Err(refused("it is not valid yet"));
    }
    let issuer = jws.text("iss").unwrap_or_default();
    let subject = jws.text("sub").unwrap_or_default();
    let named = |audience: &str| match jws.payload.get("aud") {
        Some(Value::String(one)) => one == audience,
        Some(Value::Array(many)) => many.iter().any(|one| one.as_str() == Some(audience)),
        _ => false,
    };
    let mut of_subject = application
        .federated
        .iter()
        .filter(|credential| credential.issuer == issuer && credential.subject == subject)
        .peekable();
    if of_subject.peek().is_none() {
        return Err(AadError::no_federated_match(700_213, "subject", subject));
    }
    if of_subject.any(|credential| named(&credential.audience)) {
        return Ok(());
    }
    let found = jws.payload.get("aud").map(Value::to_string).unwrap_or_default();
    Err(AadError::no_federated_match(700_212, "audience", &found))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn issuers_are_https_urls() {
        let made = |issuer: &str| FederatedCredential::new("k".to_owned(), issuer, "s", TOKEN_EXCHANGE);
        assert!(made("https://token.actions.githubusercontent.com").is_ok());
        assert!(made("https://oidc.example/cluster/1/").is_ok());
        for wrong in ["", "https://", "http://a", "https://a?b", "https://a#b", "https://u@a", "https://a b", "ftp://a"]
        {
            assert_eq!(made(wrong), Err(FederationFault::Issuer), "{wrong}");
        }
        assert_eq!(FederatedCredential::new("k".to_owned(), "https://a", "", "a"), Err(FederationFault::Empty));
    }
}
