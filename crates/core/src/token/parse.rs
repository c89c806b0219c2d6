//! Reading the compact form, before any key is involved.

use std::collections::BTreeMap;
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use zeroize::Zeroizing;

use super::strict_json::{self, Json};
use super::{Algorithm, TokenError};

/// The longest text that is looked at, in bytes.
pub const MAX_TOKEN_BYTES: usize = 8192;

/// The only type of token (RFC 7515 section 4.1.9).
pub(super) const TYPE: &str = "JWT";

/// A text that has the form of a token.
///
/// # Security
/// Nothing in it is to be believed before [`ParsedToken::verify`].
pub struct ParsedToken {
    pub(super) algorithm: Algorithm,
    kid: Option<String>,
    /// Whether `typ` is exactly the one type there is.
    pub(super) is_typed: bool,
    pub(super) claims: BTreeMap<String, Json>,
    /// The first two segments with the dot between them.
    pub(super) signed: String,
    /// Wiped, because without it the rest is no credential.
    pub(super) signature: Zeroizing<Vec<u8>>,
}

impl ParsedToken {
    /// Takes the compact form apart.
    ///
    /// It has three segments of canonical base64url without padding; header and claims are JSON
    /// objects in UTF-8 without a member that occurs twice. Members that would name a key (`jku`,
    /// `jwk`, `x5u`, `x5c`) are ignored like every unknown one.
    ///
    /// # Errors
    /// `Oversized`, before any other work; `Malformed`; `UnsupportedHeader` for an algorithm that
    /// is not accepted, a `kid` that is not a text, or any `crit` (RFC 7515 section 4.1.11).
    pub fn parse(text: &str) -> Result<Self, TokenError> {
        if text.len() > MAX_TOKEN_BYTES {
            return Err(TokenError::Oversized);
        }
        let (signed, signature) = text.rsplit_once('.').ok_or(TokenError::Malformed)?;
        let (header, claims) = signed.split_once('.').ok_or(TokenError::Malformed)?;
        // A further dot lies in the claims and is not of the alphabet.
        let header = object(header)?;
        let claims = object(claims)?;
        let signature = Zeroizing::new(decode(signature)?);
        if header.contains_key("crit") {
            return Err(TokenError::UnsupportedHeader);
        }
        let algorithm = match header.get("alg") {
            Some(Json::Text(name)) => name.parse().map_err(|_| TokenError::UnsupportedHeader)?,
            _ => return Err(TokenError::UnsupportedHeader),
        };
        let kid = match header.get("kid") {
            Some(Json::Text(kid)) => Some(kid.clone()),
            Some(_) => return Err(TokenError::UnsupportedHeader),
            None => None,
        };
        let is_typed = matches!(header.get("typ"), Some(Json::Text(typ)) if typ == TYPE);
        Ok(Self {
            algorithm,
            kid,
            is_typed,
            claims,
            signed: signed.to_owned(),
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

impl fmt::Debug for ParsedToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ParsedToken(redacted)")
    }
}

fn object(segment: &str) -> Result<BTreeMap<String, Json>, TokenError> {
    strict_json::object(&decode(segment)?).ok_or(TokenError::Malformed)
}

fn decode(segment: &str) -> Result<Vec<u8>, TokenError> {
    URL_SAFE_NO_PAD
        .decode(segment)
        .map_err(|_| TokenError::Malformed)
}
