//! Refreshing ahead of need, so that readers seldom wait, and that refresh tokens of accounts which
//! nobody reads do not end unused.

use std::collections::HashSet;
use std::time::Duration;

use bosa_auth_store::{AccountPlace, ClientTx, grants};
use tokio::task::JoinSet;

use super::need::{chance, end_of, is_due};
use super::outcome::Outcome;
use super::running::Phase;
use super::{Account, Wish};
use crate::auth::Auth;
use crate::error::{Error, Result};
use crate::tenant::is_active;

/// How many accounts are looked up at a time, and how many are refreshed at a time.
const BATCH: u32 = 100;
const AT_ONCE: usize = 8;
/// When an account is looked at again that could not be refreshed: not before this time, and within
/// twice of it.
const LEAST_PAUSE: Duration = Duration::from_secs(60);
/// The same for one that is not to be refreshed.
const LONG_PAUSE: Duration = Duration::from_secs(3600);

impl Auth {
    /// Refreshes all accounts that are due. Other processes may do the same at the same time.
    ///
    /// # Errors
    /// `DatabaseUnavailable`: it goes on at the next time.
    pub(crate) async fn refresh_due(&self) -> Result<()> {
        let inner = &self.inner;
        let mut seen = HashSet::new();
        loop {
            let due = grants::due(&inner.store, inner.clock.now(), BATCH).await?;
            let mut due: Vec<_> = due
                .into_iter()
                .filter(|place| seen.insert(place.id))
                .collect();
            if due.is_empty() {
                return Ok(());
            }
            // Another process has the same list: it begins elsewhere.
            let first = chance(inner.entropy.as_ref())? * due.len() as f64;
            let first = (first as usize).min(due.len() - 1);
            due.rotate_left(first);
            let mut going = JoinSet::new();
            for place in due {
                if inner.refreshes.running.phase() != Phase::Open {
                    return Ok(());
                }
                if going.len() >= AT_ONCE {
                    let _ended = going.join_next().await;
                }
                let auth = self.clone();
                going.spawn(async move { auth.refresh_ahead(&place).await });
            }
            while going.join_next().await.is_some() {}
        }
    }

    async fn refresh_ahead(&self, place: &AccountPlace) {
        let pause = match self.try_ahead(place).await {
            Ok(None) => return,
            Ok(Some(pause)) => pause,
            Err(_) => LEAST_PAUSE,
        };
        if let Err(error) = self.postpone(place, pause).await {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "a refresh was not postponed"
            );
        }
    }

    /// Refreshes an account; the time for which it is to be left alone when that was not possible.
    async fn try_ahead(&self, place: &AccountPlace) -> Result<Option<Duration>> {
        let inner = &self.inner;
        let mut client = inner.store.client(place.client_id);
        let user = client.user(place.user_id).await?;
        match is_active(user.as_ref()) {
            Ok(true) => {}
            // Whoever is suspended now may be back later.
            Ok(false) | Err(Error::InvalidClient | Error::Unauthorized) => {
                return Ok(Some(LONG_PAUSE));
            }
            Err(error) => return Err(error),
        }
        let Some(found) = client.granted_integration(place.id).await? else {
            return Ok(None);
        };
        let now = inner.clock.now();
        if !is_due(&found, now) {
            let next = found.grant.and_then(|grant| grant.row.next_refresh_at);
            let is_still_listed = next.is_some_and(|next| next <= now);
            return Ok(is_still_listed.then_some(LONG_PAUSE));
        }
        let account = Account::of(&found.integration);
        Ok(match self.refresh(&account, Wish::Ahead).await {
            Outcome::Refreshed
            | Outcome::Changed
            | Outcome::Gone
            | Outcome::Refused
            | Outcome::Elsewhere(_) => None,
            Outcome::Unavailable(wait) => Some(wait.max(LEAST_PAUSE)),
            Outcome::Failed(_) => Some(LEAST_PAUSE),
        })
    }

    async fn postpone(&self, place: &AccountPlace, pause: Duration) -> Result<()> {
        let inner = &self.inner;
        let pause = pause.mul_f64(1.0 + chance(inner.entropy.as_ref())?);
        let until = end_of(inner.clock.now(), pause);
        let (client_id, id) = (place.client_id, place.id);
        let postponed = inner.store.write(move |tx| {
            Box::pin(async move {
                let mut scope = ClientTx::new(tx, client_id);
                scope.postpone_refresh(id, until).await
            })
        });
        Ok(postponed.await.map(drop)?)
    }
}
