//! Whether an access token may still be handed out, and when the next one is fetched.

use std::time::Duration;

use bosa_auth_core::{AuthStatus, Entropy, Timestamp};
use bosa_auth_store::{GrantRow, IntegrationWithGrant};
use jiff::SignedDuration;

use crate::error::Result;

/// The part of an access token's lifetime, at its end, in which a reader gets the next one: a
/// twentieth, within these bounds, and never more than half.
const MARGIN_PART: i32 = 20;
const LEAST_MARGIN: SignedDuration = SignedDuration::from_mins(1);
const MOST_MARGIN: SignedDuration = SignedDuration::from_mins(5);
/// Refresh tokens that nobody uses end too, whatever the access token's lifetime.
const LONGEST_IDLE: Duration = Duration::from_secs(14 * 24 * 60 * 60);

/// What an account needs before its access token is handed out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Need {
    /// Nothing.
    Nothing,
    /// Another access token.
    Refresh {
        /// Whether the present one may be handed out when there is no other.
        is_usable: bool,
    },
    /// It has ended, and nothing brings another one.
    Ended,
    /// It must be connected again.
    Reconnect,
}

impl Need {
    pub(super) fn of(found: &IntegrationWithGrant, now: Timestamp) -> Self {
        let status = found.integration.auth_status;
        if status == AuthStatus::NeedsReauth {
            return Self::Reconnect;
        }
        let Some(grant) = &found.grant else {
            return Self::Nothing;
        };
        let grant = &grant.row;
        let is_usable = now < grant.expires_at;
        match &grant.refresh_token {
            Some(_) if status == AuthStatus::Unverified => Self::Refresh { is_usable },
            Some(_) if grant.expires_at.duration_since(now) <= margin(found, grant) => {
                Self::Refresh { is_usable }
            }
            None if !is_usable => Self::Ended,
            _ => Self::Nothing,
        }
    }
}

/// Whether an account is to be refreshed although nobody reads it. What a copy of a backup holds may
/// be another system's by now: only a reader tries that.
pub(super) fn is_due(found: &IntegrationWithGrant, now: Timestamp) -> bool {
    let is_doubtful = matches!(
        found.integration.auth_status,
        AuthStatus::Unverified | AuthStatus::NeedsReauth
    );
    let due = found.grant.as_ref().and_then(|grant| {
        let token = grant.row.refresh_token.as_ref();
        token.and(grant.row.next_refresh_at)
    });
    !is_doubtful && due.is_some_and(|due| due <= now)
}

fn margin(found: &IntegrationWithGrant, grant: &GrantRow) -> SignedDuration {
    let since = grant.refreshed_at.unwrap_or(found.integration.updated_at);
    let lifetime = grant.expires_at.duration_since(since);
    let lifetime = lifetime.max(SignedDuration::ZERO);
    let margin = (lifetime / MARGIN_PART).clamp(LEAST_MARGIN, MOST_MARGIN);
    margin.min(lifetime / 2)
}

/// When an access token that was issued at `at` ends.
pub(crate) fn end_of(at: Timestamp, lifetime: Duration) -> Timestamp {
    at.checked_add(lifetime).unwrap_or(Timestamp::MAX)
}

/// When an account is refreshed without being asked for: at a moment of its own between 60 and 80
/// hundredths of the lifetime, so that what was connected together is not refreshed together.
///
/// # Errors
/// `Internal`: there is no randomness.
pub(crate) fn next_refresh(
    at: Timestamp,
    lifetime: Duration,
    entropy: &dyn Entropy,
) -> Result<Timestamp> {
    let part = 0.6 + 0.2 * chance(entropy)?;
    Ok(end_of(at, lifetime.min(LONGEST_IDLE).mul_f64(part)))
}

/// A number from 0 to 1.
pub(super) fn chance(entropy: &dyn Entropy) -> Result<f64> {
    let mut bytes = [0; 2];
    entropy.fill(&mut bytes)?;
    Ok(f64::from(u16::from_be_bytes(bytes)) / f64::from(u16::MAX))
}
