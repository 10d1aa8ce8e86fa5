//! As much of SSH's encoding (RFC 4251 section 5) as an agent needs.

use crate::keys::{Curve, PublicJwk, PublicKey};

/// A message with its length before it.
pub(super) fn message(number: u8, body: &[u8]) -> Vec<u8> {
    string(&[&[number], body].concat())
}

/// Bytes with their length before them.
pub(super) fn string(bytes: &[u8]) -> Vec<u8> {
    // Nothing here comes near 4 GiB.
    let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    [length.to_be_bytes().as_slice(), bytes].concat()
}

/// A number that is not negative.
pub(super) fn mpint(bytes: &[u8]) -> Vec<u8> {
    let start = bytes.iter().position(|byte| *byte != 0).unwrap_or(bytes.len());
    let bytes = bytes.get(start..).unwrap_or_default();
    match bytes.first() {
        Some(first) if first & 0x80 != 0 => string(&[&[0], bytes].concat()),
        _ => string(bytes),
    }
}

/// A public key as SSH writes it (RFC 4253 section 6.6, RFC 5656 section 3.1); `None` for secp256k1.
pub(super) fn public_blob(key: &PublicKey) -> Option<Vec<u8>> {
    let (kind, parts) = match key.to_jwk() {
        PublicJwk::Rsa { n, e } => ("ssh-rsa", [mpint(&e.0), mpint(&n.0)].concat()),
        PublicJwk::Ec { crv, x, y } => {
            let (kind, curve) = match crv {
                Curve::P256 => ("ecdsa-sha2-nistp256", "nistp256"),
                Curve::P384 => ("ecdsa-sha2-nistp384", "nistp384"),
                Curve::P521 => ("ecdsa-sha2-nistp521", "nistp521"),
                Curve::P256K => return None,
            };
            let point = [&[4], x.0.as_slice(), &y.0].concat();
            (kind, [string(curve.as_bytes()), string(&point)].concat())
        }
    };
    Some([string(kind.as_bytes()), parts].concat())
}

/// Reads a message; `None` where it is too short.
pub(super) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(super) const fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(super) fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    pub(super) fn u32(&mut self) -> Option<u32> {
        let (first, rest) = self.0.split_first_chunk::<4>()?;
        self.0 = rest;
        Some(u32::from_be_bytes(*first))
    }

    pub(super) fn string(&mut self) -> Option<&'a [u8]> {
        let length = usize::try_from(self.u32()?).ok()?;
        let (first, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(first)
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
