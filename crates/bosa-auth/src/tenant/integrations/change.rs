//! Selecting, changing and deleting an account.

use std::sync::Arc;

use bosa_auth_core::{
    AuditAction, AuthStatus, ConnectorName, IntegrationId, Scope, Secret, UserId,
};
use bosa_auth_store::integrations::IntegrationRow;
use bosa_auth_store::{ClientTx, DataKeyRow, IntegrationChange, audit};

use super::sealed::check_auth_string;
use super::{NOT_FOUND, describe, model, scopes_text};
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
        let connector = ConnectorName::parse(connector)?;
        let account = self.named_reading(user_id, connector.as_str(), user_identifier);
        let (has_user, account) = self.has_active_user_and(user_id, account).await?;
        let account = account.flatten().filter(|_| has_user).ok_or(NOT_FOUND)?;
        let row = account.integration;
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
        model(&row, Secret::default())
    }

    /// Replaces an account's credential or its list of permissions, and makes it usable again when
    /// it had to be connected again.
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
        let connector = ConnectorName::parse(connector)?;
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
            let changed = self.change_account(account.integration, &update, key.as_ref());
            // Lost against another change: the last writer wins, as if it had come a moment later.
            if let Some(changed) = changed.await? {
                return Ok(changed.resource);
            }
        }
    }

    /// Changes an account that was just read, with the key that seals its new credential; `None`,
    /// having written nothing, when the account was changed or deleted since.
    pub(super) async fn change_account(
        &self,
        row: IntegrationRow,
        update: &IntegrationUpdate,
        key: Option<&DataKeyRow>,
    ) -> Result<Option<Created<ThirdPartyIntegrationAuth>>> {
        let inner = self.auth.inner.clone();
        let client_id = self.id();
        let (sealed, data_key_id) = match &update.auth_string {
            Some(auth_string) => self.seal(&row, auth_string, key)?,
            None => (row.sealed.clone(), row.data_key_id),
        };
        let change = IntegrationChange {
            version: row.version,
            auth_scopes: match &update.auth_scopes {
                Some(scopes) => scopes_text(scopes)?,
                None => row.auth_scopes.clone(),
            },
            sealed,
            data_key_id,
            auth_status: match &update.auth_string {
                Some(_) => AuthStatus::Active,
                None => row.auth_status,
            },
            subject: row.subject.clone(),
            at: inner.clock.now(),
        };
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
                    let updated = scope.update_integration(id, change).await;
                    if let Some(earlier) = opening.earlier(tx)? {
                        return Ok(Written::Earlier(earlier));
                    }
                    // Nothing of this write may stay when the row is another one by now.
                    updated?.map(Written::Now).ok_or(NOT_FOUND)
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
            resource: model(&stored, Secret::default())?,
            replayed,
        }))
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
        let connector = ConnectorName::parse(connector)?;
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
            let (has_user, mut names) = self.has_active_user_and(user_id, names).await?;
            let name = match user_identifier {
                _ if !has_user => return Ok(false),
                Some(name) if names.iter().any(|known| known == name) => name.to_owned(),
                None if names.len() > 1 => {
                    return Err(Error::AmbiguousAccount {
                        connector: connector.as_str().to_owned(),
                        accounts: names,
                    });
                }
                None if names.len() == 1 => names.remove(0),
                // Nothing to delete; or an earlier attempt of this very call deleted it.
                _ => return Ok(audit::is_recorded(&inner.store, operation.event.id).await?),
            };
            let target = (user_id, connector.as_str().to_owned(), name);
            // Deleted by another call at this moment: look again.
            if self.delete_account(target, operation.clone()).await? {
                return Ok(true);
            }
        }
    }

    /// Deletes a named account; false, having written nothing, when it is gone already.
    async fn delete_account(
        &self,
        target: (UserId, String, String),
        operation: Arc<Operation>,
    ) -> Result<bool> {
        let client_id = self.id();
        let target = Arc::new(target);
        self.auth
            .inner
            .store
            .write(move |tx| {
                let (target, operation) = (target.clone(), operation.clone());
                Box::pin(async move {
                    let (user_id, connector, name) = target.as_ref();
                    let opening = operation.open(tx);
                    let mut scope = ClientTx::new(&mut *tx, client_id);
                    let deleted = scope.delete_integration(*user_id, connector, name).await;
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
