//! The numbers of a private key, out of PKCS#8 (RFC 5208, RFC 8017 appendix A.1.2, RFC 5915), as a
//! token takes them.

use cryptoki::object::Attribute;
use strongroom_crypto::{KeySpec, der_element};

use super::objects;

const INTEGER: u8 = 0x02;
const OCTET_STRING: u8 = 0x04;
const SEQUENCE: u8 = 0x30;

/// The attributes of a private half. The caller wipes them.
pub(super) fn numbers(spec: KeySpec, pkcs8: &[u8]) -> Option<Vec<Attribute>> {
    let (info, _) = element(SEQUENCE, pkcs8)?;
    let (_version, info) = element(INTEGER, info)?;
    let (_algorithm, info) = element(SEQUENCE, info)?;
    let (key, _) = element(OCTET_STRING, info)?;
    let (key, _) = element(SEQUENCE, key)?;
    let (_version, rest) = element(INTEGER, key)?;
    match spec {
        KeySpec::Rsa { .. } => {
            let kinds: [fn(Vec<u8>) -> Attribute; 8] = [
                Attribute::Modulus,
                Attribute::PublicExponent,
                Attribute::PrivateExponent,
                Attribute::Prime1,
                Attribute::Prime2,
                Attribute::Exponent1,
                Attribute::Exponent2,
                Attribute::Coefficient,
            ];
            let mut rest = rest;
            let mut found = Vec::with_capacity(kinds.len());
            for kind in kinds {
                let (number, after) = element(INTEGER, rest)?;
                // DER puts a zero before what would look negative.
                found.push(kind(number.strip_prefix(&[0]).unwrap_or(number).to_vec()));
                rest = after;
            }
            Some(found)
        }
        KeySpec::Ec(curve) => {
            let (scalar, _) = element(OCTET_STRING, rest)?;
            Some(vec![Attribute::EcParams(objects::ec_params(curve)), Attribute::Value(scalar.to_vec())])
        }
    }
}

/// `CKA_EC_POINT`: 4‖x‖y in a DER OCTET STRING. No curve's is longer than 255 bytes.
pub(super) fn ec_point(x: &[u8], y: &[u8]) -> Vec<u8> {
    let length = u8::try_from(x.len() + y.len() + 1).unwrap_or_default();
    let head: &[u8] = if length < 0x80 { &[OCTET_STRING, length] } else { &[OCTET_STRING, 0x81, length] };
    [head, &[4], x, y].concat()
}

/// The content of the first element, which has to have this tag, and what follows.
fn element(tag: u8, input: &[u8]) -> Option<(&[u8], &[u8])> {
    der_element(input).filter(|(found, ..)| *found == tag).map(|(_, content, rest)| (content, rest))
}
