//! Public keys as others read them: PEM (SubjectPublicKeyInfo, RFC 5280 section 4.1) and JWK (RFC 7517).

use pkcs8::ObjectIdentifier;
use serde_json::{Value, json};
use strongroom::keys::to_pem;
use strongroom_crypto::PublicKey;
use strongroom_store::vault::Object;
use strongroom_wire::algorithms::KeyOp;
use strongroom_wire::jwk::PublicJwk;

pub(super) const RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
pub(super) const EC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");

/// The key as PEM.
pub(super) fn pem(key: &PublicJwk) -> Result<String, String> {
    let key = PublicKey::from_jwk(key).map_err(|fault| format!("the public key could not be written: {fault}"))?;
    Ok(to_pem(&key))
}

/// The key as a JWK with its version as `kid`.
pub(super) fn jwk(key: &PublicJwk, key_ops: &[KeyOp], object: &Object) -> Result<String, String> {
    let mut jwk = serde_json::to_value(key).map_err(|fault| fault.to_string())?;
    if let Value::Object(members) = &mut jwk {
        let version = object.version.map(|version| format!("/{version}")).unwrap_or_default();
        members.insert("kid".to_owned(), json!(format!("{}{version}", object.name)));
        members.insert("key_ops".to_owned(), json!(key_ops));
    }
    serde_json::to_string_pretty(&jwk).map(|text| text + "\n").map_err(|fault| fault.to_string())
}
