//! The settings of one owner: a client, or without one the deployment.

use std::sync::Arc;

use bosa_auth_core::vault::DataKey;
use bosa_auth_core::{Actor, AuditAction, ClientId, ConnectorName};
use bosa_auth_store::{
    ClientTx, ConnectorSettingsChange, ConnectorSettingsRow, StoreError, Tx,
    shared_connector_settings,
};
use serde_json::json;

use super::change::Change;
use super::document::model;
use super::secret::active_connector_key;
use super::{ConnectorSettings, NO_SETTINGS, NewConnectorSettings};
use crate::auth::Auth;
use crate::error::{Error, Result};
use crate::operation::{Operation, Settled, Written};
use crate::vault::open_data_key;

/// The settings of one owner, and who acts on them.
pub(super) struct Owned<'a> {
    pub(super) auth: &'a Auth,
    pub(super) actor: &'a Actor,
    pub(super) owner: Option<ClientId>,
}

impl Owned<'_> {
    /// # Errors
    /// `NotFound`: there are none.
    pub(super) async fn show(&self, connector: &str) -> Result<ConnectorSettings> {
        let connector = ConnectorName::parse(connector)?;
        self.find(&connector).await
    }

    async fn find(&self, connector: &ConnectorName) -> Result<ConnectorSettings> {
        let store = &self.auth.inner.store;
        let connector = connector.as_str();
        let found = match self.owner {
            Some(client) => store.client(client).connector_settings(connector).await?,
            None => shared_connector_settings::find(store, connector).await?,
        };
        model(&found.ok_or(NO_SETTINGS)?.settings)
    }

    /// Stores settings in place of the former ones.
    ///
    /// # Errors
    /// `NotFound`: there is no such connector. `InvalidInput`: a field is malformed, or the secret of
    /// the OAuth client is missing. `InvalidClient`: the client is being deleted.
    pub(super) async fn set(
        &self,
        connector: &str,
        new: &NewConnectorSettings,
    ) -> Result<ConnectorSettings> {
        let connector = ConnectorName::parse(connector)?;
        let provider = self.auth.declared(&connector)?;
        let change = Change::check(new, &provider)?;
        let (inner, owner) = (self.auth.inner.clone(), self.owner);
        let operation = self.operation(AuditAction::ConnectorSet, change.description())?;
        let operation = Arc::new(operation);
        loop {
            let (before, key) = self.read(&connector, change.has_new_secret()).await?;
            let at = operation.event.at;
            let next = change.against(&inner, owner, key.as_ref(), before.as_ref(), at)?;
            let write = Arc::new((connector.as_str().to_owned(), next, operation.clone()));
            let written = inner.store.write(move |tx| {
                let write = write.clone();
                Box::pin(async move {
                    let (connector, next, operation) = write.as_ref();
                    let opening = operation.open(tx);
                    let stored = put(tx, owner, connector, next).await;
                    if let Some(earlier) = opening.earlier(tx)? {
                        return Ok(Written::Earlier(earlier));
                    }
                    match stored {
                        Ok(true) => Ok(Written::Now(())),
                        // Changed at this moment, or the key was replaced.
                        Ok(false) | Err(StoreError::ForeignKey) => Err(NO_SETTINGS),
                        Err(error) => Err(error.into()),
                    }
                })
            });
            match operation.settle(&inner, written.await).await {
                Ok(Settled::Now(()) | Settled::Before | Settled::Replay(_)) => {
                    return self.find(&connector).await;
                }
                // What is there now is looked at.
                Err(Error::NotFound { .. }) => self.require_present().await?,
                Err(error) => return Err(error),
            }
        }
    }

    /// Removes the settings of a connector.
    ///
    /// # Errors
    /// `NotFound`: there are none.
    pub(super) async fn unset(&self, connector: &str) -> Result<()> {
        let connector = ConnectorName::parse(connector)?;
        let (inner, owner) = (self.auth.inner.clone(), self.owner);
        let detail = json!({ "connector": connector.as_str() }).to_string();
        let operation = self.operation(AuditAction::ConnectorUnset, detail)?;
        let removal = Arc::new((connector, operation));
        inner
            .store
            .write(move |tx| {
                let removal = removal.clone();
                Box::pin(async move {
                    let (connector, operation) = removal.as_ref();
                    let opening = operation.open(tx);
                    let removed = remove(tx, owner, connector.as_str()).await;
                    if opening.earlier(tx)?.is_some() || removed? {
                        return Ok(());
                    }
                    Err(NO_SETTINGS)
                })
            })
            .await
    }

    fn operation(&self, action: AuditAction, detail: String) -> Result<Operation> {
        let inner = &self.auth.inner;
        let event = inner.event(self.actor, action, self.owner, None, Some(detail))?;
        Ok(Operation::new(event, None))
    }

    /// The settings that are there, and if it is needed the key that seals a new secret.
    async fn read(
        &self,
        connector: &ConnectorName,
        needs_key: bool,
    ) -> Result<(Option<ConnectorSettingsRow>, Option<DataKey>)> {
        let inner = &self.auth.inner;
        let connector = connector.as_str();
        let (found, key) = match self.owner {
            Some(client_id) => {
                let client = inner.store.client(client_id);
                let found = client.connector_settings_reading(connector);
                let key = needs_key.then(|| client.active_data_key_reading());
                let (found, key) = inner.store.together((found, key)).await?;
                let key = key.flatten();
                let key = key.map(|key| open_data_key(inner, client_id, &key));
                (found, key.transpose()?)
            }
            None => {
                let found = shared_connector_settings::find(&inner.store, connector).await?;
                let key = match needs_key {
                    true => Some(active_connector_key(inner).await?),
                    false => None,
                };
                (found, key)
            }
        };
        Ok((found.map(|found| found.settings), key))
    }

    /// # Errors
    /// `InvalidClient` when the client is gone or going.
    async fn require_present(&self) -> Result<()> {
        let Some(client_id) = self.owner else {
            return Ok(());
        };
        match self.auth.operator().find_client(client_id).await {
            Ok(_) => Ok(()),
            Err(Error::NotFound { .. }) => Err(Error::InvalidClient),
            Err(error) => Err(error),
        }
    }
}

async fn put(
    tx: &mut Tx,
    owner: Option<ClientId>,
    connector: &str,
    change: &ConnectorSettingsChange,
) -> Result<bool, StoreError> {
    match owner {
        Some(client) => {
            let mut scope = ClientTx::new(tx, client);
            scope.set_connector_settings(connector, change).await
        }
        None => shared_connector_settings::set(tx, connector, change).await,
    }
}

async fn remove(tx: &mut Tx, owner: Option<ClientId>, connector: &str) -> Result<bool, StoreError> {
    match owner {
        Some(client) => {
            let mut scope = ClientTx::new(tx, client);
            scope.unset_connector_settings(connector).await
        }
        None => shared_connector_settings::unset(tx, connector).await,
    }
}
