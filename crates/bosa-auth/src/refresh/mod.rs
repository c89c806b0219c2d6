//! Access tokens that can be used: refreshed before they end, by one process at a time.
//!
//! A refresh runs in a task of its own, which no caller can cancel. It takes the account's lease, reads
//! the account again, records that it sends the refresh token, sends it, and stores the answer together
//! with the end of the lease; only then does anybody see the new access token. Whoever waits for it
//! reads the account once more afterwards and never takes a token out of another's hands.

mod attempt;
mod back_off;
mod background;
mod keep;
mod lease;
mod need;
mod outcome;
mod repeats;
mod running;

use std::time::Duration;

use bosa_auth_core::{Actor, ClientId, IntegrationId};
use bosa_auth_store::{IntegrationRow, IntegrationWithGrant};

use self::attempt::Attempt;
use self::back_off::BackOffs;
use self::need::Need;
pub(crate) use self::need::{end_of, next_refresh};
use self::outcome::Outcome;
use self::running::{Joined, Phase, Progress, Running};
use crate::auth::Auth;
use crate::error::{Error, Result};

/// So long a reader waits at most: less than a request to the server may take.
const PATIENCE: Duration = Duration::from_secs(20);
/// So often a reader looks again when the account has become another one meanwhile.
const MOST_ROUNDS: u32 = 4;
const SOON: Duration = Duration::from_secs(1);

/// The refreshes of one handle.
#[derive(Debug, Default)]
pub(crate) struct Refreshes {
    running: Running,
    back_offs: BackOffs,
}

/// The account that a refresh is about.
#[derive(Debug, Clone)]
struct Account {
    client_id: ClientId,
    id: IntegrationId,
    connector: String,
}

/// Who wants a refresh.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wish {
    /// A reader. It waits for another process only if it has nothing that it could hand out.
    Read { is_patient: bool, actor: Actor },
    /// Nobody yet.
    Ahead,
}

impl Auth {
    /// An account that was read, with an access token that can be handed out: the one that was read,
    /// or a newer one. `None` when the account is gone by now.
    ///
    /// While the provider cannot be asked, the present token is handed out until it ends.
    ///
    /// # Errors
    /// `NeedsReauthorization`: the account must be connected again. `ProviderUnavailable`: the token
    /// has ended, and there is no other for now. `InvalidInput`: it has ended, and the OAuth client
    /// that it was granted to is no longer set. `NotFound`: it has ended, and the connector is no
    /// longer declared. `Unreadable`: something stored does not open.
    pub(crate) async fn with_usable_token(
        &self,
        actor: Actor,
        mut found: IntegrationWithGrant,
    ) -> Result<Option<IntegrationWithGrant>> {
        let account = Account::of(&found.integration);
        for _ in 0..MOST_ROUNDS {
            let is_usable = match Need::of(&found, self.inner.clock.now()) {
                Need::Nothing => return Ok(Some(found)),
                Need::Reconnect => return Err(needs_reauthorization(found)),
                Need::Refresh { is_usable } => is_usable,
                Need::Ended => false,
            };
            let wish = Wish::Read {
                is_patient: !is_usable,
                actor,
            };
            let outcome = self.refresh(&account, wish).await;
            let mut client = self.inner.store.client(account.client_id);
            let Some(again) = client.granted_integration(account.id).await? else {
                return Ok(None);
            };
            found = again;
            if !matches!(outcome, Outcome::Changed) {
                return self.settled(found, &outcome).map(Some);
            }
        }
        Err(unavailable(SOON))
    }

    /// What a reader gets after a refresh: the account as it is now, if its token can be used.
    fn settled(
        &self,
        found: IntegrationWithGrant,
        outcome: &Outcome,
    ) -> Result<IntegrationWithGrant> {
        match Need::of(&found, self.inner.clock.now()) {
            Need::Nothing | Need::Refresh { is_usable: true } => return Ok(found),
            Need::Reconnect => return Err(needs_reauthorization(found)),
            Need::Refresh { is_usable: false } | Need::Ended => {}
        }
        Err(match outcome {
            Outcome::Refused => needs_reauthorization(found),
            Outcome::Unavailable(wait) | Outcome::Elsewhere(wait) => unavailable(*wait),
            Outcome::Failed(error) => outcome::copy(error),
            Outcome::Refreshed | Outcome::Changed | Outcome::Gone => unavailable(SOON),
        })
    }

    /// Refreshes an account, or waits for whoever does it already.
    async fn refresh(&self, account: &Account, wish: Wish) -> Outcome {
        let is_patient = wish.is_patient();
        let waiting = async {
            loop {
                let (is_own, outcome) = match self.join(account, wish) {
                    Ok((is_own, progress)) => (is_own, ended(progress, is_patient).await),
                    Err(outcome) => return outcome,
                };
                // Whoever began this one was in no need to wait for another process.
                if is_own || !is_patient || !matches!(outcome, Outcome::Elsewhere(_)) {
                    return outcome;
                }
            }
        };
        let waited = tokio::time::timeout(PATIENCE, waiting).await;
        waited.unwrap_or(Outcome::Unavailable(SOON))
    }

    /// Joins the refresh of an account that goes on, else begins one, unless its provider is left
    /// alone for now.
    fn join(
        &self,
        account: &Account,
        wish: Wish,
    ) -> Result<(bool, tokio::sync::watch::Receiver<Progress>), Outcome> {
        let inner = &self.inner;
        let Refreshes { running, back_offs } = &inner.refreshes;
        let may_begin = || {
            if running.phase() != Phase::Open {
                return Err(Outcome::failed(Error::DatabaseUnavailable(None)));
            }
            let probe = inner.outbound.timeout().saturating_add(SOON);
            let now = inner.clock.monotonic();
            let left_alone = back_offs.remaining(
                account.client_id,
                account.id,
                &account.connector,
                now,
                probe,
            );
            left_alone.map_or(Ok(()), |wait| Err(Outcome::Unavailable(wait)))
        };
        let key = (account.client_id, account.id);
        match running.join(key, may_begin)? {
            Joined::Going(progress) => Ok((false, progress)),
            Joined::New(progress, report) => {
                let attempt = Attempt::new(self.clone(), account.clone(), wish, report);
                tokio::spawn(attempt.run());
                Ok((true, progress))
            }
        }
    }

    /// Lets no refresh begin from now on.
    pub(crate) fn close_refreshes(&self) {
        self.inner.refreshes.running.enter(Phase::Closing);
    }

    /// Waits for the refreshes that go on, for a bounded time: those of which the provider was asked
    /// have an answer to store.
    pub(crate) async fn finish_refreshes(&self) {
        let running = &self.inner.refreshes.running;
        let limit = self.inner.outbound.timeout().saturating_mul(2);
        let limit = limit.saturating_add(Duration::from_secs(5));
        if tokio::time::timeout(limit, running.none()).await.is_err() {
            tracing::warn!("closed while accounts were being refreshed");
        }
        running.enter(Phase::Closed);
    }
}

/// Waits until a refresh has ended, or until it is known that this caller need not wait.
async fn ended(mut progress: tokio::sync::watch::Receiver<Progress>, is_patient: bool) -> Outcome {
    loop {
        let now = progress.borrow_and_update().clone();
        match now {
            Progress::Ended(outcome) => return outcome,
            Progress::Elsewhere(remaining) if !is_patient => return Outcome::Elsewhere(remaining),
            Progress::DatabaseAway => {
                return Outcome::failed(Error::DatabaseUnavailable(None));
            }
            Progress::Going | Progress::Elsewhere(_) => {}
        }
        if progress.changed().await.is_err() {
            return Outcome::failed(Error::internal("a refresh ended without a word"));
        }
    }
}

impl Account {
    fn of(row: &IntegrationRow) -> Self {
        Self {
            client_id: row.client_id,
            id: row.id,
            connector: row.connector.clone(),
        }
    }
}

impl Wish {
    fn actor(self) -> Actor {
        match self {
            Self::Read { actor, .. } => actor,
            Self::Ahead => Actor::Library,
        }
    }

    /// Whether it waits for another process.
    fn is_patient(self) -> bool {
        match self {
            Self::Read { is_patient, .. } => is_patient,
            Self::Ahead => false,
        }
    }

    /// For metrics.
    fn name(self) -> &'static str {
        match self {
            Self::Read { .. } => "read",
            Self::Ahead => "ahead",
        }
    }
}

fn needs_reauthorization(found: IntegrationWithGrant) -> Error {
    let row = found.integration;
    let need = found.grant.and_then(|grant| grant.row.needs_reauth);
    Error::NeedsReauthorization {
        since: need.map_or(row.updated_at, |need| need.at),
        connector: row.connector,
        account: row.user_identifier,
    }
}

fn unavailable(retry_after: Duration) -> Error {
    Error::ProviderUnavailable { retry_after }
}
