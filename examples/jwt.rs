//! A JSON Web Token, signed by a key that stays in its vault, and checked with its public half.
//!
//! ```sh
//! set -a; . ~/.local/share/strongroom/strongroom-proxy.env; set +a
//! cargo run --example jwt
//! ```
#![allow(clippy::print_stdout, reason = "an example")]

use std::error::Error;

use serde_json::json;
use strongroom::credentials::{CredentialConfig, Sources};
use strongroom::jws::{self, JwtChecks};
use strongroom::keys::{Curve, KeySpec, SignatureAlgorithm, VaultKey};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let config = CredentialConfig::from_variables(&Sources::default());
    let vault = strongroom::open(config.vault_url()?).await?;
    let key = VaultKey::new(vault, "jwt-signing-key")?;
    key.create(KeySpec::Ec(Curve::P256)).await?;

    // What stands behind every token: the signature of `header.payload`.
    let signature = key.sign(SignatureAlgorithm::ES256, b"header.payload").await?;
    println!("JWT signed: {} bytes", signature.bytes.len());

    let now = key.clock().now().seconds();
    let claims = json!({ "sub": "alice", "aud": "api", "iat": now, "exp": now + 600 });
    let token = jws::sign_jwt(&key, None, &claims).await?;
    println!("{token}");

    let (_version, public) = key.public().await?;
    let checks = JwtChecks { audience: Some("api".to_owned()), ..JwtChecks::default() };
    let read = jws::verify_jwt(&token, &public, &checks, key.clock().now())?;
    println!("It speaks for {}", read.get("sub").and_then(|sub| sub.as_str()).unwrap_or("nobody"));
    println!("{}", key.public_pem().await?);
    Ok(())
}
