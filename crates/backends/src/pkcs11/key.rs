//! Using a key of a token: the private half there, the public half here.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use cryptoki::context::Function;
use cryptoki::error::RvError;
use cryptoki::mechanism::rsa::{PkcsMgfType, PkcsOaepParams, PkcsOaepSource, PkcsPssParams};
use cryptoki::mechanism::{Mechanism, MechanismType};
use cryptoki::object::{Attribute, ObjectClass, ObjectHandle};
use cryptoki::session::{Session, SessionState};
use cryptoki::types::Ulong;
use strongroom_crypto::{CryptoError, KeySpec, PublicKey, oaep_decode};
use strongroom_store::provider::{LoadedKey, Operation, Output, ProviderError};
use strongroom_wire::Sensitive;
use strongroom_wire::algorithms::{EncryptionAlgorithm, SignatureAlgorithm};
use zeroize::Zeroizing;

use super::fault::{Aftermath, Fault};
use super::objects::{self, KeyId};
use super::token::Token;

/// A key, found in its token.
pub(super) struct TokenKey {
    token: Arc<Token>,
    id: KeyId,
    public: PublicKey,
    /// Where the private half is, and since which login.
    found: Mutex<Option<(u64, ObjectHandle)>>,
}

impl TokenKey {
    /// `found` is the private half, if it is known already.
    pub(super) fn new(token: Arc<Token>, id: KeyId, public: PublicKey, found: Option<(u64, ObjectHandle)>) -> Self {
        Self { token, id, public, found: Mutex::new(found) }
    }

    /// Finds a key; to be called on a thread of the token.
    pub(super) fn find(token: &Arc<Token>, id: KeyId) -> Result<Self, Fault> {
        let (public, found) = token.with(|session, login| {
            let private = find_private(token, session, id)?;
            let object = objects::find(session, ObjectClass::PUBLIC_KEY, &id)?;
            let object = object.first().ok_or_else(|| Fault::NoKey(token.label().to_owned()))?;
            Ok((objects::read_public(session, *object)?, (login, private)))
        })?;
        Ok(Self::new(Arc::clone(token), id, public, Some(found)))
    }

    /// As the engine wants it.
    pub(super) fn loaded(self) -> Arc<dyn LoadedKey> {
        Arc::new(Loaded(Arc::new(self)))
    }

    pub(super) const fn public(&self) -> &PublicKey {
        &self.public
    }

    fn perform_here(&self, operation: Operation) -> Result<Output, Fault> {
        let bytes = |bytes: Vec<u8>| Output::Bytes(Sensitive::new(bytes));
        match operation {
            Operation::Encrypt(algorithm, plaintext) | Operation::WrapKey(algorithm, plaintext) => {
                Ok(bytes(self.public.encrypt(algorithm, plaintext.expose())?))
            }
            Operation::Verify { algorithm, digest, signature } => {
                Ok(Output::Verified(self.public.verify(algorithm, &digest, &signature)?))
            }
            Operation::Sign(algorithm, digest) => self.sign(algorithm, &digest).map(bytes),
            Operation::Decrypt(algorithm, ciphertext) | Operation::UnwrapKey(algorithm, ciphertext) => {
                self.decrypt(algorithm, &ciphertext).map(Output::Bytes)
            }
        }
    }

    /// Signs a digest; to be called on a thread of the token.
    pub(super) fn sign(&self, algorithm: SignatureAlgorithm, digest: &[u8]) -> Result<Vec<u8>, Fault> {
        self.public.spec().check_signature(algorithm, digest)?;
        let input = match digest_info(algorithm) {
            Some(prefix) => [prefix, digest].concat(),
            None => digest.to_vec(),
        };
        let mechanism = mechanism(algorithm)?;
        let signature = self.with_private(|session, key| Ok(session.sign(&mechanism, key, &input)?))?;
        let expected = match self.public.spec() {
            KeySpec::Rsa { bits } => usize::try_from(bits / 8).unwrap_or_default(),
            KeySpec::Ec(curve) => 2 * curve.coordinate_len(),
        };
        if signature.len() == expected {
            Ok(signature)
        } else {
            Err(Fault::Other(format!("the token's signature by {algorithm} has {} bytes", signature.len())))
        }
    }

    fn decrypt(&self, algorithm: EncryptionAlgorithm, ciphertext: &[u8]) -> Result<Sensitive<Vec<u8>>, Fault> {
        let KeySpec::Rsa { bits } = self.public.spec() else {
            return Err(self.public.spec().no_encryption(algorithm).into());
        };
        let size = usize::try_from(bits / 8).unwrap_or_default();
        if ciphertext.len() != size {
            return Err(CryptoError::DecryptionFailed.into());
        }
        let oaep = |hash, mgf| Mechanism::RsaPkcsOaep(PkcsOaepParams::new(hash, mgf, PkcsOaepSource::empty()));
        let direct = match algorithm {
            EncryptionAlgorithm::RsaOaep => oaep(MechanismType::SHA1, PkcsMgfType::MGF1_SHA1),
            EncryptionAlgorithm::RsaOaep256 => oaep(MechanismType::SHA256, PkcsMgfType::MGF1_SHA256),
            EncryptionAlgorithm::Rsa15 => Mechanism::RsaPkcs,
        };
        let in_token = |mechanism: &Mechanism<'_>| {
            let opened = self.with_private(|session, key| {
                let opened = session.decrypt(mechanism, key, ciphertext).map_err(Fault::from);
                opened.map_err(|fault| blame_ciphertext(fault, session))
            });
            opened.map(Sensitive::new)
        };
        if algorithm != EncryptionAlgorithm::RsaOaep256 {
            return in_token(&direct);
        }
        if self.token.tries_oaep256() {
            match in_token(&direct) {
                // Not this ciphertext but the mechanism, which SoftHSM has for SHA-1 only.
                Err(Fault::Answer(
                    RvError::ArgumentsBad | RvError::MechanismInvalid | RvError::MechanismParamInvalid,
                    Function::DecryptInit,
                )) => self.token.refused_oaep256(),
                outcome => return outcome,
            }
        }
        let raw = in_token(&Mechanism::RsaX509)?;
        // Some leave out the zeros in front.
        let missing = size.saturating_sub(raw.expose().len());
        let mut block = Zeroizing::new(vec![0; size]);
        if let Some(end) = block.get_mut(missing..).filter(|end| end.len() == raw.expose().len()) {
            end.copy_from_slice(raw.expose());
        }
        Ok(oaep_decode(algorithm, &block)?)
    }

    /// Runs `work` with the private half, found again when it is not where it was.
    fn with_private<T>(&self, work: impl Fn(&Session, ObjectHandle) -> Result<T, Fault>) -> Result<T, Fault> {
        self.token.with(|session, login| {
            let known = *self.found.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some((_, key)) = known.filter(|(since, _)| *since == login) {
                match work(session, key) {
                    Err(fault) if fault.moved() => {}
                    outcome => return outcome,
                }
            }
            let key = find_private(&self.token, session, self.id)?;
            *self.found.lock().unwrap_or_else(PoisonError::into_inner) = Some((login, key));
            work(session, key)
        })
    }
}

/// The private half; what is not seen is told from what is not there.
pub(super) fn find_private(token: &Token, session: &Session, id: KeyId) -> Result<ObjectHandle, Fault> {
    // Twice: another thread may have logged in again just after the first look.
    for _ in 0..2 {
        if let Some(key) = objects::find(session, ObjectClass::PRIVATE_KEY, &id)?.first() {
            return Ok(*key);
        }
        // Who is not logged in does not see private objects, and is not told so.
        if !matches!(session.get_session_info()?.session_state(), SessionState::RwUser | SessionState::RoUser) {
            return Err(Fault::Answer(RvError::UserNotLoggedIn, Function::FindObjects));
        }
    }
    // SoftHSM goes on with an empty token when its folder is gone.
    if session.find_objects(&[Attribute::Token(true)])?.is_empty() {
        return Err(Fault::Answer(RvError::TokenNotPresent, Function::FindObjects));
    }
    Err(Fault::NoKey(token.label().to_owned()))
}

/// Tells a bad ciphertext, for which tokens have many answers, from a bad token.
fn blame_ciphertext(fault: Fault, session: &Session) -> Fault {
    let of_ciphertext = matches!(fault, Fault::Answer(answer, Function::Decrypt)
        if !matches!(answer, RvError::KeyHandleInvalid | RvError::ObjectHandleInvalid))
        && matches!(fault.aftermath(), Aftermath::Fine | Aftermath::Doubtful)
        && session.get_session_info().is_ok();
    if of_ciphertext { CryptoError::DecryptionFailed.into() } else { fault }
}

fn mechanism(algorithm: SignatureAlgorithm) -> Result<Mechanism<'static>, Fault> {
    let pss = |hash_alg, mgf| {
        let s_len = Ulong::try_from(algorithm.digest_len())?;
        Ok(Mechanism::RsaPkcsPss(PkcsPssParams { hash_alg, mgf, s_len }))
    };
    match algorithm {
        SignatureAlgorithm::RS256 | SignatureAlgorithm::RS384 | SignatureAlgorithm::RS512 => Ok(Mechanism::RsaPkcs),
        SignatureAlgorithm::PS256 => pss(MechanismType::SHA256, PkcsMgfType::MGF1_SHA256),
        SignatureAlgorithm::PS384 => pss(MechanismType::SHA384, PkcsMgfType::MGF1_SHA384),
        SignatureAlgorithm::PS512 => pss(MechanismType::SHA512, PkcsMgfType::MGF1_SHA512),
        SignatureAlgorithm::ES256
        | SignatureAlgorithm::ES384
        | SignatureAlgorithm::ES512
        | SignatureAlgorithm::ES256K => Ok(Mechanism::Ecdsa),
    }
}

/// What stands before the digest in a `DigestInfo` (RFC 8017 section 9.2, note 1).
const fn digest_info(algorithm: SignatureAlgorithm) -> Option<&'static [u8]> {
    const SHA256: &[u8] = &[
        0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04,
        0x20,
    ];
    const SHA384: &[u8] = &[
        0x30, 0x41, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x02, 0x05, 0x00, 0x04,
        0x30,
    ];
    const SHA512: &[u8] = &[
        0x30, 0x51, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x03, 0x05, 0x00, 0x04,
        0x40,
    ];
    match algorithm {
        SignatureAlgorithm::RS256 => Some(SHA256),
        SignatureAlgorithm::RS384 => Some(SHA384),
        SignatureAlgorithm::RS512 => Some(SHA512),
        _ => None,
    }
}

#[derive(Debug)]
struct Loaded(Arc<TokenKey>);

#[async_trait]
impl LoadedKey for Loaded {
    async fn perform(&self, operation: Operation) -> Result<Output, ProviderError> {
        if matches!(operation, Operation::Encrypt(..) | Operation::WrapKey(..)) {
            // Some ten microseconds, and none of the token's business.
            return Ok(self.0.perform_here(operation)?);
        }
        let key = Arc::clone(&self.0);
        let done = self.0.token.uses.run(move || key.perform_here(operation)).await;
        Ok(done.map_err(Fault::from)??)
    }
}

impl std::fmt::Debug for TokenKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "TokenKey({}, {:?})", self.public.spec(), self.token.label())
    }
}
