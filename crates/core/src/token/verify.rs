//! Checking a token against one key.

use super::claims::VerifiedClaims;
use super::key::SigningKey;
use super::parse::ParsedToken;
use super::strict_json::Json;
use super::{Algorithm, TokenError};
use crate::clock::Timestamp;
use crate::id::{ClientId, TokenId, UserId};

/// For how many seconds after its end a token is still accepted, for clocks that differ.
pub const LEEWAY_SECONDS: i64 = 5;

impl ParsedToken {
    /// Checks the token against a key and returns what it says.
    ///
    /// The signature comes first, so that nothing but "bad signature" can be learned with a forged
    /// token. Then type, issuer, audience and ids, and the time last: `Expired` means that the
    /// token was good once.
    ///
    /// A token without `kid` is an imported one: HS256, of which only `sub` and `jti` are required;
    /// `iss`, `aud` and `exp` are checked if present.
    ///
    /// # Errors
    /// Each refusal is its own [`TokenError`]; to the outside all but `Expired` are one.
    ///
    /// # Security
    /// A success means that the token was issued, not that it is still valid: ask its row.
    pub fn verify(
        &self,
        key: &SigningKey,
        issuer: &str,
        now: Timestamp,
    ) -> Result<VerifiedClaims, TokenError> {
        match self.kid() {
            Some(kid) if key.is_for_imported_only() || kid != key.kid() => {
                return Err(TokenError::OtherKey);
            }
            None if key.algorithm() != Algorithm::HS256 => {
                return Err(TokenError::AlgorithmMismatch);
            }
            _ => {}
        }
        if self.algorithm != key.algorithm() {
            return Err(TokenError::AlgorithmMismatch);
        }
        key.verify(self.signed.as_bytes(), &self.signature)?;
        if !self.is_typed {
            return Err(TokenError::UnsupportedHeader);
        }
        let claims = match self.kid() {
            Some(_) => self.own_claims(issuer)?,
            None => self.imported_claims(issuer)?,
        };
        if self
            .integer("nbf")?
            .is_some_and(|begin| !has_come(begin, now))
        {
            return Err(TokenError::InvalidClaims);
        }
        if claims.exp.is_some_and(|end| is_over(end, now)) {
            return Err(TokenError::Expired);
        }
        Ok(claims)
    }

    fn own_claims(&self, issuer: &str) -> Result<VerifiedClaims, TokenError> {
        if self.text("iss")? != Some(issuer) {
            return Err(TokenError::WrongIssuer);
        }
        let client_id: ClientId = required(self.id("client_id")?)?;
        if self.text("aud")? != Some(client_id.to_string().as_str()) {
            return Err(TokenError::InvalidClaims);
        }
        required(self.text("identifier")?)?;
        required(self.integer("iat")?)?;
        Ok(VerifiedClaims {
            sub: required(self.id::<UserId>("sub")?)?,
            client_id: Some(client_id),
            jti: required(self.id::<TokenId>("jti")?)?,
            exp: Some(required(self.integer("exp")?)?),
        })
    }

    fn imported_claims(&self, issuer: &str) -> Result<VerifiedClaims, TokenError> {
        if self.text("iss")?.is_some_and(|iss| iss != issuer) {
            return Err(TokenError::WrongIssuer);
        }
        if self.claims.contains_key("aud")
            && (self.text("aud")?.is_none() || self.text("aud")? != self.text("client_id")?)
        {
            return Err(TokenError::InvalidClaims);
        }
        Ok(VerifiedClaims {
            sub: required(self.id::<UserId>("sub")?)?,
            // The original put the user's id there.
            client_id: None,
            jti: required(self.id::<TokenId>("jti")?)?,
            exp: self.integer("exp")?,
        })
    }

    /// A claim that is a text if it is there.
    fn text(&self, name: &str) -> Result<Option<&str>, TokenError> {
        match self.claims.get(name) {
            Some(Json::Text(text)) => Ok(Some(text)),
            Some(_) => Err(TokenError::InvalidClaims),
            None => Ok(None),
        }
    }

    /// A claim that is a whole number if it is there.
    fn integer(&self, name: &str) -> Result<Option<i64>, TokenError> {
        match self.claims.get(name) {
            Some(Json::Integer(number)) => Ok(Some(*number)),
            Some(_) => Err(TokenError::InvalidClaims),
            None => Ok(None),
        }
    }

    /// A claim that is an id, in its canonical text, if it is there.
    fn id<T: std::str::FromStr + ToString>(&self, name: &str) -> Result<Option<T>, TokenError> {
        let Some(text) = self.text(name)? else {
            return Ok(None);
        };
        match text.parse::<T>() {
            Ok(id) if id.to_string() == text => Ok(Some(id)),
            _ => Err(TokenError::InvalidClaims),
        }
    }
}

fn required<T>(claim: Option<T>) -> Result<T, TokenError> {
    claim.ok_or(TokenError::InvalidClaims)
}

fn is_over(end: i64, now: Timestamp) -> bool {
    now.as_second() >= end.saturating_add(LEEWAY_SECONDS)
}

fn has_come(begin: i64, now: Timestamp) -> bool {
    now.as_second() >= begin.saturating_sub(LEEWAY_SECONDS)
}
