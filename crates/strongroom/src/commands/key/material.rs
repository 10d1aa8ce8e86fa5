//! Private keys in files: PEM of PKCS#8 (RFC 5958, also encrypted), PKCS#1 (RFC 8017) and SEC1
//! (RFC 5915), and JWK.

use pkcs8::der::asn1::{AnyRef, BitStringRef, OctetStringRef, UintRef};
use pkcs8::der::{Decode as _, Encode as _, Reader as _, SliceReader, TagMode, TagNumber};
use pkcs8::spki::AlgorithmIdentifierRef;
use pkcs8::{EncryptedPrivateKeyInfoRef, ObjectIdentifier, PrivateKeyInfoRef};
use strongroom_crypto::PrivateKey;
use strongroom_wire::Sensitive;
use strongroom_wire::base64url::Base64Url;
use strongroom_wire::jwk::{ImportJwk, PublicJwk, SensitiveBytes};
use zeroize::Zeroizing;

use super::public::{EC, RSA};
use crate::failure::Failure;

/// Reads a private key. Messages never quote what was read.
pub(super) fn read(text: &[u8], passphrase: Option<&[u8]>) -> Result<ImportJwk, Failure> {
    if text.trim_ascii_start().starts_with(b"{") {
        return serde_json::from_slice(text).map_err(|_unreadable| Failure::usage("the file is not a valid JWK"));
    }
    let wrong = || Failure::usage("the file holds no private key: it is PEM (-----BEGIN … PRIVATE KEY-----) or a JWK");
    let blocks = pem::parse_many(text).map_err(|_unreadable| wrong())?;
    let block = blocks.into_iter().find(|block| block.tag().ends_with("PRIVATE KEY")).ok_or_else(wrong)?;
    if block.headers().get("Proc-Type").is_some() {
        return Err(Failure::usage(
            "the key is encrypted in OpenSSL's old form: convert it with `openssl pkcs8 -topk8 -in OLD -out NEW`",
        ));
    }
    let tag = block.tag().to_owned();
    let der = Zeroizing::new(block.into_contents());
    let damaged =
        |_fault: pkcs8::der::Error| Failure::usage("the private key is damaged, or of a form that is not known");
    match tag.as_str() {
        "PRIVATE KEY" => from_pkcs8(&der),
        "RSA PRIVATE KEY" => {
            let algorithm = AlgorithmIdentifierRef { oid: RSA, parameters: Some(AnyRef::NULL) };
            from_pkcs8(&wrapped(algorithm, &der).map_err(damaged)?)
        }
        "EC PRIVATE KEY" => {
            let (_, curve) = ec_private(&der).map_err(damaged)?;
            let curve = curve.ok_or_else(|| Failure::usage("the private key does not name its curve"))?;
            let algorithm = AlgorithmIdentifierRef { oid: EC, parameters: Some((&curve).into()) };
            from_pkcs8(&wrapped(algorithm, &der).map_err(damaged)?)
        }
        "ENCRYPTED PRIVATE KEY" => {
            let phrase = passphrase.ok_or_else(|| {
                Failure::usage("the private key is encrypted: name a file with its passphrase by --passphrase-file")
            })?;
            let encrypted = EncryptedPrivateKeyInfoRef::from_der(&der).map_err(damaged)?;
            let plain = encrypted.decrypt(phrase).map_err(|_fault| {
                Failure::usage("the private key could not be decrypted: the passphrase is wrong, or its cipher is old")
            })?;
            from_pkcs8(plain.as_bytes())
        }
        _ => Err(wrong()),
    }
}

fn wrapped(algorithm: AlgorithmIdentifierRef<'_>, key: &[u8]) -> pkcs8::der::Result<Zeroizing<Vec<u8>>> {
    PrivateKeyInfoRef::new(algorithm, OctetStringRef::new(key)?).to_der().map(Zeroizing::new)
}

fn from_pkcs8(der: &[u8]) -> Result<ImportJwk, Failure> {
    let key = PrivateKey::from_pkcs8(der).map_err(|fault| Failure::usage(fault.to_string()))?;
    let damaged = |_fault: pkcs8::der::Error| Failure::usage("the private key is damaged");
    let inner = PrivateKeyInfoRef::from_der(der).map_err(damaged)?.private_key.as_bytes();
    match key.public().to_jwk() {
        PublicJwk::Rsa { n, e } => {
            let [d, p, q, dp, dq, qi] = rsa_private(inner).map_err(damaged)?.map(Some);
            Ok(ImportJwk { kty: "RSA".to_owned(), n: Some(n), e: Some(e), d, p, q, dp, dq, qi, ..ImportJwk::default() })
        }
        PublicJwk::Ec { crv, x, y } => {
            let (d, _) = ec_private(inner).map_err(damaged)?;
            let crv = Some(crv.to_string());
            Ok(ImportJwk { kty: "EC".to_owned(), crv, x: Some(x), y: Some(y), d: Some(d), ..ImportJwk::default() })
        }
    }
}

/// `RSAPrivateKey`: d, p, q, dp, dq, qi.
fn rsa_private(der: &[u8]) -> pkcs8::der::Result<[SensitiveBytes; 6]> {
    let mut reader = SliceReader::new(der)?;
    let numbers = reader.sequence(|reader| {
        u8::decode(reader)?;
        UintRef::decode(reader)?;
        UintRef::decode(reader)?;
        let mut next = || UintRef::decode(reader).map(|number| sensitive(number.as_bytes()));
        Ok::<_, pkcs8::der::Error>([next()?, next()?, next()?, next()?, next()?, next()?])
    })?;
    reader.finish()?;
    Ok(numbers)
}

/// `ECPrivateKey`: d, and the curve where it is named.
fn ec_private(der: &[u8]) -> pkcs8::der::Result<(SensitiveBytes, Option<ObjectIdentifier>)> {
    let mut reader = SliceReader::new(der)?;
    let key = reader.sequence(|reader| {
        u8::decode(reader)?;
        let d = sensitive(<&OctetStringRef>::decode(reader)?.as_bytes());
        let curve = reader.context_specific::<ObjectIdentifier>(TagNumber(0), TagMode::Explicit)?;
        reader.context_specific::<BitStringRef<'_>>(TagNumber(1), TagMode::Explicit)?;
        Ok::<_, pkcs8::der::Error>((d, curve))
    })?;
    reader.finish()?;
    Ok(key)
}

fn sensitive(bytes: &[u8]) -> SensitiveBytes {
    Sensitive::new(Base64Url(bytes.to_vec()))
}
