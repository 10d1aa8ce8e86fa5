//! A service principal that proves itself by a certificate: it signs an assertion (RFC 7523) that
//! the token endpoint checks. Without OpenSSL, which `azure_identity` would bring for it.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use azure_core::credentials::TokenCredential;
use azure_core::http::ClientMethodOptions;
use azure_identity::{ClientAssertion, ClientAssertionCredential, ClientAssertionCredentialOptions};
use p12_keystore::{KeyStore, Pkcs12ImportPolicy};
use serde_json::json;
use strongroom_crypto::{KeySpec, PrivateKey, random_u128, sha256};
use strongroom_wire::Sensitive;
use strongroom_wire::algorithms::{Curve, SignatureAlgorithm};
use strongroom_wire::base64url;
use zeroize::Zeroizing;

use super::principal::Principal;
use super::{CredentialError, Sources};
use crate::retry::now;

/// An assertion is good for so many seconds.
const LIFETIME: i64 = 600;

/// A credential from a file with certificate and private key: PEM (PKCS#8), or PKCS#12.
pub(super) fn credential(
    (tenant, client): (&str, &str),
    path: &Path,
    password: Option<&Sensitive<String>>,
    authority: &str,
    sources: &Sources,
) -> Result<Arc<dyn TokenCredential>, CredentialError> {
    let wrong = |what: &str| CredentialError::Unusable(format!("{}: {what}", path.display()));
    let bytes = std::fs::read(path).map(Zeroizing::new).map_err(|fault| wrong(&fault.to_string()))?;
    let (certificate, key) = if bytes.starts_with(b"-----") || bytes.windows(11).any(|part| part == b"-----BEGIN ") {
        from_pem(&bytes)
    } else {
        from_pkcs12(&bytes, password.map_or("", |password| password.expose()))
    }
    .map_err(wrong)?;
    let key = PrivateKey::from_pkcs8(&key).map_err(|fault| wrong(&fault.to_string()))?;
    let algorithm = match key.spec() {
        KeySpec::Rsa { .. } => SignatureAlgorithm::PS256,
        KeySpec::Ec(Curve::P256) => SignatureAlgorithm::ES256,
        KeySpec::Ec(_) => return Err(wrong("its key is neither RSA nor on the curve P-256")),
    };
    let assertion = Assertion {
        client: client.to_owned(),
        audience: format!("{}/{tenant}/oauth2/v2.0/token", authority.trim_end_matches('/')),
        thumbprint: base64url::encode(&sha256(&certificate)),
        algorithm,
        key,
    };
    let options = ClientAssertionCredentialOptions { client_options: sources.login(authority)? };
    let made = ClientAssertionCredential::new(tenant.to_owned(), client.to_owned(), assertion, Some(options));
    Ok(Principal::new((tenant, client), made.map_err(CredentialError::unusable)?))
}

struct Assertion {
    client: String,
    audience: String,
    thumbprint: String,
    algorithm: SignatureAlgorithm,
    key: PrivateKey,
}

impl fmt::Debug for Assertion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Assertion({})", self.client)
    }
}

#[async_trait::async_trait]
impl ClientAssertion for Assertion {
    async fn secret(&self, _options: Option<ClientMethodOptions<'_>>) -> azure_core::Result<String> {
        let failed = |what: String| azure_core::Error::with_message(azure_core::error::ErrorKind::Credential, what);
        let id = random_u128().map_err(|fault| failed(fault.to_string()))?;
        let now = now();
        let header = json!({ "typ": "JWT", "alg": self.algorithm.as_str(), "x5t#S256": self.thumbprint });
        let claims = json!({
            "aud": self.audience,
            "iss": self.client,
            "sub": self.client,
            "jti": base64url::encode(&id.to_be_bytes()),
            "nbf": now,
            "iat": now,
            "exp": now.saturating_add(LIFETIME),
        });
        let part = |value: &serde_json::Value| base64url::encode(value.to_string().as_bytes());
        let signed = format!("{}.{}", part(&header), part(&claims));
        let signature = self.key.sign(self.algorithm, &sha256(signed.as_bytes()));
        let signature = signature.map_err(|fault| failed(fault.to_string()))?;
        Ok(format!("{signed}.{}", base64url::encode(&signature)))
    }
}

/// Certificate and key, DER.
type Pair = (Vec<u8>, Zeroizing<Vec<u8>>);

fn from_pem(bytes: &[u8]) -> Result<Pair, &'static str> {
    let blocks = pem::parse_many(bytes).map_err(|_unreadable| "not PEM")?;
    let (mut certificate, mut key) = (None, None);
    for block in blocks {
        let tag = block.tag().to_owned();
        let contents = Zeroizing::new(block.into_contents());
        match tag.as_str() {
            "CERTIFICATE" => certificate = certificate.or_else(|| Some(contents.to_vec())),
            "PRIVATE KEY" => key = key.or(Some(contents)),
            "ENCRYPTED PRIVATE KEY" => {
                return Err(
                    "its key is encrypted; make it a PKCS#12 file: openssl pkcs12 -export -in FILE -out NEW.pfx",
                );
            }
            "RSA PRIVATE KEY" | "EC PRIVATE KEY" => {
                return Err("its key is not PKCS#8; convert it: openssl pkcs8 -topk8 -nodes");
            }
            _ => {}
        }
    }
    Ok((certificate.ok_or("it holds no certificate")?, key.ok_or("it holds no private key")?))
}

fn from_pkcs12(bytes: &[u8], password: &str) -> Result<Pair, &'static str> {
    let store = KeyStore::from_pkcs12(bytes, password, Pkcs12ImportPolicy::Relaxed);
    let store = store.map_err(|_fault| "neither PEM nor a PKCS#12 file that the certificate's password opens")?;
    let (_, chain) = store.private_key_chain().ok_or("it holds no private key with a certificate")?;
    let certificate = chain.certs().first().ok_or("it holds no certificate")?;
    Ok((certificate.as_der().to_vec(), Zeroizing::new(chain.key().as_der().to_vec())))
}
