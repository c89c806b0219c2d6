//! Storing an account.

use std::sync::Arc;

use bosa_auth_core::{
    AccountName, AuditAction, AuthStatus, ConnectorName, IntegrationId, Scope, Secret, UserId,
};
use bosa_auth_store::integrations::IntegrationRow;
use bosa_auth_store::{ClientTx, IntegrationInsert};
use uuid::Uuid;

use super::sealed::check_auth_string;
use super::{NOT_FOUND, describe, model, scopes_text};
use crate::error::{Error, Result};
use crate::idempotency::{Begun, begin};
use crate::model::{Created, IntegrationUpdate, ThirdPartyIntegrationAuth};
use crate::principal::Tenant;

impl Tenant {
    /// Stores an account of a user; the first one of a connector becomes its default.
    ///
    /// # Errors
    /// `Unauthorized`: unknown, foreign or suspended user. `IntegrationAlreadyExists`: the user has
    /// this account already. `InvalidInput`: a field is malformed, or the credential is empty or
    /// longer than 64 KiB. `PermissionDenied`: the key lacks `integrations:write`.
    pub async fn create_integration(
        &self,
        new: ThirdPartyIntegrationAuth,
    ) -> Result<Created<ThirdPartyIntegrationAuth>> {
        self.store_integration(new, false).await
    }

    /// As [`create_integration`](Self::create_integration); with `replace`, an account of this name
    /// that is there already gets the new credential.
    pub(in crate::tenant) async fn store_integration(
        &self,
        new: ThirdPartyIntegrationAuth,
        replace: bool,
    ) -> Result<Created<ThirdPartyIntegrationAuth>> {
        self.require(Scope::IntegrationsWrite)?;
        let inner = self.auth.inner.clone();
        let connector = ConnectorName::parse(&new.connector)?;
        let account = AccountName::parse(&new.user_identifier)?;
        check_auth_string(&new.auth_string)?;
        let auth_scopes = scopes_text(&new.auth_scopes)?;
        if new.client_id != self.id() || !self.has_active_user(new.user_id).await? {
            return Err(Error::Unauthorized);
        }
        let now = inner.clock.now();
        let mut row = IntegrationRow {
            client_id: self.id(),
            id: IntegrationId::generate(now, inner.entropy.as_ref())?,
            user_id: new.user_id,
            connector: connector.as_str().to_owned(),
            user_identifier: account.as_str().to_owned(),
            auth_scopes,
            sealed: Vec::new().into(),
            data_key_id: Uuid::nil().into(),
            version: 1,
            auth_status: AuthStatus::Active,
            subject: None,
            selected: false,
            created_at: now,
            updated_at: now,
        };
        if replace
            && let Some(existing) = self
                .named(row.user_id, &row.connector, &row.user_identifier)
                .await?
        {
            let update = IntegrationUpdate {
                auth_string: Some(Secret::from(new.auth_string.expose())),
                auth_scopes: Some(new.auth_scopes.clone()),
            };
            return match self.change_account(existing.integration, &update).await? {
                Some(changed) => Ok(changed),
                // Changed or deleted at this moment.
                None => Box::pin(self.store_integration(new, replace)).await,
            };
        }
        (row.sealed, row.data_key_id) = self.seal(&row, &new.auth_string).await?;
        let event = inner.event(
            &self.actor,
            AuditAction::IntegrationCreate,
            Some(self.id()),
            Some(row.id.as_uuid()),
            Some(describe(&row)),
        )?;
        let record = self.idempotency.record(&inner, &self.actor);
        let written = Arc::new((row, event, record));
        let (client_id, created) = (self.id(), written.clone());
        let begun = inner
            .store
            .write(move |tx| {
                let new = written.clone();
                Box::pin(async move {
                    let (row, event, record) = new.as_ref();
                    let begun = begin(tx, event, record.as_ref(), row.id.as_uuid()).await?;
                    if begun == Begun::Fresh {
                        match ClientTx::new(tx, client_id).insert_integration(row).await? {
                            IntegrationInsert::Done { .. } => {}
                            IntegrationInsert::NoUser => return Err(Error::Unauthorized),
                            IntegrationInsert::Taken => {
                                return Err(Error::IntegrationAlreadyExists);
                            }
                        }
                    }
                    Ok(begun)
                })
            })
            .await
            .map_err(|error| self.idempotency.explain(error))?;
        let row = &created.0;
        match begun {
            Begun::Replay(id) => {
                let stored = self
                    .integration_by_id(row.user_id, IntegrationId::from(id))
                    .await?;
                Ok(Created {
                    resource: model(&stored, Secret::default())?,
                    replayed: true,
                })
            }
            Begun::Fresh | Begun::Applied => {
                let stored = self.integration_by_id(row.user_id, row.id).await?;
                Ok(Created {
                    resource: model(&stored, new.auth_string)?,
                    replayed: false,
                })
            }
        }
    }

    pub(super) async fn integration_by_id(
        &self,
        user_id: UserId,
        id: IntegrationId,
    ) -> Result<IntegrationRow> {
        let mut client = self.auth.inner.store.client(self.id());
        client.integration(user_id, id).await?.ok_or(NOT_FOUND)
    }
}
