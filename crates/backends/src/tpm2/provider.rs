//! [`Tpm2Provider`]: keys that a TPM makes and that only it can use.

use std::sync::Arc;

use async_trait::async_trait;
use strongroom_crypto::{CryptoError, KeySpec, PrivateKey, PublicKey};
use strongroom_store::provider::{KeyProvider, LoadedKey, Operation, Output, ProvidedKey, ProviderError};
use strongroom_wire::Sensitive;
use strongroom_wire::algorithms::{EncryptionAlgorithm, SignatureAlgorithm};
use strongroom_wire::jwk::{ImportJwk, PublicJwk};
use zeroize::Zeroizing;

use super::commands::Object;
use super::fault::{Code, Fault};
use super::padding;
use super::public::{self, alg};
use super::tpm::Tpm;
use super::wire::padded;
use super::worker::Worker;

/// Keeps keys with a TPM. A handle is what the TPM gives out of a key: its public area, and its
/// private half encrypted under the storage root key, which never leaves the TPM.
#[derive(Debug, Clone)]
pub struct Tpm2Provider {
    worker: Arc<Worker>,
    offers: Arc<[KeySpec]>,
}

impl Tpm2Provider {
    pub(super) fn new(worker: Arc<Worker>, offers: Vec<KeySpec>) -> Self {
        Self { worker, offers: offers.into() }
    }

    fn check_offered(&self, spec: KeySpec) -> Result<(), Fault> {
        if self.offers.contains(&spec) {
            return Ok(());
        }
        let offered: Vec<String> = self.offers.iter().map(ToString::to_string).collect();
        Err(Fault::Unsupported(format!(
            "the TPM cannot keep {spec} keys; it offers {}. Use one of these, or a vault that keeps its keys elsewhere",
            offered.join(", ")
        )))
    }

    fn provided(&self, object: &Object) -> Result<ProvidedKey, Fault> {
        let blob = object.to_blob()?;
        let loaded = Arc::new(TpmKey::new(&self.worker, &blob)?);
        let public = loaded.public.to_jwk();
        Ok(ProvidedKey { handle: Sensitive::new(blob), public, loaded })
    }
}

#[async_trait]
impl KeyProvider for Tpm2Provider {
    fn offers(&self) -> Vec<KeySpec> {
        self.offers.to_vec()
    }

    fn is_hardware(&self) -> bool {
        true
    }

    async fn generate(&self, spec: KeySpec) -> Result<ProvidedKey, ProviderError> {
        self.check_offered(spec)?;
        let area = public::key(spec, None)?;
        let object = self.worker.run(move |tpm| tpm.create(&area)).await?;
        Ok(self.provided(&object)?)
    }

    async fn import(&self, jwk: ImportJwk) -> Result<ProvidedKey, ProviderError> {
        let key = PrivateKey::from_jwk(&jwk).map_err(Fault::from)?;
        self.check_offered(key.spec())?;
        let public = key.public().to_jwk();
        let private = private_half(&jwk, &public)?;
        let area = public::key(key.spec(), Some(&public))?;
        let object = self.worker.run(move |tpm| tpm.import(&area, &private)).await?;
        Ok(self.provided(&object)?)
    }

    async fn load(&self, handle: &Sensitive<Vec<u8>>) -> Result<Arc<dyn LoadedKey>, ProviderError> {
        Ok(Arc::new(TpmKey::new(&self.worker, handle.expose())?))
    }

    async fn destroy(&self, _handle: &Sensitive<Vec<u8>>) -> Result<(), ProviderError> {
        // The TPM keeps nothing of it; the handle was the key, and went with its record.
        Ok(())
    }
}

/// What a TPM takes in of a key that was checked: one of the primes, or the scalar.
fn private_half(jwk: &ImportJwk, public: &PublicJwk) -> Result<Zeroizing<Vec<u8>>, Fault> {
    let lacks = || Fault::Crypto(CryptoError::InvalidKey("the key lacks its private members".to_owned()));
    let (member, length) = match public {
        PublicJwk::Rsa { n, e } => {
            if e.0 != [1, 0, 1] {
                return Err(Fault::Unsupported(
                    "the TPM takes RSA keys with the exponent 65537 only; use a vault that keeps its keys elsewhere"
                        .to_owned(),
                ));
            }
            (jwk.p.as_ref(), n.0.len() / 2)
        }
        PublicJwk::Ec { crv, .. } => (jwk.d.as_ref(), crv.coordinate_len()),
    };
    let bytes = member.ok_or_else(lacks)?.expose().0.as_slice();
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    let bytes = bytes.get(zeros..).unwrap_or_default();
    let uneven = matches!(public, PublicJwk::Rsa { .. }) && bytes.len() != length;
    if uneven {
        return Err(Fault::Unsupported("the TPM takes RSA keys with primes of equal length only".to_owned()));
    }
    padded(bytes, length).map(Zeroizing::new)
}

/// A key, known by what the TPM gave out of it. Its slot in the TPM comes and goes.
struct TpmKey {
    worker: Arc<Worker>,
    blob: Arc<[u8]>,
    public: PublicKey,
}

impl TpmKey {
    fn new(worker: &Arc<Worker>, blob: &[u8]) -> Result<Self, Fault> {
        let public = PublicKey::from_jwk(&public::jwk(&Object::from_blob(blob)?.public)?)?;
        Ok(Self { worker: Arc::clone(worker), blob: blob.into(), public })
    }

    async fn sign(&self, algorithm: SignatureAlgorithm, digest: Vec<u8>) -> Result<Vec<u8>, Fault> {
        self.public.spec().check_signature(algorithm, &digest)?;
        let (blob, public) = (Arc::clone(&self.blob), self.public.clone());
        self.worker.run(move |tpm| sign(tpm, &blob, &public, algorithm, &digest)).await
    }

    async fn decrypt(&self, algorithm: EncryptionAlgorithm, ciphertext: Vec<u8>) -> Result<Sensitive<Vec<u8>>, Fault> {
        let KeySpec::Rsa { bits } = self.public.spec() else {
            return Err(self.public.spec().no_encryption(algorithm).into());
        };
        if u32::try_from(ciphertext.len()).ok() != Some(bits / 8) {
            return Err(CryptoError::DecryptionFailed.into());
        }
        let scheme: &[u16] = match algorithm {
            EncryptionAlgorithm::Rsa15 => &[alg::RSAES],
            EncryptionAlgorithm::RsaOaep => &[alg::OAEP, alg::SHA1],
            EncryptionAlgorithm::RsaOaep256 => &[alg::OAEP, alg::SHA256],
        };
        let blob = Arc::clone(&self.blob);
        let spec = self.public.spec();
        let opened = self.worker.run(move |tpm| match tpm.rsa_decrypt(&blob, scheme, &ciphertext) {
            // libtpms says so of a wrong padding; a TPM that has failed says so of everything.
            Err(fault) if fault.is(Code::FAILURE) && tpm.takes(spec)? => Err(CryptoError::DecryptionFailed.into()),
            done => done,
        });
        let opened = opened.await;
        opened.map_err(|fault| match fault {
            // Which of them is never told.
            fault if fault.is(Code::VALUE) || fault.is(Code::SIZE) => CryptoError::DecryptionFailed.into(),
            fault if fault.is(Code::SCHEME) || fault.is(Code::HASH) => {
                Fault::Unsupported(format!("the TPM does not know {algorithm}; use RSA-OAEP or RSA-OAEP-256"))
            }
            fault => fault,
        })
    }
}

/// Signs, and checks the signature: a fault in a TPM must not give a key away, and TPMs do not agree
/// on the length of a salt.
fn sign(
    tpm: &mut Tpm,
    blob: &[u8],
    public: &PublicKey,
    algorithm: SignatureAlgorithm,
    digest: &[u8],
) -> Result<Vec<u8>, Fault> {
    let genuine = |signature: &[u8]| public.verify(algorithm, digest, signature).map_err(Fault::from);
    let KeySpec::Rsa { bits } = public.spec() else {
        let length = algorithm.curve().map_or(0, strongroom_wire::algorithms::Curve::coordinate_len);
        let mut signature = Vec::with_capacity(length.saturating_mul(2));
        for part in tpm.sign(blob, alg::ECDSA, hash(digest), digest)? {
            signature.extend(padded(&part, length)?);
        }
        return if genuine(&signature)? { Ok(signature) } else { Err(WRONG) };
    };
    if !tpm.raw_only.contains(&algorithm) {
        let scheme = if is_pss(algorithm) { alg::RSAPSS } else { alg::RSASSA };
        match tpm.sign(blob, scheme, hash(digest), digest) {
            Ok(parts) => {
                let signature = parts.concat();
                if genuine(&signature)? {
                    return Ok(signature);
                }
                if !is_pss(algorithm) {
                    return Err(WRONG);
                }
            }
            Err(fault) if [Code::HASH, Code::SCHEME, Code::SIZE].into_iter().any(|code| fault.is(code)) => {}
            Err(fault) => return Err(fault),
        }
        tpm.raw_only.push(algorithm);
        tracing::info!(%algorithm, "the TPM pads these signatures another way: padded here from now on");
    }
    let length = usize::try_from(bits / 8).unwrap_or_default();
    let encoded = padding::encode(algorithm, digest, length)?;
    let signature = tpm.rsa_decrypt(blob, &[alg::NULL], &encoded)?;
    let signature = padded(signature.expose(), length)?;
    if genuine(&signature)? { Ok(signature) } else { Err(WRONG) }
}

const WRONG: Fault = Fault::Malformed("its signature is wrong");

const fn is_pss(algorithm: SignatureAlgorithm) -> bool {
    matches!(algorithm, SignatureAlgorithm::PS256 | SignatureAlgorithm::PS384 | SignatureAlgorithm::PS512)
}

/// The hash with digests of this length.
const fn hash(digest: &[u8]) -> u16 {
    match digest.len() {
        48 => alg::SHA384,
        64 => alg::SHA512,
        _ => alg::SHA256,
    }
}

#[async_trait]
impl LoadedKey for TpmKey {
    async fn perform(&self, operation: Operation) -> Result<Output, ProviderError> {
        let bytes = |bytes| Output::Bytes(Sensitive::new(bytes));
        let output = match operation {
            Operation::Encrypt(algorithm, plaintext) | Operation::WrapKey(algorithm, plaintext) => {
                self.public.encrypt(algorithm, plaintext.expose()).map(bytes).map_err(Fault::from)
            }
            Operation::Verify { algorithm, digest, signature } => {
                self.public.verify(algorithm, &digest, &signature).map(Output::Verified).map_err(Fault::from)
            }
            Operation::Decrypt(algorithm, ciphertext) | Operation::UnwrapKey(algorithm, ciphertext) => {
                self.decrypt(algorithm, ciphertext).await.map(Output::Bytes)
            }
            Operation::Sign(algorithm, digest) => self.sign(algorithm, digest).await.map(bytes),
        };
        Ok(output?)
    }
}

impl std::fmt::Debug for TpmKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "TpmKey({})", self.public.spec())
    }
}

#[cfg(test)]
mod tests {
    use std::process::{Child, Command, Stdio};
    use std::time::{Duration, Instant};

    use super::super::link::Address;
    use super::super::tpm::Settings;
    use super::*;

    struct Swtpm(Child);

    impl Drop for Swtpm {
        fn drop(&mut self) {
            drop(self.0.kill());
            drop(self.0.wait());
        }
    }

    #[test]
    fn a_tpm_that_pads_otherwise_signs_all_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let (socket, control) = (folder.path().join("tpm"), folder.path().join("control"));
        let mut command = Command::new("swtpm");
        command.args(["socket", "--tpm2", "--flags", "startup-clear,not-need-init"]);
        command.args(["--server", &format!("type=unixio,path={}", socket.display())]);
        command.args(["--ctrl", &format!("type=unixio,path={}", control.display())]);
        command.args(["--tpmstate", &format!("dir={}", folder.path().display())]);
        let Ok(child) = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn() else {
            strongroom_store::conformance::skipped("tpm2: raw RSA", "swtpm is not installed");
            return;
        };
        let _swtpm = Swtpm(child);
        let until = Instant::now() + Duration::from_secs(20);
        while !control.exists() {
            assert!(Instant::now() < until, "swtpm did not start");
            std::thread::yield_now();
        }
        let settings = Settings { address: Address::Unix(socket), owner: Sensitive::new(Vec::new()), persistent: None };
        let mut tpm = Tpm::new(settings);
        let spec = KeySpec::Rsa { bits: 2048 };
        let blob = tpm.create(&public::key(spec, None).unwrap()).unwrap().to_blob().unwrap();
        let public = public::jwk(&Object::from_blob(&blob).unwrap().public).unwrap();
        let public = PublicKey::from_jwk(&public).unwrap();
        let all = SignatureAlgorithm::ALL.iter().copied().filter(|algorithm| algorithm.curve().is_none());
        for algorithm in all {
            let digest = vec![7; algorithm.digest_len()];
            // As the TPM pads, and as we do.
            sign(&mut tpm, &blob, &public, algorithm, &digest).unwrap();
            assert!(tpm.raw_only.is_empty(), "swtpm takes salts as long as the digest");
            tpm.raw_only.push(algorithm);
            let signature = sign(&mut tpm, &blob, &public, algorithm, &digest).unwrap();
            assert!(public.verify(algorithm, &digest, &signature).unwrap());
            tpm.raw_only.clear();
        }
        tpm.close();
    }
}
