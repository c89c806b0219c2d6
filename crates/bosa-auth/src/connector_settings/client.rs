//! The settings that a client has for itself.

use std::sync::Arc;

use bosa_auth_core::{AuditAction, ConnectorName, Scope};
use bosa_auth_store::{ClientTx, StoreError};
use serde_json::json;

use super::change::Change;
use super::document::model;
use super::{ConnectorSettings, NO_SETTINGS, NewConnectorSettings};
use crate::error::{Error, Result};
use crate::operation::{Operation, Settled, Written};
use crate::principal::Tenant;
use crate::vault::open_data_key;

impl Tenant {
    /// The client's own settings of a connector.
    ///
    /// # Errors
    /// `NotFound`: it has none. `PermissionDenied`: the key lacks `connectors:manage`.
    pub async fn connector_settings(&self, connector: &str) -> Result<ConnectorSettings> {
        self.require(Scope::ConnectorsManage)?;
        let connector = ConnectorName::parse(connector)?;
        let mut client = self.auth.inner.store.client(self.id());
        let found = client.connector_settings(connector.as_str()).await?;
        model(&found.ok_or(NO_SETTINGS)?.settings)
    }

    /// Stores the client's own settings of a connector in place of the former ones.
    ///
    /// # Errors
    /// `NotFound`: there is no such connector. `InvalidInput`: a field is malformed, or the secret of
    /// the OAuth client is missing. `InvalidClient`: the client is being deleted.
    /// `PermissionDenied`: the key lacks `connectors:manage`.
    pub async fn set_connector_settings(
        &self,
        connector: &str,
        new: &NewConnectorSettings,
    ) -> Result<ConnectorSettings> {
        self.require(Scope::ConnectorsManage)?;
        let connector = ConnectorName::parse(connector)?;
        let provider = self.auth.declared(&connector)?;
        let change = Change::check(new, &provider)?;
        let (inner, client_id) = (self.auth.inner.clone(), self.id());
        let event = inner.event(
            &self.actor,
            AuditAction::ConnectorSet,
            Some(client_id),
            None,
            Some(change.description()),
        )?;
        let operation = Arc::new(Operation::new(event, None));
        loop {
            let client = inner.store.client(client_id);
            let before = client.connector_settings_reading(connector.as_str());
            let key = change
                .has_new_secret()
                .then(|| client.active_data_key_reading());
            let (before, key) = inner.store.together((before, key)).await?;
            let key = key.flatten();
            let key = key.map(|key| open_data_key(&inner, client_id, &key));
            let before = before.map(|found| found.settings);
            let at = operation.event.at;
            let key = key.transpose()?;
            let next =
                change.against(&inner, Some(client_id), key.as_ref(), before.as_ref(), at)?;
            let write = Arc::new((connector.as_str().to_owned(), next, operation.clone()));
            let written = inner.store.write(move |tx| {
                let write = write.clone();
                Box::pin(async move {
                    let (connector, next, operation) = write.as_ref();
                    let opening = operation.open(tx);
                    let mut scope = ClientTx::new(&mut *tx, client_id);
                    let stored = scope.set_connector_settings(connector, next).await;
                    if let Some(earlier) = opening.earlier(tx)? {
                        return Ok(Written::Earlier(earlier));
                    }
                    match stored {
                        Ok(true) => Ok(Written::Now(())),
                        Ok(false) => Err(NO_SETTINGS),
                        // The data key was replaced in between.
                        Err(StoreError::ForeignKey) => Err(NO_SETTINGS),
                        Err(error) => Err(error.into()),
                    }
                })
            });
            match operation.settle(&inner, written.await).await {
                Ok(Settled::Now(()) | Settled::Before | Settled::Replay(_)) => {
                    return self.connector_settings(connector.as_str()).await;
                }
                // Changed at this moment: what is there now is looked at.
                Err(Error::NotFound { .. }) => self.require_present().await?,
                Err(error) => return Err(error),
            }
        }
    }

    /// Removes the client's own settings of a connector, so that the deployment's serve it again.
    ///
    /// Accounts that were connected with the removed OAuth client stay readable until their access
    /// tokens end; nobody else can refresh them.
    ///
    /// # Errors
    /// `NotFound`: it has none. `PermissionDenied`: the key lacks `connectors:manage`.
    pub async fn unset_connector_settings(&self, connector: &str) -> Result<()> {
        self.require(Scope::ConnectorsManage)?;
        let connector = ConnectorName::parse(connector)?;
        let (inner, client_id) = (self.auth.inner.clone(), self.id());
        let event = inner.event(
            &self.actor,
            AuditAction::ConnectorUnset,
            Some(client_id),
            None,
            Some(json!({ "connector": connector.as_str() }).to_string()),
        )?;
        let operation = Arc::new((connector, Operation::new(event, None)));
        inner
            .store
            .write(move |tx| {
                let operation = operation.clone();
                Box::pin(async move {
                    let (connector, operation) = operation.as_ref();
                    let opening = operation.open(tx);
                    let mut scope = ClientTx::new(&mut *tx, client_id);
                    let removed = scope.unset_connector_settings(connector.as_str()).await;
                    if opening.earlier(tx)?.is_some() || removed? {
                        return Ok(());
                    }
                    Err(NO_SETTINGS)
                })
            })
            .await
    }

    /// # Errors
    /// `InvalidClient` when the client is gone or going.
    async fn require_present(&self) -> Result<()> {
        match self.auth.operator().find_client(self.id()).await {
            Ok(_) => Ok(()),
            Err(Error::NotFound { .. }) => Err(Error::InvalidClient),
            Err(error) => Err(error),
        }
    }
}
