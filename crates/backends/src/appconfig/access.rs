//! How requests prove who sends them: signed with an access key (contract 2.8.2), or with a token.

use std::sync::Arc;

use azure_core::credentials::TokenCredential;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use reqwest::Method;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use strongroom_crypto::{hmac_sha256, sha256};
use strongroom_wire::config::http_date;
use zeroize::Zeroizing;

use super::ConfigError;

/// A credential.
pub(super) enum Access {
    /// An access key.
    Key { id: String, secret: Zeroizing<Vec<u8>> },
    /// Tokens, and the scope to ask them for.
    Token { credential: Arc<dyn TokenCredential>, scope: String },
}

/// Endpoint and access key of a connection string.
pub(super) fn from_connection_string(text: &str) -> Result<(String, Access), ConfigError> {
    let part = |name: &str| {
        let found = text.split(';').find_map(|part| part.strip_prefix(name)?.strip_prefix('='));
        found.filter(|value| !value.is_empty()).ok_or_else(|| {
            ConfigError::Invalid(format!("the connection string has no {name}: it is Endpoint=…;Id=…;Secret=…"))
        })
    };
    let (endpoint, id) = (part("Endpoint")?, part("Id")?);
    let secret = BASE64
        .decode(part("Secret")?)
        .map_err(|_invalid| ConfigError::Invalid("the Secret of the connection string is not base64".to_owned()))?;
    Ok((endpoint.to_owned(), Access::Key { id: id.to_owned(), secret: Zeroizing::new(secret) }))
}

impl Access {
    /// By tokens for the store at `endpoint`.
    pub(super) fn token(endpoint: &str, credential: Arc<dyn TokenCredential>) -> Self {
        Self::Token { credential, scope: format!("{}/.default", endpoint.trim_end_matches('/')) }
    }

    /// Adds what proves the request. `now` is unix seconds, `target` path and query as they will
    /// stand on the request line.
    pub(super) async fn prove(
        &self,
        headers: &mut HeaderMap,
        method: &Method,
        (host, target): (&str, &str),
        body: &[u8],
        now: i64,
    ) -> Result<(), ConfigError> {
        let authorization = match self {
            Self::Key { id, secret } => {
                let (date, hash) = (http_date(now), BASE64.encode(sha256(body)));
                let signed = format!("{method}\n{target}\n{date};{host};{hash}");
                let signature = BASE64.encode(hmac_sha256(secret, signed.as_bytes()));
                insert(headers, "x-ms-date", &date)?;
                insert(headers, "x-ms-content-sha256", &hash)?;
                Zeroizing::new(format!(
                    "HMAC-SHA256 Credential={id}&SignedHeaders=x-ms-date;host;x-ms-content-sha256&Signature={signature}"
                ))
            }
            Self::Token { credential, scope } => {
                let token = credential.get_token(&[scope], None).await;
                let token = token.map_err(|fault| ConfigError::Unauthorized(format!(": no token: {fault}")))?;
                Zeroizing::new(format!("Bearer {}", token.token.secret()))
            }
        };
        let mut value = HeaderValue::from_str(&authorization)
            .map_err(|_unusable| ConfigError::Invalid("the credential cannot stand in a header".to_owned()))?;
        value.set_sensitive(true);
        headers.insert(AUTHORIZATION, value);
        Ok(())
    }
}

fn insert(headers: &mut HeaderMap, name: &'static str, value: &str) -> Result<(), ConfigError> {
    let value =
        HeaderValue::from_str(value).map_err(|_unusable| ConfigError::Invalid(format!("{name} is unusable")))?;
    headers.insert(name, value);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_string_says_what_it_lacks_and_not_what_it_holds() {
        for (text, missing) in [
            ("", "Endpoint"),
            ("Endpoint=https://a;Id=i", "Secret"),
            ("Endpoint=https://a;Secret=c2VjcmV0", "Id"),
            ("Endpoint=;Id=i;Secret=c2VjcmV0", "Endpoint"),
        ] {
            let Err(fault) = from_connection_string(text) else { panic!("{text}") };
            assert!(fault.to_string().contains(missing) && !fault.to_string().contains("c2VjcmV0"), "{fault}");
        }
        let Err(fault) = from_connection_string("Endpoint=https://a;Id=i;Secret=*hush*") else { panic!() };
        assert!(!fault.to_string().contains("hush"));
        let Ok((endpoint, Access::Key { id, secret })) =
            from_connection_string("Endpoint=https://a;Id=i;Secret=c2VjcmV0")
        else {
            panic!()
        };
        assert_eq!((endpoint.as_str(), id.as_str(), secret.as_slice()), ("https://a", "i", b"secret".as_slice()));
    }
}
