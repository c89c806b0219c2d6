//! The settings that a client has for itself.

use bosa_auth_core::Scope;

use super::owned::Owned;
use super::{ConnectorSettings, NewConnectorSettings};
use crate::error::Result;
use crate::principal::Tenant;

impl Tenant {
    /// The client's own settings of a connector.
    ///
    /// # Errors
    /// `NotFound`: it has none. `PermissionDenied`: the key lacks `connectors:manage`.
    pub async fn connector_settings(&self, connector: &str) -> Result<ConnectorSettings> {
        self.owned()?.show(connector).await
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
        self.owned()?.set(connector, new).await
    }

    /// Removes the client's own settings of a connector, so that the deployment's serve it again.
    ///
    /// Accounts that were connected with the removed OAuth client stay readable until their access
    /// tokens end; nobody else can refresh them.
    ///
    /// # Errors
    /// `NotFound`: it has none. `PermissionDenied`: the key lacks `connectors:manage`.
    pub async fn unset_connector_settings(&self, connector: &str) -> Result<()> {
        self.owned()?.unset(connector).await
    }

    fn owned(&self) -> Result<Owned<'_>> {
        self.require(Scope::ConnectorsManage)?;
        Ok(Owned {
            auth: &self.auth,
            actor: &self.actor,
            owner: Some(self.id()),
        })
    }
}
