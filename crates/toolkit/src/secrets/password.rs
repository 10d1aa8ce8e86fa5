//! Passwords that nobody has to remember.

use strongroom_crypto::random_bytes;
use strongroom_wire::Sensitive;

use super::VaultSecretError;

/// What they are made of: 70 characters, 6.1 bits each.
const ALPHABET: &[u8; 70] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!@#$%^&*";

/// A password of so many letters, digits and signs, each as likely as any other.
///
/// ```
/// let password = strongroom::secrets::generate_password(32)?;
/// assert_eq!(password.expose().len(), 32);
/// # Ok::<(), strongroom::secrets::VaultSecretError>(())
/// ```
///
/// # Errors
/// [`VaultSecretError::Invalid`] when the machine gives no random numbers.
pub fn generate_password(length: usize) -> Result<Sensitive<String>, VaultSecretError> {
    let mut text = String::with_capacity(length);
    while text.len() < length {
        let bytes = random_bytes::<32>().map_err(|fault| VaultSecretError::Invalid(fault.to_string()))?;
        // Bytes of 210 and more would make the first characters likelier.
        let fair = bytes.iter().filter(|byte| usize::from(**byte) < ALPHABET.len().saturating_mul(3));
        let letters = fair.filter_map(|byte| ALPHABET.get(usize::from(*byte) % ALPHABET.len()));
        text.extend(letters.take(length.saturating_sub(text.len())).map(|letter| char::from(*letter)));
    }
    Ok(Sensitive::new(text))
}
