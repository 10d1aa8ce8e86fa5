//! `strongroom ca`.

use std::process::ExitCode;

use strongroom::ca::{CaError, CertificateAuthority, Request, Usage};
use strongroom::keys::from_pem;

use super::encrypt::{read_small, write_public};
use crate::Outcome;
use crate::cli::{CaCommand, CertificateUsage};

/// `strongroom ca`.
pub(crate) async fn run(command: CaCommand) -> Outcome {
    let said = |fault: CaError| fault.to_string();
    match command {
        CaCommand::Init { key, subject, days, out } => {
            let key = key.open().await?;
            let ca = CertificateAuthority::create_root(&key, &subject, days).await.map_err(said)?;
            write_public(&out, ca.certificate_pem().as_bytes())?;
        }
        CaCommand::Issue { key, root, csr, public_key, subject, san, usage, days, out, chain } => {
            let mut request = match (csr, public_key) {
                (Some(file), _) => Request::from_csr(&read_small(&file).await?).map_err(said)?,
                (None, Some(file)) => {
                    let public = from_pem(&read_small(&file).await?).map_err(|fault| fault.to_string())?;
                    Request::new(&public).map_err(said)?
                }
                (None, None) => return Err("give --csr or --public-key".to_owned().into()),
            };
            if let Some(subject) = subject {
                request = request.with_subject(&subject);
            }
            request = san.iter().fold(request, |request, name| request.with_name(name)).for_days(days);
            for usage in usage {
                request = request.for_usage(match usage {
                    CertificateUsage::Server => Usage::Server,
                    CertificateUsage::Client => Usage::Client,
                    CertificateUsage::Code => Usage::Code,
                });
            }
            let (key, root) = (key.open().await?, read_small(&root).await?);
            let ca = CertificateAuthority::open(&key, &root).await.map_err(said)?;
            let issued = ca.issue(&request).await.map_err(said)?;
            let pem = if chain { issued.chain_pem } else { issued.pem };
            write_public(&out, pem.as_bytes())?;
        }
    }
    Ok(ExitCode::SUCCESS)
}
