//! Short messages and keys, encrypted with a key of a vault.

use std::process::ExitCode;

use strongroom_store::provider::{Operation, Output};
use strongroom_wire::Sensitive;
use strongroom_wire::algorithms::EncryptionAlgorithm;

use super::encoding;
use crate::Outcome;
use crate::cli::{Encoding, EncryptArgs};
use crate::commands::objects::{Place, cx, read_bytes, write_bytes};
use crate::failure::Failure;

pub(super) async fn encrypt(place: &Place, arguments: EncryptArgs) -> Outcome {
    close(place, arguments, Operation::Encrypt).await
}

pub(super) async fn wrap(place: &Place, arguments: EncryptArgs) -> Outcome {
    close(place, arguments, Operation::WrapKey).await
}

pub(super) async fn decrypt(place: &Place, arguments: EncryptArgs) -> Outcome {
    open(place, arguments, Operation::Decrypt).await
}

pub(super) async fn unwrap(place: &Place, arguments: EncryptArgs) -> Outcome {
    open(place, arguments, Operation::UnwrapKey).await
}

async fn close(
    place: &Place,
    arguments: EncryptArgs,
    operation: fn(EncryptionAlgorithm, Sensitive<Vec<u8>>) -> Operation,
) -> Outcome {
    let algorithm = EncryptionAlgorithm::parse(&arguments.alg)?;
    let plain = Sensitive::new(read_bytes(&arguments.file)?.to_vec());
    let closed = perform(place, &arguments, operation(algorithm, plain)).await?;
    encoding::write(closed.expose(), arguments.encoding, arguments.out.as_deref())?;
    Ok(ExitCode::SUCCESS)
}

async fn open(
    place: &Place,
    arguments: EncryptArgs,
    operation: fn(EncryptionAlgorithm, Vec<u8>) -> Operation,
) -> Outcome {
    let algorithm = EncryptionAlgorithm::parse(&arguments.alg)?;
    let closed = read_bytes(&arguments.file)?;
    let closed = encoding::read(&closed, arguments.encoding.unwrap_or(Encoding::Binary))?;
    let plain = perform(place, &arguments, operation(algorithm, closed)).await?;
    write_bytes(plain.expose(), arguments.out.as_deref())?;
    Ok(ExitCode::SUCCESS)
}

async fn perform(place: &Place, arguments: &EncryptArgs, operation: Operation) -> Result<Sensitive<Vec<u8>>, Failure> {
    let target = place.target(&arguments.which)?;
    let done = place.vault.perform(&cx(), &target, operation).await;
    match place.or_nearby(done, &target.name).await?.output {
        Output::Bytes(bytes) => Ok(bytes),
        Output::Verified(_) => Err("the vault answered something else".into()),
    }
}
