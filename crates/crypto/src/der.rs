//! As much DER (X.690) as it takes to see which kind of key a PKCS#8 document holds.

use strongroom_wire::algorithms::Curve;

use crate::error::CryptoError;

/// What kind of key a PKCS#8 document says it holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pkcs8Kind {
    /// `rsaEncryption`.
    Rsa,
    /// `id-ecPublicKey` on a named curve.
    Ec(Curve),
}

/// Reads the head of an unencrypted PKCS#8 `PrivateKeyInfo` (RFC 5208, RFC 5958).
///
/// # Errors
/// `InvalidKey` if it is not one, `Unsupported` for other kinds of key.
pub(crate) fn pkcs8_kind(document: &[u8]) -> Result<Pkcs8Kind, CryptoError> {
    let (oid, parameters) = algorithm_identifier(document).ok_or_else(|| {
        CryptoError::InvalidKey("the private key is not an unencrypted PKCS#8 document (DER)".to_owned())
    })?;
    match oid {
        // 1.2.840.113549.1.1.1
        [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01] => Ok(Pkcs8Kind::Rsa),
        // 1.2.840.10045.2.1
        [0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01] => named_curve(parameters).map(Pkcs8Kind::Ec),
        // 1.3.101.110 to 1.3.101.113
        [0x2b, 0x65, 0x6e..=0x71] => Err(CryptoError::Unsupported(
            "Ed25519, Ed448, X25519 and X448 keys are not supported; use ES256 with a P-256 key".to_owned(),
        )),
        _ => Err(CryptoError::Unsupported("the private key is neither an RSA nor an EC key".to_owned())),
    }
}

fn named_curve(parameters: &[u8]) -> Result<Curve, CryptoError> {
    match element(parameters) {
        // 1.2.840.10045.3.1.7
        Some((OID, [0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07], [])) => Ok(Curve::P256),
        // 1.3.132.0.34, .35 and .10
        Some((OID, [0x2b, 0x81, 0x04, 0x00, 0x22], [])) => Ok(Curve::P384),
        Some((OID, [0x2b, 0x81, 0x04, 0x00, 0x23], [])) => Ok(Curve::P521),
        Some((OID, [0x2b, 0x81, 0x04, 0x00, 0x0a], [])) => Ok(Curve::P256K),
        _ => Err(CryptoError::Unsupported(
            "the EC private key is not on a supported named curve; use P-256, P-384, P-521 or P-256K".to_owned(),
        )),
    }
}

pub(crate) const INTEGER: u8 = 0x02;
pub(crate) const BIT_STRING: u8 = 0x03;
const OCTET_STRING: u8 = 0x04;
pub(crate) const OID: u8 = 0x06;
pub(crate) const SEQUENCE: u8 = 0x30;

/// An element of this tag and content.
pub(crate) fn tlv(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len().to_be_bytes();
    let length = crate::rsa::without_leading_zeros(&length);
    let mut out = vec![tag];
    match length {
        [] => out.push(0),
        [short @ 0..=0x7f] => out.push(*short),
        long => {
            out.push(0x80 | u8::try_from(long.len()).unwrap_or(0x7f));
            out.extend_from_slice(long);
        }
    }
    out.extend_from_slice(content);
    out
}

/// The algorithm's OID and the DER of its parameters, of a document without trailing bytes.
fn algorithm_identifier(document: &[u8]) -> Option<(&[u8], &[u8])> {
    let (SEQUENCE, body, []) = element(document)? else { return None };
    let (INTEGER, [0 | 1], body) = element(body)? else { return None };
    let (SEQUENCE, algorithm, body) = element(body)? else { return None };
    let (OCTET_STRING, _key, _attributes) = element(body)? else { return None };
    let (OID, oid, parameters) = element(algorithm)? else { return None };
    Some((oid, parameters))
}

/// Tag, content and what follows, of the first DER element (X.690 section 8.1) of at most 2²⁴ − 1
/// bytes; `None` when there is none.
#[must_use]
pub fn element(input: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, rest) = input.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = match first {
        0..=0x7f => (usize::from(first), rest),
        0x81..=0x83 => {
            let (bytes, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
            (bytes.iter().fold(0, |length, &byte| (length << 8) | usize::from(byte)), rest)
        }
        _ => return None,
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some((tag, content, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 8410 section 10.3.
    #[test]
    fn ed25519_is_named() {
        let document = hex::decode(
            "302e020100300506032b657004220420d4ee72dbf913584ad5b6d8f1f769f8ad3afe7c28cbf1d4fbe097a88f44755842",
        )
        .unwrap();
        let error = pkcs8_kind(&document).unwrap_err();
        assert!(matches!(&error, CryptoError::Unsupported(message) if message.contains("ES256")), "{error}");
    }

    #[test]
    fn truncated_and_trailing_bytes_are_refused() {
        let document = hex::decode(
            "302e020100300506032b657004220420d4ee72dbf913584ad5b6d8f1f769f8ad3afe7c28cbf1d4fbe097a88f44755842",
        )
        .unwrap();
        for length in 0..document.len() {
            assert!(matches!(pkcs8_kind(&document[..length]), Err(CryptoError::InvalidKey(_))), "{length}");
        }
        let mut longer = document;
        longer.push(0);
        assert!(matches!(pkcs8_kind(&longer), Err(CryptoError::InvalidKey(_))));
    }
}
