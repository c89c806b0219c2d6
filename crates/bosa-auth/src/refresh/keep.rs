//! What becomes of an account after its provider has answered.
//!
//! Both changes go by the version that was read. When the account has another one by then, what counts
//! is whether its refresh token is still the one that was sent: then the answer belongs to it.

use std::sync::Arc;

use bosa_auth_connect::{OAuth, TokenResponse};
use bosa_auth_core::{AuditAction, AuthStatus, Secret, Timestamp};
use bosa_auth_store::{
    ClientTx, GrantRow, IntegrationRow, IntegrationWithGrant, NeedsReauth, Refreshed, StoreError,
};

use super::attempt::Attempt;
use super::lease::Holding;
use super::need::{end_of, next_refresh};
use super::outcome::Outcome;
use super::repeats::Repeats;
use crate::error::{Error, Result};
use crate::operation::Operation;
use crate::tenant::{describe_with, open_credential, open_refresh_token, scopes_text};
use crate::vault::{Place, open_data_key};

/// How the reason begins when nobody knows whether the refresh token was used.
pub(super) const OUTCOME_UNKNOWN: &str = "outcome unknown";
/// How often an answer is sealed anew because its key was replaced at this moment.
const MOST_KEYS: u32 = 5;
/// How often an account is met in another version.
const MOST_VERSIONS: u32 = 20;

/// An account that has another version than the one that was read.
enum Now {
    /// What was to be stored is stored: an attempt whose outcome was lost has done it.
    Stored,
    /// The refresh token is still the one that was sent.
    SameToken(Box<IntegrationWithGrant>),
    /// It was connected again, or holds something else.
    Another,
    /// There is none.
    Gone,
}

/// How often a write was tried once more.
#[derive(Default)]
struct Retries {
    repeats: Repeats,
    versions: u32,
}

/// What follows of an attempt to write.
enum Next {
    /// Another one, from the version that the account has now if that is another.
    Again(Option<Box<IntegrationWithGrant>>),
    /// It has ended.
    Ended(Outcome),
    /// It cannot be written.
    Failed(Error),
}

impl Attempt {
    /// Stores the provider's answer, however long the database is away.
    pub(super) async fn keep(
        &self,
        holding: &Holding,
        mut found: IntegrationWithGrant,
        sent: &Secret,
        oauth: &OAuth,
        tokens: &TokenResponse,
        at: Timestamp,
    ) -> Outcome {
        let lifetime = tokens.lifetime(oauth);
        let entropy = self.inner().entropy.as_ref();
        let expires_at = end_of(at, lifetime);
        // Without randomness it is late, but not for ever.
        let next = next_refresh(at, lifetime, entropy).unwrap_or(expires_at);
        let mut retries = Retries::default();
        loop {
            let stored = match self
                .store(holding, &found, tokens, [at, expires_at, next])
                .await
            {
                Ok(true) => Ok(Now::Stored),
                Ok(false) => self.compare(&found, Some(sent), Some(tokens)).await,
                Err(error) => Err(error),
            };
            let done = Outcome::Refreshed;
            match self.follow(holding, stored, done, &mut retries).await {
                Next::Again(again) => found = again.map_or(found, |again| *again),
                Next::Ended(outcome) => return outcome,
                Next::Failed(error) => {
                    tracing::error!(
                        client = %self.account.client_id,
                        integration = %self.account.id,
                        error = &error as &dyn std::error::Error,
                        "the new tokens of an account could not be stored and are lost"
                    );
                    return Outcome::failed(error);
                }
            }
        }
    }

    /// Stores the answer with the end of the lease; false when the account has another version.
    async fn store(
        &self,
        holding: &Holding,
        found: &IntegrationWithGrant,
        tokens: &TokenResponse,
        [at, expires_at, next]: [Timestamp; 3],
    ) -> Result<bool> {
        let inner = self.inner();
        let row = &found.integration;
        let Holding {
            client_id,
            id,
            holder,
            ..
        } = *holding;
        for _ in 0..MOST_KEYS {
            let key = inner.store.client(client_id).active_data_key().await?;
            let key = key.ok_or(Error::InvalidClient)?;
            let key = open_data_key(inner, client_id, &key)?;
            let seal = |place: Place<'_>, text: &Secret| {
                place.seal_text(&key, text, inner.entropy.as_ref())
            };
            let refresh_token = tokens.refresh_token.as_ref();
            let refresh_token = refresh_token.map(|token| seal(Place::refresh_token(row), token));
            let refreshed = Arc::new(Refreshed {
                version: row.version,
                auth_scopes: scopes_of(tokens).unwrap_or_else(|| row.auth_scopes.clone()),
                access_token: seal(Place::credential(row), &tokens.access_token)?,
                refresh_token: refresh_token.transpose()?,
                expires_at,
                next_refresh_at: Some(next),
                at,
            });
            let written = inner.store.write(move |tx| {
                let refreshed = refreshed.clone();
                Box::pin(async move {
                    let mut scope = ClientTx::new(tx, client_id);
                    scope.store_refreshed(id, holder, &refreshed).await
                })
            });
            match written.await {
                // The key was replaced at this moment.
                Err(StoreError::ForeignKey) => {}
                written => return Ok(written?.is_some()),
            }
        }
        Err(Error::DatabaseUnavailable(Some(StoreError::Busy)))
    }

    /// Marks that an account must be connected again, unless it was meanwhile. `sent` is the refresh
    /// token that was sent or given up, if there is one.
    pub(super) async fn must_reconnect(
        &self,
        holding: &Holding,
        mut found: IntegrationWithGrant,
        sent: Option<&Secret>,
        reason: &str,
    ) -> Outcome {
        let mut retries = Retries::default();
        loop {
            let marked = match self.mark(holding, &found.integration, reason).await {
                Ok(true) => Ok(Now::Stored),
                Ok(false) => self.compare(&found, sent, None).await,
                Err(error) => Err(error),
            };
            let done = Outcome::Refused;
            match self.follow(holding, marked, done, &mut retries).await {
                Next::Again(again) => found = again.map_or(found, |again| *again),
                Next::Ended(outcome) => return outcome,
                Next::Failed(error) => return Outcome::failed(error),
            }
        }
    }

    /// What follows of an attempt to write, which ends with `done` when it is written.
    async fn follow(
        &self,
        holding: &Holding,
        written: Result<Now>,
        done: Outcome,
        retries: &mut Retries,
    ) -> Next {
        match written {
            Ok(Now::Stored) => Next::Ended(done),
            Ok(Now::SameToken(again)) if retries.versions < MOST_VERSIONS => {
                retries.versions += 1;
                Next::Again(Some(again))
            }
            Ok(Now::Gone) => Next::Ended(Outcome::Gone),
            Ok(Now::Another | Now::SameToken(_)) => {
                drop(holding.give_back(self.inner(), false).await);
                Next::Ended(Outcome::Changed)
            }
            Err(error) if self.may_repeat(&error, &mut retries.repeats).await => Next::Again(None),
            Err(error) => Next::Failed(error),
        }
    }

    /// Marks it in the version that was read; false when it has another one.
    async fn mark(&self, holding: &Holding, row: &IntegrationRow, reason: &str) -> Result<bool> {
        let inner = self.inner();
        let event = inner.event(
            &self.wish.actor(),
            AuditAction::IntegrationRefreshRefuse,
            Some(row.client_id),
            Some(row.id.as_uuid()),
            Some(describe_with(row, "reason", reason)),
        )?;
        tracing::warn!(
            client = %row.client_id,
            integration = %row.id,
            connector = row.connector,
            "an account must be connected again: {reason}"
        );
        let need = NeedsReauth {
            reason: reason.to_owned(),
            at: event.at,
        };
        let act = Arc::new((need, Operation::new(event, None)));
        let (version, holding) = (row.version, *holding);
        let marked = inner.store.write(move |tx| {
            let act = act.clone();
            Box::pin(async move {
                let (need, operation) = act.as_ref();
                let opening = operation.open(tx);
                let mut scope = ClientTx::new(&mut *tx, holding.client_id);
                let holder = Some(holding.holder);
                let marked = scope
                    .set_needs_reauth(holding.id, version, need, holder)
                    .await;
                if opening.earlier(tx)?.is_some() {
                    return Ok(true);
                }
                let marked = marked?;
                if !marked {
                    // What changes nothing leaves no record.
                    tx.discard();
                }
                Ok::<_, Error>(marked)
            })
        });
        marked.await
    }

    /// What an account is now that has another version than `before`.
    async fn compare(
        &self,
        before: &IntegrationWithGrant,
        sent: Option<&Secret>,
        tokens: Option<&TokenResponse>,
    ) -> Result<Now> {
        let Some(found) = self.look().await? else {
            return Ok(Now::Gone);
        };
        let row = &found.integration;
        let (Some(grant), Some(was)) = (&found.grant, &before.grant) else {
            return Ok(Now::Another);
        };
        if let Some(tokens) = tokens {
            let access_token = open_credential(&self.auth, row, &found.key)?;
            if access_token.expose() == tokens.access_token.expose() {
                return Ok(Now::Stored);
            }
        }
        if row.auth_status == AuthStatus::NeedsReauth {
            // An answer that came after all takes back that it was given up.
            let was_given_up = tokens.is_some() && is_given_up(&grant.row);
            if !was_given_up {
                return Ok(Now::Another);
            }
        }
        let token = open_refresh_token(&self.auth, &found)?;
        let same_token = token.as_ref().map(Secret::expose) == sent.map(Secret::expose);
        let (now, was) = (&grant.row, &was.row);
        let same_grant = now.oauth_client_id == was.oauth_client_id
            && now.expires_at == was.expires_at
            && now.refreshed_at == was.refreshed_at;
        Ok(match same_token && same_grant {
            true => Now::SameToken(Box::new(found)),
            false => Now::Another,
        })
    }
}

fn is_given_up(grant: &GrantRow) -> bool {
    let need = grant.needs_reauth.as_ref();
    need.is_some_and(|need| need.reason.starts_with(OUTCOME_UNKNOWN))
}

/// What was granted this time; nothing when the answer does not say it, or says nothing sensible.
fn scopes_of(tokens: &TokenResponse) -> Option<String> {
    let scopes = tokens.scopes.as_ref().filter(|scopes| !scopes.is_empty())?;
    scopes_text(scopes).ok()
}
