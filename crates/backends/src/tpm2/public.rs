//! Public areas (TPM 2.0 Library, part 2, section 12.2): what a key is to be, and what it is.

use strongroom_crypto::{KeySpec, sha256};
use strongroom_wire::algorithms::Curve;
use strongroom_wire::base64url::Base64Url;
use strongroom_wire::jwk::PublicJwk;
use zeroize::Zeroizing;

use super::fault::Fault;
use super::wire::{Reader, Writer, padded};

/// Algorithms (TCG Algorithm Registry).
pub(super) mod alg {
    pub(crate) const RSA: u16 = 0x0001;
    pub(crate) const SHA1: u16 = 0x0004;
    pub(crate) const AES: u16 = 0x0006;
    pub(crate) const KEYED_HASH: u16 = 0x0008;
    pub(crate) const SHA256: u16 = 0x000b;
    pub(crate) const SHA384: u16 = 0x000c;
    pub(crate) const SHA512: u16 = 0x000d;
    pub(crate) const NULL: u16 = 0x0010;
    pub(crate) const RSASSA: u16 = 0x0014;
    pub(crate) const RSAES: u16 = 0x0015;
    pub(crate) const RSAPSS: u16 = 0x0016;
    pub(crate) const OAEP: u16 = 0x0017;
    pub(crate) const ECDSA: u16 = 0x0018;
    pub(crate) const ECC: u16 = 0x0023;
    pub(crate) const CFB: u16 = 0x0043;
}

const FIXED_TPM: u32 = 1 << 1;
const FIXED_PARENT: u32 = 1 << 4;
const SENSITIVE_DATA_ORIGIN: u32 = 1 << 5;
const USER_WITH_AUTH: u32 = 1 << 6;
/// Wrong authorisations do not count: there is nothing to guess.
const NO_DA: u32 = 1 << 10;
const RESTRICTED: u32 = 1 << 16;
const DECRYPT: u32 = 1 << 17;
const SIGN: u32 = 1 << 18;

const AES_BITS: u16 = 128;

/// The well-known template of storage root keys on P-256 (TCG TPM v2.0 Provisioning Guidance,
/// section 7.5.1): the same key from the same TPM every time.
pub(super) fn storage_root() -> Result<Zeroizing<Vec<u8>>, Fault> {
    let attributes = FIXED_TPM | FIXED_PARENT | SENSITIVE_DATA_ORIGIN | USER_WITH_AUTH | NO_DA | RESTRICTED | DECRYPT;
    Writer::new()
        .u16(alg::ECC)
        .u16(alg::SHA256)
        .u32(attributes)
        .sized(&[])
        .u16(alg::AES)
        .u16(AES_BITS)
        .u16(alg::CFB)
        .u16(alg::NULL)
        .u16(ecc_curve(Curve::P256).unwrap_or_default())
        .u16(alg::NULL)
        .sized(&[0; 32])
        .sized(&[0; 32])
        .finish()
}

/// A sealed data object.
pub(super) fn sealed_data() -> Result<Zeroizing<Vec<u8>>, Fault> {
    let attributes = FIXED_TPM | FIXED_PARENT | USER_WITH_AUTH | NO_DA;
    Writer::new().u16(alg::KEYED_HASH).u16(alg::SHA256).u32(attributes).sized(&[]).u16(alg::NULL).sized(&[]).finish()
}

/// Type and parameters of a key, as `TPM2_TestParms` takes them, or `None` when TPMs know no such key.
pub(super) fn parameters(spec: KeySpec) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    match spec {
        KeySpec::Rsa { bits } => {
            for part in [alg::RSA, alg::NULL, alg::NULL, u16::try_from(bits).ok()?] {
                out.extend_from_slice(&part.to_be_bytes());
            }
            // The exponent 65537.
            out.extend_from_slice(&0u32.to_be_bytes());
        }
        KeySpec::Ec(curve) => {
            for part in [alg::ECC, alg::NULL, alg::NULL, ecc_curve(curve)?, alg::NULL] {
                out.extend_from_slice(&part.to_be_bytes());
            }
        }
    }
    Some(out)
}

/// A key that the TPM makes itself, or with `unique` one that is brought in.
pub(super) fn key(spec: KeySpec, unique: Option<&PublicJwk>) -> Result<Zeroizing<Vec<u8>>, Fault> {
    let unknown = || Fault::Unsupported(format!("a TPM knows no {spec} keys"));
    let parameters = parameters(spec).ok_or_else(unknown)?;
    let (kind, parameters) = parameters.split_at_checked(2).ok_or_else(unknown)?;
    let origin = if unique.is_none() { FIXED_TPM | FIXED_PARENT | SENSITIVE_DATA_ORIGIN } else { 0 };
    let uses = match spec {
        KeySpec::Rsa { .. } => SIGN | DECRYPT,
        KeySpec::Ec(_) => SIGN,
    };
    let attributes = origin | uses | USER_WITH_AUTH | NO_DA;
    let writer = Writer::new().raw(kind).u16(alg::SHA256).u32(attributes).sized(&[]).raw(parameters);
    match (unique, spec) {
        (None, KeySpec::Rsa { .. }) => writer.sized(&[]),
        (None, KeySpec::Ec(_)) => writer.sized(&[]).sized(&[]),
        (Some(PublicJwk::Rsa { n, .. }), _) => writer.sized(&n.0),
        (Some(PublicJwk::Ec { x, y, .. }), _) => writer.sized(&x.0).sized(&y.0),
    }
    .finish()
}

/// The name of an object whose public area this is.
pub(super) fn name(public: &[u8]) -> Vec<u8> {
    [&alg::SHA256.to_be_bytes()[..], &sha256(public)].concat()
}

/// The public half of a key of ours.
pub(super) fn jwk(public: &[u8]) -> Result<PublicJwk, Fault> {
    let mut reader = Reader::new(public);
    let kind = header(&mut reader)?.0;
    let jwk = match kind {
        alg::RSA => {
            plain(&mut reader, 2)?;
            let _bits = reader.u16()?;
            let exponent = reader.u32()?;
            let exponent = if exponent == 0 { 65_537 } else { exponent }.to_be_bytes();
            let first = exponent.iter().position(|byte| *byte != 0).unwrap_or_default();
            let e = exponent.get(first..).unwrap_or_default().to_vec();
            PublicJwk::Rsa { n: Base64Url(reader.sized()?.to_vec()), e: Base64Url(e) }
        }
        alg::ECC => {
            plain(&mut reader, 2)?;
            let id = reader.u16()?;
            let known = Curve::ALL.iter().copied().find(|curve| ecc_curve(*curve) == Some(id));
            let crv = known.ok_or(Fault::Malformed("its key is on an unknown curve"))?;
            plain(&mut reader, 1)?;
            let length = crv.coordinate_len();
            let (x, y) = (padded(reader.sized()?, length)?, padded(reader.sized()?, length)?);
            PublicJwk::Ec { crv, x: Base64Url(x), y: Base64Url(y) }
        }
        _ => return Err(Fault::Malformed("its key is of an unknown type")),
    };
    reader.end()?;
    Ok(jwk)
}

/// What a storage key is to those who send it secrets.
#[derive(Debug, Clone)]
pub(super) struct Storage {
    pub(super) key: PublicJwk,
    /// Of the AES key that protects what lies under it.
    pub(super) aes_bits: u16,
    pub(super) name: Vec<u8>,
}

/// Reads the public area of a storage key.
pub(super) fn storage(public: &[u8]) -> Result<Storage, Fault> {
    let unfit = || {
        Fault::Unsupported(
            "the key at that handle is no storage key that Strongroom can use (RSA or P-256, SHA-256, AES in CFB mode): \
             name a free handle with persistent=, or leave it out"
                .to_owned(),
        )
    };
    let mut reader = Reader::new(public);
    let (kind, name_alg, attributes) = header(&mut reader)?;
    if name_alg != alg::SHA256 || attributes & (RESTRICTED | DECRYPT) != RESTRICTED | DECRYPT {
        return Err(unfit());
    }
    if reader.u16()? != alg::AES {
        return Err(unfit());
    }
    let aes_bits = reader.u16()?;
    if reader.u16()? != alg::CFB || reader.u16()? != alg::NULL {
        return Err(unfit());
    }
    let key = match kind {
        alg::RSA => {
            let (_bits, exponent) = (reader.u16()?, reader.u32()?);
            if exponent != 0 {
                return Err(unfit());
            }
            PublicJwk::Rsa { n: Base64Url(reader.sized()?.to_vec()), e: Base64Url(vec![1, 0, 1]) }
        }
        alg::ECC => {
            if Some(reader.u16()?) != ecc_curve(Curve::P256) || reader.u16()? != alg::NULL {
                return Err(unfit());
            }
            let (x, y) = (padded(reader.sized()?, 32)?, padded(reader.sized()?, 32)?);
            PublicJwk::Ec { crv: Curve::P256, x: Base64Url(x), y: Base64Url(y) }
        }
        _ => return Err(unfit()),
    };
    Ok(Storage { key, aes_bits, name: name(public) })
}

/// Type, hash of the name, attributes; the policy is passed over.
fn header(reader: &mut Reader<'_>) -> Result<(u16, u16, u32), Fault> {
    let header = (reader.u16()?, reader.u16()?, reader.u32()?);
    reader.sized()?;
    Ok(header)
}

/// So many algorithms that are not set.
fn plain(reader: &mut Reader<'_>, count: usize) -> Result<(), Fault> {
    for _ in 0..count {
        if reader.u16()? != alg::NULL {
            return Err(Fault::Malformed("its key is bound to a scheme"));
        }
    }
    Ok(())
}

const fn ecc_curve(curve: Curve) -> Option<u16> {
    match curve {
        Curve::P256 => Some(3),
        Curve::P384 => Some(4),
        Curve::P521 => Some(5),
        Curve::P256K => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn public_areas_are_read_back() {
        let ec = PublicJwk::Ec { crv: Curve::P384, x: Base64Url(vec![1; 48]), y: Base64Url(vec![2; 48]) };
        let rsa = PublicJwk::Rsa { n: Base64Url(vec![3; 256]), e: Base64Url(vec![1, 0, 1]) };
        for (spec, public) in [(KeySpec::Ec(Curve::P384), ec), (KeySpec::Rsa { bits: 2048 }, rsa)] {
            let area = key(spec, Some(&public)).unwrap();
            assert_eq!(jwk(&area).unwrap(), public);
            assert!(jwk(&area[..area.len() - 1]).is_err() && storage(&area).is_err());
        }
        assert!(key(KeySpec::Ec(Curve::P256K), None).is_err());
        assert_eq!(storage(&storage_root().unwrap()).unwrap().aes_bits, 128);
        assert_eq!(name(b"").len(), 34);
    }
}
