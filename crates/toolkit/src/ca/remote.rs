//! Signing in the vault for a library that wants its signature at once: it is asked what it would have
//! signed, the vault signs that, and it is asked again with the signature at hand. So no thread waits
//! for another, and any runtime will do.

use std::sync::{Mutex, PoisonError};

use rcgen::{Certificate, PublicKeyData, SignatureAlgorithm, SigningKey};

use super::CaError;
use crate::keys::{Curve, KeySpec, VaultKey, default_algorithm};

pub(super) struct Remote {
    algorithm: &'static SignatureAlgorithm,
    public: Vec<u8>,
    asked: Mutex<Vec<u8>>,
    answer: Option<(Vec<u8>, Vec<u8>)>,
}

impl Remote {
    /// Runs `make` twice; it has to do the same both times.
    pub(super) async fn sign(
        key: &VaultKey,
        make: impl Fn(&Self) -> Result<Certificate, rcgen::Error>,
    ) -> Result<Certificate, CaError> {
        let (_version, public) = key.public().await?;
        let algorithm = match public.spec() {
            KeySpec::Rsa { .. } => &rcgen::PKCS_RSA_SHA256,
            KeySpec::Ec(Curve::P256) => &rcgen::PKCS_ECDSA_P256_SHA256,
            KeySpec::Ec(Curve::P384) => &rcgen::PKCS_ECDSA_P384_SHA384,
            KeySpec::Ec(Curve::P521) => &rcgen::PKCS_ECDSA_P521_SHA512,
            KeySpec::Ec(Curve::P256K) => {
                return Err(CaError::Invalid("P-256K is no curve of certificates: use P-256 or RSA".to_owned()));
            }
        };
        let spki = rcgen::SubjectPublicKeyInfo::from_der(&public.to_spki())?;
        let public_bytes = spki.der_bytes().to_vec();
        let mut remote = Self { algorithm, public: public_bytes, asked: Mutex::default(), answer: None };
        make(&remote)?;
        let message = std::mem::take(&mut *remote.asked.lock().unwrap_or_else(PoisonError::into_inner));
        let signature = key.sign(default_algorithm(public.spec()), &message).await?.to_der()?;
        remote.answer = Some((message, signature));
        Ok(make(&remote)?)
    }
}

impl PublicKeyData for Remote {
    fn der_bytes(&self) -> &[u8] {
        &self.public
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        self.algorithm
    }
}

impl SigningKey for Remote {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rcgen::Error> {
        match &self.answer {
            Some((asked, signature)) if asked == message => Ok(signature.clone()),
            Some(_) => Err(rcgen::Error::RemoteKeyError),
            None => {
                *self.asked.lock().unwrap_or_else(PoisonError::into_inner) = message.to_vec();
                Ok(vec![0])
            }
        }
    }
}
