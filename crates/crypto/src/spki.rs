//! Public keys as X.509 knows them (`SubjectPublicKeyInfo`, RFC 5280, RFC 3279, RFC 5480), and ECDSA
//! signatures in DER.

use strongroom_wire::algorithms::Curve;
use strongroom_wire::base64url::Base64Url;
use strongroom_wire::jwk::PublicJwk;

use crate::der::{BIT_STRING, INTEGER, OID, SEQUENCE, element, tlv};
use crate::error::CryptoError;
use crate::key::PublicKey;

/// 1.2.840.113549.1.1.1, 1.2.840.10045.2.1
const RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];
const EC: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];

impl PublicKey {
    /// The key as a DER `SubjectPublicKeyInfo`: what is between the lines of `PUBLIC KEY` in PEM.
    #[must_use]
    pub fn to_spki(&self) -> Vec<u8> {
        let (algorithm, key) = match self.to_jwk() {
            PublicJwk::Rsa { n, e } => {
                let algorithm = [tlv(OID, RSA), tlv(0x05, &[])].concat();
                (algorithm, tlv(SEQUENCE, &[integer(&n.0), integer(&e.0)].concat()))
            }
            PublicJwk::Ec { crv, x, y } => {
                (tlv(OID, EC).into_iter().chain(tlv(OID, curve_oid(crv))).collect(), [&[4][..], &x.0, &y.0].concat())
            }
        };
        let key = [&[0][..], &key].concat();
        tlv(SEQUENCE, &[tlv(SEQUENCE, &algorithm), tlv(BIT_STRING, &key)].concat())
    }

    /// Reads a DER `SubjectPublicKeyInfo`; EC points have to be uncompressed.
    ///
    /// # Errors
    /// `InvalidKey` when it is not one, in its one DER form.
    pub fn from_spki(der: &[u8]) -> Result<Self, CryptoError> {
        let malformed = || CryptoError::InvalidKey("not the public key of RSA or an offered curve (DER)".to_owned());
        let key = Self::from_jwk(&spki_jwk(der).ok_or_else(malformed)?)?;
        if key.to_spki() == der { Ok(key) } else { Err(malformed()) }
    }
}

/// An ECDSA signature r‖s as the DER `ECDSA-Sig-Value` (RFC 3279 section 2.2.3) that X.509, TLS and
/// OpenSSL use.
///
/// # Errors
/// `InvalidInput` unless it is two halves of the curve's length.
pub fn ecdsa_to_der(curve: Curve, raw: &[u8]) -> Result<Vec<u8>, CryptoError> {
    let length = curve.coordinate_len();
    let wrong = || CryptoError::InvalidInput(format!("an {curve} signature (r‖s) has {} bytes", 2 * length));
    let (r, s) = raw.split_at_checked(length).filter(|(_, s)| s.len() == length).ok_or_else(wrong)?;
    Ok(tlv(SEQUENCE, &[integer(r), integer(s)].concat()))
}

/// The reverse of [`ecdsa_to_der`], and strict: what is not in its one DER form, negative or longer
/// than the curve is refused.
///
/// # Errors
/// `InvalidInput`.
pub fn ecdsa_from_der(curve: Curve, der: &[u8]) -> Result<Vec<u8>, CryptoError> {
    let wrong = || CryptoError::InvalidInput(format!("not a DER signature by a key on {curve}"));
    let mut raw = Vec::with_capacity(2 * curve.coordinate_len());
    let (SEQUENCE, mut rest, []) = element(der).ok_or_else(wrong)? else { return Err(wrong()) };
    for _half in 0..2 {
        let (INTEGER, number, after) = element(rest).ok_or_else(wrong)? else { return Err(wrong()) };
        let number = if let [0, number @ ..] = number { number } else { number };
        let zeros = curve.coordinate_len().checked_sub(number.len()).ok_or_else(wrong)?;
        raw.resize(raw.len() + zeros, 0);
        raw.extend_from_slice(number);
        rest = after;
    }
    // What has another form than ours is not DER.
    if ecdsa_to_der(curve, &raw)? == der { Ok(raw) } else { Err(wrong()) }
}

/// An INTEGER that is not negative.
fn integer(bytes: &[u8]) -> Vec<u8> {
    let bytes = crate::rsa::without_leading_zeros(bytes);
    match bytes.first() {
        Some(first) if first & 0x80 == 0 => tlv(INTEGER, bytes),
        _ => tlv(INTEGER, &[&[0], bytes].concat()),
    }
}

fn spki_jwk(der: &[u8]) -> Option<PublicJwk> {
    let (SEQUENCE, body, []) = element(der)? else { return None };
    let (SEQUENCE, algorithm, body) = element(body)? else { return None };
    let (BIT_STRING, [0, key @ ..], []) = element(body)? else { return None };
    let (OID, oid, parameters) = element(algorithm)? else { return None };
    if oid == RSA {
        let (SEQUENCE, key, []) = element(key)? else { return None };
        let (INTEGER, n, rest) = element(key)? else { return None };
        let (INTEGER, e, []) = element(rest)? else { return None };
        return Some(PublicJwk::Rsa { n: Base64Url(n.to_vec()), e: Base64Url(e.to_vec()) });
    }
    let (OID, named, []) = element(parameters)? else { return None };
    let crv = *Curve::ALL.iter().find(|curve| oid == EC && curve_oid(**curve) == named)?;
    let [4, point @ ..] = key else { return None };
    let (x, y) = point.split_at_checked(crv.coordinate_len())?;
    Some(PublicJwk::Ec { crv, x: Base64Url(x.to_vec()), y: Base64Url(y.to_vec()) })
}

const fn curve_oid(curve: Curve) -> &'static [u8] {
    match curve {
        Curve::P256 => &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07],
        Curve::P384 => &[0x2b, 0x81, 0x04, 0x00, 0x22],
        Curve::P521 => &[0x2b, 0x81, 0x04, 0x00, 0x23],
        Curve::P256K => &[0x2b, 0x81, 0x04, 0x00, 0x0a],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{KeySpec, PrivateKey};

    #[test]
    fn public_keys_round_trip_and_other_forms_are_refused() {
        let specs = Curve::ALL.iter().map(|curve| KeySpec::Ec(*curve)).chain([KeySpec::Rsa { bits: 2048 }]);
        for spec in specs {
            let key = PrivateKey::generate(spec).unwrap();
            let der = key.public().to_spki();
            assert_eq!(PublicKey::from_spki(&der).unwrap().to_jwk(), key.public().to_jwk(), "{spec}");
            for length in 0..der.len() {
                assert!(PublicKey::from_spki(&der[..length]).is_err(), "{spec} {length}");
            }
            assert!(PublicKey::from_spki(&[&der[..], &[0]].concat()).is_err(), "{spec}");
        }
    }

    #[test]
    fn signatures_have_one_der_form() {
        let mut raw = [0_u8; 64];
        (raw[0], raw[63]) = (0x80, 1);
        let der = ecdsa_to_der(Curve::P256, &raw).unwrap();
        assert_eq!(hex::encode(&der), format!("302602210080{}020101", "00".repeat(31)));
        assert_eq!(ecdsa_from_der(Curve::P256, &der).unwrap(), raw);
        for wrong in [
            "",
            "3006020101",
            "30060201010201",
            "3006020101020181",
            "300702020001020101",
            "30060201010201010000",
            "308106020101020101",
            "3003020101",
            "300902010102010102010",
        ] {
            let der = hex::decode(wrong).unwrap_or_default();
            assert!(ecdsa_from_der(Curve::P256, &der).is_err(), "{wrong}");
        }
        assert!(ecdsa_from_der(Curve::P256, &ecdsa_to_der(Curve::P384, &[0x7f; 96]).unwrap()).is_err());
        assert!(ecdsa_to_der(Curve::P256, &[1; 63]).is_err());
    }
}
