//! `strongroom jwt`.

use std::process::ExitCode;

use serde_json::Value;
use strongroom::clock::{Clock as _, SystemClock};
use strongroom::jws::{JwtChecks, sign_jwt, unverified_header, verify_jwt};
use strongroom::keys::Version;

use super::encrypt::read_small;
use super::sign::algorithm;
use crate::Outcome;
use crate::cli::JwtCommand;
use crate::failure::Failure;

/// `strongroom jwt`.
pub(crate) async fn run(command: JwtCommand) -> Outcome {
    match command {
        JwtCommand::Sign { key, claims, alg, expires_in } => {
            let algorithm = algorithm(alg.as_deref())?;
            let text = read_small(&claims).await?;
            let mut claims: Value =
                serde_json::from_str(&text).map_err(|_fault| "the claims are not a JSON object".to_owned())?;
            if !claims.is_object() {
                return Err(Failure::usage("the claims are not a JSON object"));
            }
            if let (Some(seconds), Some(members)) = (expires_in, claims.as_object_mut()) {
                let now = SystemClock.now().seconds();
                members.insert("iat".to_owned(), now.into());
                members.insert("exp".to_owned(), now.saturating_add(i64::from(seconds)).into());
            }
            let token = sign_jwt(&key.open().await?, algorithm, &claims).await;
            println!("{}", token?);
        }
        JwtCommand::Verify { key, token, issuer, audience, no_expiry } => {
            let text = read_small(&token).await?;
            let token = text.trim();
            let key = key.open().await?;
            let header = unverified_header(token)?;
            // Which version: by the header, as long as it names this key.
            let named = header.kid.as_deref().and_then(|kid| kid.split_once('/'));
            let version = named.filter(|(name, _)| name.eq_ignore_ascii_case(key.name().as_str()));
            let version = version.and_then(|(_, version)| Version::parse(version));
            let key = match (key.version(), version) {
                (None, Some(version)) => key.at(version),
                _ => key,
            };
            let (_version, public) = key.public().await?;
            let checks = JwtChecks { issuer, audience, require_expiry: !no_expiry, ..JwtChecks::default() };
            let claims = verify_jwt(token, &public, &checks, SystemClock.now())?;
            println!("{claims:#}");
        }
    }
    Ok(ExitCode::SUCCESS)
}
