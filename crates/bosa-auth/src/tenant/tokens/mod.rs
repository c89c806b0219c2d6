//! Tokens: issue, verify, revoke, list.

mod issue;
mod list;
mod revoke;
mod slide;
mod state;
mod verify;

use bosa_auth_core::Timestamp;
use jiff::SignedDuration;

pub(crate) use state::{IMPORTED_KEY, IMPORTED_KEY_OWN_END};
pub(crate) use verify::{verified_token, with_client};

use crate::error::{Error, Result};

fn after(now: Timestamp, seconds: i64) -> Result<Timestamp> {
    now.checked_add(SignedDuration::from_secs(seconds))
        .map_err(Error::internal)
}

fn earlier(end: Timestamp, other: Option<Timestamp>) -> Timestamp {
    other.map_or(end, |other| other.min(end))
}
