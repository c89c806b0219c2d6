//! Selecting, changing and deleting an account.

use std::sync::Arc;

use bosa_auth_core::{
    AuditAction, AuthStatus, ConnectorName, IntegrationId, Scope, Secret, Timestamp, UserId,
};
use bosa_auth_store::integrations::{IntegrationRow, IntegrationWithKey};
use bosa_auth_store::{ClientTx, DataKeyRow, IntegrationChange, StoreError, audit};

use super::sealed::check_auth_string;
use super::{NOT_FOUND, describe, explained, scopes_text};
use crate::error::{Error, Result};
use crate::model::{Created, IntegrationUpdate, ThirdPartyIntegrationAuth};
use crate::operation::{Operation, Settled, Written};
use crate::principal::Tenant;

impl Tenant {
    /// Makes an account the default of its connector.
    ///
    /// # Errors
    /// `NotFound`: the user has no such account. `Unauthorized`: the user is suspended.
    /// `PermissionDenied`: the key lacks `integrations:write`.
    pub async fn set_selected_integration(
        &self,
        user_id: UserId,
        connector: &str,
        user_identifier: &str,
    ) -> Result<ThirdPartyIntegrationAuth> {
        self.require(Scope::IntegrationsWrite)?;
        let connector = self.known_connector(user_id, connector).await?;
        let account = self.named_reading(user_id, connector.as_str(), user_identifier);
        let (has_user, account) = self.has_active_user_and(user_id, account).await?;
        let account = account.flatten().filter(|_| has_user).ok_or(NOT_FOUND)?;
        let (row, needs_reauth) = (account.integration, account.needs_reauth);
        let inner = self.auth.inner.clone();
        let client_id = self.id();
        let event = inner.event(
            &self.actor,
            AuditAction::IntegrationSelect,
            Some(client_id),
            Some(row.id.as_uuid()),
            Some(describe(&row)),
        )?;
        let change = Arc::new((row, Operation::new(event, None)));
        let account = change.clone();
        let selected = inner
            .store
            .write(move |tx| {
                let change = account.clone();
                Box::pin(async move {
                    let (row, operation) = change.as_ref();
                    let opening = operation.open(tx);
                    let mut scope = ClientTx::new(&mut *tx, client_id);
                    let selected = scope
                        .select_integration(row.user_id, &row.connector, &row.user_identifier)
                        .await;
                    if opening.earlier(tx)?.is_some() {
                        return Ok(None);
                    }
                    selected?.map(Some).ok_or(NOT_FOUND)
                })
            })
            .await?;
        let row = match selected {
            Some(row) => row,
            None => self.integration_by_id(user_id, change.0.id).await?,
        };
        explained(&row, Secret::default(), needs_reauth.as_ref())
    }

    /// Replaces an account's credential or its list of permissions. With another credential it is
    /// usable again when it had to be connected again, and what its provider had granted for it is
    /// forgotten.
    ///
    /// # Errors
    /// `NotFound`: the user has no such account. `Unauthorized`: the user is suspended.
    /// `InvalidInput`: a field is malformed. `PermissionDenied`: the key lacks `integrations:write`.
    pub async fn update_integration_auth(
        &self,
        user_id: UserId,
        connector: &str,
        user_identifier: &str,
        update: IntegrationUpdate,
    ) -> Result<ThirdPartyIntegrationAuth> {
        self.require(Scope::IntegrationsWrite)?;
        let connector = self.known_connector(user_id, connector).await?;
        if let Some(auth_string) = &update.auth_string {
            check_auth_string(auth_string)?;
        }
        if let Some(auth_scopes) = &update.auth_scopes {
            scopes_text(auth_scopes)?;
        }
        loop {
            let client = self.auth.inner.store.client(self.id());
            let account = self.named_reading(user_id, connector.as_str(), user_identifier);
            let key = update
                .auth_string
                .is_some()
                .then(|| client.active_data_key_reading());
            let read = self.has_active_user_and(user_id, (account, key)).await?;
            let (has_user, (account, key)) = read;
            let account = account.flatten().filter(|_| has_user).ok_or(NOT_FOUND)?;
            let key = key.flatten();
            let changed = self.change_account(account, &update, key.as_ref());
            // Lost against another change: the last writer wins, as if it had come a moment later.
            if let Some(changed) = changed.await? {
                return Ok(changed.resource);
            }
        }
    }

    /// Changes an account that was just read, with the key that seals its new credential; `None`,
    /// having written nothing, when the account was changed or deleted since, or the key was replaced.
    pub(super) async fn change_account(
        &self,
        account: IntegrationWithKey,
        update: &IntegrationUpdate,
        key: Option<&DataKeyRow>,
    ) -> Result<Option<Created<ThirdPartyIntegrationAuth>>> {
        let inner = self.auth.inner.clone();
        let client_id = self.id();
        let (row, needs_reauth) = (account.integration, account.needs_reauth);
        let change = self.change_of(&row, update, key)?;
        let event = inner.event(
            &self.actor,
            AuditAction::IntegrationUpdate,
            Some(client_id),
            Some(row.id.as_uuid()),
            Some(describe(&row)),
        )?;
        let id = row.id;
        let operation = self
            .idempotency
            .operation(&inner, &self.actor, event, id.as_uuid());
        let change = Arc::new((change, operation));
        let written = inner.store.write({
            let change = change.clone();
            move |tx| {
                let change = change.clone();
                Box::pin(async move {
                    let (change, operation) = change.as_ref();
                    let opening = operation.open(tx);
                    let mut scope = ClientTx::new(&mut *tx, client_id);
                    let updated = change.make(&mut scope, id).await;
                    if let Some(earlier) = opening.earlier(tx)? {
                        return Ok(Written::Earlier(earlier));
                    }
                    match updated {
                        // The key has been replaced.
                        Err(StoreError::ForeignKey) => Err(NOT_FOUND),
                        // Nothing of this write may stay when the row is another one by now.
                        updated => updated?.map(Written::Now).ok_or(NOT_FOUND),
                    }
                })
            }
        });
        let (stored, replayed) = match change.1.settle(&inner, written.await).await {
            Ok(Settled::Now(stored)) => (stored, false),
            Ok(Settled::Before) => (self.integration_by_id(row.user_id, id).await?, false),
            Ok(Settled::Replay(id)) => {
                let id = IntegrationId::from(id);
                (self.integration_by_id(row.user_id, id).await?, true)
            }
            Err(Error::NotFound { .. }) => return Ok(None),
            Err(error) => return Err(error),
        };
        Ok(Some(Created {
            resource: explained(&stored, Secret::default(), needs_reauth.as_ref())?,
            replayed,
        }))
    }

    fn change_of(
        &self,
        row: &IntegrationRow,
        update: &IntegrationUpdate,
        key: Option<&DataKeyRow>,
    ) -> Result<Change> {
        let (version, at) = (row.version, self.auth.inner.clock.now());
        let auth_scopes = match &update.auth_scopes {
            Some(scopes) => scopes_text(scopes)?,
            None => row.auth_scopes.clone(),
        };
        let Some(auth_string) = &update.auth_string else {
            return Ok(Change::Scopes {
                version,
                auth_scopes,
                at,
            });
        };
        let (sealed, data_key_id) = self.seal(row, auth_string, key)?;
        Ok(Change::Credential(IntegrationChange {
            version,
            auth_scopes,
            sealed,
            data_key_id,
            auth_status: AuthStatus::Active,
            // Nobody knows whose the new one is.
            subject: None,
            at,
        }))
    }

    /// The name of the only account of a connector; `None` when there is none, or no such user.
    ///
    /// # Errors
    /// `AmbiguousAccount`: there are several; the error names them. `Unauthorized`: the user is
    /// suspended. `PermissionDenied`: the key lacks `integrations:write`.
    pub async fn only_account(&self, user_id: UserId, connector: &str) -> Result<Option<String>> {
        self.require(Scope::IntegrationsWrite)?;
        let connector = self.known_connector(user_id, connector).await?;
        let client = self.auth.inner.store.client(self.id());
        let names = client.account_names_reading(user_id, connector.as_str());
        let (has_user, names) = self.has_active_user_and(user_id, names).await?;
        match has_user {
            true => only(&connector, names),
            false => Ok(None),
        }
    }

    /// Deletes an account; true when there was one. Only then another one may become the default:
    /// the newest that is left.
    ///
    /// # Errors
    /// `AmbiguousAccount`: no name is given and there are several. `Unauthorized`: the user is
    /// suspended. `PermissionDenied`: the key lacks `integrations:write`.
    pub async fn delete_integration(
        &self,
        user_id: UserId,
        connector: &str,
        user_identifier: Option<&str>,
    ) -> Result<bool> {
        self.require(Scope::IntegrationsWrite)?;
        let connector = self.known_connector(user_id, connector).await?;
        let inner = self.auth.inner.clone();
        let client_id = self.id();
        let detail = serde_json::json!({ "connector": connector.as_str() }).to_string();
        let event = inner.event(
            &self.actor,
            AuditAction::IntegrationDelete,
            Some(client_id),
            Some(user_id.as_uuid()),
            Some(detail),
        )?;
        let operation = Arc::new(Operation::new(event, None));
        loop {
            let client = inner.store.client(client_id);
            let names = client.account_names_reading(user_id, connector.as_str());
            let (has_user, names) = self.has_active_user_and(user_id, names).await?;
            if !has_user {
                return Ok(false);
            }
            let name = match user_identifier {
                Some(name) => names.into_iter().find(|known| known == name),
                None => only(&connector, names)?,
            };
            let Some(name) = name else {
                // Nothing to delete; or an earlier attempt of this very call deleted it.
                return Ok(audit::is_recorded(&inner.store, operation.event.id).await?);
            };
            let target = Target {
                user_id,
                connector: connector.as_str().to_owned(),
                name,
                must_be_only: user_identifier.is_none(),
            };
            // Deleted by another call at this moment, or not the only one any more: look again.
            if self.delete_account(target, operation.clone()).await? {
                return Ok(true);
            }
        }
    }

    /// Deletes an account; false, having written nothing, when it is gone already, or is not the only
    /// one and must be.
    async fn delete_account(&self, target: Target, operation: Arc<Operation>) -> Result<bool> {
        let client_id = self.id();
        let target = Arc::new(target);
        self.auth
            .inner
            .store
            .write(move |tx| {
                let (target, operation) = (target.clone(), operation.clone());
                Box::pin(async move {
                    let (user_id, connector) = (target.user_id, &target.connector);
                    let opening = operation.open(tx);
                    let mut scope = ClientTx::new(&mut *tx, client_id);
                    let deleted = match target.must_be_only {
                        true => {
                            let only =
                                scope.delete_only_integration(user_id, connector, &target.name);
                            only.await
                        }
                        false => {
                            let named = scope.delete_integration(user_id, connector, &target.name);
                            named.await
                        }
                    };
                    if opening.earlier(tx)?.is_some() {
                        return Ok(true);
                    }
                    let is_deleted = deleted?.is_some();
                    if !is_deleted {
                        // An operation that finds nothing to do leaves no record.
                        tx.discard();
                    }
                    Ok::<_, Error>(is_deleted)
                })
            })
            .await
    }
}

/// An account that is to be deleted.
#[derive(Debug)]
struct Target {
    user_id: UserId,
    connector: String,
    name: String,
    /// Nobody has named it: it is meant only while there is no other.
    must_be_only: bool,
}

/// What becomes of an account.
#[derive(Debug)]
enum Change {
    /// It permits something else; the credential and what was granted for it stay.
    Scopes {
        version: i64,
        auth_scopes: String,
        at: Timestamp,
    },
    /// A caller's credential takes the place of what was there, and of what was granted for it.
    Credential(IntegrationChange),
}

impl Change {
    /// Makes the change; `None` when the row has another version or is gone.
    async fn make(
        &self,
        scope: &mut ClientTx<'_>,
        id: IntegrationId,
    ) -> Result<Option<IntegrationRow>, StoreError> {
        match self {
            Self::Scopes {
                version,
                auth_scopes,
                at,
            } => {
                scope
                    .set_integration_scopes(id, *version, auth_scopes, *at)
                    .await
            }
            Self::Credential(change) => {
                let updated = scope.update_integration(id, change).await?;
                scope.delete_grant_later(id);
                Ok(updated)
            }
        }
    }
}

fn only(connector: &ConnectorName, mut names: Vec<String>) -> Result<Option<String>> {
    match names.len() {
        0 | 1 => Ok(names.pop()),
        _ => Err(Error::AmbiguousAccount {
            connector: connector.as_str().to_owned(),
            accounts: names,
        }),
    }
}
