//! Signatures over files and digests. EC signatures are r‖s in the protocol; DER (RFC 3279 section
//! 2.2.3) is what OpenSSL and X.509 have.

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::process::ExitCode;

use strongroom_crypto::{Hasher, ecdsa_from_der, ecdsa_to_der};
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
        (SignatureFormat::Der, Some(curve)) => ecdsa_to_der(curve, signature.expose())
            .map_err(|_fault| "the vault answered with a signature of the wrong length")?,
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
        (SignatureFormat::Der, Some(curve)) => ecdsa_from_der(curve, &signature).map_err(|_fault| not_genuine())?,
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
