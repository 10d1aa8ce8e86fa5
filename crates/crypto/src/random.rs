//! Random values from aws-lc's generator, seeded by the operating system.

use aws_lc_rs::rand;

use crate::error::CryptoError;

/// `N` random bytes.
///
/// # Errors
/// `Internal` if the generator fails.
pub fn random_bytes<const N: usize>() -> Result<[u8; N], CryptoError> {
    let mut bytes = [0; N];
    rand::fill(&mut bytes).map_err(|_unspecified| CryptoError::Internal("the random number generator failed"))?;
    Ok(bytes)
}

/// A random 128-bit number: the version of an object.
///
/// # Errors
/// `Internal` if the generator fails.
pub fn random_u128() -> Result<u128, CryptoError> {
    random_bytes().map(u128::from_be_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differ_each_time() {
        assert_ne!(random_u128().unwrap(), random_u128().unwrap());
        assert_ne!(random_bytes::<32>().unwrap(), [0; 32]);
    }
}
