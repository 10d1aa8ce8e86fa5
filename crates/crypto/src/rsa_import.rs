//! RSA keys from JSON Web Keys: every member is checked against the others, and the CRT members
//! that are absent are computed (RFC 7518 section 6.3, RFC 8017 section 3.2).

use aws_lc_rs::rsa::KeyPairComponents;
use aws_lc_rs::signature::{RsaKeyPair, RsaPublicKeyComponents};
use crypto_bigint::{BoxedUint, ConcatenatingMul as _, NonZero};
use strongroom_wire::jwk::{ImportJwk, SensitiveBytes};
use zeroize::Zeroizing;

use crate::error::CryptoError;
use crate::rsa::{RsaPublic, without_leading_zeros};

type Secret = Zeroizing<BoxedUint>;

/// Builds the key pair of an RSA JWK.
pub(crate) fn key_pair(jwk: &ImportJwk) -> Result<RsaKeyPair, CryptoError> {
    let (n, e) = (public_member(jwk.n.as_ref(), "n")?, public_member(jwk.e.as_ref(), "e")?);
    let bits = RsaPublic::new(n, e)?.bits();
    let factors = Factors {
        n: number(n, bits)?,
        e: number(e, bits)?,
        d: required(jwk.d.as_ref(), "d", bits)?,
        p: required(jwk.p.as_ref(), "p", bits)?,
        q: required(jwk.q.as_ref(), "q", bits)?,
    };
    let crt = factors.check()?;
    agrees(jwk.dp.as_ref(), "dp", "d mod (p - 1)", &crt.dp, bits)?;
    agrees(jwk.dq.as_ref(), "dq", "d mod (q - 1)", &crt.dq, bits)?;
    agrees(jwk.qi.as_ref(), "qi", "the inverse of q mod p", &crt.qi, bits)?;

    RsaKeyPair::from_components(&KeyPairComponents {
        public_key: RsaPublicKeyComponents { n, e },
        d: bytes(&factors.d),
        p: bytes(&factors.p),
        q: bytes(&factors.q),
        dP: bytes(&crt.dp),
        dQ: bytes(&crt.dq),
        qInv: bytes(&crt.qi),
    })
    .map_err(|_rejected| invalid("the members of the RSA key are not consistent with each other"))
}

struct Factors {
    n: Secret,
    e: Secret,
    d: Secret,
    p: Secret,
    q: Secret,
}

struct Crt {
    dp: Secret,
    dq: Secret,
    qi: Secret,
}

impl Factors {
    fn check(&self) -> Result<Crt, CryptoError> {
        let one = BoxedUint::one();
        if *self.p <= one || *self.q <= one {
            return Err(invalid("the RSA primes (p, q) have to be greater than 1"));
        }
        if *Zeroizing::new(self.p.concatenating_mul(self.q.as_uint_ref())) != *self.n {
            return Err(invalid("the RSA modulus (n) is not the product of p and q"));
        }
        if *self.d >= *self.n {
            return Err(invalid("the RSA private exponent (d) is not less than the modulus (n)"));
        }
        let product = Zeroizing::new(self.d.concatenating_mul(self.e.as_uint_ref()));
        let (p_less_one, q_less_one) = (less_one(&self.p)?, less_one(&self.q)?);
        for modulus in [&p_less_one, &q_less_one] {
            if *Zeroizing::new(product.rem(&**modulus)) != one {
                return Err(invalid("the RSA private exponent (d) does not belong to the public exponent (e)"));
            }
        }
        // p is odd, or the product n would be even; equal factors leave no inverse.
        let p = Zeroizing::new(non_zero(&self.p)?);
        let odd = self.p.to_odd().into_option().ok_or_else(|| invalid("the RSA prime p is even"))?;
        let odd = Zeroizing::new(odd);
        let qi = Zeroizing::new(self.q.rem(&*p))
            .invert_odd_mod(&odd)
            .into_option()
            .ok_or_else(|| invalid("the RSA primes p and q are equal or share a factor"))?;
        Ok(Crt {
            dp: Zeroizing::new(self.d.rem(&*p_less_one)),
            dq: Zeroizing::new(self.d.rem(&*q_less_one)),
            qi: Zeroizing::new(qi),
        })
    }
}

fn public_member<'a>(
    member: Option<&'a strongroom_wire::base64url::Base64Url>,
    name: &str,
) -> Result<&'a [u8], CryptoError> {
    let member = member.ok_or_else(|| CryptoError::InvalidKey(format!("the RSA key lacks {name}")))?;
    Ok(without_leading_zeros(&member.0))
}

fn required(member: Option<&SensitiveBytes>, name: &str, bits: u32) -> Result<Secret, CryptoError> {
    let member = member
        .ok_or_else(|| CryptoError::InvalidKey(format!("the RSA key lacks {name}; n, e, d, p and q are required")))?;
    private_member(member, name, bits)
}

fn private_member(member: &SensitiveBytes, name: &str, bits: u32) -> Result<Secret, CryptoError> {
    number(without_leading_zeros(&member.expose().0), bits)
        .map_err(|_too_long| CryptoError::InvalidKey(format!("the RSA member {name} is longer than the modulus")))
}

/// If the member is there it has to be the number that we computed.
fn agrees(
    member: Option<&SensitiveBytes>,
    name: &str,
    meaning: &str,
    computed: &Secret,
    bits: u32,
) -> Result<(), CryptoError> {
    match member {
        Some(member) if *private_member(member, name, bits)? != **computed => {
            Err(CryptoError::InvalidKey(format!("the RSA member {name} is not {meaning}")))
        }
        _ => Ok(()),
    }
}

/// All numbers are as wide as the modulus, so that time tells nothing about them.
fn number(bytes: &[u8], bits: u32) -> Result<Secret, CryptoError> {
    BoxedUint::from_be_slice(bytes, bits)
        .map(Zeroizing::new)
        .map_err(|_too_long| invalid("a member of the RSA key is longer than the modulus"))
}

fn less_one(number: &BoxedUint) -> Result<Zeroizing<NonZero<BoxedUint>>, CryptoError> {
    let less = Zeroizing::new(number.wrapping_sub(BoxedUint::one()));
    non_zero(&less).map(Zeroizing::new)
}

fn non_zero(number: &BoxedUint) -> Result<NonZero<BoxedUint>, CryptoError> {
    number.to_nz().into_option().ok_or_else(|| invalid("the RSA primes (p, q) have to be greater than 1"))
}

fn bytes(number: &BoxedUint) -> Zeroizing<Box<[u8]>> {
    Zeroizing::new(number.to_be_bytes())
}

fn invalid(message: &str) -> CryptoError {
    CryptoError::InvalidKey(message.to_owned())
}
