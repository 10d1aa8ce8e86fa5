//! Values that must not be seen: no `Debug`, no `Display`, no `Clone`, wiped on drop.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize};
use zeroize::Zeroize;

/// A secret value, a private key, a token or a password.
///
/// Its bytes are wiped when it is dropped. `Debug` prints a placeholder. Copying it or writing it
/// out has to be asked for by name: [`Sensitive::expose`].
pub struct Sensitive<T: Zeroize>(T);

impl<T: Zeroize> Sensitive<T> {
    /// Takes custody of `value`. Copies made before this call are the caller's to wipe.
    pub const fn new(value: T) -> Self {
        Self(value)
    }

    /// The value itself. Every call is a place where it could leak: keep them few.
    pub const fn expose(&self) -> &T {
        &self.0
    }

    /// A second copy, equally guarded.
    #[must_use]
    pub fn duplicate(&self) -> Self
    where
        T: Clone,
    {
        Self(self.0.clone())
    }
}

impl<T: Zeroize> Drop for Sensitive<T> {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl<T: Zeroize> fmt::Debug for Sensitive<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

impl<T: Zeroize> From<T> for Sensitive<T> {
    fn from(value: T) -> Self {
        Self::new(value)
    }
}

impl<'de, T: Zeroize + Deserialize<'de>> Deserialize<'de> for Sensitive<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        T::deserialize(deserializer).map(Self)
    }
}

/// For `#[serde(serialize_with = "expose")]`: writes the value out, on purpose.
///
/// # Errors
/// Those of the serializer.
pub fn expose<T: Zeroize + Serialize, S: serde::Serializer>(
    value: &Sensitive<T>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    value.expose().serialize(serializer)
}

/// As [`expose`], for an optional value.
///
/// # Errors
/// Those of the serializer.
pub fn expose_option<T: Zeroize + Serialize, S: serde::Serializer>(
    value: &Option<Sensitive<T>>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    value.as_ref().map(Sensitive::expose).serialize(serializer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_nothing() {
        let secret = Sensitive::new(String::from("hunter2"));
        assert_eq!(format!("{secret:?}"), "[redacted]");
    }
}
