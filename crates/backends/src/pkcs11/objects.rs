//! Keys as objects of a token: what they are made with, and how their public halves are read.

use cryptoki::object::{Attribute, AttributeType, KeyType, ObjectClass, ObjectHandle};
use cryptoki::session::Session;
use cryptoki::types::Ulong;
use strongroom_crypto::{KeySpec, PublicKey, random_bytes};
use strongroom_wire::algorithms::Curve;
use strongroom_wire::base64url::Base64Url;
use strongroom_wire::jwk::PublicJwk;

use super::fault::Fault;

/// What our keys are called in the token. They are told apart by their identifiers.
const LABEL: &str = "strongroom";

/// `CKA_ID` of a key's two objects: random.
pub(super) type KeyId = [u8; 16];

pub(super) fn fresh_id() -> Result<KeyId, Fault> {
    Ok(random_bytes()?)
}

/// 65537.
const EXPONENT: [u8; 3] = [1, 0, 1];

/// What both halves have.
fn common(id: KeyId) -> [Attribute; 3] {
    [Attribute::Token(true), Attribute::Id(id.to_vec()), Attribute::Label(LABEL.as_bytes().to_vec())]
}

/// The template of a public half, without its numbers.
pub(super) fn public(id: KeyId, spec: KeySpec) -> Vec<Attribute> {
    let encrypts = matches!(spec, KeySpec::Rsa { .. });
    let mut template = common(id).to_vec();
    template.extend([Attribute::Private(false), Attribute::Verify(true), Attribute::Encrypt(encrypts)]);
    template
}

/// The template of a private half: it never leaves the token, and only who is logged in sees it.
pub(super) fn private(id: KeyId, spec: KeySpec) -> Vec<Attribute> {
    let decrypts = matches!(spec, KeySpec::Rsa { .. });
    let mut template = common(id).to_vec();
    template.extend([
        Attribute::Private(true),
        Attribute::Sensitive(true),
        Attribute::Extractable(false),
        Attribute::Sign(true),
        Attribute::Decrypt(decrypts),
        Attribute::Unwrap(false),
        Attribute::Derive(false),
    ]);
    template
}

/// What the token is to generate.
pub(super) fn generated(spec: KeySpec) -> Result<Vec<Attribute>, Fault> {
    Ok(match spec {
        KeySpec::Rsa { bits } => {
            let bits = usize::try_from(bits).ok().and_then(|bits| Ulong::try_from(bits).ok());
            let bits = bits.ok_or_else(|| Fault::Other("a key size that is none".to_owned()))?;
            vec![Attribute::ModulusBits(bits), Attribute::PublicExponent(EXPONENT.to_vec())]
        }
        KeySpec::Ec(curve) => vec![Attribute::EcParams(ec_params(curve))],
    })
}

/// `ECParameters` (RFC 3279): the curve's OID.
pub(super) fn ec_params(curve: Curve) -> Vec<u8> {
    match curve {
        // 1.2.840.10045.3.1.7
        Curve::P256 => vec![0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07],
        // 1.3.132.0.34, .35 and .10
        Curve::P384 => vec![0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x22],
        Curve::P521 => vec![0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x23],
        Curve::P256K => vec![0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x0a],
    }
}

/// The objects of a class with an identifier: one, or none.
pub(super) fn find(session: &Session, class: ObjectClass, id: &[u8]) -> Result<Vec<ObjectHandle>, Fault> {
    let template = [Attribute::Token(true), Attribute::Class(class), Attribute::Id(id.to_vec())];
    Ok(session.find_objects(&template)?)
}

/// Reads a public half from its object.
pub(super) fn read_public(session: &Session, object: ObjectHandle) -> Result<PublicKey, Fault> {
    use AttributeType as Type;
    let wanted = [Type::KeyType, Type::Modulus, Type::PublicExponent, Type::EcParams, Type::EcPoint];
    let (mut kind, mut n, mut e, mut params, mut point) = (None, None, None, None, None);
    for attribute in session.get_attributes(object, &wanted)? {
        match attribute {
            Attribute::KeyType(found) => kind = Some(found),
            Attribute::Modulus(found) => n = Some(found),
            Attribute::PublicExponent(found) => e = Some(found),
            Attribute::EcParams(found) => params = Some(found),
            Attribute::EcPoint(found) => point = Some(found),
            _ => {}
        }
    }
    let jwk = match (kind, n, e, params, point) {
        (Some(KeyType::RSA), Some(n), Some(e), ..) => {
            PublicJwk::Rsa { n: Base64Url(without_leading_zeros(n)), e: Base64Url(without_leading_zeros(e)) }
        }
        (Some(KeyType::EC), .., Some(params), Some(point)) => ec_jwk(&params, &point)?,
        _ => return Err(Fault::Other("the token keeps another kind of key under this identifier".to_owned())),
    };
    Ok(PublicKey::from_jwk(&jwk)?)
}

fn ec_jwk(params: &[u8], point: &[u8]) -> Result<PublicJwk, Fault> {
    let curve = Curve::ALL.iter().copied().find(|curve| ec_params(*curve) == params);
    let curve = curve.ok_or_else(|| Fault::Other("the token's key is on a curve that is not known".to_owned()))?;
    let length = curve.coordinate_len();
    let coordinates = uncompressed(point, length).and_then(|both| both.split_at_checked(length));
    let (x, y) = coordinates.ok_or_else(|| Fault::Other("the token's EC point cannot be read".to_owned()))?;
    Ok(PublicJwk::Ec { crv: curve, x: Base64Url(x.to_vec()), y: Base64Url(y.to_vec()) })
}

/// x‖y of a point: a DER OCTET STRING, as PKCS#11 has it, or bare, as some tokens do.
fn uncompressed(point: &[u8], length: usize) -> Option<&[u8]> {
    let whole = 2 * length;
    let bare = match point {
        [4, 0x81, size, inner @ ..] if usize::from(*size) == inner.len() => inner,
        [4, size, inner @ ..] if usize::from(*size) == inner.len() => inner,
        bare => bare,
    };
    bare.strip_prefix(&[4]).filter(|both| both.len() == whole)
}

fn without_leading_zeros(mut bytes: Vec<u8>) -> Vec<u8> {
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    bytes.drain(..zeros);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_are_read_in_both_forms() {
        for length in [32usize, 48, 66] {
            let bare = [&[4][..], &vec![9; 2 * length]].concat();
            let size = u8::try_from(bare.len()).unwrap();
            let head = if size < 128 { vec![4, size] } else { vec![4, 0x81, size] };
            let wrapped = [head, bare.clone()].concat();
            for point in [&bare, &wrapped] {
                assert_eq!(uncompressed(point, length), Some(&bare[1..]), "{length}");
            }
            assert_eq!(uncompressed(&wrapped[..wrapped.len() - 1], length), None);
            assert_eq!(uncompressed(&[&[2][..], &vec![9; length]].concat(), length), None, "compressed");
        }
        assert_eq!(uncompressed(&[], 32), None);
    }
}
