//! Storing what the provider granted: the account and its tokens, at once.

use std::sync::Arc;
use std::time::Duration;

use bosa_auth_connect::RefreshToken as Declared;
use bosa_auth_core::{Actor, AuditAction, AuditEvent, AuthStatus, IntegrationId, Secret};
use bosa_auth_store::integrations::IntegrationRow;
use bosa_auth_store::{
    AccountPlace, ClientTx, ConnectStateRow, GrantRow, IntegrationChange, IntegrationInsert,
    RefreshToken, StoreError,
};

use super::completion::CompletionSecret;
use super::exchange::Granted;
use super::reconnect::{Target, target};
use super::{ConnectFailure, NO_CONNECTION};
use crate::auth::Auth;
use crate::connector_settings::OAuthClient;
use crate::error::{Error, Result};
use crate::idempotency::Idempotency;
use crate::model::Created;
use crate::operation::{Operation, Settled, Written};
use crate::refresh::{end_of, next_refresh};
use crate::tenant::{describe_with, is_active, new_account, scopes_text};
use crate::vault::{Place, open_data_key};

/// How often storing is tried while the database does not answer: the code is used up, and only
/// this process has the tokens.
const ATTEMPTS: u32 = 8;
const FIRST_PAUSE: Duration = Duration::from_millis(100);

/// What is written in one transaction.
#[derive(Debug)]
struct Write {
    row: IntegrationRow,
    /// `None` for a new account.
    change: Option<IntegrationChange>,
    grant: GrantRow,
    operation: Operation,
}

/// An account to be stored, and for whom.
#[derive(Debug)]
pub(super) struct Storing<'a> {
    /// The user, the connector, and the id of a new account.
    pub(super) state: &'a ConnectStateRow,
    /// What the authorization permits if the provider does not say, as a JSON array of texts.
    pub(super) asked_scopes: &'a str,
    pub(super) client: &'a OAuthClient,
    pub(super) granted: &'a Granted,
    pub(super) completion: Option<&'a CompletionSecret>,
    pub(super) actor: Actor,
    pub(super) idempotency: &'a Idempotency,
}

/// Stores the account of a connection; `Err` inside when it cannot be one of the user's.
///
/// # Errors
/// `DatabaseUnavailable` after several attempts; `Internal`.
pub(super) async fn store(
    auth: &Auth,
    storing: &Storing<'_>,
) -> Result<Result<Created<IntegrationRow>, ConnectFailure>> {
    let event = auth.inner.event(
        &storing.actor,
        AuditAction::IntegrationConnect,
        Some(storing.state.client_id),
        None,
        None,
    )?;
    let (mut attempt, mut pause) = (1, FIRST_PAUSE);
    loop {
        match attempt_store(auth, storing, &event).await {
            Ok(Some(outcome)) => return Ok(outcome),
            // Another change was faster: what is there now is looked at.
            Ok(None) => {}
            Err(Error::DatabaseUnavailable(_)) if attempt < ATTEMPTS => {
                tokio::time::sleep(pause).await;
                (attempt, pause) = (attempt + 1, pause * 2);
            }
            Err(error) => return Err(error),
        }
    }
}

/// `None`, having written nothing, when the accounts are others than those that were read.
async fn attempt_store(
    auth: &Auth,
    storing: &Storing<'_>,
    event: &AuditEvent,
) -> Result<Option<Result<Created<IntegrationRow>, ConnectFailure>>> {
    let &Storing {
        state,
        client,
        granted,
        completion,
        ..
    } = storing;
    let (inner, client_id) = (&auth.inner, state.client_id);
    let reader = inner.store.client(client_id);
    let accounts = reader.integrations_reading(state.user_id, Some(&state.connector));
    let readings = (
        reader.user_reading(state.user_id),
        (accounts, reader.active_data_key_reading()),
    );
    let (user, (accounts, key)) = inner.store.together(readings).await?;
    match is_active(user.as_ref()) {
        Ok(true) => {}
        Ok(false) | Err(Error::InvalidClient | Error::Unauthorized) => {
            return Ok(Some(Err(ConnectFailure::NotAllowed)));
        }
        Err(error) => return Err(error),
    }
    let Some(key) = key else {
        return Ok(Some(Err(ConnectFailure::NotAllowed)));
    };
    let rows = accounts.into_iter().map(|found| found.integration);
    let target = match target(rows, &granted.identity, state.replaces) {
        Ok(target) => target,
        Err(failure) => return Ok(Some(Err(failure))),
    };
    let now = inner.clock.now();
    let is_new = matches!(target, Target::New(_));
    let mut row = match target {
        Target::Existing(row) => *row,
        Target::New(name) => {
            let place = AccountPlace {
                client_id,
                id: state.id,
                user_id: state.user_id,
                connector: state.connector.clone(),
                user_identifier: name.into(),
            };
            new_account(place, now)
        }
    };
    let key = open_data_key(inner, client_id, &key)?;
    let tokens = &granted.tokens;
    let seal =
        |place: Place<'_>, token: &Secret| place.seal_text(&key, token, inner.entropy.as_ref());
    let credential = seal(Place::credential(&row), &tokens.access_token)?;
    row.sealed = credential.bytes;
    row.data_key_id = credential.key_id;
    row.auth_scopes = scopes(granted, storing.asked_scopes);
    let completion = completion.map(|secret| secret.kept(inner, row.id, now));
    let completion = completion.transpose()?;
    row.auth_status = match completion {
        Some(_) => AuthStatus::Pending,
        None => AuthStatus::Active,
    };
    row.subject = Some(granted.identity.subject.clone());
    let refresh_token = tokens.refresh_token.as_ref().map(|token| {
        let sealed = seal(Place::refresh_token(&row), token)?;
        let rotates = client.oauth()?.lifetime.refresh_token == Declared::Rotates;
        Ok::<_, Error>(RefreshToken { sealed, rotates })
    });
    let refresh_token = match refresh_token.transpose()? {
        None if !is_new => match kept_refresh_token(auth, client, &row).await? {
            Kept::Token(token) => token,
            Kept::Changed => return Ok(None),
        },
        other => other,
    };
    let lifetime = tokens.lifetime(client.oauth()?);
    let next_refresh = next_refresh(granted.at, lifetime, inner.entropy.as_ref())?;
    let grant = GrantRow {
        integration_id: row.id,
        oauth_client_id: client.credentials.client_id.clone(),
        expires_at: end_of(granted.at, lifetime),
        next_refresh_at: refresh_token.is_some().then_some(next_refresh),
        refresh_token,
        refreshed_at: None,
        needs_reauth: None,
        completion,
    };
    let change = (!is_new).then(|| IntegrationChange {
        version: row.version,
        auth_scopes: row.auth_scopes.clone(),
        sealed: row.sealed.clone(),
        data_key_id: row.data_key_id,
        auth_status: row.auth_status,
        subject: row.subject.clone(),
        at: now,
    });
    let event = AuditEvent {
        subject: Some(row.id.as_uuid()),
        detail: Some(describe_with(&row, "new", is_new)),
        ..event.clone()
    };
    let operation = storing
        .idempotency
        .operation(inner, &storing.actor, event, row.id.as_uuid());
    let write = Write {
        row,
        change,
        grant,
        operation,
    };
    commit(auth, write).await
}

/// What an account has from its former connection.
enum Kept {
    Token(Option<RefreshToken>),
    /// The account is another one since it was read.
    Changed,
}

/// The refresh token of an account that is connected again without a new one: many providers give
/// one with the first consent only. It stays if it belongs to the same OAuth client, can be used
/// more than once, and was not refused.
async fn kept_refresh_token(
    auth: &Auth,
    client: &OAuthClient,
    row: &IntegrationRow,
) -> Result<Kept> {
    let mut reader = auth.inner.store.client(row.client_id);
    let found = reader.granted_integration(row.id).await?;
    let Some(found) = found.filter(|found| found.integration.version == row.version) else {
        return Ok(Kept::Changed);
    };
    let grant = found.grant.map(|grant| grant.row).filter(|grant| {
        grant.needs_reauth.is_none() && grant.oauth_client_id == client.credentials.client_id
    });
    let token = grant.and_then(|grant| grant.refresh_token);
    Ok(Kept::Token(token.filter(|token| !token.rotates)))
}

async fn commit(
    auth: &Auth,
    write: Write,
) -> Result<Option<Result<Created<IntegrationRow>, ConnectFailure>>> {
    let inner = &auth.inner;
    let client_id = write.row.client_id;
    let write = Arc::new(write);
    let made = write.clone();
    let written = inner.store.write(move |tx| {
        let made = made.clone();
        Box::pin(async move {
            let opening = made.operation.open(tx);
            let mut scope = ClientTx::new(&mut *tx, client_id);
            let stored = put_account(&mut scope, &made).await;
            if let Some(earlier) = opening.earlier(tx)? {
                return Ok(Written::Earlier(earlier));
            }
            let row = match stored {
                // The data key was replaced at this moment.
                Err(Error::NotFound { .. }) => return Err(NO_CONNECTION),
                stored => stored?,
            };
            let put = ClientTx::new(&mut *tx, client_id)
                .put_grant(&made.grant)
                .await;
            match put {
                Ok(()) => Ok(Written::Now(row)),
                Err(StoreError::ForeignKey) => Err(NO_CONNECTION),
                Err(error) => Err(error.into()),
            }
        })
    });
    match write.operation.settle(inner, written.await).await {
        Ok(Settled::Now(resource)) => Ok(Some(Ok(Created {
            resource,
            replayed: false,
        }))),
        Ok(settled @ (Settled::Before | Settled::Replay(_))) => {
            let (id, replayed) = match settled {
                Settled::Replay(id) => (id.into(), true),
                _ => (write.row.id, false),
            };
            let mut reader = inner.store.client(client_id);
            let found = reader.integration(write.row.user_id, id).await?;
            let created = found.map(|resource| Created { resource, replayed });
            Ok(Some(created.ok_or(ConnectFailure::NotStored)))
        }
        Err(Error::NotFound { .. }) => Ok(None),
        Err(Error::Unauthorized) => Ok(Some(Err(ConnectFailure::NotAllowed))),
        Err(error) => Err(error),
    }
}

/// # Errors
/// `NotFound` when the accounts are others than those that were read, `Unauthorized` when the user is
/// gone.
async fn put_account(scope: &mut ClientTx<'_>, write: &Write) -> Result<IntegrationRow> {
    let id: IntegrationId = write.row.id;
    let stored = match &write.change {
        Some(change) => scope.update_integration(id, change).await,
        None => match scope.insert_integration(&write.row).await {
            Ok(IntegrationInsert::Done { selected }) => Ok(Some(IntegrationRow {
                selected,
                ..write.row.clone()
            })),
            Ok(IntegrationInsert::Taken) => Ok(None),
            Ok(IntegrationInsert::NoUser) => return Err(Error::Unauthorized),
            Err(error) => Err(error),
        },
    };
    match stored {
        Ok(Some(row)) => Ok(row),
        Ok(None) | Err(StoreError::ForeignKey) => Err(NO_CONNECTION),
        Err(error) => Err(error.into()),
    }
}

/// What was granted, or else what was asked for (RFC 6749 §5.1), as it is stored.
fn scopes(granted: &Granted, asked: &str) -> String {
    let said = granted.tokens.scopes.as_ref();
    let said = said.filter(|scopes| !scopes.is_empty());
    let said = said.and_then(|scopes| scopes_text(scopes).ok());
    said.unwrap_or_else(|| asked.to_owned())
}
