//! Access tokens: JSON Web Tokens (RFC 7519) in the compact form (RFC 7515).
//!
//! The compact form and the claims are read here, strictly (RFC 8725); signatures are a library's.

mod algorithm;
#[cfg(test)]
mod attacks;
mod claims;
mod issue;
mod key;
mod members;
mod parse;
mod pkcs8;
mod strict_json;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod vectors;
mod verifier;
mod verify;

pub use algorithm::Algorithm;
pub use claims::{Claims, VerifiedClaims};
pub use issue::issue;
pub use key::{KeyError, SigningKey};
pub use parse::{MAX_IMPORTED_TOKEN_BYTES, MAX_TOKEN_BYTES, ParsedToken};
pub use verify::{LEEWAY_SECONDS, SignedClaims};

/// Why a token was not issued or not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// Longer than [`MAX_TOKEN_BYTES`], or than [`MAX_IMPORTED_TOKEN_BYTES`] without a `kid`.
    #[error("token too long")]
    Oversized,
    /// Not three canonical base64url segments, the first two of them JSON objects.
    #[error("malformed token")]
    Malformed,
    /// A header that is not understood: algorithm, type or a critical extension.
    #[error("unsupported token header")]
    UnsupportedHeader,
    /// The header names another key than the one tried.
    #[error("token of another key")]
    OtherKey,
    /// The header names another algorithm than the key's.
    #[error("token of another algorithm")]
    AlgorithmMismatch,
    /// The signature is not the key's over this token.
    #[error("bad token signature")]
    BadSignature,
    /// Issued by someone else.
    #[error("token of another issuer")]
    WrongIssuer,
    /// A claim is missing, of another type, or contradicts another one.
    #[error("invalid token claims")]
    InvalidClaims,
    /// Correct in everything, but its time is over.
    #[error("expired token")]
    Expired,
    /// The key verifies imported tokens only, or the library could not sign.
    #[error("key cannot sign")]
    CannotSign,
}
