//! Key types, curves, key operations and algorithms, by the names that travel on the wire
//! (REST reference `JsonWebKeyType`, `JsonWebKeyCurveName`, `JsonWebKeyOperation`,
//! `JsonWebKeySignatureAlgorithm`, `JsonWebKeyEncryptionAlgorithm`; RFC 7518).

use serde::{Deserialize, Serialize};

use crate::error::Error;

macro_rules! names {
    ($(#[$doc:meta])* $kind:ident, $what:literal { $($(#[$variant_doc:meta])* $variant:ident = $name:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        pub enum $kind {
            $($(#[$variant_doc])* #[serde(rename = $name)] $variant,)+
        }

        impl $kind {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The name on the wire.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }

            /// Reads the name on the wire; upper and lower case as given.
            ///
            /// # Errors
            /// `BadParameter`, naming what is accepted.
            pub fn parse(name: &str) -> Result<Self, Error> {
                match name {
                    $($name => Ok(Self::$variant),)+
                    _ => Err(Error::bad_parameter(format!(
                        "{} is not supported; use one of {}",
                        $what, [$($name,)+].join(", "),
                    ))),
                }
            }
        }

        impl std::fmt::Display for $kind {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

names! {
    /// Elliptic curves.
    Curve, "The curve (crv)" {
        /// NIST P-256 (secp256r1).
        P256 = "P-256",
        /// NIST P-384 (secp384r1).
        P384 = "P-384",
        /// NIST P-521 (secp521r1).
        P521 = "P-521",
        /// secp256k1, by Azure's name.
        P256K = "P-256K",
    }
}

impl Curve {
    /// Bytes in one coordinate or one half of a signature.
    #[must_use]
    pub const fn coordinate_len(self) -> usize {
        match self {
            Self::P256 | Self::P256K => 32,
            Self::P384 => 48,
            Self::P521 => 66,
        }
    }
}

names! {
    /// What a key may be used for (`key_ops`).
    KeyOp, "The key operation (key_ops)" {
        /// Encrypt a plaintext.
        Encrypt = "encrypt",
        /// Decrypt a ciphertext.
        Decrypt = "decrypt",
        /// Sign a digest.
        Sign = "sign",
        /// Verify a signature.
        Verify = "verify",
        /// Wrap another key.
        WrapKey = "wrapKey",
        /// Unwrap another key.
        UnwrapKey = "unwrapKey",
        /// Be the key-encryption key of a BYOK import.
        Import = "import",
        /// Be released to an attested environment.
        Export = "export",
    }
}

names! {
    /// Signature algorithms. Each signs a digest of one length.
    SignatureAlgorithm, "The signature algorithm (alg)" {
        /// RSASSA-PKCS1-v1_5 with SHA-256 (RFC 8017).
        RS256 = "RS256",
        /// RSASSA-PKCS1-v1_5 with SHA-384.
        RS384 = "RS384",
        /// RSASSA-PKCS1-v1_5 with SHA-512.
        RS512 = "RS512",
        /// RSASSA-PSS with SHA-256, MGF1-SHA-256, 32 bytes of salt.
        PS256 = "PS256",
        /// RSASSA-PSS with SHA-384, MGF1-SHA-384, 48 bytes of salt.
        PS384 = "PS384",
        /// RSASSA-PSS with SHA-512, MGF1-SHA-512, 64 bytes of salt.
        PS512 = "PS512",
        /// ECDSA on P-256 with SHA-256; signatures are r‖s, 64 bytes.
        ES256 = "ES256",
        /// ECDSA on P-384 with SHA-384; signatures are r‖s, 96 bytes.
        ES384 = "ES384",
        /// ECDSA on P-521 with SHA-512; signatures are r‖s, 132 bytes.
        ES512 = "ES512",
        /// ECDSA on secp256k1 with SHA-256; signatures are r‖s, 64 bytes.
        ES256K = "ES256K",
    }
}

impl SignatureAlgorithm {
    /// The only length of digest, in bytes, that this algorithm signs.
    #[must_use]
    pub const fn digest_len(self) -> usize {
        match self {
            Self::RS256 | Self::PS256 | Self::ES256 | Self::ES256K => 32,
            Self::RS384 | Self::PS384 | Self::ES384 => 48,
            Self::RS512 | Self::PS512 | Self::ES512 => 64,
        }
    }

    /// The curve it is bound to; `None` for RSA.
    #[must_use]
    pub const fn curve(self) -> Option<Curve> {
        match self {
            Self::ES256 => Some(Curve::P256),
            Self::ES384 => Some(Curve::P384),
            Self::ES512 => Some(Curve::P521),
            Self::ES256K => Some(Curve::P256K),
            _ => None,
        }
    }
}

names! {
    /// Encryption and key-wrapping algorithms of asymmetric keys.
    EncryptionAlgorithm, "The encryption algorithm (alg)" {
        /// RSAES-OAEP with SHA-1 and MGF1-SHA-1 (RFC 8017).
        RsaOaep = "RSA-OAEP",
        /// RSAES-OAEP with SHA-256 and MGF1-SHA-256.
        RsaOaep256 = "RSA-OAEP-256",
        /// RSAES-PKCS1-v1_5. Kept for old ciphertexts; choose OAEP for new ones.
        Rsa15 = "RSA1_5",
    }
}
