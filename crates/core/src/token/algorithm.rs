//! The signature algorithms that are accepted.

use crate::text_enum::text_enum;

text_enum! {
    /// A signature algorithm (RFC 7518 section 3.1, RFC 8037); `none` is not one.
    pub enum Algorithm as "signature algorithm" {
        /// HMAC with SHA-256.
        HS256 = "HS256",
        /// HMAC with SHA-384.
        HS384 = "HS384",
        /// HMAC with SHA-512.
        HS512 = "HS512",
        /// RSASSA-PKCS1-v1_5 with SHA-256.
        RS256 = "RS256",
        /// RSASSA-PSS with SHA-256.
        PS256 = "PS256",
        /// ECDSA on P-256 with SHA-256.
        ES256 = "ES256",
        /// ECDSA on P-384 with SHA-384.
        ES384 = "ES384",
        /// Ed25519.
        EdDSA = "EdDSA",
    }
}

impl Algorithm {
    /// Tells whether the same secret signs and verifies.
    pub const fn is_symmetric(self) -> bool {
        matches!(self, Self::HS256 | Self::HS384 | Self::HS512)
    }

    /// Returns how many bytes a text secret has at least, the length of the hash (RFC 7518 section
    /// 3.2); 0 for algorithms whose key is not a text.
    pub const fn min_secret_bytes(self) -> usize {
        match self {
            Self::HS256 => 32,
            Self::HS384 => 48,
            Self::HS512 => 64,
            Self::RS256 | Self::PS256 | Self::ES256 | Self::ES384 | Self::EdDSA => 0,
        }
    }

    pub(super) const fn of_library(self) -> jsonwebtoken::Algorithm {
        match self {
            Self::HS256 => jsonwebtoken::Algorithm::HS256,
            Self::HS384 => jsonwebtoken::Algorithm::HS384,
            Self::HS512 => jsonwebtoken::Algorithm::HS512,
            Self::RS256 => jsonwebtoken::Algorithm::RS256,
            Self::PS256 => jsonwebtoken::Algorithm::PS256,
            Self::ES256 => jsonwebtoken::Algorithm::ES256,
            Self::ES384 => jsonwebtoken::Algorithm::ES384,
            Self::EdDSA => jsonwebtoken::Algorithm::EdDSA,
        }
    }
}
