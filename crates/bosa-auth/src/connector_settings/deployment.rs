//! The settings that serve every client without settings of its own.

use std::sync::Arc;

use bosa_auth_core::{AuditAction, ConnectorName};
use bosa_auth_store::{StoreError, shared_connector_settings};
use serde_json::json;

use super::change::Change;
use super::document::model;
use super::secret::active_connector_key;
use super::{ConnectorSettings, NO_SETTINGS, NewConnectorSettings};
use crate::error::{Error, Result};
use crate::operation::{Operation, Settled, Written};
use crate::principal::Operator;

impl Operator {
    /// The deployment's settings of a connector.
    ///
    /// # Errors
    /// `NotFound`: there are none.
    pub async fn connector_settings(&self, connector: &str) -> Result<ConnectorSettings> {
        let connector = ConnectorName::parse(connector)?;
        let store = &self.auth.inner.store;
        let found = shared_connector_settings::find(store, connector.as_str()).await?;
        model(&found.ok_or(NO_SETTINGS)?.settings)
    }

    /// Stores the deployment's settings of a connector in place of the former ones.
    ///
    /// # Errors
    /// `NotFound`: there is no such connector. `InvalidInput`: a field is malformed, or the secret of
    /// the OAuth client is missing.
    pub async fn set_connector_settings(
        &self,
        connector: &str,
        new: &NewConnectorSettings,
    ) -> Result<ConnectorSettings> {
        let connector = ConnectorName::parse(connector)?;
        let provider = self.auth.declared(&connector)?;
        let change = Change::check(new, &provider)?;
        let inner = self.auth.inner.clone();
        let event = inner.event(
            &self.actor,
            AuditAction::ConnectorSet,
            None,
            None,
            Some(change.description()),
        )?;
        let operation = Arc::new(Operation::new(event, None));
        loop {
            let before = shared_connector_settings::find(&inner.store, connector.as_str()).await?;
            let before = before.map(|found| found.settings);
            let key = match change.has_new_secret() {
                true => Some(active_connector_key(&inner).await?),
                false => None,
            };
            let at = operation.event.at;
            let next = change.against(&inner, None, key.as_ref(), before.as_ref(), at)?;
            let write = Arc::new((connector.as_str().to_owned(), next, operation.clone()));
            let written = inner.store.write(move |tx| {
                let write = write.clone();
                Box::pin(async move {
                    let (connector, next, operation) = write.as_ref();
                    let opening = operation.open(tx);
                    let stored = shared_connector_settings::set(&mut *tx, connector, next).await;
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
                    return self.connector_settings(connector.as_str()).await;
                }
                Err(Error::NotFound { .. }) => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Removes the deployment's settings of a connector.
    ///
    /// # Errors
    /// `NotFound`: there are none.
    pub async fn unset_connector_settings(&self, connector: &str) -> Result<()> {
        let connector = ConnectorName::parse(connector)?;
        let inner = self.auth.inner.clone();
        let event = inner.event(
            &self.actor,
            AuditAction::ConnectorUnset,
            None,
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
                    let removed =
                        shared_connector_settings::unset(&mut *tx, connector.as_str()).await;
                    if opening.earlier(tx)?.is_some() || removed? {
                        return Ok(());
                    }
                    Err(NO_SETTINGS)
                })
            })
            .await
    }
}
