//! `strongroom sign` and `verify`: detached signatures of files.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use strongroom::documents::{DocumentSignature, DocumentSigner};
use strongroom::keys::{Signature, SignatureAlgorithm, default_algorithm};

use super::encrypt::{Progress, is_standard, open_input, write_public};
use crate::Outcome;
use crate::cli::{DocumentFormat, SignFile, VerifyFile};

/// `strongroom sign`.
pub(crate) async fn run(arguments: SignFile) -> Outcome {
    let SignFile { key, file, alg, out, format } = arguments;
    let algorithm = algorithm(alg.as_deref())?;
    let mut signer = DocumentSigner::new(key.open().await?);
    if let Some(algorithm) = algorithm {
        signer = signer.with_algorithm(algorithm);
    }
    let mut progress = Progress::of(&file);
    let signed = signer.sign(open_input(&file).await?, |bytes| progress.tell(bytes)).await;
    let signed = signed.map_err(|fault| fault.to_string())?;
    progress.end();
    let content = match format {
        DocumentFormat::Der => signed.signature.to_der().map_err(|fault| fault.to_string())?,
        DocumentFormat::Raw => signed.signature.bytes,
        DocumentFormat::Json => (signed.to_json().map_err(|fault| fault.to_string())? + "\n").into_bytes(),
    };
    write_public(&out.unwrap_or_else(|| beside(&file)), &content)?;
    Ok(ExitCode::SUCCESS)
}

/// `strongroom verify`.
pub(crate) async fn run_verify(arguments: VerifyFile) -> Outcome {
    let VerifyFile { key, file, signature, alg, format } = arguments;
    let wanted = algorithm(alg.as_deref())?;
    let key = key.open().await?;
    let signature = signature.unwrap_or_else(|| beside(&file));
    let content = std::fs::read(&signature).map_err(|fault| format!("{}: {fault}", signature.display()))?;
    let document = open_input(&file).await?;
    let signer = DocumentSigner::new(key.clone());
    let valid = if format == DocumentFormat::Json {
        let text = String::from_utf8(content).map_err(|_fault| "the signature is not JSON".to_owned())?;
        let sidecar = DocumentSignature::from_json(&text).map_err(|fault| fault.to_string())?;
        if wanted.is_some_and(|wanted| wanted != sidecar.signature.algorithm) {
            return Err("the signature is by another algorithm than --alg".to_owned());
        }
        signer.verify(document, &sidecar).await
    } else {
        let (version, public) = key.public().await.map_err(|fault| fault.to_string())?;
        let algorithm = wanted.unwrap_or_else(|| default_algorithm(public.spec()));
        let signature = match format {
            DocumentFormat::Der => {
                Signature::from_der(version, algorithm, &content).map_err(|fault| fault.to_string())?
            }
            _ => Signature { version, algorithm, bytes: content },
        };
        signer.verify_bare(document, &signature).await
    };
    if valid.map_err(|fault| fault.to_string())? {
        println!("the signature is valid");
        Ok(ExitCode::SUCCESS)
    } else {
        Err("the signature is NOT valid; was it made by an older version of the key? Then name it: --key NAME/VERSION"
            .to_owned())
    }
}

/// An algorithm by its name.
pub(super) fn algorithm(name: Option<&str>) -> Result<Option<SignatureAlgorithm>, String> {
    name.map(|name| SignatureAlgorithm::parse(&name.to_ascii_uppercase()).map_err(|error| error.message)).transpose()
}

fn beside(file: &Path) -> PathBuf {
    if is_standard(file) {
        return PathBuf::from("-");
    }
    let mut name = file.as_os_str().to_owned();
    name.push(".sig");
    PathBuf::from(name)
}
