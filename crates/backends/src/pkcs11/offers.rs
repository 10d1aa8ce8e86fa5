//! Which keys a token can make: asked, not believed.

use cryptoki::context::Pkcs11;
use cryptoki::error::{Error, RvError};
use cryptoki::mechanism::{Mechanism, MechanismType};
use cryptoki::object::Attribute;
use cryptoki::session::Session;
use cryptoki::slot::Slot;
use strongroom_crypto::KeySpec;
use strongroom_wire::algorithms::Curve;

use super::fault::Fault;
use super::objects;

/// What the token's mechanisms and their key sizes allow, and for curves, which no token lists, what
/// it does when it is asked to make a key that goes with the session.
pub(super) fn of(context: &Pkcs11, slot: Slot, session: &Session) -> Result<Vec<KeySpec>, Fault> {
    let known = context.get_mechanism_list(slot)?;
    let sizes = |makes: MechanismType, signs: MechanismType| -> Option<(usize, usize)> {
        if !known.contains(&makes) || !known.contains(&signs) {
            return None;
        }
        let info = context.get_mechanism_info(slot, makes).ok().filter(|info| info.generate_key_pair())?;
        Some((info.min_key_size(), info.max_key_size()))
    };
    let mut offers = Vec::new();
    if let Some((least, most)) = sizes(MechanismType::RSA_PKCS_KEY_PAIR_GEN, MechanismType::RSA_PKCS) {
        // Some tell bytes. 4096 bits are 512 bytes, and nobody stops below 2048 bits.
        let in_bits = |size: usize| if most <= 512 { size.saturating_mul(8) } else { size };
        let range = in_bits(least)..=in_bits(most);
        let fits = |bits: &u32| usize::try_from(*bits).is_ok_and(|bits| range.contains(&bits));
        offers.extend([2048, 3072, 4096].into_iter().filter(fits).map(|bits| KeySpec::Rsa { bits }));
    }
    if let Some((least, most)) = sizes(MechanismType::ECC_KEY_PAIR_GEN, MechanismType::ECDSA) {
        let fits = |curve: &Curve| (least..=most).contains(&field_bits(*curve));
        let curves = Curve::ALL.iter().copied().filter(fits).filter(|curve| makes(session, *curve));
        offers.extend(curves.map(KeySpec::Ec));
    }
    Ok(offers)
}

fn makes(session: &Session, curve: Curve) -> bool {
    let public = [Attribute::Token(false), Attribute::Verify(true), Attribute::EcParams(objects::ec_params(curve))];
    let private =
        [Attribute::Token(false), Attribute::Private(true), Attribute::Sensitive(true), Attribute::Sign(true)];
    match session.generate_key_pair(&Mechanism::EccKeyPairGen, &public, &private) {
        Ok((public, private)) => {
            for object in [public, private] {
                if let Err(fault) = session.destroy_object(object) {
                    tracing::debug!(%fault, "a key that was made to try a curve stays until the session ends");
                }
            }
            true
        }
        Err(Error::Pkcs11(
            RvError::CurveNotSupported
            | RvError::DomainParamsInvalid
            | RvError::AttributeValueInvalid
            | RvError::MechanismParamInvalid
            | RvError::KeySizeRange
            | RvError::FunctionFailed
            | RvError::GeneralError,
            _,
        )) => false,
        // It makes no keys that go with the session. Of the rest, only the NIST curves can be presumed.
        Err(_) => curve != Curve::P256K,
    }
}

const fn field_bits(curve: Curve) -> usize {
    match curve {
        Curve::P256 | Curve::P256K => 256,
        Curve::P384 => 384,
        Curve::P521 => 521,
    }
}
