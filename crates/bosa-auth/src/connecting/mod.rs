//! Connecting accounts through their providers (OAuth 2.0).
//!
//! A connection is begun for a user and has a page of ours first. Only a click there, in a browser
//! that gets a cookie for it, leads to the provider; and what comes back counts only in the same
//! browser, once, and for the user that it was begun for. So nobody collects the account of somebody
//! else by sending a link. See `docs/adr/0014`.

mod begin;
mod completion;
mod cookie;
mod depart;
mod digests;
mod exchange;
mod failure;
mod finish;
mod import;
mod page;
mod reconnect;
mod return_address;
mod store;
mod verifier;

use bosa_auth_core::{ClientState, Secret, UserState};
use bosa_auth_store::users::UserWithClient;
use bosa_auth_store::{ConnectStateRow, InstanceState, StoreError, api_keys};
use jiff::SignedDuration;

use crate::auth::Inner;
use crate::error::{Error, Result};
use crate::tenant::is_live;

pub use cookie::{BrowserCookie, BrowserCookies};
pub use depart::ConnectDeparture;
pub use failure::ConnectFailure;
pub(crate) use import::ImportedTokens;

pub use finish::{ConnectEnd, ConnectLanding, ConnectedAccount, ProviderAnswer};
pub use page::ConnectPage;

/// From the beginning of a connection to its end.
pub(crate) const LASTS: SignedDuration = SignedDuration::from_mins(10);
/// Connections of one user that may be under way; one more ends the oldest.
const MOST_UNDER_WAY: u32 = 20;
/// Characters of the secrets in addresses.
const SECRET_LENGTH: usize = 43;

const NO_CONNECTION: Error = Error::NotFound { what: "connection" };

/// A connection to be begun.
#[derive(Debug, Clone, Default)]
pub struct NewConnection {
    /// The kind of third party, for example `github`.
    pub connector: String,
    /// Where the browser goes afterwards; absent, or an address of our own callback: a plain page.
    pub callback_url: Option<String>,
    /// Whether an account of the same name may be there already that was stored by a caller, and then
    /// gets the new credential.
    pub replace_duplicate: bool,
}

/// A connection that was begun.
#[derive(Debug)]
pub struct BegunConnection {
    /// The address of the page where the user goes on, good for one use within ten minutes. Empty on
    /// a replay.
    ///
    /// # Security
    /// Whoever opens it and clicks gives an account to the user that the page names.
    pub url: Secret,
}

/// Whether a text has the form of the secrets in addresses. Anything else is not looked up.
fn is_secret(text: &str) -> bool {
    let is_ours = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    text.len() == SECRET_LENGTH && text.bytes().all(is_ours)
}

/// The user of a connection with its client, if everything that it was begun with is still good: the
/// connection has not ended, client and user are active, and the API key is in force.
///
/// # Errors
/// `DatabaseUnavailable`.
async fn owner(inner: &Inner, row: &ConnectStateRow) -> Result<Option<UserWithClient>> {
    let mut client = inner.store.client(row.client_id);
    let Some(found) = client.user(row.user_id).await? else {
        return Ok(None);
    };
    if found.instance_state != InstanceState::Open {
        return Err(StoreError::Moved.into());
    }
    let now = inner.clock.now();
    let is_good = now < row.expires_at
        && found.client.state == ClientState::Active
        && found.user.state == UserState::Active;
    if !is_good {
        return Ok(None);
    }
    if let Some(id) = row.api_key_id {
        let key = api_keys::find(&inner.store, id).await?;
        if !key.is_some_and(|key| is_live(&key.key, &key.client, now)) {
            return Ok(None);
        }
    }
    Ok(Some(found))
}
