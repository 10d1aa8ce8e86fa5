//! Signatures over files and digests. EC signatures are r‖s in the protocol; DER (RFC 3279 section
//! 2.2.3) is what OpenSSL and X.509 have.

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::process::ExitCode;

use pkcs8::der::asn1::UintRef;
use pkcs8::der::{Decode as _, Encode as _, Reader as _, SliceReader};
use strongroom_crypto::Hasher;
use strongroom_store::provider::{Operation, Output};
use strongroom_wire::algorithms::SignatureAlgorithm;

use super::encoding;
use crate::Outcome;
use crate::cli::{SignArgs, SignatureFormat, Signed, VerifyArgs};
use crate::commands::objects::{Place, cx, read_bytes};
use crate::failure::{Class, Failure};

/// `key sign`.
pub(super) async fn sign(place: &Place, arguments: SignArgs) -> Outcome {
    let algorithm = SignatureAlgorithm::parse(&arguments.alg)?;
    let target = place.target(&arguments.which)?;
    let digest = digest(algorithm, &arguments.signed)?;
    let done = place.vault.perform(&cx(), &target, Operation::Sign(algorithm, digest)).await;
    let Output::Bytes(signature) = place.or_nearby(done, &target.name).await?.output else {
        return Err("the vault answered without a signature".into());
    };
    let signature = match (arguments.signature_format, algorithm.curve()) {
        (SignatureFormat::Der, Some(curve)) => to_der(signature.expose(), curve.coordinate_len())
            .ok_or("the vault answered with a signature of the wrong length")?,
        _ => signature.expose().clone(),
    };
    encoding::write(&signature, arguments.encoding, arguments.out.as_deref())?;
    Ok(ExitCode::SUCCESS)
}

/// `key verify`.
pub(super) async fn verify(place: &Place, arguments: VerifyArgs) -> Outcome {
    let algorithm = SignatureAlgorithm::parse(&arguments.alg)?;
    let target = place.target(&arguments.which)?;
    let not_genuine = || Failure::new(Class::NotVerified, "the signature is not genuine");
    let signature = encoding::read(&read_bytes(&arguments.signature)?, arguments.encoding)?;
    let signature = match (arguments.signature_format, algorithm.curve()) {
        (SignatureFormat::Der, Some(curve)) => from_der(&signature, curve.coordinate_len()).ok_or_else(not_genuine)?,
        _ => signature,
    };
    let digest = digest(algorithm, &arguments.signed)?;
    let done = place.vault.perform(&cx(), &target, Operation::Verify { algorithm, digest, signature }).await;
    match place.or_nearby(done, &target.name).await?.output {
        Output::Verified(true) => {
            println!("the signature is genuine");
            Ok(ExitCode::SUCCESS)
        }
        _ => Err(not_genuine()),
    }
}

fn digest(algorithm: SignatureAlgorithm, signed: &Signed) -> Result<Vec<u8>, Failure> {
    match (&signed.digest, &signed.file) {
        (Some(text), _) => encoding::digest(text, algorithm.digest_len()),
        (None, Some(file)) if file == Path::new("-") => of_message(algorithm, std::io::stdin().lock(), file),
        (None, Some(file)) => {
            let opened = File::open(file).map_err(|fault| format!("{}: {fault}", file.display()))?;
            of_message(algorithm, opened, file)
        }
        (None, None) => Err(Failure::usage("what is signed? Give --file or --digest")),
    }
}

/// Piece by piece: messages can be larger than memory.
fn of_message(algorithm: SignatureAlgorithm, mut message: impl Read, named: &Path) -> Result<Vec<u8>, Failure> {
    let mut hasher = match algorithm.digest_len() {
        32 => Hasher::sha256(),
        48 => Hasher::sha384(),
        _ => Hasher::sha512(),
    };
    let mut piece = vec![0; 64 * 1024];
    loop {
        match message.read(&mut piece) {
            Ok(0) => return Ok(hasher.finish()),
            Ok(read) => hasher.update(piece.get(..read).unwrap_or_default()),
            Err(fault) if fault.kind() == std::io::ErrorKind::Interrupted => {}
            Err(fault) => return Err(format!("{}: {fault}", named.display()).into()),
        }
    }
}

/// r‖s as `SEQUENCE { INTEGER, INTEGER }`.
fn to_der(raw: &[u8], half: usize) -> Option<Vec<u8>> {
    let (r, s) = raw.split_at_checked(half).filter(|(_, s)| s.len() == half)?;
    let (r, s) = (UintRef::new(r).ok()?, UintRef::new(s).ok()?);
    let mut content = r.to_der().ok()?;
    content.extend(s.to_der().ok()?);
    pkcs8::der::asn1::AnyRef::new(pkcs8::der::Tag::Sequence, &content).ok()?.to_der().ok()
}

fn from_der(der: &[u8], half: usize) -> Option<Vec<u8>> {
    let mut reader = SliceReader::new(der).ok()?;
    let halves: pkcs8::der::Result<_> = reader.sequence(|reader| {
        Ok((UintRef::decode(reader)?.as_bytes().to_vec(), UintRef::decode(reader)?.as_bytes().to_vec()))
    });
    let (r, s) = halves.ok()?;
    reader.finish().ok()?;
    let mut raw = Vec::with_capacity(half.saturating_mul(2));
    for number in [r, s] {
        raw.resize(raw.len().saturating_add(half.checked_sub(number.len())?), 0);
        raw.extend(number);
    }
    Some(raw)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_of_a_signature_are_one() {
        // A first half with leading zeros, a second with its highest bit set.
        let mut raw = vec![0; 64];
        raw[2] = 0x7f;
        raw[31] = 1;
        raw[32] = 0x80;
        let der = to_der(&raw, 32).unwrap();
        assert_eq!(&der[..4], [0x30, 67, 0x02, 30]);
        assert_eq!(from_der(&der, 32).unwrap(), raw);
        assert!(to_der(&raw[1..], 32).is_none());
        for end in 0..der.len() {
            assert!(from_der(&der[..end], 32).is_none(), "{end}");
        }
        assert!(from_der(&[der.as_slice(), &[0]].concat(), 32).is_none());
        assert!(from_der(&to_der(&[0xff; 96], 48).unwrap(), 32).is_none());
    }
}
