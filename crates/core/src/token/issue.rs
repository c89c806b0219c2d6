//! Making the compact form of a token.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;

use super::claims::Claims;
use super::key::SigningKey;
use super::parse::{MAX_TOKEN_BYTES, TYPE};
use super::{Algorithm, TokenError};
use crate::secret::Secret;

/// Signs the claims and returns the token's compact form.
///
/// # Errors
/// `InvalidClaims`: `aud` is not the client, or the token would end before it begins. `CannotSign`:
/// the key verifies imported tokens only. `Oversized`: the token would not be accepted back.
pub fn issue(key: &SigningKey, claims: &Claims) -> Result<Secret, TokenError> {
    if claims.aud != claims.client_id.to_string() || claims.exp <= claims.iat {
        return Err(TokenError::InvalidClaims);
    }
    let header = Header {
        typ: TYPE,
        alg: key.algorithm(),
        kid: key.kid(),
    };
    let mut token = format!("{}.{}", segment(&header)?, segment(claims)?);
    let signature = key.sign(token.as_bytes())?;
    token.push('.');
    URL_SAFE_NO_PAD.encode_string(signature, &mut token);
    if token.len() > MAX_TOKEN_BYTES {
        return Err(TokenError::Oversized);
    }
    Ok(Secret::new(token))
}

#[derive(Serialize)]
struct Header<'a> {
    typ: &'static str,
    alg: Algorithm,
    kid: &'a str,
}

fn segment(value: &impl Serialize) -> Result<String, TokenError> {
    let json = serde_json::to_vec(value).map_err(|_| TokenError::Malformed)?;
    Ok(URL_SAFE_NO_PAD.encode(json))
}
