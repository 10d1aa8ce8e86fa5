//! Public keys as others read them: PEM (SubjectPublicKeyInfo, RFC 5280 section 4.1) and JWK (RFC 7517).

use pkcs8::ObjectIdentifier;
use pkcs8::der::asn1::{AnyRef, BitStringRef, UintRef};
use pkcs8::der::{Encode as _, Tag};
use pkcs8::spki::{AlgorithmIdentifierRef, SubjectPublicKeyInfoRef};
use serde_json::{Value, json};
use strongroom_store::vault::Object;
use strongroom_wire::algorithms::{Curve, KeyOp};
use strongroom_wire::jwk::PublicJwk;

pub(super) const RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
pub(super) const EC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");

/// The curve's name in DER.
pub(super) const fn curve_oid(curve: Curve) -> ObjectIdentifier {
    match curve {
        Curve::P256 => ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7"),
        Curve::P384 => ObjectIdentifier::new_unwrap("1.3.132.0.34"),
        Curve::P521 => ObjectIdentifier::new_unwrap("1.3.132.0.35"),
        Curve::P256K => ObjectIdentifier::new_unwrap("1.3.132.0.10"),
    }
}

/// The key as PEM.
pub(super) fn pem(key: &PublicJwk) -> Result<String, String> {
    let der = info(key).map_err(|fault| format!("the public key could not be written: {fault}"))?;
    Ok(pem::encode_config(
        &pem::Pem::new("PUBLIC KEY", der),
        pem::EncodeConfig::new().set_line_ending(pem::LineEnding::LF),
    ))
}

fn info(key: &PublicJwk) -> pkcs8::der::Result<Vec<u8>> {
    match key {
        PublicJwk::Rsa { n, e } => {
            let mut numbers = UintRef::new(&n.0)?.to_der()?;
            numbers.extend(UintRef::new(&e.0)?.to_der()?);
            let key = AnyRef::new(Tag::Sequence, &numbers)?.to_der()?;
            let algorithm = AlgorithmIdentifierRef { oid: RSA, parameters: Some(AnyRef::NULL) };
            SubjectPublicKeyInfoRef { algorithm, subject_public_key: BitStringRef::from_bytes(&key)? }.to_der()
        }
        PublicJwk::Ec { crv, x, y } => {
            let point = [&[4], x.0.as_slice(), y.0.as_slice()].concat();
            let curve = curve_oid(*crv);
            let algorithm = AlgorithmIdentifierRef { oid: EC, parameters: Some((&curve).into()) };
            SubjectPublicKeyInfoRef { algorithm, subject_public_key: BitStringRef::from_bytes(&point)? }.to_der()
        }
    }
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
