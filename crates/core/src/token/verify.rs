//! Checking a token against one key.

use uuid::Uuid;

use super::claims::VerifiedClaims;
use super::key::SigningKey;
use super::members::Member;
use super::parse::ParsedToken;
use super::{Algorithm, TokenError};
use crate::clock::Timestamp;

/// For how many seconds after its end a token is still accepted, for clocks that differ.
pub const LEEWAY_SECONDS: i64 = 5;

impl ParsedToken<'_> {
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
        self.verify_signed(key, issuer)?.at(now)
    }

    /// Checks everything but the time, which the result is asked for.
    ///
    /// # Errors
    /// As [`verify`](Self::verify), but never `Expired`.
    pub fn verify_signed(
        &self,
        key: &SigningKey,
        issuer: &str,
    ) -> Result<SignedClaims, TokenError> {
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
        key.verify(self.signed.as_bytes(), self.signature.as_bytes())?;
        if !self.is_typed {
            return Err(TokenError::UnsupportedHeader);
        }
        let claims = match self.kid() {
            Some(_) => self.own_claims(issuer)?,
            None => self.imported_claims(issuer)?,
        };
        Ok(SignedClaims {
            claims,
            not_before: integer(&self.claims.nbf)?,
        })
    }

    fn own_claims(&self, issuer: &str) -> Result<VerifiedClaims, TokenError> {
        if text(&self.claims.iss)? != Some(issuer) {
            return Err(TokenError::WrongIssuer);
        }
        let client_id = id(&self.claims.client_id)?;
        // Both are canonical, so that the same id is the same text.
        if id(&self.claims.aud)? != client_id {
            return Err(TokenError::InvalidClaims);
        }
        if self.claims.identifier != Member::SomeText {
            return Err(TokenError::InvalidClaims);
        }
        required(integer(&self.claims.iat)?)?;
        Ok(VerifiedClaims {
            sub: id(&self.claims.sub)?.into(),
            client_id: Some(client_id.into()),
            jti: id(&self.claims.jti)?.into(),
            exp: Some(required(integer(&self.claims.exp)?)?),
        })
    }

    fn imported_claims(&self, issuer: &str) -> Result<VerifiedClaims, TokenError> {
        if text(&self.claims.iss)?.is_some_and(|iss| iss != issuer) {
            return Err(TokenError::WrongIssuer);
        }
        let audience = &self.claims.aud;
        let is_text = matches!(audience, Member::Id(_) | Member::Text(_));
        if audience.is_present() && !(is_text && *audience == self.claims.client_id) {
            return Err(TokenError::InvalidClaims);
        }
        Ok(VerifiedClaims {
            sub: id(&self.claims.sub)?.into(),
            // The original put the user's id there.
            client_id: None,
            jti: id(&self.claims.jti)?.into(),
            exp: integer(&self.claims.exp)?,
        })
    }
}

/// The claims of a token of which everything but the time was checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SignedClaims {
    claims: VerifiedClaims,
    not_before: Option<i64>,
}

impl SignedClaims {
    /// Returns the claims if the token's time has come and is not over.
    ///
    /// # Errors
    /// `InvalidClaims` before its time, `Expired` after it.
    pub fn at(&self, now: Timestamp) -> Result<VerifiedClaims, TokenError> {
        if !self.has_begun(now) {
            return Err(TokenError::InvalidClaims);
        }
        if self.claims.exp.is_some_and(|end| is_over(end, now)) {
            return Err(TokenError::Expired);
        }
        Ok(self.claims)
    }

    /// Returns the claims of a token that may be over; `None` before its time.
    ///
    /// # Security
    /// The end is left to the caller.
    pub fn begun_by(&self, now: Timestamp) -> Option<VerifiedClaims> {
        self.has_begun(now).then_some(self.claims)
    }

    /// Returns the token's own id, by which its row is found.
    pub fn jti(&self) -> crate::id::TokenId {
        self.claims.jti
    }

    fn has_begun(&self, now: Timestamp) -> bool {
        self.not_before
            .is_none_or(|begin| now.as_second() >= begin.saturating_sub(LEEWAY_SECONDS))
    }
}

/// A claim that is a text if it is there.
fn text(claim: &Member) -> Result<Option<&str>, TokenError> {
    match claim {
        Member::Text(text) => Ok(Some(text)),
        Member::Absent => Ok(None),
        _ => Err(TokenError::InvalidClaims),
    }
}

/// A claim that is a whole number if it is there.
fn integer(claim: &Member) -> Result<Option<i64>, TokenError> {
    match claim {
        Member::Integer(number) => Ok(Some(*number)),
        Member::Absent => Ok(None),
        _ => Err(TokenError::InvalidClaims),
    }
}

/// A claim that must be an id, in its canonical text.
fn id(claim: &Member) -> Result<Uuid, TokenError> {
    match claim {
        Member::Id(id) => Ok(*id),
        _ => Err(TokenError::InvalidClaims),
    }
}

fn required<T>(claim: Option<T>) -> Result<T, TokenError> {
    claim.ok_or(TokenError::InvalidClaims)
}

fn is_over(end: i64, now: Timestamp) -> bool {
    now.as_second() >= end.saturating_add(LEEWAY_SECONDS)
}
