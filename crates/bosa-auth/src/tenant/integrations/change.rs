//! Selecting, changing and deleting an account.

use std::sync::Arc;

use bosa_auth_core::{
    AuditAction, AuthStatus, ConnectorName, IntegrationId, Scope, Secret, UserId,
};
use bosa_auth_store::integrations::IntegrationRow;
use bosa_auth_store::{ClientTx, IntegrationChange};
use uuid::Uuid;

use super::sealed::check_auth_string;
use super::{NOT_FOUND, describe, model, scopes_text};
use crate::error::{Error, Result};
use crate::idempotency::{Begun, begin};
use crate::model::{Created, IntegrationUpdate, ThirdPartyIntegrationAuth};
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
        if !self.has_active_user(user_id).await? {
            return Err(NOT_FOUND);
        }
        let row = self
            .account(user_id, connector.as_str(), user_identifier)
            .await?
            .integration;
        let inner = self.auth.inner.clone();
        let client_id = self.id();
        let event = inner.event(
            &self.actor,
            AuditAction::IntegrationSelect,
            Some(client_id),
            Some(row.id.as_uuid()),
            Some(describe(&row)),
        )?;
        let change = Arc::new((row, event));
        inner
            .store
            .write(move |tx| {
                let change = change.clone();
                Box::pin(async move {
                    let (row, event) = change.as_ref();
                    if begin(tx, event, None, Uuid::nil()).await? == Begun::Fresh {
                        let mut scope = ClientTx::new(tx, client_id);
                        if !scope
                            .select_integration(row.user_id, &row.connector, &row.user_identifier)
                            .await?
                        {
                            return Err(NOT_FOUND);
                        }
                    }
                    Ok(())
                })
            })
            .await?;
        let stored = self
            .account(user_id, connector.as_str(), user_identifier)
            .await?;
        model(&stored.integration, Secret::default())
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
        if !self.has_active_user(user_id).await? {
            return Err(NOT_FOUND);
        }
        loop {
            let found = self
                .account(user_id, connector.as_str(), user_identifier)
                .await?;
            // Lost against another change: the last writer wins, as if it had come a moment later.
            if let Some(changed) = self.change_account(found.integration, &update).await? {
                return Ok(changed.resource);
            }
        }
    }

    /// Changes an account that was just read; `None`, having written nothing, when it was changed or
    /// deleted since.
    pub(super) async fn change_account(
        &self,
        row: IntegrationRow,
        update: &IntegrationUpdate,
    ) -> Result<Option<Created<ThirdPartyIntegrationAuth>>> {
        let inner = self.auth.inner.clone();
        let client_id = self.id();
        let (sealed, data_key_id) = match &update.auth_string {
            Some(auth_string) => self.seal(&row, auth_string).await?,
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
        let record = self.idempotency.record(&inner, &self.actor);
        let id = row.id;
        let change = Arc::new((change, event, record));
        let written = inner
            .store
            .write(move |tx| {
                let change = change.clone();
                Box::pin(async move {
                    let (change, event, record) = change.as_ref();
                    let begun = begin(tx, event, record.as_ref(), id.as_uuid()).await?;
                    let updated = begun != Begun::Fresh
                        || ClientTx::new(tx, client_id)
                            .update_integration(id, change)
                            .await?;
                    // Nothing of this write may stay when the row is another one by now.
                    if updated { Ok(begun) } else { Err(NOT_FOUND) }
                })
            })
            .await
            .map_err(|error| self.idempotency.explain(error));
        let (id, replayed) = match written {
            Ok(Begun::Replay(id)) => (IntegrationId::from(id), true),
            Ok(Begun::Fresh | Begun::Applied) => (id, false),
            Err(Error::NotFound { .. }) => return Ok(None),
            Err(error) => return Err(error),
        };
        let stored = self.integration_by_id(row.user_id, id).await?;
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
        if !self.has_active_user(user_id).await? {
            return Ok(false);
        }
        let inner = self.auth.inner.clone();
        let client_id = self.id();
        let subject = Some(user_id.as_uuid());
        let detail = serde_json::json!({ "connector": connector.as_str() }).to_string();
        let event = inner.event(
            &self.actor,
            AuditAction::IntegrationDelete,
            Some(client_id),
            subject,
            Some(detail),
        )?;
        let target = Arc::new((connector, user_identifier.map(str::to_owned), event));
        inner
            .store
            .write(move |tx| {
                let target = target.clone();
                Box::pin(async move {
                    let (connector, name, event) = target.as_ref();
                    let mut scope = ClientTx::new(&mut *tx, client_id);
                    let mut names = scope.account_names(user_id, connector.as_str()).await?;
                    let name = match name {
                        Some(name) if names.contains(name) => name.clone(),
                        None if names.len() > 1 => {
                            return Err(Error::AmbiguousAccount {
                                connector: connector.as_str().to_owned(),
                                accounts: names,
                            });
                        }
                        None if names.len() == 1 => names.remove(0),
                        // Nothing to delete; or an earlier attempt of this very call deleted it.
                        _ => {
                            return Ok(
                                bosa_auth_store::audit::is_recorded(&mut *tx, event.id).await?
                            );
                        }
                    };
                    if begin(tx, event, None, Uuid::nil()).await? == Begun::Applied {
                        return Ok(true);
                    }
                    let mut scope = ClientTx::new(&mut *tx, client_id);
                    match scope
                        .delete_integration(user_id, connector.as_str(), &name)
                        .await?
                    {
                        Some(_) => Ok(true),
                        // Another transaction was faster: the next attempt sees it.
                        None => Err(tx.run_again().into()),
                    }
                })
            })
            .await
    }
}
