//! [`Pkcs11Provider`]: keys that are made in a token and stay there.

use std::sync::Arc;

use async_trait::async_trait;
use cryptoki::mechanism::Mechanism;
use cryptoki::object::{Attribute, KeyType, ObjectClass, ObjectHandle};
use cryptoki::session::Session;
use strongroom_crypto::{KeySpec, PrivateKey, PublicKey};
use strongroom_store::provider::{KeyProvider, LoadedKey, ProvidedKey, ProviderError};
use strongroom_wire::Sensitive;
use strongroom_wire::algorithms::SignatureAlgorithm;
use strongroom_wire::jwk::{ImportJwk, PublicJwk};
use zeroize::Zeroize as _;

use super::fault::Fault;
use super::import;
use super::key::{self, TokenKey};
use super::objects::{self, KeyId};
use super::token::Token;

/// What a handle begins with: which form it has.
const FORM: u8 = 1;

/// Keeps keys in a PKCS#11 token: sensitive, not extractable, used through a pool of sessions. The
/// handle is the key's `CKA_ID` behind a byte for its form.
#[derive(Debug, Clone)]
pub struct Pkcs11Provider {
    token: Arc<Token>,
}

impl Pkcs11Provider {
    pub(super) const fn new(token: Arc<Token>) -> Self {
        Self { token }
    }

    /// The label of the token.
    #[must_use]
    pub fn token_label(&self) -> &str {
        self.token.label()
    }

    /// The serial number of the token.
    #[must_use]
    pub fn token_serial(&self) -> &str {
        self.token.serial()
    }

    fn check_offered(&self, spec: KeySpec) -> Result<(), Fault> {
        if self.token.offers().contains(&spec) {
            return Ok(());
        }
        let offered: Vec<String> = self.token.offers().iter().map(ToString::to_string).collect();
        Err(Fault::Unsupported(format!("the token cannot keep {spec} keys; it offers {}", offered.join(", "))))
    }
}

#[async_trait]
impl KeyProvider for Pkcs11Provider {
    fn offers(&self) -> Vec<KeySpec> {
        self.token.offers().to_vec()
    }

    fn is_hardware(&self) -> bool {
        true
    }

    async fn generate(&self, spec: KeySpec) -> Result<ProvidedKey, ProviderError> {
        self.check_offered(spec)?;
        let token = Arc::clone(&self.token);
        let made = self.token.makes.run(move || generate(&token, spec)).await;
        Ok(provided(made.map_err(Fault::from)??))
    }

    async fn import(&self, jwk: ImportJwk) -> Result<ProvidedKey, ProviderError> {
        let this = self.clone();
        let made = self.token.makes.run(move || {
            let key = PrivateKey::from_jwk(&jwk)?;
            this.check_offered(key.spec())?;
            take_in(&this.token, &key)
        });
        Ok(provided(made.await.map_err(Fault::from)??))
    }

    async fn load(&self, handle: &Sensitive<Vec<u8>>) -> Result<Arc<dyn LoadedKey>, ProviderError> {
        let id = id_of(handle)?;
        let token = Arc::clone(&self.token);
        let found = self.token.uses.run(move || TokenKey::find(&token, id)).await;
        Ok(found.map_err(Fault::from)??.loaded())
    }

    async fn destroy(&self, handle: &Sensitive<Vec<u8>>) -> Result<(), ProviderError> {
        let id = id_of(handle)?;
        let token = Arc::clone(&self.token);
        let done = self.token.uses.run(move || token.with(|session, _| destroy(&token, session, id))).await;
        Ok(done.map_err(Fault::from)??)
    }
}

fn id_of(handle: &Sensitive<Vec<u8>>) -> Result<KeyId, Fault> {
    let id = handle.expose().strip_prefix(&[FORM]).and_then(|id| id.try_into().ok());
    id.ok_or_else(|| Fault::Other("the key's handle is not one of a PKCS#11 token".to_owned()))
}

fn provided((id, key): (KeyId, TokenKey)) -> ProvidedKey {
    let handle = Sensitive::new([&[FORM][..], &id].concat());
    ProvidedKey { handle, public: key.public().to_jwk(), loaded: key.loaded() }
}

fn generate(token: &Arc<Token>, spec: KeySpec) -> Result<(KeyId, TokenKey), Fault> {
    let mechanism = match spec {
        KeySpec::Rsa { .. } => Mechanism::RsaPkcsKeyPairGen,
        KeySpec::Ec(_) => Mechanism::EccKeyPairGen,
    };
    let numbers = objects::generated(spec)?;
    let (id, public, found) = token.with(|session, login| {
        // Another one at a second try: the first may have left something behind.
        let id = objects::fresh_id()?;
        let template = [objects::public(id, spec), numbers.clone()].concat();
        let (public, private) = session.generate_key_pair(&mechanism, &template, &objects::private(id, spec))?;
        let read = objects::read_public(session, public);
        let read = read.and_then(|key| if key.spec() == spec { Ok(key) } else { Err(other_key()) });
        Ok((id, read.inspect_err(|_fault| undo(session, &[public, private]))?, (login, private)))
    })?;
    Ok((id, TokenKey::new(Arc::clone(token), id, public, Some(found))))
}

/// Puts a key that was checked into the token.
fn take_in(token: &Arc<Token>, key: &PrivateKey) -> Result<(KeyId, TokenKey), Fault> {
    let (id, spec) = (objects::fresh_id()?, key.spec());
    let document = key.to_pkcs8()?;
    let numbers = import::numbers(spec, document.expose()).ok_or_else(other_key)?;
    drop(document);
    let kind = match spec {
        KeySpec::Rsa { .. } => KeyType::RSA,
        KeySpec::Ec(_) => KeyType::EC,
    };
    let mut public = objects::public(id, spec);
    public.extend([Attribute::Class(ObjectClass::PUBLIC_KEY), Attribute::KeyType(kind)]);
    public.extend(public_numbers(key.public()));
    let mut private = objects::private(id, spec);
    private.extend([Attribute::Class(ObjectClass::PRIVATE_KEY), Attribute::KeyType(kind)]);
    private.extend(numbers);
    let created = token.with(|session, login| {
        // What a first try may have left behind.
        undo(session, &objects::find(session, ObjectClass::PRIVATE_KEY, &id)?);
        let object = session.create_object(&private)?;
        let other = session.create_object(&public);
        let other = other.inspect_err(|_fault| undo(session, &[object]))?;
        Ok(((login, object), other))
    });
    private.iter_mut().for_each(wipe);
    let (found, public) = created?;
    let made = TokenKey::new(Arc::clone(token), id, key.public().clone(), Some(found));
    // Did it take in the same key?
    let (algorithm, digest) = trial(spec);
    let same = made.sign(algorithm, &digest).and_then(|signature| {
        if key.public().verify(algorithm, &digest, &signature)? { Ok(()) } else { Err(other_key()) }
    });
    if let Err(fault) = same {
        let undone = token.with(|session, _| {
            undo(session, &[found.1, public]);
            Ok(())
        });
        return undone.and(Err(fault));
    }
    Ok((id, made))
}

fn public_numbers(key: &PublicKey) -> Vec<Attribute> {
    match key.to_jwk() {
        PublicJwk::Rsa { n, e } => vec![Attribute::Modulus(n.0), Attribute::PublicExponent(e.0)],
        PublicJwk::Ec { crv, x, y } => {
            vec![Attribute::EcParams(objects::ec_params(crv)), Attribute::EcPoint(import::ec_point(&x.0, &y.0))]
        }
    }
}

fn trial(spec: KeySpec) -> (SignatureAlgorithm, Vec<u8>) {
    let fits = |algorithm: &SignatureAlgorithm| match spec {
        KeySpec::Rsa { .. } => *algorithm == SignatureAlgorithm::RS256,
        KeySpec::Ec(curve) => algorithm.curve() == Some(curve),
    };
    let algorithm = SignatureAlgorithm::ALL.iter().copied().find(fits).unwrap_or(SignatureAlgorithm::RS256);
    (algorithm, vec![0x5a; algorithm.digest_len()])
}

/// Both halves, and whatever else has the identifier.
fn destroy(token: &Token, session: &Session, id: KeyId) -> Result<(), Fault> {
    // Not seen is not gone: who is not logged in sees nothing either.
    match key::find_private(token, session, id) {
        Ok(_) | Err(Fault::NoKey(_)) => {}
        Err(fault) => return Err(fault),
    }
    for class in [ObjectClass::PRIVATE_KEY, ObjectClass::PUBLIC_KEY] {
        for object in objects::find(session, class, &id)? {
            match session.destroy_object(object).map_err(Fault::from) {
                Err(fault) if !fault.moved() => return Err(fault),
                // Another was faster.
                _ => {}
            }
        }
    }
    Ok(())
}

/// Removes what was made in vain.
fn undo(session: &Session, objects: &[ObjectHandle]) {
    for object in objects {
        if let Err(fault) = session.destroy_object(*object) {
            tracing::warn!(%fault, "an unused key was left in the token");
        }
    }
}

fn wipe(attribute: &mut Attribute) {
    match attribute {
        Attribute::PrivateExponent(bytes)
        | Attribute::Prime1(bytes)
        | Attribute::Prime2(bytes)
        | Attribute::Exponent1(bytes)
        | Attribute::Exponent2(bytes)
        | Attribute::Coefficient(bytes)
        | Attribute::Value(bytes) => bytes.zeroize(),
        _ => {}
    }
}

fn other_key() -> Fault {
    Fault::Other("the token made another key than it was asked for".to_owned())
}
