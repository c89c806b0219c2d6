//! Reading the compact form, before any key is involved.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use zeroize::Zeroize as _;

use super::members::{ClaimSet, Header, Member, Named};
use super::strict_json;
use super::{Algorithm, TokenError};

/// The longest token with a `kid`, in bytes.
pub const MAX_TOKEN_BYTES: usize = 8192;

/// The longest text that is looked at, in bytes: a token of the original holds its user's identifier, for
/// which there was no limit.
pub const MAX_IMPORTED_TOKEN_BYTES: usize = 64 * 1024;

/// The only type of token (RFC 7515 section 4.1.9).
pub(super) const TYPE: &str = "JWT";

/// A text that has the form of a token.
///
/// # Security
/// Nothing in it is to be believed before [`ParsedToken::verify`].
pub struct ParsedToken<'t> {
    pub(super) algorithm: Algorithm,
    kid: Option<String>,
    /// Whether `typ` is exactly the one type there is.
    pub(super) is_typed: bool,
    pub(super) claims: ClaimSet,
    /// The first two segments with the dot between them.
    pub(super) signed: &'t str,
    pub(super) signature: Signature,
}

impl<'t> ParsedToken<'t> {
    /// Takes the compact form apart.
    ///
    /// It has three segments of canonical base64url without padding; header and claims are JSON
    /// objects in UTF-8 without a member that occurs twice. Members that would name a key (`jku`,
    /// `jwk`, `x5u`, `x5c`) are ignored like every unknown one.
    ///
    /// # Errors
    /// `Oversized`, before any other work, or as soon as a long one has a `kid`; `Malformed`; `UnsupportedHeader` for an algorithm that
    /// is not accepted, a `kid` that is not a text, or any `crit` (RFC 7515 section 4.1.11).
    pub fn parse(text: &'t str) -> Result<Self, TokenError> {
        if text.len() > MAX_IMPORTED_TOKEN_BYTES {
            return Err(TokenError::Oversized);
        }
        let (signed, signature) = text.rsplit_once('.').ok_or(TokenError::Malformed)?;
        let (header, claims) = signed.split_once('.').ok_or(TokenError::Malformed)?;
        // A further dot lies in the claims and is not of the alphabet. One buffer serves both.
        let mut buffer = Vec::with_capacity(header.len().max(claims.len()));
        let header: Header = object(header, &mut buffer)?;
        if text.len() > MAX_TOKEN_BYTES && header.kid.is_present() {
            return Err(TokenError::Oversized);
        }
        let claims = object(claims, &mut buffer)?;
        let signature = Signature::decode(signature)?;
        if header.crit.is_present() {
            return Err(TokenError::UnsupportedHeader);
        }
        let Named::Known(algorithm) = header.algorithm else {
            return Err(TokenError::UnsupportedHeader);
        };
        let kid = match header.kid {
            Member::Text(kid) => Some(kid),
            Member::Absent => None,
            _ => return Err(TokenError::UnsupportedHeader),
        };
        Ok(Self {
            algorithm,
            kid,
            is_typed: matches!(header.typ, Named::Known(())),
            claims,
            signed,
            signature,
        })
    }

    /// Returns the name of the key that the token claims to be signed with.
    ///
    /// # Security
    /// Anyone may have written it: only look it up among known keys (RFC 8725 section 3.10).
    pub fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }
}

impl fmt::Debug for ParsedToken<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ParsedToken(redacted)")
    }
}

/// The bytes of a signature, wiped on drop: without it the rest of a token is no credential.
pub(super) struct Signature(Place);

enum Place {
    /// With the number of bytes.
    Short([u8; SHORT], usize),
    Long(Vec<u8>),
}

/// As long as the signatures of all algorithms but RSA and P-384, and room for the decoder.
const SHORT: usize = 66;

impl Signature {
    fn decode(segment: &str) -> Result<Self, TokenError> {
        if base64::decoded_len_estimate(segment.len()) > SHORT {
            let mut bytes = Vec::new();
            append(segment, &mut bytes)?;
            return Ok(Self(Place::Long(bytes)));
        }
        let mut bytes = [0; SHORT];
        let length = URL_SAFE_NO_PAD
            .decode_slice(segment, &mut bytes)
            .map_err(|_| TokenError::Malformed)?;
        Ok(Self(Place::Short(bytes, length)))
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        match &self.0 {
            Place::Short(bytes, length) => bytes.get(..*length).unwrap_or_default(),
            Place::Long(bytes) => bytes,
        }
    }
}

impl Drop for Signature {
    fn drop(&mut self) {
        match &mut self.0 {
            Place::Short(bytes, _) => bytes.zeroize(),
            Place::Long(bytes) => bytes.zeroize(),
        }
    }
}

fn object<M: strict_json::Members>(segment: &str, buffer: &mut Vec<u8>) -> Result<M, TokenError> {
    buffer.clear();
    append(segment, buffer)?;
    strict_json::object(buffer).ok_or(TokenError::Malformed)
}

fn append(segment: &str, buffer: &mut Vec<u8>) -> Result<(), TokenError> {
    URL_SAFE_NO_PAD
        .decode_vec(segment, buffer)
        .map_err(|_| TokenError::Malformed)
}
