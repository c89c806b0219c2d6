//! Whether a token whose signature is right is in force.

use bosa_auth_core::token::{LEEWAY_SECONDS, SigningKey, VerifiedClaims};
use bosa_auth_core::{ClientState, Form, Timestamp, UserState};
use bosa_auth_store::tokens::TokenRow;
use bosa_auth_store::{InstanceState, StoreError};

use crate::cache::TokenFacts;
use crate::error::{Error, Result};
use crate::signing_keys::Verifier;

/// What stands in the row of an imported token for the key that signed it, which nobody knows.
pub(crate) const IMPORTED_KEY: &str = "imported";
/// The same for one whose row knows no end: its own `exp` is the only one, and must be there.
pub(crate) const IMPORTED_KEY_OWN_END: &str = "imported, ends by itself";

/// The row must be the one that the token speaks of.
pub(super) fn check_row(
    found: &TokenFacts<'_>,
    claims: &VerifiedClaims,
    verifier: Option<Verifier<&SigningKey>>,
) -> Result<()> {
    let row = found.token;
    let same = row.user_id == claims.sub && claims.client_id.is_none_or(|id| id == row.client_id);
    let form_and_key = match verifier {
        Some(verifier) => {
            row.form == Form::Current
                && row.signing_key_id == verifier.key.kid()
                && (!verifier.is_generated || found.signing_key_is_stored)
        }
        None => {
            let has_end = claims.exp.is_some() || row.signing_key_id != IMPORTED_KEY_OWN_END;
            row.form == Form::Imported && has_end
        }
    };
    if same && form_and_key {
        Ok(())
    } else {
        Err(Error::InvalidToken)
    }
}

pub(super) fn check_state(found: &TokenFacts<'_>, now: Timestamp) -> Result<()> {
    let row = found.token;
    if found.instance_state != InstanceState::Open {
        return Err(StoreError::Moved.into());
    }
    if found.client.state != ClientState::Active {
        return Err(Error::InvalidClient);
    }
    let ended = row.revoked_at.is_some()
        || row.user_generation != found.user_generation
        || row.client_generation != found.client.generation
        || found.user_state != UserState::Active;
    if ended {
        return Err(Error::RevokedToken);
    }
    if is_over(row, now) {
        Err(Error::ExpiredToken)
    } else {
        Ok(())
    }
}

pub(super) fn is_over(row: &TokenRow, now: Timestamp) -> bool {
    now.as_second() >= row.expires_at.as_second().saturating_add(LEEWAY_SECONDS)
        || row.idle_end.is_some_and(|end| end <= now)
}
